"""Detectors by name. To add one: a class with `__call__(before, after)` and a row in DETECTORS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from detection.cva import fit_cva, radius_px, smooth
from detection.irmad import fit_irmad
from detection.sample import Prepare, Sample
from ground.errors import BadInput
from ground.files import sha256
from imagery.reader import Block
from models.checkpoint import DEFAULT, Card, card_path, find, read_card

Float = NDArray[np.float32]


class Detector(Protocol):
    """Change probability of a window. Ready to use: whatever it had to learn of the pair, it has."""

    @property
    def margin(self) -> int:
        """Pixels of context that it needs around each pixel."""
        ...

    def __call__(self, before: Float, after: Float) -> Float:
        """(bands, rows, columns) of both dates → (rows, columns), 0 to 1; a decision is the choice's threshold."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What it learned and was given, for run.json."""
        ...


@runtime_checkable
class TellsDirection(Protocol):
    """A detector that also knows which way a change went."""

    def look(self, before: Float, after: Float, inner: tuple[slice, slice]) -> tuple[Float, Float]:
        """(probability, direction: above 0 a building appeared, below 0 one disappeared), (rows, columns) each.

        Only what lies within `inner` is used.
        """
        ...


@dataclass(frozen=True)
class DetectorKind:
    """How a detector is made for a pair.

    `prepare` (given the gsd) turns a block into what the detector sees; `fit` learns from a sample of that.
    """

    fewest_bands: int
    most_bands: int | None
    margin: Callable[[float], int]
    prepare: Callable[[float], Prepare]
    fit: Callable[[Sample, float], Detector]
    about: str
    own_light: str | None = None
    """Why it is not to see the later date in the earlier one's light; None: it is, and its `prepare` is linear."""
    shows_bands: int | None = None
    """How many bands `prepare` gives; None: as many as the pair has."""
    bytes_per_pixel: int = 200
    """Working memory of a window's pixel, measured (docs/performance.md)."""
    takes_bytes: bool = False
    """It knows what to do with bytes as they are stored."""
    alone: bool = False
    """It uses every core by itself."""


def _as_read(block: Block) -> tuple[Float, Float]:
    return block.before, block.after


DETECTORS: dict[str, DetectorKind] = {
    "irmad": DetectorKind(
        fewest_bands=2,
        most_bands=None,
        margin=lambda _gsd_m: 0,
        prepare=lambda _gsd_m: _as_read,
        fit=lambda sample, _gsd_m: fit_irmad(sample),
        about="iteratively reweighted multivariate alteration detection; best with four bands and more",
        own_light="irmad finds the same whatever gain and offset a band has",
    ),
    "cva": DetectorKind(
        fewest_bands=1,
        most_bands=None,
        margin=radius_px,
        prepare=lambda gsd_m: lambda block: smooth(block, radius_px(gsd_m)),
        fit=lambda sample, gsd_m: fit_cva(sample, radius_px(gsd_m)),
        about="change vector analysis; for one to three bands",
        takes_bytes=True,
        own_light="cva fits lines of its own",
    ),
}

DECISION = 0.5
NETWORK_BYTES = 150
NETWORK_WINDOW = 2048
"""A network needs wide margins: larger windows read and look at less of it twice."""
AUTO = "auto"
MODEL = "model"
IRMAD_FROM_BANDS = 4
RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class Choice:
    """Which detector looks at a pair, and why that one."""

    detector: str
    why: str
    weights: Path | None = None
    threshold: float = DECISION
    """Probability from which on it is change, where nobody asks for another."""
    window: int | None = None
    """Pixels along a window, where the detector wants them larger than usual."""
    card_sha256: str | None = None
    """Of the weights' card: it holds the weights' own sha256, calibration and thresholds."""


