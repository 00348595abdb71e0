"""A scene as a picture for the eye: natural color, transparent where nothing was recorded; whole in Web Mercator."""

import io
from dataclasses import dataclass

import numpy as np
from affine import Affine
from PIL import Image
from pyproj import CRS
from rasterio.windows import Window

from ground.crs import transformed, transformer
from imagery.reader import Codes, SceneReader
from imagery.scene import BandRef, Grid, Observation, Scene
from imagery.sensors import common_name

WEB_MERCATOR = CRS.from_epsg(3857)
STRETCH = (1, 99)
"""Percentiles that become black and white."""


@dataclass(frozen=True)
class Quicklook:
    """A PNG and its bounds in EPSG:3857: left, bottom, right, top."""

    png: bytes
    bounds: tuple[float, float, float, float]


def mercator_grid(scene: Scene, most_pixels: int) -> Grid:
    """The scene's box on square Web Mercator pixels, `most_pixels` on the longer side at most."""
    move = transformer(scene.grid.crs, WEB_MERCATOR, scene.source)
    xs, ys = transformed(move, scene.grid.outline())
    left, bottom, right, top = min(xs), min(ys), max(xs), max(ys)
    finest = max(right - left, top - bottom) / max(scene.grid.width, scene.grid.height)
    pixel = max(finest, max(right - left, top - bottom) / most_pixels)
    width, height = (max(1, round((right - left) / pixel)), max(1, round((top - bottom) / pixel)))
    transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    return Grid(WEB_MERCATOR, transform, width, height)


def natural_bands(scene: Scene) -> tuple[BandRef, ...]:
    """Red, green, blue where the scene has them; else its first band, gray."""
    named = {common_name(scene.sensor, ref.name): ref for ref in scene.bands}
    if {"red", "green", "blue"} <= set(named):
        return named["red"], named["green"], named["blue"]
    return (scene.bands[0],)


def painted(scene: Scene, grid: Grid) -> tuple[Image.Image, Codes]:
    """The scene on a grid in natural color (RGBA, clear where nothing was recorded), and the observation codes.

    Clouds are shown, for the eye may see what a mask forbids to measure.
    """
    with SceneReader(scene, grid, natural_bands(scene)) as reader:
        values, codes = reader.read(Window(0, 0, grid.width, grid.height), hide_unseen=False)
    recorded = ~np.isin(codes, (Observation.NODATA, Observation.OUTSIDE))
    low, high = np.percentile(values[:, recorded], STRETCH) if recorded.any() else (0.0, 1.0)
    bright = np.sqrt(np.clip((values - low) / max(high - low, 1e-9), 0, 1))
    rgb = np.broadcast_to((bright * 255).astype(np.uint8), (3, grid.height, grid.width))
    rgba = np.dstack([*rgb, recorded.astype(np.uint8) * 255])
    return Image.fromarray(rgba, "RGBA"), codes


def quicklook(scene: Scene, most_pixels: int = 1024) -> Quicklook:
    """The picture of a scene in Web Mercator."""
    grid = mercator_grid(scene, most_pixels)
    picture, _ = painted(scene, grid)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return Quicklook(stream.getvalue(), grid.bounds)
