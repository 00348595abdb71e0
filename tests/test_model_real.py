"""The shipped network on ground that it never saw: above every detector that needs no training."""

import pytest

from detection.evaluate import evaluate
from tests.test_detect_real import DATA

pytestmark = pytest.mark.real


def test_the_french_pairs_are_told_better_than_without_training() -> None:
    folder = DATA / "pairs-fotbcd"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    report = {name: evaluate(folder, name, None, "cpu", None, lambda *_: None) for name in ("model", "cva")}
    for name, found in report.items():
        figures = found["all"]
        print(
            f"{name}: precision {figures['precision']:.3f} recall {figures['recall']:.3f} F1 {figures['f1']:.3f}"
        )
    assert report["model"]["all"]["f1"] >= 0.70
    assert report["model"]["all"]["f1"] > 3 * report["cva"]["all"]["f1"]
    assert report["model"]["stress"]["swapped_max_difference"] == 0.0
