"""CVA: change vector analysis, for one to three bands.

The later date is brought to the earlier one's light by a straight line per band, fitted on the pixels that
seem unchanged; the length of what remains, measured against the covariance of unchanged pixels, is the
change. Fine pixels are averaged over a few metres first: roofs lean and registration is never exact.
Source of the idea: Malila, W. A. (1980), "Change vector analysis", Purdue LARS Symposia.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.irmad import wilson_hilferty
from detection.sample import Sample
from detection.threshold import ChangeScale, change_scale
from imagery.reader import Block

ROUNDS = 30
UNCHANGED_PART = 0.5
"""Part of the sample, the least changed, on which line and covariance are fitted."""
CONTEXT_M = 1.5
MOST_RADIUS = 4
TINY = 1e-12
STRIP_ROWS = 32
"""Rows looked at at once: what they need stays in a core's cache."""

Array = NDArray[np.float64]


def radius_px(gsd_m: float) -> int:
    """Pixels on each side that a mean reaches: 1.5 m, at most four pixels."""
    return min(MOST_RADIUS, round(CONTEXT_M / gsd_m))


def box_mean(values: NDArray[Any], observed: NDArray[np.bool_], radius: int) -> NDArray[np.float32]:
    """Mean of the observed pixels within `radius` rows and columns of each; bands first.

    Summed shift by shift in a fixed order, so that a pixel's value does not depend on the window.
    """
    return _mean_over(values, observed, _observed_around(observed, radius), radius)


def _observed_around(observed: NDArray[np.bool_], radius: int) -> NDArray[np.float32]:
    """How many pixels within `radius` of each are observed."""
    return np.asarray(_box_sum(observed.view(np.uint8), radius), dtype=np.float32)


def _mean_over(
    values: NDArray[Any], observed: NDArray[np.bool_], count: NDArray[np.float32], radius: int
) -> NDArray[np.float32]:
    if radius == 0:
        return np.asarray(values, dtype=np.float32)
    means = np.empty(values.shape, dtype=np.float32)
    everywhere, share = bool(observed.all()), 1 / np.maximum(count, 1)
    for band, mean in zip(values, means, strict=True):
        np.multiply(_box_sum(band if everywhere else band * observed, radius), share, out=mean)
    return means


def _box_sum(plane: NDArray[Any], radius: int) -> NDArray[Any]:
    """Sums over the pixels within `radius` rows and columns; beyond the plane there are zeros.

    Bytes are summed as 16-bit integers, exactly: 81 of them at MOST_RADIUS do not overflow.
    """
    dtype = np.uint16 if plane.dtype == np.uint8 else np.float32
    for axis in (0, 1):
        total = np.zeros(plane.shape, dtype=dtype)
        into, given = np.moveaxis(total, axis, 0), np.moveaxis(plane, axis, 0)
        for shift in range(-radius, radius + 1):
            low, high = max(0, -shift), len(given) - max(0, shift)
            if low < high:
                into[low:high] += given[low + shift : high + shift]
        plane = total
    return plane


@dataclass(frozen=True)
class Cva:
    """A fitted CVA detector. remainder = after − (gain × before + bias); length² = remainderᵀ P remainder."""

    gain: Array
    bias: Array
    precision: Array
    scale: ChangeScale
    radius: int

    @property
    def margin(self) -> int:
        """Pixels of context that the mean reaches over."""
        return self.radius

    def __call__(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of change of a window; see `Detector`."""
        probability = np.empty(before.shape[1:], dtype=np.float32)
        for top in range(0, len(probability), STRIP_ROWS):
            rows = slice(top, top + STRIP_ROWS)
            squared = length_squared(before[:, rows], after[:, rows], self.gain, self.bias, self.precision)
            probability[rows] = self.scale.probability(wilson_hilferty(squared, len(before)))
        return probability

    def parameters(self) -> dict[str, Any]:
        """What was learned of the pair."""
        return {
            "gain": [round(float(v), 6) for v in self.gain],
            "bias": [round(float(v), 6) for v in self.bias],
            "mean_radius_px": self.radius,
            "statistic": "(squared length / bands)^(1/3)",
        } | self.scale.parameters()


def smooth(block: Block, radius: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both dates averaged over `radius`."""
    observed = block.observation == 0
    count = _observed_around(observed, radius)
    before, after = (_mean_over(date, observed, count, radius) for date in (block.before, block.after))
    return before, after


def length_squared(
    before: NDArray[Any], after: NDArray[Any], gain: Array, bias: Array, precision: Array
) -> Array:
    """Squared length of the change vector in units of the unchanged pixels' spread; bands first."""
    rest = [after[k] - (gain[k] * before[k].astype(np.float64) + bias[k]) for k in range(len(before))]
    total = np.zeros(before.shape[1:])
    for i, one in enumerate(rest):
        weighted = precision[i, i] * one
        for j in range(i):
            weighted += 2 * precision[i, j] * rest[j]
        total += weighted * one
    return np.maximum(total, 0.0)


def fit_cva(sample: Sample, radius: int) -> Cva:
    """Lines and covariance on the half of the sample that fits best, refitted until that half stands still."""
    before, after = sample.before.astype(np.float64), sample.after.astype(np.float64)
    bands, pixels = before.shape
    keep = np.ones(pixels, dtype=bool)
    squared = np.zeros(pixels)
    gain, bias, precision = np.ones(bands), np.zeros(bands), np.eye(bands)
    for _ in range(ROUNDS if pixels > 2 * bands else 0):
        gain, bias, precision = _fit_on(before[:, keep], after[:, keep])
        squared = length_squared(before, after, gain, bias, precision)
        best = squared <= np.quantile(squared, UNCHANGED_PART)
        if (best == keep).all():
            break
        keep = best
    return Cva(gain, bias, precision, change_scale(wilson_hilferty(squared, bands)), radius)


def _fit_on(before: Array, after: Array) -> tuple[Array, Array, Array]:
    center_b, center_a = before.mean(axis=1), after.mean(axis=1)
    spread = ((before - center_b[:, None]) ** 2).mean(axis=1)
    together = ((before - center_b[:, None]) * (after - center_a[:, None])).mean(axis=1)
    gain = np.where(spread > TINY, together / np.maximum(spread, TINY), 1.0)
    bias = center_a - gain * center_b
    rest = after - gain[:, None] * before - bias[:, None]
    cov = rest @ rest.T / rest.shape[1]
    ridge = max(float(np.trace(cov)) / len(cov) * 1e-6, TINY)
    return gain, bias, np.linalg.inv(cov + ridge * np.eye(len(cov)))
