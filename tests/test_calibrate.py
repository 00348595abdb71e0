"""Probability made honest: what a logistic regression must find, and bounds that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from models.calibrate import (
    THRESHOLDS,
    Measured,
    applied,
    bounds,
    calibrate,
    coverage,
    expected_error,
    false_clue_shares,
    fit,
    logits,
)
from models.checkpoint import Operating
from models.metrics import false_clue_share
from models.training_data import read_training_scenes
from tests.model_world import training_folder
from tests.test_siamese import card, random_network


def test_the_fit_finds_the_temperature_and_the_bias_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 4, 200_000)
    changed = rng.random(len(logit)) < 1 / (1 + np.exp(-(logit / 2.5 - 1.2)))
    temperature, bias = fit(logit, changed)
    assert temperature == pytest.approx(2.5, rel=0.03)
    assert bias == pytest.approx(-1.2, abs=0.03)
    raw = 1 / (1 + np.exp(-logit))
    assert (
        expected_error(applied(raw, temperature, bias), changed) < 0.005 < 0.1 < expected_error(raw, changed)
    )
    assert np.allclose(logits(raw[np.abs(logit) < 10]), logit[np.abs(logit) < 10])


def test_clues_are_false_where_they_touch_no_change_and_too_small_ones_are_none() -> None:
    said, truth = np.zeros((2, 20, 20), dtype=bool)
    said[2:5, 2:5] = said[10:14, 10:14] = said[0, 19] = True
    truth[4:8, 4:8] = True
    assert false_clue_share(said, truth, 9) == 0.5
    assert false_clue_share(said, truth, 1) == pytest.approx(2 / 3)
    assert false_clue_share(said & False, truth) == 0.0


def test_bounds_fall_as_the_threshold_rises_and_count_one_pair_more_than_there_are() -> None:
    probability = np.full((20, 20), 0.01)
    probability[2:6, 2:6] = 0.3  # false
    probability[10:14, 10:14] = 0.8  # true
    changed = np.zeros((20, 20), dtype=bool)
    changed[10:14, 10:14] = True
    one = Measured(probability, changed, np.ones_like(changed), gsd_m=1.5)
    clean = Measured(np.full((20, 20), 0.01), changed & False, np.ones_like(changed), gsd_m=1.5)
    said = dict(zip(THRESHOLDS, bounds(false_clue_shares([one, clean, clean], 1.0, 0.0)), strict=True))
    assert said[0.2] == pytest.approx((0.5 + 1) / 4)
    assert said[0.5] == pytest.approx(1 / 4)
    assert (np.diff(list(said.values())) <= 0).all()


def test_what_was_asked_is_kept_on_pairs_that_were_not_chosen_on() -> None:
    rng = np.random.default_rng(1)
    # A pair's share is 1 below a random threshold of its own, 0 from there on.
    ends = rng.random((400, 1))
    shares = (np.array(THRESHOLDS)[None] < ends).astype(float)
    kept = dict(coverage(shares))
    assert set(kept) == {0.05, 0.1, 0.2}
    for asked, share in kept.items():
        assert asked - 0.04 < share <= asked + 0.005


def test_a_card_gains_a_range_for_each_pixel_size_and_keeps_the_rest(tmp_path: Path) -> None:
    root = training_folder(tmp_path)
    kept = read_training_scenes(root / "data.toml", root)[1]
    told: list[int] = []
    plain = card(scales=(1, 2))
    done = calibrate(random_network(), plain, kept, 4, "drawn", lambda _s, n, _t: told.append(n))
    assert [one.gsd_m for one in done.operating] == [(0.3, 0.5), (0.5, 0.75), (0.75, 1.1)]
    assert told == [1, 2, 3, 4] * 6
    assert done.model_copy(update={"operating": ()}) == plain
    assert all(one.temperature > 0 and one.pairs == 4 for one in done.operating)


def test_a_pixel_size_takes_the_range_it_lies_in_or_the_nearest() -> None:
    ranges = tuple(
        Operating(
            gsd_m=size, temperature=1.0, bias=0.0, threshold=threshold, ece=0.0, pairs=1, measured_on="drawn"
        )
        for size, threshold in (((0.3, 0.5), 0.3), ((0.5, 0.75), 0.5), ((0.75, 1.1), 0.7))
    )
    known = card(operating=ranges)
    assert [known.operating_at(gsd).threshold for gsd in (0.2, 0.4, 0.6, 1.0, 2.0, None)] == [
        0.3, 0.3, 0.5, 0.7, 0.7, 0.3,
    ]  # fmt: skip
    assert card().operating_at(0.5).threshold == 0.5
