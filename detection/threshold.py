"""Where no change ends and change begins: an automatic threshold that also knows when nothing changed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 256
CLEAR_OF_BACKGROUND = 3.5
"""Background widths a change must lie beyond: 2 in 10,000 pixels of pure Gaussian background do."""
LEAST = 1.5
"""The statistic is 1 where a pixel differs as much as unchanged ones do: less than this is never change."""
AT_THE_MODE = 0.01
"""The probability given to a pixel in the middle of the background."""


@dataclass(frozen=True)
class ChangeScale:
    """Turns a change statistic into 0–1 with 0.5 at the threshold.

    It orders pixels and places the decision; it is not calibrated against labels.
    """

    threshold: float
    background: float
    """The statistic's most frequent value."""
    width: float
    """Standard deviation of the background, from its lower half, which changes do not reach."""
    otsu: float

    def probability(self, statistic: NDArray[np.float64]) -> NDArray[np.float32]:
        """Logistic in the statistic: `AT_THE_MODE` at the background's mode, 0.5 at the threshold."""
        if not np.isfinite(self.threshold):
            return np.zeros(statistic.shape, dtype=np.float32)
        reach = max(self.threshold - self.background, np.finfo(float).eps)
        slope = np.log(1 / AT_THE_MODE - 1) / reach
        z = np.clip(slope * (statistic - self.threshold), -60.0, 60.0)
        return np.asarray(1.0 / (1.0 + np.exp(-z)), dtype=np.float32)

    def parameters(self) -> dict[str, float | None]:
        """What run.json keeps; a threshold of None says that nothing varied, so nothing changed."""
        finite = np.isfinite(self.threshold)
        return {
            "threshold": self.threshold if finite else None,
            "otsu": self.otsu,
            "background": self.background,
            "background_width": self.width,
        }


def otsu(values: NDArray[np.float64]) -> float:
    """The value that splits a histogram into two classes farthest apart (Otsu 1979)."""
    counts, edges = np.histogram(values, BINS)
    centers = (edges[1:] + edges[:-1]) / 2
    weight = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts * centers) / counts.sum()
    spread = weight * (1 - weight)
    between = np.divide((mean[-1] * weight - mean) ** 2, spread, out=np.zeros(BINS), where=spread > 0)
    return float(centers[int(np.argmax(between))])


def background(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mode of a sample and the width of what lies below it, as if a Gaussian's lower half.

    The mode is the middle of the shortest interval that holds a tenth of the sample: no bins to choose.
    """
    ordered = np.sort(values)
    tenth = max(2, len(ordered) // 10)
    if len(ordered) <= tenth:
        return float(np.median(ordered)), 0.0
    start = int(np.argmin(ordered[tenth:] - ordered[:-tenth]))
    mode = float(np.median(ordered[start : start + tenth]))
    below = ordered[ordered <= mode]
    return mode, float(np.sqrt(np.mean((below - mode) ** 2)))


def change_scale(values: NDArray[np.float64]) -> ChangeScale:
    """The scale of a statistic that is near-Gaussian where nothing changed and larger where something did.

    Otsu's threshold alone would cut an unchanged pair in half; it must also lie clear of the background, and
    clear of the differences that unchanged ground is expected to have (a scene against itself has rounding only).
    """
    if len(values) == 0 or np.ptp(values) == 0:
        level = float(values[0]) if len(values) else 0.0
        return ChangeScale(threshold=np.inf, background=level, width=0.0, otsu=level)
    split = otsu(values)
    mode, width = background(values)
    return ChangeScale(max(split, mode + CLEAR_OF_BACKGROUND * width, LEAST), mode, width, split)
