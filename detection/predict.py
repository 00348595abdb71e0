"""A detector run over a pair, window by window, into a change map.

A change map is a COG of uint8 bands on the pair's grid. Band 1: probability × 254; 255 (nodata) where
nothing was seen, for unseen is never "no change". Band 2: observation code, 0 seen, else the reason. Band 3, where
the detector knows it: direction, MIDDLE plus FULL / 2 × (building after less building before).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.canvas import Canvas, Entry
from detection.detectors import Choice, Detector, DetectorKind, TellsDirection, kind_of
from detection.plan import Handles, Needs, Plan, plan
from detection.sample import Prepare, draw, sample_blocks
from detection.workers import each
from ground.clock import Clock
from ground.errors import BadInput
from imagery.raster import small_cache, to_cog
from imagery.reader import Block, PairReader
from imagery.scene import Observation, ScenePair
from imagery.tiling import PaddedWindow

UNSEEN = 255
FULL = 254
"""The byte of probability 1."""
BANDS = ("change probability × 254", "observation code", "building after less before, 127 = the same")
MIDDLE = 127
"""The byte of a direction that goes neither way."""
WINDOW = 1024
"""Pixels along a window, unless the detector wants others."""

Advance = Callable[[str, int, int], None]
"""Told (step, done, total) as work goes on."""
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """What `predict` found out beside the map: the fitted detector's parameters and pixels by observation code."""

    parameters: dict[str, Any]
    pixels: dict[Observation, int]
    spoiled: dict[str, int]
    """Blocks that could not be decoded, by file."""
    engine: dict[str, Any]
    """How the windows were laid, and how many an earlier run had finished."""


@dataclass(frozen=True)
class Look:
    """A fitted detector and what it needs to look at one window: all that a worker has to know."""

    detector: Detector
    prepare: Prepare

    @property
    def bands(self) -> int:
        """Bands of the change map."""
        return 3 if isinstance(self.detector, TellsDirection) else 2

    def at(self, padded: PaddedWindow, block: Block) -> Bytes:
        """The change map's bands within the window's inner part."""
        crop = padded.crop
        codes = block.observation[crop]
        planes = np.full((self.bands, *codes.shape), UNSEEN, dtype=np.uint8)
        planes[1] = codes
        if (codes != Observation.OBSERVED).all():
            return planes
        before, after = self.prepare(block)
        if isinstance(self.detector, TellsDirection):
            probability, direction = self.detector.look(before, after, crop)
            planes[2] = direction_bytes(direction[crop], codes)
        else:
            probability = self.detector(before, after)
        planes[0] = to_bytes(probability[crop], codes)
        return planes


def to_bytes(probability: NDArray[np.float32], observation: Bytes) -> Bytes:
    """Band 1 of a change map."""
    coded = np.rint(probability * FULL).astype(np.uint8)
    coded[observation != Observation.OBSERVED] = UNSEEN
    return coded


def direction_bytes(direction: NDArray[np.float32], observation: Bytes) -> Bytes:
    """Band 3 of a change map: 0 disappeared, MIDDLE neither, FULL appeared."""
    coded = np.rint((direction + 1) * MIDDLE).astype(np.uint8)
    coded[observation != Observation.OBSERVED] = UNSEEN
    return coded


def threshold_byte(probability: float) -> int:
    """The smallest byte whose probability reaches a threshold."""
    return int(np.ceil(probability * FULL))


