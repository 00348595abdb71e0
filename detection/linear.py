"""Roads told from the fields beside them: long narrow parts of a change become changes of their own.

A new road and a mown meadow may touch and would be traced as one polygon, which no permit could explain.
What a square wider than a road cannot enter (morphological opening) and is many times longer than wide is
taken off as linear.
"""

import numpy as np
from numpy.typing import NDArray

from detection.components import sizes
from detection.runs import Runs, label

WIDEST_M = 12.0
"""A two-lane road with its shoulders."""
WIDEST_PX = 4
"""The narrowest thing seen whole: a line blurred over its neighbors."""
TIMES_LONGER = 8
"""A line's extent, in widest widths."""


def widest_px(gsd_m: float) -> int:
    """Pixels across which a change may be and still be called linear."""
    return max(WIDEST_PX, round(WIDEST_M / gsd_m))


def linear_part(change: Runs, strong: Runs, gsd_m: float, smallest_px: int) -> Runs:
    """The pixels of `change` that belong to long narrow parts of it, or of its `strong` part.

    A road stands out from the change around it only where change is strongest; there it is found, and then
    given back the pixel on either side that its edge is blurred over. What taking the lines off would leave
    under `smallest_px` pixels goes with them.
    """
    across = widest_px(gsd_m)
    labels, count = label(change)
    # A line is no longer than the group that it is part of: most groups need no second look.
    long = _is_long(change, labels, count, across)[labels]
    strong = strong.only(long[strong.inside(change)])
    change = change.only(long)
    narrow = _narrow(strong, across)
    beside = narrow.wider(1, 1) | narrow.down(1) | narrow.down(-1)
    lines = _narrow(change, across) | ((beside & change) - (strong - narrow))
    rest = change - lines
    left, left_count = label(rest)
    small = (sizes(rest, left, left_count) < smallest_px)[left]
    whole, whole_count = label(change)
    touched = np.zeros(whole_count, dtype=bool)
    touched[whole[lines.inside(change)]] = True
    return lines | rest.only(small & touched[whole[rest.inside(change)]])


def _narrow(runs: Runs, across: int) -> Runs:
    """Parts that a square of `across` + 1 pixels cannot enter and that are many times as long."""
    side = across + 1
    narrow = runs - runs.shrunk(side).grown(side)
    labels, count = label(narrow)
    return narrow.only(_is_long(narrow, labels, count, across)[labels])


def _is_long(runs: Runs, labels: NDArray[np.int32], count: int, across: int) -> NDArray[np.bool_]:
    """Which groups' boxes have a diagonal of `TIMES_LONGER` widths or more."""
    if not count:
        return np.zeros(0, dtype=bool)
    order = np.argsort(labels, kind="stable")
    begins = np.searchsorted(labels[order], np.arange(count))
    rows, (start, stop) = runs.rows[order], runs.columns
    high = np.maximum.reduceat(rows, begins) + 1 - np.minimum.reduceat(rows, begins)
    wide = np.maximum.reduceat(stop[order], begins) - np.minimum.reduceat(start[order], begins)
    return np.asarray(np.hypot(high, wide) >= TIMES_LONGER * across)
