"""A detector run over a pair, window by window, into a change map.

A change map is a COG of uint8 bands on the pair's grid. Band 1: probability × 254; 255 (nodata) where
nothing was seen, for unseen is never "no change". Band 2: observation code, 0 seen, else the reason. Band 3, where
the detector knows it: direction, MIDDLE plus FULL / 2 × (building after less building before).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors import Choice, Detector, DetectorKind, TellsDirection, kind_of
from detection.sample import draw
from ground.errors import BadInput
from imagery.raster import to_cog, writing
from imagery.reader import Block, PairReader
from imagery.scene import Observation, ScenePair
from imagery.tiling import PaddedWindow, count_windows, windows

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


@dataclass(frozen=True)
class Prediction:
    """What `predict` found out beside the map: the fitted detector's parameters and pixels by observation code."""

    parameters: dict[str, Any]
    pixels: dict[Observation, int]


def to_bytes(probability: NDArray[np.float32], observation: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Band 1 of a change map."""
    coded = np.rint(probability * FULL).astype(np.uint8)
    coded[observation != Observation.OBSERVED] = UNSEEN
    return coded


def direction_bytes(direction: NDArray[np.float32], observation: NDArray[np.uint8]) -> NDArray[np.uint8]:
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
    device: str = "auto",
) -> Prediction:
    """Fit the detector on the pair, then write its change map to `target`, with what made it as tags.

    Raises:
        BadInput: too few pixels are seen on both dates to learn anything.
    """
    raw = target.with_name("uncompressed-" + target.name)
    with PairReader(pair) as reader:
        kind = kind_of(choice, pair.names, device)
        fitted = _fitted(pair, choice, kind, reader, advance)
        prepare = kind.prepare(pair.grid.gsd_m)
        pixels = dict.fromkeys(Observation, 0)
        names = BANDS[: 3 if kind.tells_direction else 2]
        with writing(raw, pair.grid, count=len(names), dtype="uint8", nodata=UNSEEN, compress="ZSTD") as sink:
            sink.descriptions = names
            sink.update_tags(**made_by)
            sink.update_tags(2, **{f"CODE_{code.value}": code.name.lower() for code in Observation})
            for padded, block in _blocks(reader, choice.window or WINDOW, fitted.margin, "detect", advance):
                before, after = prepare(block)
                codes = block.observation[padded.crop]
                if isinstance(fitted, TellsDirection):
                    probability, direction = (
                        plane[padded.crop] for plane in fitted.look(before, after, padded.crop)
                    )
                    sink.write(direction_bytes(direction, codes), 3, window=padded.inner)
                else:
                    probability = fitted(before, after)[padded.crop]
                sink.write(to_bytes(probability, codes), 1, window=padded.inner)
                sink.write(codes, 2, window=padded.inner)
                for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
                    pixels[Observation(int(code))] += int(count)
    to_cog(raw, target, overview_resampling="NEAREST")
    raw.unlink()
    return Prediction(fitted.parameters(), pixels)


def _fitted(
    pair: ScenePair, choice: Choice, kind: DetectorKind, reader: PairReader, advance: Advance
) -> Detector:
    gsd_m = pair.grid.gsd_m
    blocks = _blocks(reader, choice.window or WINDOW, kind.margin(gsd_m), "learn", advance)
    bands = kind.shows_bands or len(pair.bands)
    sample = draw(blocks, pair.grid.width, pair.grid.height, bands, kind.prepare(gsd_m))
    fewest = 10 * bands
    if sample.before.shape[1] < fewest:
        raise BadInput(
            f"{pair.after.source}: only {sample.before.shape[1]} pixels are seen on both dates (clouds, nodata), "
            f"fewer than the {fewest} that {choice.detector} learns from; choose a clearer pair"
        )
    return kind.fit(sample, gsd_m)


def _blocks(
    reader: PairReader, window: int, margin: int, step: str, advance: Advance
) -> Iterator[tuple[PaddedWindow, Block]]:
    grid = reader.pair.grid
    total = count_windows(grid.width, grid.height, window)
    for done, padded in enumerate(windows(grid.width, grid.height, window, margin), 1):
        yield padded, reader.read(padded.outer)
        advance(step, done, total)
