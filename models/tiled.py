"""The network looked through tile by tile where it is wide: the same features in less memory and less time.

A stage that widens 16 channels to 96 at half the picture's size takes more memory than all that follows, and none of
it stays in a core's cache. Convolutions at fine strides see a few pixels, so a tile with a few more on every side gives
the tile's features, but for rounding. What is coarse is looked at whole.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.siamese import Seen, SiameseFpn


class Tiling(NamedTuple):
    """Sides of tiles in pixels of what goes in, `beside` them on every side, and how many of them become one."""

    rows: int
    columns: int
    beside: int
    stride: int


STAGES = (
    (slice(0, 2), Tiling(256, 512, 12, 4)),
    (slice(2, 3), Tiling(96, 192, 8, 2)),
    (slice(3, 4), Tiling(64, 128, 8, 2)),
)
"""Stages of a timm network's `blocks`: they see 9, 6 and 5 pixels beside; the widest tensor of a tile takes 14 MiB."""
FINEST = Tiling(96, 96, 4, 1)
"""The pyramid's finest level and the head: they see 3 pixels beside; 2 of them are one of the next level."""


class TiledEncoder(nn.Module):
    """An EfficientNet's features at strides 4, 8, 16 and 32, as timm gives them; to look with, not to train."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        blocks = encoder.blocks
        self.tiled = nn.ModuleList(nn.Sequential(*blocks[stages]) for stages, _ in STAGES)
        self.tiled[0] = nn.Sequential(encoder.conv_stem, encoder.bn1, *blocks[STAGES[0][0]])
        self.whole = nn.ModuleList(blocks[STAGES[-1][0].stop :])
        self._gives = set(encoder._stage_out_idx)
        self.eval()

    def forward(self, picture: Tensor) -> list[Tensor]:
        """N × 3 × H × W, sides multiples of 32, to one tensor a level."""
        x, levels = picture, []
        for (stages, tiling), stage in zip(STAGES, self.tiled, strict=True):
            x = _by_tiles(stage, x, tiling)
            if stages.stop in self._gives:
                levels.append(x)
        for number, block in enumerate(self.whole, STAGES[-1][0].stop + 1):
            x = block(x)
            if number in self._gives:
                levels.append(x)
        return levels


class TiledNetwork(nn.Module):
    """A SiameseFpn looked through so: one date after the other, and the finest level of both tile by tile."""

    def __init__(self, network: SiameseFpn) -> None:
        super().__init__()
        encoder = network.encoder
        self.encoder = TiledEncoder(encoder) if hasattr(encoder, "conv_stem") else encoder
        self.network = network
        self.eval()

    def forward(self, before: Tensor, after: Tensor) -> Seen:
        """As the network's own."""
        network, pyramid = self.network, self.network.pyramid
        levels = [list(self.encoder(date)) for date in (before, after)]
        sums: list[Tensor | None] = [None, None]
        joined: Tensor | None = None
        for number in reversed(range(1, len(levels[0]))):
            sums = [pyramid.sum_at(number, of[number], total) for of, total in zip(levels, sums, strict=True)]
            first, second = (pyramid.smooth[number](total) for total in sums)
            joined = network.joined_at(number, first, second, joined)
        assert joined is not None
        return self._finest(
            [of[0] for of in levels], [*(total for total in sums if total is not None), joined]
        )

    def _finest(self, finest: list[Tensor], coarser: list[Tensor]) -> Seen:
        """`coarser`: of the next level, both dates' sums and what is joined of them."""
        network, pyramid = self.network, self.network.pyramid
        made: list[Tensor] = []
        rows, columns = finest[0].shape[2:]
        for outer, here, crop in _tiles((rows, columns), FINEST):
            down, across = (slice(side.start // 2, side.stop // 2) for side in outer)
            *sums, joined = (of[..., down, across] for of in coarser)
            first, second = (
                pyramid.smooth[0](pyramid.sum_at(0, of[..., *outer], total))
                for of, total in zip(finest, sums, strict=True)
            )
            seen = network.said(network.joined_at(0, first, second, joined), first, second)
            made = made or [_empty(part, (rows, columns)) for part in seen]
            for whole, part in zip(made, seen, strict=True):
                whole[..., *here] = part[..., *crop]
        return Seen(*made)


Slices = tuple[slice, slice]


def _by_tiles(stage: nn.Module, x: Tensor, tiling: Tiling) -> Tensor:
    made: Tensor | None = None
    rows, columns = x.shape[2:]
    for outer, here, crop in _tiles((rows, columns), tiling):
        seen = stage(x[..., *outer])
        if made is None:
            made = _empty(seen, (rows // tiling.stride, columns // tiling.stride))
        made[..., *here] = seen[..., *crop]
    assert made is not None
    return made


def _empty(part: Tensor, sides: tuple[int, int]) -> Tensor:
    """Room for what parts like this make up."""
    shape = (*part.shape[:2], *sides)
    return torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last)


def _tiles(sides: tuple[int, int], tiling: Tiling) -> Iterator[tuple[Slices, Slices, Slices]]:
    """(rows, columns) of each tile: of what goes in, where it lies in what comes out, and where in the tile's own."""
    for top in range(0, sides[0], tiling.rows):
        for left in range(0, sides[1], tiling.columns):
            down = _along(top, tiling.rows, sides[0], tiling)
            across = _along(left, tiling.columns, sides[1], tiling)
            outer, here, crop = zip(down, across, strict=True)
            yield outer, here, crop


def _along(begin: int, length: int, size: int, tiling: Tiling) -> tuple[slice, slice, slice]:
    end = min(begin + length, size)
    first, last = max(0, begin - tiling.beside), min(size, end + tiling.beside)
    low, high, skip = begin // tiling.stride, end // tiling.stride, (begin - first) // tiling.stride
    return slice(first, last), slice(low, high), slice(skip, skip + high - low)
