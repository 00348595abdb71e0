"""What kind of change: did vegetation go or come, beyond what the season did to unchanged ground."""

from collections.abc import Callable

import numpy as np
import rasterio.features
from numpy.typing import NDArray

from detection.predict import WINDOW
from imagery.reader import Block, PairReader
from imagery.scene import ScenePair
from imagery.tiling import count_windows, windows

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
    pair: ScenePair, outlines: NDArray[np.object_], advance: Callable[[str, int, int], None]
) -> NDArray[np.float64]:
    """Mean NDVI change inside each polygon (in the pair's CRS), less the median of unchanged ground.

    All NaN where the pair has no red or no near-infrared band.
    """
    if not {"red", "nir"} <= set(pair.names) or not len(outlines):
        return np.full(len(outlines), np.nan)
    red, nir = pair.names.index("red"), pair.names.index("nir")
    grid = pair.grid
    totals, counts = np.zeros(len(outlines) + 1), np.zeros(len(outlines) + 1)
    unchanged = np.zeros(len(BINS) - 1)
    numbered = [(outline, number) for number, outline in enumerate(outlines, 1)]
    with PairReader(pair) as reader:
        total = count_windows(grid.width, grid.height, WINDOW)
        for done, padded in enumerate(windows(grid.width, grid.height, WINDOW), 1):
            block = reader.read(padded.inner)
            shape = (padded.inner.height, padded.inner.width)
            labels = rasterio.features.rasterize(
                numbered, shape, transform=grid.shift(padded.inner), dtype="int32"
            )
            difference, seen = _difference(block, red, nir), block.observation == 0
            totals += np.bincount(labels[seen], difference[seen], minlength=len(totals))
            counts += np.bincount(labels[seen], minlength=len(counts))
            unchanged += np.histogram(difference[seen & (labels == 0)], BINS)[0]
            advance("classify", done, total)
    means = np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0)[1:]
    return np.asarray(means - _median(unchanged))


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
