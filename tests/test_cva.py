"""CVA: one line a band brings the later date to the earlier one's light; what then remains is change."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.cva import box_mean, fit_cva, length_squared, radius_px, smooth
from detection.look import to_bytes
from detection.sample import Sample
from imagery.reader import Block
from tests.mask_world import change_mask

SIDE = 60
PLANTED = (slice(20, 30), slice(35, 50))


def sampled(before: Any, after: Any) -> Sample:
    flat = [np.ascontiguousarray(v.reshape(len(v), -1), dtype=np.float32) for v in (before, after)]
    return Sample(flat[0], flat[1], 1)


def detected(before: Any, after: Any, smallest_px: int = 4) -> Any:
    """Where probability of change is one half and more, in groups of four pixels and more."""
    detector = fit_cva(sampled(before, after), 0)
    probability = detector(before.astype(np.float32), after.astype(np.float32))
    return change_mask(to_bytes(probability, np.zeros(probability.shape, np.uint8)), 0.5, smallest_px)


def planted() -> Any:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[PLANTED] = True
    return mask


@pytest.fixture
def changed(noisy_pair: Callable[..., tuple[Any, Any]]) -> Callable[[int], tuple[Any, Any]]:
    def make(bands: int) -> tuple[Any, Any]:
        before, after = noisy_pair(bands, SIDE, SIDE)
        after[:, *PLANTED] += 1500
        return before, after

    return make


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_a_planted_change_is_found_to_the_pixel(changed: Any, bands: int) -> None:
    assert np.array_equal(detected(*changed(bands)), planted())


@given(
    gain=st.tuples(*[st.floats(1e-3, 1e3)] * 3),
    offset=st.tuples(*[st.floats(-1000, 1000)] * 3),
)
@settings(max_examples=25)
def test_gain_and_offset_of_a_band_do_not_matter(
    changed: Any, gain: tuple[float, ...], offset: tuple[float, ...]
) -> None:
    before, after = changed(3)
    other = (after + np.array(offset)[:, None, None]) * np.array(gain)[:, None, None]
    assert np.array_equal(detected(before, other), planted())
    assert np.array_equal(detected(before * np.array(gain)[:, None, None], after), planted())


@pytest.mark.parametrize("bands", [1, 3])
def test_the_line_is_that_of_the_unchanged_ground(changed: Any, bands: int) -> None:
    # The world's later date is ground × (1 + 0.1 band) + 100.
    fitted = fit_cva(sampled(*changed(bands)), 0)
    gain = 1 + 0.1 * np.arange(bands)
    assert fitted.gain == pytest.approx(gain, rel=0.01)
    # At the ground's middle of 3,000, where gain and bias cannot make up for each other.
    assert fitted.gain * 3000 + fitted.bias == pytest.approx(gain * 3000 + 100, abs=5)


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_a_scene_against_itself_did_not_change(noisy_pair: Callable[..., Any], bands: int) -> None:
    before, _ = noisy_pair(bands, SIDE, SIDE)
    assert not detected(before, before).any()
    assert not detected(before, before * 0.0001 - 0.1).any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bands", [1, 2, 3])
def test_noise_is_no_change(noisy_pair: Callable[..., Any], bands: int, seed: int) -> None:
    pair = noisy_pair(bands, 100, 100, seed=seed)
    # Single pixels are alarmed: few, but of one band the cube root of chi-square is far from Gaussian.
    assert detected(*pair, smallest_px=1).mean() <= (0.02 if bands == 1 else 2e-3)
    assert not detected(*pair).any()


@pytest.mark.parametrize("useless", ["constant", "repeated"])
def test_a_useless_band_does_no_harm(changed: Any, useless: str) -> None:
    before, after = changed(2)
    flat = np.full((1, SIDE, SIDE), 1234.5)
    more = {"constant": (flat, flat + 7), "repeated": (before[:1], after[:1])}[useless]
    found = detected(np.concatenate([before, more[0]]), np.concatenate([after, more[1]]))
    assert found[PLANTED].all()
    assert (found & ~planted()).sum() <= 1


def test_the_length_is_that_in_units_of_the_spread() -> None:
    # after − (2 · before + 1) = (3, 4); the spreads' squares are 9 and 4: 9 / 9 + 16 / 4 = 5.
    before, after = np.array([[[10.0]], [[20.0]]]), np.array([[[24.0]], [[45.0]]])
    precision = np.diag([1 / 9, 1 / 4])
    assert length_squared(before, after, np.array([2.0, 2.0]), np.array([1.0, 1.0]), precision)[0, 0] == 5
    # And with the two spreads correlated: + 2 · 3 · 4 · 0.1.
    precision[0, 1] = precision[1, 0] = 0.1
    both = length_squared(before, after, np.array([2.0, 2.0]), np.array([1.0, 1.0]), precision)[0, 0]
    assert both == pytest.approx(5 + 2.4)


@pytest.mark.parametrize(
    ("gsd_m", "radius"),
    # 1.5 m on each side, four pixels at most.
    [(0.2, 4), (0.3, 4), (0.5, 3), (0.6, 2), (0.8, 2), (1.0, 2), (2.0, 1), (3.5, 0), (10.0, 0)],
)
def test_fine_pixels_are_averaged_over_three_meters(gsd_m: float, radius: int) -> None:
    assert radius_px(gsd_m) == radius


def test_a_mean_is_of_the_pixels_that_were_seen() -> None:
    values = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3)
    seen = np.ones((3, 3), dtype=bool)
    seen[0, 0] = False
    # Middle: 2…9; top left: 2, 4, 5 (it was not seen itself); bottom right: 5, 6, 8, 9.
    means = box_mean(values, seen, 1)[0]
    assert [means[1, 1], means[0, 0], means[2, 2]] == pytest.approx([44 / 8, 11 / 3, 7])
    assert (box_mean(values, np.zeros_like(seen), 1) == 0).all()
    assert box_mean(values, seen, 0) is values


@given(top=st.integers(0, 8), left=st.integers(0, 8), radius=st.integers(1, 4))
def test_a_mean_does_not_depend_on_the_window(top: int, left: int, radius: int) -> None:
    random = np.random.default_rng(5)
    values = random.normal(1000, 300, (2, 24, 24)).astype(np.float32)
    seen = random.uniform(size=(24, 24)) > 0.2
    whole = box_mean(values, seen, radius)
    outer = (slice(top, top + 16), slice(left, left + 16))
    part = box_mean(values[:, *outer], seen[outer], radius)
    inner = slice(radius, 16 - radius)
    assert np.array_equal(part[:, inner, inner], whole[:, *outer][:, inner, inner])


def test_both_dates_are_averaged_over_what_both_saw() -> None:
    seen = np.array([[0, 3, 0]], dtype=np.uint8)
    row = np.array([[[1, 0, 5]]], dtype=np.float32)
    before, after = smooth(Block(row, row * 10, seen), 2)
    assert before[0, 0].tolist() == [3, 3, 3]
    assert after[0, 0].tolist() == [30, 30, 30]


def test_a_handful_of_pixels_teaches_nothing_and_finds_nothing() -> None:
    few = np.arange(6, dtype=np.float64).reshape(3, 1, 2)
    assert not detected(few, few).any()
