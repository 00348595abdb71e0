"""How much of a piece of ground a change map shows: what was cloudy or outside of it was not seen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.errors import RasterioIOError
from rasterio.features import geometry_mask
from rasterio.io import DatasetReader
from rasterio.windows import Window, from_bounds

from detection.look import UNSEEN
from ground.crs import LONLAT, crs_of, to_crs


def seen_by(change_map: Path) -> Callable[[Sequence[Any]], list[float | None]] | None:
    """A function from outlines in degrees to the share of each that both scenes show; None where there is no map."""
    if not change_map.is_file():
        return None

    def shares(outlines: Sequence[Any]) -> list[float | None]:
        try:
            with rasterio.open(change_map) as source:
                moved = to_crs(outlines, LONLAT, crs_of(source.crs, str(change_map)), str(change_map))
                return [_share(source, shape) for shape in moved]
        except RasterioIOError:
            # What cannot be read shows nothing, and says nothing.
            return [None] * len(outlines)

    return shares


def _share(source: DatasetReader, shape: shapely.Geometry) -> float:
    """Pixels seen among all whose middle lies in the outline, those outside of the map among them."""
    around = from_bounds(*shape.bounds, source.transform)
    first = (int(np.floor(around.col_off)), int(np.floor(around.row_off)))
    last = (int(np.ceil(around.col_off + around.width)), int(np.ceil(around.row_off + around.height)))
    window = Window(*first, max(1, last[0] - first[0]), max(1, last[1] - first[1]))
    values = source.read(1, window=window, boundless=True, fill_value=UNSEEN)
    placed = source.window_transform(window)
    inside = geometry_mask([shape], values.shape, placed, invert=True)
    if not inside.any():
        # Smaller than a pixel: whatever pixels it touches.
        inside = geometry_mask([shape], values.shape, placed, all_touched=True, invert=True)
    return float(np.mean(values[inside] != UNSEEN)) if inside.any() else 0.0
