"""The shipped network on ground that it never saw: above every detector that needs no training."""

from pathlib import Path

import pytest

from detection.evaluate import evaluate
from tests.test_detect_real import scene

pytestmark = pytest.mark.real


def test_the_french_pairs_are_told_better_than_without_training() -> None:
    folder = Path(scene("pairs-fotbcd", "before")).parent
    report = {
        name: evaluate(folder, name, None, "cpu", None, lambda *_: None) for name in ("model", "cva", "irmad")
    }
    for name, found in report.items():
        figures = found["all"]
        print(
            f"{name}: precision {figures['precision']:.3f} recall {figures['recall']:.3f} F1 {figures['f1']:.3f}"
        )
    assert report["model"]["all"]["f1"] >= 0.70
    assert report["model"]["all"]["f1"] > 3 * max(report[name]["all"]["f1"] for name in ("cva", "irmad"))
    assert report["model"]["stress"]["swapped_max_difference"] == 0.0
