"""What kind of change: did vegetation go or come, beyond what the season did to unchanged ground."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from detection.light import lit
from detection.sample import sample_blocks
from detection.workers import each
from imagery.align import Alignment
from imagery.harmonize import Light
from imagery.raster import BLOCK, FILTERS, small_cache
from imagery.reader import Block, PairReader
from imagery.scene import Grid, ScenePair
from imagery.tiling import windows

WINDOW = BLOCK
"""Pixels along a window: whole blocks, whatever the detector's windows were, so that sums are the same."""

CLEAR_DIFFERENCE = 0.05
"""NDVI by which a change must leave the unchanged ground behind to be called loss or gain."""
BINS = np.linspace(-2.0, 2.0, 4001)


def ndvi(red: NDArray[np.float32], nir: NDArray[np.float32]) -> NDArray[np.float64]:
    """(nir − red) / (nir + red), within ±1; 0 where both are 0 (Rouse et al. 1974).

    Dark water may have negative reflectance, and a sum near 0 would outweigh every other pixel.
    """
    total = (nir + red).astype(np.float64)
    ratio = np.divide(nir - red, total, out=np.zeros_like(total), where=np.abs(total) > 1e-6)
    return np.asarray(np.clip(ratio, -1.0, 1.0))


def ndvi_change(
    pair: ScenePair,
    outlines: NDArray[np.object_],
    advance: Callable[[str, int, int], None],
    alignment: Alignment | None = None,
    light: Light | None = None,
) -> NDArray[np.float64]:
    """Mean NDVI change inside each polygon (in the pair's CRS), less the median of unchanged ground.

    The later date is seen in that light. All NaN where the pair has no red or no near-infrared band.
    """
    if not {"red", "nir"} <= set(pair.names) or not len(outlines):
        return np.full(len(outlines), np.nan)
    grid, tree = pair.grid, shapely.STRtree(outlines)
    sampled = {padded.inner for padded in sample_blocks(grid.width, grid.height, 0, WINDOW)[0]}
    blocks = [padded.inner for padded in windows(grid.width, grid.height, WINDOW)]
    held = {block: np.sort(tree.query(_box(grid, block))) for block in blocks}
    wanted = [block for block in blocks if block in sampled or len(held[block])]
    bands = pair.names.index("red"), pair.names.index("nir")

    def look(window: Window, block: Block) -> _Seen:
        labels = _labels(grid, window, outlines, held[window])
        return _seen(window, labels, lit(block, light), bands, window in sampled)

    with small_cache(), PairReader(pair, alignment=alignment) as reader:
        found = {}
        for seen in each(wanted, reader.read, look, lambda _window, seen: seen, os.cpu_count() or 1):
            found[seen.window] = seen
            advance("classify", len(found), len(wanted))
    totals, counts, unchanged = (np.zeros(size) for size in (len(outlines), len(outlines), len(BINS) - 1))
    # In the windows' own order, for sums of floats depend on it.
    for window in wanted:
        seen = found[window]
        totals[seen.numbers] += seen.totals
        counts[seen.numbers] += seen.counts
        unchanged += seen.unchanged
    means = np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0)
    return np.asarray(means - _median(unchanged))


@dataclass(frozen=True)
class _Seen:
    """Of one window: polygons in it, sum and count of their pixels' change, and a histogram of unchanged ground's."""

    window: Window
    numbers: NDArray[np.int64]
    totals: NDArray[np.float64]
    counts: NDArray[np.int64]
    unchanged: NDArray[np.int64]


def _box(grid: Grid, window: Window) -> shapely.Polygon:
    corners = [(0, 0), (window.width, 0), (window.width, window.height), (0, window.height)]
    return shapely.Polygon([grid.shift(window) @ corner for corner in corners])


def _labels(
    grid: Grid, window: Window, outlines: NDArray[np.object_], inside: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which polygon each pixel lies in, −1 for none."""
    shape = (window.height, window.width)
    if not len(inside):
        return np.full(shape, -1)
    numbered = [(outlines[number], int(number)) for number in inside]
    with FILTERS:
        drawn = rasterio.features.rasterize(
            numbered, shape, fill=-1, transform=grid.shift(window), dtype="int32"
        )
    return np.asarray(drawn, dtype=np.int64)


def _seen(
    window: Window, labels: NDArray[np.int64], block: Block, bands: tuple[int, int], sampled: bool
) -> _Seen:
    seen = block.observation == 0
    labels, difference = labels[seen], _difference(block, *bands)[seen]
    numbers, at = np.unique(labels[labels >= 0], return_inverse=True)
    return _Seen(
        window,
        numbers,
        np.bincount(at, difference[labels >= 0], minlength=len(numbers)).astype(np.float64),
        np.bincount(at, minlength=len(numbers)),
        np.histogram(difference[labels < 0] if sampled else [], BINS)[0],
    )


def _difference(block: Block, red: int, nir: int) -> NDArray[np.float64]:
    return ndvi(block.after[red], block.after[nir]) - ndvi(block.before[red], block.before[nir])


def _median(histogram: NDArray[np.float64]) -> float:
    """Middle of the bin that holds the median; 0 for an empty histogram."""
    if histogram.sum() == 0:
        return 0.0
    at = int(np.searchsorted(np.cumsum(histogram), histogram.sum() / 2))
    return float((BINS[at] + BINS[at + 1]) / 2)


def classes(change: NDArray[np.float64]) -> NDArray[np.str_]:
    """Change class of each NDVI change."""
    named = np.full(len(change), "unclassified", dtype="<U16")
    named[change <= -CLEAR_DIFFERENCE] = "vegetation_loss"
    named[change >= CLEAR_DIFFERENCE] = "vegetation_gain"
    return named
