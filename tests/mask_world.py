"""Masks as arrays for tests: what the engine does with runs, asked for and answered pixel by pixel."""

from typing import Any

import numpy as np

from detection import linear, rings
from detection.components import find
from detection.polygons import Parts, apart, levels
from detection.runs import painted, runs_of
from imagery.scene import Grid


def change_mask(
    probability: Any, threshold: float, smallest_px: int, rows: int = 1000, grow: float | None = None
) -> Any:
    """Pixels of change in a map that is read `rows` rows at a time."""
    height, width = probability.shape
    strips = ((first, probability[first : first + rows]) for first in range(0, height, rows))
    return painted(find(strips, width, height, levels(threshold, grow), smallest_px).change, 0, height)


def linear_part(mask: Any, strong: Any, gsd_m: float, smallest_px: int) -> Any:
    """Pixels of long narrow parts."""
    found = linear.linear_part(runs_of(mask), runs_of(strong), gsd_m, smallest_px)
    return painted(found, 0, len(mask))


def parts_of(mask: Any, lines: Any = None) -> Parts:
    """Connected parts of a mask, lines apart."""
    return apart(runs_of(mask), runs_of(np.zeros_like(mask) if lines is None else lines))


def trace(parts: Parts, grid: Grid) -> Any:
    """Polygons on cell edges."""
    return rings.trace(parts.runs, parts.labels, len(parts.is_linear), grid.transform)
