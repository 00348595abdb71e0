"""Masks of any size as runs of pixels along rows: memory and time follow the borders, not the area.

A pixel's position is row × stride + column; the stride is two more than the width, so that runs of two rows never
touch. A mask is then one sorted set of disjoint, half-open intervals, and every operation on it is a sort.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Wanted = Callable[[NDArray[np.int32]], NDArray[np.bool_]]
NO_POSITIONS: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Runs:
    """Runs [start, stop) of positions, sorted, disjoint, never touching each other."""

    starts: Ints
    stops: Ints
    stride: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Ints:
        """Pixels in each run."""
        return self.stops - self.starts

    @property
    def rows(self) -> Ints:
        """The row of each run."""
        return self.starts // self.stride

    @property
    def columns(self) -> tuple[Ints, Ints]:
        """The first column of each run, and the one behind its last."""
        at = self.rows * self.stride
        return self.starts - at, self.stops - at

    def only(self, keep: NDArray[np.bool_]) -> "Runs":
        """The runs chosen by a mask over them."""
        return Runs(self.starts[keep], self.stops[keep], self.stride)

    def between(self, first_row: int, last_row: int) -> slice:
        """Which runs lie in the rows from `first_row` to before `last_row`."""
        ends = np.searchsorted(self.starts, (first_row * self.stride, last_row * self.stride))
        return slice(int(ends[0]), int(ends[1]))

    def down(self, rows: int) -> "Runs":
        """The same, so many rows further down; up where negative. Rows may be below 0."""
        return Runs(self.starts + rows * self.stride, self.stops + rows * self.stride, self.stride)

    def wider(self, before: int, after: int) -> "Runs":
        """Every run longer by so many pixels before and after it; runs that meet become one."""
        return _where(
            [self.starts - before, self.stops + after], [1, -1], lambda covered: covered > 0, self.stride
        )

    def inside(self, other: "Runs") -> Ints:
        """Which run of `other` holds each of these; each must lie within one."""
        return np.searchsorted(other.starts, self.starts, side="right") - 1

    def __and__(self, other: "Runs") -> "Runs":
        both = [self.starts, self.stops, other.starts, other.stops]
        return _where(both, [1, -1, 1, -1], lambda covered: covered == 2, self.stride)

    def __or__(self, other: "Runs") -> "Runs":
        both = [self.starts, self.stops, other.starts, other.stops]
        return _where(both, [1, -1, 1, -1], lambda covered: covered > 0, self.stride)

    def __sub__(self, other: "Runs") -> "Runs":
        both = [self.starts, self.stops, other.starts, other.stops]
        return _where(both, [1, -1, -2, 2], lambda covered: covered == 1, self.stride)

    def shrunk(self, side: int) -> "Runs":
        """Top left corners of the squares of `side` pixels that lie inside (erosion)."""
        long = self.lengths >= side
        found, height = Runs(self.starts[long], self.stops[long] - (side - 1), self.stride), 1
        while height < side:
            step = min(height, side - height)
            found, height = found & found.down(-step), height + step
        return found

    def grown(self, side: int) -> "Runs":
        """Squares of `side` pixels set on every pixel as their top left corner (dilation)."""
        found, height = self, 1
        while height < side:
            step = min(height, side - height)
            found, height = found | found.down(step), height + step
        return found.wider(0, side - 1)


def none(stride: int) -> Runs:
    """No pixel at all."""
    return Runs(NO_POSITIONS, NO_POSITIONS, stride)


def runs_of(mask: NDArray[np.bool_], first_row: int = 0) -> Runs:
    """The runs of a mask (rows, columns) whose first row is row `first_row` of the whole."""
    rows, columns = mask.shape
    padded = np.zeros((rows, columns + 2), dtype=bool)
    padded[:, 1:-1] = mask
    flat = padded.ravel()
    # A step between padded positions i and i + 1 is a border before the pixel at position i.
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + first_row * (columns + 2)
    return Runs(edges[0::2], edges[1::2], columns + 2)


def painted(runs: Runs, first_row: int, rows: int) -> NDArray[np.bool_]:
    """The mask of `rows` rows from `first_row` on."""
    columns = runs.stride - 2
    part = runs.between(first_row, first_row + rows)
    offset = first_row * runs.stride
    steps = np.zeros(rows * runs.stride + 1, dtype=np.int8)
    steps[runs.starts[part] - offset] += 1
    steps[runs.stops[part] - offset] -= 1
    covered = np.cumsum(steps[:-1], dtype=np.int8).reshape(rows, runs.stride)
    return np.asarray(covered[:, :columns] > 0)


def _where(positions: list[Ints], steps: list[int], wanted: Wanted, stride: int) -> Runs:
    """Where the running total of steps is as wanted."""
    at = np.concatenate(positions)
    step = np.repeat(np.array(steps, dtype=np.int8), [len(part) for part in positions])
    # Each part is sorted already: a merge sort has little to do.
    order = np.argsort(at, kind="stable")
    at, covered = at[order], np.cumsum(step[order], dtype=np.int32)
    last = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, dtype=bool)
    at, inside = at[last], wanted(covered[last])
    before = np.concatenate(([False], inside[:-1])) if len(inside) else inside
    return Runs(at[inside & ~before], at[~inside & before], stride)


def neighbors(runs: Runs, others: Runs, rows_up: int = 1) -> tuple[Ints, Ints]:
    """Pairs (run, other) where a run lies over or under another `rows_up` rows above it, sharing a column."""
    up = rows_up * runs.stride
    low = np.searchsorted(others.stops, runs.starts - up, side="right")
    high = np.searchsorted(others.starts, runs.stops - up, side="left")
    count = high - low
    run = np.repeat(np.arange(len(runs)), count)
    first = np.repeat(np.cumsum(count) - count, count)
    return run, np.arange(len(run)) - first + np.repeat(low, count)


def label(runs: Runs) -> tuple[NDArray[np.int32], int]:
    """The group of each run, from 0 in reading order, and how many there are; pixels meet at edges."""
    return joined(*neighbors(runs, runs), len(runs))


def joined(one: NDArray[Any], other: NDArray[Any], size: int) -> tuple[NDArray[np.int32], int]:
    """Elements 0 to `size` − 1 in groups that pairs join: the group of each, and how many there are."""
    if not size:
        return np.zeros(0, dtype=np.int32), 0
    graph = scipy.sparse.coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(size, size))
    count, labels = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(labels), int(count)


def totals(values: NDArray[np.uint8], runs: Runs, first_row: int) -> Ints:
    """The sum of `values` (rows, columns), whose first row is `first_row`, over each of the runs in them."""
    if not len(runs):
        return NO_POSITIONS
    offset = first_row * values.shape[1]
    rows, (start, stop) = runs.rows, runs.columns
    ends = np.stack((rows * values.shape[1] + start - offset, rows * values.shape[1] + stop - offset), axis=1)
    flat = ends.ravel()
    # The last run may end behind the last value, where nothing can be asked for.
    if flat[-1] == values.size:
        flat = flat[:-1]
    return np.add.reduceat(values.ravel(), flat, dtype=np.int64)[0::2]
