"""Detectors measured on labeled pairs: figures known by hand, every kind of detector, and pictures to look at."""

import json
from pathlib import Path

import matplotlib.image
import pytest

from detection.evaluate import evaluate, evaluate_every
from ground.errors import BadInput
from imagery.labeled import LabeledPairs
from tests.model_world import mask, picture, write


def labeled(root: Path, gsd_m: float | None = None, count: int = 2) -> Path:
    for k in range(count):
        house = ((20 + 30 * k, 30, 40, 40),)
        suffix = "tif" if gsd_m else "png"
        write(root / "before" / f"p{k}.{suffix}", picture(128, (), k), gsd_m)
        write(root / "after" / f"p{k}.{suffix}", picture(128, house, k + 9), gsd_m)
        write(root / "label" / f"p{k}.{suffix}", mask(128, house) * 255, gsd_m)
    return root


def test_evaluate_measures_a_training_free_detector(tmp_path: Path) -> None:
    report = evaluate(labeled(tmp_path, 0.5), "cva", None, "cpu", None, lambda *_: None)
    assert report["pairs"] == 2
    assert report["all"]["recall"] > 0.9
    assert report["all"]["precision"] > 0.8
    assert report["all"]["object_f1_iou_0.5"] == pytest.approx(1.0)
    low, high = report["f1_interval_95"]
    assert low <= report["all"]["f1"] <= high
    assert [one["name"] for one in report["each"]] == ["p0", "p1"]
    json.dumps(report, allow_nan=False)


def test_evaluate_measures_the_shipped_network_on_plain_pictures(tmp_path: Path) -> None:
    report = evaluate(labeled(tmp_path), "model", None, "cpu", None, lambda *_: None)
    assert report["stress"]["swapped_max_difference"] == 0.0
    assert len(report["weights_sha256"]) == 64
    assert report["all"]["false_alarms_per_km2"] is None


def test_a_label_of_0_1_and_255_has_pixels_that_are_not_known(tmp_path: Path) -> None:
    root = labeled(tmp_path, count=1)
    plane = mask(128, ((0, 0, 10, 10),))
    plane[50:60] = 255
    write(root / "label" / "p0.png", plane)
    pair = LabeledPairs(root)[0]
    assert (pair.label.sum(), (~pair.known).sum()) == (100, 1280)


def test_folders_that_are_no_pairs_are_named(tmp_path: Path) -> None:
    root = labeled(tmp_path)
    (root / "label" / "p1.png").unlink()
    with pytest.raises(BadInput, match="p1 is missing in label"):
        LabeledPairs(root)
    write(root / "label" / "p1.png", mask(64))
    with pytest.raises(BadInput, match=r"p1.png: has 64 × 64 pixels, .* 128 × 128"):
        LabeledPairs(root)[1]
    write(root / "label" / "p1.png", mask(128, ((0, 0, 9, 9),)) * 7)
    with pytest.raises(BadInput, match=r"holds \[7\]"):
        LabeledPairs(root)[1]
    with pytest.raises(BadInput, match="has no folder before/"):
        LabeledPairs(tmp_path / "label")


def test_every_detector_stands_in_a_row_of_its_own(tmp_path: Path) -> None:
    report = evaluate_every(labeled(tmp_path, 0.5, count=1), None, "cpu", None, lambda *_: None)
    rows = {one["detector"]: one["all"]["f1"] for one in report["detectors"]}
    assert list(rows) == ["model", "difference", "irmad", "cva", "features"]
    assert rows["features"] > 0.6  # a red roof on grass lies far off in any features
    json.dumps(report, allow_nan=False)


def test_a_picture_larger_than_a_window_is_measured_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = labeled(tmp_path, 0.5, count=1)
    whole = evaluate(root, "model", None, "cpu", None, lambda *_: None)
    monkeypatch.setattr("detection.evaluate.NETWORK_WINDOW", 64)
    parts = evaluate(root, "model", None, "cpu", None, lambda *_: None)
    assert parts["all"] == pytest.approx(whole["all"], abs=1e-4)
    assert parts["stress"]["swapped_max_difference"] == 0.0


def test_the_sheet_shows_each_pair_once_best_first(tmp_path: Path) -> None:
    root, sheet = labeled(tmp_path, 0.5, count=2), tmp_path / "sheet.png"
    evaluate(root, "cva", None, "cpu", None, lambda *_: None, sheet=sheet)
    seen = matplotlib.image.imread(sheet)
    assert seen.shape[0] > 500
    assert seen.shape[1] > 1000
    assert [file.name for file in tmp_path.glob("*.png*")] == ["sheet.png"]


def test_a_threshold_can_be_asked_for_once(tmp_path: Path) -> None:
    root = labeled(tmp_path, 0.5, count=1)
    none = evaluate(root, "cva", None, "cpu", None, lambda *_: None, threshold=1.0)
    assert none["all"]["recall"] < 0.5
    with pytest.raises(BadInput, match="leave out --threshold"):
        evaluate(root, "model", None, "cpu", None, lambda *_: None, threshold=0.5, most_false=0.1)
    with pytest.raises(BadInput, match="cva was never measured for it"):
        evaluate(root, "cva", None, "cpu", None, lambda *_: None, most_false=0.1)
    with pytest.raises(BadInput, match="'sar' is unknown"):
        evaluate(root, "sar", None, "cpu", None, lambda *_: None)
