"""How far two scenes lie apart, measured at tie points: the field that puts one on the other, and what is left.

Only displacements are measured that are worth mending, and only a mend that holds on tie points that it was not
made from is applied. Where too few tie points are trusted nothing is known, and the report says so.
"""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from ground.errors import BadInput
from imagery.shift import ShiftField
from imagery.shiftmodel import Lattice, Model, models, rms, robust_sigma
from imagery.tiepoints import TiePoint, binned, tie_points

Values = NDArray[np.float32]
Read = Callable[[Window], tuple[Values, Values, NDArray[np.uint8]]]

BLOCK = 512
MOST_BLOCKS = 64
MOST_POINTS = 576
PATCH, SMALL_PATCH = 128, 64
SMALL_SCENE = 384
"""Pixels along the shorter side below which patches are small, so that there are enough of them."""
LEAST_TRUSTED, LEAST_SHARE = 8, 0.1
LEAST_RMS = 0.2
"""Pixels: nearer than this two scenes already are as near as tie points can tell."""
BETTER = 0.7
"""A mend is applied when it leaves less than this part of the error, on points held out."""
WORTH = 0.85
"""A more flexible model must leave less than this part of what the plainer one leaves."""
EXACT = 0.25
"""Pixels left with which nobody looks for a better measure at a coarser scale."""
SUPPORT_PX, SUPPORT_PART, NEIGHBORS = 2.0, 1e-3, 6
"""A tie point is believed when one of its neighbors is displaced alike: pixels, and parts of their distance."""
CELL_POINTS = 3


