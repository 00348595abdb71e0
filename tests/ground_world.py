"""A ground finer than any scene of it, so that scenes displaced by parts of a pixel have a known truth."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

FINE = 3
"""Points of the ground along a pixel."""
AROUND = 12
"""Pixels of ground around the scene."""
At = Callable[[Any, Any], tuple[Any, Any]]


class Ground:
    """Texture of several sizes in two bands; scenes of width × height pixels are taken of it."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.width, self.height = width, height
        random = np.random.default_rng(seed)
        shape = ((height + 2 * AROUND) * FINE, (width + 2 * AROUND) * FINE)
        self._fine = []
        for mix in ((3, 1, 2), (1, 2, 3)):
            noise = random.normal(size=shape).astype(np.float32)
            parts = [gaussian_filter(noise, FINE * size) * size for size in (0.8, 3.0, 9.0)]
            texture = sum(weight * part / part.std() for weight, part in zip(mix, parts, strict=True))
            self._fine.append(spline_filter(texture, order=3).astype(np.float32))

    def scene(self, at: At | None = None) -> Any:
        """Values of a scene of which pixel (x, y) shows what lies at `at(x, y)`; None: at (x, y)."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        x, y = at(x, y) if at else (x, y)
        places = [(AROUND + v) * FINE for v in (y, x)]
        seen = [map_coordinates(band, places, order=3, prefilter=False) for band in self._fine]
        return np.stack(seen).astype(np.float32)

    def displaced(self, field: At) -> Any:
        """A scene that shows at (x + dx, y + dy) what the ground has at (x, y), for a smooth field dx, dy."""

        def source(x: Any, y: Any) -> tuple[Any, Any]:
            u, v = x, y
            for _ in range(8):
                dx, dy = field(u, v)
                u, v = x - dx, y - dy
            return u, v

        return self.scene(source)


def reader(before: Any, after: Any, codes: Any = None) -> Callable[[Window], tuple[Any, Any, Any]]:
    """What `measure` reads from: windows of a pair in memory."""
    codes = np.zeros(before.shape[1:], np.uint8) if codes is None else codes

    def read(window: Window) -> tuple[Any, Any, Any]:
        place = (
            slice(window.row_off, window.row_off + window.height),
            slice(window.col_off, window.col_off + window.width),
        )
        return before[:, *place], after[:, *place], codes[place]

    return read


def moved_back(field: Any, after: Any, codes: Any = None) -> tuple[Any, Any]:
    """The whole later scene moved by a field, and its codes."""
    from imagery.shift import moved

    height, width = after.shape[1:]
    read = reader(after, after, codes)
    return moved(field, Window(0, 0, width, height), (width, height), lambda window: read(window)[1:])
