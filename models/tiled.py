"""The first stages of an encoder tile by tile: the same features in a third of the memory and half the time.

A stage that widens 16 channels to 96 at half the picture's size takes more memory than all that follows, and none of
it stays in a core's cache. Its convolutions see a few pixels, so a tile with a few more on every side gives the
tile's features, but for rounding.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class _Tiled(NamedTuple):
    """Stages of a timm network's `blocks` and their tiles, in pixels of what goes in."""

    stages: slice
    rows: int
    columns: int
    beside: int
    """Pixels on every side; at least as many as the stages see: 9 the first, 6 the second."""
    stride: int
    """Pixels of what goes in to one of what comes out."""


TILED = (_Tiled(slice(0, 2), 256, 512, 12, 4), _Tiled(slice(2, 3), 96, 192, 8, 2))
"""Tiles whose widest tensor takes about 14 MiB."""


class TiledEncoder(nn.Module):
    """An EfficientNet's features at strides 4, 8, 16 and 32, as timm gives them; to look with, not to train."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        blocks = encoder.blocks
        self.tiled = nn.ModuleList(nn.Sequential(*blocks[tiled.stages]) for tiled in TILED)
        self.tiled[0] = nn.Sequential(encoder.conv_stem, encoder.bn1, *blocks[TILED[0].stages])
        self.whole = nn.ModuleList(blocks[TILED[-1].stages.stop :])
        self._gives = set(encoder._stage_out_idx)
        self.eval()

    def forward(self, picture: Tensor) -> list[Tensor]:
        """N × 3 × H × W, sides multiples of 32, to one tensor a level."""
        x, levels = picture, []
        for tiled, stage in zip(TILED, self.tiled, strict=True):
            x = _by_tiles(stage, x, tiled)
            levels.append(x)
        for number, block in enumerate(self.whole, TILED[-1].stages.stop + 1):
            x = block(x)
            if number in self._gives:
                levels.append(x)
        return levels


def _by_tiles(stage: nn.Module, x: Tensor, tiled: _Tiled) -> Tensor:
    made: Tensor | None = None
    height, width = x.shape[2:]
    for top in range(0, height, tiled.rows):
        down, here_down, crop_down = _along(top, tiled.rows, height, tiled)
        for left in range(0, width, tiled.columns):
            across, here_across, crop_across = _along(left, tiled.columns, width, tiled)
            seen = stage(x[:, :, down, across])
            if made is None:
                shape = (x.shape[0], seen.shape[1], height // tiled.stride, width // tiled.stride)
                made = torch.empty(
                    shape, dtype=seen.dtype, device=x.device, memory_format=torch.channels_last
                )
            made[:, :, here_down, here_across] = seen[:, :, crop_down, crop_across]
    assert made is not None
    return made


def _along(begin: int, length: int, size: int, tiled: _Tiled) -> tuple[slice, slice, slice]:
    """Along an axis: what goes in, where its tile lies in what comes out, and where in the tile's own."""
    end = min(begin + length, size)
    first, last = max(0, begin - tiled.beside), min(size, end + tiled.beside)
    low, high, skip = begin // tiled.stride, end // tiled.stride, (begin - first) // tiled.stride
    return slice(first, last), slice(low, high), slice(skip, skip + high - low)


def by_tiles(network: Any) -> Any:
    """The network with its encoder made frugal, where it is one that can be."""
    encoder = network.encoder
    if hasattr(encoder, "conv_stem") and hasattr(encoder, "blocks"):
        network.encoder = TiledEncoder(encoder)
    return network
