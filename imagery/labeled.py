"""Labeled pairs in a folder: before/, after/ and label/ with equal file names, PNG, JPEG or GeoTIFF of any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ground.errors import BadInput
from imagery.raster import grid_of, opened

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

PARTS = ("before", "after", "label")
SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg"}
UNKNOWN = 255
"""In a label whose changes are 1: not known. In a label of 0 and 255 alone, 255 is change."""
FEWEST_BANDS = 3


@dataclass(frozen=True)
class LabeledPair:
    """`before`, `after`: bands × rows × columns; `label`: changed; `known`: counts. `gsd_m` None: not said."""

    name: str
    before: Float
    after: Float
    label: Bool
    known: Bool
    gsd_m: float | None


class LabeledPairs(Sequence[LabeledPair]):
    """The pairs of a folder, each read when it is asked for."""

    def __init__(self, folder: Path, gsd_m: float | None = None) -> None:
        self.files, self.gsd_m = _matched(folder), gsd_m

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[LabeledPair]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        return _read(self.files[place], self.gsd_m)


def _matched(folder: Path) -> list[dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for part in PARTS:
        if not (folder / part).is_dir():
            raise BadInput(f"{folder}: has no folder {part}/; three are needed: {', '.join(PARTS)}")
        for file in sorted((folder / part).iterdir()):
            if file.suffix.lower() in SUFFIXES:
                found.setdefault(file.stem, {})[part] = file
    if not found:
        raise BadInput(
            f"{folder}: holds no pairs; put PNG or GeoTIFF files of equal names into {', '.join(PARTS)}"
        )
    for stem, files in found.items():
        missing = [part for part in PARTS if part not in files]
        if missing:
            raise BadInput(
                f"{folder}: {stem} is missing in {' and '.join(missing)}; add it, or take its partners away"
            )
    return [found[stem] for stem in sorted(found)]


def _read(files: dict[str, Path], gsd_m: float | None) -> LabeledPair:
    before, told = _image(files["before"])
    after, _ = _image(files["after"])
    with opened(str(files["label"])) as source:
        plane = source.read(1)
    for part, shape in (("after", after.shape[1:]), ("label", plane.shape)):
        if shape != before.shape[1:]:
            raise BadInput(
                f"{files[part]}: has {shape[1]} × {shape[0]} pixels, {files['before']} "
                f"{before.shape[2]} × {before.shape[1]}; cut them alike"
            )
    if len(before) != len(after):
        raise BadInput(
            f"{files['after']}: has {len(after)} bands, its partner {len(before)}; give both the same"
        )
    label, known = _label(plane, files["label"])
    return LabeledPair(files["before"].stem, before, after, label, known, gsd_m or told)


def _image(path: Path) -> tuple[Float, float | None]:
    with opened(str(path)) as source:
        bands = [k for k in source.indexes if source.colorinterp[k - 1].name != "alpha"]
        if len(bands) < FEWEST_BANDS:
            raise BadInput(f"{path}: has {len(bands)} bands; red, green and blue are needed")
        gsd_m = None
        if source.crs is not None:
            gsd_m = grid_of(source, str(path)).gsd_m
        return source.read(bands).astype(np.float32), gsd_m


def _label(plane: NDArray[Any], path: Path) -> tuple[Bool, Bool]:
    values = set(np.unique(plane).tolist())
    if values <= {0, 1}:
        return plane == 1, np.ones(plane.shape, dtype=bool)
    if values <= {0, UNKNOWN}:
        return plane == UNKNOWN, np.ones(plane.shape, dtype=bool)
    if values <= {0, 1, UNKNOWN}:
        return plane == 1, plane != UNKNOWN
    odd = sorted(values - {0, 1, UNKNOWN})[:5]
    raise BadInput(
        f"{path}: a label is 0 and 1, 0 and 255, or 0, 1 and 255 for unknown; this one holds {odd}; recode it"
    )
