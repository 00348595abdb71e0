"""Roads told from the fields beside them: long narrow parts of a change become changes of their own.

A new road and a mown meadow may touch and would be traced as one polygon, which no permit could explain.
What a square wider than a road cannot enter (morphological opening) and is many times longer than wide is
taken off as linear.
"""

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

WIDEST_M = 12.0
"""A two-lane road with its shoulders."""
WIDEST_PX = 4
"""The narrowest thing seen whole: a line blurred over its neighbors."""
TIMES_LONGER = 8
"""A line's extent, in widest widths."""

Mask = NDArray[np.bool_]


def widest_px(gsd_m: float) -> int:
    """Pixels across which a change may be and still be called linear."""
    return max(WIDEST_PX, round(WIDEST_M / gsd_m))


def linear_part(mask: Mask, strong: Mask, gsd_m: float, smallest_px: int) -> Mask:
    """The pixels of `mask` that belong to long narrow parts of it, or of its `strong` part.

    A road stands out from the change around it only where change is strongest; there it is found, and then
    given back the pixel on either side that its edge is blurred over. What taking the lines off would leave
    under `smallest_px` pixels goes with them.
    """
    across = widest_px(gsd_m)
    narrow = _narrow(strong, across)
    edge = scipy.ndimage.binary_dilation(narrow) & mask & ~(strong & ~narrow)
    lines = _narrow(mask, across) | edge
    if not lines.any():
        return np.asarray(lines)
    rest, count = scipy.ndimage.label(mask & ~lines)
    small = ~at_least(rest, count, smallest_px)
    small[0] = False
    whole, parts = scipy.ndimage.label(mask)
    touched = np.zeros(parts + 1, dtype=bool)
    touched[np.unique(whole[lines])] = True
    touched[0] = False
    return np.asarray(lines | (small[rest] & touched[whole]))


def at_least(labels: NDArray[np.int32], count: int, smallest_px: int) -> Mask:
    """Which of the labels 0 to `count` have `smallest_px` pixels or more; 0, the background, never has."""
    return np.asarray(np.bincount(labels[labels > 0], minlength=count + 1) >= smallest_px) & (
        np.arange(count + 1) > 0
    )


def _narrow(mask: Mask, across: int) -> Mask:
    """Parts of a mask that a square of `across` + 1 pixels cannot enter and that are many times as long."""
    side = across + 1
    solid = mask.astype(np.uint8)
    core = scipy.ndimage.minimum_filter(solid, side, mode="constant")
    wide = scipy.ndimage.maximum_filter(core, side, origin=-1 if side % 2 == 0 else 0, mode="constant")
    labels, count = scipy.ndimage.label(mask & (wide == 0))
    long = np.zeros(count + 1, dtype=bool)
    for number, (rows, columns) in enumerate(scipy.ndimage.find_objects(labels), 1):
        extent = np.hypot(rows.stop - rows.start, columns.stop - columns.start)
        long[number] = extent >= TIMES_LONGER * across
    return np.asarray(long[labels])


def label_parts(mask: Mask, linear: Mask) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Labels from 1 of connected pixels, linear and other ones apart, and whether each label is linear."""
    areal, areal_count = scipy.ndimage.label(mask & ~linear)
    lines, line_count = scipy.ndimage.label(linear)
    labels = np.where(linear, lines + areal_count, areal) * mask
    kinds = np.arange(areal_count + line_count) >= areal_count
    return labels.astype(np.int32), kinds
