"""A window of a scene or a pair as reflectance on the pair's grid, with the reason where nothing was seen."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio.features
from numpy.typing import NDArray
from rasterio.windows import Window

from imagery import sensors
from imagery.align import Alignment
from imagery.blocks import REMEMBERED_BYTES, BandFile
from imagery.raster import FILTERS
from imagery.scene import BandRef, Grid, Observation, Scene, ScenePair
from imagery.shift import moved

Float = NDArray[np.float32]
Values = NDArray[Any]
"""float32, or bytes as they are stored where that is asked for and they need no scaling."""
Codes = NDArray[np.uint8]
Spoiled = dict[str, set[tuple[int, int]]]
"""Blocks (row, column) that could not be decoded, by file."""

BEYOND_MEASURE = 1e30
"""No sensor measures this: the largest float numbers are nodata, in many files without saying so."""


@dataclass(frozen=True)
class Block:
    """One window of a pair: `before`, `after` (bands, rows, columns); `observation` (rows, columns) codes."""

    before: Values
    after: Values
    observation: Codes


class SceneReader:
    """A scene open on a grid; use as a context manager. `refs` are the bands that `read` gives, in order."""

    def __init__(self, scene: Scene, grid: Grid, refs: tuple[BandRef, ...], as_bytes: bool = False) -> None:
        self.scene, self.grid, self.refs = scene, grid, refs
        self._as_bytes = as_bytes
        self.sensor = sensors.sensor(scene.sensor, scene.source)
        self._stack = ExitStack()
        self._files: dict[str, BandFile] = {}
        self._mask: BandFile | None = None

    def __enter__(self) -> "SceneReader":
        with ExitStack() as stack:
            hrefs = list(dict.fromkeys(ref.href for ref in self.refs))
            most = REMEMBERED_BYTES // len(hrefs)
            for href in hrefs:
                indexes = [ref.index for ref in self.refs if ref.href == href]
                nodata = self.sensor.nodata
                file = BandFile(href, indexes, self.grid, nodata, smooth=True, most_bytes=most)
                self._files[href] = stack.enter_context(file)
            if mask := self.scene.mask:
                quality = BandFile(mask.href, [mask.index], self.grid, None, smooth=False)
                self._mask = stack.enter_context(quality)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *fault: Any) -> bool | None:
        return self._stack.__exit__(*fault)

    def read(self, window: Window, hide_unseen: bool = True) -> tuple[Values, Codes]:
        """Values as the sensor's reflectance (or digital numbers), and the observation code of each pixel.

        With `hide_unseen`, what was not seen is 0.
        """
        shape = (len(self.refs), window.height, window.width)
        values = np.empty(shape, dtype=np.uint8 if self._bytes_will_do else np.float32)
        codes = np.zeros(shape[1:], dtype=np.uint8)
        for href, file in self._files.items():
            places = [i for i, ref in enumerate(self.refs) if ref.href == href]
            pixels = file.read(window)
            values[places] = (
                pixels.values if self._bytes_will_do else self._reflectance(pixels.values, file.dtype)
            )
            codes[~pixels.recorded & (codes == Observation.OBSERVED)] = Observation.NODATA
            self._mark_saturated(codes, pixels.values)
            if pixels.spoiled is not None:
                codes[pixels.spoiled] = Observation.UNREADABLE
            if np.dtype(file.dtype).kind == "f":
                # Not for NaN either.
                sane = (np.abs(values[places]) < BEYOND_MEASURE).all(axis=0)
                codes[~sane & (codes == Observation.OBSERVED)] = Observation.NODATA
        self._mark_outside(codes, window)
        self._mark_quality(codes, window)
        if hide_unseen and codes.any():
            values[:, codes != Observation.OBSERVED] = 0
        return values, codes

    @property
    def spoiled(self) -> Spoiled:
        """Blocks that could not be decoded so far, by file."""
        files = [*self._files.values(), *([self._mask] if self._mask else [])]
        return {file.href: set(file.spoiled) for file in files if file.spoiled}

    @property
    def bytes_per_pixel(self) -> int:
        """What a decoded pixel takes in memory."""
        return sum(file.bytes_per_pixel for file in self._files.values())

    def _mark_saturated(self, codes: Codes, raw: Any) -> None:
        if self.sensor.saturated is not None and raw.dtype == self.sensor.dtype:
            full = (raw >= self.sensor.saturated).any(axis=0)
            codes[full & (codes == Observation.OBSERVED)] = Observation.SATURATED

    @property
    def _bytes_will_do(self) -> bool:
        dtypes = {file.dtype for file in self._files.values()}
        return self._as_bytes and dtypes == {"uint8"} and self.sensor.dtype != "uint8"

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
        with FILTERS:
            beyond = rasterio.features.geometry_mask(
                footprints, codes.shape, self.grid.shift(window), all_touched=False
            )
        codes[unrecorded & beyond] = Observation.OUTSIDE

    def _mark_quality(self, codes: Codes, window: Window) -> None:
        entry = self.sensor.mask
        if self._mask is None or entry is None or self.scene.mask is None:
            return
        said = self._mask.read(window)
        quality = np.where(said.recorded, said.values[0], 0)
        # Where nobody said whether there was a cloud, nothing was seen.
        codes[(codes == Observation.OBSERVED) & ~said.recorded] = Observation.NODATA
        if said.spoiled is not None:
            codes[said.spoiled] = Observation.UNREADABLE
        free = codes == Observation.OBSERVED
        for value, reason in entry.codes.items():
            codes[free & (quality == value)] = Observation[reason.upper()]
        for bit, reason in sorted(entry.bits.items(), reverse=True):
            hit = (quality.astype(np.int64) >> bit) & 1 == 1
            codes[free & hit] = Observation[reason.upper()]


class PairReader:
    """Both scenes of a pair open on its grid; use as a context manager, read from any thread.

    `as_bytes`: bytes that need no scaling come as they are stored, a quarter of the memory. `alignment`: the later
    scene is moved by it, and what defies it is misaligned.
    """

    def __init__(self, pair: ScenePair, as_bytes: bool = False, alignment: Alignment | None = None) -> None:
        self.pair, self._alignment = pair, alignment
        self._before = SceneReader(pair.before, pair.grid, tuple(b for b, _ in pair.bands), as_bytes)
        self._after = SceneReader(pair.after, pair.grid, tuple(a for _, a in pair.bands), as_bytes)

    def __enter__(self) -> "PairReader":
        self._stack = ExitStack()
        self._stack.enter_context(self._before)
        self._stack.enter_context(self._after)
        return self

    def __exit__(self, *fault: Any) -> bool | None:
        return self._stack.__exit__(*fault)

    @property
    def spoiled(self) -> Spoiled:
        """Blocks that could not be decoded so far, by file."""
        return together(self._before.spoiled, self._after.spoiled)

    @property
    def bytes_per_pixel(self) -> int:
        """What a decoded pixel of the scene that takes more of it takes in memory."""
        return max(self._before.bytes_per_pixel, self._after.bytes_per_pixel)

    def read(self, window: Window) -> Block:
        """One window; a pixel is observed when both dates saw it, else it has the first date's reason."""
        before, codes_before = self._before.read(window)
        after, codes_after = self._moved(window)
        codes = np.where(codes_before != Observation.OBSERVED, codes_before, codes_after).astype(np.uint8)
        if self._alignment is not None and self._alignment.misaligned.any():
            defies = self._alignment.misaligned_in(window)
            codes[defies & (codes == Observation.OBSERVED)] = Observation.MISALIGNED
        return Block(before, after, codes)

    def _moved(self, window: Window) -> tuple[Values, Codes]:
        """The later scene where the earlier one has it."""
        if self._alignment is None or self._alignment.field is None:
            return self._after.read(window)
        size = (self.pair.grid.width, self.pair.grid.height)
        return moved(self._alignment.field, window, size, self._after.read)


def together(one: Spoiled, other: Spoiled) -> Spoiled:
    """What either knows of."""
    return {href: one.get(href, set()) | other.get(href, set()) for href in one | other}
