"""A systematic sample of a pair's observed pixels: what a detector learns a scene's statistics from.

Pixels are chosen by their place in the grid, every n-th row and column of blocks spread evenly over it, and kept in
the blocks' order, so the sample, and all that follows from it, does not depend on the windows that come after.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from imagery.raster import BLOCK
from imagery.reader import Block, Values
from imagery.tiling import PaddedWindow, padded

MOST_PIXELS = 1 << 18
"""Pixels kept at most: four bands of two dates at 4 bytes make 8 MiB, and a mean is known to 0.2 % of a spread."""
MOST_BLOCKS = 100
"""Blocks read at most: all of a scene of 26 Mpx, 2 % of a county's at 40,000 pixels a side."""

Float = NDArray[np.float32]
Prepare = Callable[[Block], tuple[Float, Float]]


@dataclass(frozen=True)
class Sample:
    """`before` and `after`: (bands, pixels), float32, observed on both dates. `step`: every n-th pixel."""

    before: Float
    after: Float
    step: int


def sample_blocks(
    width: int, height: int, margin: int, side: int | None = None
) -> tuple[list[PaddedWindow], int]:
    """The blocks of `side` pixels to read, and every which pixel to take of them."""
    side = side or BLOCK
    down, across = -(-height // side), -(-width // side)
    apart = 1
    while -(-down // apart) * -(-across // apart) > MOST_BLOCKS:
        apart += 1
    # From the middle of the first gap on: neither border has more of them.
    rows, columns = (range(apart // 2, count, apart) for count in (down, across))
    places = [padded(width, height, c * side, r * side, side, margin) for r in rows for c in columns]
    if apart == 1:
        return places, sample_step(width, height)
    return places, sample_step(side * len(columns), side * len(rows))


def sample_step(width: int, height: int, most: int | None = None) -> int:
    """The smallest step that keeps at most `most` pixels."""
    most = MOST_PIXELS if most is None else most
    step = max(1, math.isqrt(width * height // most))
    while -(-width // step) * -(-height // step) > most:
        step += 1
    return step


def draw(
    places: Sequence[PaddedWindow],
    read: Callable[[Window], Block],
    step: int,
    bands: int,
    prepare: Prepare,
    told: Callable[[int], None] = lambda _done: None,
) -> tuple[Sample, Sample]:
    """Every `step`-th row and column of the grid, as far as the blocks hold them, read side by side.

    As `prepare` gives it (`bands` of them), and as it is read. `told`: how many blocks are done.
    """

    def taken(place: PaddedWindow) -> list[Values]:
        block = read(place.outer)
        take = _lattice(place, step)
        seen = block.observation[take] == 0
        if not seen.any():
            return [none, none, block.before[:, :0, 0], block.after[:, :0, 0]]
        return [date[:, *take][:, seen] for date in (*prepare(block), block.before, block.after)]

    none = np.zeros((bands, 0), dtype=np.float32)
    parts = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, part in enumerate(pool.map(taken, places), 1):
            parts.append(part)
            told(done)
    dates = [np.concatenate(date, axis=1).astype(np.float32) for date in zip(*parts, strict=True)]
    return Sample(dates[0], dates[1], step), Sample(dates[2], dates[3], step)


def _lattice(place: PaddedWindow, step: int) -> tuple[slice, slice]:
    """Where the grid's `step`-th rows and columns lie in a block's arrays, within its inner part."""
    inner, outer = place.inner, place.outer
    rows, columns = (
        slice(-(-begin // step) * step - origin, begin + size - origin, step)
        for begin, size, origin in (
            (inner.row_off, inner.height, outer.row_off),
            (inner.col_off, inner.width, outer.col_off),
        )
    )
    return rows, columns
