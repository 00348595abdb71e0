"""How much of a piece of ground a change map shows; pixels counted by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from detection.observed import seen_by
from ground.crs import LONLAT, to_crs


def boxes(*of: tuple[float, float, float, float]) -> Any:
    """Rectangles of meters from the map's upper left corner, in degrees."""
    shapes = [shapely.box(600_000 + w, 4_200_000 - s, 600_000 + e, 4_200_000 - n) for w, s, e, n in of]
    return to_crs(shapes, CRS.from_epsg(32649), LONLAT, "test")


def test_cloud_and_what_lies_outside_are_unseen(raster: Callable[..., Path]) -> None:
    values = np.zeros((2, 10, 10), dtype="uint8")
    values[0, :, 5:] = 255  # a cloud over the eastern half
    values[0, 0, 0] = 254  # changed is seen
    shares = seen_by(raster("change.tif", values, nodata=255))
    assert shares is not None
    found = shares(
        boxes(
            (0, 100, 50, 0),
            (50, 100, 100, 0),
            (30, 100, 70, 0),
            (-50, 100, 50, 0),
            (900, 1000, 950, 950),
            (12, 18, 14, 16),
        )
    )
    assert found == [1.0, 0.0, 0.5, 0.5, 0.0, 1.0]
    assert seen_by(Path("nowhere.tif")) is None


def test_a_map_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "change.tif").write_bytes(b"II*\0 cut short")
    shares = seen_by(tmp_path / "change.tif")
    assert shares is not None
    assert shares(boxes((0, 100, 50, 0))) == [None]
