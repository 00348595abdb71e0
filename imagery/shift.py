"""A smooth displacement of the later scene, and the later scene resampled by it, window by window.

Every pixel of the outcome is computed from its own coordinates in the grid, element by element and in one
order, so that it is the same bit for bit whatever window it was asked for in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from imagery.scene import Observation

Float = NDArray[np.float32]
Codes = NDArray[np.uint8]
Nodes = NDArray[np.float64]
Read = Callable[[Window], tuple[Float, Codes]]
Taps = list[tuple[int, Float | np.float32]]
"""Offset in pixels from the pixel itself, and the weight there: of every pixel, or one for all."""

REACH = 2
"""Pixels that Keys' kernel looks to either side."""
TILE_ROWS, TILE_COLUMNS = 64, 512
"""Pixels worked on at once: what a pass needs of three bands stays in a core's cache of 1 MiB."""


@dataclass(frozen=True, eq=False)
class ShiftField:
    """Where the later scene's pixels lie: `after` at (x + dx, y + dy) shows what `before` shows at (x, y).

    `dx`, `dy`: pixels at nodes (rows, columns) that lie `spacing` pixels apart, the first on pixel (0, 0) and
    the last on or beyond the grid's last pixel; bilinear in between, constant beyond.
    """

    dx: Nodes
    dy: Nodes
    spacing: int

    @classmethod
    def over(
        cls, width: int, height: int, spacing: int, at: Callable[[Nodes, Nodes], tuple[Nodes, Nodes]]
    ) -> "ShiftField":
        """The field of a grid whose nodes have the displacement that `at(x, y)` says."""
        columns, rows = (2 + (size - 1) // spacing for size in (width, height))
        x, y = np.meshgrid(spacing * np.arange(columns, dtype=float), spacing * np.arange(rows, dtype=float))
        return cls(*at(x, y), spacing)

    @property
    def margin(self) -> int:
        """Pixels of context that resampling needs on every side."""
        return math.ceil(float(max(np.abs(self.dx).max(), np.abs(self.dy).max()))) + REACH

    @property
    def uniform(self) -> tuple[float, float] | None:
        """The displacement of every pixel when it is one."""
        if np.ptp(self.dx) or np.ptp(self.dy):
            return None
        return float(self.dx[0, 0]), float(self.dy[0, 0])

    def at(self, x: Nodes, y: Nodes) -> tuple[Nodes, Nodes]:
        """Displacement of points anywhere."""
        (column, right), (row, down) = (
            _cell(v, n, self.spacing) for v, n in zip((x, y), self.dx.shape[::-1], strict=True)
        )
        found = []
        for nodes in (self.dx, self.dy):
            upper, lower = (
                (1 - right) * nodes[r, column] + right * nodes[r, column + 1] for r in (row, row + 1)
            )
            found.append((1 - down) * upper + down * lower)
        return found[0], found[1]

    def component(self, nodes: Nodes, first_row: int, first_column: int, rows: int, columns: int) -> Float:
        """One of `dx` and `dy` of a rectangle of pixels, which may reach beyond the grid."""
        row, down = _cell(np.arange(first_row, first_row + rows), nodes.shape[0], self.spacing)
        column, right = _cell(np.arange(first_column, first_column + columns), nodes.shape[1], self.spacing)
        known = nodes[row] + (nodes[row + 1] - nodes[row]) * down[:, None]
        start, slope, part = (
            known.astype(np.float32),
            np.diff(known).astype(np.float32),
            right.astype(np.float32),
        )
        field = np.empty((rows, columns), dtype=np.float32)
        for cell in range(int(column[0]), int(column[-1]) + 1):
            here = slice(*np.searchsorted(column, [cell, cell + 1]))
            np.multiply(slope[:, cell, None], part[here], out=field[:, here])
            field[:, here] += start[:, cell, None]
        return field


def _cell(position: NDArray[np.number], nodes: int, spacing: int) -> tuple[NDArray[np.intp], Nodes]:
    """The cell of the lattice that holds each position, and how far into it the position lies (0 … 1)."""
    scaled = np.asarray(position, dtype=float) / spacing
    cell = np.clip(np.floor(scaled), 0, nodes - 2).astype(np.intp)
    return cell, np.clip(scaled - cell, 0, 1)


def _keys(part: Float) -> list[Float]:
    """Weights of the four pixels around a point that lies `part` of a pixel beyond the second of them.

    Cubic convolution with a = -0.5; exactly 0, 1, 0, 0 on a pixel.
    """
    half = np.float32(0.5) * part
    square = part * half
    before = square * (np.float32(2) - part) - half
    beyond = square * (part - np.float32(1))
    next_ = half + square * (np.float32(4) - np.float32(3) * part)
    return [before, np.float32(1) - (before + next_ + beyond), next_, beyond]


def _taps(shift: Float) -> Taps:
    """Offsets and weights that together resample pixels displaced by `shift`, in one order of offsets."""
    whole = np.floor(shift)
    weights = _keys(shift - whole)
    first, last = int(whole.min()), int(whole.max())
    if first == last:
        return [(first - 1 + i, weight) for i, weight in enumerate(weights)]
    spread: Taps = []
    for offset in range(first - 1, last + REACH + 1):
        # A pixel meets its own four weights in the same order as it would alone; the rest add nothing.
        parts = [weights[i] * (whole == offset - i + 1) for i in range(4) if first <= offset - i + 1 <= last]
        spread.append((offset, np.add.reduce(parts)))
    return spread


def _uniform_taps(shift: float) -> Taps:
    taps = _taps(np.array([shift], dtype=np.float32))
    single = [(offset, np.asarray(weight)[0]) for offset, weight in taps]
    return [(offset, weight) for offset, weight in single if weight != 0]


def _cut(values: NDArray[Any], axis: int, start: int, size: int) -> NDArray[Any]:
    return values[..., start : start + size] if axis == -1 else values[..., start : start + size, :]


def _combined(values: Float, axis: int, start: int, size: int, taps: Taps) -> Float:
    """Weighted sum of slices: place i along `axis` of the outcome gathers around place `start` + i."""
    (offset, weight), *rest = taps
    total = _cut(values, axis, start + offset, size) * weight
    part = np.empty_like(total)
    for offset, weight in rest:
        np.multiply(_cut(values, axis, start + offset, size), weight, out=part)
        total += part
    return np.asarray(total)


def _worst(codes: Codes, axis: int, start: int, size: int, taps: Taps) -> Codes:
    """The largest code among places that weigh anything."""
    worst = [_cut(codes, axis, start + offset, size) * (weight != 0) for offset, weight in taps]
    return np.asarray(np.maximum.reduce(worst))


def _in_context(window: Window, margin: int, grid_size: tuple[int, int], read: Read) -> tuple[Float, Codes]:
    """A window and `margin` pixels around it; beyond the grid 0 and OUTSIDE."""
    left, top = window.col_off - margin, window.row_off - margin
    right, bottom = left + window.width + 2 * margin, top + window.height + 2 * margin
    inside = Window(
        max(0, left),
        max(0, top),
        min(grid_size[0], right) - max(0, left),
        min(grid_size[1], bottom) - max(0, top),
    )
    values, codes = read(inside)
    if (inside.width, inside.height) == (right - left, bottom - top):
        return values, codes
    before = inside.row_off - top, inside.col_off - left
    around = [
        (b, n - b - m) for b, n, m in zip(before, (bottom - top, right - left), codes.shape, strict=True)
    ]
    return np.pad(values, [(0, 0), *around]), np.pad(codes, around, constant_values=Observation.OUTSIDE)


def moved(
    field: ShiftField, window: Window, grid_size: tuple[int, int], read: Read, hide_unseen: bool = True
) -> tuple[Float, Codes]:
    """The later scene as if it had been taken where the earlier was: values (bands, rows, columns) and codes.

    `grid_size`: (width, height). `read` gives values and codes of any window inside the grid. A pixel is
    observed when all that it was computed from was; else it has the largest of their codes, and with
    `hide_unseen` the value 0. Where the displacement is whole, values are copies.
    """
    margin = field.margin
    values, codes = _in_context(window, margin, grid_size, read)
    found = np.empty((len(values), window.height, window.width), dtype=np.float32)
    reasons = np.zeros(found.shape[1:], dtype=np.uint8)
    for row in range(0, window.height, TILE_ROWS):
        for column in range(0, window.width, TILE_COLUMNS):
            rows, columns = min(TILE_ROWS, window.height - row), min(TILE_COLUMNS, window.width - column)
            across, down, first, count = _tile_taps(
                field, window.row_off + row, window.col_off + column, rows, columns
            )
            # The rows that the second pass needs, and the columns that the first does.
            source = (
                slice(margin + row + first, margin + row + first + count),
                slice(column, column + columns + 2 * margin),
            )
            place = slice(row, row + rows), slice(column, column + columns)
            between = _combined(values[:, *source], -1, margin, columns, across)
            found[:, *place] = _combined(between, -2, -first, rows, down)
            if codes[source].any():
                between_codes = _worst(codes[source], -1, margin, columns, across)
                reasons[place] = _worst(between_codes, -2, -first, rows, down)
    if hide_unseen and reasons.any():
        found[:, reasons != Observation.OBSERVED] = 0
    return found, reasons


def _tile_taps(
    field: ShiftField, top: int, left: int, rows: int, columns: int
) -> tuple[Taps, Taps, int, int]:
    """Taps along the columns and along the rows; the first row of the first pass from `top`, and its rows."""
    if field.uniform:
        across, down = (_uniform_taps(shift) for shift in field.uniform)
    else:
        down = _taps(field.component(field.dy, top, left, rows, columns))
    first, count = down[0][0], rows + down[-1][0] - down[0][0]
    if not field.uniform:
        # A row of the first pass serves pixels about this far above it: theirs is the displacement it takes.
        lean = round(float(field.dy.mean()))
        across = _taps(field.component(field.dx, top + first - lean, left, count, columns))
    return across, down, first, count
