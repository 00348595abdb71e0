"""Training data described in TOML, read into memory once: single dates, real pairs unchanged or with labeled change."""

import fnmatch
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rasterio.transform import from_bounds

from ground.errors import BadInput, one_line
from models.training_pairs import folder_pairs, scene_pair
from models.training_scene import CODES, Bytes, TrainingScene, open_image, read_rgb

EARTH_M = 40_075_016.686
TILE_NAME = re.compile(r"(\d+)-(\d+)-(\d+)$")
BYTES_FROM = 256
FINEST_M = 0.2
"""Finer scenes are averaged down to about this: nothing finer is ever drawn from them."""


class TrainingSet(BaseModel):
    """One table of the TOML file; see models/open_data.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    license: str
    images: str | None = None
    """Single dates: files by pattern; with `masks` or `polygons`."""
    pairs: str | None = None
    """Real pairs: a folder with before/, after/ and label/."""
    before: str | None = None
    """Real pair of scenes with `after` and polygons of `changes`."""
    after: str | None = None
    changes: str | None = None
    masks: str | None = None
    polygons: str | None = None
    named_by_tile: bool = False
    other_date: str | None = None
    gsd_m: float | None = Field(default=None, gt=0)
    values: dict[int, str] = Field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    weight: float = Field(default=1.0, gt=0)


def load_sets(file: Path) -> dict[str, TrainingSet]:
    """The tables of a training-data file.

    Raises:
        BadInput: not TOML, an unknown key, a class that does not exist.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        sets = {name: TrainingSet.model_validate(table) for name, table in tables.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadInput(f"{file}: cannot be used as training data: {one_line(error)}") from error
    for name, one in sets.items():
        for meant in one.values.values():
            if meant not in CODES:
                raise BadInput(f"{file}: {name}.values: {meant!r} is no class; use {', '.join(CODES)}")
        _check_kind(one, f"{file}: {name}")
    return sets


def _check_kind(one: TrainingSet, where: str) -> None:
    kinds = [key for key in ("images", "pairs", "before") if getattr(one, key) is not None]
    if len(kinds) != 1:
        raise BadInput(f"{where}: give one of images, pairs, or before with after and changes")
    if kinds == ["before"] and (one.after is None or one.changes is None):
        raise BadInput(f"{where}: before needs after and changes beside it")
    if kinds == ["images"] and (one.masks is None) == (one.polygons is None):
        raise BadInput(f"{where}: give either masks or polygons")


def read_training_scenes(file: Path, root: Path) -> tuple[list[TrainingScene], list[TrainingScene]]:
    """All sets: to learn from, and held out.

    Raises:
        BadInput: a set without images, a label missing or of another size.
    """
    learn: list[TrainingScene] = []
    kept: list[TrainingScene] = []
    for name, one in load_sets(file).items():
        scenes = list(_scenes(file, name, one, root))
        for path, scene in scenes:
            held = any(fnmatch.fnmatch(path.stem, pattern) for pattern in one.held_out)
            (kept if held else learn).append(replace(scene, weight=one.weight / len(scenes)))
    return learn, kept


def _scenes(file: Path, name: str, one: TrainingSet, root: Path) -> Iterator[tuple[Path, TrainingScene]]:
    if one.pairs is not None:
        yield from folder_pairs(root / one.pairs, name, one.gsd_m, one.weight)
    elif one.before is not None and one.after is not None and one.changes is not None:
        yield from scene_pair(root / one.before, root / one.after, root / one.changes, name, one.weight)
    elif one.images is not None:
        paths = sorted(root.glob(one.images))
        if not paths:
            raise BadInput(f"{file}: {name}.images: nothing matches {root / one.images}")
        for path in paths:
            yield path, _read(path, name, one, root)


def _read(path: Path, name: str, one: TrainingSet, root: Path) -> TrainingScene:
    image = read_rgb(path)
    if one.masks is not None:
        label = _coded(_plane(root / one.masks.format(stem=path.stem)), one)
        gsd_m = one.gsd_m
    else:
        label, gsd_m = _drawn(path, image.shape[:2], one, root)
    if label.shape != image.shape[:2]:
        raise BadInput(
            f"{path}: its label has {label.shape} pixels, the image {image.shape[:2]}; mend the label"
        )
    if gsd_m is None:
        raise BadInput(f"{path}: set {name} needs gsd_m, or tile names that tell it")
    other = read_rgb(root / one.other_date.format(stem=path.stem)) if one.other_date else None
    factor = int(FINEST_M / gsd_m) or 1
    if factor > 1:
        image, label, gsd_m = (
            _averaged(image, factor),
            label[factor // 2 :: factor, factor // 2 :: factor],
            gsd_m * factor,
        )
        label = label[: image.shape[0], : image.shape[1]]
    return TrainingScene(f"{name}/{path.stem}", image, label, gsd_m, one.weight, other)


def _averaged(image: Bytes, factor: int) -> Bytes:
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, -1)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), dtype=np.uint8)


def _plane(path: Path) -> NDArray[Any]:
    with open_image(path) as source:
        return np.asarray(source.read(1))


def _coded(plane: NDArray[Any], one: TrainingSet) -> Bytes:
    table = np.zeros(BYTES_FROM, dtype=np.uint8)
    for value, meant in one.values.items():
        table[value] = CODES[meant]
    return table[plane.astype(np.uint8)]


def _drawn(path: Path, shape: tuple[int, int], one: TrainingSet, root: Path) -> tuple[Bytes, float]:
    """Label from polygons; the tile's place from its name x-y-z (Web Mercator), or from the file itself."""
    found = TILE_NAME.search(path.stem)
    if not (one.named_by_tile and found):
        raise BadInput(f"{path}: polygons need tile names x-y-z (named_by_tile) to know where the image lies")
    x, y, z = (int(part) for part in found.groups())
    side = EARTH_M / 2**z
    west, north = x * side - EARTH_M / 2, EARTH_M / 2 - y * side
    shapes = _polygons_near(one, root, (west, north - side, west + side, north))
    transform = from_bounds(west, north - side, west + side, north, shape[1], shape[0])
    burnt = (
        rasterio.features.rasterize(
            [(s, 1) for s in shapes], out_shape=shape, transform=transform, dtype="uint8"
        )
        if len(shapes)
        else np.zeros(shape, dtype=np.uint8)
    )
    latitude = math.atan(math.sinh(2 * math.pi * (north - side / 2) / EARTH_M))
    return _coded(np.asarray(burnt), one), side / shape[1] * math.cos(latitude)


def _polygons_near(one: TrainingSet, root: Path, bounds: tuple[float, float, float, float]) -> list[Any]:
    assert one.polygons is not None
    box = shapely.box(*bounds)
    files = sorted(root.glob(one.polygons))
    return [shape for file in files for shape in _mercator(file) if shape.intersects(box)]


@lru_cache(maxsize=8)
def _mercator(file: Path) -> tuple[Any, ...]:
    to_mercator = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
    geometry = pyogrio.read_dataframe(file, columns=[]).geometry.to_numpy()
    moved = shapely.transform(geometry, lambda xy: np.column_stack(to_mercator.transform(xy[:, 0], xy[:, 1])))
    return tuple(shape for shape in moved if shape is not None)
