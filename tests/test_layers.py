"""Layers as people send them: every format, datum, date and fault; what is read is known by hand."""

import datetime as dt
import math
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import CRS

from cadastre.facts import measure_crs
from cadastre.layers import Layer, LayerData, load_catalogue, read_layer
from ground.crs import LONLAT, to_crs
from ground.errors import BadInput, UnknownDatum
from law import pack_of
from tests.cases_world import EAST, GRID, NORTH, changes_of, on_grid, rect

PLACE = measure_crs(changes_of(rect(0, 0, 100, 100)))
"""Equal-area about (nearly) the middle of the square at the origin."""
ORIGIN = to_crs([shapely.Point(EAST, NORTH)], GRID, PLACE, "test")[0]
SUFFIXES = ("gpkg", "shp", "geojson", "parquet")
BOWTIE = on_grid(shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)]))
"""Two triangles that meet in (50, 50), 2,500 m² each."""


def two(**columns: Any) -> gpd.GeoDataFrame:
    """Squares of 10 m and 20 m a side."""
    return gpd.GeoDataFrame(columns, geometry=[rect(0, 0, 10, 10), rect(20, 0, 40, 20)], crs=GRID)


def write(frame: gpd.GeoDataFrame, path: Path, **more: Any) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyogrio warns of a frame without CRS, which is the point
            pyogrio.write_dataframe(
                frame, path, **({"encoding": "UTF-8"} if path.suffix == ".shp" else {}), **more
            )
    return path


def read(path: Path, coverage: str = "everywhere", **more: Any) -> LayerData:
    layer = Layer(title="test", path=path.name, coverage=coverage, measures=["m2"], **more)
    return read_layer(layer, path.parent, PLACE)


def corners(data: LayerData) -> list[float]:
    """The box of all features, in local meters."""
    west, south, east, north = (float(value) for value in data.frame.total_bounds)
    shifted = (west - ORIGIN.x, south - ORIGIN.y, east - ORIGIN.x, north - ORIGIN.y)
    return [round(value, 3) + 0.0 for value in shifted]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_features(tmp_path: Path, suffix: str) -> None:
    names = ["永久基本农田图斑", None]
    frame = two(名称=names, 面积=[100.5, 400.0], 日期=["2020-08-04", "20210901"])
    columns = {"number": "名称", "land_class": "面积", "valid_from": "日期"}
    data = read(write(frame, tmp_path / f"a.{suffix}"), columns=columns)
    assert data.frame["number"].tolist() == names
    assert data.frame["land_class"].tolist() == ["100.5", "400"]
    assert data.frame["valid_from"].dt.strftime("%Y-%m-%d").tolist() == ["2020-08-04", "2021-09-01"]
    assert data.frame["valid_to"].tolist() == [None, None]
    # GeoJSON keeps 7 decimals of a degree, 1 cm: of 10 m that is 0.1 %.
    assert data.frame.area.tolist() == pytest.approx([100, 400], rel=2e-3 if suffix == "geojson" else 1e-6)
    assert (data.repaired, data.covers) == (0, None)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_stay_whole_beside_a_gap(tmp_path: Path, suffix: str) -> None:
    frame = two(n=pd.array([20210047, None], dtype="Int64"))
    data = read(write(frame, tmp_path / f"a.{suffix}"), columns={"number": "n"})
    assert data.frame["number"].tolist() == ["20210047", None]


@pytest.mark.parametrize("epsg", [4525, 4546, 4547, 4490, 4326, 32649])
def test_chinese_zones_land_where_they_should(tmp_path: Path, epsg: int) -> None:
    # 111.5° E, 37.5° N lies in zone 37 (central meridian 111° E), which EPSG:4525 writes before the easting.
    place = shapely.box(111.5, 37.5, 111.501, 37.501)
    frame = gpd.GeoDataFrame(geometry=[place], crs=LONLAT).to_crs(epsg)
    data = read(write(frame, tmp_path / "a.gpkg"))
    middle = to_crs(data.frame.geometry.to_numpy(), PLACE, LONLAT, "test")[0].centroid
    assert (middle.x, middle.y) == pytest.approx((111.5005, 37.5005), abs=1e-7)
    # Easting by hand: 0.5° of longitude at 37.5° N are 44.2 km east of the false 500 km.
    easting = {4525: 37_544_200, 4546: 544_200}.get(epsg)
    if easting:
        assert frame.total_bounds[0] == pytest.approx(easting, abs=50)


