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

Array = NDArray[np.float64]


def radius_px(gsd_m: float) -> int:
    """Pixels on each side that a mean reaches: 1.5 m, at most four pixels."""
    return min(MOST_RADIUS, round(CONTEXT_M / gsd_m))


def box_mean(values: NDArray[np.float32], observed: NDArray[np.bool_], radius: int) -> NDArray[np.float32]:
    """Mean of the observed pixels within `radius` rows and columns of each; bands first.

    Summed shift by shift in a fixed order, so that a pixel's value does not depend on the window.
    """
    if radius == 0:
        return values
    weight = observed.astype(np.float32)
    total = _box_sum(values * weight, radius)
    count = _box_sum(weight[None], radius)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def _box_sum(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (radius, radius)
        padded = np.moveaxis(np.pad(values, pad), axis, 0)
        length = values.shape[axis]
        total = np.zeros_like(values)
        aside = np.moveaxis(total, axis, 0)
        for shift in range(2 * radius + 1):
            aside += padded[shift : shift + length]
        values = total
    return values


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
        squared = length_squared(before, after, self.gain, self.bias, self.precision)
        return self.scale.probability(wilson_hilferty(squared, len(before)))

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
    return box_mean(block.before, observed, radius), box_mean(block.after, observed, radius)


def length_squared(
    before: NDArray[Any], after: NDArray[Any], gain: Array, bias: Array, precision: Array
) -> Array:
    """Squared length of the change vector in units of the unchanged pixels' spread; bands first."""
    rest = [after[k] - (gain[k] * before[k].astype(np.float64) + bias[k]) for k in range(len(before))]
    total = np.zeros(before.shape[1:])
    for i, one in enumerate(rest):
        for j, other in enumerate(rest):
            total += precision[i, j] * one * other
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
