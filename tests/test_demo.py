"""The demonstration on its real imagery: what a person sees in the picture is found, and what is not there is not."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import pystac
import pytest
import rasterio
from shapely import LineString, Point

from demo import place, series
from ground.errors import BadInput, Unreachable
from settings import load_settings

ROOT = Path(__file__).parent.parent
# Read off the picture of 2020-08-04 by eye: meters east and north of the drawing's origin.
CLEAR_CUTS = [(75, 630), (380, 490), (540, 510), (635, 490), (700, 570), (640, 700), (455, 715), (590, 605)]
CLEAR_CUTS += [(700, 665), (460, 870), (520, 820), (350, 965), (820, 650), (120, 420), (130, 290)]
FOREST = [(100, 900), (200, 880), (150, 800), (60, 760), (640, 950), (450, 560), (330, 320), (640, 330)]
ROAD = [
    (260, 160),
    (310, 105),
    (370, 75),
    (450, 100),
    (520, 115),
    (600, 100),
    (660, 130),
    (800, 240),
    (930, 268),
]


def _there(points: list[tuple[float, float]]) -> list[Point]:
    return [Point(x + place.ORIGIN[0], y + place.ORIGIN[1]) for x, y in points]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [str(ROOT / "tiankan"), "demo", "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out, json.loads(done.stdout)


@pytest.mark.network
def test_the_road_and_the_clear_cuts_are_found_and_the_forest_is_not(
    made: tuple[Path, dict[str, Any]],
) -> None:
    changes = gpd.read_file(made[0] / "changes.gpkg", layer="changes")
    union = changes.geometry.union_all()
    missed = [p for p, there in zip(CLEAR_CUTS, _there(CLEAR_CUTS), strict=True) if not union.contains(there)]
    assert missed == []
    flagged = [p for p, there in zip(FOREST, _there(FOREST), strict=True) if union.contains(there)]
    assert flagged == []
    lines = changes[changes["change_class"] == "linear"].geometry.union_all()
    road = LineString(_there(ROAD))
    assert lines.intersection(road).length > 0.9 * road.length


@pytest.mark.network
def test_the_untouched_forest_is_clean(made: tuple[Path, dict[str, Any]]) -> None:
    # The north-west corner, 250 m × 180 m, is closed forest on both dates; a sieve of 4 pixels leaves nothing there.
    changes = gpd.read_file(made[0] / "changes.gpkg", layer="changes")
    west, south = place.ORIGIN[0], place.ORIGIN[1] + 800
    assert changes.cx[west : west + 250, south : south + 180].empty


@pytest.mark.network
def test_every_verdict_says_why(made: tuple[Path, dict[str, Any]]) -> None:
    rows = made[1]["judgements"]
    counts = {v: sum(r["verdict"] == v for r in rows) for v in {r["verdict"] for r in rows}}
    assert set(counts) == {"lawful", "doubt", "suspected_violation", "other"}
    for row in rows:
        assert row["rule"]
        assert bool(row["missing"]) == (row["verdict"] == "doubt")
        assert row["seen"]
        if row["verdict"] == "suspected_violation":
            assert row["proof"] == "photo from the ground and record of the field check"
    linear = [row for row in rows if row["change_class"] == "linear"]
    assert {row["rule"] for row in linear} == {"ROAD-PERMIT"}
    # The permit FP 2012/007 ran out on 2017-12-31, between the two scenes: nobody can say which side of it.
    assert all("felling_permits_share" in row["missing"] for row in rows if row["verdict"] == "doubt")


@pytest.mark.network
def test_scenes_are_real_and_the_cadastre_says_that_it_is_drawn(made: tuple[Path, dict[str, Any]]) -> None:
    out = made[0]
    item = pystac.Item.from_file(str(out / "scenes" / "sentinel-2-2020-08-04.json"))
    assert item.datetime is not None
    assert item.datetime.date().isoformat() == "2020-08-04"
    with rasterio.open(out / "scenes" / "sentinel-2-2020-08-04.tif") as scene:
        assert scene.descriptions == ("B02", "B03", "B04", "B08")
        assert scene.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        digest = hashlib.sha256((out / "scenes" / "sentinel-2-2020-08-04.tif").read_bytes()).hexdigest()
    assert item.assets["image"].extra_fields["file:checksum"] == "1220" + digest
    for layer in sorted((out / "layers").glob("*.gpkg")):
        assert set(gpd.read_file(layer)["source"]) == {place.DRAWN}
    assert (out / "changes.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.network
def test_the_series_is_the_one_described() -> None:
    days = series.days(series.cube(load_settings().cache))
    assert len(days) == 140
    assert {"2015-08-31", "2020-08-04"} <= {day.date().isoformat() for day in days}


def test_an_unreachable_registry_is_one_clear_sentence(tmp_path: Path) -> None:
    environment = os.environ | {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_TIMEOUT": "2", "TIANKAN_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "demo", "--out", str(tmp_path / "out")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(
        "tiankan: nrt==0.2.1: the package registry could not be reached or refused ("
    )
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_an_altered_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / series.WHEEL).write_bytes(b"not the wheel")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(BadInput, match=r"its sha256 is .* it was altered on the way"):
        series.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_silent_registry_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, series.FETCH_SECONDS)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(Unreachable, match="no answer in 300 s"):
        series.fetch(tmp_path)