def choose(
    name: str,
    bands: Sequence[str],
    gsd_m: float,
    where: str,
    weights: str | None = None,
    most_false: float | None = None,
) -> Choice:
    """The detector meant by `name`; `bands`: common names that both scenes have; `most_false`: --max-false-clues.

    `auto`: the network where the pair has red, green and blue and its pixels lie within the card's range; else
    irmad from four bands on, cva below.

    Raises:
        BadInput: no such detector, or the pair does not have what it needs; a share of false clues that the
            detector cannot promise.
    """
    choice = _chosen(name, bands, gsd_m, where, weights)
    if choice.weights is None:
        if most_false is not None:
            raise BadInput(
                f"--max-false-clues: {choice.detector} was never measured for it ({choice.why}); use --threshold"
            )
        return choice
    card = read_card(choice.weights)
    working = card.working_gsd_m(gsd_m)
    if most_false is None:
        threshold = card.operating_at(working).threshold
    else:
        threshold = card.threshold_for(working, most_false, "--max-false-clues")
    digest = sha256(card_path(choice.weights))
    return replace(choice, threshold=threshold, window=NETWORK_WINDOW, card_sha256=digest)


def _chosen(name: str, bands: Sequence[str], gsd_m: float, where: str, weights: str | None) -> Choice:
    if name in (AUTO, MODEL):
        path = find(weights or DEFAULT)
        why_not = _unfit(read_card(path), bands, gsd_m)
        if not why_not:
            working = read_card(path).working_gsd_m(gsd_m) or gsd_m
            resampled = "" if working == gsd_m else f", resampled to {working:.2f} m"
            return Choice(MODEL, f"{path.stem} knows red, green and blue at {gsd_m:.2f} m{resampled}", path)
        if name == MODEL:
            raise BadInput(f"{where}: {path.stem} {why_not}; use --detector {AUTO}")
        spectral = "irmad" if len(bands) >= IRMAD_FROM_BANDS else "cva"
        return Choice(spectral, f"{path.stem} {why_not}; the pair has {len(bands)} bands in common")
    if name not in DETECTORS:
        known = " or ".join([MODEL, *sorted(DETECTORS)])
        raise BadInput(f"--detector: {name!r} is unknown; use {AUTO}, {known}")
    kind = DETECTORS[name]
    if len(bands) < kind.fewest_bands:
        raise BadInput(
            f"{where}: detector {name} needs {kind.fewest_bands} bands in common, the pair has {len(bands)}; "
            f"use --detector {AUTO}"
        )
    return Choice(name, "asked for")


def _unfit(card: Card, bands: Sequence[str], gsd_m: float) -> str:
    """Why a network cannot look at such a pair; empty if it can."""
    missing = [band for band in RGB if band not in bands]
    if missing:
        return f"needs {', '.join(missing)}, which the pair does not have"
    finest, coarsest = card.gsd_m
    if not finest * 0.99 <= gsd_m <= coarsest * 1.01:
        return f"knows pixels of {finest} to {coarsest} m, these are {gsd_m:.2f} m"
    return ""


def kind_of(choice: Choice, bands: Sequence[str], device: str = AUTO) -> DetectorKind:
    """How the chosen detector is made for a pair with these bands."""
    if choice.weights is None:
        return DETECTORS[choice.detector]
    # torch takes seconds to import, and only the network needs it.
    from detection.learned import display_range, learned, seen_alike

    weights, places = choice.weights, tuple(bands.index(band) for band in RGB)
    return DetectorKind(
        fewest_bands=3,
        most_bands=None,
        margin=lambda _gsd_m: 0,
        prepare=lambda _gsd_m: lambda block: seen_alike(block, places),
        fit=lambda sample, gsd_m: replace(
            learned(weights, gsd_m, device).shown(*display_range(sample)), decides_at=choice.threshold
        ),
        about="a change network with its card; for buildings in red, green and blue",
        own_light="the network was measured to find no more in one light",
        shows_bands=len(RGB),
        bytes_per_pixel=NETWORK_BYTES,
        takes_bytes=True,
        alone=True,
    )
