"""Bands of one file on a grid that may not be its own, read block by block; threads share what was decoded.

No handle is read from by two threads at once, for GDAL's handles are not to be shared: whoever decodes borrows one.
A block that one thread decodes is kept for the others for as long as memory allows, so that windows with margins
decode nothing twice.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ground.crs import to_crs
from imagery import remote
from imagery.address import Address
from imagery.pairing import offset_in
from imagery.raster import BLOCK, GDAL_ERRORS, grid_of, mask_band, opened, said
from imagery.scene import Grid
from imagery.warping import warped

SMALLEST_BLOCK, LARGEST_BLOCK = 64, 2048
"""Sides of a file's own blocks that are read as they are; others (strips) are cut to squares of BLOCK."""
SAME_DIGITS = 1e-6
REMEMBERED_BYTES = 96 << 20
"""Decoded blocks of one file kept at most, unless the reader says otherwise."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pixels:
    """Raw values (bands, rows, columns); where the file recorded something; where it could not be decoded."""

    values: Any
    recorded: Mask
    spoiled: Mask | None
    """None: nowhere."""


@dataclass(frozen=True)
class _Handle:
    """A file open for one reader at a time: the dataset, its bands, and its mask (see `mask_band`)."""

    dataset: Any
    indexes: list[int]
    mask: int | None

    def read(self, window: Window) -> tuple[Any, Mask]:
        values = self.dataset.read(self.indexes, window=window)
        if self.mask is None:
            return values, np.ones(values.shape[1:], dtype=bool)
        read = self.dataset.read if self.mask else self.dataset.read_masks
        return values, np.asarray(read(self.mask or 1, window=window) > 0)


class BandFile:
    """Some bands of a file on a grid; use as a context manager, read from any thread."""

    def __init__(
        self,
        href: str,
        indexes: list[int],
        grid: Grid,
        nodata: float | None,
        smooth: bool,
        most_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        self.href = href
        self.footprint: Any = None
        """Outline of the file on the grid, where the two do not share pixels."""
        self.spoiled: dict[tuple[int, int], str] = {}
        """What GDAL said of each block (column, row) that it could not decode."""
        self._indexes, self._grid, self._nodata, self._smooth = indexes, grid, nodata, smooth
        self._idle: list[_Handle] = []
        self._closing = ExitStack()
        self._lock = threading.Lock()
        self._remembered: OrderedDict[tuple[int, int], _Slot] = OrderedDict()
        self._most = most_bytes

    def __enter__(self) -> "BandFile":
        with ExitStack() as stack:
            source: DatasetReader = stack.enter_context(opened(self.href))
            own = grid_of(source, self.href)
            self.dtype = source.dtypes[self._indexes[0] - 1]
            self._nodata = source.nodata if source.nodata is not None else self._nodata
            self.offset = offset_in(self._grid, own)
            if self.offset is None:
                outline = [shapely.Polygon(own.outline())]
                self.footprint = to_crs(outline, own.crs, self._grid.crs, self.href)[0]
            handle = self._opened(stack, source, own)
            self._idle.append(handle)
            self._shape = handle.dataset.height, handle.dataset.width
            self.block = _block_of(handle.dataset.block_shapes[0])
            self.bytes_per_pixel = len(self._indexes) * np.dtype(self.dtype).itemsize + 1
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *fault: Any) -> bool | None:
        return self._closing.__exit__(*fault)

    def _opened(self, stack: ExitStack, source: DatasetReader, own: Grid) -> _Handle:
        if self.offset is not None:
            return _Handle(source, self._indexes, mask_band(source))
        dataset = warped(stack, source, self._indexes, own, self._grid, self._nodata, self._smooth)
        count = len(self._indexes)
        return _Handle(dataset, list(range(1, count + 1)), count + 1 if dataset.count > count else None)

    @contextmanager
    def _borrowed(self) -> Iterator[_Handle]:
        """A handle that nobody else reads from; there are never more of them than readers at once."""
        with self._lock:
            handle = self._idle.pop() if self._idle else self._another()
        try:
            yield handle
        finally:
            with self._lock:
                self._idle.append(handle)

    def _another(self) -> _Handle:
        source = self._closing.enter_context(opened(self.href))
        return self._opened(self._closing, source, grid_of(source, self.href))

    def read(self, window: Window) -> Pixels:
        """A window of the grid."""
        column, row = self.offset or (0, 0)
        top, left = window.row_off + row, window.col_off + column
        shape = (window.height, window.width)
        values = np.empty((len(self._indexes), *shape), dtype=self.dtype)
        recorded, spoiled = np.empty(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for key, here, there in _tiles(top, left, *shape, *self.block):
            part = self._block(key)
            values[:, *here] = part.values[:, *there]
            recorded[here] = part.recorded[there]
            if part.spoiled is not None:
                spoiled[here] = part.spoiled[there]
        return Pixels(values, recorded, spoiled if spoiled.any() else None)

    def _block(self, key: tuple[int, int]) -> Pixels:
        """A whole block, decoded by whoever asks first."""
        with self._lock:
            slot = self._remembered.setdefault(key, _Slot())
            self._remembered.move_to_end(key)
        with slot.lock:
            if slot.pixels is None:
                slot.pixels = self._decoded(key)
        with self._lock:
            size = self.block[0] * self.block[1] * self.bytes_per_pixel
            while len(self._remembered) > max(1, self._most // size):
                self._remembered.popitem(last=False)
        return slot.pixels

    def _decoded(self, key: tuple[int, int]) -> Pixels:
        top, left = key[0] * self.block[0], key[1] * self.block[1]
        window = Window(
            left, top, min(self.block[1], self._shape[1] - left), min(self.block[0], self._shape[0] - top)
        )
        with self._borrowed() as handle:
            try:
                values, recorded = handle.read(window)
                spoiled = None
            except GDAL_ERRORS:
                values, recorded, spoiled = self._piecemeal(handle, window)
        return Pixels(values, recorded & self._not_missing(values), spoiled)

    def _piecemeal(self, handle: _Handle, window: Window) -> tuple[Any, Mask, Mask]:
        """A window that cannot be read at once, by the file's own blocks; the second mask says what is lost."""
        shape = (window.height, window.width)
        values = np.zeros((len(self._indexes), *shape), dtype=self.dtype)
        recorded, spoiled = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
        for key, here, _ in _tiles(window.row_off, window.col_off, *shape, *handle.dataset.block_shapes[0]):
            rows, columns = here
            top, left = window.row_off + rows.start, window.col_off + columns.start
            piece = Window(left, top, columns.stop - columns.start, rows.stop - rows.start)
            try:
                values[:, *here], recorded[here] = self._piece(handle, piece)
                spoiled[here] = False
            except GDAL_ERRORS as error:
                self.spoiled[key] = said(self.href, error)
        return values, recorded, spoiled

    def _piece(self, handle: _Handle, piece: Window) -> tuple[Any, Mask]:
        """A piece tried once more where its server still answers; one that does not ends the run, not the sight."""
        try:
            return handle.read(piece)
        except GDAL_ERRORS:
            if not isinstance(self.href, Address):
                raise
            remote.stamp(self.href)
            return handle.read(piece)

    def _not_missing(self, values: Any) -> Mask | bool:
        if self._nodata is None or np.isnan(self._nodata):
            return True
        missing = _is(values, self._nodata)
        return np.asarray(~(missing.all(axis=0) if self._nodata == 0 else missing.any(axis=0)))


