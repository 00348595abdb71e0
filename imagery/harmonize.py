"""One light for both dates: a line per band, fitted on the pixels that did not change, and whether to believe it.

Where to begin, canonical correlation says, which no gain or offset misleads (Canty, M. J. and Nielsen, A. A. (2008),
"Automatic radiometric normalization of multitemporal satellite imagery with the iteratively re-weighted MAD
transformation", Remote Sensing of Environment 112(3), 1025–1036). From there on the half of the pixels that lies
nearest to the lines makes the next ones, until that half, the invariant pixels, stands still. Every third pixel is kept
from all this and says what is left. Lines that cannot be believed are told with the reason, and never used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagery.canonical import FLAT, Array, agreement

MOST_PIXELS = 1 << 15
"""Pixels looked at: a mean is known to 0.6 % of a spread."""
BEGIN_ROUNDS, ROUNDS = 30, 30
"""Of canonical correlation, and of lines and their nearer half: at most."""
BEGIN_PART, INVARIANT_PART = 0.1, 0.5
"""Parts of the pixels, nearest first: to begin with, and in the end; so much must be unchanged."""
HELD_OUT = 3
"""Every third pixel is kept from the fit."""
LEAST_PIXELS = 200
"""Invariant pixels, held-out ones included, below which nothing is known."""
LEAST_R2, LEAST_R2_OF_FEW = 0.5, {1: 0.8, 2: 0.65}
"""Of every band where there are three and more; of few. The fewer bands, the more the nearer half of unrelated scenes
looks related: 0.79 with one was met, 0.55 with two, 0.38 with three."""
MOST_GAIN = 4.0
"""Two exposures of one place that differ by more than this, either way, are not told in one unit."""
WORTH = 0.95
"""The typical difference of all pixels must fall below this part of what it was, or there is nothing to mend."""
RIDGE = 1e-6

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Light:
    """before's light = gain × after + bias, an entry a band; goes to other processes as it is."""

    gain: Float
    bias: Float

    def of(self, after: NDArray[Any]) -> Float:
        """The later date (bands first, any shape behind) in the earlier one's light, pixel by pixel."""
        shape = (-1, *(1,) * (after.ndim - 1))
        values = after.astype(np.float32)
        values *= self.gain.reshape(shape)
        values += self.bias.reshape(shape)
        return values


@dataclass(frozen=True, eq=False)
class Harmonization:
    """`light`: how to bring the later scene to the earlier one's, None: no need, or nobody knows. `report`: why."""

    light: Light | None
    report: dict[str, Any]


@dataclass(frozen=True)
class _Lines:
    """x ≈ gain × y + bias, an entry a band; `spread`: of x where it was fitted; `rest`: covariance of what is left,
    in units of it; `r2`: squared correlation there."""

    gain: Array
    bias: Array
    spread: Array
    rest: Array
    r2: Array

    def left(self, x: Array, y: Array) -> Array:
        """What the lines leave, (bands, pixels)."""
        return x - self.gain[:, None] * y - self.bias[:, None]

    def distance(self, x: Array, y: Array) -> Array:
        """Squared distance of each pixel, in units of what scatters about the lines."""
        left = self.left(x, y) / self.spread[:, None]
        inverse = np.linalg.inv(self.rest + RIDGE * np.eye(len(left)))
        return np.asarray(np.einsum("in,ij,jn->n", left, inverse, left, optimize=False))


