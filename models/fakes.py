"""Pairs of dates made from single ones: ground that did not change, and ground where something was built or removed.

Everything is drawn before the weather of either date, so that both dates pass through the same degradations; patches
that change nothing (a lawn, a car park, bare ground) are pasted with the same seams as roofs, so that a seam tells
nothing of change.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.drawn_ground import drawn_ground
from models.training_scene import OTHER

Bytes = NDArray[Any]
"""uint8; OpenCV's own types do not say so."""
BUILDING = 1
SMALLEST_M2 = 25.0


@dataclass(frozen=True)
class Chip:
    """A square of one date: rows × columns × 3, and its label codes."""

    image: Bytes
    label: Bytes
    gsd_m: float


def built(chip: Chip, donor: Chip, rng: np.random.Generator, drawn: float = 0.0) -> Chip:
    """`chip` with one to four things put on it: roofs of `donor`, procedural roofs, or ground that is no building.

    `drawn`: how much of that ground is drawn from nothing rather than pasted.
    """
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.random()
        if kind < 0.35:
            chip = _paste_roof(chip, donor, rng)
        elif kind < 0.7:
            chip = _draw_roof(chip, rng)
        elif drawn and rng.random() < drawn:
            chip = _draw_ground(chip, rng)
        else:
            chip = _paste_ground(chip, donor, rng)
    return chip


def _blend(chip: Chip, over: Bytes, mask: Bytes, code: int, rng: np.random.Generator) -> Chip:
    """`over` where `mask`, with soft edges; a roof throws a shadow first."""
    image = chip.image.astype(np.float32)
    if code == BUILDING and rng.random() < 0.8:
        image = _with_shadow(image, mask, chip.gsd_m, rng)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.4, 1.2))[..., None]
    mixed = image * (1 - soft) + over.astype(np.float32) * soft
    label = np.where(mask > 0, np.uint8(code), chip.label)
    return Chip(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8), label, chip.gsd_m)