@dataclass(frozen=True, eq=False)
class Nodes:
    """What is known in each cell (rows, columns) of `cell_px`: medians of its trusted points, NaN without any.

    `dx`, `dy`: displacement before alignment; `residual`: its length after; all in pixels.
    """

    cell_px: int
    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    residual: NDArray[np.float64]
    trusted: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Alignment:
    """`field`: how to move the later scene, None: not at all. `misaligned`: cells of `nodes` beyond the budget."""

    field: ShiftField | None
    report: dict[str, Any]
    nodes: Nodes
    misaligned: NDArray[np.bool_]

    def misaligned_in(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels (rows, columns) of a window lie in a cell beyond the budget."""
        rows, columns = np.arange(window.height) + window.row_off, np.arange(window.width) + window.col_off
        return self.misaligned[np.ix_(rows // self.nodes.cell_px, columns // self.nodes.cell_px)]


@dataclass(frozen=True, eq=False)
class _Ties:
    """Tie points that were tried (`tried` in number) and those of them that are believed."""

    tried: int
    xy: NDArray[np.float64]
    shifts: NDArray[np.float64]
    binning: int

    @property
    def enough(self) -> bool:
        return len(self.xy) >= max(LEAST_TRUSTED, LEAST_SHARE * self.tried)


@dataclass(frozen=True, eq=False)
class _Solved:
    """The tie points that agree with one another, the model of them, and what it leaves on points held out."""

    ties: _Ties
    xy: NDArray[np.float64]
    shifts: NDArray[np.float64]
    model: Model
    residual: float

    @property
    def doubt(self) -> float:
        """By how much the mean of so many points may be off."""
        return self.residual / math.sqrt(len(self.xy))


def measure(read: Read, grid_width: int, grid_height: int, budget_px: float) -> Alignment:
    """Measures, from blocks spread over the grid, by how much the later scene is displaced.

    `read(window)` gives before and after (bands, rows, columns) and codes (rows, columns; 0 is seen on both).

    Raises:
        BadInput: half the trusted tie points are still farther than `budget_px` from where they belong.
    """
    cell = BLOCK * _blocks_a_cell(grid_width, grid_height)
    lattice = Lattice(grid_width, grid_height)
    most: _Ties | None = None
    best: _Solved | None = None
    # Fine detail is exact, but does not outlast a season as outlines do, and drowns in noise where there is little.
    for binning in (1, 2, 4):
        ties = _ties(read, grid_width, grid_height, cell, binning)
        most = ties if most is None or len(ties.xy) > len(most.xy) else most
        if ties.enough:
            solved = _solved(ties, lattice)
            best = solved if best is None or solved.doubt < WORTH * best.doubt else best
            if best.residual <= EXACT:
                break
    assert most is not None
    return _decided(best, cell, budget_px) if best else _unknown(most, lattice, cell, budget_px)


def _blocks_a_cell(width: int, height: int) -> int:
    """The side in blocks of the cells of which one block each is read."""
    side = 1
    while -(-width // (BLOCK * side)) * -(-height // (BLOCK * side)) > MOST_BLOCKS:
        side += 1
    return side


def _blocks(width: int, height: int, cell: int) -> Iterator[Window]:
    """The block in the middle of every cell, whole where the cell has a whole one."""
    for row in range(0, height, cell):
        for column in range(0, width, cell):
            top, left = (_middle(*place) for place in ((row, height, cell), (column, width, cell)))
            yield Window(left, top, min(BLOCK, width - left), min(BLOCK, height - top))


def _middle(start: int, size: int, cell: int) -> int:
    whole = (min(size, start + cell) - start) // BLOCK
    return start + max(0, (whole - 1) // 2) * BLOCK


def _ties(read: Read, width: int, height: int, cell: int, binning: int) -> _Ties:
    points: list[TiePoint] = []
    small = binning > 2 or min(width, height) < SMALL_SCENE * binning
    blocks = list(_blocks(width, height, cell))
    # Few blocks give more points each, half over one another at most.
    most_a_side = max(3, math.isqrt(MOST_POINTS // max(1, len(blocks))))

    def found(window: Window) -> list[TiePoint]:
        if min(window.width, window.height) < SMALL_PATCH * binning:
            return []
        before, after, codes = read(window)
        if binning > 1:
            (before, _), (after, codes) = (binned(values, codes, binning) for values in (before, after))
        here = tie_points(before, after, codes, SMALL_PATCH if small else PATCH, most_a_side)
        return [_on_grid(point, window, binning) for point in here]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for here in pool.map(found, blocks):
            points.extend(here)
    xy, shifts = (
        np.array([[getattr(point, name) for name in names] for point in points if point.trusted]).reshape(
            -1, 2
        )
        for names in (("x", "y"), ("dx", "dy"))
    )
    kept = _supported(xy, shifts, binning)
    return _Ties(len(points), xy[kept], shifts[kept], binning)


def _on_grid(point: TiePoint, window: Window, binning: int) -> TiePoint:
    x, y = ((v + 0.5) * binning - 0.5 for v in (point.x, point.y))
    place = {"x": window.col_off + x, "y": window.row_off + y}
    return replace(point, **place, dx=point.dx * binning, dy=point.dy * binning)


def _supported(xy: NDArray[np.float64], shifts: NDArray[np.float64], binning: int) -> NDArray[np.bool_]:
    """Points with a neighbor that is displaced like them: chance spreads its peaks, ground does not."""
    if len(xy) < 2:
        return np.zeros(len(xy), dtype=bool)
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    apart = np.hypot(*(shifts[:, None] - shifts[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBORS]
    allowed = SUPPORT_PX * binning + SUPPORT_PART * np.take_along_axis(distance, near, axis=1)
    return np.asarray((np.take_along_axis(apart, near, axis=1) < allowed).any(axis=1))


def _solved(ties: _Ties, lattice: Lattice) -> _Solved:
    """The plainest model that no more flexible one clearly beats on points held out."""
    candidates = models(lattice)
    affine = ties.shifts - candidates[1].fitted(ties.xy, ties.shifts)(ties.xy)
    agree = np.hypot(*affine.T) <= 3 * max(robust_sigma(affine), 0.05)
    xy, shifts = ties.xy[agree], ties.shifts[agree]
    best, least = candidates[0], rms(candidates[0].held_out(xy, shifts))
    for model in (model for model in candidates[1:] if model.least <= len(xy)):
        left = rms(model.held_out(xy, shifts))
        if left < WORTH * least:
            best, least = model, left
    return _Solved(ties, xy, shifts, best, least)


def _decided(solved: _Solved, cell: int, budget_px: float) -> Alignment:
    """The alignment by the best model, or none if that does not help."""
    ties, lattice, model, residual = solved.ties, solved.model.lattice, solved.model, solved.residual
    xy, shifts = solved.xy, solved.shifts
    before = rms(shifts)
    applied = before >= LEAST_RMS and residual < BETTER * before
    left, field = ties.shifts, None
    if applied:
        field = _kept_near(model.field(xy, shifts), xy)
        left = ties.shifts - np.column_stack(field.at(*ties.xy.T))
        why = f"The later scene is moved by a median of {_length(shifts):.2f} px; {residual:.2f} px are left."
    elif before < LEAST_RMS:
        why = f"The scenes lie {before:.2f} px apart, too little to mend."
    else:
        why = f"No smooth displacement explains enough of the {before:.2f} px that the scenes lie apart."
    typical = float(np.median(np.hypot(*left.T)))
    if typical > budget_px:
        raise BadInput(
            f"the two scenes lie {typical:.2f} px apart {'even after' if applied else 'and defy'} alignment, more "
            f"than the {budget_px:g} px allowed; orthorectify or co-register the pair, or pass another pair"
        )
    nodes = _nodes(ties, left, lattice, cell)
    misaligned = (nodes.trusted >= CELL_POINTS) & (np.nan_to_num(nodes.residual) > budget_px)
    report = _report(ties, applied, why, budget_px) | {
        "rms_before_px": _round(before),
        "residual_px": _round(residual if applied else before),
        "model": model.name if applied else None,
    }
    return Alignment(field, report, nodes, misaligned)


def _kept_near(field: ShiftField, xy: NDArray[np.float64]) -> ShiftField:
    """The field nowhere more than a pixel beyond what it is at tie points: far from them it is a guess."""
    known = np.column_stack(field.at(*xy.T))
    (left, top), (right, bottom) = known.min(axis=0) - 1, known.max(axis=0) + 1
    return replace(field, dx=np.clip(field.dx, left, right), dy=np.clip(field.dy, top, bottom))


def _unknown(ties: _Ties, lattice: Lattice, cell: int, budget_px: float) -> Alignment:
    why = (
        f"Alignment is unknown: {len(ties.xy)} of {ties.tried} tie points can be trusted, "
        f"fewer than {LEAST_TRUSTED} or {LEAST_SHARE:.0%}."
    )
    nodes = _nodes(ties, ties.shifts, lattice, cell)
    report = _report(ties, False, why, budget_px) | {
        "rms_before_px": None,
        "residual_px": None,
        "model": None,
    }
    return Alignment(None, report | {"shift_px": None}, nodes, np.zeros(nodes.trusted.shape, dtype=bool))


def _report(ties: _Ties, applied: bool, why: str, budget_px: float) -> dict[str, Any]:
    middle = np.median(ties.shifts, axis=0) if len(ties.shifts) else (0.0, 0.0)
    return {
        "tie_points": {"tried": ties.tried, "trusted": len(ties.xy), "binning": ties.binning},
        "known": ties.enough,
        "shift_px": {"dx": _round(middle[0]), "dy": _round(middle[1])},
        "applied": applied,
        "why": why,
        "budget_px": budget_px,
    }


def _nodes(ties: _Ties, left: NDArray[np.float64], lattice: Lattice, cell: int) -> Nodes:
    shape = -(-lattice.height // cell), -(-lattice.width // cell)
    found = np.full((3, *shape), np.nan)
    trusted = np.zeros(shape, dtype=np.intp)
    column, row = (ties.xy // cell).astype(int).T if len(ties.xy) else np.zeros((2, 0), dtype=int)
    for place in set(zip(row.tolist(), column.tolist(), strict=True)):
        here = (row == place[0]) & (column == place[1])
        trusted[place] = here.sum()
        found[:2, *place] = np.median(ties.shifts[here], axis=0)
        found[2, *place] = np.median(np.hypot(*left[here].T))
    return Nodes(cell, found[0], found[1], found[2], trusted)


def _length(shifts: NDArray[np.float64]) -> float:
    return float(np.median(np.hypot(*shifts.T)))


def _round(pixels: float) -> float:
    # Adding nothing turns -0.0 into 0.0.
    return round(float(pixels), 3) + 0.0
