"""A change map in the making: a flat file that windows are written into, and a journal of those that are whole.

Each line of the journal names a window, its bytes' sha256 and what was counted in it. Killed at any moment, the next
run believes only what still hashes to what the journal says.
"""

import hashlib
import json
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from ground.files import cannot_write
from imagery.raster import BLOCK, FILTERS, GDAL_ERRORS, rasterio_crs
from imagery.scene import Grid

FLAT, JOURNAL, MAP = "change.bin", "journal.jsonl", "change.tif"

STRIP_BYTES = 16 << 20
"""Bytes of a map held at once while its overviews are made."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Entry:
    """A window that is whole: (column, row), and its pixels by observation code."""

    at: tuple[int, int]
    pixels: dict[int, int]


class Canvas:
    """Bands × rows × columns of bytes in a folder. Threads may put windows; each is written once."""

    def __init__(self, folder: Path, grid: Grid, bands: int) -> None:
        self.folder, self.grid, self.bands = folder, grid, bands
        self._lock = threading.Lock()
        self._flat = self._journal = -1

    def __enter__(self) -> "Canvas":
        try:
            flags = os.O_RDWR | os.O_CREAT
            self._flat = os.open(self.folder / FLAT, flags, 0o666)
            self._journal = os.open(self.folder / JOURNAL, flags | os.O_APPEND, 0o666)
            os.ftruncate(self._flat, self.bands * self.grid.height * self.grid.width)
        except OSError as error:
            raise cannot_write(self.folder / MAP, error) from error
        return self

    def __exit__(self, *fault: object) -> None:
        for descriptor in (self._flat, self._journal):
            if descriptor >= 0:
                os.close(descriptor)

    def whole(self, windows: dict[tuple[int, int], Window]) -> dict[tuple[int, int], Entry]:
        """Windows that an earlier run finished, checked byte for byte; `windows` by (column, row)."""
        found: dict[tuple[int, int], Entry] = {}
        for line in _lines(self.folder / JOURNAL):
            at = tuple(line["at"])
            if at in windows and _digest(self.read(windows[at])) == line["sha256"]:
                found[at] = Entry(at, {int(code): count for code, count in line["pixels"].items()})
        return found

    def put(self, window: Window, planes: Bytes, pixels: dict[int, int]) -> Entry:
        """Writes a window (bands, rows, columns), then says in the journal that it is whole."""
        at = (window.col_off, window.row_off)
        line = {"at": at, "sha256": _digest(planes), "pixels": pixels}
        try:
            for band, row, offset in self._rows(window):
                _write(self._flat, planes[band, row].tobytes(), offset)
            with self._lock:
                os.write(self._journal, (json.dumps(line) + "\n").encode())
        except OSError as error:
            raise cannot_write(self.folder / MAP, error) from error
        return Entry(at, pixels)

    def read(self, window: Window) -> Bytes:
        """A window as it stands."""
        planes = np.empty((self.bands, window.height, window.width), dtype=np.uint8)
        for band, row, offset in self._rows(window):
            os.preadv(self._flat, [planes[band, row]], offset)
        return planes

    def _rows(self, window: Window) -> Iterator[tuple[int, int, int]]:
        """(band, row of the window, where it begins in the file)."""
        width, height = self.grid.width, self.grid.height
        for band in range(self.bands):
            for row in range(window.height):
                yield band, row, (band * height + window.row_off + row) * width + window.col_off

    def as_raster(self, descriptions: tuple[str, ...], nodata: int, tags: "Tags") -> Path:
        """The path of a virtual raster over the flat file, with overviews, its place on earth and its tags."""
        path = self.folder / "change.vrt"
        try:
            # One of an interrupted run: GDAL would remove it, and the overviews that it names with it.
            path.unlink(missing_ok=True)
            levels = self._overviews()
            with FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                rasterio.shutil.copy(self.folder / FLAT, path, driver="VRT")
                with rasterio.open(path, "r+") as sink:
                    sink.crs, sink.transform = rasterio_crs(self.grid.crs), self.grid.transform
                    sink.nodata, sink.descriptions = nodata, descriptions
                    for band, named in tags.items():
                        sink.update_tags(band, **named)
            _name_overviews(path, levels)
        except (OSError, *GDAL_ERRORS) as error:
            raise cannot_write(self.folder / MAP, error) from error
        return path

    def _overviews(self) -> list[Path]:
        """Flat files of every second pixel of the one before, down to one block; the first is the map itself."""
        made, width, height, source = [self.folder / FLAT], self.grid.width, self.grid.height, self._flat
        _write_header(made[0], self.bands, height, width)
        while max(width, height) > BLOCK:
            path = self.folder / f"change.{len(made)}.bin"
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                _halve(source, target, self.bands, height, width)
            finally:
                if source != self._flat:
                    os.close(source)
                source = target
            width, height = -(-width // 2), -(-height // 2)
            _write_header(path, self.bands, height, width)
            made.append(path)
        if source != self._flat:
            os.close(source)
        return made[1:]


def _halve(source: int, target: int, bands: int, height: int, width: int) -> None:
    """Every second row and column of a flat file into another, a few rows at a time."""
    rows = max(2, STRIP_BYTES // width // 2 * 2)
    done = 0
    for band in range(bands):
        for row in range(0, height, rows):
            strip = np.empty((min(rows, height - row), width), dtype=np.uint8)
            os.preadv(source, [strip.data], (band * height + row) * width)
            half = strip[::2, ::2].tobytes()
            _write(target, half, done)
            done += len(half)


def _write_header(flat: Path, bands: int, height: int, width: int) -> None:
    """What GDAL's ENVI driver has to know of a flat file."""
    flat.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {width}\nlines = {height}\nbands = {bands}\nheader offset = 0\n"
        "file type = ENVI Standard\ndata type = 1\ninterleave = bsq\nbyte order = 0\n"
    )


def _name_overviews(virtual: Path, levels: list[Path]) -> None:
    """Tells a virtual raster where its overviews lie."""
    tree = ElementTree.parse(virtual)
    for number, band in enumerate(tree.iter("VRTRasterBand"), 1):
        for level in levels:
            overview = ElementTree.SubElement(band, "Overview")
            ElementTree.SubElement(overview, "SourceFilename", relativeToVRT="1").text = level.name
            ElementTree.SubElement(overview, "SourceBand").text = str(number)
    tree.write(virtual)


Tags = dict[int, dict[str, str]]
"""By band; 0 for the whole file."""


def _lines(journal: Path) -> Iterator[dict[str, Any]]:
    """Lines that were written whole: a kill may cut the last one short."""
    for line in journal.read_bytes().split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """All of it: a disk that fills takes a part and says nothing until asked again."""
    while data:
        done = os.pwrite(descriptor, data, offset)
        data, offset = data[done:], offset + done


def _digest(planes: Bytes) -> str:
    return hashlib.sha256(np.ascontiguousarray(planes).data).hexdigest()
