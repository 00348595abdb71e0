"""What people hand to `judge` and should not: each is one sentence with file and mend, and nothing is stored."""

import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

import pipeline
from detection import changes as change_frame
from ground.errors import BadInput, TiankanError
from tests.cases_world import GRID, changes_of, rect

LAYERS = """[approvals]
title    = "Approvals"
path     = "approvals.gpkg"
columns  = { number = "PWH" }
coverage = "everywhere"
measures = ["share", "numbers"]
"""
MISSING_THE_REST = dict.fromkeys(
    ("land_supply_share", "land_supply_outside_m2"), "no layer in layers.toml measures it"
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A change of a hectare that an approval covers to the half."""
    change_frame.write(changes_of(rect(0, 0, 100, 100)), tmp_path / "changes.gpkg", {})
    parcel = gpd.GeoDataFrame({"PWH": ["2020-17"]}, geometry=[rect(0, 0, 50, 100)], crs=GRID)
    pyogrio.write_dataframe(parcel, tmp_path / "approvals.gpkg")
    (tmp_path / "layers.toml").write_text(LAYERS, encoding="utf-8")
    return tmp_path


def judged(world: Path) -> pipeline.Judged:
    return pipeline.judge_changes(
        world / "changes.gpkg", world / "layers.toml", str(world / "cases.db"), region="14"
    )


def refused(world: Path, said: str) -> None:
    """One line, of a kind that the user can mend, and no database."""
    with pytest.raises(TiankanError, match=said) as told:
        judged(world)
    assert "\n" not in str(told.value)
    assert not (world / "cases.db").exists()


def rewrite(path: Path, change: Callable[[gpd.GeoDataFrame], Any]) -> None:
    """The frame of changes altered by hand and written back unchecked."""
    frame = gpd.read_file(path, layer="changes")
    altered = change(frame)
    path.unlink()
    pyogrio.write_dataframe(frame if altered is None else altered, path, layer="changes")


def test_the_world_as_it_is_leaves_the_half_that_is_not_approved_in_doubt(world: Path) -> None:
    (row,) = judged(world).rows()
    assert (row["verdict"], row["rule"], row["missing"]) == ("doubt", "SUPPLIED", MISSING_THE_REST)
    assert row["seen"] == {"change_area_m2": 10_000.0, "approvals_share": 0.5, "approvals_numbers": "2020-17"}


TYPOS = [
    ('path     =', 'pth =', r"layers\.toml: approvals\.pth: is not a known key; allowed are attributes, axes"),
    ('coverage = "everywhere"\n', "", r"layers\.toml: approvals\.coverage: is missing; add it"),
    ('"everywhere"', '"everywere"', r"everywere: there is no such file; mend `coverage` of 'Approvals'"),
    ('"everywhere"', "true", r"layers\.toml: approvals\.coverage: True is wrong"),
    ('"share", ', '"fraction", ', r"approvals\.measures: measure 'fraction' is unknown; use m2, share, outside_m2"),
    ('number =', 'nummer =', r"approvals\.columns: column 'nummer' is not one of ours; use number, valid_from"),
    ('"PWH"', '"PZWH"', r"approvals\.gpkg: has no column 'PZWH' \(it has PWH\); mend `columns` in layers\.toml"),
    ("[approvals]", "[Approvals]", r"layers\.toml: Approvals.*: 'Approvals' is wrong: .*pattern"),
    ("[approvals]", "approvals", r"layers\.toml: is not valid TOML: .*line 1"),
    ("approvals.gpkg", "aprovals.gpkg", r"aprovals\.gpkg: there is no such layer file; mend `path` in layers\.toml"),
    ("approvals.gpkg", ".", r"there is no such layer file; mend `path` in layers\.toml"),
    ("columns ", 'crs = "EPSG:999999"\ncolumns ', r"'EPSG:999999' is not a coordinate system that PROJ knows"),
    ("columns ", 'encoding = "klingon"\ncolumns ', r"approvals\.encoding: encoding 'klingon' is unknown; use utf-8"),
    ("columns ", 'table = "DLTB"\ncolumns ', r"approvals\.gpkg: has no table 'DLTB'; set `table` to one of approvals"),
    ("columns ", 'repair = "perhaps"\ncolumns ', r"layers\.toml: approvals\.repair: 'perhaps' is wrong"),
    (LAYERS, "approvals = 5\n", r"layers\.toml: approvals: 5 is wrong: it must be a table with keys of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), TYPOS)
def test_a_typo_in_layers_is_named_by_file_and_key(world: Path, old: str, new: str, said: str) -> None:
    assert old in LAYERS
    (world / "layers.toml").write_text(LAYERS.replace(old, new, 1), encoding="utf-8")
    refused(world, said)


def test_layers_that_are_not_there_or_not_utf8(world: Path) -> None:
    # The two bytes of 图 are by chance a letter of UTF-8; those of 层, from byte 4 on, are none.
    (world / "layers.toml").write_bytes("# 图层\n".encode("gbk"))
    refused(world, r"layers\.toml: is not UTF-8 \(byte 4\); save it as UTF-8")
    (world / "layers.toml").unlink()
    refused(
        world, r"layers\.toml: cannot be read \(No such file or directory\); give the path of a TOML file"
    )


def _written(folder: Path, suffix: str, count: int = 400) -> Path:
    """A layer big enough that its middle can be lost."""
    path = folder / f"layer.{suffix}"
    squares = [rect(20 * i, 0, 20 * i + 10, 10) for i in range(count)]
    frame = gpd.GeoDataFrame({"PWH": [f"number {i}" for i in range(count)]}, geometry=squares, crs=GRID)
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        pyogrio.write_dataframe(frame, path)
    return path


def _junk(path: Path) -> None:
    path.write_bytes(b"this is no layer at all, only words. " * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "parquet"])
@pytest.mark.parametrize("spoil", [_junk, _empty, _half])
def test_a_spoiled_layer_is_named(world: Path, suffix: str, spoil: Callable[[Path], None]) -> None:
    path = _written(world, suffix)
    spoil(path)
    (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", path.name), encoding="utf-8")
    refused(world, rf"layer\.{suffix}: ")


@pytest.mark.parametrize("suffix", [".shx", ".dbf"])
def test_a_shapefile_without_one_of_its_parts(world: Path, suffix: str) -> None:
    path = _written(world, "shp")
    path.with_suffix(suffix).unlink()
    (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", path.name), encoding="utf-8")
    refused(world, rf"layer\.(shp|dbf).*{suffix[1:]}")


def test_a_table_without_geometry_is_no_layer(world: Path) -> None:
    pyogrio.write_dataframe(pd.DataFrame({"PWH": ["2020-17"]}), world / "table.gpkg")
    pd.DataFrame({"PWH": ["2020-17"]}).to_parquet(world / "table.parquet")
    (world / "table.csv").write_text("PWH\n2020-17\n")
    for name in ("table.gpkg", "table.csv"):
        (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", name), encoding="utf-8")
        refused(world, rf"{re.escape(name)}: holds no geometry; give a layer of polygons, lines or points")
    (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", "table.parquet"), encoding="utf-8")
    refused(world, r"table\.parquet: cannot be read as a layer .*geo metadata")


def test_a_database_without_any_table_is_no_layer(world: Path) -> None:
    with sqlite3.connect(world / "layer.sqlite") as connection:
        connection.execute("PRAGMA user_version = 1")
    (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", "layer.sqlite"), encoding="utf-8")
    refused(world, r"layer\.sqlite: holds no table at all; export it again")


def test_a_geopackage_of_several_tables_asks_which_and_overlooks_those_without_geometry(world: Path) -> None:
    path = world / "approvals.gpkg"
    # QGIS keeps the styles of layers in such a table.
    pyogrio.write_dataframe(pd.DataFrame({"styleName": ["red"]}), path, layer="layer_styles", append=True)
    assert judged(world).rows()[0]["seen"]["approvals_share"] == 0.5
    (world / "cases.db").unlink()
    parcel = gpd.GeoDataFrame({"PWH": ["x"]}, geometry=[rect(0, 0, 1, 1)], crs=GRID)
    pyogrio.write_dataframe(parcel, path, layer="other", append=True)
    refused(world, r"approvals\.gpkg: holds 2 tables; set `table` in layers\.toml to one of approvals, other")


CHANGED: list[tuple[Callable[[gpd.GeoDataFrame], Any], str]] = [
    (lambda f: f.drop(columns=["area_m2", "before"]), r"is not a change frame, it has no column before, area_m2"),
    (lambda f: pd.concat([f, f]), r"change_id [0-9a-f]{16} stands twice; remove one of the two rows"),
    (lambda f: f.assign(change_class="villa"), r"change_class 'villa' is unknown; use one of unclassified, linear"),
    (lambda f: f.assign(area_m2="large"), r"column area_m2 holds no float"),
    (lambda f: f.assign(after="some day"), r"column after holds no datetime"),
    (lambda f: f.set_crs(None, allow_override=True), r"has no coordinate system; make it with `tiankan detect`"),
    (lambda f: f.set_geometry(f.geometry.centroid), r"the geometry of change .* is not a valid polygon"),
    (lambda f: f.set_geometry([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])]), r"not a valid polygon \(Self"),
    (lambda f: pd.DataFrame(f.drop(columns="geometry")), r"its layer 'changes' has no geometry"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(("change", "said"), CHANGED)
def test_changes_altered_by_hand_are_refused(
    world: Path, change: Callable[[gpd.GeoDataFrame], Any], said: str
) -> None:
    rewrite(world / "changes.gpkg", change)
    refused(world, rf"changes\.gpkg: .*{said}")


def test_changes_that_are_no_changes(world: Path) -> None:
    path = world / "changes.gpkg"
    _junk(path)
    refused(
        world,
        r"changes\.gpkg: cannot be read as a GeoPackage with a layer 'changes'.*make it with `tiankan detect`",
    )
    path.unlink()
    refused(world, r"changes\.gpkg: there is no such file; make it with `tiankan detect`")
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=[rect(0, 0, 1, 1)], crs=GRID), path, layer="parcels")
    refused(world, r"changes\.gpkg: cannot be read as a GeoPackage with a layer 'changes'")


RUNS: list[tuple[Any, str | None]] = [
    ("{half", r"run\.json: is not JSON .*; run `tiankan detect` again"),
    (["a list"], None),  # another program's: it tells nothing of these changes
    ({"pair_id": "another"}, None),
    ({"pair_id": "pair"}, r"run\.json: does not tell of two scenes \(KeyError: 'inputs'\); run `tiankan detect` again"),
    ({"pair_id": "pair", "inputs": {"before": {}}}, r"run\.json: does not tell of two scenes"),
    ({"pair_id": "pair", "inputs": []}, r"run\.json: does not tell of two scenes"),
]  # fmt: skip


@pytest.mark.parametrize(("run", "said"), RUNS)
def test_a_run_json_beside_the_changes(world: Path, run: Any, said: str | None) -> None:
    text = run if isinstance(run, str) else json.dumps(run)
    (world / "run.json").write_text(text, encoding="utf-8")
    if said is None:
        assert judged(world).added.cases == 1
        return
    refused(world, said)


def test_no_changes_are_judged_to_nothing(world: Path) -> None:
    empty = change_frame.make(np.array([], dtype=object), GRID, pair_id="pair")
    (world / "changes.gpkg").unlink()
    change_frame.write(empty, world / "changes.gpkg", {})
    made = judged(world)
    assert (made.rows(), made.added.changes, made.added.cases) == ([], 0, 0)


def test_a_database_that_is_another_programs_is_left_as_it_was(world: Path) -> None:
    with sqlite3.connect(world / "cases.db") as connection:
        connection.execute("CREATE TABLE invoice (id INTEGER)")
    before = (world / "cases.db").read_bytes()
    with pytest.raises(BadInput, match="holds tables of another program; give a new file"):
        judged(world)
    assert (world / "cases.db").read_bytes() == before


def test_a_zipped_shapefile_is_read_where_it_lies_or_refused_in_one_sentence(world: Path) -> None:
    with zipfile.ZipFile(world / "layer.zip", "w") as archive:
        archive.writestr("readme.txt", "no layer here")
    (world / "layers.toml").write_text(LAYERS.replace("approvals.gpkg", "layer.zip"), encoding="utf-8")
    refused(world, r"layer\.zip: ")
