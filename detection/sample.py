"""A systematic sample of a pair's observed pixels: what a detector learns a scene's statistics from.

Pixels are chosen by their place in the grid, every n-th row and column, and kept in the grid's order, so
the sample, and all that follows from it, does not depend on the windows it was read in.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.reader import Block
from imagery.tiling import PaddedWindow

MOST_PIXELS = 1 << 20
"""Pixels kept at most: four bands of two dates at 4 bytes make 32 MiB."""

Prepare = Callable[[Block], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Sample:
    """`before` and `after`: (bands, pixels), float32, observed on both dates. `step`: every n-th pixel."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    step: int


def sample_step(width: int, height: int, most: int = MOST_PIXELS) -> int:
    """The smallest step that keeps at most `most` pixels."""
    step = max(1, math.isqrt(width * height // most))
    while -(-width // step) * -(-height // step) > most:
        step += 1
    return step


def draw(
    blocks: Iterator[tuple[PaddedWindow, Block]], width: int, height: int, bands: int, prepare: Prepare
) -> Sample:
    """The sample of blocks that cover a grid of width × height once."""
    step = sample_step(width, height)
    rows, columns = -(-height // step), -(-width // step)
    values = np.zeros((2 * bands, rows, columns), dtype=np.float32)
    observed = np.zeros((rows, columns), dtype=bool)
    for padded, block in blocks:
        inner = padded.inner
        r0, c0 = -(-inner.row_off // step), -(-inner.col_off // step)
        first_row, first_column = (r0 * step - padded.outer.row_off, c0 * step - padded.outer.col_off)
        last_row = inner.row_off + inner.height - padded.outer.row_off
        last_column = inner.col_off + inner.width - padded.outer.col_off
        take = (slice(first_row, last_row, step), slice(first_column, last_column, step))
        seen = block.observation[take] == 0
        here = (slice(r0, r0 + seen.shape[0]), slice(c0, c0 + seen.shape[1]))
        before, after = prepare(block)
        values[:bands, *here], values[bands:, *here] = before[:, *take], after[:, *take]
        observed[here] = seen
    return Sample(values[:bands, observed], values[bands:, observed], step)
