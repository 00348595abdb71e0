"""Files of parts that mislead: several layers with polygons, metres that are called degrees."""

from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from cases.outlines import read_parts
from ground.crs import LONLAT
from ground.errors import BadInput
from tests.cases_world import GRID
from tests.splits_world import THIRDS, cases, county, degrees, file_of, url_of
from tests.test_cli import tiankan


def added(path: Path, layer: str, *shapes: shapely.Geometry, kind: str | None = None) -> None:
    frame = gpd.GeoDataFrame(geometry=list(shapes), crs=GRID)
    pyogrio.write_dataframe(frame, path, layer=layer, append=True, geometry_type=kind)


@pytest.mark.parametrize("kind", ["Unknown", "GeometryCollection", "MultiPolygon"])
def test_every_layer_that_may_hold_polygons_counts(tmp_path: Path, kind: str) -> None:
    path = file_of(tmp_path, *THIRDS, name="parts.gpkg")
    shape = THIRDS[0] if kind == "Unknown" else shapely.MultiPolygon([THIRDS[0]])
    if kind == "GeometryCollection":
        shape = shapely.GeometryCollection([THIRDS[0]])
    added(path, "old", shape, kind=kind)
    with pytest.raises(BadInput) as error:
        read_parts(path)
    assert str(error.value) == f"--by: {path} has layers parts, old; leave the one with the parts"


def test_points_beside_the_parts_are_none(tmp_path: Path) -> None:
    path = file_of(tmp_path, *THIRDS, name="parts.gpkg")
    added(path, "photos", shapely.Point(1, 2))
    assert len(read_parts(path)) == 3


def test_metres_that_are_called_degrees(tmp_path: Path) -> None:
    store = county(tmp_path)
    path = tmp_path / "parts.gpkg"
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=list(THIRDS), crs=LONLAT), path)
    who = ("--actor", "王芳", "--role", "county", "--reason", "r", "--db", url_of(store))
    code, out, err = tiankan("cases", "split", cases(store)[0].id, "--by", path, *who)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert (
        "says that it is in degrees, but reaches from 500000 4200000 to 500200 4200100; write its own" in err
    )
    beyond = [shapely.box(100, 89, 101, 91), shapely.box(-181, 0, -179, 1)]
    for each in beyond:
        pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=[each, degrees(THIRDS[0])[0]], crs=LONLAT), path)
        with pytest.raises(BadInput, match="within ±180 and ±90"):
            read_parts(path)
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=[shapely.box(-180, -90, 0, 90)] * 2, crs=LONLAT), path)
    assert len(read_parts(path)) == 2


def test_rules_without_land_classes_are_refused(tmp_path: Path) -> None:
    store, other = county(tmp_path), tmp_path / "other"
    other.mkdir()
    who = ("--actor", "王芳", "--role", "county", "--reason", "r", "--db", url_of(store))
    words = ("cases", "split", cases(store)[0].id, "--by", file_of(tmp_path, *THIRDS), *who)
    code, _, err = tiankan(*words, "--rules", other)
    assert (code, len(cases(store))) == (2, 1)
    assert f"--rules: no land_classes.toml lies in or beside {other}; give the rulebooks that judged" in err
    assert tiankan(*words, "--rules", "cn")[0] == 0
