"""Pictures with answers known by hand: flat ground, houses drawn on it, the same on another day."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

GROUND, ROOF = (92, 118, 74), (196, 92, 70)


def picture(
    side: int = 128, houses: tuple[tuple[int, int, int, int], ...] = (), seed: int = 0
) -> NDArray[Any]:
    """3 × side × side bytes: grass with noise, a red roof for each (row, column, height, width)."""
    rng = np.random.default_rng(seed)
    image = np.array(GROUND, dtype=float)[:, None, None] + rng.normal(0, 6, (3, side, side))
    for row, column, height, width in houses:
        image[:, row : row + height, column : column + width] = np.array(ROOF, dtype=float)[
            :, None, None
        ] + rng.normal(0, 4, (3, height, width))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def mask(side: int = 128, houses: tuple[tuple[int, int, int, int], ...] = ()) -> NDArray[Any]:
    """side × side: 1 where a house stands."""
    plane = np.zeros((side, side), dtype=np.uint8)
    for row, column, height, width in houses:
        plane[row : row + height, column : column + width] = 1
    return plane


def write(path: Path, image: NDArray[Any], gsd_m: float | None = None) -> Path:
    """PNG without a place, or GeoTIFF (UTM 50N) with pixels of `gsd_m`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = image if image.ndim == 3 else image[None]
    profile: dict[str, Any] = {
        "count": len(bands),
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": "uint8",
    }
    if gsd_m is not None:
        profile |= {"crs": "EPSG:32650", "transform": from_origin(500_000, 4_000_000, gsd_m, gsd_m)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff" if gsd_m else "PNG", **profile) as sink:
            sink.write(bands)
    return path


TRAINING = """
[drawn]
license = "ours"
images = "images/*.png"
masks = "masks/{stem}.png"
gsd_m = 0.5
values = { 0 = "other", 1 = "building" }
held_out = ["place-0"]
"""


def training_folder(root: Path, places: int = 4, side: int = 128) -> Path:
    """Drawn places with one to three houses each, and the TOML that describes them."""
    rng = np.random.default_rng(7)
    for k in range(places):
        houses = tuple(
            (int(rng.integers(4, side - 64)), int(rng.integers(4, side - 64)), 24 + 4 * k, 30)
            for _ in range(1 + k % 3)
        )
        write(root / "images" / f"place-{k}.png", picture(side, houses, seed=k))
        write(root / "masks" / f"place-{k}.png", mask(side, houses))
    (root / "data.toml").write_text(TRAINING)
    return root
