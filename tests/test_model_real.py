"""The shipped network on ground that it never saw: above every detector that needs no training, in any window."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detection.evaluate import evaluate
from detection.learned import learned
from imagery.labeled import LabeledPairs
from imagery.tiling import windows
from models.checkpoint import DEFAULT, find
from tests.test_detect_real import DATA

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

FRENCH_GSD_M = 0.2


def french() -> Path:
    folder = DATA / "pairs-fotbcd"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


def test_the_french_pairs_are_told_better_than_without_training() -> None:
    names = ("model", "difference", "cva", "irmad", "features")
    report = {name: evaluate(french(), name, None, "cpu", None, lambda *_: None) for name in names}
    for name, found in report.items():
        figures = found["all"]
        print(
            f"{name}: precision {figures['precision']:.3f} recall {figures['recall']:.3f} F1 {figures['f1']:.3f}"
        )
    f1 = {name: found["all"]["f1"] for name, found in report.items()}
    assert f1.pop("model") >= max(0.70, *f1.values())
    assert report["model"]["stress"]["swapped_max_difference"] == 0.0


def scene() -> tuple[np.ndarray, np.ndarray]:
    """The ten pairs side by side: 1,024 × 2,560 pixels."""
    pairs = list(LabeledPairs(french()))
    rows = [
        [np.concatenate([getattr(p, date)[:3] for p in pairs[k : k + 5]], axis=2) for k in (0, 5)]
        for date in ("before", "after")
    ]
    before, after = (np.concatenate(row, axis=1) for row in rows)
    return before, after


def test_windows_of_any_size_decide_alike() -> None:
    before, after = scene()
    look = learned(find(DEFAULT), FRENCH_GSD_M, "cpu")
    height, width = before.shape[1:]
    decided = {}
    for side in (512, 1024, 4096):
        found = np.zeros((height, width), dtype=bool)
        for padded in windows(width, height, side, look.margin):
            rows, columns = padded.outer.toslices()
            inner = padded.inner.toslices()
            found[inner] = (
                look(before[:, rows, columns], after[:, rows, columns])[padded.crop] >= look.threshold
            )
        decided[side] = found
    for side in (512, 1024):
        off = float((decided[side] != decided[4096]).mean())
        print(f"windows of {side}: {off:.6%} of decisions differ from the whole scene's")
        assert off <= 1e-4


def test_half_precision_decides_as_single_does() -> None:
    """bfloat16 on the CPU: the arithmetic that a GPU uses."""
    before, after = scene()
    look = learned(find(DEFAULT), FRENCH_GSD_M, "cpu")
    exact = look(before, after) >= look.threshold
    with torch.autocast("cpu", torch.bfloat16):
        half = replace(look)(before, after) >= look.threshold
    print(f"bfloat16: {(half == exact).mean():.4%} of decisions agree with float32's")
    assert (half == exact).mean() >= 0.993
