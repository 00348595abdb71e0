"""How good a change map is: by pixel, by object, per km², by how honest its probability is, with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bool = NDArray[np.bool_]

BINS = 15
RESAMPLES = 1000
OBJECT_IOUS = (0.3, 0.5)


@dataclass(frozen=True)
class Counts:
    """Sums over a pair, or over many: pixels, objects by IoU of OBJECT_IOUS, reliability by probability bin."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    objects: int
    """Objects in the label."""
    said: int
    """Objects in the prediction."""
    matched: NDArray[np.int64]
    """Of the label's objects, how many one predicted object meets at each IoU of OBJECT_IOUS."""
    false_objects: int
    """Predicted objects that touch no labeled change."""
    bin_pixels: NDArray[np.int64]
    bin_probability: NDArray[np.float64]
    bin_changed: NDArray[np.int64]
    km2: float
    """0 where the pixel size is unknown."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def count(
    probability: NDArray[np.float32], label: Bool, known: Bool, threshold: float, gsd_m: float | None
) -> Counts:
    """All counts of one pair; arrays of rows × columns, probability 0 to 1; pixels not `known` count for nothing."""
    said = (probability >= threshold) & known
    truth = label & known
    hit = int((said & truth).sum())
    total = int(known.sum())
    matched, objects, predicted, false_objects = match_objects(said, truth)
    place = np.minimum((probability[known] * BINS).astype(int), BINS - 1)
    return Counts(
        true_positive=hit,
        false_positive=int(said.sum()) - hit,
        false_negative=int(truth.sum()) - hit,
        true_negative=total - int((said | truth).sum()),
        objects=objects,
        said=predicted,
        matched=matched,
        false_objects=false_objects,
        bin_pixels=np.bincount(place, minlength=BINS),
        bin_probability=np.bincount(place, weights=probability[known], minlength=BINS).astype(np.float64),
        bin_changed=np.bincount(place, weights=truth[known], minlength=BINS).astype(np.int64),
        km2=total * gsd_m**2 / 1e6 if gsd_m else 0.0,
    )


def match_objects(said: Bool, truth: Bool) -> tuple[NDArray[np.int64], int, int, int]:
    """Connected objects (8 neighbors) of both; IoU above 0.5 pairs uniquely, at 0.3 each label takes its best one."""
    eight = np.ones((3, 3), dtype=int)
    truth_ids, objects = ndimage.label(truth, structure=eight)
    said_ids, predicted = ndimage.label(said, structure=eight)
    pairs, common = np.unique(
        np.stack((truth_ids[truth & said], said_ids[truth & said])), axis=1, return_counts=True
    )
    truth_size, said_size = np.bincount(truth_ids.ravel()), np.bincount(said_ids.ravel())
    union = truth_size[pairs[0]] + said_size[pairs[1]] - common
    iou = common / union
    matched = []
    for least in OBJECT_IOUS:
        taken_truth: set[int] = set()
        taken_said: set[int] = set()
        for k in np.argsort(-iou, kind="stable"):
            t, s = int(pairs[0, k]), int(pairs[1, k])
            if iou[k] >= least and t not in taken_truth and s not in taken_said:
                taken_truth.add(t)
                taken_said.add(s)
        matched.append(len(taken_truth))
    return np.array(matched), objects, predicted, predicted - len(set(pairs[1].tolist()))


def false_clue_share(said: Bool, truth: Bool, smallest_px: int = 1) -> float:
    """Of the predicted objects (8 neighbors) of `smallest_px` and more, the share that touch no change; 0 if none."""
    labels, count = ndimage.label(said, structure=np.ones((3, 3), dtype=int))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    right = np.bincount(labels[truth], minlength=count + 1)[1:] > 0
    clues = sizes >= smallest_px
    return float((clues & ~right).sum() / clues.sum()) if clues.any() else 0.0


def ratio(above: float, below: float) -> float | None:
    """None where nothing could be measured."""
    return above / below if below else None


def f1(counts: Counts) -> float:
    """2TP / (2TP + FP + FN); 1 where there was nothing to find and nothing was found."""
    below = 2 * counts.true_positive + counts.false_positive + counts.false_negative
    return 2 * counts.true_positive / below if below else 1.0


def scores(counts: Counts) -> dict[str, Any]:
    """Every figure that the counts carry."""
    tp, fp, fn = counts.true_positive, counts.false_positive, counts.false_negative
    found: dict[str, Any] = {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": f1(counts),
        "iou": ratio(tp, tp + fp + fn),
        "changed_share": ratio(tp + fn, tp + fp + fn + counts.true_negative),
        "flag_all_f1": ratio(2 * (tp + fn), 2 * (tp + fn) + fp + counts.true_negative),
        "ece": ece(counts),
        "objects": counts.objects,
        "false_alarms_per_km2": ratio(counts.false_objects, counts.km2),
    }
    for least, matched in zip(OBJECT_IOUS, counts.matched, strict=True):
        found[f"object_f1_iou_{least}"] = ratio(2 * int(matched), counts.objects + counts.said)
    return found


def ece(counts: Counts) -> float | None:
    """Expected calibration error: mean over pixels of |said − changed| by probability bin (Guo et al. 2017)."""
    gaps = np.abs(counts.bin_probability - counts.bin_changed)
    return ratio(float(gaps.sum()), float(counts.bin_pixels.sum()))


def interval(
    each: Sequence[Counts], figure: Callable[[Counts], float], seed: int = 0, part: float = 0.95
) -> tuple[float, float]:
    """Bootstrap over pairs (percentile): pairs, not pixels, are what was drawn from the world."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(each), len(each))
        total = each[drawn[0]]
        for k in drawn[1:]:
            total = total + each[k]
        values.append(figure(total))
    low, high = np.quantile(values, [(1 - part) / 2, (1 + part) / 2])
    return float(low), float(high)
