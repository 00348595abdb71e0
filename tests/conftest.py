"""Tiny worlds for the tests of ground, imagery and detection: every value in them is known."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, settings
from rasterio.transform import from_origin

from imagery import remote
from tests.remote_world import Objects, draw, serving

# The same examples in every run, on every machine; fixtures here hold nothing that an example could change.
settings.register_profile(
    "tiankan",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("tiankan")

UTM = from_origin(600_000, 4_200_000, 10, 10)
"""10 m pixels of UTM zone 49N; where a test names no other place, its world lies here."""


@pytest.fixture
def raster(tmp_path: Path) -> Callable[..., Path]:
    """Writes values (bands, rows, columns) as a GeoTIFF: 10 m pixels in EPSG:32649 unless told otherwise."""

    def write(
        name: str,
        values: Any,
        transform: Any = UTM,
        crs: Any = "EPSG:32649",
        names: list[str] | None = None,
        mask: Any = None,
        **profile: Any,
    ) -> Path:
        values = np.asarray(values)
        bands, height, width = values.shape
        shape = {"count": bands, "height": height, "width": width, "dtype": values.dtype.name}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                tmp_path / name, "w", driver="GTiff", crs=crs, transform=transform, **shape | profile
            ) as sink,
        ):
            sink.write(values)
            if names:
                sink.descriptions = names
            if mask is not None:
                sink.write_mask(mask)
        return tmp_path / name

    return write


@pytest.fixture
def numbered() -> Callable[..., Any]:
    """Values that tell where they are from: 1000 · band + 20 · row + column + 1, never 0."""

    def make(bands: int, height: int, width: int, dtype: str = "uint16") -> Any:
        band, row, column = np.mgrid[1 : bands + 1, :height, :width]
        return (1000 * band + 20 * row + column + 1).astype(dtype)

    return make


@pytest.fixture
def noisy_pair() -> Callable[..., tuple[Any, Any]]:
    """Before and after of unchanged ground: other light (a gain and an offset for each band), noise of 15."""

    def make(bands: int, height: int, width: int, seed: int = 1) -> tuple[Any, Any]:
        random = np.random.default_rng(seed)
        ground = random.normal(0, 250, (bands, height, width)).cumsum(axis=1) / 4 + 3000
        light = (1 + 0.1 * np.arange(bands))[:, None, None]
        before = ground + random.normal(0, 15, ground.shape)
        after = ground * light + 100 + random.normal(0, 15, ground.shape)
        return before, after

    return make


@pytest.fixture
def objects(
    tmp_path: Path, noisy_pair: Callable[..., tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Objects]:
    """A server on loopback of `bucket/before.tif` and `bucket/after.tif`; what fails is tried again at once."""
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setattr(remote, "PAUSE_S", 0.01)
    draw(tmp_path / "served" / "bucket", noisy_pair)
    with serving(tmp_path / "served") as served:
        yield served


@pytest.fixture
def bucket(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """The same server as S3, for anybody to read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_S3_ENDPOINT", objects.host)
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return objects
