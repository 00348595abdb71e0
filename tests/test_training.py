"""Training data read as described; chips whose labels tell what changed; a network that learns in seconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ground.errors import BadInput
from models.checkpoint import load
from models.dataset import ChipPair, Chips, change_target
from models.fakes import Chip, built, removed
from models.learn import learn
from models.train import Recipe, learning, train
from models.training_data import read_training_scenes
from models.training_scene import OTHER
from models.weather import another_day
from tests.model_world import TRAINING, mask, picture, training_folder, write

QUICK = Recipe(width=8, steps=6, batch=2, side=64, warmup=2, workers=0, imagenet=False)


def test_places_are_read_and_whole_ones_held_out(tmp_path: Path) -> None:
    root = training_folder(tmp_path)
    learnt, kept = read_training_scenes(root / "data.toml", root)
    assert [ground.name for ground in kept] == ["drawn/place-0"]
    assert len(learnt) == 3
    assert set(np.unique(learnt[0].label)) == {1, OTHER}
    assert learnt[0].image.shape == (128, 128, 3)


def test_tiles_named_by_their_place_take_polygons_and_know_their_pixel_size(tmp_path: Path) -> None:
    write(tmp_path / "images" / "OAM-262144-262143-19.png", picture(256))
    side_deg = 360 / 2**19  # that tile's south-west corner is 0° N 0° E
    west, east, south, north = (side_deg * part for part in (0.25, 0.5, 0.5, 0.75))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    feature = f'{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}'
    (tmp_path / "houses.geojson").write_text(f'{{"type":"FeatureCollection","features":[{feature}]}}')
    table = '[t]\nlicense="ours"\nimages="images/*.png"\npolygons="houses.geojson"\nnamed_by_tile=true\n'
    table += 'values={0="other",1="building"}\n'
    (tmp_path / "data.toml").write_text(table)
    ground = read_training_scenes(tmp_path / "data.toml", tmp_path)[0][0]
    assert ground.gsd_m == pytest.approx(40_075_016.686 / 2**19 / 256, rel=1e-6)
    rows, columns = np.nonzero(ground.label == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (64, 127, 64, 127)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('1 = "building"', '1 = "bilding"', "'bilding' is no class"),
        ("gsd_m = 0.5", "gsd = 0.5", "cannot be used as training data"),
        ("images/*.png", "pictures/*.png", "nothing matches"),
        ("gsd_m = 0.5", "", "needs gsd_m"),
        ('masks = "masks/{stem}.png"', "", "either masks or polygons"),
    ],
)
def test_training_data_that_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    root = training_folder(tmp_path)
    (root / "data.toml").write_text(TRAINING.replace(old, new))
    with pytest.raises(BadInput, match=said):
        read_training_scenes(root / "data.toml", root)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    root = training_folder(tmp_path)
    write(root / "masks" / "place-1.png", mask(64))
    with pytest.raises(BadInput, match=r"place-1.png: its label has \(64, 64\)"):
        read_training_scenes(root / "data.toml", root)


def ground_chip(houses: tuple[tuple[int, int, int, int], ...] = ()) -> Chip:
    label = np.where(mask(96, houses) == 1, 1, OTHER).astype(np.uint8)
    return Chip(np.ascontiguousarray(picture(96, houses).transpose(1, 2, 0)), label, 0.5)


def test_what_is_built_is_labeled_where_it_is_seen_and_nowhere_else() -> None:
    chip, seen = ground_chip(), 0
    for seed in range(40):
        after = built(chip, ground_chip(((30, 30, 20, 24),)), np.random.default_rng(seed))
        new = after.label == 1
        moved = (after.image != chip.image).any(axis=2)
        seen += int(new.sum() > 0)
        if new.sum() > 100:
            assert moved[new].mean() > 0.9
    assert seen > 20


def test_what_is_removed_leaves_no_roof() -> None:
    chip = ground_chip(((20, 20, 24, 24), (60, 50, 20, 30)))
    for seed in range(20):
        after = removed(chip, np.random.default_rng(seed))
        gone = (chip.label == 1) & (after.label != 1)
        if gone.any():
            assert (
                after.image[gone][:, 0].astype(int) - after.image[gone][:, 1]
            ).mean() < 40  # a roof's is 104


def test_another_day_keeps_the_shape_and_the_bytes_and_the_same_seed_the_same_day() -> None:
    image = np.ascontiguousarray(picture(64, ((10, 10, 20, 20),)).transpose(1, 2, 0))
    days = [another_day(image, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert days[0].shape == image.shape
    assert days[0].dtype == np.uint8
    assert np.array_equal(days[0], days[1])
    assert not np.array_equal(days[0], days[2])


def test_chips_are_the_same_for_the_same_seed_and_half_known_ground_teaches_no_change(tmp_path: Path) -> None:
    root = training_folder(tmp_path)
    grounds = read_training_scenes(root / "data.toml", root)[0]
    one, again = (next(iter(Chips(grounds, 64, seed=5))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    before = torch.tensor([[0, 1, 1, OTHER, 2]])
    after = torch.tensor([[1, 1, OTHER, 1, 4]])
    change = torch.tensor([[255, 255, 255, 255, 1]])
    target, known = change_target(ChipPair(before, after, before, after, change))
    assert target.tolist() == [[False, False, True, True, True]]
    assert known.tolist() == [[False, True, True, True, True]]


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    recipe = Recipe(steps=100, warmup=10)
    assert learning(0, recipe) == 0.1
    assert learning(10, recipe) == 1.0
    assert learning(55, recipe) == pytest.approx(0.5)
    assert learning(100, recipe) == pytest.approx(0.0)


def test_an_interrupted_run_goes_on_with_its_own_recipe_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.train.SAVED_EVERY", 4)
    root, out = training_folder(tmp_path), tmp_path / "out"
    grounds = read_training_scenes(root / "data.toml", root)[0]

    def stop(_step: str, done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(grounds, QUICK, out, "cpu", stop)
    told: list[int] = []
    network, took = train(grounds, QUICK, out, "cpu", lambda _s, done, _n: told.append(done))
    assert told == [5, 6]
    assert took["steps"] == 6
    assert all(torch.isfinite(p).all() for p in network.parameters())
    with pytest.raises(BadInput, match=r"out: holds a run begun with seed 0, not 9; ask for the same"):
        train(grounds, replace(QUICK, seed=9), out, "cpu", lambda *_: None)


def test_train_writes_weights_with_a_card(tmp_path: Path) -> None:
    root = training_folder(tmp_path)
    told: list[int] = []
    card = learn(
        root / "data.toml",
        root,
        QUICK,
        tmp_path / "out",
        "small",
        "cpu",
        lambda _s, done, _n: told.append(done),
    )
    assert told == [1, 2, 3, 4, 5, 6]
    network, read = load(tmp_path / "out" / "small.safetensors")
    assert read == card
    assert [(one.name, one.license, one.images) for one in card.trained_on] == [("drawn", "ours", 3)]
    assert card.training["recipe"]["steps"] == 6
    assert card.training["command"].endswith(
        "--steps 6 --batch 2 --side 64 --seed 0 --drawn-ground 0.5 --data data.toml --from-nothing"
    )
    assert card.training["held_out"]["loss"] > 0
    assert (tmp_path / "out" / "log" / "version_0" / "metrics.csv").exists()
    assert network.training is False


def test_weights_can_be_taught_on_and_keep_the_licenses_of_all_they_saw(tmp_path: Path) -> None:
    root, out = training_folder(tmp_path), tmp_path / "out"
    first = learn(root / "data.toml", root, QUICK, out, "first", "cpu", lambda *_: None)
    weights = out / "first.safetensors"
    still = replace(QUICK, steps=1, rate=0.0, encoder_rate=0.0, start=str(weights))
    second = learn(root / "data.toml", root, still, tmp_path / "more", "second", "cpu", lambda *_: None)
    assert second.training["started_from"] == f"first, sha256 {first.sha256}"
    assert [one.name for one in second.trained_on] == ["drawn", "drawn"]
    before, after = (load(file)[0] for file in (weights, tmp_path / "more" / "second.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))
    with pytest.raises(
        BadInput, match="--start-from: first has encoder lite0 and width 8, asked for are lite0 and 16"
    ):
        learn(root / "data.toml", root, replace(still, width=16), tmp_path / "o", "x", "cpu", lambda *_: None)
