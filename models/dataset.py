"""Chips: pairs of squares of ground with what stands on each date and what was built or removed between."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from models.fakes import BUILDING, Chip, built, removed
from models.training_scene import CHANGE_UNKNOWN, CHANGED, TrainingScene
from models.weather import another_day

Bytes = NDArray[Any]
"""uint8; OpenCV's own types do not say so."""
GSD_RANGE_M = (0.25, 1.1)
MISREGISTRATION_PX = 3.0
KINDS = {"other_place": 0.4, "built": 0.3, "removed": 0.1, "unchanged": 0.2}
"""How pairs are made, and how often: two places (change = xor of what is built), or one place with or without work.
Calibration knows "other_ground" too: two places with next to no building, all new and nothing built."""
TRIES, NEXT_TO_NONE = 20, 0.01
LONGEST_SIDE_TAPS = 2.0


REAL_SHARE = 0.5
"""Where there are real pairs with labeled change, how often a chip pair is one of them."""


class ChipPair(NamedTuple):
    """Tensors of one chip pair: 3 × S × S uint8 images, S × S uint8 label codes of both dates and of the change."""

    before: torch.Tensor
    after: torch.Tensor
    label_before: torch.Tensor
    label_after: torch.Tensor
    change: torch.Tensor
    """CHANGED, UNCHANGED, or CHANGE_UNKNOWN where the two labels are all that is known."""


class Chips(IterableDataset[ChipPair]):
    """Endless chip pairs of `side` pixels; the same seed and worker count give the same pairs."""

    def __init__(
        self,
        grounds: list[TrainingScene],
        side: int,
        seed: int,
        kinds: dict[str, float] = KINDS,
        gsd_range_m: tuple[float, float] = GSD_RANGE_M,
        drawn_ground: float = 0.0,
    ) -> None:
        self.grounds, self.side, self.seed, self.kinds, self.gsd_range_m = (
            grounds,
            side,
            seed,
            kinds,
            gsd_range_m,
        )
        self.drawn_ground = drawn_ground
        # A place whose change alone is labeled does not say what stands there.
        self.chance = _chances([0.0 if ground.change is not None else ground.weight for ground in grounds])
        self.paired = [k for k, g in enumerate(grounds) if g.other is not None and g.change is None]
        self.real = [k for k, ground in enumerate(grounds) if ground.change is not None]
        self.real_chance = _chances([grounds[k].weight for k in self.real])

    def __iter__(self) -> Iterator[ChipPair]:
        cv2.setNumThreads(0)
        worker = get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield self.draw(rng)

    def draw(self, rng: np.random.Generator) -> ChipPair:
        """One pair: two views of ground, each with its own light, in random order of time."""
        kind = str(rng.choice(list(self.kinds), p=list(self.kinds.values())))
        gsd_m = float(np.exp(rng.uniform(*np.log(self.gsd_range_m))))
        change = np.full((self.side, self.side), CHANGE_UNKNOWN, dtype=np.uint8)
        if self.real and (self.chance is None or rng.random() < REAL_SHARE):
            ground = self.grounds[int(rng.choice(self.real, p=self.real_chance))]
            chip, other, change = self._cut(ground, gsd_m, rng)
        else:
            chip, other = self._views(kind, gsd_m, rng)
        dates = [chip, other] if rng.random() < 0.5 else [other, chip]
        images = [torch.from_numpy(another_day(c.image, rng).transpose(2, 0, 1).copy()) for c in dates]
        labels = [torch.from_numpy(c.label.copy()) for c in dates]
        return ChipPair(images[0], images[1], labels[0], labels[1], torch.from_numpy(change))

    def _views(self, kind: str, gsd_m: float, rng: np.random.Generator) -> tuple[Chip, Chip]:
        if kind == "unchanged" and self.paired and rng.random() < 0.35:
            ground = self.grounds[int(rng.choice(self.paired))]
            return self._cut(ground, gsd_m, rng)[:2]
        if kind == "other_ground":
            return self._unbuilt(gsd_m, rng), self._unbuilt(gsd_m, rng)
        chip = self._cut(self._any(rng), gsd_m, rng)[0]
        if kind == "other_place":
            return chip, self._cut(self._any(rng), gsd_m, rng)[0]
        changed = chip
        if kind == "built":
            changed = built(chip, self._cut(self._any(rng), gsd_m, rng)[0], rng, self.drawn_ground)
        elif kind == "removed":
            changed = removed(chip, rng)
        return chip, _shifted(changed, rng)

    def _unbuilt(self, gsd_m: float, rng: np.random.Generator) -> Chip:
        """Ground with next to no building on it, where such can be found."""
        for _ in range(TRIES):
            chip = self._cut(self._any(rng), gsd_m, rng)[0]
            if (chip.label == BUILDING).mean() < NEXT_TO_NONE:
                break
        return chip

    def _any(self, rng: np.random.Generator) -> TrainingScene:
        return self.grounds[int(rng.choice(len(self.grounds), p=self.chance))]

    def _cut(self, ground: TrainingScene, gsd_m: float, rng: np.random.Generator) -> tuple[Chip, Chip, Bytes]:
        """Turned, mirrored squares of both dates (or twice of the one) at `gsd_m`, and what is known of the change.

        Finer than the ground was photographed by 1.7 times at most.
        """
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
        if ground.other is None:
            return first, first, np.full_like(label, CHANGE_UNKNOWN)
        other = Chip(_warp(ground.other, to_source, self.side, cv2.INTER_LINEAR, scale), label, gsd_m)
        if ground.change is None:
            return first, other, np.full_like(label, CHANGE_UNKNOWN)
        return first, other, _warp(ground.change, to_source, self.side, cv2.INTER_NEAREST, 1.0)


def _chances(weights: list[float]) -> NDArray[np.float64] | None:
    """Weights → chances; None where there is nothing to choose from."""
    total = sum(weights)
    return np.array(weights) / total if total else None


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


def change_target(sample: ChipPair) -> tuple[torch.Tensor, torch.Tensor]:
    """(changed, known): labeled as change, or a building on one date only; and where either is known."""
    before, after = sample.label_before, sample.label_after
    both = (before > 0) & (after > 0)
    differs = ((before == BUILDING) != (after == BUILDING)) & both
    labeled = sample.change != CHANGE_UNKNOWN
    return torch.where(labeled, sample.change == CHANGED, differs), labeled | both
