"""Weights with their card as one module: pictures in, calibrated probability of change out; used and exported."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import Card, Operating
from models.siamese import COARSEST, STRIDE

SUREST = 1e-6
"""Probabilities are kept this far from 0 and 1, where a logit has no end."""


class Look(NamedTuple):
    """What is said of a batch of pairs, N × 1 × H × W each."""

    probability: Tensor
    direction: Tensor
    """Probability of a building after less that before: above 0 appeared, below 0 disappeared."""


def mean_of_scales(network: Any, scales: tuple[int, ...], before: Tensor, after: Tensor, plain: bool) -> Look:
    """Not yet calibrated; `before`, `after`: normalized, sides multiples of `whole_sides(scales)`."""
    changes, directions = [], []
    for scale in scales:
        first, second = (functional.avg_pool2d(d, scale) if scale > 1 else d for d in (before, after))
        seen = network(first, second)
        gone = seen.after[:, :1].float().sigmoid() - seen.before[:, :1].float().sigmoid()
        logit = functional.interpolate(
            seen.change.float(), scale_factor=float(STRIDE * scale), mode="bilinear"
        )
        apart = functional.interpolate(gone, scale_factor=float(STRIDE * scale), mode="bilinear")
        changes.append(apart.abs() if plain else logit.sigmoid())
        directions.append(apart)
    return Look(torch.stack(changes).mean(dim=0), torch.stack(directions).mean(dim=0))


def whole_sides(scales: tuple[int, ...]) -> int:
    """Sides of a picture are multiples of this."""
    return COARSEST * max(scales)


def calibrated(probability: Tensor, at: Operating) -> Tensor:
    """A probability that means what it says; see `Operating`."""
    logit = torch.logit(probability.clamp(SUREST, 1 - SUREST))
    return (logit / at.temperature + at.bias).sigmoid()


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

    def look(self, before: Tensor, after: Tensor) -> Look:
        """Probability and direction."""
        first, second = (
            ((date - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
            for date in (before, after)
        )
        seen = mean_of_scales(self.network, self.scales, first, second, self.plain)
        return Look(calibrated(seen.probability, self.at), seen.direction)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Probability alone."""
        return self.look(before, after).probability
