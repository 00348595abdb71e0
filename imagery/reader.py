"""A window of a scene or a pair as reflectance on the pair's grid, with the reason where nothing was seen."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ground.crs import to_crs
from imagery import sensors
from imagery.pairing import offset_in
from imagery.raster import GDAL_ERRORS, grid_of, opened, rasterio_crs, unreadable
from imagery.scene import BandRef, Grid, Observation, Scene, ScenePair

Float = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Block:
    """One window of a pair: `before`, `after` (bands, rows, columns); `observation` (rows, columns) codes."""

    before: Float
    after: Float
    observation: Codes


class _File:
    """One open file of a scene, read on a grid that may not be its own."""

    def __init__(self, stack: ExitStack, href: str, grid: Grid, nodata: float | None, smooth: bool) -> None:
        source: DatasetReader = stack.enter_context(opened(href))
        own = grid_of(source, href)
        self.href, self.dtype = href, source.dtypes[0]
        self.nodata = source.nodata if source.nodata is not None else nodata
        self.has_mask = MaskFlags.per_dataset in source.mask_flag_enums[0]
        self.offset = offset_in(grid, own)
        self.footprint: Any = None
        self.dataset: Any = source
        self.alpha: int | None = None
        if self.offset is None:
            self.footprint = to_crs([shapely.Polygon(own.outline())], own.crs, grid.crs, href)[0]
            self.dataset = stack.enter_context(self._warped(source, grid, smooth))
            self.alpha = self.dataset.count if self._adds_alpha else None

    @property
    def _adds_alpha(self) -> bool:
        return self.nodata is None and not self.has_mask

    def _warped(self, source: DatasetReader, grid: Grid, smooth: bool) -> WarpedVRT:
        options: dict[str, Any] = {"add_alpha": True} if self._adds_alpha else {}
        if self.nodata is not None:
            # Zero is also a color: only a pixel that is zero in every band was not recorded.
            options = {"src_nodata": self.nodata, "nodata": self.nodata}
            options["UNIFIED_SRC_NODATA"] = "YES" if self.nodata == 0 else "NO"
        return WarpedVRT(
            source,
            crs=rasterio_crs(grid.crs),
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.bilinear if smooth else Resampling.nearest,
            **options,
        )

    def _there(self, window: Window) -> Window:
        column, row = self.offset or (0, 0)
        return Window(window.col_off + column, window.row_off + row, window.width, window.height)

    def read(self, indexes: list[int], window: Window) -> tuple[Any, NDArray[np.bool_]]:
        """Raw values (bands, rows, columns), and where this file recorded something."""
        try:
            return self._read(indexes, self._there(window))
        except GDAL_ERRORS as error:
            # Said here, for the scenes are open one inside the other: the innermost would be blamed.
            raise unreadable(self.href, error) from error

    def _read(self, indexes: list[int], there: Window) -> tuple[Any, NDArray[np.bool_]]:
        if self.alpha:
            values = self.dataset.read([*indexes, self.alpha], window=there)
            return values[:-1], values[-1] > 0
        values = self.dataset.read(indexes, window=there)
        recorded = np.ones(values.shape[1:], dtype=bool)
        if self.has_mask:
            recorded &= self.dataset.dataset_mask(window=there) > 0
        if self.nodata is not None and not np.isnan(self.nodata):
            missing = values == np.asarray(self.nodata, dtype=values.dtype)
            recorded &= ~(missing.all(axis=0) if self.nodata == 0 else missing.any(axis=0))
        return values, recorded


class SceneReader:
    """A scene open on a grid; use as a context manager. `refs` are the bands that `read` gives, in order."""

    def __init__(self, scene: Scene, grid: Grid, refs: tuple[BandRef, ...]) -> None:
        self.scene, self.grid, self.refs = scene, grid, refs
        self.sensor = sensors.sensor(scene.sensor, scene.source)
        self._stack = ExitStack()
        self._files: dict[str, _File] = {}
        self._mask: _File | None = None

    def __enter__(self) -> "SceneReader":
        try:
            for href in dict.fromkeys(ref.href for ref in self.refs):
                self._files[href] = _File(self._stack, href, self.grid, self.sensor.nodata, smooth=True)
            if self.scene.mask:
                self._mask = _File(self._stack, self.scene.mask.href, self.grid, None, smooth=False)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
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
            raw, seen = file.read([self.refs[i].index for i in places], window)
            values[places] = self._reflectance(raw, file.dtype)
            recorded &= seen
        recorded &= np.isfinite(values).all(axis=0)
        codes = np.where(recorded, Observation.OBSERVED, Observation.NODATA).astype(np.uint8)
        self._mark_outside(codes, window)
        self._mark_quality(codes, window)
        if hide_unseen:
            values[:, codes != Observation.OBSERVED] = 0
        return values, codes

    def _reflectance(self, raw: Any, dtype: str) -> Float:
        values: Float = raw.astype(np.float32)
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
        raw, recorded = self._mask.read([self.scene.mask.index], window)
        quality = np.where(recorded, raw[0], 0)
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
