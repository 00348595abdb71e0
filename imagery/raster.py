"""Raster files opened, checked and written whole: every fault names the file and the mend."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from pyproj import CRS
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ground.crs import crs_of
from ground.errors import BadInput, one_line
from ground.files import cannot_write, libraries_silenced
from imagery import remote
from imagery.address import Address
from imagery.jp2 import breaks_off, is_cut_short
from imagery.scene import Grid

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""rasterio lets some of GDAL's own errors through as they are."""
BLOCK = 512
"""Side of a stored block: every GeoTIFF that we write, and the window sizes that suit it."""

COG_OPTIONS = {
    "compress": "ZSTD", "level": 1, "blocksize": BLOCK, "predictor": "STANDARD", "num_threads": "ALL_CPUS",
}  # fmt: skip
"""Level 1 packs almost as well as 9 and several times as fast."""
TILED = {"driver": "GTiff", "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "IF_SAFER"}

SPOT, SPOTS = 64, 4
"""Side of a spot at which an alpha band is looked at, and how many there are along each side."""
BLURRED = 0.05
"""Part of a true alpha band's pixels that may be neither clear nor opaque: its blurred edges."""


CACHE_BYTES = 128 << 20
"""Decoded blocks that GDAL may keep; its own default is a twentieth of the machine's memory."""


def small_cache() -> rasterio.Env:
    """A context within which GDAL keeps no more than `CACHE_BYTES` of decoded blocks."""
    return rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES)


FILTERS = threading.RLock()
"""Held while warning filters change, for they are the whole process's: by us, or by rasterio where it draws shapes."""


@contextmanager
def opened(href: str) -> Iterator[DatasetReader]:
    """A raster to read from.

    Raises:
        BadInput: absent, not a raster, truncated or corrupt, also when found while reading.
    """
    elsewhere = isinstance(href, Address)
    if not elsewhere and not href.startswith(("netcdf:", "/vsi")) and not Path(href).is_file():
        if Path(href).is_dir():
            raise BadInput(f"{href}: is a folder; give the path of one raster or STAC Item in it")
        raise BadInput(f"{href}: there is no such file; check the path")
    try:
        # Not the dataset's own context, which may only be left in the thread that entered it.
        with closing(_opened_quietly(href)) as source:
            if source.driver.startswith("JP2") and _is_cut_short(href):
                raise unreadable(href, EOFError("the JPEG 2000 codestream has no end"))
            yield source
    except GDAL_ERRORS as error:
        if isinstance(href, Address):
            # A server that refuses or is gone is told of in other words than a spoiled file.
            remote.stamp(href)
        raise unreadable(href, error) from error


def _is_cut_short(href: str) -> bool:
    if isinstance(href, Address):
        return breaks_off(partial(remote.part, href), remote.stamp(href)[0])
    return Path(href).is_file() and is_cut_short(Path(href))


def _opened_quietly(href: str) -> DatasetReader:
    """That pixels have no place on earth is an error of our own (`grid_of`), not a warning beside it."""
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        if not isinstance(href, Address):
            return rasterio.open(href)
        # Within the lock: the setting is the whole process's, and a local file's sidecars are to be found.
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            return rasterio.open(href.reading)


def said(href: str, error: Exception) -> str:
    """What GDAL says of a file, on one line."""
    text = str(error.__cause__ or error)
    return one_line(href.cleaned(text) if isinstance(href, Address) else text, 160)


def unreadable(href: str, error: Exception) -> BadInput:
    """The sentence for a file that GDAL gives up on."""
    return BadInput(
        f"{href}: cannot be read as a raster, it may be corrupt or cut short ({said(href, error)}); fetch it again"
    )


def grid_of(source: DatasetReader, href: str) -> Grid:
    """The grid of an open raster.

    Raises:
        BadInput: it has no CRS, one that is not tied to the earth, or no geotransform.
    """
    crs = _horizontal(source, href)
    if source.transform.is_identity or not source.transform.determinant:
        raise BadInput(
            f"{href}: has no geotransform, its pixels have no place on earth; georeference it first"
        )
    grid = Grid(_plain(crs), source.transform, source.width, source.height)
    left, bottom, right, top = grid.bounds
    if crs.is_geographic and not (-360 <= left < right <= 540 and -90.001 <= bottom < top <= 90.001):
        raise BadInput(
            f"{href}: its coordinate system {crs.name} is in degrees, but its corners "
            f"({left:g}, {bottom:g}), ({right:g}, {top:g}) are not; set the true one"
        )
    return grid


