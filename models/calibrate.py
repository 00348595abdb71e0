"""Probability made honest, and where the decision falls, measured on held-out ground; false clues with a bound.

Temperature and bias: logistic regression on the logit (Platt 1999; Guo et al. 2017). Threshold: a half,
more likely than not; the best F1 of made pairs would lie lower, for they hold more change than most ground.
False clues: conformal risk control (Angelopoulos et al. 2024, "Conformal Risk Control", ICLR). The loss of a pair is
the share of its clues that touch no change, made monotone by the worst of all higher thresholds; its bound for a new
pair drawn like the n measured ones is (n × mean + 1) / (n + 1).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from scipy.special import expit
from scipy.special import logit as logit_of

from models.checkpoint import Card, Operating
from models.dataset import ChipPair, Chips, change_target
from models.metrics import false_clue_share
from models.probability import SUREST, mean_of_scales
from models.training_scene import TrainingScene

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Advance = Callable[[str, int, int], None]

GSD_RANGES_M = ((0.3, 0.5), (0.5, 0.75), (0.75, 1.1))
KINDS = {"other_ground": 0.25, "other_place": 0.1, "built": 0.25, "removed": 0.1, "unchanged": 0.3}
"""Most ground has nothing built on it between two dates; much of it looks another on the second all the same."""
STRANGE = {"other_ground": 0.5, "other_place": 0.5}
"""For false clues: two dates that share nothing, so that each mistake on either becomes a clue; made pairs of one place
are easier than real ones and would promise too much."""
SIDE = 256
PIXELS_A_PAIR = 4096
THRESHOLDS = (*(k / 100 for k in range(5, 95)), *(k / 250 for k in range(238, 250)))
"""As fine as a change map is: its bytes are 1 / 254 apart."""
SMALLEST_CLUE_M2 = 25.0
MORE_LIKELY_THAN_NOT = 0.5
ASKED, SPLITS = (0.05, 0.1, 0.2), 100
REACH = 20.0, 10.0
"""Largest temperature (and smallest, its inverse) and bias: where nothing is wrong on a side, no slope is too steep."""


class Measured:
    """What a network said of one pair: probability a pixel before calibration, what is true, where it is known."""

    def __init__(self, probability: Float, changed: Bool, known: Bool, gsd_m: float) -> None:
        self.probability, self.changed, self.known, self.gsd_m = probability, changed, known, gsd_m

    @property
    def smallest_px(self) -> int:
        """Pixels of the smallest thing that is a clue."""
        return max(1, int(np.ceil(SMALLEST_CLUE_M2 / self.gsd_m**2)))


def measure(network: Any, card: Card, chips: Chips, pairs: int, advance: Advance) -> list[Measured]:
    """The first `pairs` of `chips`, looked at as a scene would be."""
    drawn = iter(chips)
    mean, std = (torch.tensor(v).reshape(1, -1, 1, 1) for v in (card.mean, card.std))
    middle = float(np.sqrt(np.prod(chips.gsd_range_m)))
    found = []
    for done in range(1, pairs + 1):
        sample = ChipPair(*(part[None] for part in next(drawn)))
        changed, known = change_target(sample)
        with torch.inference_mode():
            before, after = ((date.float() - mean) / std for date in (sample.before, sample.after))
            seen = mean_of_scales(network, card.scales, before, after, False).probability
        found.append(Measured(seen[0, 0].double().numpy(), changed[0].numpy(), known[0].numpy(), middle))
        advance("calibrate", done, pairs)
    return found


def fit(logit: Float, changed: Bool) -> tuple[float, float]:
    """(temperature, bias) of the likeliest sigmoid(logit / temperature + bias), within REACH."""
    sign = np.where(changed, 1.0, -1.0)

    def loss(at: Float) -> float:
        # log(1 + exp(-m)), without overflow.
        return float(np.logaddexp(0, -sign * (logit / np.exp(at[0]) + at[1])).mean())

    steepest, farthest = REACH
    limits = [(-np.log(steepest), np.log(steepest)), (-farthest, farthest)]
    found = scipy.optimize.minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=limits).x
    return float(np.exp(found[0])), float(found[1])


def logits(probability: Float) -> Float:
    """Where a calibration works."""
    return np.asarray(logit_of(np.clip(probability, SUREST, 1 - SUREST)))


def applied(probability: Float, temperature: float, bias: float) -> Float:
    """The calibrated probability."""
    return np.asarray(expit(logits(probability) / temperature + bias))


def false_clue_shares(pairs: Sequence[Measured], temperature: float, bias: float) -> Float:
    """Pairs × THRESHOLDS: share of a pair's clues that are false, at this threshold or, if worse, at a higher one."""
    shares = []
    for one in pairs:
        probability = applied(one.probability, temperature, bias)
        truth = one.changed & one.known
        shares.append(
            [false_clue_share((probability >= t) & one.known, truth, one.smallest_px) for t in THRESHOLDS]
        )
    return np.asarray(np.maximum.accumulate(np.array(shares)[:, ::-1], axis=1)[:, ::-1])


