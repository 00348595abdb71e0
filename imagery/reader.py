"""A window of a scene or a pair as reflectance on the pair's grid, with the reason where nothing was seen."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ground.crs import to_crs
from imagery import sensors
from imagery.pairing import offset_in
from imagery.raster import GDAL_ERRORS, grid_of, mask_band, opened, unreadable
from imagery.scene import BandRef, Grid, Observation, Scene, ScenePair
from imagery.warping import warped

Float = NDArray[np.float32]
Codes = NDArray[np.uint8]

SAME_DIGITS = 1e-6
BEYOND_MEASURE = 1e30
"""No sensor measures this: the largest float numbers are nodata, in many files without saying so."""


@dataclass(frozen=True)
class Block:
    """One window of a pair: `before`, `after` (bands, rows, columns); `observation` (rows, columns) codes."""

    before: Float
    after: Float
    observation: Codes


class _File:
    """Bands of one open file of a scene, read on a grid that may not be its own."""

    def __init__(
        self, stack: ExitStack, href: str, indexes: list[int], grid: Grid, nodata: float | None, smooth: bool
    ) -> None:
        source: DatasetReader = stack.enter_context(opened(href))
        own = grid_of(source, href)
        self.href, self.dtype, self.indexes = href, source.dtypes[indexes[0] - 1], indexes
        self.nodata = source.nodata if source.nodata is not None else nodata
        self.offset = offset_in(grid, own)
        self.footprint: Any = None
        self.dataset: Any = source
        self.mask = mask_band(source)
        if self.offset is None:
            self.footprint = to_crs([shapely.Polygon(own.outline())], own.crs, grid.crs, href)[0]
            self.dataset = warped(stack, source, indexes, own, grid, self.nodata, smooth)
            count = len(indexes)
            self.indexes = list(range(1, count + 1))
            self.mask = count + 1 if self.dataset.count > count else None

    def read(self, window: Window) -> tuple[Any, NDArray[np.bool_]]:
        """Raw values (bands, rows, columns), and where this file recorded something."""
        column, row = self.offset or (0, 0)
        there = Window(window.col_off + column, window.row_off + row, window.width, window.height)
        try:
            values = self.dataset.read(self.indexes, window=there)
            recorded = self._mask(there)
        except GDAL_ERRORS as error:
            # Said here, for the scenes are open one inside the other: the innermost would be blamed.
            raise unreadable(self.href, error) from error
        if self.nodata is not None and not np.isnan(self.nodata):
            missing = _is(values, self.nodata)
            recorded &= ~(missing.all(axis=0) if self.nodata == 0 else missing.any(axis=0))
        return values, recorded

    def _mask(self, there: Window) -> NDArray[np.bool_]:
        if self.mask is None:
            return np.ones((there.height, there.width), dtype=bool)
        read = self.dataset.read if self.mask else self.dataset.read_masks
        return np.asarray(read(self.mask or 1, window=there) > 0)


def _is(values: Any, nodata: float) -> NDArray[np.bool_]:
    """Where values are the nodata value, which float files may carry in other digits than the header."""
    if values.dtype.kind == "f" and nodata:
        return np.asarray(np.abs(values / values.dtype.type(nodata) - 1) < SAME_DIGITS)
    return np.asarray(values == nodata)


class SceneReader:
    """A scene open on a grid; use as a context manager. `refs` are the bands that `read` gives, in order."""

    def __init__(self, scene: Scene, grid: Grid, refs: tuple[BandRef, ...]) -> None:
        self.scene, self.grid, self.refs = scene, grid, refs
        self.sensor = sensors.sensor(scene.sensor, scene.source)
        self._stack = ExitStack()
        self._files: dict[str, _File] = {}
        self._mask: _File | None = None

    def __enter__(self) -> "SceneReader":
        with ExitStack() as stack:
            for href in dict.fromkeys(ref.href for ref in self.refs):
                indexes = [ref.index for ref in self.refs if ref.href == href]
                nodata = self.sensor.nodata
                self._files[href] = _File(stack, href, indexes, self.grid, nodata, smooth=True)
            if mask := self.scene.mask:
                self._mask = _File(stack, mask.href, [mask.index], self.grid, None, smooth=False)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *fault: Any) -> bool | None:
        return self._stack.__exit__(*fault)

    def read(self, window: Window, hide_unseen: bool = True) -> tuple[Float, Codes]:
        """Values as the sensor's reflectance (or digital numbers), and the observation code of each pixel.

        With `hide_unseen`, what was not seen is 0.
        """
        shape = (len(self.refs), window.height, window.width)
        values = np.empty(shape, dtype=np.float32)
        recorded = np.ones(shape[1:], dtype=bool)
        for href, file in self._files.items():
            places = [i for i, ref in enumerate(self.refs) if ref.href == href]
            raw, seen = file.read(window)
            values[places] = self._reflectance(raw, file.dtype)
            recorded &= seen
        # Not for NaN either.
        recorded &= (np.abs(values) < BEYOND_MEASURE).all(axis=0)
        codes = np.where(recorded, Observation.OBSERVED, Observation.NODATA).astype(np.uint8)
        self._mark_outside(codes, window)
        self._mark_quality(codes, window)
        if hide_unseen:
            values[:, codes != Observation.OBSERVED] = 0
        return values, codes

    def _reflectance(self, raw: Any, dtype: str) -> Float:
        with np.errstate(over="ignore"):
            values = np.asarray(raw, dtype=np.float32)
        if dtype == self.sensor.dtype:
            acquired = self.scene.acquired_utc
            offset = self.sensor.offset_on(acquired.date() if acquired else None)
            values = values * np.float32(self.sensor.scale) + np.float32(offset)
        return values

    def _mark_outside(self, codes: Codes, window: Window) -> None:
        unrecorded = codes == Observation.NODATA
        footprints = [file.footprint for file in self._files.values() if file.footprint is not None]
        if not footprints or not unrecorded.any():
            return
        beyond = rasterio.features.geometry_mask(
            footprints, codes.shape, self.grid.shift(window), all_touched=False
        )
        codes[unrecorded & beyond] = Observation.OUTSIDE

    def _mark_quality(self, codes: Codes, window: Window) -> None:
        entry = self.sensor.mask
        if self._mask is None or entry is None or self.scene.mask is None:
            return
        raw, recorded = self._mask.read(window)
        quality = np.where(recorded, raw[0], 0)
        # Where nobody said whether there was a cloud, nothing was seen.
        codes[(codes == Observation.OBSERVED) & ~recorded] = Observation.NODATA
        free = codes == Observation.OBSERVED
        for value, reason in entry.codes.items():
            codes[free & (quality == value)] = Observation[reason.upper()]
        for bit, reason in sorted(entry.bits.items(), reverse=True):
            hit = (quality.astype(np.int64) >> bit) & 1 == 1
            codes[free & hit] = Observation[reason.upper()]


class PairReader:
    """Both scenes of a pair open on its grid; use as a context manager."""

    def __init__(self, pair: ScenePair) -> None:
        self.pair = pair
        self._before = SceneReader(pair.before, pair.grid, tuple(b for b, _ in pair.bands))
        self._after = SceneReader(pair.after, pair.grid, tuple(a for _, a in pair.bands))

    def __enter__(self) -> "PairReader":
        self._stack = ExitStack()
        self._stack.enter_context(self._before)
        self._stack.enter_context(self._after)
        return self

    def __exit__(self, *fault: Any) -> bool | None:
        return self._stack.__exit__(*fault)

    def read(self, window: Window) -> Block:
        """One window; a pixel is observed when both dates saw it, else it has the first date's reason."""
        before, codes_before = self._before.read(window)
        after, codes_after = self._after.read(window)
        codes = np.where(codes_before != Observation.OBSERVED, codes_before, codes_after)
        return Block(before, after, codes.astype(np.uint8))
