"""IR-MAD: iteratively reweighted multivariate alteration detection, for four bands and more.

The statistic is that of `imagery.canonical`, where its source is named; here it is cut into change and no change.
Invariant to gain, offset and any linear mix of each date's bands, so it needs no normalization.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.sample import Sample
from detection.threshold import ChangeScale, change_scale
from imagery.canonical import Array, Canonical, agreement

ROUNDS = 60


@dataclass(frozen=True)
class Irmad:
    """A fitted IR-MAD detector."""

    transform: Canonical
    scale: ChangeScale
    rounds: int
    margin: int = 0

    def __call__(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of change of a window; see `Detector`."""
        z = self.transform.chi_square(before.astype(np.float64), after.astype(np.float64))
        return self.scale.probability(wilson_hilferty(z, len(before)))

    def parameters(self) -> dict[str, Any]:
        """What was learned of the pair."""
        return {
            "rounds": self.rounds,
            "canonical_correlations": [round(float(c), 6) for c in self.transform.correlations],
            "statistic": "(chi-square / bands)^(1/3)",
        } | self.scale.parameters()


def wilson_hilferty(chi_square: Array, bands: int) -> Array:
    """Cube root of chi-square over its degrees of freedom: near-Gaussian (Wilson and Hilferty 1931)."""
    root: Array = np.cbrt(chi_square / bands)
    return root


def fit_irmad(sample: Sample, rounds: int = ROUNDS) -> Irmad:
    """The transform on which the sample's unchanged pixels agree, and where its change begins."""
    found = agreement(sample.before, sample.after, rounds)
    scale = change_scale(wilson_hilferty(found.chi_square, len(sample.before)))
    return Irmad(found.transform, scale, found.rounds)
