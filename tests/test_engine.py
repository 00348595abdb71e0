"""A run killed at any moment and gone on with; files that spoil."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from detection.plan import Handles
from ground.errors import BadInput
from ground.files import sha256
from imagery.scene import Observation
from models.checkpoint import DEFAULT, card_path, find
from pipeline import DetectOptions, detect
from tests.ground_world import Ground

ROOT = Path(__file__).parent.parent
HANDLES = Handles(window=512, workers=2)


@pytest.fixture
def pair(tmp_path: Path, noisy_pair: Callable[..., Any]) -> tuple[Path, Path]:
    """Three bands of 1,100 × 1,300 pixels in blocks of 256, with two planted changes, one across four windows."""
    before, after = noisy_pair(3, 1100, 1300)
    after[:, 480:540, 490:560] += 2000
    after[:, 900:920, 100:150] += 2000
    paths = []
    for name, values in (("before", before), ("after", after)):
        paths.append(tmp_path / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", driver="GTiff", width=1300, height=1100, count=3, dtype="uint16", crs="EPSG:32649",
            transform=from_origin(6e5, 4.2e6, 10, 10), compress="DEFLATE", tiled=True, blockxsize=256, blockysize=256,
        ) as sink:  # fmt: skip
            sink.write(values.clip(0, 65_000).astype("uint16"))
    return paths[0], paths[1]


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import DetectOptions, Handles, detect
before, after, out, step, done = sys.argv[1:]
def advance(name, at, total):
    if name == step and at >= int(done):
        os.kill(os.getpid(), signal.SIGKILL)
detect(Path(before), Path(after), Path(out), DetectOptions(handles=Handles(window=512, workers=1)), advance)
"""
RESULTS = ("change.tif", "changes.gpkg", "changes.parquet", "alignment.tif")


def killed(pair: tuple[Path, Path], out: Path, step: str, done: int) -> None:
    words = [sys.executable, "-c", KILLED, *map(str, pair), str(out), step, str(done)]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert not any((out / name).exists() for name in RESULTS)


