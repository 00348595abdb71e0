"""The whole story through the launcher, as a user tells it: two scenes and a cadastre become cases.

The world: 120 × 120 pixels of 10 m in UTM 49N. Between the scenes the light changed everywhere (gain and
offset per band), and the ground at five places:
  A  10 × 10 px, approved                          → lawful
  B   8 × 8 px, in permanent basic farmland        → suspected violation
  C  12 × 12 px, under a cloud of the later scene  → unseen, must not be reported
  D   1 × 3 px                                     → under the minimum mapping unit of 400 m² (4 px)
  E   6 × 6 px, outside the farmland layer's box   → doubt
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

ROOT = Path(__file__).parent.parent
LEFT, TOP, PIXEL, SIDE = 600_000.0, 4_200_000.0, 10.0, 120
A, B, C = (slice(10, 20), slice(10, 20)), (slice(60, 68), slice(80, 88)), (slice(30, 42), slice(60, 72))
D, E = (slice(90, 91), slice(20, 23)), (slice(100, 106), slice(100, 106))
REGISTERS = ("approvals", "registrations")
RULES = """
title = "A small national book"
jurisdiction = "CN"
effective_from = 2020-01-01

[[rule]]
id = "APPROVED"
verdict = "lawful"
basis = "Land Administration Law 土地管理法, art. 44"
when = { approvals_share = { min = 0.95 } }

[[rule]]
id = "REGISTERED"
verdict = "lawful"
basis = "不动产登记暂行条例"
when = { registrations_share = { min = 0.95 } }

[[rule]]
id = "BASIC-FARMLAND"
verdict = "suspected_violation"
basis = "Land Administration Law 土地管理法, art. 35 and 77"
when = { basic_farmland_m2 = { min = 100 } }
proof = "photo and record of the field check 举证照片、外业核查记录"