def bounds(shares: Float) -> Float:
    """For each threshold: what a new pair's share is expected to stay under."""
    return np.asarray((shares.sum(axis=0) + 1) / (len(shares) + 1))


def coverage(shares: Float) -> tuple[tuple[float, float], ...]:
    """(asked, kept): mean share on the pairs that the threshold was not chosen on, over SPLITS random halves."""
    rng = np.random.default_rng(0)
    kept: dict[float, list[float]] = {asked: [] for asked in ASKED}
    for _ in range(SPLITS):
        order = rng.permutation(len(shares))
        one, other = np.array_split(order, 2)
        said = bounds(shares[one])
        for asked in ASKED:
            reached = np.flatnonzero(said <= asked)
            if len(reached):
                kept[asked].append(float(shares[other, reached[0]].mean()))
    return tuple((asked, round(float(np.mean(found)), 4)) for asked, found in kept.items() if found)


def calibrated_range(
    pairs: Sequence[Measured], strange: Sequence[Measured], gsd_m: tuple[float, float], measured_on: str
) -> Operating:
    """ECE on every second pair by what the others teach; temperature and bias from all; false clues on `strange`."""
    rng = np.random.default_rng(0)
    drawn = [_drawn(one, rng) for one in pairs]
    halves = [_joined(drawn[0::2]), _joined(drawn[1::2])]
    temperature, bias = fit(logits(halves[0][0]), halves[0][1])
    off = expected_error(applied(halves[1][0], temperature, bias), halves[1][1])
    probability, changed = _joined(drawn)
    temperature, bias = fit(logits(probability), changed)
    shares = false_clue_shares(strange, temperature, bias)
    return Operating(
        gsd_m=gsd_m,
        temperature=round(temperature, 4),
        bias=round(bias, 4),
        threshold=MORE_LIKELY_THAN_NOT,
        ece=round(off, 4),
        pairs=len(pairs),
        measured_on=measured_on,
        false_clues=tuple((t, round(float(b), 4)) for t, b in zip(THRESHOLDS, bounds(shares), strict=True)),
        coverage=coverage(shares),
    )


def expected_error(probability: Float, changed: Bool, bins: int = 15) -> float:
    """ECE over pixels in bins of equal width (Guo et al. 2017)."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    said = np.bincount(place, weights=probability, minlength=bins)
    true = np.bincount(place, weights=changed.astype(float), minlength=bins)
    return float(np.abs(said - true).sum() / len(probability))


def _drawn(one: Measured, rng: np.random.Generator) -> tuple[Float, Bool]:
    places = np.flatnonzero(one.known.ravel())
    chosen = rng.choice(places, min(PIXELS_A_PAIR, len(places)), replace=False)
    return one.probability.ravel()[chosen], one.changed.ravel()[chosen]


def _joined(drawn: Sequence[tuple[Float, Bool]]) -> tuple[Float, Bool]:
    return np.concatenate([p for p, _ in drawn]), np.concatenate([c for _, c in drawn])


def calibrate(
    network: Any, card: Card, kept: list[TrainingScene], pairs: int, measured_on: str, advance: Advance
) -> Card:
    """The card with an operating range for each of GSD_RANGES_M that overlaps the card's working pixel sizes."""
    finest, coarsest = card.work_gsd_m
    ranges = [r for r in GSD_RANGES_M if r[0] < coarsest and r[1] > finest] or [card.work_gsd_m]
    done = []
    for gsd_m in ranges:
        usual, strange = (
            measure(network, card, Chips(kept, SIDE, seed, kinds, gsd_m), pairs, advance)
            for seed, kinds in ((20_000, KINDS), (30_000, STRANGE))
        )
        done.append(calibrated_range(usual, strange, gsd_m, measured_on))
    return card.model_copy(update={"operating": tuple(done)})
