"""Which way a change went: from the network's third band to the class of a change; and the threshold by the card."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

import pipeline
from detection.detect import _classes
from detection.look import FULL, MIDDLE, UNSEEN, direction_bytes
from detection.polygons import outlines
from ground.errors import BadInput
from imagery.scene import Observation
from models.checkpoint import DEFAULT, find, read_card
from pipeline import DetectOptions
from tests.model_world import picture, write


def test_direction_is_coded_around_the_middle_and_unseen_stays_unseen() -> None:
    seen = np.array([0, 0, 0, 0, int(Observation.CLOUD)], dtype=np.uint8)
    coded = direction_bytes(np.array([-1, 0, 0.5, 1, 1], dtype=np.float32), seen)
    assert coded.tolist() == [0, MIDDLE, 190, FULL, UNSEEN]


def test_a_change_is_built_or_gone_by_the_mean_inside_it(tmp_path: Path) -> None:
    planes = np.zeros((3, 40, 40), dtype=np.uint8)
    planes[2] = MIDDLE
    planes[0, 5:15, 5:15], planes[2, 5:15, 5:15] = 240, 230
    planes[0, 25:35, 5:15], planes[2, 25:35, 5:15] = 240, 20
    found = outlines(write(tmp_path / "change.tif", planes, 0.5), threshold=0.5, smallest_m2=10)
    assert found.direction is not None
    assert sorted(np.round(found.direction, 3).tolist()) == [round(20 / 127 - 1, 3), round(230 / 127 - 1, 3)]
    named = _classes(found, np.full(2, np.nan))
    assert sorted(named.tolist()) == ["building_appeared", "building_disappeared"]


def scenes(root: Path) -> tuple[Path, Path]:
    houses = ((40, 40, 40, 60), (150, 120, 50, 50))
    return (
        write(root / "a.tif", picture(256, houses[:1], 1), 0.5),
        write(root / "b.tif", picture(256, houses, 2), 0.5),
    )


def test_auto_looks_by_the_network_and_writes_what_it_decided_by(tmp_path: Path) -> None:
    run = pipeline.detect(*scenes(tmp_path), tmp_path / "out", DetectOptions(max_false_clues=0.2))
    card = read_card(find(DEFAULT))
    assert run["detector"] == "model"
    assert run["parameters"]["threshold"] == card.threshold_for(0.5, 0.2, "f")
    assert run["parameters"]["max_false_clues"] == 0.2
    assert run["learned"]["weights_sha256"] == card.sha256
    with rasterio.open(tmp_path / "out" / "change.tif") as made:
        assert made.count == 3
        assert made.descriptions[2].startswith("building after less before")
    plain = pipeline.detect(*scenes(tmp_path), tmp_path / "out", DetectOptions())
    assert plain["parameters"]["threshold"] == card.operating_at(0.5).threshold


def test_a_threshold_is_not_asked_for_twice(tmp_path: Path) -> None:
    options = DetectOptions(threshold=0.5, max_false_clues=0.1)
    with pytest.raises(BadInput, match="--max-false-clues: sets the threshold; leave out --threshold"):
        pipeline.detect(*scenes(tmp_path), tmp_path / "out", options)
