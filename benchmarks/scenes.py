"""Pairs and masks drawn for the benchmarks: textured RGB with planted changes, of any size, the same every time."""

from pathlib import Path

import numpy as np
import rasterio
import scipy.ndimage
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window

from imagery.raster import to_cog, writing
from imagery.scene import Grid

TILE = 2048
"""Pixels of texture drawn once and laid side by side."""
GSD_M = 0.5


def _texture(seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    total = np.zeros((TILE, TILE), dtype=np.float32)
    for size in (1.5, 4, 16, 64):
        noise = random.standard_normal((TILE, TILE)).astype(np.float32)
        total += scipy.ndimage.gaussian_filter(noise, size, mode="wrap") * size * 18
    return total


def _dates() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    ground = np.stack([_texture(seed) for seed in range(3)]) * 0.8 + 110 + _texture(9)
    change = np.zeros((TILE, TILE), dtype=np.float32)
    for _ in range(300):
        row, column = random.integers(0, TILE - 48, 2)
        height, width = random.integers(6, 40, 2)
        change[row : row + height, column : column + width] = 80 * random.choice([-1, 1])
    later = ground * 1.05 + 3 + change + random.normal(0, 4, ground.shape)
    return np.clip(ground, 1, 254).astype(np.uint8), np.clip(later, 1, 254).astype(np.uint8)


def draw_pair(folder: Path, side: int, sparse: bool = False) -> tuple[Path, Path]:
    """Two RGB GeoTIFFs of side × side pixels, ZSTD in blocks of 512; `sparse`: one tile in nine holds data."""
    paths = folder / f"before{side}.tif", folder / f"after{side}.tif"
    if all(path.is_file() for path in paths):
        return paths
    for path, values in zip(paths, _dates(), strict=True):
        with rasterio.open(
            path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", crs="EPSG:32649",
            transform=from_origin(6e5, 4.2e6, GSD_M, GSD_M), tiled=True, blockxsize=512, blockysize=512,
            compress="ZSTD", zstd_level=1, predictor=2, interleave="pixel", num_threads="ALL_CPUS",
            nodata=0, sparse_ok=True, bigtiff="IF_SAFER",
        ) as sink:  # fmt: skip
            for row in range(0, side, TILE):
                for column in range(0, side, TILE):
                    if sparse and (row // TILE % 3 or column // TILE % 3):
                        continue
                    high, wide = min(TILE, side - row), min(TILE, side - column)
                    sink.write(values[:, :high, :wide], window=Window(column, row, wide, high))
    return paths


def draw_mask(folder: Path, side: int = 20_000, groups: int = 410) -> Path:
    """A change map of side² pixels with groups² blobs of change: 168,100 for 410."""
    path = folder / f"mask{side}.tif"
    if path.is_file():
        return path
    random, step = np.random.default_rng(0), side // groups
    probability = np.zeros((side, side), dtype=np.uint8)
    for i in range(groups):
        for j in range(groups):
            blob = _blob(random, step)
            row, column = i * step + 1, j * step + 1
            probability[row : row + blob.shape[0], column : column + blob.shape[1]] = blob
    grid = Grid(CRS.from_epsg(32649), from_origin(6e5, 4.2e6, GSD_M, GSD_M), side, side)
    plain = folder / "plain-mask.tif"
    with writing(plain, grid, count=2, dtype="uint8", nodata=255, compress="ZSTD", zstd_level=1) as sink:
        sink.write(probability, 1)
        sink.write(np.zeros_like(probability), 2)
    to_cog(plain, path, "NEAREST")
    plain.unlink()
    return path


def _blob(random: np.random.Generator, step: int) -> NDArray[np.uint8]:
    """One connected shape with a ragged border, no wider than its cell."""
    height, width = random.integers(8, step - 2, 2)
    noise = scipy.ndimage.gaussian_filter(random.random((height, width)), 2)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = noise / noise.mean() - 0.5 * (rows**2 + columns**2) > 0.6
    labels, count = scipy.ndimage.label(inside)
    if not count:
        inside[:] = True
        labels = inside.astype(int)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.where(labels == largest, random.integers(130, 254), 0).astype(np.uint8)