def measure(before: NDArray[Any], after: NDArray[Any], names: Sequence[str]) -> Harmonization:
    """The lines of a sample (bands, pixels) that was seen on both dates; `names`: of its bands."""
    step = max(1, -(-before.shape[1] // MOST_PIXELS))
    x, y = (np.ascontiguousarray(date[:, ::step], dtype=np.float64) for date in (before, after))
    varies = _varies(x) & _varies(y)
    report = _identity(names, x.shape[1])
    if x.shape[1] * INVARIANT_PART < LEAST_PIXELS:
        doubt: str | None = f"Light is unknown: {x.shape[1]} pixels are too few."
    elif not varies.any():
        doubt = "Light is unknown: no band varies on both dates."
    else:
        lines = _solved(x[varies], y[varies])
        report |= _report([n for n, v in zip(names, varies, strict=True) if v], lines, x[varies], y[varies])
        told = iter(report["bands"])
        # Constant bands stay as they are.
        report["bands"] = [next(told) if v else _band(name) for name, v in zip(names, varies, strict=True)]
        doubt = _doubt(report)
    if doubt is not None:
        return Harmonization(None, {"known": False, "why": doubt} | report)
    if report["difference_left"] >= WORTH:
        why = "The scenes are in one light as they are; there is nothing to mend."
        return Harmonization(None, {"known": True, "why": why} | report)
    why = "The later scene is brought to the earlier one's light."
    return Harmonization(_light(report), {"known": True, "why": why} | report)


def _varies(date: Array) -> NDArray[np.bool_]:
    if not date.shape[1]:
        return np.zeros(len(date), dtype=bool)
    return np.asarray(date.std(axis=1) > FLAT * np.abs(date.mean(axis=1)))


def _solved(x: Array, y: Array) -> _Lines:
    """The lines of the half that lies nearest to them, of the pixels that are not held out."""
    x, y = x[:, ~_held_out(x)], y[:, ~_held_out(y)]
    chosen = _nearest(agreement(x, y, BEGIN_ROUNDS).chi_square, BEGIN_PART)
    for _ in range(ROUNDS):
        lines = _fitted(x[:, chosen], y[:, chosen])
        nearest = _nearest(lines.distance(x, y), INVARIANT_PART)
        if (nearest == chosen).all():
            break
        chosen = nearest
    return lines


def _held_out(date: Array) -> NDArray[np.bool_]:
    return np.asarray(np.arange(date.shape[1]) % HELD_OUT == HELD_OUT - 1)


def _nearest(distance: Array, part: float) -> NDArray[np.bool_]:
    return np.asarray(distance <= np.quantile(distance, part))


def _fitted(x: Array, y: Array) -> _Lines:
    """Reduced major axes: lines whose squared distances are least with each date in its own spread.

    Both dates err, neither is the cause of the other: dates swapped give the inverse lines, and other units the same
    lines in them (Kermack and Haldane 1950, Biometrika 37, 30–41).
    """
    (mean_x, spread_x), (mean_y, spread_y) = ((date.mean(axis=1), date.std(axis=1)) for date in (x, y))
    flat = (spread_x == 0) | (spread_y == 0)
    spread_x, spread_y = (np.where(flat, 1.0, spread) for spread in (spread_x, spread_y))
    in_spreads = [(x - mean_x[:, None]) / spread_x[:, None], (y - mean_y[:, None]) / spread_y[:, None]]
    r = (in_spreads[0] * in_spreads[1]).mean(axis=1)
    gain = np.where(r < 0, -1.0, 1.0) * spread_x / spread_y
    rest = in_spreads[0] - np.where(r < 0, -1.0, 1.0)[:, None] * in_spreads[1]
    return _Lines(gain, mean_x - gain * mean_y, spread_x, rest @ rest.T / rest.shape[1], r * r)


def _identity(names: Sequence[str], pixels: int) -> dict[str, Any]:
    return {
        "bands": [_band(name) for name in names],
        "invariant_pixels": 0,
        "held_out_pixels": 0,
        "sampled_pixels": pixels,
        "difference_left": None,
    }


def _band(name: str, gain: float = 1.0, bias: float = 0.0, *rest: float) -> dict[str, Any]:
    r2, rmse_before, rmse_after = (float(f"{v:.6g}") for v in rest) if rest else (None, None, None)
    return {
        "band": name, "gain": float(f"{gain:.8g}"), "bias": float(f"{bias:.8g}"), "r2": r2,
        "rmse_before": rmse_before, "rmse_after": rmse_after,
    }  # fmt: skip


def _report(names: Sequence[str], lines: _Lines, x: Array, y: Array) -> dict[str, Any]:
    """Errors are those of invariant pixels that were held out, in the earlier date's units."""
    invariant = _nearest(lines.distance(x, y), INVARIANT_PART)
    apart = _held_out(x)
    kept = invariant & apart
    was, left = x - y, lines.left(x, y)
    errors = (np.sqrt((date[:, kept] ** 2).mean(axis=1)) for date in (was, left))
    typical = (np.median(np.abs(date[:, apart]), axis=1) / lines.spread for date in (left, was))
    least, most = (float(v.sum()) for v in typical)
    return {
        "bands": [_band(*row) for row in zip(names, lines.gain, lines.bias, lines.r2, *errors, strict=True)],
        "invariant_pixels": int(invariant.sum()),
        "held_out_pixels": int(kept.sum()),
        "difference_left": float(f"{least / most:.6g}") if most > 0 else 1.0,
    }


def _doubt(report: dict[str, Any]) -> str | None:
    """Why the lines are not believed."""
    told = [band for band in report["bands"] if band["r2"] is not None]
    least = LEAST_R2_OF_FEW.get(len(told), LEAST_R2)
    for band in told:
        if band["r2"] < least or band["gain"] <= 0:
            return (
                f"Light is unknown: band {band['band']} of the half of the pixels that agrees best still scatters "
                f"(r² {band['r2']:.2f}, less than {least}, or falling)."
            )
        if not 1 / MOST_GAIN <= band["gain"] <= MOST_GAIN:
            return (
                f"Light is unknown: band {band['band']} would be multiplied by {band['gain']:.3g}, "
                f"beyond {MOST_GAIN:g} times either way; are both scenes in one unit?"
            )
    return None


def _light(report: dict[str, Any]) -> Light:
    gain, bias = (np.array([b[key] for b in report["bands"]], dtype=np.float32) for key in ("gain", "bias"))
    return Light(gain, bias)
