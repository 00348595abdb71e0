"""Rasters of any format copied into a catalog as Cloud-Optimized GeoTIFFs, value for value and whole or not at all."""

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ground.errors import BadInput
from ground.files import cannot_write, libraries_silenced, sha256, staging_folder
from imagery.address import whole
from imagery.raster import BLOCK, GDAL_ERRORS, TILED, alpha_band, mask_band, opened, to_cog, unreadable
from imagery.scene import Scene
from imagery.stac import asset_key

Advance = Callable[[str, int, int], None]

LEVEL = 1
"""Of ZSTD: a copy is read far more often than it is stored, and level 9 saves few percent for ten times the work."""
ROWS = 2 * BLOCK
"""Rows copied at a time: a block of a Sentinel-2 JP2 is as high, and decoding one twice is what takes long."""
BATCH_BYTES = 128 << 20
"""Most memory for the pixels copied at a time."""
PLAIN_KEY = r"\w[\w.-]{0,79}"
NOT_COPIED = (
    "IMAGE_STRUCTURE",
    "DERIVED_SUBDATASETS",
    "SUBDATASETS",
    "TIFF",
    "JPEG2000",
    "RPC",
    "xml:",
    "json:",
)
"""Beginnings of metadata domains that speak of the old file's structure, and not of what was photographed."""


def copied(scene: Scene, folder: Path, kept: dict[Path, str], advance: Advance | None = None) -> Scene:
    """The scene on a COG in `folder` for each of its files; a file that `kept` vouches for by its sha256 stays.

    Raises:
        BadInput: a source is corrupt, cannot be held by a GeoTIFF, or a copy would replace another file.
        CannotWrite: the disk is full; nothing half-written was left.
    """
    targets = {href: folder / f"{_stem(scene, href)}.tif" for href in scene.files}
    missing = [href for href in scene.files if not stands(href, targets[href], kept)]
    counter = _Counter(advance, sum(_pixels(href) for href in missing))
    if missing:
        with staging_folder(folder) as staging:
            for href in missing:
                classes = scene.mask is not None and scene.mask.href == href
                _copy(href, staging / targets[href].name, staging / "plain.tif", classes, counter)
            # Only when every file is whole does any of them get its name.
            for href in missing:
                os.replace(staging / targets[href].name, targets[href])
    counter.done()
    place = {href: str(target) for href, target in targets.items()}
    mask = replace(scene.mask, href=place[scene.mask.href]) if scene.mask else None
    return replace(scene, bands=tuple(replace(ref, href=place[ref.href]) for ref in scene.bands), mask=mask)


def checksums_in(item: Path) -> dict[Path, str]:
    """sha256 of the files beside an Item, as its assets say; empty where there is no Item."""
    if not item.is_file():
        return {}
    assets = json.loads(item.read_text(encoding="utf-8")).get("assets", {}).values()
    found = {asset["href"]: str(asset.get("file:checksum", "")) for asset in assets}
    # Multihash: 0x12 for SHA-256, 0x20 for its 32 bytes.
    return {item.parent / href: code[4:] for href, code in found.items() if code.startswith("1220")}


def _stem(scene: Scene, href: str) -> str:
    if len(scene.files) == 1:
        return scene.id
    key = asset_key(scene, href)
    # An Item may call its bands anything; a file's name may not be anything.
    return f"{scene.id}_{key if re.fullmatch(PLAIN_KEY, key) else scene.files.index(href) + 1}"


def stands(source: str, target: Path, kept: dict[Path, str]) -> bool:
    """Whether the copy is there already, as it was made."""
    if whole(source) == str(target.resolve()):
        raise BadInput(f"{target}: lies in the catalog already and would be replaced; leave out --cog")
    if not target.exists():
        return False
    if target not in kept:
        raise BadInput(
            f"{target}: is there already and no Item says that it is a copy of {source}; rename or remove it"
        )
    return sha256(target) == kept[target]


class _Counter:
    """Pixels copied so far, told as a part of all: the copy is one half of the work, its overviews the other."""

    def __init__(self, advance: Advance | None, pixels: int) -> None:
        self.advance, self.total, self.count = advance, 2 * pixels, 0

    def add(self, pixels: int) -> None:
        self.count += pixels
        if self.advance:
            self.advance("copy", self.count, self.total)

    def done(self) -> None:
        if self.advance:
            self.advance("copy", max(1, self.total), max(1, self.total))


def _pixels(href: str) -> int:
    with opened(href) as source:
        return int(source.width * source.height)


