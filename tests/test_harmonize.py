"""One light for both dates: lines found on what did not change, believed or not, and used where they help."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.light import VEGETATION, lights, lit
from detection.sample import draw, sample_blocks
from imagery.harmonize import Light, measure
from imagery.reader import Block
from imagery.scene import Observation

PIXELS = 20_000
GAINS, BIASES = (1.2, 0.7, 1.5, 0.9), (0.05, -0.1, 0.02, 0.2)
NAMES = ("blue", "green", "red", "nir")


def ground(bands: int, seed: int = 1) -> Any:
    """Six kinds of ground, each with its color, spread about it: (bands, PIXELS)."""
    random = np.random.default_rng(seed)
    colors = random.uniform(0.1, 0.9, (6, 1)) + random.normal(0, 0.08, (6, bands))
    texture = random.normal(0, 0.05, (1, PIXELS)) + random.normal(0, 0.02, (bands, PIXELS))
    return colors[random.integers(0, 6, PIXELS)].T + texture


def two_dates(bands: int, changed: float, how: str = "other", noise: float = 0.01) -> tuple[Any, Any]:
    """Before = gain × after + bias but for noise, where nothing changed."""
    random = np.random.default_rng(7)
    before = ground(bands)
    later = before.copy()
    mask = random.random(PIXELS) < changed
    if how == "other":
        later[:, mask] = ground(bands, seed=2)[:, mask]
    elif how == "built":
        later[:, mask] = 1.2 + random.normal(0, 0.03, (bands, int(mask.sum())))
    else:
        later[:, mask] *= 0.6
    gain, bias = np.array(GAINS[:bands])[:, None], np.array(BIASES[:bands])[:, None]
    after = (later + random.normal(0, noise, later.shape) - bias) / gain
    before = before + random.normal(0, noise, before.shape)
    return before.astype(np.float32), after.astype(np.float32)


def lines(report: dict[str, Any]) -> tuple[Any, Any]:
    return tuple(np.array([band[key] for band in report["bands"]]) for key in ("gain", "bias"))  # type: ignore[return-value]


@pytest.mark.parametrize("how", ["other", "built", "darker"])
@pytest.mark.parametrize("changed", [0.0, 0.05, 0.3, 0.4])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_gain_and_bias_are_found_under_change(bands: int, changed: float, how: str) -> None:
    before, after = two_dates(bands, changed, how)
    found = measure(before, after, NAMES[:bands])
    gain, bias = lines(found.report)
    assert found.light is not None
    assert gain == pytest.approx(GAINS[:bands], rel=0.02)
    assert bias == pytest.approx(BIASES[:bands], abs=0.01)
    for band in found.report["bands"]:
        # Two dates with noise of 0.01 each differ by 0.014; the half that differs least, by less.
        assert 0.003 < band["rmse_after"] < min(0.015, 0.75 * band["rmse_before"])
        assert band["r2"] > 0.98
    assert found.report["invariant_pixels"] == pytest.approx(PIXELS / 2, rel=0.03)
    assert found.report["held_out_pixels"] == pytest.approx(PIXELS / 6, rel=0.05)


@given(
    gain=st.lists(st.floats(0.4, 2.5), min_size=3, max_size=3),
    bias=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
)
@settings(max_examples=15)
def test_swapped_dates_give_the_inverse(gain: list[float], bias: list[float]) -> None:
    before, after = two_dates(3, 0.2)
    after = after * np.array(gain, np.float32)[:, None] + np.array(bias, np.float32)[:, None]
    there, back = (lines(measure(*dates, NAMES[:3]).report) for dates in ((before, after), (after, before)))
    # Which pixels are nearest is decided in one date's units: a few may differ.
    assert back[0] == pytest.approx(1 / there[0], rel=2e-3)
    assert back[1] == pytest.approx(-there[1] / there[0], abs=4e-3 * (1 + np.abs(bias).max()))


@given(seed=st.integers(0, 20))
@settings(max_examples=10)
def test_a_pair_in_one_light_is_left_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    before = ground(3, seed)
    dates = [before + random.normal(0, 0.02, before.shape) for _ in range(2)]
    found = measure(dates[0], dates[1], NAMES[:3])
    assert found.light is None and found.report["known"]
    assert "nothing to mend" in found.report["why"]
    same = measure(before, before, NAMES[:3])
    assert same.light is None
    assert [band["rmse_after"] for band in same.report["bands"]] == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_unrelated_scenes_have_no_invariant_pixels(bands: int, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(PIXELS)
    before = ground(bands)
    found = measure(before, before[:, shuffled] * 1.3 + 0.1, NAMES[:bands])
    assert found.light is None and not found.report["known"]
    assert "still scatters" in found.report["why"]


@pytest.mark.parametrize(("pixels", "most"), [(0, 0), (1, 0), (399, 0), (400, 210)])
def test_too_few_pixels_say_nothing(pixels: int, most: int) -> None:
    before, after = two_dates(3, 0.1)
    report = measure(before[:, :pixels], after[:, :pixels], NAMES[:3]).report
    assert report["invariant_pixels"] <= most and report["sampled_pixels"] == pixels
    assert report["known"] == (most > 0)
    if not most:
        assert f"{pixels} pixels are too few" in report["why"]
        assert all(list(lines(report)[k]) == [v] * 3 for k, v in ((0, 1.0), (1, 0.0)))
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("which", ["before", "after", "both"])
def test_a_constant_band_stays_as_it_is(which: str) -> None:
    before, after = two_dates(3, 0.2)
    if which != "after":
        before[1] = 0.25
    if which != "before":
        after[1] = 0.75
    found = measure(before, after, NAMES[:3])
    gain, bias = lines(found.report)
    assert gain == pytest.approx([GAINS[0], 1.0, GAINS[2]], rel=0.02)
    assert bias[1] == 0
    assert (found.report["bands"][1]["r2"], found.report["bands"][1]["rmse_after"]) == (None, None)
    assert found.light is not None


def test_bands_that_are_all_constant_say_nothing() -> None:
    flat = np.full((2, PIXELS), 0.3, dtype=np.float32)
    report = measure(flat, flat * 2, NAMES[:2]).report
    assert (report["known"], report["why"]) == (False, "Light is unknown: no band varies on both dates.")
    # A band that is constant but for a handful of pixels: the nearest half does not vary.
    flat[:, :50] = np.linspace(0, 1, 50)
    report = measure(flat, flat * 2, NAMES[:2]).report
    assert not report["known"]
    json.dumps(report, allow_nan=False)


def test_a_date_in_another_unit_is_refused_with_the_gain() -> None:
    before, after = two_dates(3, 0.1)
    found = measure(before, after * 10_000, NAMES[:3])
    assert found.light is None
    assert "beyond 4 times either way; are both scenes in one unit?" in found.report["why"]


def test_a_negative_is_refused() -> None:
    before, after = two_dates(3, 0.1)
    assert measure(before, -after, NAMES[:3]).light is None


@given(top=st.integers(0, 20), left=st.integers(0, 20))
def test_light_is_the_same_in_every_window(top: int, left: int) -> None:
    light = Light(np.array([1.1, 0.9], np.float32), np.array([-3, 7], np.float32))
    values = np.random.default_rng(1).integers(0, 255, (2, 30, 30)).astype(np.uint8)
    part = (slice(None), slice(top, top + 9), slice(left, left + 9))
    assert np.array_equal(light.of(values[part]), light.of(values)[part])
    assert values.dtype == np.uint8 and light.of(values).dtype == np.float32


@pytest.mark.parametrize("code", [code for code in Observation if code is not Observation.OBSERVED])
def test_pixels_not_seen_are_not_sampled(code: Observation) -> None:
    codes = np.zeros((8, 8), np.uint8)
    codes[2:5] = code
    values = np.where(codes == 0, 1, 99)[None].astype(np.uint8)
    places, step = sample_blocks(8, 8, 0)
    prepared, as_read = draw(
        places, lambda _window: Block(values, values, codes), step, 1, lambda b: (b.before * 2, b.after * 3)
    )
    assert (set(prepared.before[0]), set(prepared.after[0])) == ({2}, {3})
    assert as_read.before.tolist() == as_read.after.tolist() == [[1.0] * 40]


def test_what_was_not_seen_stays_nothing() -> None:
    block = Block(
        np.ones((1, 1, 3), np.float32), np.array([[[2, 0, 5]]], np.float32), np.array([[0, 1, 7]], np.uint8)
    )
    light = Light(np.array([2], np.float32), np.array([1], np.float32))
    assert lit(block, light).after.tolist() == [[[5, 0, 0]]]
    assert block.after.tolist() == [[[2, 0, 5]]]
    assert lit(block, None) is block


@pytest.mark.parametrize(
    ("names", "own", "applied"),
    [
        (NAMES, "has its own", [VEGETATION]),
        (NAMES[:3], "has its own", []),
        (NAMES, None, ["plain", VEGETATION]),
        (NAMES[:3], None, ["plain"]),
    ],
)
def test_light_goes_where_it_helps(names: Any, own: str | None, applied: list[str]) -> None:
    found = measure(*two_dates(len(names), 0.1), names)
    made = lights(found, names, "plain", own)
    assert made.report["applied_to"] == applied and made.report["applied"] == bool(applied)
    assert (made.detector is not None, made.classes is not None) == (
        "plain" in applied,
        VEGETATION in applied,
    )
    assert (own or "") in made.report["why"]
    nothing = lights(replace(found, light=None), names, "plain", own).report
    assert (nothing["applied"], nothing["applied_to"]) == (False, [])
