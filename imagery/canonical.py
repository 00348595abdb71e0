"""Iteratively reweighted canonical correlation of two dates: which combinations of bands agree, and which pixels do.

Canonical correlation finds the combinations of bands that should agree; what disagrees beyond its no-change variance
is change. Each round trusts a pixel by its chance of being unchanged. Invariant to gain, offset and any linear mix of
each date's bands.
Source: Nielsen, A. A. (2007), "The regularized iteratively reweighted MAD method for change detection in
multi- and hyperspectral data", IEEE Transactions on Image Processing 16(2), 463–478.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.stats
from numpy.typing import NDArray

SETTLED = 1e-3
"""Largest move of a canonical correlation in the last round."""
RIDGE = 1e-9
"""Part of its variance added to each band's variance, so that repeated bands do no harm."""
FLAT = 1e-7
"""A band that spreads less than this part of its mean is constant, as far as float32 can tell."""
CHUNK = 1 << 18
"""Pixels whose moments are taken at once."""

Array = NDArray[np.float64]


class Moments:
    """Weighted mean and covariance of rows that arrive in chunks, in one pass (Chan, Golub and LeVeque 1983)."""

    def __init__(self, columns: int) -> None:
        self.weight = 0.0
        self.mean = np.zeros(columns)
        self._scatter = np.zeros((columns, columns))

    def add(self, rows: Array, weights: Array) -> None:
        """Rows (n, columns) with non-negative weights (n,)."""
        total = float(weights.sum())
        if total == 0:
            return
        mean = weights @ rows / total
        centered = rows - mean
        gap = mean - self.mean
        both = self.weight + total
        self._scatter += (centered * weights[:, None]).T @ centered
        self._scatter += np.outer(gap, gap) * (self.weight * total / both)
        self.mean = self.mean + gap * (total / both)
        self.weight = both

    @property
    def covariance(self) -> Array:
        """Population covariance."""
        return self._scatter / self.weight


@dataclass(frozen=True)
class Canonical:
    """The MAD transform: variates = (before − mean_before) @ a − (after − mean_after) @ b."""

    mean_before: Array
    mean_after: Array
    a: Array
    b: Array
    correlations: Array

    def chi_square(self, before: Array, after: Array) -> Array:
        """Σ (variate / its no-change standard deviation)²; bands first, any shape behind.

        Summed element by element, not by matrix product, so that a pixel's value does not depend on the
        window in which it is read.
        """
        total = np.zeros(before.shape[1:])
        for k, correlation in enumerate(self.correlations):
            variate = np.zeros(before.shape[1:])
            for j in range(len(self.mean_before)):
                variate += (before[j] - self.mean_before[j]) * self.a[j, k]
                variate -= (after[j] - self.mean_after[j]) * self.b[j, k]
            total += variate**2 / max(2 * (1 - correlation), RIDGE)
        return total


def canonical(moments: Moments) -> Canonical:
    """Canonical correlation analysis of stacked (before, after) moments; least correlated pair first."""
    p = len(moments.mean) // 2
    cov = moments.covariance
    # Each band in units of its own spread, so that no gain of either date can drown the other's ridge.
    spread = np.sqrt(np.diag(cov))
    spread = np.where(spread > FLAT * np.abs(moments.mean), spread, 1.0)
    cov = cov / np.outer(spread, spread)
    np.fill_diagonal(cov, 1.0 + RIDGE)
    xx, yy, xy = cov[:p, :p], cov[p:, p:], cov[:p, p:]
    squared, a = scipy.linalg.eigh(xy @ np.linalg.solve(yy, xy.T), xx)
    b = np.linalg.solve(yy, xy.T @ a)
    length = np.sqrt(np.einsum("ik,ij,jk->k", b, yy, b))
    b = b / np.where(length > 0, length, 1.0)
    correlations = np.sqrt(np.clip(squared, 0.0, 1.0 - 1e-12))
    units = spread[:, None]
    return Canonical(moments.mean[:p], moments.mean[p:], a / units[:p], b / units[p:], correlations)


@dataclass(frozen=True)
class Agreement:
    """The last round's transform, each pixel's chi-square of it, and how many rounds it took."""

    transform: Canonical
    chi_square: Array
    rounds: int

    @property
    def unchanged(self) -> Array:
        """Each pixel's chance of being unchanged."""
        return np.asarray(scipy.stats.chi2.sf(self.chi_square, len(self.transform.correlations)))


def agreement(before: NDArray[Any], after: NDArray[Any], rounds: int) -> Agreement:
    """Rounds of canonical correlation, each weighting a pixel by its chance of no change, until settled.

    `before`, `after`: (bands, pixels).
    """
    bands = len(before)
    weights = np.ones(before.shape[1])
    last = np.zeros(bands)
    transform, z = _round(before, after, weights)
    done = 1
    while done < rounds:
        moved = float(np.abs(transform.correlations - last).max())
        weights = scipy.stats.chi2.sf(z, bands)
        # A pair that agrees everywhere or nowhere leaves too little weight to learn from: keep what we have.
        if moved < SETTLED or weights.sum() < 10 * bands:
            break
        last = transform.correlations
        transform, z = _round(before, after, weights)
        done += 1
    return Agreement(transform, z, done)


def _round(before: NDArray[Any], after: NDArray[Any], weights: Array) -> tuple[Canonical, Array]:
    moments = Moments(2 * len(before))
    for start in range(0, len(weights), CHUNK):
        part = slice(start, start + CHUNK)
        rows = np.concatenate([before[:, part], after[:, part]]).T.astype(np.float64)
        moments.add(rows, weights[part])
    transform = canonical(moments)
    z = np.empty(len(weights))
    for start in range(0, len(weights), CHUNK):
        part = slice(start, start + CHUNK)
        z[part] = transform.chi_square(before[:, part].astype(np.float64), after[:, part].astype(np.float64))
    return transform, z
