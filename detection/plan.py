"""The plan of a run: which windows, in which order, how many at once, in how much memory."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ground.errors import BadInput
from imagery.blocks import REMEMBERED_BYTES
from imagery.raster import BLOCK
from imagery.scene import Grid
from imagery.tiling import PaddedWindow, padded

BASE_BYTES = 500 << 20
"""What the program takes before it has read a pixel: libraries, weights, the sample."""
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Handles:
    """What a user may ask of the engine; None leaves it to the plan."""

    window: int | None = None
    """Pixels along a window."""
    workers: int | None = None
    """Windows looked at at once."""
    max_memory: int | None = None
    """Bytes that the run may take."""
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a detector wants of windows."""

    window: int
    """Pixels along a window, unless somebody asks for others."""
    margin: int
    step: int
    """Windows begin at multiples of this, so that what the detector averages is the same in all of them."""
    bytes_per_pixel: int
    """Working memory of a padded window's pixel."""
    alone: bool
    """It uses every core by itself: one window at a time."""


@dataclass(frozen=True)
class Plan:
    """Windows of a grid. Nothing in it but the number of workers depends on the machine."""

    grid: Grid
    window: int
    margin: int
    workers: int
    lane: int
    """Windows side by side, before the next row begins: what is read for one row is still there for the next."""

    @property
    def count(self) -> int:
        """How many windows."""
        return math.ceil(self.grid.width / self.window) * math.ceil(self.grid.height / self.window)

    def windows(self) -> Iterator[PaddedWindow]:
        """Lane by lane, each from top to bottom, each row from left to right."""
        wide = self.lane * self.window
        for begin in range(0, self.grid.width, wide):
            for row in range(0, self.grid.height, self.window):
                for column in range(begin, min(begin + wide, self.grid.width), self.window):
                    yield padded(self.grid.width, self.grid.height, column, row, self.window, self.margin)


def plan(grid: Grid, needs: Needs, handles: Handles, file_bytes_per_pixel: int) -> Plan:
    """The windows to look at.

    Raises:
        BadInput: a handle that cannot be; memory that does not reach.
    """
    _check(handles)
    window = in_step(handles.window or needs.window, needs.step)
    workers = handles.workers or (1 if needs.alone else os.cpu_count() or 1)
    most = handles.max_memory
    while most is not None and memory_bytes(needs, window, workers) > most:
        if workers > 1:
            workers -= 1
        elif handles.window is None and window > max(BLOCK, needs.step):
            window = in_step(window // 2, needs.step)
        else:
            raise _too_little(needs, window, most)
    made = Plan(grid, window, needs.margin, workers, 1)
    return replace(made, lane=_lane(made, file_bytes_per_pixel))


def in_step(window: int, step: int) -> int:
    """The window, or the nearest smaller one that keeps step with blocks and detector."""
    both = math.lcm(BLOCK, step)
    unit = both if both <= window else step
    return max(1, window // unit) * unit


def memory_bytes(needs: Needs, window: int, workers: int) -> int:
    """What a run takes: an estimate from above, by measured bytes a pixel."""
    side = window + 2 * needs.margin
    reading = 1 + workers
    return (
        BASE_BYTES + 2 * REMEMBERED_BYTES + workers * side**2 * needs.bytes_per_pixel + reading * side**2 * 24
    )


def _lane(plan: Plan, file_bytes_per_pixel: int) -> int:
    """Windows whose rows of blocks, with those that the next row needs again, are remembered together."""
    rows = (math.ceil((plan.window + 2 * plan.margin) / BLOCK) + 1) * BLOCK
    return max(1, REMEMBERED_BYTES // (rows * file_bytes_per_pixel) // plan.window)


def _check(handles: Handles) -> None:
    if handles.window is not None and (handles.window < BLOCK or handles.window % BLOCK):
        raise BadInput(
            f"--window: {handles.window} is not a multiple of {BLOCK} pixels; write for example 1024"
        )
    if handles.workers is not None and handles.workers < 1:
        raise BadInput(f"--workers: {handles.workers} is not a number of workers; write 1 or more")


def _too_little(needs: Needs, window: int, most: int) -> BadInput:
    least = math.ceil(memory_bytes(needs, window, 1) / MIB)
    return BadInput(
        f"--max-memory: {most // MIB} MiB do not reach for one window of {window} pixels, which takes {least} MiB; "
        "allow more, or take a smaller --window or another --detector"
    )


def bytes_of(text: str | None) -> int | None:
    """Bytes of "2GiB", "1.5 G", "800MiB" or "800" (MiB).

    Raises:
        BadInput: it is none of them.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(M|MB|MiB|G|GB|GiB)?\s*", text, re.IGNORECASE)
    if found is None:
        raise BadInput(
            f"--max-memory: {text!r} is not an amount of memory; write for example 2GiB or 1500MiB"
        )
    unit = 1024 if (found[2] or "M")[0] in "gG" else 1
    return int(float(found[1]) * unit * MIB)