def test_a_layer_without_crs_asks_for_the_true_one_and_takes_it(tmp_path: Path) -> None:
    path = write(two().set_crs(None, allow_override=True), tmp_path / "a.shp")
    with pytest.raises(BadInput, match=r'a\.shp: has no coordinate system; set `crs = "EPSG:4490"`'):
        read(path)
    assert corners(read(path, crs="EPSG:4547")) == pytest.approx([0, 0, 40, 20], abs=0.002)
    with pytest.raises(BadInput, match="'EPSG:99999' is not a coordinate system that PROJ knows"):
        read(path, crs="EPSG:99999")


def ecef(crs_a: float, crs_f: float, lon: float, lat: float) -> np.ndarray:
    """Earth-centered meters of a place on the ellipsoid."""
    e2 = crs_f * (2 - crs_f)
    n = crs_a / math.sqrt(1 - e2 * math.sin(lat) ** 2)
    return np.array(
        [
            n * math.cos(lat) * math.cos(lon),
            n * math.cos(lat) * math.sin(lon),
            n * (1 - e2) * math.sin(lat),
        ]
    )


@pytest.mark.parametrize(
    ("epsg", "a", "flattening"),
    [(4214, 6_378_245.0, 1 / 298.3), (4610, 6_378_140.0, 1 / 298.257)],  # Krassowsky; IAU 1975
)
def test_old_datums_need_their_parameters(tmp_path: Path, epsg: int, a: float, flattening: float) -> None:
    lon, lat = 114.0, 37.9
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(lon, lat)], crs=epsg)
    path = write(frame, tmp_path / "old.gpkg")
    with pytest.raises(
        UnknownDatum, match=r"old\.gpkg: the shift from (Beijing 1954|Xian 1980) .*\+towgs84="
    ):
        read(path)
    # By hand: three shifts of the earth's center, then read on WGS 84's ellipsoid (a 6378137, 1/298.257223563).
    shift = np.array([15.8, -154.4, -82.3])
    moved = ecef(a, flattening, math.radians(lon), math.radians(lat)) + shift
    parameters = f"+proj=longlat +a={a} +rf={1 / flattening} +towgs84=15.8,-154.4,-82.3 +no_defs"
    point = to_crs(read(path, crs=parameters).frame.geometry.to_numpy(), PLACE, LONLAT, "test")[0]
    lam, phi = math.radians(point.x), math.radians(point.y)
    # The shift may leave the ellipsoid upward, never sideways: what lies between the two is the plumb line.
    up = np.array([math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)])
    between = moved - ecef(6_378_137.0, 1 / 298.257223563, lam, phi)
    assert np.linalg.norm(between - up * float(np.dot(between, up))) < 1e-3
    assert abs(point.x - lon) > 0.0005  # 44 m and more: what a guess would have got wrong


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_layer_is_fine(tmp_path: Path, suffix: str) -> None:
    path = write(two(n=["a", "b"]).iloc[:0], tmp_path / f"a.{suffix}", **_polygons(suffix))
    for coverage in ("everywhere", "bounds"):
        data = read(path, coverage=coverage, columns={"number": "n"})
        assert len(data.frame) == 0
        # An empty layer that is complete in its own box is complete nowhere.
        assert data.covers is None if coverage == "everywhere" else data.covers.is_empty


