"""Real pairs with labeled change as training data: folders of before/ after/ label/, scenes with change polygons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import rasterio.errors
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ground.errors import BadInput, one_line
from models.training_scene import (
    CHANGE_UNKNOWN,
    CHANGED,
    UNCHANGED,
    Bytes,
    TrainingScene,
    open_image,
    read_rgb,
    rgb_of,
)

PARTS = ("before", "after", "label")
PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg"}
TILE = 2048
"""Scenes are cut into squares of this many pixels: each is a place."""


def folder_pairs(
    folder: Path, name: str, gsd_m: float | None, weight: float
) -> Iterator[tuple[Path, TrainingScene]]:
    """The pairs of a folder with before/, after/ and label/ of equal file names.

    Raises:
        BadInput: a partner is missing, sizes or label values are off, nobody says the pixel size.
    """
    files = {part: _pictures(folder / part) for part in PARTS}
    stems = sorted(set().union(*files.values()))
    if not stems:
        raise BadInput(f"{folder}: holds no pairs; put images of equal names into {', '.join(PARTS)}")
    for stem in stems:
        missing = [part for part in PARTS if stem not in files[part]]
        if missing:
            raise BadInput(
                f"{folder}: {stem} is missing in {' and '.join(missing)}; add it, or take its partners away"
            )
    for stem in stems:
        before, after, label = (files[part][stem] for part in PARTS)
        change = label_codes(label)
        first, second = read_rgb(before), read_rgb(after)
        for file, shape in ((after, second.shape[:2]), (label, change.shape)):
            if shape != first.shape[:2]:
                raise BadInput(f"{file}: has {shape} pixels, {before} {first.shape[:2]}; cut them alike")
        size = gsd_m or _gsd_m(before)
        scene = TrainingScene(f"{name}/{stem}", first, _nothing(change), size, weight, second, change)
        yield before, scene


def scene_pair(
    before: Path, after: Path, changes: Path, name: str, weight: float
) -> Iterator[tuple[Path, TrainingScene]]:
    """Squares of two georeferenced scenes, the second on the first's grid; changed where a polygon lies.

    Raises:
        BadInput: a scene without a coordinate system, polygons that cannot be read, no common ground.
    """
    shapes = None
    with open_image(before) as first, open_image(after) as source:
        for file, one in ((before, first), (after, source)):
            if one.crs is None:
                raise BadInput(f"{file}: has no coordinate system; polygons cannot be laid over it")
        shapes = _polygons(changes, first.crs)
        size = _gsd_m(before)
        grid = {"crs": first.crs, "transform": first.transform, "width": first.width, "height": first.height}
        found = 0
        with WarpedVRT(
            source, resampling=rasterio.enums.Resampling.bilinear, add_alpha=True, **grid
        ) as second:
            for window in _tiles(first.width, first.height):
                seen = (second.dataset_mask(window=window) > 0) & (first.dataset_mask(window=window) > 0)
                if not seen.any():
                    continue
                found += 1
                change = _burnt(shapes, window, first.transform)
                change[~seen] = CHANGE_UNKNOWN
                one, two = rgb_of(first, before, window), rgb_of(second, after, window)
                where = f"{name}/{before.stem}-{window.row_off}-{window.col_off}"
                yield before, TrainingScene(where, one, _nothing(change), size, weight, two, change)
    if not found:
        raise BadInput(f"{after}: shares no ground with {before}; give two scenes of one place")


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise BadInput(f"{folder.parent}: has no folder {folder.name}/; three are needed: {', '.join(PARTS)}")
    return {file.stem: file for file in folder.iterdir() if file.suffix.lower() in PICTURES}


def _nothing(change: Bytes) -> Bytes:
    # What stands there on either date is not said.
    return np.zeros_like(change)


def label_codes(path: Path) -> Bytes:
    """0 and 1, 0 and 255, or 0, 1 and 255 for unknown → change codes.

    Raises:
        BadInput: other values.
    """
    with open_image(path) as source:
        plane = source.read(1)
    values = set(np.unique(plane).tolist())
    if values <= {0, 255}:
        return np.where(plane == 255, CHANGED, UNCHANGED).astype(np.uint8)
    if not values <= {0, 1, 255}:
        odd = sorted(values - {0, 1, 255})[:5]
        raise BadInput(
            f"{path}: a label is 0 and 1, 0 and 255, or 0, 1 and 255 for unknown; this one holds {odd}; recode it"
        )
    coded = np.where(plane == 1, CHANGED, UNCHANGED)
    return np.where(plane == 255, CHANGE_UNKNOWN, coded).astype(np.uint8)


def _gsd_m(path: Path) -> float:
    with open_image(path) as source:
        crs, transform, middle = (
            source.crs,
            source.transform,
            source.xy(source.height // 2, source.width // 2),
        )
    if crs is None:
        raise BadInput(f"{path}: does not say its pixel size; give gsd_m")
    side = abs(transform.determinant) ** 0.5
    if not crs.is_geographic:
        return float(side * crs.linear_units_factor[1])
    return float(side * 111_320 * np.cos(np.radians(middle[1])) ** 0.5)


def _polygons(file: Path, crs: Any) -> NDArray[np.object_]:
    try:
        frame = pyogrio.read_dataframe(file, columns=[])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise BadInput(f"{file}: cannot be read as polygons of change: {one_line(error)}") from error
    if frame.crs is None:
        raise BadInput(f"{file}: has no coordinate system; save it with one")
    shapes = frame.to_crs(crs).geometry.to_numpy()
    return np.asarray(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))], dtype=object)


def _tiles(width: int, height: int) -> Iterator[Window]:
    for row in range(0, height, TILE):
        for column in range(0, width, TILE):
            yield Window(column, row, min(TILE, width - column), min(TILE, height - row))


def _burnt(shapes: NDArray[np.object_], window: Window, transform: Any) -> Bytes:
    here = rasterio.windows.transform(window, transform)
    size = (int(window.height), int(window.width))
    if not len(shapes):
        return np.full(size, UNCHANGED, dtype=np.uint8)
    burnt = rasterio.features.rasterize(
        [(shape, CHANGED) for shape in shapes], out_shape=size, transform=here, fill=UNCHANGED, dtype="uint8"
    )
    return np.asarray(burnt)
