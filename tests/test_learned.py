"""The network as a detector: any size, any window, a pixel size it knows; and the measuring of detectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from detection.detectors import choose
from detection.learned import Learned, display_range, pick_device
from detection.sample import Sample
from ground.errors import BadInput
from imagery.tiling import windows
from models.checkpoint import Operating
from models.probability import _rectangles
from tests.model_world import picture
from tests.test_siamese import card, random_network

RGB = ("red", "green", "blue")


def detector(gsd_m: float = 0.5) -> Learned:
    """Pixels of 0.25 m are averaged by two, those of 2 m enlarged by two."""
    return Learned(random_network(), card(margin_px=512, scales=(1, 2)), "cpu", gsd_m)


@pytest.mark.parametrize("gsd_m", [0.5, 0.25, 2.0])
@pytest.mark.parametrize("size", [(128, 128), (97, 130), (31, 33)])
def test_any_size_gives_a_probability_a_pixel_and_none_without_difference(
    gsd_m: float, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0, 255, (2, 3, *size)).astype(np.float32)
    look = detector(gsd_m)
    found = look(before, after)
    assert found.shape == size
    assert 0 <= found.min() <= found.max() <= 1
    assert np.array_equal(found, look(after, before))


@pytest.mark.parametrize("gsd_m", [0.5, 0.25])
def test_windows_decide_as_the_whole_does(gsd_m: float) -> None:
    before, after = picture(512, ((40, 60, 50, 90),), 1), picture(512, ((300, 240, 90, 60),), 2)
    pair = np.stack((before, after)).astype(np.float32)
    look = detector(gsd_m)
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
    said = {gsd: known.resampling(gsd) for gsd in (0.1, 0.25, 0.5, 1.0, 1.1, 2.0, None)}
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


def test_direction_is_of_the_order_of_time_and_probability_is_not() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.uniform(0, 255, (2, 3, 96, 96)).astype(np.float32)
    look = detector()
    forth, back = look.look(before, after), look.look(after, before)
    assert np.array_equal(forth[0], back[0])
    assert np.array_equal(forth[1], -back[1])


def test_the_card_s_range_calibrates_without_changing_what_the_network_ranks() -> None:
    rng = np.random.default_rng(2)
    before, after = rng.uniform(0, 255, (2, 3, 64, 64)).astype(np.float32)
    at = Operating(
        gsd_m=(0.3, 1.1), temperature=2.0, bias=-1.0, threshold=0.4, ece=0.0, pairs=9, measured_on="drawn"
    )
    plain = Learned(random_network(), card(), "cpu", 0.5)
    honest = Learned(random_network(), card(operating=(at,)), "cpu", 0.5)
    raw, said = plain(before, after).astype(float), honest(before, after)
    logit = np.log(raw / (1 - raw))
    assert np.abs(1 / (1 + np.exp(-(logit / 2 - 1))) - said).max() < 1e-5
    assert (plain.threshold, honest.threshold) == (0.5, 0.4)
    assert honest.parameters()["bias"] == -1.0


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.62, 0.8])
@pytest.mark.parametrize("gsd_m", [0.5, 0.25, 2.0])
def test_looking_closer_only_where_it_matters_decides_the_same(threshold: float, gsd_m: float) -> None:
    before, after = (
        picture(512, (), 1).astype(np.float32),
        picture(512, ((60, 80, 40, 50),), 2).astype(np.float32),
    )
    at = Operating(
        gsd_m=(0.3, 1.1), temperature=1.4, bias=-0.3, threshold=0.5, ece=0.0, pairs=9, measured_on="drawn"
    )
    look = Learned(random_network(), card(margin_px=512, scales=(1, 2), operating=(at,)), "cpu", gsd_m)
    sooner, always = (
        replace(look, decides_at=threshold)(before, after),
        replace(look, decides_at=0.03)(before, after),
    )
    assert np.array_equal(sooner >= threshold, always >= threshold)
    over = always >= threshold
    assert np.abs(sooner[over] - always[over]).max(initial=0) < 1e-5


def test_the_finer_scale_is_left_out_where_it_cannot_matter_and_cut_where_it_can() -> None:
    wanted = torch.zeros(640, 640, dtype=torch.bool)
    assert list(_rectangles(wanted, 64, 64)) == []
    wanted[200, 330] = True
    ((inner, outer, crop),) = _rectangles(wanted, 64, 64)
    assert inner == (..., slice(192, 256), slice(320, 384))
    assert outer == (..., slice(128, 320), slice(256, 448))
    assert crop == (..., slice(64, 128), slice(64, 128))


def test_what_is_high_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.probability.HIGHEST", 256)
    wanted = torch.zeros(640, 640, dtype=torch.bool)
    wanted[10:600, 300:310] = True
    # 0 to 640 in three parts of at most 256 rows, of whole steps of 64.
    parts = list(_rectangles(wanted, 64, 64))
    assert [inner[1] for inner, _, _ in parts] == [slice(0, 256), slice(256, 512), slice(512, 640)]
    assert [outer[1] for _, outer, _ in parts] == [slice(0, 320), slice(192, 576), slice(448, 640)]
    assert [inner[2] for inner, _, _ in parts] == [slice(256, 320)] * 3


def test_a_share_of_false_clues_sets_the_threshold_or_says_why_it_cannot() -> None:
    at = Operating(
        gsd_m=(0.3, 1.1), temperature=1.0, bias=0.0, threshold=0.5, ece=0.0, pairs=9, measured_on="drawn",
        false_clues=((0.3, 0.3), (0.6, 0.1), (0.9, 0.04)),
    )  # fmt: skip
    known = card(operating=(at,))
    assert [known.threshold_for(0.5, most, "f") for most in (0.35, 0.1, 0.05)] == [0.3, 0.6, 0.9]
    with pytest.raises(
        BadInput, match=r"f: no threshold of t keeps false clues to 0.03; ask for 0.040 or more"
    ):
        known.threshold_for(0.5, 0.03, "f")
    with pytest.raises(BadInput, match="has no measured false clues; run `tiankan models calibrate`"):
        card().threshold_for(0.5, 0.1, "f")
    with pytest.raises(BadInput, match=r"1\.5 is no share"):
        known.threshold_for(0.5, 1.5, "f")
    with pytest.raises(
        BadInput, match=r"--max-false-clues: irmad was never measured for it .*; use --threshold"
    ):
        choose("auto", (*RGB, "nir"), 10.0, "f", most_false=0.1)
