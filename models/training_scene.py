"""A place to learn from: its picture, its label codes, its other date; and how pictures are read."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
from numpy.typing import NDArray

from ground.errors import BadInput, one_line
from models.siamese import LAND

Bytes = NDArray[np.uint8]

UNKNOWN, OTHER = 0, len(LAND) + 1
"""Codes of a label plane beside 1 … 5 (LAND): not known; known to be no building."""
CODES = {name: code for code, name in enumerate(LAND, 1)} | {"other": OTHER}
UNCHANGED, CHANGED, CHANGE_UNKNOWN = 0, 1, 255
"""Codes of a change plane."""


@dataclass(frozen=True)
class TrainingScene:
    """One place: rows × columns × 3 uint8, its label codes, and its other date.

    Without `change` nothing was built between the dates; with it, its codes say where something was.
    """

    name: str
    image: Bytes
    label: Bytes
    gsd_m: float
    weight: float
    other: Bytes | None = None
    change: Bytes | None = None


def open_image(path: Path) -> Any:
    """A rasterio dataset; pictures without a place are no reason to warn.

    Raises:
        BadInput: unreadable.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            return rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise BadInput(f"{path}: cannot be read as an image: {one_line(error)}") from error


def read_rgb(path: Path) -> Bytes:
    """Rows × columns × 3, uint8.

    Raises:
        BadInput: unreadable, fewer than three bands, or not 8 bits a band.
    """
    with open_image(path) as source:
        return rgb_of(source, path)


def rgb_of(source: Any, path: Path, window: Any = None) -> Bytes:
    """The same of an open dataset, or of a window of it.

    Raises:
        BadInput: fewer than three bands, or not 8 bits a band.
    """
    if source.count < 3 or source.dtypes[0] != "uint8":
        raise BadInput(
            f"{path}: has {source.count} bands of {source.dtypes[0]}; three of uint8 are needed (red, green, blue)"
        )
    return np.ascontiguousarray(source.read([1, 2, 3], window=window).transpose(1, 2, 0), dtype=np.uint8)
