"""Light, season, haze and optics of one date: what differs between two images of ground that did not change."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[Any]
"""uint8; OpenCV's own types do not say so."""
Image = NDArray[Any]
"""float32, 0 to 1."""


def another_day(image: Bytes, rng: np.random.Generator) -> Bytes:
    """The same ground as another day and another camera would show it; rows × columns × 3 uint8."""
    seen = image.astype(np.float32) / 255
    if rng.random() < 0.5:
        seen = season(seen, rng)
    seen = light(seen, rng)
    if rng.random() < 0.25:
        seen = haze(seen, rng)
    if rng.random() < 0.15:
        seen = cloud_shadow(seen, rng)
    seen = optics(seen, rng)
    return np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)


def season(image: Image, rng: np.random.Generator) -> Image:
    """What is green turns brown, dry or lush; the rest stays."""
    green = np.clip((2 * image[..., 1] - image[..., 0] - image[..., 2]) * 6 + 0.3, 0, 1)[..., None]
    toward = np.array(
        rng.choice([(0.55, 0.47, 0.35), (0.62, 0.58, 0.42), (0.25, 0.42, 0.18), (0.35, 0.30, 0.25)])
    )
    brightness = image.mean(axis=2, keepdims=True) / 0.45
    turned = toward.astype(np.float32) * brightness
    return np.asarray(image + green * rng.uniform(0, 0.8) * (turned - image))


def light(image: Image, rng: np.random.Generator) -> Image:
    """Sun, exposure and colour balance: gamma, gain and offset, a band each."""
    gamma = np.exp(rng.normal(0, 0.22))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.07, 3))
    offset = rng.normal(0, 0.04) + rng.normal(0, 0.015, 3)
    seen = np.clip(image, 0, 1) ** gamma * gain.astype(np.float32) + offset.astype(np.float32)
    gray = seen.mean(axis=2, keepdims=True)
    seen = gray + (seen - gray) * rng.uniform(0.4, 1.4)
    mean = seen.mean()
    return np.asarray(mean + (seen - mean) * np.exp(rng.normal(0, 0.2)), dtype=np.float32)


def haze(image: Image, rng: np.random.Generator) -> Image:
    """A veil, thicker in places."""
    veil = _smooth_field(image.shape, rng)[..., None] * rng.uniform(0.05, 0.45)
    color = np.array([0.80, 0.83, 0.87], dtype=np.float32) * rng.uniform(0.8, 1.1)
    return image * (1 - veil) + veil * color


def cloud_shadow(image: Image, rng: np.random.Generator) -> Image:
    """A soft-edged darker part."""
    inside = np.clip((_smooth_field(image.shape, rng) - 0.55) * 12, 0, 1)[..., None]
    return image * (1 - inside * rng.uniform(0.2, 0.5))


def optics(image: Image, rng: np.random.Generator) -> Image:
    """Blur or sharpening, noise, JPEG blocks."""
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1))
    elif rng.random() < 0.3:
        image = image + (image - cv2.GaussianBlur(image, (0, 0), 1.0)) * rng.uniform(0.2, 1.0)
    if rng.random() < 0.4:
        image = image + rng.normal(0, rng.uniform(0.004, 0.03), image.shape).astype(np.float32)
    if rng.random() < 0.3:
        coded = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.float32) / 255
    return image


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    """Rows × columns, 0 to 1, changing slowly."""
    coarse = rng.random((4, 4)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), 0, 1)
