"""A change map turned into polygons: threshold, sieve, trace on cell edges, simplify, measure."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio.features
import scipy.ndimage
import shapely
from numpy.typing import NDArray

from detection.linear import at_least, label_parts, linear_part
from detection.predict import FULL, MIDDLE, UNSEEN, threshold_byte
from imagery.raster import grid_of, opened
from imagery.scene import Grid

SIMPLIFY_PIXELS = 0.75
"""Side of the square, in pixels, whose area a corner must reach to be kept (Visvalingam and Whyatt 1993):
just over the half pixel of a stair."""
STRONG = 0.99
"""Probability of change in whose midst a line is looked for."""

Bytes = NDArray[np.uint8]


def change_mask(probability: Bytes, threshold: float, smallest_px: int) -> NDArray[np.bool_]:
    """Pixels of change: at or over the threshold; groups and holes under `smallest_px` pixels are sieved out.

    Pixels meet at edges, not corners. What was not seen neither joins a group nor is filled.
    """
    seen = probability != UNSEEN
    over = ((probability >= threshold_byte(threshold)) & seen).astype(np.uint8)
    # GDAL refuses to sieve by more than all there is; what is too small is taken off below in any case.
    if 1 < smallest_px < over.size:
        over = rasterio.features.sieve(over, size=smallest_px, connectivity=4, mask=seen.astype(np.uint8))
    labels, count = scipy.ndimage.label(over)
    return np.asarray(at_least(labels, count, smallest_px)[labels])


def trace(labels: NDArray[np.int32], count: int, grid: Grid) -> NDArray[np.object_]:
    """A polygon on cell edges for each label from 1 to `count`, in the grid's CRS."""
    outlines = np.empty(count, dtype=object)
    shapes = rasterio.features.shapes(labels, labels > 0, connectivity=4, transform=grid.transform)
    for outline, label in shapes:
        outlines[int(label) - 1] = shapely.geometry.shape(outline)
    return outlines


def simplify(outlines: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Staircases made straight, borders that two polygons share kept shared."""
    if not len(outlines):
        return outlines
    side = abs(grid.transform.determinant) ** 0.5 * SIMPLIFY_PIXELS
    smooth = np.asarray(shapely.coverage_simplify(outlines, side), dtype=object)
    # A ring that touches itself at a corner may come back invalid: its stairs are the truth.
    keep = shapely.is_valid(smooth) & ~shapely.is_empty(smooth)
    return np.where(keep, smooth, outlines)


def mean_inside(values: Bytes, labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Mean of `values` in each label from 1 to `count`."""
    inside = labels > 0
    where = labels[inside]
    totals = np.bincount(where, weights=values[inside], minlength=count + 1)[1:]
    return np.asarray(totals / np.maximum(np.bincount(where, minlength=count + 1)[1:], 1))


@dataclass(frozen=True)
class Outlines:
    """Polygons of change in the grid's CRS, and the mean of the change map inside each, 0 to 1."""

    grid: Grid
    polygons: NDArray[np.object_]
    probability: NDArray[np.float64]
    is_linear: NDArray[np.bool_]
    direction: NDArray[np.float64] | None = None
    """Mean of building after less building before inside each, −1 to 1, where the detector knows it."""


def outlines(change_map: Path, *, threshold: float, smallest_m2: float) -> Outlines:
    """The polygons of a change map: those where probability reaches `threshold`, of `smallest_m2` and more."""
    with opened(str(change_map)) as source:
        grid, probability = grid_of(source, str(change_map)), source.read(1)
        coded = source.read(3) if source.count > 2 else None
    smallest = smallest_pixels(smallest_m2, grid)
    mask = change_mask(probability, threshold, smallest)
    strong = mask & (probability >= threshold_byte(STRONG)) & (probability != UNSEEN)
    labels, is_linear = label_parts(mask, linear_part(mask, strong, grid.gsd_m, smallest))
    traced = trace(labels, len(is_linear), grid)
    strength = mean_inside(probability, labels, len(traced)) / FULL
    direction = None if coded is None else mean_inside(coded, labels, len(traced)) / MIDDLE - 1
    return Outlines(grid, simplify(traced, grid), strength, is_linear, direction)


def smallest_pixels(smallest_m2: float, grid: Grid) -> int:
    """The pixels that make up a minimum mapping unit."""
    return max(1, int(np.ceil(smallest_m2 / grid.gsd_m**2 - 1e-6)))
