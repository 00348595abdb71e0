"""A smooth model of displacements: one shift, an affine map, or an affine map and a lattice, fitted robustly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.shift import ShiftField

Points = NDArray[np.float64]
"""(points, 2): x and y, or dx and dy."""

ROUNDS = 25
TUKEY = 4.685
"""Robust standard deviations beyond which Tukey's biweight ignores a point."""
FINEST = 0.02
"""Pixels: a scatter smaller than this is not told from none, so no point is thrown out for it."""
LEVEL = np.diag([1e-9, 1e-2, 1e-2])
"""What the terms of an affine map cost: next to nothing, and enough where all tie points lie on a line."""
AFFINE_POINTS, LATTICE_POINTS = 12, 40
LATTICE_CELLS = 12
"""Cells of the lattice along the longer side, at most: what is left after the affine map is slow."""
LATTICE_STEP = 256
STIFFNESS = (1.0, 0.1)
"""What bending costs beside the misfit of one tie point: the stiffer lattice is tried first."""


def robust_sigma(residual: Points) -> float:
    """Standard deviation along one axis of displacements (points, 2), from their median length."""
    return float(np.median(np.hypot(*residual.T)) / np.sqrt(2 * np.log(2))) if len(residual) else np.inf


def rms(residual: Points) -> float:
    """Root of the mean squared length."""
    return float(np.sqrt((residual**2).sum(axis=1).mean()))


@dataclass(frozen=True, eq=False)
class Lattice:
    """The lattice of a grid, whose nodes a field's displacements stand on."""

    width: int
    height: int

    @property
    def spacing(self) -> int:
        """Pixels between nodes."""
        return LATTICE_STEP * -(-max(self.width, self.height) // (LATTICE_STEP * LATTICE_CELLS))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of nodes."""
        return 2 + (self.height - 1) // self.spacing, 2 + (self.width - 1) // self.spacing

    def shift(self, xy: Points) -> NDArray[np.float64]:
        """Design of one shift for all."""
        return np.ones((len(xy), 1))

    def affine(self, xy: Points) -> NDArray[np.float64]:
        """Design of an affine map, in parts of the longer side from the middle."""
        size = np.array([self.width, self.height])
        return np.column_stack([np.ones(len(xy)), (xy - size / 2) / size.max()])

    def smooth(self, xy: Points) -> NDArray[np.float64]:
        """Design of an affine map and a lattice that is bilinear between its nodes."""
        rows, columns = self.shape
        places = xy / self.spacing
        cell = np.clip(np.floor(places), 0, np.array([columns, rows]) - 2).astype(int)
        part = places - cell
        nodes = np.zeros((len(xy), rows * columns))
        for down in (0, 1):
            for right in (0, 1):
                weight = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
                nodes[np.arange(len(xy)), (cell[:, 1] + down) * columns + cell[:, 0] + right] = weight
        return np.column_stack([self.affine(xy), nodes])

    def bending(self) -> NDArray[np.float64]:
        """What `smooth` pays for: second differences of the lattice, and a little for its height."""
        rows, columns = self.shape
        index = np.arange(rows * columns).reshape(rows, columns)
        identity = np.eye(rows * columns)
        bends = [1e-2 * identity]
        for line in (index, index.T):
            a, b, c = (line[i : len(line) - 2 + i].ravel() for i in range(3))
            bends.append(identity[a] - 2 * identity[b] + identity[c])
        cost = np.concatenate(bends)
        whole = np.pad(cost.T @ cost, (3, 0))
        whole[:3, :3] = LEVEL
        return whole


def fit(design: NDArray[np.float64], shifts: Points, cost: NDArray[np.float64]) -> Points:
    """Coefficients (columns of design, 2) by least squares, iteratively reweighted with Tukey's biweight."""
    cost = 1e-9 * np.eye(design.shape[1]) if cost is None else cost
    residual: Points = shifts - np.median(shifts, axis=0)
    found: Points = np.zeros((design.shape[1], 2))
    for _ in range(ROUNDS):
        reach = TUKEY * max(robust_sigma(residual), FINEST)
        part = np.hypot(*residual.T) / reach
        weight = np.where(part < 1, (1 - part**2) ** 2, 0)[:, None]
        found = np.asarray(np.linalg.solve(design.T @ (design * weight) + cost, design.T @ (shifts * weight)))
        was, residual = residual, np.asarray(shifts - design @ found)
        if np.abs(was - residual).max() < 1e-4:
            break
    return found


@dataclass(frozen=True, eq=False)
class Model:
    """One way to explain the displacements of tie points at `xy`."""

    name: str
    least: int
    """Tie points without which it is not tried."""
    design: Callable[[Points], NDArray[np.float64]]
    cost: NDArray[np.float64]
    lattice: Lattice

    def fitted(self, xy: Points, shifts: Points) -> Callable[[Points], Points]:
        """What the model, fitted to these points, says of others."""
        found = fit(self.design(xy), shifts, self.cost)
        return lambda places: np.asarray(self.design(places) @ found)

    def held_out(self, xy: Points, shifts: Points) -> Points:
        """Residuals of every point from the model fitted to every second one of the others."""
        left = np.empty_like(shifts)
        for half in (0, 1):
            known, asked = slice(half, None, 2), slice(1 - half, None, 2)
            left[asked] = shifts[asked] - self.fitted(xy[known], shifts[known])(xy[asked])
        return left

    def field(self, xy: Points, shifts: Points) -> ShiftField:
        """The model fitted to the points, on the nodes of the lattice."""
        says = self.fitted(xy, shifts)

        def at(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Points, Points]:
            found = says(np.column_stack([x.ravel(), y.ravel()]))
            return found[:, 0].reshape(x.shape), found[:, 1].reshape(x.shape)

        return ShiftField.over(self.lattice.width, self.lattice.height, self.lattice.spacing, at)


def models(lattice: Lattice) -> list[Model]:
    """From the plainest to the most flexible."""
    return [
        Model("shift", 1, lattice.shift, LEVEL[:1, :1], lattice),
        Model("affine", AFFINE_POINTS, lattice.affine, LEVEL, lattice),
        *(Model("smooth", LATTICE_POINTS, lattice.smooth, w * lattice.bending(), lattice) for w in STIFFNESS),
    ]
