"""A detector measured on labeled pairs: per pair and together, with intervals, swapped dates and shifted pairs."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detection.detectors import DECISION, DETECTORS, MODEL, NETWORK_WINDOW
from detection.sample import Sample
from detection.sheet import Drawn, draw, write_sheet
from ground.errors import BadInput
from imagery.labeled import LabeledPair, LabeledPairs
from imagery.reader import Block
from imagery.tiling import windows
from models.checkpoint import DEFAULT, find
from models.metrics import Counts, count, f1, false_clue_share, interval, scores

if TYPE_CHECKING:
    from detection.learned import Learned

Float = NDArray[np.float32]
Advance = Callable[[str, int, int], None]
Probability = Callable[[Float, Float, float], Float]
"""(before, after: bands × rows × columns; gsd in metres) → rows × columns, 0 to 1, decision at 0.5."""

DIFFERENCE = "difference"
"""The network without its change head: what it must be better than."""
FEATURES = "features"
"""Change vectors of ImageNet features, nothing taught."""
TRAINING_FREE = ("irmad", "cva", FEATURES)
EVERY = "all"
UNKNOWN_GSD_M = 0.5
"""Taken where a picture does not say its pixel size."""
SHIFTS_PX = ((2, 0), (0, 2), (-2, 0), (0, -2))
SMALLEST_CLUE_M2 = 25.0
"""Objects smaller than this are no clues."""


@dataclass(frozen=True)
class Yardstick:
    """A detector as it is measured: what maps two pictures to probability, where it decides, and what it is."""

    look: Probability
    threshold: Callable[[float], float]
    """By pixel size in metres."""
    about: dict[str, Any]
    gsd_m: tuple[float, float] = (0.0, math.inf)
    """Pixel sizes that it is made for."""


@dataclass(frozen=True)
class Measured:
    """One pair's counts, as given and under stress."""

    name: str
    gsd_m: float
    """As it was taken: the file's, the one given, or UNKNOWN_GSD_M."""
    threshold: float
    counts: Counts
    shifted: Counts
    swap_difference: float
    """Largest |p(before, after) − p(after, before)| of any pixel."""
    false_clues: float
    """Share of its clues (objects of SMALLEST_CLUE_M2 and more) that touch no change; 0 without clues."""
    drawn: Drawn | None = None


def yardstick(
    name: str, weights: str | None, device: str, most_false: float | None, threshold: float | None
) -> Yardstick:
    """The detector of that name; its own threshold unless one is given.

    Raises:
        BadInput: no such detector or weights; a share of false clues that it cannot promise.
    """
    if name in (MODEL, DIFFERENCE):
        return _network(name, weights, device, most_false, threshold)
    if most_false is not None:
        raise BadInput(f"--max-false-clues: {name} was never measured for it; use --threshold")
    decides = DECISION if threshold is None else threshold
    if name == FEATURES:
        from detection.features import deep_features

        return Yardstick(deep_features(device), lambda _gsd_m: decides, {"detector": name})
    if name not in DETECTORS:
        known = " or ".join([MODEL, DIFFERENCE, FEATURES, *sorted(DETECTORS), EVERY])
        raise BadInput(f"--detector: {name!r} is unknown; use {known}")
    kind = DETECTORS[name]

    def spectral(before: Float, after: Float, gsd_m: float) -> Float:
        block = Block(before, after, np.zeros(before.shape[1:], dtype=np.uint8))
        ready = kind.prepare(gsd_m)(block)
        bands = len(before)
        sample = Sample(ready[0].reshape(bands, -1), ready[1].reshape(bands, -1), 1)
        return kind.fit(sample, gsd_m)(*ready)

    return Yardstick(spectral, lambda _gsd_m: decides, {"detector": name, "about": kind.about})


def _network(
    name: str, weights: str | None, device: str, most_false: float | None, threshold: float | None
) -> Yardstick:
    from detection.learned import display_range, learned

    network = replace(learned(find(weights or DEFAULT), None, device), plain=name == DIFFERENCE)
    card = network.card

    def look(before: Float, after: Float, gsd_m: float) -> Float:
        first, second = before[:3], after[:3]
        shown = network.shown(*display_range(Sample(first.reshape(3, -1), second.reshape(3, -1), 1)))
        return by_windows(replace(shown, gsd_m=gsd_m, decides_at=decides(gsd_m)), first, second)

    def decides(gsd_m: float) -> float:
        working = card.working_gsd_m(gsd_m)
        if threshold is not None:
            return threshold
        if most_false is not None:
            return card.threshold_for(working, most_false, "--max-false-clues")
        return card.operating_at(working).threshold

    # How a scene is resampled and calibrated depends on its pixel size; `each` says that of every pair.
    about = network.parameters()
    told = ("weights", "weights_sha256", "device", "precision", "scales")
    return Yardstick(look, decides, {"detector": name} | {key: about[key] for key in told}, card.gsd_m)


