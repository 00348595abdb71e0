"""Weights with their card as one module: pictures in, calibrated probability of change out; used and exported."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import Card, Operating
from models.siamese import COARSEST, STRIDE

Slices = tuple[Any, ...]
HIGHEST = 2304
"""Rows of a picture that are looked at finely at once, besides the margin."""
Inner = tuple[slice, slice]
EVERYWHERE: Inner = (slice(None), slice(None))
NEAR = 320
"""Pixels, at its own scale, beyond which a network's neighborhood decides next to nothing (docs/model.md)."""
SUREST = 1e-6
"""Probabilities are kept this far from 0 and 1, where a logit has no end."""


class Look(NamedTuple):
    """What is said of a batch of pairs, N × 1 × H × W each."""

    probability: Tensor
    direction: Tensor
    """Probability of a building after less that before: above 0 appeared, below 0 disappeared."""


def at_scale(network: Any, before: Tensor, after: Tensor, scale: int, plain: bool) -> Look:
    """What the network says of pictures averaged by `scale`, at their own size; not yet calibrated."""
    first, second = (functional.avg_pool2d(d, scale) if scale > 1 else d for d in (before, after))
    seen = network(first, second)
    built = seen.after[:, :1].float().sigmoid() - seen.before[:, :1].float().sigmoid()
    larger = float(STRIDE * scale)
    change = functional.interpolate(seen.change.float(), scale_factor=larger, mode="bilinear")
    direction = functional.interpolate(built, scale_factor=larger, mode="bilinear")
    return Look(direction.abs() if plain else change.sigmoid(), direction)


def mean_of_scales(network: Any, scales: tuple[int, ...], before: Tensor, after: Tensor, plain: bool) -> Look:
    """The mean over the scales; `before`, `after`: normalized, sides multiples of `whole_sides(scales)`."""
    looks = [at_scale(network, before, after, scale, plain) for scale in scales]
    return Look(*(torch.stack(planes).mean(dim=0) for planes in zip(*looks, strict=True)))


def mean_where_it_matters(
    network: Any,
    scales: tuple[int, ...],
    pair: tuple[Tensor, Tensor],
    plain: bool,
    least: float,
    inner: Inner,
) -> Look:
    """The mean over the scales where it can reach `least`; elsewhere the mean of the coarser scales alone, below it.

    Coarse scales first: what the finer ones could not lift to `least` even if they were sure is decided. They look at
    the rectangle that is left of `inner`, with NEAR pixels of their scale around it. Within `inner`, decisions at
    `least` and above are those of `mean_of_scales`. One pair at a time.
    """
    before, after = pair
    coarse_first = sorted(scales, reverse=True)
    mean = at_scale(network, before, after, coarse_first[0], plain)
    for done, scale in enumerate(coarse_first[1:], 1):
        undecided = torch.zeros_like(mean.probability[0, 0], dtype=torch.bool)
        undecided[inner] = (mean.probability[0, 0] * done + (len(scales) - done) >= least * len(scales))[
            inner
        ]
        for here, outer, crop in _rectangles(undecided, NEAR * scale, whole_sides(scales)):
            finer = at_scale(network, before[outer], after[outer], scale, plain)
            for whole, part in zip(mean, finer, strict=True):
                whole[here] = (whole[here] * done + part[crop]) / (done + 1)
    return mean


BESIDE = 8
"""Pixels around an undecided one that are exact too, so that resampling afterwards mixes in no estimate."""


def _rectangles(wanted: Tensor, margin: int, step: int) -> Iterator[tuple[Slices, Slices, Slices]]:
    """What is wanted, in parts of at most HIGHEST rows: (inner, with margin, inner within that), in whole steps.

    A part costs its margin once more, and bounds the memory that a look at all of it takes.
    """
    if not bool(wanted.any()):
        return
    (top, bottom), (left, right) = (_extent(wanted, axis, step) for axis in (0, 1))
    parts = -(-(bottom - top) // HIGHEST)
    high = -(-(bottom - top) // parts // step) * step
    for first in range(top, bottom, high):
        last = min(first + high, bottom)
        sides = [
            _along(first, last, wanted.shape[0], margin, step),
            _along(left, right, wanted.shape[1], margin, step),
        ]
        inner, outer, crop = zip(*sides, strict=True)
        yield (..., *inner), (..., *outer), (..., *crop)


def _extent(wanted: Tensor, axis: int, step: int) -> tuple[int, int]:
    """From where to where along an axis anything is wanted, in whole steps."""
    there = wanted.any(dim=1 - axis).nonzero()
    low = max(int(there[0]) - BESIDE, 0) // step * step
    return low, min(-(-(int(there[-1]) + 1 + BESIDE) // step) * step, wanted.shape[axis])


def _along(low: int, high: int, size: int, margin: int, step: int) -> tuple[slice, slice, slice]:
    """Along one axis: (inner, with margin, inner within that)."""
    wide = -(-margin // step) * step
    first, last = max(low - wide, 0), min(high + wide, size)
    return slice(low, high), slice(first, last), slice(low - first, high - first)


def whole_sides(scales: tuple[int, ...]) -> int:
    """Sides of a picture are multiples of this."""
    return COARSEST * max(scales)


def calibrated(probability: Tensor, at: Operating) -> Tensor:
    """A probability that means what it says; see `Operating`."""
    logit = torch.logit(probability.clamp(SUREST, 1 - SUREST))
    return (logit / at.temperature + at.bias).sigmoid()


def uncalibrated(probability: float, at: Operating) -> float:
    """The mean over the scales that `calibrated` makes into this probability."""
    inside = min(max(probability, SUREST), 1 - SUREST)
    logit = (math.log(inside / (1 - inside)) - at.bias) * at.temperature
    return 1 / (1 + math.exp(-logit))


class PairProbability(nn.Module):
    """`forward(before, after)`: N × 3 × H × W of 0 to 255 at the working pixel size → N × 1 × H × W, 0 to 1."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, card: Card, gsd_m: float | None, plain: bool = False) -> None:
        super().__init__()
        self.network = network
        self.scales, self.plain = card.scales, plain
        self.at = card.operating_at(gsd_m)
        self.register_buffer("mean", torch.tensor(card.mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(card.std).reshape(1, -1, 1, 1))

    def look(
        self, before: Tensor, after: Tensor, threshold: float | None = None, inner: Inner = EVERYWHERE
    ) -> Look:
        """Probability and direction; with `threshold`, sooner: exact from there on within `inner`, else estimates."""
        first, second = (
            (date - self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)
            for date in (before, after)
        )
        if threshold is None:
            seen = mean_of_scales(self.network, self.scales, first, second, self.plain)
        else:
            least = uncalibrated(threshold, self.at)
            seen = mean_where_it_matters(self.network, self.scales, (first, second), self.plain, least, inner)
        return Look(calibrated(seen.probability, self.at), seen.direction)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Probability alone."""
        return self.look(before, after).probability
