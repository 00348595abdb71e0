"""IR-MAD finds what changed, and neither the light, the mix of bands nor a useless band moves it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.irmad import fit_irmad, wilson_hilferty
from detection.sample import Sample
from imagery.canonical import CHUNK, Moments, canonical

SIDE = 60
PLANTED = (slice(20, 30), slice(35, 50))
"""150 of 3,600 pixels."""


def sampled(before: Any, after: Any) -> Sample:
    bands = len(before)
    flat = [np.ascontiguousarray(v.reshape(bands, -1), dtype=np.float32) for v in (before, after)]
    return Sample(flat[0], flat[1], 1)


def detected(before: Any, after: Any) -> Any:
    """Where probability of change is one half and more."""
    detector = fit_irmad(sampled(before, after))
    return detector(before.astype(np.float32), after.astype(np.float32)) >= 0.5


@pytest.fixture
def changed(noisy_pair: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    """Four bands; bare soil where green was: the first three brighter, the fourth darker."""
    before, after = noisy_pair(4, SIDE, SIDE)
    after[:, *PLANTED] += np.array([1500, 1300, 1600, -1200])[:, None, None]
    return before, after


def planted() -> Any:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[PLANTED] = True
    return mask


def test_a_planted_change_is_found_to_the_pixel(changed: tuple[Any, Any]) -> None:
    assert np.array_equal(detected(*changed), planted())


@given(
    gain=st.tuples(*[st.floats(1e-4, 1e4)] * 4),
    offset=st.tuples(*[st.floats(-1000, 1000)] * 4),
    sign=st.tuples(*[st.sampled_from([-1, 1])] * 4),
)
@settings(max_examples=25)
def test_gain_and_offset_of_a_date_do_not_matter(
    changed: tuple[Any, Any], gain: tuple[float, ...], offset: tuple[float, ...], sign: tuple[int, ...]
) -> None:
    before, after = changed
    factor = (np.array(gain) * sign)[:, None, None]
    # The offset in units of the gain: float32 would lose the ground under a larger one.
    other = (after + np.array(offset)[:, None, None]) * factor
    assert np.array_equal(detected(before, other), planted())
    assert np.array_equal(detected(other, before), planted())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_mix_of_a_dates_bands_does_not_matter(changed: tuple[Any, Any], seed: int) -> None:
    before, after = changed
    random = np.random.default_rng(seed)
    # Orthogonal times scales: any mix that a sensor could show and that can be undone.
    mix = np.linalg.qr(random.normal(size=(4, 4)))[0] * random.uniform(0.3, 3, 4)
    one = fit_irmad(sampled(before, after))
    other = fit_irmad(sampled(before, np.einsum("ij,jrc->irc", mix, after)))
    assert other.transform.correlations == pytest.approx(one.transform.correlations, abs=1e-3)
    assert np.array_equal(detected(before, np.einsum("ij,jrc->irc", mix, after)), planted())


@pytest.mark.parametrize("useless", ["constant", "constant on one date", "repeated", "sum of two"])
def test_a_useless_band_does_no_harm(changed: tuple[Any, Any], useless: str) -> None:
    before, after = changed
    flat = np.full((1, SIDE, SIDE), 1234.5)
    more = {
        "constant": (flat, flat + 7),
        "constant on one date": (flat, after[:1]),
        "repeated": (before[:1], after[:1]),
        "sum of two": (before[:1] + before[1:2], after[:1] + after[1:2]),
    }[useless]
    found = detected(np.concatenate([before, more[0]]), np.concatenate([after, more[1]]))
    # It counts as a degree of freedom that it is not: one pixel in 3,450 may pass for it, a sieve of four none.
    assert found[PLANTED].all()
    assert (found & ~planted()).sum() <= 1


@pytest.mark.parametrize("bands", [2, 4, 6])
def test_a_scene_against_itself_did_not_change(noisy_pair: Callable[..., Any], bands: int) -> None:
    before, _ = noisy_pair(bands, SIDE, SIDE)
    assert not detected(before, before).any()
    # Nor against itself in other units.
    assert not detected(before, before * 0.0001 - 0.1).any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bands", [2, 4, 6])
def test_noise_is_no_change(noisy_pair: Callable[..., Any], bands: int, seed: int) -> None:
    # 2 in 10,000 of a Gaussian lie beyond 3.5 deviations; ten times that is still nothing after a sieve of four.
    assert detected(*noisy_pair(bands, 100, 100, seed=seed)).mean() <= 2e-3


def test_an_identical_pair_with_one_change_has_that_change(noisy_pair: Callable[..., Any]) -> None:
    before, _ = noisy_pair(4, SIDE, SIDE)
    after = before.copy()
    after[:, *PLANTED] += np.array([300, 200, 400, -300])[:, None, None]
    assert np.array_equal(detected(before, after), planted())


def test_the_statistic_of_unchanged_ground_is_that_of_its_degrees_of_freedom(
    noisy_pair: Callable[..., Any],
) -> None:
    # One round weights all alike: Σ variate² / variance has the mean of chi-square, the number of bands.
    before, after = noisy_pair(4, 100, 100)
    one = fit_irmad(sampled(before, after), rounds=1)
    z = one.transform.chi_square(before, after)
    assert one.rounds == 1
    assert z.mean() == pytest.approx(4, rel=1e-3)
    assert wilson_hilferty(np.array([32.0]), 4)[0] == pytest.approx(2)


def test_canonical_correlations_of_a_world_worked_by_hand() -> None:
    # Band 1 of both dates is one signal. Band 2 of both is noise that agrees in three of four: correlation 0.5.
    signal, noise = np.resize([1.0, -1.0], 16), np.resize([1.0, 1.0, -1.0, -1.0], 16)
    other = noise * np.repeat([1, 1, 1, -1], 4)
    rows = np.column_stack([10 * signal, noise, 3 * signal + 5, other])
    moments = Moments(4)
    moments.add(rows, np.ones(16))
    found = canonical(moments)
    assert found.correlations == pytest.approx([0.5, 1], abs=1e-6)
    assert found.mean_after == pytest.approx([5, 0])
    # The signal agrees: its variate is 0. The noise is off by 0 or 2: 2² / 2(1 − 0.5) = 4.
    z = found.chi_square(rows[:, :2].T, rows[:, 2:].T)
    assert z == pytest.approx(np.repeat([0, 0, 0, 4], 4), abs=1e-5)


@given(
    cuts=st.lists(st.integers(0, 200), max_size=5),
    seed=st.integers(0, 1000),
    far=st.sampled_from([0.0, 1e6]),
)
def test_moments_taken_in_chunks_are_numpys(cuts: list[int], seed: int, far: float) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(far, 3, (200, 3)) * [1, 10, 0.1]
    weights = random.uniform(0, 1, 200) * (random.uniform(size=200) > 0.2)
    moments = Moments(3)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 200], strict=True):
        moments.add(rows[start:stop], weights[start:stop])
    assert moments.weight == pytest.approx(weights.sum())
    assert moments.mean == pytest.approx(np.average(rows, axis=0, weights=weights))
    expected = np.cov(rows.T, aweights=weights, ddof=0)
    assert np.allclose(moments.covariance, expected, rtol=1e-6, atol=1e-6 * np.abs(np.diag(expected)).min())


def test_no_weight_adds_nothing() -> None:
    moments = Moments(2)
    moments.add(np.ones((3, 2)), np.zeros(3))
    assert (moments.weight, moments.mean.tolist()) == (0, [0, 0])


def test_a_sample_larger_than_a_chunk_is_taken_whole(
    noisy_pair: Callable[..., Any], monkeypatch: Any
) -> None:
    pair = sampled(*noisy_pair(4, SIDE, SIDE))
    assert pair.before.shape[1] < CHUNK
    whole = fit_irmad(pair)
    monkeypatch.setattr("imagery.canonical.CHUNK", 1000)
    assert fit_irmad(pair).transform.correlations == pytest.approx(whole.transform.correlations, abs=1e-9)