def check_measured(source: DatasetReader, href: str) -> None:
    """Whether the values of an open raster measure anything that can be compared.

    Raises:
        BadInput: they are complex, or numbers of a color table.
    """
    if any(dtype.startswith("complex") for dtype in source.dtypes):
        raise BadInput(
            f"{href}: its pixels are complex numbers, as of a radar's phase; give amplitude or intensity"
        )
    if ColorInterp.palette in source.colorinterp:
        raise BadInput(
            f"{href}: its pixels are numbers of a color table, not measured values; "
            "expand them with `gdal_translate -expand rgb`"
        )


def mask_band(source: DatasetReader) -> int | None:
    """Index of the band that says what an open raster recorded: its alpha, or 0 for a mask that is no band."""
    if alpha := alpha_band(source):
        return alpha
    own = (
        MaskFlags.per_dataset in source.mask_flag_enums[0]
        and MaskFlags.alpha not in source.mask_flag_enums[0]
    )
    return 0 if own else None


def alpha_band(source: DatasetReader) -> int | None:
    """Index of the alpha band, if there is one that behaves so.

    GDAL calls the fourth of four byte bands alpha unasked: near infrared then, which is not all or nothing.
    """
    if ColorInterp.alpha not in source.colorinterp:
        return None
    index = int(source.colorinterp.index(ColorInterp.alpha)) + 1
    seen = np.concatenate([source.read(index, window=window).ravel() for window in _spots(source)])
    # The two commonest values of a true one are clear and opaque, whatever number stands for opaque.
    counts = np.sort(np.unique(seen, return_counts=True)[1])
    return index if counts[:-2].sum() <= BLURRED * seen.size else None


def _spots(source: DatasetReader) -> list[Window]:
    """A few small windows spread over a raster."""
    columns, rows = (
        sorted({max(0, (size - SPOT) * i // (SPOTS - 1)) for i in range(SPOTS)})
        for size in (source.width, source.height)
    )
    side = min(SPOT, source.width), min(SPOT, source.height)
    return [Window(column, row, *side) for row in rows for column in columns]


def _horizontal(source: DatasetReader, href: str) -> CRS:
    """The CRS of an open raster, without heights."""
    if not source.crs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            by_points = bool(source.gcps[0] or source.rpcs)
        raise BadInput(
            f"{href}: is placed by control points or an RPC model only; orthorectify it first, for example "
            "with `gdalwarp -t_srs EPSG:4490`"
            if by_points
            else f"{href}: has no coordinate system (CRS); set the true one, for example "
            f"`rio edit-info --crs EPSG:4490 {href}`"
        )
    crs = crs_of(source.crs.to_wkt(), href).to_2d()
    if not (crs.is_geographic or crs.is_projected):
        raise BadInput(
            f"{href}: its coordinate system {crs.name!r} is not tied to the earth; set the true one"
        )
    return crs


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


def to_cog(source: Path, target: Path, overview_resampling: str = "AVERAGE", **creation: Any) -> None:
    """A Cloud-Optimized GeoTIFF of a GeoTIFF, with overviews; the caller names a path in a staging folder.

    `creation`: options of GDAL's COG driver that outrank ours.
    """
    options = COG_OPTIONS | {"overview_resampling": overview_resampling} | creation
    try:
        with libraries_silenced():
            rasterio.shutil.copy(source, target, driver="COG", **options)
            _check_written(target)
    except GDAL_ERRORS as error:
        raise cannot_write(target, error) from error


def _check_written(path: Path) -> None:
    """GDAL reports a full disk late or only in its log, and a block that was not written reads as nodata."""
    size = path.stat().st_size
    with rasterio.open(path) as written:
        for (row, column), _ in written.block_windows(1):
            for band in written.indexes:
                start, length = (
                    int(written.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band) or 0)
                    for what in ("OFFSET", "SIZE")
                )
                if not start or start + length > size:
                    raise RasterioIOError(f"block {column}, {row} of band {band} was not written")
        last = Window(written.width - 1, written.height - 1, 1, 1)
        written.read(window=last)