def _with_shadow(image: NDArray[Any], mask: Bytes, gsd_m: float, rng: np.random.Generator) -> NDArray[Any]:
    reach = rng.uniform(1.5, 9) / gsd_m
    angle = rng.uniform(0, 2 * np.pi)
    cast = mask.copy()
    for part in np.linspace(0.2, 1, 5):
        cast |= _moved(mask, reach * part * np.cos(angle), reach * part * np.sin(angle))
    soft = cv2.GaussianBlur(cast.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(image * (1 - soft * rng.uniform(0.35, 0.7)))


def _moved(mask: Bytes, dx: float, dy: float) -> Bytes:
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    return cv2.warpAffine(mask, shift, mask.shape[::-1], flags=cv2.INTER_NEAREST)


def _paste_roof(chip: Chip, donor: Chip, rng: np.random.Generator) -> Chip:
    """One building of `donor`, at another place, where nothing is built."""
    count, parts = cv2.connectedComponents((donor.label == BUILDING).astype(np.uint8), connectivity=4)
    if count < 2:
        return _draw_roof(chip, rng)
    mask = (parts == int(rng.integers(1, count))).astype(np.uint8)
    side = mask.shape[0]
    rows, columns = np.nonzero(mask)
    if len(rows) * donor.gsd_m**2 < SMALLEST_M2 or len(rows) > 0.4 * mask.size:
        return _draw_roof(chip, rng)
    dx, dy = (int(rng.integers(0, side)) - int(np.median(axis)) for axis in (columns, rows))
    mask = _moved(mask, dx, dy)
    if ((chip.label == BUILDING) & (mask > 0)).any():
        return chip
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    over = cv2.warpAffine(donor.image, shift, (side, side), borderMode=cv2.BORDER_REFLECT)
    return _blend(chip, over, mask, BUILDING, rng)


def _paste_ground(chip: Chip, donor: Chip, rng: np.random.Generator) -> Chip:
    """Ground of `donor` in a random shape: it changes, and no building does."""
    mask = _rectangle(chip, rng, 4, 60) if rng.random() < 0.5 else _blob(chip, rng)
    free = (donor.label != BUILDING) & (donor.label > 0) & (chip.label != BUILDING)
    mask = mask & free.astype(np.uint8)
    label = np.where(mask > 0, donor.label, chip.label)
    return Chip(_blend(chip, donor.image, mask, OTHER, rng).image, label, chip.gsd_m)


def _draw_ground(chip: Chip, rng: np.random.Generator) -> Chip:
    """A road, a pond, …: it changes what is seen, and no building does."""
    over, mask = drawn_ground(chip.label.shape[0], chip.gsd_m, rng)
    mask = mask & (chip.label != BUILDING).astype(np.uint8)
    return _blend(chip, over, mask, OTHER, rng)


def _blob(chip: Chip, rng: np.random.Generator) -> Bytes:
    coarse = rng.random((6, 6)).astype(np.float32)
    smooth = cv2.resize(coarse, chip.label.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (smooth > rng.uniform(0.6, 0.85)).astype(np.uint8)


def _rectangle(chip: Chip, rng: np.random.Generator, shortest_m: float, longest_m: float) -> Bytes:
    """A turned rectangle, sometimes with a wing, at a random place."""
    side = chip.label.shape[0]
    length = np.exp(rng.uniform(np.log(shortest_m), np.log(longest_m)))
    size = np.array([length, length * rng.uniform(0.35, 1)]) / chip.gsd_m
    center, angle = rng.uniform(0, side, 2), rng.uniform(0, 180)
    mask = np.zeros((side, side), dtype=np.uint8)
    _fill(mask, center, size, angle)
    if rng.random() < 0.35:
        _fill(mask, center + size.min() * rng.uniform(-0.6, 0.6, 2), size * rng.uniform(0.4, 0.8), angle + 90)
    return mask


def _fill(mask: Bytes, center: NDArray[np.float64], size: NDArray[np.float64], angle: float) -> None:
    corners = cv2.boxPoints(((float(center[0]), float(center[1])), (float(size[0]), float(size[1])), angle))
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)


def _draw_roof(chip: Chip, rng: np.random.Generator) -> Chip:
    """A procedural roof: sheds and halls with ribs, skylights or panels; houses with two slopes."""
    mask = _rectangle(chip, rng, 6, 90)
    if not mask.any() or ((chip.label == BUILDING) & (mask > 0)).any():
        return chip
    side = mask.shape[0]
    palette = [(150, 75, 60), (175, 110, 85), (200, 200, 198), (120, 125, 130), (85, 90, 100), (60, 80, 120),
               (235, 235, 232), (160, 150, 135), (70, 110, 95), (110, 70, 60), (45, 55, 80)]  # fmt: skip
    color = np.array(palette[int(rng.integers(len(palette)))], dtype=np.float32) + rng.normal(0, 10, 3)
    angle = rng.uniform(0, np.pi)
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    across = ys * np.cos(angle) - xs * np.sin(angle)
    shade = np.ones((side, side), dtype=np.float32)
    middle = float(np.median(across[mask > 0]))
    if rng.random() < 0.5:
        shade *= np.where(across > middle, rng.uniform(0.7, 0.95), 1.0)
    if rng.random() < 0.4:
        shade *= 1 + rng.uniform(0.03, 0.15) * np.sign(np.sin(along * chip.gsd_m * rng.uniform(0.8, 6)))
    over = color * shade[..., None]
    if rng.random() < 0.25:
        step = rng.uniform(4, 10) / chip.gsd_m
        lit = (np.mod(along, step) < step * 0.3) & (np.mod(across, step) < step * 0.25)
        over = np.where(lit[..., None], color + rng.uniform(-60, 60), over)
    grain = cv2.resize(rng.normal(0, 1, (side // 4, side // 4)).astype(np.float32), (side, side))
    over = over + grain[..., None] * rng.uniform(0, 8) + rng.normal(0, 3, over.shape)
    return _blend(chip, np.clip(over, 0, 255).astype(np.uint8), mask, BUILDING, rng)


def removed(chip: Chip, rng: np.random.Generator) -> Chip:
    """`chip` without some of its buildings: the ground beside, brought over them, in place of the roof and its edge."""
    count, parts = cv2.connectedComponents((chip.label == BUILDING).astype(np.uint8), connectivity=4)
    gone = np.isin(parts, [k for k in range(1, count) if rng.random() < 0.6]).astype(np.uint8)
    if not gone.any() or gone.mean() > 0.35:
        return chip
    side = gone.shape[0]
    wide = cv2.dilate(gone, np.ones((5, 5), np.uint8))
    dx, dy = (int(v) for v in rng.integers(-side // 2, side // 2, 2))
    shift = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
    over = cv2.warpAffine(chip.image, shift, (side, side), borderMode=cv2.BORDER_REFLECT)
    from_label = cv2.warpAffine(
        chip.label, shift, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    # Only ground may be brought: where another roof would come, the first colour of the surroundings serves.
    bad = (from_label == BUILDING) | (from_label == 0)
    ring = (cv2.dilate(gone, np.ones((11, 11), np.uint8)) > 0) & (chip.label > 1)
    plain = chip.image[ring].mean(axis=0) if ring.any() else chip.image.reshape(-1, 3).mean(axis=0)
    over = np.where(bad[..., None], (plain + rng.normal(0, 6, over.shape)).clip(0, 255), over).astype(
        np.uint8
    )
    return _blend(chip, over, wide, OTHER, rng)
