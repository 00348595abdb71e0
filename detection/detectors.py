"""Detectors by name. To add one: a class with `__call__(before, after)` and a row in DETECTORS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detection.cva import fit_cva, radius_px, smooth
from detection.irmad import fit_irmad
from detection.sample import Prepare, Sample
from ground.errors import BadInput
from imagery.reader import Block

Float = NDArray[np.float32]


class Detector(Protocol):
    """Change probability of a window. Ready to use: whatever it had to learn of the pair, it has."""

    @property
    def margin(self) -> int:
        """Pixels of context that it needs around each pixel."""
        ...

    def __call__(self, before: Float, after: Float) -> Float:
        """(bands, rows, columns) of both dates → (rows, columns), 0 to 1; a decision is 0.5."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What it learned and was given, for run.json."""
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
    ),
    "cva": DetectorKind(
        fewest_bands=1,
        most_bands=None,
        margin=radius_px,
        prepare=lambda gsd_m: lambda block: smooth(block, radius_px(gsd_m)),
        fit=lambda sample, gsd_m: fit_cva(sample, radius_px(gsd_m)),
        about="change vector analysis; for one to three bands",
    ),
}

AUTO = "auto"
IRMAD_FROM_BANDS = 4


def choose(name: str, band_count: int, where: str) -> str:
    """The detector meant by `name`: `auto` takes irmad from four bands on, cva below.

    Raises:
        BadInput: no such detector, or it needs more bands.
    """
    if name == AUTO:
        return "irmad" if band_count >= IRMAD_FROM_BANDS else "cva"
    if name not in DETECTORS:
        raise BadInput(f"--detector: {name!r} is unknown; use {AUTO}, {' or '.join(sorted(DETECTORS))}")
    kind = DETECTORS[name]
    if band_count < kind.fewest_bands:
        raise BadInput(
            f"{where}: detector {name} needs {kind.fewest_bands} bands in common, the pair has {band_count}; "
            f"use --detector {AUTO}"
        )
    return name