def _polygons(suffix: str) -> dict[str, str]:
    return {} if suffix == "parquet" else {"geometry_type": "Polygon"}


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (BOWTIE, r"invalid \(Self-intersection.*\)"),
        (None, "empty"),
        (shapely.Polygon(), "empty"),
    ],
)
@pytest.mark.parametrize("suffix", ["gpkg", "parquet"])
def test_a_bad_geometry_is_refused_by_number_or_repaired_and_counted(
    tmp_path: Path, shape: shapely.Geometry, said: str, suffix: str
) -> None:
    frame = gpd.GeoDataFrame({"n": ["a", "b", "c"]}, geometry=[rect(0, 0, 10, 10), shape, shape], crs=GRID)
    path = write(frame, tmp_path / f"a.{suffix}")
    mend = r"mend the layer, or set `repair = true` for it in layers\.toml"
    with pytest.raises(BadInput, match=rf"geometry of feature 2 of 3 is {said}, 2 in all; {mend}"):
        read(path)
    if shape is not BOWTIE:  # Nobody knows where it lies: a person must say that it may be left out.
        with pytest.raises(BadInput, match="feature 2 has no geometry, 2 among"):
            read(path, repair=True)
    data = read(path, repair=True, leave_out=True, columns={"number": "n"}, coverage="bounds")
    assert data.repaired == 2
    if shape is BOWTIE:
        assert data.frame.area.tolist() == pytest.approx([100, 5000, 5000], abs=1e-3)
        assert corners(data) == pytest.approx([0, 0, 100, 100], abs=0.002)
    else:  # what is repaired to nothing lies nowhere
        assert data.frame["number"].tolist() == ["a"]
    assert data.frame.geometry.is_valid.all()
    assert data.covers is not None
    assert data.covers.area == pytest.approx(10_000 if shape is BOWTIE else 100, abs=0.2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_heights_are_left_out(tmp_path: Path, suffix: str) -> None:
    frame = two()
    frame.geometry = shapely.force_3d(frame.geometry.to_numpy(), 812.5)
    data = read(write(frame, tmp_path / f"a.{suffix}"))
    assert not data.frame.has_z.any()
    assert corners(data)[2:] == pytest.approx([40, 20], abs=0.02)


def test_a_missing_column_lists_those_there_are(tmp_path: Path) -> None:
    path = write(two(PWH=["1", "2"], PZSJ=["", ""]), tmp_path / "a.gpkg")
    with pytest.raises(BadInput, match=r"has no column 'PZWH' \(it has PWH, PZSJ\); mend `columns`"):
        read(path, columns={"number": "PZWH"})


@pytest.mark.parametrize(
    "value",
    [
        dt.date(2020, 8, 4), "2020-08-04", "20200804", "2020/8/4", "2020.8.4", "2020年8月4日", 20200804, 20200804.0,
        "2020-08-04T23:30:00+08:00", "2020-08-04 00:00:00", pd.Timestamp("2020-08-04T23:30", tz="Asia/Shanghai"),
        pd.Timestamp("2020-08-04T01:00Z"), "20200804000000", " 2020-08-04 ",
    ],
    ids=repr,
)  # fmt: skip
def test_a_day_in_whatever_shape(tmp_path: Path, value: Any) -> None:
    path = write(two(d=[value, value]), tmp_path / "a.parquet")
    days = read(path, columns={"valid_to": "d"}).frame["valid_to"].tolist()
    assert days == [pd.Timestamp("2020-08-04")] * 2


@pytest.mark.parametrize("value", ["", "   ", None])
def test_an_empty_day_is_unknown(tmp_path: Path, value: str | None) -> None:
    path = write(two(d=[value, "2020-08-04"]), tmp_path / "a.gpkg")
    assert read(path, columns={"valid_to": "d"}).frame["valid_to"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "value",
    ["4/8/2020", "08/04/2020", "now", "today", "nan", "2020", "2020-08", "2020-02-30", "长期", "00000000"],
)
def test_what_is_no_day_is_named_never_guessed(tmp_path: Path, value: str) -> None:
    path = write(two(DQSJ=["2020-08-04", value]), tmp_path / "a.gpkg")
    said = f"column 'DQSJ' holds '{value}', which is no date; write 2020-08-04 or 20200804"
    with pytest.raises(BadInput, match=said):
        read(path, columns={"valid_to": "DQSJ"})


def test_forever_may_be_the_year_9999(tmp_path: Path) -> None:
    path = write(two(d=["9999-12-31", "99991231"]), tmp_path / "a.gpkg")
    assert read(path, columns={"valid_to": "d"}).frame["valid_to"].dt.year.tolist() == [9999, 9999]


def test_coverage_comes_from_a_file_of_polygons(tmp_path: Path) -> None:
    path = write(two(), tmp_path / "a.gpkg")
    write(
        gpd.GeoDataFrame(geometry=[rect(0, 0, 50, 50), rect(50, 0, 100, 50)], crs=GRID), tmp_path / "c.gpkg"
    )
    covers = read(path, coverage="c.gpkg").covers
    assert covers is not None
    assert covers.area == pytest.approx(5000, abs=1e-3)
    assert shapely.covers(covers, shapely.box(-49, -49, 49, -1))


def test_a_coverage_that_is_none_is_named(tmp_path: Path) -> None:
    path = write(two(), tmp_path / "a.gpkg")
    mend = "mend `coverage` of 'test': everywhere, bounds or the path of a file of polygons"
    with pytest.raises(BadInput, match=f"everywere: there is no such file; {mend}"):
        read(path, coverage="everywere")
    road = gpd.GeoDataFrame(geometry=[shapely.LineString([(EAST, NORTH), (EAST + 9, NORTH)])], crs=GRID)
    write(road, tmp_path / "line.gpkg")
    with pytest.raises(BadInput, match=rf"line\.gpkg: holds no polygon; {mend}"):
        read(path, coverage="line.gpkg")


def test_the_template_of_layers_is_sound() -> None:
    catalogue = load_catalogue(pack_of("cn") / "layers.toml")
    assert catalogue["land_use"].columns == {"number": "TBBH", "land_class": "DLBM"}
    assert CRS.from_epsg(4525).name.endswith("zone 37")