@pytest.mark.parametrize(("step", "done", "resumed"), [("learn", 1, 0), ("detect", 1, 1), ("detect", 5, 5)])
def test_a_killed_run_is_gone_on_with_and_comes_to_the_same_bytes(
    pair: tuple[Path, Path], tmp_path: Path, step: str, done: int, resumed: int
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run = detect(*pair, whole, DetectOptions(handles=HANDLES))
    killed(pair, out, step, done)
    again = detect(*pair, out, DetectOptions(handles=HANDLES))
    # Of nine windows; more may have been whole than the main thread had been told.
    assert resumed <= again["engine"]["resumed_windows"] <= 9
    assert again["counts"] == run["counts"] and run["counts"]["changes"] >= 2
    for name in RESULTS:
        assert sha256(out / name) == sha256(whole / name)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_a_window_that_is_not_what_the_journal_says_is_made_again(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    detect(*pair, whole, DetectOptions(handles=HANDLES))
    killed(pair, out, "detect", 9)
    (work,) = out.glob(".partial-*")
    flat = bytearray((work / "change.bin").read_bytes())
    flat[600 * 1300 + 600] ^= 1
    (work / "change.bin").write_bytes(flat)
    with (work / "journal.jsonl").open("a") as journal:
        journal.write('{"at": [0, 0], "sha2')
    assert detect(*pair, out, DetectOptions(handles=HANDLES))["engine"]["resumed_windows"] == 8
    assert all(sha256(out / name) == sha256(whole / name) for name in RESULTS)


def test_a_scene_changed_since_is_named_and_nothing_is_lost(pair: tuple[Path, Path], tmp_path: Path) -> None:
    killed(pair, tmp_path / "out", "detect", 5)
    old = pair[1].read_bytes()
    with rasterio.open(pair[1], "r+") as sink:
        sink.write(sink.read(1) + 1, 1)
    with pytest.raises(
        BadInput, match=r"after\.tif: was changed since the run in .* put the old file back to go on"
    ):
        detect(*pair, tmp_path / "out", DetectOptions(handles=HANDLES))
    pair[1].write_bytes(old)
    assert detect(*pair, tmp_path / "out", DetectOptions(handles=HANDLES))["engine"]["resumed_windows"] >= 5


def test_a_scene_changed_while_it_is_read_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    def advance(step: str, done: int, total: int) -> None:
        if (step, done) == ("detect", total):
            os.utime(pair[0], ns=(1, 1))

    with pytest.raises(BadInput, match=r"before\.tif: was changed while it was read; run again"):
        detect(*pair, tmp_path / "out", DetectOptions(), advance)
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_result_of_another_calibration_is_not_taken_for_this_one(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    for path in pair:
        with rasterio.open(path) as source:
            values = (source.read(window=((400, 700), (400, 700))) / 60).clip(1, 255).astype("uint8")
        place = from_origin(6e5, 4.2e6, 0.5, 0.5)
        path.unlink()
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=300,
            height=300,
            count=3,
            dtype="uint8",
            crs="EPSG:32649",
            transform=place,
        ) as sink:
            sink.write(values)
    shipped, weights = find(DEFAULT), tmp_path / "own.safetensors"
    shutil.copy(shipped, weights)
    card = json.loads(card_path(shipped).read_text())
    options = DetectOptions(detector="model", weights=str(weights), threshold=0.5)

    def bias_after(more: float) -> float:
        changed = card | {"operating": [at | {"bias": at["bias"] + more} for at in card["operating"]]}
        card_path(weights).write_text(json.dumps(changed))
        run = detect(*pair, tmp_path / "out", options, again=False)
        assert run["parameters"]["card_sha256"] == sha256(card_path(weights))
        assert run["engine"]["resumed_windows"] == 0
        return float(run["learned"]["bias"])

    assert bias_after(1) - bias_after(0) == pytest.approx(1)


@pytest.mark.parametrize("name", ["changes.gpkg", "run.json"])
def test_a_folder_in_the_way_of_a_result_is_named(pair: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(BadInput, match=rf"--out: .*{name} is a folder; remove it"):
        detect(*pair, tmp_path / "out", DetectOptions())
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_two_runs_in_one_folder_do_not_meet(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out, said = tmp_path / "out", ""

    def advance(step: str, done: int, _total: int) -> None:
        nonlocal said
        if (step, done) == ("detect", 1):
            with pytest.raises(BadInput) as caught:
                detect(*pair, out, DetectOptions(handles=HANDLES))
            said = str(caught.value)

    detect(*pair, out, DetectOptions(handles=HANDLES), advance)
    assert "another run is at work there on the same scenes; wait for it to end" in said


@pytest.mark.parametrize(("block", "at"), [((1, 1), (256, 256)), ((4, 4), (1024, 1024))])
def test_a_block_that_cannot_be_decoded_is_unseen_and_said(
    pair: tuple[Path, Path], tmp_path: Path, block: tuple[int, int], at: tuple[int, int]
) -> None:
    with rasterio.open(pair[1]) as source:
        start = int(source.get_tag_item("BLOCK_OFFSET_{}_{}".format(*block[::-1]), "TIFF", bidx=1))
    data = bytearray(pair[1].read_bytes())
    data[start : start + 200] = b"U" * 200
    pair[1].write_bytes(data)
    words = [str(ROOT / "tiankan"), "detect", "--before", str(pair[0]), "--after", str(pair[1]), "--json"]
    done = subprocess.run(
        [*words, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith(f"tiankan: 1 blocks of {pair[1]} cannot be decoded: ")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    lost = min(256, 1100 - at[0]) * min(256, 1300 - at[1])
    assert run["counts"]["unseen_pixels"] == {"unreadable": lost}
    assert run["unreadable"] == {
        "blocks": {str(pair[1]): 1}, "m2": lost * 100.0, "share": round(lost / 1_430_000, 6),
    }  # fmt: skip
    with rasterio.open(tmp_path / "out" / "change.tif") as made:
        spoiled = made.read(2) == Observation.UNREADABLE
        assert spoiled.sum() == lost and spoiled[at] and (made.read(1)[spoiled] == 255).all()


def test_a_displaced_scene_is_put_back_and_said_so(tmp_path: Path) -> None:
    scene = (Ground(700, 700, seed=4).scene() * 400 + 5000).astype("uint16")
    paths = []
    for name, values in (("before", scene[:, 20:620, 20:620]), ("after", scene[:, 17:617, 22:622])):
        paths.append(tmp_path / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", driver="GTiff", width=600, height=600, count=2, dtype="uint16", crs="EPSG:32649",
            transform=from_origin(6e5, 4.2e6, 10, 10),
        ) as sink:  # fmt: skip
            sink.write(
                values + np.random.default_rng(len(paths)).integers(0, 100, values.shape, dtype="uint16")
            )
    run = detect(paths[0], paths[1], tmp_path / "out", DetectOptions(detector="cva"))
    said = run["alignment"]
    # The later scene shows three rows more at the top and two columns fewer at the left.
    assert said["applied"] and said["shift_px"] == pytest.approx({"dx": -2, "dy": 3}, abs=0.1)
    assert run["counts"]["changes"] == 0
    assert list(run["counts"]["unseen_pixels"]) == ["outside"]
    with rasterio.open(tmp_path / "out" / "alignment.tif") as made:
        assert made.descriptions[0] == "shift in columns, px"
        assert made.read()[:2, 0, 0].tolist() == pytest.approx([-2, 3], abs=0.1)
        assert made.tags()["TIANKAN_PAIR"] == run["pair_id"]


def test_what_is_cut_off_is_unseen(pair: tuple[Path, Path], tmp_path: Path) -> None:
    pair[0].write_bytes(pair[0].read_bytes()[:-300_000])
    run = detect(*pair, tmp_path / "out", DetectOptions())
    assert 0 < run["unreadable"]["share"] < 0.5
    assert run["counts"]["observed_pixels"] + run["counts"]["unseen_pixels"]["unreadable"] == 1_430_000