def by_windows(network: "Learned", before: Float, after: Float) -> Float:
    """A picture of any size, looked at as `detect` looks at a scene."""
    rows, columns = before.shape[1:]
    found = np.empty((rows, columns), dtype=np.float32)
    for padded in windows(columns, rows, NETWORK_WINDOW, network.margin):
        down, across = padded.outer.toslices()
        said, _ = network.look(before[:, down, across], after[:, down, across], padded.crop)
        found[padded.inner.toslices()] = said[padded.crop]
    return found


def measure_pair(pair: LabeledPair, detector: Yardstick, keep: bool = False) -> Measured:
    """All figures of one pair; `keep`: its pictures too, made small."""
    gsd_m = pair.gsd_m or UNKNOWN_GSD_M
    look, decision = detector.look, detector.threshold(gsd_m)
    probability = look(pair.before, pair.after, gsd_m)
    swapped = look(pair.after, pair.before, gsd_m)
    each = []
    for down, right in SHIFTS_PX:
        moved = np.roll(pair.after, (down, right), axis=(1, 2))
        known = pair.known.copy()
        # What was rolled in from the other side is no neighbor.
        known[: max(down, 0)] = known[:, : max(right, 0)] = False
        known[known.shape[0] + min(down, 0) :] = known[:, known.shape[1] + min(right, 0) :] = False
        each.append(count(look(pair.before, moved, gsd_m), pair.label, known, decision, pair.gsd_m))
    shifted = each[0]
    for more in each[1:]:
        shifted = shifted + more
    said, smallest = (probability >= decision) & pair.known, max(1, round(SMALLEST_CLUE_M2 / gsd_m**2))
    return Measured(
        name=pair.name,
        gsd_m=gsd_m,
        threshold=decision,
        counts=count(probability, pair.label, pair.known, decision, pair.gsd_m),
        shifted=shifted,
        swap_difference=float(np.abs(probability - swapped).max()),
        false_clues=false_clue_share(said, pair.label & pair.known, smallest),
        drawn=draw(pair, probability, decision) if keep else None,
    )


def evaluate(
    folder: Path,
    detector: str,
    weights: str | None,
    device: str,
    gsd_m: float | None,
    advance: Advance,
    *,
    most_false: float | None = None,
    threshold: float | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """A report of everything measured on the pairs of `folder`; see docs/model.md for each key.

    Raises:
        BadInput: the folder does not hold pairs, a partner is missing, sizes or label values are off.
    """
    if most_false is not None and threshold is not None:
        raise BadInput("--max-false-clues: sets the threshold; leave out --threshold")
    ready = yardstick(detector, weights, device, most_false, threshold)
    pairs, measured, unsaid = LabeledPairs(folder, gsd_m), [], 0
    for done, pair in enumerate(pairs, 1):
        unsaid += pair.gsd_m is None
        measured.append(measure_pair(pair, ready, keep=sheet is not None))
        advance("evaluate", done, len(pairs))
    if sheet is not None:
        write_sheet([(one.name, f1(one.counts), one.drawn) for one in measured if one.drawn], sheet)
    finest, coarsest = ready.gsd_m
    outside = [one.name for one in measured if not finest <= one.gsd_m <= coarsest]
    found = ready.about | report(folder, measured) | {"max_false_clues": most_false}
    return found | {"outside_the_card": outside, "gsd_taken_for_unknown": unsaid}


def evaluate_every(
    folder: Path, weights: str | None, device: str, gsd_m: float | None, advance: Advance
) -> dict[str, Any]:
    """The network, its plain difference and every training-free detector on the same pairs, each in its own row."""
    rows = [
        evaluate(folder, name, weights, device, gsd_m, advance)
        for name in (MODEL, DIFFERENCE, *TRAINING_FREE)
    ]
    return {"folder": str(folder.resolve()), "pairs": rows[0]["pairs"], "detectors": rows}


def report(folder: Path, measured: list[Measured]) -> dict[str, Any]:
    """Everything of all pairs, with intervals; and each pair."""
    each = [one.counts for one in measured]
    total, shifted = each[0], measured[0].shifted
    for one in measured[1:]:
        total, shifted = total + one.counts, shifted + one.shifted
    return {
        "folder": str(folder.resolve()),
        "pairs": len(each),
        "all": scores(total),
        "f1_interval_95": list(interval(each, f1)),
        "false_clues_a_pair": float(np.mean([one.false_clues for one in measured])),
        "stress": {
            "swapped_max_difference": max(one.swap_difference for one in measured),
            "shifted_2px_f1": f1(shifted),
        },
        "each": [
            {
                "name": one.name, "gsd_m": one.gsd_m, "threshold": one.threshold,
                "false_clues": one.false_clues,
            }
            | scores(one.counts)
            for one in measured
        ],
    }  # fmt: skip


def write_report(report: dict[str, Any], target: Path) -> None:
    """JSON, whole or not at all."""
    from ground.files import written_beside

    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as beside:
        beside.write_text(
            json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
