"""Raster files opened, checked and written whole: every fault names the file and the mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from pyproj import CRS
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from ground.crs import crs_of
from ground.errors import BadInput, one_line
from ground.files import cannot_write, libraries_silenced
from imagery.scene import Grid

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""rasterio lets some of GDAL's own errors through as they are."""
BLOCK = 512
"""Side of a stored block: every GeoTIFF that we write, and the window sizes that suit it."""

COG_OPTIONS = {"compress": "ZSTD", "blocksize": BLOCK, "predictor": "STANDARD", "num_threads": "ALL_CPUS"}
TILED = {"driver": "GTiff", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "IF_SAFER"}


@contextmanager
def opened(href: str) -> Iterator[DatasetReader]:
    """A raster to read from.

    Raises:
        BadInput: absent, not a raster, truncated or corrupt, also when found while reading.
    """
    if not href.startswith(("netcdf:", "/vsi")) and not Path(href).is_file():
        raise BadInput(f"{href}: there is no such file; check the path")
    try:
        with rasterio.open(href) as source:
            yield source
    except GDAL_ERRORS as error:
        raise unreadable(href, error) from error


def unreadable(href: str, error: Exception) -> BadInput:
    """The sentence for a file that GDAL gives up on."""
    detail = one_line(error.__cause__ or error, 160)
    return BadInput(
        f"{href}: cannot be read as a raster, it may be corrupt or cut short ({detail}); fetch it again"
    )


def grid_of(source: DatasetReader, href: str) -> Grid:
    """The grid of an open raster.

    Raises:
        BadInput: it has no CRS, one that is not tied to the earth, or no geotransform.
    """
    if not source.crs:
        raise BadInput(
            f"{href}: has no coordinate system (CRS); set the true one, for example "
            f"`rio edit-info --crs EPSG:4490 {href}`"
        )
    crs = crs_of(source.crs.to_wkt(), href)
    if not (crs.is_geographic or crs.is_projected):
        raise BadInput(
            f"{href}: its coordinate system {crs.name!r} is not tied to the earth; set the true one"
        )
    if source.transform.is_identity:
        raise BadInput(
            f"{href}: has no geotransform, its pixels have no place on earth; georeference it first"
        )
    return Grid(_plain(crs), source.transform, source.width, source.height)


def _plain(crs: CRS) -> CRS:
    """The authority's own definition where the file's text means the same, so that equal systems compare equal."""
    code = crs.to_epsg(min_confidence=100)
    return CRS.from_epsg(code) if code else crs


def rasterio_crs(crs: CRS) -> rasterio.crs.CRS:
    """The same CRS for GDAL."""
    return rasterio.crs.CRS.from_wkt(crs.to_wkt())


@contextmanager
def writing(path: Path, grid: Grid, **profile: Any) -> Iterator[Any]:
    """A tiled GeoTIFF open for writing block by block; faults of the disk become one sentence."""
    shape = {"width": grid.width, "height": grid.height, "transform": grid.transform}
    try:
        with (
            libraries_silenced(),
            rasterio.open(path, "w", crs=rasterio_crs(grid.crs), **TILED, **shape, **profile) as sink,
        ):
            yield sink
        _check_written(path)
    except GDAL_ERRORS as error:
        raise cannot_write(path, error) from error


def to_cog(source: Path, target: Path, overview_resampling: str = "AVERAGE") -> None:
    """A Cloud-Optimized GeoTIFF of a GeoTIFF, with overviews; the caller names a path in a staging folder."""
    options = COG_OPTIONS | {"overview_resampling": overview_resampling}
    try:
        with libraries_silenced():
            rasterio.shutil.copy(source, target, driver="COG", **options)
            _check_written(target)
    except GDAL_ERRORS as error:
        raise cannot_write(target, error) from error


def _check_written(path: Path) -> None:
    """GDAL reports a full disk late or only in its log: read the last block of each band back."""
    with rasterio.open(path) as written:
        last = rasterio.windows.Window(written.width - 1, written.height - 1, 1, 1)
        written.read(window=last)