class _Slot:
    """A block's place among the remembered ones; whoever holds the lock decodes it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pixels: Pixels | None = None


def _block_of(own: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns to read at once: whole blocks of the file, about BLOCK on a side."""
    if all(SMALLEST_BLOCK <= side <= LARGEST_BLOCK for side in own):
        rows, columns = (side * max(1, BLOCK // side) for side in own)
        return rows, columns
    return BLOCK, BLOCK


def _tiles(
    top: int, left: int, height: int, width: int, rows: int, columns: int
) -> Iterator[tuple[tuple[int, int], tuple[slice, slice], tuple[slice, slice]]]:
    """The blocks that a rectangle touches: (row, column) of each, where it lies in the rectangle, and what of it."""
    for row in range(top // rows, -(-(top + height) // rows)):
        for column in range(left // columns, -(-(left + width) // columns)):
            here_r, there_r = _overlap(row * rows, rows, top, height)
            here_c, there_c = _overlap(column * columns, columns, left, width)
            yield (row, column), (here_r, here_c), (there_r, there_c)


def _overlap(begin: int, length: int, at: int, size: int) -> tuple[slice, slice]:
    """Along one axis: the common part of a block and a rectangle, counted from the rectangle and from the block."""
    low, high = max(begin, at), min(begin + length, at + size)
    return slice(low - at, high - at), slice(low - begin, high - begin)


def _is(values: Any, nodata: float) -> Mask:
    """Where values are the nodata value, which float files may carry in other digits than the header."""
    if values.dtype.kind == "f" and nodata:
        return np.asarray(np.abs(values / values.dtype.type(nodata) - 1) < SAME_DIGITS)
    return np.asarray(values == nodata)
