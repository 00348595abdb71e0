"""A file that can be read in part is no layer: nothing of it is imported, and the refusal names what is missing."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from cadastre.importing import look
from cadastre.layers import read_layer
from ground.crs import crs_of
from ground.errors import BadInput
from tests.cases_world import GRID, rect
from tests.registry_world import layer

FEATURES = 3000


def frame(features: int) -> gpd.GeoDataFrame:
    shapes = [rect(i * 20, 0, i * 20 + 10, 10) for i in range(features)]
    names = {"no": [f"N{i}" for i in range(features)], "memo": ["x" * 100] * features}
    return gpd.GeoDataFrame(names, geometry=shapes, crs=GRID)


def refused(folder: Path, name: str, said: str) -> None:
    """By the import's look and by the reader of files."""
    with pytest.raises(BadInput, match=said):
        look("permits", layer(name), folder, True)
    with pytest.raises(BadInput, match=f"{said}|cannot be read"):
        read_layer(layer(name), folder, crs_of(GRID, "test"))


@pytest.mark.parametrize(("part", "keep"), [(".dbf", 0.7), (".dbf", 0.999), (".shp", 0.9), (".shp", 0.99999)])
def test_a_shapefile_cut_short_is_refused(tmp_path: Path, part: str, keep: float) -> None:
    frame(FEATURES).to_file(tmp_path / "l.shp")
    file = (tmp_path / "l.shp").with_suffix(part)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    refused(tmp_path, "l.shp", f"l{part}: is cut short")


def test_parts_of_two_exports_are_refused(tmp_path: Path) -> None:
    frame(4).to_file(tmp_path / "l.shp")
    frame(3).to_file(tmp_path / "other.shp")
    (tmp_path / "other.dbf").replace(tmp_path / "l.dbf")
    refused(tmp_path, "l.shp", "l.shx has 4 features and l.dbf 3")


def test_a_geopackage_with_lost_pages_is_refused(tmp_path: Path) -> None:
    frame(FEATURES).to_file(tmp_path / "l.gpkg", SPATIAL_INDEX="NO")
    data = bytearray((tmp_path / "l.gpkg").read_bytes())
    page = len(data) // 2 // 4096 * 4096
    data[page : page + 20 * 4096] = bytes(20 * 4096)
    (tmp_path / "l.gpkg").write_bytes(data)
    refused(tmp_path, "l.gpkg", "of its 3000 features can be read")


def test_a_record_deleted_and_not_packed_is_no_fault(tmp_path: Path) -> None:
    frame(4).to_file(tmp_path / "l.shp")
    data = bytearray((tmp_path / "l.dbf").read_bytes())
    first, width = (int.from_bytes(data[a : a + 2], "little") for a in (8, 10))
    data[first + width] = ord("*")
    (tmp_path / "l.dbf").write_bytes(data)
    assert look("permits", layer("l.shp"), tmp_path, False)["kept"] == 3


def test_a_whole_shapefile_of_no_features_is_whole(tmp_path: Path) -> None:
    empty = frame(1).iloc[:0]
    empty.to_file(tmp_path / "l.shp", geometry_type="Polygon")
    assert look("permits", layer("l.shp"), tmp_path, False)["read"] == 0
    assert shapely.is_empty(read_layer(layer("l.shp", coverage="bounds"), tmp_path, crs_of(GRID, "t")).covers)
