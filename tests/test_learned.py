"""The network as a detector: any size, any window, a pixel size it knows; and the measuring of detectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from detection.detectors import choose
from detection.evaluate import evaluate
from detection.learned import Learned, display_range, pick_device, resampling
from detection.sample import Sample
from ground.errors import BadInput
from imagery.labeled import LabeledPairs
from imagery.tiling import windows
from tests.model_world import mask, picture, write
from tests.test_siamese import card, random_network

RGB = ("red", "green", "blue")


def detector(averaged: int = 1, enlarged: int = 1) -> Learned:
    return Learned(random_network(), card(margin_px=512), "cpu", averaged, enlarged)


@pytest.mark.parametrize("scale", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("size", [(128, 128), (97, 130), (31, 33)])
def test_any_size_gives_a_probability_a_pixel_and_none_without_difference(
    scale: tuple[int, int], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0, 255, (2, 3, *size)).astype(np.float32)
    look = detector(*scale)
    found = look(before, after)
    assert found.shape == size
    assert 0 <= found.min() <= found.max() <= 1
    assert np.array_equal(found, look(after, before))


@pytest.mark.parametrize(("averaged", "enlarged"), [(1, 1), (2, 1)])
def test_windows_decide_as_the_whole_does(averaged: int, enlarged: int) -> None:
    before, after = picture(512, ((40, 60, 50, 90),), 1), picture(512, ((300, 240, 90, 60),), 2)
    pair = np.stack((before, after)).astype(np.float32)
    look = detector(averaged, enlarged)
    whole, joined = look(*pair), np.zeros((512, 512), dtype=np.float32)
    for padded in windows(512, 512, 256, 128):
        outer = padded.outer
        part = pair[
            ..., outer.row_off : outer.row_off + outer.height, outer.col_off : outer.col_off + outer.width
        ]
        inner = padded.inner
        rows = slice(inner.row_off, inner.row_off + inner.height)
        columns = slice(inner.col_off, inner.col_off + inner.width)
        joined[rows, columns] = look(*part)[padded.crop]
    assert ((whole >= 0.5) != (joined >= 0.5)).mean() <= 0.002  # random weights look farther than taught ones


def test_pixels_too_fine_are_averaged_and_too_coarse_ones_enlarged() -> None:
    known = card(work_gsd_m=(0.5, 1.1))
    said = {gsd: resampling(gsd, known) for gsd in (0.1, 0.25, 0.5, 1.0, 1.1, 2.0, None)}
    assert said == {
        0.1: (8, 1), 0.25: (2, 1), 0.5: (1, 1), 1.0: (1, 1), 1.1: (1, 1), 2.0: (1, 2), None: (1, 1),
    }  # fmt: skip


def test_bytes_are_shown_as_they_are_and_anything_else_is_stretched() -> None:
    dark = np.full((3, 100), 40.0, dtype=np.float32)
    assert display_range(Sample(dark, dark + 100, 1)) == (0.0, 255.0)
    reflectance = np.linspace(0.01, 0.4, 300, dtype=np.float32).reshape(3, 100)
    low, high = display_range(Sample(reflectance, reflectance, 1))
    assert 0.01 <= low < 0.02 < 0.38 < high <= 0.4


def test_auto_takes_the_network_where_its_card_reaches_and_says_why_not_elsewhere() -> None:
    assert choose("auto", RGB, 0.5, "f").detector == "model"
    assert choose("auto", (*RGB, "nir"), 0.5, "f").detector == "model"
    coarse = choose("auto", (*RGB, "nir"), 10.0, "f")
    assert (coarse.detector, "these are 10.00 m" in coarse.why) == ("irmad", True)
    gray = choose("auto", ("gray",), 0.5, "f")
    assert (gray.detector, "needs red, green, blue" in gray.why) == ("cva", True)
    with pytest.raises(BadInput, match=r"these are 10.00 m; use --detector auto"):
        choose("model", RGB, 10.0, "scene.tif")


def test_a_device_that_is_not_there_is_named() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(BadInput, match="use auto, cpu or cuda"):
        pick_device("tpu")


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
