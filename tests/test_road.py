"""Anything tried on cases in a database, step by step against a model; whole by benchmarks/road.py, 100,000 steps."""

import random
from pathlib import Path

import pytest

from tests.cases_world import new_store
from tests.road_world import HANDS, MAY_FOLLOW, Anybody

STEPS = 400


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_tried_the_road_and_the_lock_hold(tmp_path: Path, seed: int) -> None:
    anybody = Anybody(new_store(tmp_path), random.Random(seed))
    for _ in range(STEPS):
        anybody.step()
    anybody.hold_all()
    assert anybody.counts["moved"] > STEPS // 4 and anybody.counts["refused"] > STEPS // 8
    assert anybody.counts["into a penalty"] > 0 and anybody.counts["by hand, refused"] > 0


def test_the_model_has_a_hand_for_every_step() -> None:
    ends = {to for follow in MAY_FOLLOW.values() for to in follow.split()}
    assert ends <= {to for ends_of in HANDS.values() for to in ends_of.split()}
    assert ends <= set(MAY_FOLLOW)
