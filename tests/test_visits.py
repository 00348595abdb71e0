"""The drawn quarter of `benchmarks/visits.py`, small: far fewer visits, no violation missed that was found before."""

import pytest

from benchmarks.visits import simulated


@pytest.mark.sqlite
def test_a_small_quarter_saves_most_visits_and_misses_nothing() -> None:
    told = simulated(5, violations=8, lawful=5, false=12)
    assert told["fewer"] >= 0.6
    assert told["found_only_without"] == 0
    assert told["found_with"] == told["found_without"] == told["true_violations"]
    saved = told["totals"]["visits_saved"]
    assert saved == told["changes"] + told["reports"] - told["visits_with"]
