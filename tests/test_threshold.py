"""The threshold lies between two clusters, clear of the background, and nowhere when nothing varies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.threshold import AT_THE_MODE, CLEAR_OF_BACKGROUND, LEAST, background, change_scale, otsu


@pytest.fixture(scope="module")
def gaussian() -> np.ndarray:
    """The quantiles of a normal distribution of mean 5 and deviation 0.5: a sample without luck."""
    from scipy.stats import norm

    return np.asarray(norm.ppf((np.arange(20_000) + 0.5) / 20_000, 5, 0.5))


def test_otsu_parts_two_clusters() -> None:
    # 900 of 1 and 100 of 9: every cut between them is as good, and the first bin that holds the lower is taken.
    # 256 bins of 8 / 256 = 1 / 32: the middle of the first is 1 + 1 / 64.
    values = np.repeat([1.0, 9.0], [900, 100])
    assert otsu(values) == pytest.approx(1 + 1 / 64)


def test_otsu_maximizes_the_spread_between_classes() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(2, 0.5, 3000), random.normal(6, 0.7, 2000)])
    cut = otsu(values)

    def between(at: float) -> float:
        low, high = values[values <= at], values[values > at]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max(np.linspace(values.min(), values.max(), 999)[1:-1], key=between)
    assert between(cut) == pytest.approx(between(best), rel=1e-3)
    assert 3.5 < cut < 4.5


def test_the_background_of_a_gaussian_is_the_gaussian(gaussian: np.ndarray) -> None:
    mode, width = background(gaussian)
    assert mode == pytest.approx(5, abs=0.02)
    assert width == pytest.approx(0.5, abs=0.02)


def test_changes_above_do_not_widen_the_background(gaussian: np.ndarray) -> None:
    # As many changed pixels as unchanged ones, far above.
    values = np.concatenate([gaussian, np.linspace(9, 30, len(gaussian))])
    mode, width = background(values)
    assert mode == pytest.approx(5, abs=0.03)
    assert width == pytest.approx(0.5, abs=0.03)


def test_an_unchanged_sample_is_not_cut_in_half(gaussian: np.ndarray) -> None:
    scale = change_scale(gaussian)
    assert scale.otsu == pytest.approx(5, abs=0.05)
    assert scale.threshold == pytest.approx(5 + CLEAR_OF_BACKGROUND * 0.5, abs=0.08)
    # Beyond 3.5 deviations lie 233 of a million.
    assert np.mean(gaussian > scale.threshold) < 5e-4


def test_what_is_less_than_noise_is_no_change() -> None:
    # A scene against itself: rounding errors, ten thousand times smaller than what unchanged ground shows.
    scale = change_scale(np.repeat([0.0, 1e-4], [900, 100]))
    assert scale.threshold == LEAST
    assert (scale.probability(np.array([0.0, 1e-4, 1.0])) < 0.5).all()


@pytest.mark.parametrize("values", [[], [3.0], [2.0] * 50])
def test_where_nothing_varies_nothing_changed(values: list[float]) -> None:
    scale = change_scale(np.array(values))
    assert scale.threshold == np.inf
    assert scale.parameters()["threshold"] is None
    assert scale.probability(np.array([0.0, 1e9])).tolist() == [0, 0]


def test_probability_is_a_logistic_with_its_half_at_the_threshold() -> None:
    scale = change_scale(np.repeat([1.0, 9.0], [900, 100]))
    low, middle, high = scale.probability(np.array([scale.background, scale.threshold, 1e9]))
    assert (low, middle, high) == pytest.approx((AT_THE_MODE, 0.5, 1))
    # As far beyond the threshold as the mode lies before it, what is left is as little.
    mirrored = scale.probability(np.array([2 * scale.threshold - scale.background]))[0]
    assert mirrored == pytest.approx(1 - AT_THE_MODE)


@given(
    values=st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60),
    statistic=st.lists(st.floats(0, 1e6), min_size=2, max_size=9),
)
def test_probability_rises_with_the_statistic_and_is_one_half_at_the_threshold(
    values: list[float], statistic: list[float]
) -> None:
    scale = change_scale(np.array(values))
    given_up = np.sort(np.array(statistic))
    probability = scale.probability(given_up)
    assert probability.dtype == np.float32
    assert np.isfinite(probability).all()
    assert (np.diff(probability) >= 0).all()
    assert ((probability >= 0.5) == (given_up >= scale.threshold))[
        np.abs(given_up - scale.threshold) > 1e-5
    ].all()
    assert scale.threshold >= max(scale.otsu, LEAST)
