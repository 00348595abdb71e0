"""Shapes that other readers stumble over: none at all, open rings, true curves, text that is not UTF-8."""

import struct
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from sqlalchemy import select

from cadastre.importing import look
from database.cadastre_tables import FeatureRow
from ground.errors import BadInput
from tests.cases_world import GRID, new_store, rect
from tests.registry_world import brought, layer, written
from tests.test_encoding import NAMES

X, Y = 500_000.0, 4_200_000.0


def points(*places: tuple[float, float]) -> bytes:
    return struct.pack("<I", len(places)) + b"".join(struct.pack("<dd", X + x, Y + y) for x, y in places)


OPEN_RING = struct.pack("<BII", 1, 3, 1) + points((0, 0), (100, 0), (100, 100), (0, 100))
CIRCLE = struct.pack("<BIIBI", 1, 10, 1, 1, 8) + points((0, 0), (50, 50), (100, 0), (50, -50), (0, 0))


def delivered(path: Path, wkb: bytes) -> None:
    shapes = np.array([wkb, shapely.to_wkb(shapely.box(X + 300, Y, X + 400, Y + 100))], dtype=object)
    pyogrio.raw.write(
        path, geometry=shapes, field_data=[np.array(["A", "B"], dtype=object)], fields=["no"],
        geometry_type="Unknown", crs="EPSG:4547", driver="GPKG",
    )  # fmt: skip


@pytest.mark.parametrize("shape", [None, shapely.Polygon([(X, Y), (X + 9, Y), (X, Y), (X, Y)])])
def test_a_layer_of_nothing_is_left_out_whole(tmp_path: Path, shape: shapely.Geometry | None) -> None:
    written(tmp_path, "a.gpkg", [shape, shape], no=["A", "B"])
    found = look("permits", layer("a.gpkg"), tmp_path, True, True)
    assert (found["read"], found["kept"]) == (2, 0)
    assert brought(
        new_store(tmp_path), tmp_path, layer("a.gpkg"), "2021-01-01", repair=True, leave_out=True
    ).is_new


def test_without_geometry_a_person_must_say_so(tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [None, rect(0, 0, 9, 9)], no=["A", "B"])
    with pytest.raises(BadInput, match=r"feature 1 has no geometry.*--leave-out"):
        look("permits", layer("a.gpkg"), tmp_path, True)


def test_an_open_ring_is_closed_and_kept_as_delivered(tmp_path: Path) -> None:
    delivered(tmp_path / "a.gpkg", OPEN_RING)
    with pytest.raises(BadInput, match=r"feature 1 is invalid .a ring is not closed"):
        look("permits", layer("a.gpkg"), tmp_path, False)
    store = new_store(tmp_path)
    brought(store, tmp_path, layer("a.gpkg"), "2021-01-01", repair=True)
    with store.transaction() as session:
        kept = session.scalars(select(FeatureRow.original).order_by(FeatureRow.serial)).all()
    assert kept == [OPEN_RING, None]


def test_true_curves_become_lines(tmp_path: Path) -> None:
    delivered(tmp_path / "a.gpkg", CIRCLE)
    assert look("permits", layer("a.gpkg"), tmp_path, False)["kept"] == 2


def test_only_a_shapefile_has_an_encoding(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"no": NAMES[:1]}, geometry=[rect(0, 0, 9, 9)], crs=GRID).to_crs(4326)
    (tmp_path / "a.geojson").write_bytes(frame.to_json(ensure_ascii=False).encode("gbk"))
    for encoding in (None, "gbk"):
        with pytest.raises(BadInput, match=r"UTF-8.*iconv -f \w+ -t UTF-8 a.geojson"):
            look("permits", layer("a.geojson", encoding=encoding), tmp_path, False)


@pytest.mark.parametrize("declared", ["cpg", "header"])
def test_utf8_that_is_said_to_be_gbk_is_refused(tmp_path: Path, declared: str) -> None:
    frame = gpd.GeoDataFrame(
        {"no": ["建设用地批文第一号", "甲"]}, geometry=[rect(0, 0, 9, 9), rect(20, 0, 29, 9)], crs=GRID
    )
    frame.to_file(tmp_path / "a.shp", encoding="UTF-8")
    (tmp_path / "a.cpg").unlink()
    if declared == "cpg":
        (tmp_path / "a.cpg").write_text("GBK")
    data = bytearray((tmp_path / "a.dbf").read_bytes())
    data[29] = 0x4D
    (tmp_path / "a.dbf").write_bytes(data)
    with pytest.raises(BadInput, match="reads as UTF-8; set `encoding"):
        look("permits", layer("a.shp"), tmp_path, False)
    assert look("permits", layer("a.shp", encoding="utf-8"), tmp_path, False)["kept"] == 2
