"""A useful demonstration on a CPU: a network taught in about a minute finds drawn houses that it never saw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection.learned import learned
from models.learn import learn
from models.train import Recipe
from tests.model_world import mask, picture, training_folder

RECIPE = Recipe(width=16, steps=60, batch=6, side=96, warmup=10, workers=0, imagenet=False, averaging=0.9)


@pytest.mark.timeout(600)
def test_taught_on_drawn_ground_it_finds_a_new_house_and_leaves_the_old_one(tmp_path: Path) -> None:
    root = training_folder(tmp_path, places=8)
    recipe = replace(RECIPE, encoder_rate=1e-3, rate=3e-3)
    learn(root / "data.toml", root, recipe, tmp_path / "out", "smoke", "cpu", lambda *_: None)
    old, new = (10, 12, 30, 32), (76, 70, 32, 34)
    look = learned(tmp_path / "out" / "smoke.safetensors", 0.5)
    found = look(picture(128, (old,), 91).astype(np.float32), picture(128, (old, new), 92).astype(np.float32))
    truth = mask(128, (new,)) == 1
    assert found[truth].mean() > found[~truth].mean() + 0.2
    assert found[mask(128, (old,)) == 1].mean() < found[truth].mean()
