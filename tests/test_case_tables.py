"""The official table of cases: read back to the value from every format, Chinese whole in GBK, what is lost said."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
import shapely.affinity
from pyproj import CRS
from sqlalchemy import update

from cases.store import CaseStore
from database.tables import ChangeRow, SceneRow
from ground.errors import BadInput
from reports.table_files import write_table
from reports.table_rows import Wanted, case_table, load_columns
from reports.words import Language
from tests.cases_world import ROAD, rect
from tests.reports_world import told_store
from tests.test_cli import refusal, tiankan

CGCS2000 = CRS.from_epsg(4490)
BY_HAND: dict[str, Any] = {
    "number": "1401052021000001", "region": "140105", "change_class": "新增建（构）筑物", "before_sensor": "rgbn",
    "after_sensor": "rgbn", "area_m2": 6000.0, "area_mu": 9.0, "cultivated_mu": 6.0, "other_agricultural_mu": 0.0,
    "unused_mu": 0.0, "construction_mu": 3.0, "unclassified_mu": 0.0, "basic_mu": None, "redline_mu": None,
    "verdict": "疑似违法", "finding": "疑似违法", "rule": "LAST", "status": "疑似违法，待核查",
}  # fmt: skip
MOMENTS = {"before": datetime(2021, 5, 1, 3, tzinfo=UTC), "after": datetime(2021, 9, 1, 3, tzinfo=UTC)}
FIELDS = {column.name: column.field for column in load_columns()}


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str]:
    return told_store(tmp_path)


def table(store: CaseStore, crs: CRS = CGCS2000, **wanted: Any) -> Any:
    return case_table(store, Wanted(**wanted), crs, Language.ZH)


def same(row: Any, names: dict[str, str] | None = None) -> None:
    for name, value in BY_HAND.items():
        found = row[names[name] if names else name]
        assert pd.isna(found) if value is None else found == value, name


def test_the_frame_is_by_hand(world: tuple[CaseStore, str]) -> None:
    (row,) = [one for _, one in table(world[0]).iterrows()]
    same(row)
    assert row["case_id"] == world[1]
    assert {name: row[name].to_pydatetime() for name in MOMENTS} == MOMENTS


@pytest.mark.parametrize("encoding", ["gbk", "utf-8"])
def test_a_shapefile_comes_back(world: tuple[CaseStore, str], tmp_path: Path, encoding: str) -> None:
    notes = write_table(table(world[0]), tmp_path / "t.shp", Language.ZH, encoding)
    assert notes[0] == "QSX, HSX, LJSJ: a DBF keeps the day (UTC), not the time"
    assert notes[1].startswith("unknown areas are empty")
    assert "疑似违法，待核查".encode(encoding) in (tmp_path / "t.dbf").read_bytes()
    assert (tmp_path / "t.cpg").read_text().strip().lower() == encoding
    back = pyogrio.read_dataframe(tmp_path / "t.shp")
    assert list(back.columns) == [*FIELDS.values(), "geometry"]
    same(back.iloc[0], FIELDS)
    assert str(back.iloc[0]["QSX"])[:10] == "2021-05-01"
    assert back.crs.to_epsg() == 4490
    assert sorted(path.name for path in tmp_path.glob("t.*")) == ["t.cpg", "t.dbf", "t.prj", "t.shp", "t.shx"]


@pytest.mark.parametrize("name", ["t.gpkg", "t.geojson"])
def test_geopackage_and_geojson_come_back(world: tuple[CaseStore, str], tmp_path: Path, name: str) -> None:
    frame = table(world[0])
    write_table(frame, tmp_path / name, Language.ZH)
    back = pyogrio.read_dataframe(tmp_path / name)
    same(back.iloc[0])
    assert {key: back.iloc[0][key].to_pydatetime() for key in MOMENTS} == MOMENTS
    assert back.geometry.iloc[0].equals_exact(frame.geometry.iloc[0], 1e-8, normalize=True)


@pytest.mark.parametrize("name", ["t.gpkg", "t.geojson", "t.shp"])
def test_an_outline_of_two_parts_comes_back(
    world: tuple[CaseStore, str], tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    one = table(world[0])
    shape = one.geometry.iloc[0]
    both = shapely.MultiPolygon([shape, shapely.affinity.translate(shape, 1, 0)])
    frame = pd.concat([one, one.set_geometry([both], crs=one.crs)], ignore_index=True)
    write_table(frame, tmp_path / name, Language.ZH)
    assert [w for w in recwarn if "GeoPackage" in str(w.message)] == []
    back = pyogrio.read_dataframe(tmp_path / name).geometry
    assert [len(shapely.get_parts(each)) for each in back] == [1, 2]
    kind = pyogrio.read_info(tmp_path / name)["geometry_type"]
    assert kind == {"t.gpkg": "MultiPolygon", "t.geojson": "Unknown", "t.shp": "Polygon"}[name]


def test_a_table_in_metres_lies_where_it_was_drawn(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    write_table(table(world[0], CRS.from_epsg(4547)), tmp_path / "t.gpkg", Language.ZH)
    back = pyogrio.read_dataframe(tmp_path / "t.gpkg")
    assert back.crs.to_epsg() == 4547
    assert back.geometry.iloc[0].symmetric_difference(rect(0, 0, 100, 60)).area < 0.1
    notes = write_table(table(world[0], CRS.from_epsg(4547)), tmp_path / "t.geojson", Language.ZH)
    assert "degrees of WGS 84" in notes[0]
    assert pyogrio.read_dataframe(tmp_path / "t.geojson").total_bounds[0] == pytest.approx(114, abs=0.01)


def test_xlsx_and_csv_come_back(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    notes = write_table(table(world[0]), tmp_path / "t.xlsx", Language.ZH)
    assert notes == ["a table has no outline: x, y is a point inside, in EPSG:4490"]
    head, row = openpyxl.load_workbook(tmp_path / "t.xlsx").active.iter_rows(values_only=True)
    assert head[:2] == ("监测图斑编号", "案件编号")
    found = dict(zip(FIELDS, row, strict=False))
    same({name: None if value == "" else value for name, value in found.items()})
    assert found["before"] == datetime(2021, 5, 1, 3)
    assert row[-2:] == (pytest.approx(114.0, abs=0.01), pytest.approx(37.9, abs=0.1))
    write_table(table(world[0]), tmp_path / "t.csv", Language.ZH, "gbk")
    with (tmp_path / "t.csv").open(encoding="gbk", newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert (line["status"], line["cultivated_mu"], line["basic_mu"]) == ("疑似违法，待核查", "6.0", "")


def test_unknown_stays_unknown(tmp_path: Path) -> None:
    store, _ = told_store(tmp_path, land={}, scenes=[], pair={})
    with store.transaction(writes=True) as session:
        session.execute(update(ChangeRow).values(before=None, after=None, region=""))
    (row,) = [one for _, one in table(store).iterrows()]
    assert pd.isna(row[["before", "after", "cultivated_mu", "construction_mu"]]).all()
    assert (row["number"], row["before_sensor"], row["area_mu"]) == ("", "", 9.0)
    write_table(table(store), tmp_path / "t.shp", Language.ZH, "gbk")
    back = pyogrio.read_dataframe(tmp_path / "t.shp").iloc[0]
    assert pd.isna(back[["QSX", "HSX", "GDMJ"]]).all()


def test_what_a_dbf_cannot_hold_is_said(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    store, _ = world
    with store.transaction(writes=True) as session:
        session.execute(update(SceneRow).values(sensor="监" * 200))
    notes = write_table(table(store), tmp_path / "t.shp", Language.ZH, "gbk")
    assert "QSXCGQ: 1 texts were cut to 254 bytes of GBK" in notes
    assert pyogrio.read_dataframe(tmp_path / "t.shp").iloc[0]["QSXCGQ"] == "监" * 127
    with store.transaction(writes=True) as session:
        session.execute(update(SceneRow).values(sensor="\U0002a6d6"))
    for name in ("u.shp", "u.csv"):
        with pytest.raises(BadInput, match="GBK does not hold"):
            write_table(table(store), tmp_path / name, Language.ZH, "gbk")
    assert list(tmp_path.glob("u.*")) == []
    write_table(table(store), tmp_path / "u.shp", Language.ZH, "utf-8")
    assert pyogrio.read_dataframe(tmp_path / "u.shp").iloc[0]["QSXCGQ"] == "\U0002a6d6"


def test_an_index_of_the_file_that_was_there_is_gone(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    # As QGIS makes one; that of a file of other places finds nothing in this one.
    frame, there = table(world[0]), tmp_path / "t.shp"
    away = frame.set_geometry(frame.geometry.translate(10, 0))
    pyogrio.write_dataframe(away[["geometry"]], there, SPATIAL_INDEX="YES")
    assert (tmp_path / "t.qix").exists()
    write_table(frame, there, Language.ZH)
    assert len(pyogrio.read_dataframe(there, bbox=tuple(frame.total_bounds))) == 1


def test_a_text_that_looks_like_a_formula_is_a_text(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    with world[0].transaction(writes=True) as session:
        session.execute(update(SceneRow).values(sensor="=1+1"))
    write_table(table(world[0]), tmp_path / "t.xlsx", Language.EN)
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    cell = sheet.cell(2, 1 + list(FIELDS).index("before_sensor"))
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_only_what_was_asked_for(world: tuple[CaseStore, str]) -> None:
    store, case = world
    assert len(table(store, region="1401")) == 1
    assert len(table(store, region="1402")) == 0
    assert len(table(store, status="field_check")) == 0
    store.move(case, "field_check", ROAD, actor="王小明", role="county")
    assert table(store, status="field_check")["status"].tolist() == ["外业核查"]
    with pytest.raises(BadInput, match="lies outside"):
        table(store.scoped("1401"), region="1402")


def test_no_cases_make_an_empty_table(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    nothing = table(world[0], region="99")
    for name in ("e.shp", "e.gpkg", "e.geojson", "e.xlsx", "e.csv"):
        write_table(nothing, tmp_path / name, Language.ZH)
    assert len(pyogrio.read_dataframe(tmp_path / "e.shp")) == 0


@pytest.mark.sqlite
@pytest.mark.usefixtures("world")
def test_the_verb(tmp_path: Path) -> None:
    words = ("cases", "export", "--db", tmp_path / "cases.db")
    code, out, _ = tiankan(*words, "--to", tmp_path / "t.gpkg", "--crs", "EPSG:4547", "--json")
    assert (code, json.loads(out)) == (0, {"file": str(tmp_path / "t.gpkg"), "cases": 1, "notes": []})
    assert tiankan(*words, "--to", tmp_path / "t.shp", "--encoding", "GBK")[0] == 0
    assert "end it with .shp" in refusal(*words, "--to", tmp_path / "t.dwg")
    assert "use gbk or utf-8" in refusal(*words, "--to", tmp_path / "t.shp", "--encoding", "big5")
    assert "is not a coordinate system" in refusal(*words, "--to", tmp_path / "t.shp", "--crs", "EPSG:0")
    assert "is neither of degrees nor of a map" in refusal(
        *words, "--to", tmp_path / "t.shp", "--crs", "EPSG:4978"
    )
    (tmp_path / "d.shp").mkdir()
    assert "d.shp: is a folder" in refusal(*words, "--to", tmp_path / "d.shp")
    assert "is not known" in refusal(*words, "--to", tmp_path / "t.shp", "--crs", "EPSG:4610")
