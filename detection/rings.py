"""Polygons on cell edges, traced from labeled runs: every corner is found, paired and walked by sorting alone.

Each ring alternates between vertical and horizontal sides. A side's two corners stand next to each other when all
corners of one label are sorted along the lines, or along the columns; following both pairings walks the rings.
Where two cells of a label meet at a corner only, the walk keeps to the cells that are not of the label: an
enclosed part becomes a hole that touches the outside in a point, which is valid, never a ring that touches itself.
"""

import numpy as np
import scipy.sparse.csgraph
import shapely
from affine import Affine
from numpy.typing import NDArray

from detection.runs import Ints, Runs

LEFT, RIGHT = 0, 1
"""Which end of a run a corner stands at. A left one sorts first where both meet."""


def trace(runs: Runs, labels: NDArray[np.int32], count: int, transform: Affine) -> NDArray[np.object_]:
    """A polygon for each label from 0 to `count` − 1; each label's pixels must meet at edges."""
    if not count:
        return np.empty(0, dtype=object)
    corner = _Corners(runs, labels)
    side = corner.sides()
    ring, order = _cycles(side.following)
    walked = np.empty_like(order)
    walked[order] = np.arange(len(order))
    # A side's two corners, top to bottom along left sides, bottom to top along right ones.
    ends = np.stack((side.first[walked], side.last[walked]), axis=1).ravel()
    columns, lines = corner.columns[ends].astype(float), corner.lines[ends].astype(float)
    rings = np.repeat(ring[walked], 2)
    begins = np.flatnonzero(np.append(True, rings[1:] != rings[:-1]))
    coordinates = np.column_stack(transform @ (columns, lines))
    drawn = shapely.linearrings(coordinates, indices=rings)
    is_hole = _doubled_area(columns, lines, begins) < 0
    owner = corner.labels[ends[begins]]
    in_order = np.lexsort((is_hole, owner))
    return np.asarray(shapely.polygons(drawn[in_order], indices=owner[in_order]), dtype=object)


class _Sides:
    """Vertical sides: their first and last corner in walking order, and the side that follows each."""

    def __init__(self, first: Ints, last: Ints, following: Ints) -> None:
        self.first, self.last, self.following = first, last, following


class _Corners:
    """Where rings turn: label, line (of cell edges), column, and LEFT or RIGHT; sorted in that order but the last."""

    def __init__(self, runs: Runs, labels: NDArray[np.int32]) -> None:
        rows, (start, stop) = runs.rows, runs.columns
        self._stride = runs.stride
        self._height = int(rows[-1]) + 3
        # Each end of a run is a piece of a vertical side, from the line over its row to the one below.
        label = labels.astype(np.int64)
        keys = [
            self._key(label, rows + below, column, end)
            for below in (0, 1)
            for column, end in ((start, LEFT), (stop, RIGHT))
        ]
        found = np.sort(np.concatenate(keys), kind="stable")
        # Twice the same: a side that goes straight on.
        same = found[1:] == found[:-1]
        turns = ~(np.append(same, False) | np.append(False, same))
        found = found[turns]
        self.ends = found % 2
        self.columns = found // 2 % self._stride
        at = found // 2 // self._stride
        self.lines, self.labels = at % self._height, at // self._height

    def _key(self, label: Ints, line: Ints, column: Ints, end: int) -> Ints:
        return ((label * self._height + line) * self._stride + column) * 2 + end

    def sides(self) -> _Sides:
        """The vertical sides, linked through the horizontal ones between them."""
        down = np.lexsort((self.lines, self.columns, self.ends, self.labels))
        upper, lower = down[0::2], down[1::2]
        is_left = self.ends[upper] == LEFT
        first, last = np.where(is_left, upper, lower), np.where(is_left, lower, upper)
        begins_at = np.empty(len(down), dtype=np.int64)
        begins_at[first] = np.arange(len(first))
        # Along a line, corners 0 and 1, 2 and 3 … are the ends of a horizontal side.
        return _Sides(first, last, begins_at[last ^ 1])


def _cycles(following: Ints) -> tuple[Ints, Ints]:
    """The cycle of each element, and its place when all cycles are laid out one behind the other.

    Distances to a cycle's first element by pointer jumping (Wyllie 1979): as many rounds as the longest cycle's
    length has binary digits.
    """
    size = len(following)
    graph = scipy.sparse.csr_array(
        (np.ones(size, dtype=bool), following, np.arange(size + 1)), shape=(size, size)
    )
    count, cycle = scipy.sparse.csgraph.connected_components(graph, directed=False)
    length = np.bincount(cycle, minlength=count)
    first = np.empty(count, dtype=np.int64)
    first[cycle[::-1]] = np.arange(size)[::-1]
    jump, left = following.copy(), np.ones(size, dtype=np.int64)
    jump[first], left[first] = first, 0
    for _ in range(int(length.max()).bit_length()):
        left += left[jump]
        jump = jump[jump]
    place = np.cumsum(length)[cycle] - left
    place[first] = np.cumsum(length) - length
    return cycle.astype(np.int64), place


def _doubled_area(
    columns: NDArray[np.float64], lines: NDArray[np.float64], begins: Ints
) -> NDArray[np.float64]:
    """Twice the signed area of each ring: positive for the outside of a label."""
    ends = np.append(begins[1:], len(columns)) - 1
    following = np.arange(1, len(columns) + 1)
    following[ends] = begins
    cross = columns * lines[following] - columns[following] * lines
    return np.asarray(-np.add.reduceat(cross, begins))
