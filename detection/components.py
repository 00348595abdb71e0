"""Groups of changed pixels, found strip by strip: what is large and sure enough stays, small holes are filled.

Memory follows the borders of what is kept, not the area of the map: a group that ends within a strip and is too
small or too unsure is forgotten there. Which strips the map is read in changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.runs import Ints, Runs, label, neighbors, none, runs_of
from ground.errors import BadInput

MOST_RUNS = 30_000_000
"""Runs kept at most: half a GiB of them. A map with more is noise, and no person could look at its polygons."""

Bytes = NDArray[np.uint8]
Strip = tuple[int, Bytes]
"""First row, and (rows, columns) of the change map's first band."""


@dataclass(frozen=True)
class Levels:
    """Bytes of a change map that decide, and the byte that says unseen (over all of them).

    A group is made of pixels from `grow` on and stays if it has one from `seed` on; `strong` is the midst of change.
    """

    grow: int
    seed: int
    strong: int
    unseen: int


@dataclass(frozen=True)
class Found:
    """Pixels of change, holes filled; and those of them where it is strongest."""

    change: Runs
    strong: Runs


class _Gathering:
    """Runs of strips, those already decided against left out."""

    def __init__(self, stride: int) -> None:
        self.parts = {name: [none(stride)] for name in ("grow", "seed", "strong", "unseen")}
        self._stride = stride
        self._kept = 0

    def add(self, name: str, runs: Runs) -> None:
        self.parts[name].append(runs)
        self._kept += len(runs)
        if self._kept > MOST_RUNS:
            raise BadInput(
                f"change map: more than {MOST_RUNS:,} runs of pixels are change or unseen, as in noise; "
                "raise --threshold or --min-area, or take another --detector"
            )

    def whole(self, name: str) -> Runs:
        parts = self.parts.pop(name)
        starts, stops = (
            np.concatenate([getattr(part, end) for part in parts]) for end in ("starts", "stops")
        )
        return Runs(starts, stops, self._stride)


def find(strips: Iterator[Strip], width: int, height: int, levels: Levels, smallest_px: int) -> Found:
    """Groups of `smallest_px` pixels and more with their small holes filled; pixels meet at edges, not at corners.

    A hole is a group of fewer than `smallest_px` seen pixels beside change. What was not seen joins no group, and
    is not filled.
    """
    gathering = _Gathering(width + 2)
    for first_row, values in strips:
        _take_in(gathering, first_row, values, levels, smallest_px, height)
    grow, seed, strong, unseen = (gathering.whole(name) for name in ("grow", "seed", "strong", "unseen"))
    labels, count = label(grow)
    keep = _large_and_sure(grow, labels, count, seed, smallest_px)[labels]
    change = grow.only(keep)
    strong = strong.only(keep[strong.inside(grow)])
    return Found(change | _holes(change, unseen, width, height, smallest_px), strong)


def _take_in(
    gathering: _Gathering, first_row: int, values: Bytes, levels: Levels, smallest_px: int, height: int
) -> None:
    """The runs of one strip whose groups are still undecided, or to be kept."""
    # Both comparisons in one: bytes below wrap around.
    reached = {
        level: runs_of((values - np.uint8(level)) < np.uint8(levels.unseen - level), first_row)
        for level in {levels.grow, levels.seed, levels.strong}
    }
    grow, seed, strong = (reached[level] for level in (levels.grow, levels.seed, levels.strong))
    gathering.add("unseen", runs_of(values >= levels.unseen, first_row))
    labels, count = label(grow)
    keep = _large_and_sure(grow, labels, count, seed, smallest_px)
    last_row = first_row + len(values)
    # What reaches the strip above or below may be part of something larger.
    if first_row > 0:
        keep[labels[grow.between(first_row, first_row + 1)]] = True
    if last_row < height:
        keep[labels[grow.between(last_row - 1, last_row)]] = True
    kept = keep[labels]
    gathering.add("grow", grow.only(kept))
    for name, part in (("seed", seed), ("strong", strong)):
        gathering.add(name, part.only(kept[part.inside(grow)]))


def _large_and_sure(
    grow: Runs, labels: NDArray[np.int32], count: int, seed: Runs, smallest_px: int
) -> NDArray[np.bool_]:
    """Which groups are kept."""
    sure = np.zeros(count, dtype=bool)
    sure[labels[seed.inside(grow)]] = True
    return (sizes(grow, labels, count) >= smallest_px) & sure


def sizes(runs: Runs, labels: NDArray[np.int32], count: int) -> Ints:
    """Pixels in each group."""
    # Sums of whole numbers below 2⁵³ are exact.
    return np.bincount(labels, runs.lengths, minlength=count).astype(np.int64)


def _holes(change: Runs, unseen: Runs, width: int, height: int, smallest_px: int) -> Runs:
    rows = np.arange(height, dtype=np.int64) * change.stride
    rest = Runs(rows, rows + width, change.stride) - change - unseen
    # Most of the rest is background far longer than any hole; it only says what is no hole.
    short = rest.lengths < smallest_px
    small, long = rest.only(short), rest.only(~short)
    labels, count = label(small)
    hole = sizes(small, labels, count) < smallest_px
    for rows_up in (1, -1):
        hole[labels[neighbors(small, long, rows_up)[0]]] = False
    beside = np.zeros(count, dtype=bool)
    for rows_up in (1, -1, 0):
        # A run of the rest ends where change begins, if nothing unseen lies between.
        here = small if rows_up else Runs(small.starts - 1, small.stops + 1, small.stride)
        beside[labels[neighbors(here, change, rows_up)[0]]] = True
    return small.only((hole & beside)[labels])
