"""The change network: what stands on each date, what changed between them, and which way; f(A, B) = f(B, A).

Both dates run through one encoder and one pyramid, stacked in the batch. The change is the difference of the two
building probabilities, corrected by a head that sees `[|a − b|, a + b]` of every level and how much of the
difference survives a shift of a few pixels. Convolutions and batch norm only: a pixel depends on a finite
neighborhood and on nothing else in the window. The change of what single dates teach follows Zheng, Z. et al.
(2021), "Change is Everywhere", ICCV; the pyramid Lin, T.-Y. et al. (2017), "Feature Pyramid Networks", CVPR.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import models.vision_ops  # noqa: F401  (before whatever imports torchvision)

# isort: split
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

LAND = ("building", "bare", "road", "vegetation", "water")
"""What the per-date logits say, in this order."""
STRIDE = 4
"""Pixels of input to a pixel of output; a window's sides are multiples of COARSEST."""
COARSEST = 32
SHIFT = 2
"""Output pixels (× STRIDE of input) of misregistration that a difference must survive to be seen as solid."""
UNLIKELY = 1e-3


@dataclass(frozen=True)
class Encoder:
    """A timm network whose features at strides 4, 8, 16, 32 are used; `levels`: their places in its list."""

    timm_name: str
    levels: tuple[int, int, int, int]
    about: str


ENCODERS: dict[str, Encoder] = {
    "lite0": Encoder(
        "tf_efficientnet_lite0", (1, 2, 3, 4), "EfficientNet-Lite0; starts from ImageNet weights"
    ),
    "hgnetv2": Encoder(
        "hgnetv2_b0", (0, 1, 2, 3), "HGNetV2-B0: dense convolutions, fast; starts from nothing"
    ),
}


class Seen(NamedTuple):
    """What the network says of a batch of pairs; N pairs of H × W → logits of N × … × H/4 × W/4."""

    change: Tensor
    """N × 1: built or gone."""
    before: Tensor
    """N × 5, LAND."""
    after: Tensor
    """N × 5, LAND."""


def _conv(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Pyramid(nn.Module):
    """Levels of features, fine to coarse, brought to one width and summed from the coarse down."""

    def __init__(self, channels: list[int], width: int) -> None:
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(_conv(width, width) for _ in channels)

    def sum_at(self, number: int, level: Tensor, coarser: Tensor | None) -> Tensor:
        """A level's features with the sum of the next coarser one, which the coarsest does not have."""
        here: Tensor = self.across[number](level)
        return here if coarser is None else here + _twice(coarser)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """One tensor a level, each `width` channels."""
        found: list[Tensor] = []
        total: Tensor | None = None
        for number in reversed(range(len(levels))):
            total = self.sum_at(number, levels[number], total)
            found.append(self.smooth[number](total))
        return found[::-1]


def _twice(x: Tensor) -> Tensor:
    # Nearest: each pixel comes from one pixel, wherever the window lies.
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class SiameseFpn(nn.Module):
    """The network; see the module. `width`: channels of the pyramid."""

    def __init__(self, encoder: str = "lite0", width: int = 48) -> None:
        super().__init__()
        kind = ENCODERS[encoder]
        encoder_network: Any = timm.create_model(
            kind.timm_name, features_only=True, pretrained=False, out_indices=kind.levels
        )
        self.encoder = encoder_network
        channels = encoder_network.feature_info.channels()
        self.pyramid = Pyramid(channels, width)
        self.land = nn.Conv2d(width, len(LAND), 1)
        self.fuse = nn.ModuleList(_conv(2 * width, width, 1) for _ in channels)
        self.join = nn.ModuleList(_conv(width, width) for _ in channels)
        self.refine = nn.Sequential(_conv(width + 3, width, 1), nn.Conv2d(width, 1, 1))
        self.weigh = nn.Conv2d(2, 1, 1)
        self._start_as_difference()

    def _start_as_difference(self) -> None:
        # At first the change is the plain difference; the head has to earn each correction.
        last = self.refine[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None and self.weigh.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            self.weigh.weight.copy_(torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1))
            self.weigh.bias.zero_()

    def _levels(self, before: Tensor, after: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        pairs = before.shape[0]
        levels = self.pyramid(list(self.encoder(torch.cat((before, after)))))
        return [level[:pairs] for level in levels], [level[pairs:] for level in levels]

    def forward(self, before: Tensor, after: Tensor) -> Seen:
        """Two N × 3 × H × W, normalized as the card says; H and W multiples of COARSEST."""
        first, second = self._levels(before, after)
        joined: Tensor | None = None
        for number in reversed(range(len(first))):
            joined = self.joined_at(number, first[number], second[number], joined)
        assert joined is not None
        return self.said(joined, first[0], second[0])

    def joined_at(self, number: int, first: Tensor, second: Tensor, coarser: Tensor | None) -> Tensor:
        """What a level of both dates' pyramids shows of change, with what the next coarser one did."""
        here: Tensor = self.fuse[number](torch.cat(((first - second).abs(), first + second), dim=1))
        joined: Tensor = self.join[number](here if coarser is None else here + _twice(coarser))
        return joined

    def said(self, joined: Tensor, first: Tensor, second: Tensor) -> Seen:
        """What is made of the finest level: of both dates together, and of each."""
        before, after = self.land(first), self.land(second)
        difference = _difference(before[:, :1].sigmoid(), after[:, :1].sigmoid())
        plain = torch.logit(difference[:, :2].clamp(UNLIKELY, 1 - UNLIKELY))
        change = self.weigh(plain) + self.refine(torch.cat((joined, difference), dim=1))
        return Seen(change, before, after)


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """Of two N × 1 probabilities: how much they differ, how much of it outlives a shift, and how built both are."""
    size = 2 * SHIFT + 1
    near_first = functional.max_pool2d(first, size, stride=1, padding=SHIFT)
    near_second = functional.max_pool2d(second, size, stride=1, padding=SHIFT)
    solid = functional.relu(torch.maximum(second - near_first, first - near_second))
    return torch.cat(((first - second).abs(), solid, torch.minimum(first, second)), dim=1)


NETWORKS: dict[str, type[SiameseFpn]] = {"siamese_fpn": SiameseFpn}
