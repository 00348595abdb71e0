"""The real Sentinel-2 series of the demonstration: fetched by package name, checked, cut into scenes.

1 km² of forest in the Romanian Carpathians, 10 m, 140 dates from 2015 to 2020, carried by the wheel of the
PyPI package nrt 0.2.1 (EUPL-1.2; contains modified Copernicus Sentinel data). The package is not installed.
"""

import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from ground.errors import BadInput, Unreachable, one_line
from ground.files import sha256, staging_folder
from imagery.catalog import open_scene
from imagery.raster import to_cog, writing
from imagery.scene import BandRef, Grid, Scene
from imagery.stac import write_item

PACKAGE = "nrt==0.2.1"
WHEEL = "nrt-0.2.1-py3-none-any.whl"
WHEEL_SHA256 = "cd0291f99ce91268a0d993f05be1c69678d62504b01d36e7124d0ff3a51b3ee9"
MEMBER = "nrt/data/sentinel2_cube_subset_romania_10m.nc"
BANDS = {"B02": "B2", "B03": "B3", "B04": "B4", "B08": "B8"}
"""Our band name, and the cube's."""
MASK = "SCL"
LICENCE = "contains modified Copernicus Sentinel data; from the package nrt 0.2.1, EUPL-1.2"
FETCH_SECONDS = 300


def fetch(cache: Path) -> Path:
    """The wheel, from the cache or the package registry that pip is set up for.

    Raises:
        Unreachable: the registry does not answer.
        BadInput: it answers with another file than the one expected.
    """
    wheel = cache / WHEEL
    if wheel.is_file() and sha256(wheel) == WHEEL_SHA256:
        return wheel
    with staging_folder(cache) as staging:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        try:
            done = subprocess.run(
                [*command, "--dest", str(staging), PACKAGE], capture_output=True, text=True,
                timeout=FETCH_SECONDS, check=False,
            )  # fmt: skip
            failed, said = done.returncode != 0, done.stderr
        except subprocess.TimeoutExpired:
            failed, said = True, f"no answer in {FETCH_SECONDS} s"
        if failed or not (staging / WHEEL).is_file():
            raise Unreachable(
                f"{PACKAGE}: the package registry could not be reached or refused ({_last_line(said)}); connect to "
                f"the internet, set pip up for your mirror, or put {WHEEL} into {cache}, then run again"
            )
        found = sha256(staging / WHEEL)
        if found != WHEEL_SHA256:
            raise BadInput(
                f"{WHEEL}: its sha256 is {found}, not {WHEEL_SHA256}; it was altered on the way, do not use it"
            )
        os.replace(staging / WHEEL, wheel)
    return wheel


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("WARNING")]
    return one_line(lines[-1] if lines else "no reason given", 200)


def cube(cache: Path) -> Path:
    """The NetCDF cube unpacked from the wheel into the cache."""
    target = cache / Path(MEMBER).name
    if not target.is_file():
        wheel = fetch(cache)
        with staging_folder(cache) as staging, zipfile.ZipFile(wheel) as archive:
            os.replace(archive.extract(MEMBER, staging), target)
    return target


@contextmanager
def _opened(path: Path, name: str) -> Iterator[DatasetReader]:
    """A variable of the cube; that GDAL finds no geotransform in it is known and no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(f"netcdf:{path}:{name}") as source:
            yield source


def days(path: Path) -> list[datetime]:
    """The acquisition day of each layer of the cube, from its own time axis."""
    with _opened(path, "B4") as source:
        units = source.tags()["time#units"]
        values = [float(source.tags(i)["NETCDF_DIM_time"]) for i in source.indexes]
    origin = datetime.fromisoformat(units.removeprefix("days since ")).replace(tzinfo=UTC)
    return [origin + timedelta(days=value) for value in values]


def _coordinates(path: Path, axis: str) -> NDArray[np.float64]:
    with _opened(path, axis) as source:
        return np.asarray(source.read(1).ravel())


def _grid(path: Path) -> Grid:
    """The cube's grid: GDAL finds no geotransform there, the axes give pixel centers."""
    x, y = _coordinates(path, "x"), _coordinates(path, "y")
    step_x, step_y = float(x[1] - x[0]), float(y[1] - y[0])
    transform = Affine(step_x, 0, float(x[0]) - step_x / 2, 0, step_y, float(y[0]) - step_y / 2)
    return Grid(CRS.from_epsg(3035), transform, len(x), len(y))


def write_scene(path: Path, day: str, folder: Path) -> Path:
    """The scene of a day (ISO) as COGs of bands and mask with a STAC Item; returns the Item's path.

    Raises:
        BadInput: the series has no such day.
    """
    moments = {moment.date().isoformat(): i for i, moment in enumerate(days(path), 1)}
    if day not in moments:
        raise BadInput(f"{path.name}: holds no scene of {day}; choose one of {', '.join(moments)}")
    index, grid, name = moments[day], _grid(path), f"sentinel-2-{day}"
    bands = _read(path, list(BANDS.values()), index)
    _write_cog(bands.astype("uint16"), list(BANDS), grid, folder / f"{name}.tif", 0)
    _write_cog(_read(path, [MASK], index).astype("uint8"), [MASK], grid, folder / f"{name}-{MASK}.tif", None)
    image, mask = str(folder / f"{name}.tif"), str(folder / f"{name}-{MASK}.tif")
    scene = Scene(
        id=name,
        sensor="sentinel-2",
        acquired_utc=datetime.fromisoformat(day).replace(tzinfo=UTC),
        bands=tuple(BandRef(band, image, i) for i, band in enumerate(BANDS, 1)),
        mask=BandRef(MASK, mask, 1),
        grid=grid,
        source=image,
    )
    item = folder / f"{name}.json"
    write_item(scene, item, {href: sha256(Path(href)) for href in scene.files}, LICENCE)
    open_scene(item)
    return item


def _read(path: Path, names: list[str], index: int) -> NDArray[Any]:
    layers = []
    for name in names:
        with _opened(path, name) as source:
            layers.append(source.read(index))
    return np.stack(layers)


def _write_cog(
    values: NDArray[Any], names: list[str], grid: Grid, target: Path, nodata: float | None
) -> None:
    with staging_folder(target.parent) as staging:
        plain = staging / "plain.tif"
        with writing(plain, grid, count=len(values), dtype=values.dtype.name, nodata=nodata) as sink:
            sink.write(values)
            sink.descriptions = tuple(names)
        to_cog(plain, staging / target.name, "NEAREST" if nodata is None else "AVERAGE")
        os.replace(staging / target.name, target)
