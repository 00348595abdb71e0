"""A detector measured on labeled pairs: per pair and together, with intervals, swapped dates and shifted pairs."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors import DETECTORS, MODEL
from detection.sample import Sample
from ground.errors import BadInput
from imagery.labeled import LabeledPair, LabeledPairs
from imagery.reader import Block
from models.checkpoint import DEFAULT, find
from models.metrics import Counts, count, f1, interval, scores

Float = NDArray[np.float32]
Advance = Callable[[str, int, int], None]
Probability = Callable[[Float, Float, float], Float]
"""(before, after: bands × rows × columns; gsd in metres) → rows × columns, 0 to 1, decision at 0.5."""

DECISION = 0.5
DIFFERENCE = "difference"
"""The network without its change head: what it must be better than."""
TOLD_OF_NETWORK = ("weights", "weights_sha256", "device", "precision", "scales", "threshold", "temperature")
UNKNOWN_GSD_M = 0.5
"""Taken where a picture does not say its pixel size."""
SHIFTS_PX = ((2, 0), (0, 2), (-2, 0), (0, -2))


@dataclass(frozen=True)
class Measured:
    """One pair's counts, as given and under stress."""

    name: str
    gsd_m: float
    """As it was taken: the file's, the one given, or UNKNOWN_GSD_M."""
    counts: Counts
    shifted: Counts
    swap_difference: float
    """Largest |p(before, after) − p(after, before)| of any pixel."""


def detector_of(name: str, weights: str | None, device: str) -> tuple[Probability, dict[str, Any]]:
    """What maps two pictures to probability, and what it is.

    Raises:
        BadInput: no such detector or weights.
    """
    if name in (MODEL, DIFFERENCE):
        from detection.learned import learned

        network = replace(learned(find(weights or DEFAULT), None, device), plain=name == DIFFERENCE)

        def look(before: Float, after: Float, gsd_m: float) -> Float:
            return network.at(gsd_m)(before[:3], after[:3])

        # How a scene is resampled depends on its pixel size; `each` says that of every pair.
        about = network.parameters()
        return look, {"detector": name} | {key: about[key] for key in TOLD_OF_NETWORK}
    if name not in DETECTORS:
        raise BadInput(
            f"--detector: {name!r} is unknown; use {' or '.join([MODEL, DIFFERENCE, *sorted(DETECTORS)])}"
        )
    kind = DETECTORS[name]

    def spectral(before: Float, after: Float, gsd_m: float) -> Float:
        block = Block(before, after, np.zeros(before.shape[1:], dtype=np.uint8))
        ready = kind.prepare(gsd_m)(block)
        bands = len(before)
        sample = Sample(ready[0].reshape(bands, -1), ready[1].reshape(bands, -1), 1)
        return kind.fit(sample, gsd_m)(*ready)

    return spectral, {"detector": name, "about": kind.about}


def measure_pair(pair: LabeledPair, look: Probability) -> Measured:
    """All figures of one pair."""
    gsd_m = pair.gsd_m or UNKNOWN_GSD_M
    probability = look(pair.before, pair.after, gsd_m)
    swapped = look(pair.after, pair.before, gsd_m)
    each = []
    for down, right in SHIFTS_PX:
        moved = np.roll(pair.after, (down, right), axis=(1, 2))
        known = pair.known.copy()
        # What was rolled in from the other side is no neighbor.
        known[: max(down, 0)] = known[:, : max(right, 0)] = False
        known[known.shape[0] + min(down, 0) :] = known[:, known.shape[1] + min(right, 0) :] = False
        each.append(count(look(pair.before, moved, gsd_m), pair.label, known, DECISION, pair.gsd_m))
    shifted = each[0]
    for more in each[1:]:
        shifted = shifted + more
    return Measured(
        name=pair.name,
        gsd_m=gsd_m,
        counts=count(probability, pair.label, pair.known, DECISION, pair.gsd_m),
        shifted=shifted,
        swap_difference=float(np.abs(probability - swapped).max()),
    )


def evaluate(
    folder: Path, detector: str, weights: str | None, device: str, gsd_m: float | None, advance: Advance
) -> dict[str, Any]:
    """A report of everything measured on the pairs of `folder`; see docs/model.md for each key.

    Raises:
        BadInput: the folder does not hold pairs, a partner is missing, sizes or label values are off.
    """
    look, about = detector_of(detector, weights, device)
    measured = []
    pairs = LabeledPairs(folder, gsd_m)
    for done, pair in enumerate(pairs, 1):
        measured.append(measure_pair(pair, look))
        advance("evaluate", done, len(pairs))
    each = [one.counts for one in measured]
    total, shifted = each[0], measured[0].shifted
    for one in measured[1:]:
        total, shifted = total + one.counts, shifted + one.shifted
    report: dict[str, Any] = about | {
        "folder": str(folder.resolve()),
        "pairs": len(each),
        "all": scores(total),
    }
    report["f1_interval_95"] = list(interval(each, f1))
    report["stress"] = {
        "swapped_max_difference": max(one.swap_difference for one in measured),
        "shifted_2px_f1": f1(shifted),
    }
    report["each"] = [{"name": one.name, "gsd_m": one.gsd_m} | scores(one.counts) for one in measured]
    return report


def write_report(report: dict[str, Any], target: Path) -> None:
    """JSON, whole or not at all."""
    from ground.files import written_beside

    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as beside:
        beside.write_text(
            json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
