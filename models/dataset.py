"""Chips: pairs of squares of ground with what stands on each date and what was built or removed between."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from models.fakes import BUILDING, Chip, built, removed
from models.training_data import TrainingScene
from models.weather import another_day

Bytes = NDArray[Any]
"""uint8; OpenCV's own types do not say so."""
GSD_RANGE_M = (0.25, 1.1)
MISREGISTRATION_PX = 3.0
KINDS = {"other_place": 0.4, "built": 0.3, "removed": 0.1, "unchanged": 0.2}
"""How pairs are made, and how often: two places (change = xor of what is built), or one place with or without work."""
LONGEST_SIDE_TAPS = 2.0


class ChipPair(NamedTuple):
    """Tensors of one chip pair: 3 × S × S uint8 images and S × S uint8 label codes of both dates."""

    before: torch.Tensor
    after: torch.Tensor
    label_before: torch.Tensor
    label_after: torch.Tensor


class Chips(IterableDataset[ChipPair]):
    """Endless chip pairs of `side` pixels; the same seed and worker count give the same pairs."""

    def __init__(self, grounds: list[TrainingScene], side: int, seed: int) -> None:
        self.grounds, self.side, self.seed = grounds, side, seed
        weights = np.array([ground.weight for ground in grounds])
        self.chance = weights / weights.sum()
        self.paired = [k for k, ground in enumerate(grounds) if ground.other is not None]

    def __iter__(self) -> Iterator[ChipPair]:
        cv2.setNumThreads(0)
        worker = get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield self.draw(rng)

    def draw(self, rng: np.random.Generator) -> ChipPair:
        """One pair: two views of ground, each with its own light, in random order of time."""
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        chip, other = self._views(kind, rng)
        dates = [chip, other] if rng.random() < 0.5 else [other, chip]
        images = [torch.from_numpy(another_day(c.image, rng).transpose(2, 0, 1).copy()) for c in dates]
        labels = [torch.from_numpy(c.label.copy()) for c in dates]
        return ChipPair(images[0], images[1], labels[0], labels[1])

    def _views(self, kind: str, rng: np.random.Generator) -> tuple[Chip, Chip]:
        gsd_m = float(np.exp(rng.uniform(*np.log(GSD_RANGE_M))))
        if kind == "unchanged" and self.paired and rng.random() < 0.35:
            ground = self.grounds[int(rng.choice(self.paired))]
            return self._cut(ground, gsd_m, rng, both=True)
        chip = self._cut(self._any(rng), gsd_m, rng)[0]
        if kind == "other_place":
            return chip, self._cut(self._any(rng), gsd_m, rng)[0]
        changed = chip
        if kind == "built":
            changed = built(chip, self._cut(self._any(rng), gsd_m, rng)[0], rng)
        elif kind == "removed":
            changed = removed(chip, rng)
        return chip, _shifted(changed, rng)

    def _any(self, rng: np.random.Generator) -> TrainingScene:
        return self.grounds[int(rng.choice(len(self.grounds), p=self.chance))]

    def _cut(
        self, ground: TrainingScene, gsd_m: float, rng: np.random.Generator, both: bool = False
    ) -> tuple[Chip, Chip]:
        """A turned, mirrored square at `gsd_m`; finer than the ground was photographed by 1.7 times at most."""
        scale = max(gsd_m / ground.gsd_m, 0.6)
        rows, columns = ground.label.shape
        turn = rng.uniform(0, 2 * np.pi)
        center = rng.uniform(0, 1, 2) * (columns, rows)
        matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        if rng.random() < 0.5:
            matrix[:, 0] *= -1
        half = self.side / 2
        to_source = np.column_stack((matrix, center - matrix @ (half, half))).astype(np.float32)
        label = _warp(ground.label, to_source, self.side, cv2.INTER_NEAREST, 1.0)
        first = Chip(_warp(ground.image, to_source, self.side, cv2.INTER_LINEAR, scale), label, gsd_m)
        if not both or ground.other is None:
            return first, first
        other = _warp(ground.other, to_source, self.side, cv2.INTER_LINEAR, scale)
        return first, Chip(other, label, gsd_m)


def _warp(plane: Bytes, to_source: NDArray[Any], side: int, how: int, scale: float) -> Bytes:
    """Cut by an affine map; averaged first where pixels grow, so that nothing aliases."""
    # Reflected at the rim: a chip that leaves the picture sees it mirrored, and its label with it.
    if how == cv2.INTER_LINEAR and scale > LONGEST_SIDE_TAPS * 0.75:
        plane = cv2.GaussianBlur(plane, (0, 0), 0.45 * scale) if plane.size < 4e6 else plane
    return cv2.warpAffine(
        plane, to_source, (side, side), flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
    )


def _shifted(chip: Chip, rng: np.random.Generator) -> Chip:
    """The second date a few pixels off; its label stays where the first date has the ground."""
    dx, dy = rng.uniform(-MISREGISTRATION_PX, MISREGISTRATION_PX, 2) * (rng.random() < 0.6)
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    side = chip.label.shape[0]
    moved = cv2.warpAffine(chip.image, shift, (side, side), borderMode=cv2.BORDER_REFLECT)
    return Chip(moved, chip.label, chip.gsd_m)


def change_target(before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of label codes of both dates: where the building stands on one date only, and where that is known."""
    known = (before > 0) & (after > 0)
    return ((before == BUILDING) != (after == BUILDING)) & known, known