def predict(
    pair: ScenePair,
    choice: Choice,
    target: Path,
    made_by: dict[str, str],
    advance: Advance,
    handles: Handles = Handles(),
    clock: Clock | None = None,
) -> Prediction:
    """Fit the detector on the pair, then write its change map to `target`, with what made it as tags.

    Windows that an earlier run left whole in the target's folder are not looked at again. `clock` gains the seconds
    of the steps `learn`, `detect` and `write`.

    Raises:
        BadInput: too few pixels are seen on both dates to learn anything; a handle that cannot be.
    """
    clock = clock or Clock()
    kind = kind_of(choice, pair.names, handles.device)
    with small_cache(), PairReader(pair, as_bytes=kind.takes_bytes) as reader:
        with clock.step("learn"):
            fitted = _fitted(pair, choice, kind, reader, advance)
        look = Look(fitted, kind.prepare(pair.grid.gsd_m))
        needs = _needs(choice, kind, fitted)
        laid = plan(pair.grid, needs, handles, reader.bytes_per_pixel)
        with Canvas(target.parent, pair.grid, look.bands) as canvas:
            with clock.step("detect"):
                entries, resumed = _filled(canvas, laid, look, reader, advance)
            with clock.step("write"):
                _to_map(canvas, target, made_by)
        spoiled = reader.spoiled
    pixels = dict.fromkeys(Observation, 0)
    for entry in entries:
        for code, count in entry.pixels.items():
            pixels[Observation(code)] += count
    engine = {"window": laid.window, "margin": laid.margin, "windows": laid.count, "workers": laid.workers}
    return Prediction(fitted.parameters(), pixels, spoiled, engine | {"resumed_windows": resumed})


def _needs(choice: Choice, kind: DetectorKind, fitted: Detector) -> Needs:
    return Needs(
        window=choice.window or WINDOW,
        margin=fitted.margin,
        step=getattr(fitted, "step", 1),
        bytes_per_pixel=kind.bytes_per_pixel,
        alone=kind.alone,
    )


def _filled(
    canvas: Canvas, laid: Plan, look: Look, reader: PairReader, advance: Advance
) -> tuple[list[Entry], int]:
    """Every window looked at, by this run or an earlier one; and how many by an earlier one."""
    windows = {(w.inner.col_off, w.inner.row_off): w for w in laid.windows()}
    entries = canvas.whole({at: window.inner for at, window in windows.items()})
    left = [window for at, window in windows.items() if at not in entries]
    resumed = len(entries)
    if resumed:
        advance("detect", resumed, laid.count)

    def put(padded: PaddedWindow, planes: Bytes) -> Entry:
        codes, counts = np.unique(planes[1], return_counts=True)
        pixels = dict(zip(codes.tolist(), counts.tolist(), strict=True))
        return canvas.put(padded.inner, planes, pixels)

    for entry in each(left, lambda w: reader.read(w.outer), look.at, put, laid.workers):
        entries[entry.at] = entry
        advance("detect", len(entries), laid.count)
    return list(entries.values()), resumed


def _to_map(canvas: Canvas, target: Path, made_by: dict[str, str]) -> None:
    codes = {f"CODE_{code.value}": code.name.lower() for code in Observation}
    with canvas.as_raster(BANDS[: canvas.bands], UNSEEN, {0: made_by, 2: codes}) as flat:
        to_cog(flat, target, overview_resampling="NEAREST")


def _fitted(
    pair: ScenePair, choice: Choice, kind: DetectorKind, reader: PairReader, advance: Advance
) -> Detector:
    gsd_m = pair.grid.gsd_m
    bands = kind.shows_bands or len(pair.bands)
    places, step = sample_blocks(pair.grid.width, pair.grid.height, kind.margin(gsd_m))

    def blocks() -> Any:
        for done, padded in enumerate(places, 1):
            yield padded, reader.read(padded.outer)
            advance("learn", done, len(places))

    sample = draw(blocks(), step, bands, kind.prepare(gsd_m))
    fewest = 10 * bands
    if sample.before.shape[1] < fewest:
        lost = f", {sum(reader.spoiled.values())} blocks cannot be decoded" if reader.spoiled else ""
        raise BadInput(
            f"{pair.after.source}: only {sample.before.shape[1]} pixels are seen on both dates (clouds, nodata{lost}), "
            f"fewer than the {fewest} that {choice.detector} learns from; choose a clearer pair"
        )
    return kind.fit(sample, gsd_m)