def _copy(href: str, target: Path, plain: Path, classes: bool, counter: _Counter) -> None:
    """Through a plain tiled file: the COG driver would decode the source twice and call its faults its own."""
    with opened(href) as source:
        _check_holdable(source, href)
        _copy_plain(source, href, plain, counter)
        pixels, domains = source.width * source.height, "YES" if _domains(source) else "AUTO"
    to_cog(
        plain, target, "NEAREST" if classes else "AVERAGE",
        level=LEVEL, predictor="YES", copy_src_mdd=domains, bigtiff="IF_SAFER",
    )  # fmt: skip
    plain.unlink()
    counter.add(pixels)


def _check_holdable(source: DatasetReader, href: str) -> None:
    values = {"nan" if value is not None and math.isnan(value) else value for value in source.nodatavals}
    if len(values) > 1:
        said = ", ".join(str(value) for value in source.nodatavals)
        raise BadInput(
            f"{href}: its bands have different nodata values ({said}), of which a GeoTIFF holds one; leave out --cog"
        )
    if len(set(source.dtypes)) > 1:
        said = ", ".join(source.dtypes)
        raise BadInput(
            f"{href}: its bands are of different types ({said}), of which a GeoTIFF holds one; leave out --cog"
        )


def _copy_plain(source: DatasetReader, href: str, plain: Path, counter: _Counter) -> None:
    profile = {
        "crs": source.crs, "transform": source.transform, "width": source.width, "height": source.height,
        "count": source.count, "dtype": source.dtypes[0], "nodata": source.nodata,
        "compress": "ZSTD", "zstd_level": LEVEL, "predictor": 3 if "float" in source.dtypes[0] else 2,
        "num_threads": "ALL_CPUS",
    }  # fmt: skip
    if alpha := alpha_band(source):
        # Said at birth: later it would be but a note, of which other software knows nothing.
        profile |= {"alpha": "YES"} if alpha == source.count else {}
    mask = mask_band(source) == 0
    with ExitStack() as stack:
        stack.enter_context(libraries_silenced())
        stack.enter_context(rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True))
        try:
            sink = stack.enter_context(rasterio.open(plain, "w", **TILED | profile))
            _describe(source, sink)
        except GDAL_ERRORS as error:
            raise cannot_write(plain, error) from error
        for window in _windows(source):
            values, seen = _read(source, href, window, mask)
            try:
                sink.write(values, window=window)
                if seen is not None:
                    sink.write_mask(seen, window=window)
            except GDAL_ERRORS as error:
                raise cannot_write(plain, error) from error
            counter.add(window.width * window.height)


def _read(source: DatasetReader, href: str, window: Window, mask: bool) -> tuple[Any, Any]:
    try:
        return source.read(window=window), source.read_masks(1, window=window) if mask else None
    except GDAL_ERRORS as error:
        raise unreadable(href, error) from error


def _describe(source: DatasetReader, sink: Any) -> None:
    """Everything that a file says beside its pixels."""
    sink.descriptions = source.descriptions
    sink.colorinterp = source.colorinterp
    sink.scales, sink.offsets, sink.units = source.scales, source.offsets, source.units
    domains = _domains(source)
    for domain in (None, *domains):
        sink.update_tags(ns=domain, **source.tags(ns=domain))
    for band in source.indexes:
        # Statistics are the one thing that may be wrong, and is soon counted again.
        tags = {k: v for k, v in source.tags(band).items() if not k.startswith("STATISTICS_")}
        if domains:
            # GDAL's COG driver copies the tags of bands or those of domains, never both.
            sink.update_tags(**{f"BAND_{band}_{name}": value for name, value in tags.items()})
        else:
            sink.update_tags(band, **tags)


def _domains(source: DatasetReader) -> list[str]:
    """Domains of metadata that speak of what was photographed: IMAGERY has the time of acquisition."""
    return [name for name in source.tag_namespaces() if not name.startswith(NOT_COPIED)]


def _windows(source: DatasetReader) -> Iterator[Window]:
    """Rows of windows as wide as memory allows, so that a striped file is decoded once."""
    row_bytes = ROWS * source.count * np.dtype(source.dtypes[0]).itemsize
    wide = max(BLOCK, BATCH_BYTES // row_bytes // BLOCK * BLOCK)
    for row in range(0, source.height, ROWS):
        for column in range(0, source.width, wide):
            yield Window(column, row, min(wide, source.width - column), min(ROWS, source.height - row))