[[rule]]
id = "NO-FARMLAND"
verdict = "other"
basis = "no farmland is occupied"
when = {}
"""


def _box(place: tuple[slice, slice]) -> shapely.Polygon:
    rows, columns = place
    west, east = LEFT + PIXEL * columns.start, LEFT + PIXEL * columns.stop
    return shapely.box(west, TOP - PIXEL * rows.stop, east, TOP - PIXEL * rows.start)


def _write(path: Path, values: Any, names: list[str]) -> None:
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": len(values), "dtype": "uint16"}
    transform = from_origin(LEFT, TOP, PIXEL, PIXEL)
    with rasterio.open(path, "w", crs="EPSG:32649", transform=transform, **profile) as sink:
        sink.write(values.astype("uint16"))
        sink.descriptions = names


@pytest.fixture
def world(tmp_path: Path) -> Path:
    random = np.random.default_rng(20)
    ground = random.normal(0, 250, (4, SIDE, SIDE)).cumsum(axis=1) / 4 + 3000
    before = ground + random.normal(0, 15, ground.shape)
    gain, offset = np.array([1.1, 0.9, 1.2, 0.8]), np.array([100, 300, -50, 200])
    after = ground * gain[:, None, None] + offset[:, None, None] + random.normal(0, 15, ground.shape)
    for rows, columns in (A, B, C, D, E):
        after[:, rows, columns] += np.array([2500, 2200, 2400, -1200])[:, None, None]
    quality = np.full((1, SIDE, SIDE), 4)
    cloudy = quality.copy()
    cloudy[0, 28:44, 58:74] = 9
    names = ["B02", "B03", "B04", "B08", "SCL"]
    _write(tmp_path / "before.tif", np.concatenate([before, quality]), names)
    _write(tmp_path / "after.tif", np.concatenate([after, cloudy]), names)
    _draw_layers(tmp_path)
    return tmp_path


def _draw_layers(folder: Path) -> None:
    shapes = {name: shapely.box(LEFT - 900, TOP, LEFT - 800, TOP + 100) for name in REGISTERS}
    shapes["approvals"] = _box(A).buffer(20, join_style="mitre")
    farmland = shapely.box(LEFT + 700, TOP - 900, LEFT + 950, TOP - 500)
    whole = shapely.box(LEFT, TOP - 950, LEFT + 1200, TOP)
    text = ""
    for name, shape in shapes.items():
        gpd.GeoDataFrame({"no": [f"{name}-1"]}, geometry=[shape], crs="EPSG:32649").to_file(
            folder / f"{name}.gpkg"
        )
        text += f'[{name}]\ntitle = "{name}"\npath = "{name}.gpkg"\ncolumns = {{ number = "no" }}\n'
        text += 'coverage = "everywhere"\nmeasures = ["share", "numbers"]\n'
    for name, shape in (("farmland", farmland), ("farmland_extent", whole)):
        gpd.GeoDataFrame(geometry=[shape], crs="EPSG:32649").to_crs(4490).to_file(folder / f"{name}.gpkg")
    text += '[basic_farmland]\ntitle = "永久基本农田"\npath = "farmland.gpkg"\n'
    text += 'coverage = "farmland_extent.gpkg"\nmeasures = ["m2"]\n'
    (folder / "layers.toml").write_text(text, encoding="utf-8")
    (folder / "rules.toml").write_text(RULES, encoding="utf-8")


def tiankan(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tiankan"), *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )


def _run(world: Path, *more: str) -> subprocess.CompletedProcess[str]:
    scenes = ("--before", world / "before.tif", "--after", world / "after.tif", "--sensor", "sentinel-2")
    dates = ("--before-date", "2021-05-01", "--after-date", "2021-09-01")
    law = ("--rules", world / "rules.toml")
    places = ("--layers", world / "layers.toml", "--db", world / "cases.db", "--out", world / "out")
    return tiankan("run", *scenes, *dates, *law, *places, *more)


def test_two_scenes_and_a_cadastre_become_cases(world: Path) -> None:
    done = _run(world, "--region", "140105", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert made["detector"] == "irmad"
    # 16 × 16 cloudy pixels were not seen; 120 × 120 − 256 were.
    assert made["counts"]["unseen_pixels"] == {"cloud": 256}
    assert made["counts"]["observed_pixels"] == 14_144
    verdicts = {round(row["area_m2"], -2): (row["verdict"], row["rule"]) for row in made["judgements"]}
    # A 10 × 10, B 8 × 8, E 6 × 6 pixels of 100 m²; UTM areas differ from the ellipsoid's by less than 0.1 %.
    assert verdicts == {
        10_000: ("lawful", "APPROVED"),
        6_400: ("suspected_violation", "BASIC-FARMLAND"),
        3_600: ("doubt", "BASIC-FARMLAND"),
    }
    frame = gpd.read_file(world / "out" / "changes.gpkg", layer="changes")
    for place in (A, B, E):
        hit = frame.geometry.intersects(_box(place).buffer(-1))
        assert hit.sum() == 1
        assert frame.geometry[hit].iloc[0].symmetric_difference(_box(place)).area < 0.1 * _box(place).area
    assert not frame.geometry.intersects(_box(C).buffer(-1)).any()

    listed = json.loads(tiankan("cases", "list", "--db", world / "cases.db", "--json").stdout)
    assert [case["verdict"] for case in listed] == ["suspected_violation", "doubt"]
    assert listed[0]["proof"] == "photo and record of the field check 举证照片、外业核查记录"
    assert listed[0]["region"] == "140105"
    assert listed[1]["missing"] == {
        "basic_farmland_m2": "layer basic_farmland does not cover the whole change"
    }


def test_a_second_run_adds_nothing(world: Path) -> None:
    first, second = (json.loads(_run(world, "--json").stdout) for _ in range(2))
    assert first["judged"]["added"] == {"changes": 3, "judgements": 3, "cases": 2}
    assert second["judged"]["added"] == {"changes": 0, "judgements": 0, "cases": 0}
    ids = [[row["change_id"] for row in made["judgements"]] for made in (first, second)]
    assert ids[0] == ids[1]


def test_a_run_over_half_a_result_makes_it_whole(world: Path) -> None:
    out = world / "out"
    (out / ".partial-killed").mkdir(parents=True)
    (out / "change.tif").write_bytes(b"II*\0 half a file")
    assert _run(world).returncode == 0
    with rasterio.open(out / "change.tif") as made:
        assert (made.count, made.nodata) == (2, 255)


def test_a_case_goes_its_road_through_the_launcher(world: Path) -> None:
    assert _run(world).returncode == 0
    db = world / "cases.db"
    case = json.loads(tiankan("cases", "list", "--db", db, "--json").stdout)[0]["id"]

    def move(to: str, role: str, *evidence: str) -> subprocess.CompletedProcess[str]:
        given = [word for item in evidence for word in ("--evidence", item)]
        return tiankan(
            "cases", "move", case, "--to", to, "--actor", "李伟", "--role", role, "--db", db, *given
        )

    assert move("field_check", "county").returncode == 0
    refused = move("proven", "county", "photo=IMG_0412.jpg")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"tiankan: case {case} cannot go to proven without field_evidence (record of the field check 外业核查记录)\n"
    )
    assert move("proven", "county", "photo=IMG_0412.jpg", "field_evidence=record 7").returncode == 0
    shown = json.loads(tiankan("cases", "show", case, "--db", db, "--json").stdout)
    assert shown["status"] == "proven"
    assert shown["held"] == {"photo": "IMG_0412.jpg", "field_evidence": "record 7"}
    assert [(e["kind"], e["actor"], e["to"]) for e in shown["events"]] == [
        ("opened", "tiankan", "suspected"),
        ("moved", "李伟", "field_check"),
        ("moved", "李伟", "proven"),
    ]


def test_tables_are_quiet_and_whole_when_piped(world: Path) -> None:
    done = _run(world)
    assert done.stderr == ""
    assert "BASIC-FARMLAND" in done.stdout
    assert "New: 3 changes, 3 judgements, 2 cases." in done.stdout


def test_the_launcher_works_from_anywhere_and_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "tk"
    link.symlink_to(ROOT / "tiankan")
    environment = os.environ | {"PROJ_DATA": "/nowhere", "PROJ_LIB": "/nowhere"}
    done = subprocess.run(
        [str(link), "scenes", "list", str(tmp_path), "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_scenes_are_added_once_and_listed(world: Path) -> None:
    add = ("scenes", "add", world / "after.tif", "--to", world / "catalog", "--sensor", "sentinel-2")
    for _ in range(2):
        done = tiankan(*add, "--date", "2021-09-01", "--cog", "--json")
        assert done.returncode == 0
    listed = json.loads(tiankan("scenes", "list", world / "catalog", "--json").stdout)
    assert [(s["id"], s["sensor"], s["bands"], s["mask"]) for s in listed] == [
        ("after", "sentinel-2", "B02, B03, B04, B08", "SCL")
    ]
    with rasterio.open(world / "catalog" / "after.tif") as cog:
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    clash = tiankan(
        "scenes", "add", world / "before.tif", "--to", world / "catalog", "--sensor", "sentinel-2"
    )
    assert clash.returncode == 0
    (world / "other").mkdir()
    (world / "before.tif").rename(world / "other" / "after.tif")
    clash = tiankan("scenes", "add", world / "other" / "after.tif", "--to", world / "catalog")
    assert clash.returncode == 2
    assert "another scene of this name is there already" in clash.stderr
