"""Ground drawn from nothing: bytes, a shape, and never a building."""

import numpy as np
import pytest

from models.drawn_ground import KINDS, Draw, drawn_ground
from models.fakes import Chip, built
from models.training_scene import OTHER


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("gsd_m", [0.25, 1.0])
def test_each_kind_covers_something_and_not_everything(kind: Draw, gsd_m: float) -> None:
    covered = []
    for seed in range(12):
        image, mask = kind(128, gsd_m, np.random.default_rng(seed))
        assert image.shape == (128, 128, 3)
        assert set(np.unique(mask)) <= {0, 1}
        assert np.isfinite(image).all()
        covered.append(float(mask.mean()))
    assert 0.02 < np.mean(covered) < 0.9


def test_the_same_seed_draws_the_same() -> None:
    one, again = (drawn_ground(64, 0.5, np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_what_is_drawn_on_a_chip_is_seen_and_no_building() -> None:
    chip = Chip(np.full((96, 96, 3), 100, dtype=np.uint8), np.full((96, 96), OTHER, dtype=np.uint8), 0.5)
    seen = 0
    for seed in range(150):
        after = built(chip, chip, np.random.default_rng(seed), drawn=1.0)
        ground = (after.label == OTHER) & (np.abs(after.image.astype(int) - 100).max(axis=2) > 25)
        seen += bool(ground.mean() > 0.02 and not (after.label == 1).any())
    assert seen > 3  # chips on which only ground was drawn
