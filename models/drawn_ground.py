"""Ground drawn from nothing: roads, greenhouses, bulldozed earth, ponds, photovoltaic fields; none is a building."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
"""float32, side × side × 3, 0 to 255."""
Mask = NDArray[Any]
"""uint8, side × side."""
Drawn = tuple[Image, Mask]


def drawn_ground(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """One thing, and where it lies."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    image, mask = kind(side, gsd_m, rng)
    grain = cv2.resize(rng.normal(0, 1, (max(side // 3, 2),) * 2).astype(np.float32), (side, side))
    image = image + grain[..., None] * rng.uniform(1, 6) + rng.normal(0, 2.5, image.shape)
    return np.clip(image, 0, 255).astype(np.float32), mask


def road(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """A bent strip of asphalt, concrete or earth, sometimes with a line along its middle."""
    color = _one_of([(95, 95, 98), (150, 148, 142), (165, 135, 100)], rng)
    ends, bend = rng.uniform(0, side, (2, 2)), rng.uniform(-0.3, 0.3, 2) * side
    along = np.linspace(-0.5, 1.5, 60)[:, None]
    line = ends[0] + along * (ends[1] - ends[0]) + 4 * along * (1 - along) * bend
    points = [np.rint(line).astype(np.int32).reshape(-1, 1, 2)]
    mask, marks = _empty(side), _empty(side)
    width = max(int(rng.uniform(3.5, 16) / gsd_m), 2)
    cv2.polylines(mask, points, False, 1, thickness=width)
    image = _flat(side, color)
    if rng.random() < 0.5 and width > 6:
        cv2.polylines(marks, points, False, 1, thickness=1)
        image[marks > 0] = 225
    return image, mask


def greenhouse(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """Rows of bright plastic or glass tunnels with ground between them."""
    mask, (along, across) = _field(side, gsd_m, rng, 15, 90)
    span = rng.uniform(5, 11) / gsd_m
    phase = np.mod(across, span) / span
    image = _flat(side, _one_of([(228, 232, 235), (200, 212, 218), (175, 190, 180)], rng))
    image = image * (0.82 + 0.18 * np.sin(np.pi * phase))[..., None]
    image[phase < rng.uniform(0.05, 0.25)] = _one_of([(120, 105, 85), (95, 110, 75)], rng)
    ribs = np.mod(along, rng.uniform(2, 5) / gsd_m) < 1
    image[ribs] *= 0.93
    return image, mask


def bulldozed(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """Bare earth in a ragged shape, with the tracks of machines."""
    coarse = cv2.resize(rng.random((7, 7)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    mask = (coarse > rng.uniform(0.5, 0.8)).astype(np.uint8)
    shade = cv2.resize(rng.random((12, 12)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    image = _flat(side, _one_of([(185, 155, 120), (160, 120, 90), (205, 195, 175)], rng))
    image = image * (0.85 + 0.3 * shade)[..., None]
    _, (_, across) = _field(side, gsd_m, rng, 15, 90)
    tracks = np.mod(across + shade * 20, rng.uniform(3, 9) / gsd_m) < 1
    image[tracks] *= rng.uniform(0.8, 0.95)
    return image, mask


def pond(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """Still water, dark or green or bright with the sky, in a soft or a dug shape."""
    if rng.random() < 0.5:
        mask, _ = _field(side, gsd_m, rng, 10, 80)
    else:
        mask = _empty(side)
        center, axes = rng.uniform(0, side, 2), rng.uniform(5, 45, 2) / gsd_m
        place = (int(center[0]), int(center[1]))
        cv2.ellipse(
            mask, place, (int(axes[0]) + 2, int(axes[1]) + 2), float(rng.uniform(0, 180)), 0, 360, 1, -1
        )
    image = _flat(side, _one_of([(35, 50, 55), (60, 85, 70), (120, 140, 150), (90, 95, 75)], rng))
    return image, mask


def photovoltaic(side: int, gsd_m: float, rng: np.random.Generator) -> Drawn:
    """Rows of dark panels over ground or water, as in a solar field."""
    mask, (along, across) = _field(side, gsd_m, rng, 25, 120)
    pitch = rng.uniform(4, 9) / gsd_m
    panels = np.mod(across, pitch) < pitch * rng.uniform(0.4, 0.7)
    image = _flat(side, _one_of([(130, 120, 95), (95, 105, 75), (150, 145, 135)], rng))
    image[panels] = _one_of([(40, 50, 80), (30, 35, 50), (60, 75, 110)], rng)
    seams = panels & (np.mod(along, rng.uniform(6, 20) / gsd_m) < 1)
    image[seams] += 40
    return image, mask


Draw = Callable[[int, float, np.random.Generator], Drawn]
KINDS: tuple[Draw, ...] = (road, greenhouse, bulldozed, pond, photovoltaic)


def _empty(side: int) -> Mask:
    return np.zeros((side, side), dtype=np.uint8)


def _flat(side: int, color: NDArray[Any]) -> Image:
    return np.full((side, side, 3), color, dtype=np.float32)


def _one_of(colors: list[tuple[int, int, int]], rng: np.random.Generator) -> NDArray[Any]:
    return np.array(colors[int(rng.integers(len(colors)))], dtype=np.float32) + rng.normal(0, 8, 3)


def _field(
    side: int, gsd_m: float, rng: np.random.Generator, shortest_m: float, longest_m: float
) -> tuple[Mask, tuple[Image, Image]]:
    """A turned rectangle, and each pixel's place along and across it."""
    mask, angle = _empty(side), rng.uniform(0, np.pi)
    center, size = rng.uniform(0, side, 2), rng.uniform(shortest_m, longest_m, 2) / gsd_m
    turned = (
        (float(center[0]), float(center[1])),
        (float(size[0]), float(size[1])),
        float(np.degrees(angle)),
    )
    cv2.fillPoly(mask, [np.rint(cv2.boxPoints(turned)).astype(np.int32)], 1)
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    return mask, (xs * np.cos(angle) + ys * np.sin(angle), ys * np.cos(angle) - xs * np.sin(angle))
