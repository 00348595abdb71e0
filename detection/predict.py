"""A detector run over a pair, window by window, into a change map.

A change map is a COG of uint8 bands on the pair's grid; `detection.look` says what they hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detection.canvas import Canvas, Entry
from detection.cluster import Cluster
from detection.detectors import Choice, Detector, DetectorKind, kind_of
from detection.light import Lights, lights
from detection.look import BANDS, UNSEEN, Bytes, Job, Look
from detection.plan import Handles, Needs, Plan, plan
from detection.sample import draw, sample_blocks
from detection.workers import each
from ground.clock import Clock
from ground.errors import BadInput
from imagery.align import Alignment
from imagery.harmonize import measure
from imagery.raster import small_cache, to_cog
from imagery.reader import PairReader, Spoiled, together
from imagery.scene import Observation, ScenePair
from imagery.tiling import PaddedWindow

WINDOW = 1024
"""Pixels along a window, unless the detector wants others."""

Advance = Callable[[str, int, int], None]
"""Told (step, done, total) as work goes on."""


@dataclass(frozen=True)
class Prediction:
    """What `predict` found out beside the map: the fitted detector's parameters and pixels by observation code."""

    parameters: dict[str, Any]
    pixels: dict[Observation, int]
    spoiled: dict[str, int]
    """Blocks that could not be decoded, by file."""
    engine: dict[str, Any]
    """How the windows were laid, and how many an earlier run had finished."""
    flat: Path
    """The map once more as a virtual raster over a file that needs no decoding, in the target's folder."""
    lights: Lights


def predict(
    pair: ScenePair,
    choice: Choice,
    target: Path,
    made_by: dict[str, str],
    advance: Advance,
    handles: Handles = Handles(),
    clock: Clock | None = None,
    cluster: Cluster | None = None,
    alignment: Alignment | None = None,
) -> Prediction:
    """Fit the detector on the pair, then write its change map to `target`, with what made it as tags.

    Windows that an earlier run left whole in the target's folder are not looked at again. `clock` gains the seconds
    of the steps `learn`, `detect` and `write`. With a `cluster`, its workers look; the map is the same.

    Raises:
        BadInput: too few pixels are seen on both dates to learn anything; a handle that cannot be.
    """
    clock = clock or Clock()
    kind = kind_of(choice, pair.names, handles.device)
    with small_cache(), PairReader(pair, kind.takes_bytes, alignment) as reader:
        with clock.step("learn"):
            fitted, light = _fitted(pair, choice, kind, reader, advance)
        look = Look(fitted, kind.prepare(pair.grid.gsd_m), light.detector)
        job = Job(pair, look, kind.takes_bytes, alignment)
        laid = plan(pair.grid, _needs(choice, kind, fitted), handles, reader.bytes_per_pixel)
        with Canvas(target.parent, pair.grid, job.look.bands) as canvas:
            filling = _Filling(canvas, laid, advance)
            with clock.step("detect"):
                if cluster is None:
                    filling.here(job, reader)
                else:
                    filling.there(job, cluster)
            with clock.step("write"):
                flat = _to_map(canvas, target, made_by)
        spoiled = {href: len(blocks) for href, blocks in together(reader.spoiled, filling.spoiled).items()}
    engine = {
        "window": laid.window,
        "margin": laid.margin,
        "windows": laid.count,
        "resumed_windows": filling.resumed,
    }
    workers = laid.workers if cluster is None else len(cluster.workers)
    engine["workers"] = workers
    return Prediction(fitted.parameters(), filling.pixels(), spoiled, engine, flat, light)


def _needs(choice: Choice, kind: DetectorKind, fitted: Detector) -> Needs:
    return Needs(
        window=choice.window or WINDOW,
        margin=fitted.margin,
        step=getattr(fitted, "step", 1),
        bytes_per_pixel=kind.bytes_per_pixel,
        alone=kind.alone,
    )


class _Filling:
    """A canvas on which every window has its place; some may be whole already."""

    def __init__(self, canvas: Canvas, laid: Plan, advance: Advance) -> None:
        windows = {(w.inner.col_off, w.inner.row_off): w for w in laid.windows()}
        self._canvas, self._total, self._advance = canvas, laid.count, advance
        self._workers = laid.workers
        self._entries = canvas.whole({at: window.inner for at, window in windows.items()})
        self._left = [window for at, window in windows.items() if at not in self._entries]
        self.resumed = len(self._entries)
        self.spoiled: Spoiled = {}
        if self.resumed:
            advance("detect", self.resumed, self._total)

    def here(self, job: Job, reader: PairReader) -> None:
        """By threads of this process."""
        for entry in each(self._left, lambda w: reader.read(w.outer), job.look.at, self._put, self._workers):
            self._note(entry)

    def there(self, job: Job, cluster: Cluster) -> None:
        """By the workers of a cluster."""
        for looked in cluster.look(job, self._left):
            for window, planes in looked.windows:
                self._note(self._put(window, planes))
            self.spoiled = together(self.spoiled, looked.spoiled)

    def _put(self, padded: PaddedWindow, planes: Bytes) -> Entry:
        counts = np.bincount(planes[1].ravel(), minlength=len(Observation)).tolist()
        return self._canvas.put(padded.inner, planes, {code: n for code, n in enumerate(counts) if n})

    def _note(self, entry: Entry) -> None:
        self._entries[entry.at] = entry
        self._advance("detect", len(self._entries), self._total)

    def pixels(self) -> dict[Observation, int]:
        """Pixels by observation code."""
        found = dict.fromkeys(Observation, 0)
        for entry in self._entries.values():
            for code, count in entry.pixels.items():
                found[Observation(code)] += count
        return found


def _to_map(canvas: Canvas, target: Path, made_by: dict[str, str]) -> Path:
    codes = {f"CODE_{code.value}": code.name.lower() for code in Observation}
    flat = canvas.as_raster(BANDS[: canvas.bands], UNSEEN, {0: made_by, 2: codes})
    to_cog(flat, target, overview_resampling="NEAREST")
    return flat


def _fitted(
    pair: ScenePair, choice: Choice, kind: DetectorKind, reader: PairReader, advance: Advance
) -> tuple[Detector, Lights]:
    """The detector, and the light it sees the pair in: both of one sample."""
    gsd_m = pair.grid.gsd_m
    bands = kind.shows_bands or len(pair.bands)
    places, step = sample_blocks(pair.grid.width, pair.grid.height, kind.margin(gsd_m))

    def told(done: int) -> None:
        advance("learn", done, len(places))

    sample, as_read = draw(places, reader.read, step, bands, kind.prepare(gsd_m), told)
    fewest = 10 * bands
    if sample.before.shape[1] < fewest:
        lost = (
            f", {sum(map(len, reader.spoiled.values()))} blocks cannot be decoded" if reader.spoiled else ""
        )
        raise BadInput(
            f"{pair.after.source}: only {sample.before.shape[1]} pixels are seen on both dates (clouds, nodata{lost}), "
            f"fewer than the {fewest} that {choice.detector} learns from; choose a clearer pair"
        )
    found = measure(as_read.before, as_read.after, pair.names)
    light = lights(found, pair.names, choice.detector, kind.own_light)
    if light.detector is not None:
        sample = replace(sample, after=light.detector.of(sample.after))
    return kind.fit(sample, gsd_m), light
