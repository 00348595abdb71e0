"""The second ring: 900 real French cadastral parcels and 491 buildings as layers and changes."""

import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import CRS

from cadastre.facts import Facts, measure, measure_crs
from cadastre.layers import Layer, LayerData, read_layer
from detection import changes as change_frame
from ground.crs import LONLAT, geodesic_area_m2, to_crs

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("TIANKAN_REAL_DATA", ROOT.parent / "shared" / "data")) / "parcels-fr"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}; set TIANKAN_REAL_DATA"),
]
LAMBERT = CRS.from_epsg(2154)
PLACES = {"parcelles_13029": 389, "parcelles_25354": 511}
COLUMNS = {"number": "IDU", "valid_from": "CREAT_DATE", "land_class": "SUPF"}


def frame_of(shapes: Any) -> gpd.GeoDataFrame:
    """Shapes of the French grid as changes between two days of 2021."""
    days = {"before": pd.Timestamp("2021-05-01T10:00Z"), "after": pd.Timestamp("2021-09-01T10:00Z")}
    return change_frame.make(np.asarray(shapes, dtype=object), LAMBERT, pair_id="real", **days)


def layer(path: str, *measures: str, coverage: str = "everywhere", **more: Any) -> Layer:
    columns = more.pop("columns", COLUMNS)
    return Layer(title=path, path=path, coverage=coverage, measures=list(measures), columns=columns, **more)


def read(changes: gpd.GeoDataFrame, kind: Layer, folder: Path = DATA) -> LayerData:
    return read_layer(kind, folder, measure_crs(changes))


def facts(changes: gpd.GeoDataFrame, kind: Layer, folder: Path = DATA) -> list[Facts]:
    found = measure(changes, {"parcels": read(changes, kind, folder)}, {"parcels": kind})
    return [found[key] for key in changes["change_id"]]


def true_m2(shapes: Any) -> Any:
    """Areas on the ellipsoid, whichever way around the register draws rings and holes."""
    lonlat = to_crs(np.asarray(shapes, dtype=object), LAMBERT, LONLAT, "test")
    return geodesic_area_m2(shapely.orient_polygons(lonlat))


def raw(name: str) -> gpd.GeoDataFrame:
    return gpd.read_file(DATA / f"{name}.gpkg")


@pytest.mark.parametrize("place", PLACES)
def test_real_parcels_are_read_whole(place: str) -> None:
    parcels = raw(place)
    data = read(frame_of(parcels.geometry.iloc[:1]), layer(f"{place}.gpkg", "m2"))
    assert len(data.frame) == PLACES[place]
    assert data.repaired == 0
    assert data.frame["number"].tolist() == parcels["IDU"].tolist()
    # Dates are written as 20120127; as text they sort as they should.
    assert (
        data.frame["valid_from"].dt.strftime("%Y%m%d").tolist() == parcels["CREAT_DATE"].astype(str).tolist()
    )
    # The equal-area projection gives the area on the ellipsoid, which Lambert-93 does not.
    true = true_m2(parcels.geometry)
    assert data.frame.area.to_numpy() == pytest.approx(true, rel=1e-5)
    # The land register states an area for each parcel, some measured two centuries ago: half agree to 5 %.
    stated = data.frame["land_class"].astype(float).to_numpy()
    assert np.median(np.abs(true / stated - 1)) < 0.05


@pytest.mark.parametrize("place", PLACES)
def test_a_parcel_that_changed_is_covered_by_itself(place: str) -> None:
    parcels = raw(place)
    changes = frame_of(parcels.geometry)
    found = facts(
        changes, layer(f"{place}.gpkg", "m2", "share", "numbers", "count", "distance_m", coverage="bounds")
    )
    number = dict(zip(parcels.geometry.to_wkb(), parcels["IDU"], strict=True))
    for fact, shape, area in zip(found, changes.geometry.to_wkb(), true_m2(changes.geometry), strict=True):
        assert fact.values["parcels_share"] == pytest.approx(1, abs=1e-6)
        assert fact.values["parcels_m2"] == pytest.approx(area, rel=1e-5, abs=0.001)
        assert fact.values["parcels_distance_m"] == 0.0
        assert number[shape] in str(fact.values["parcels_numbers"]).split(", ")


def test_squares_over_parcels_are_measured_as_by_an_overlay() -> None:
    parcels = raw("parcelles_25354")
    west, south, east, north = parcels.total_bounds
    corners = [(x, y) for x in np.arange(west, east, 400) for y in np.arange(south, north, 400)]
    changes = frame_of([shapely.box(x, y, x + 150, y + 150) for x, y in corners])
    found = facts(changes, layer("parcelles_25354.gpkg", "m2", "count", "distance_m"))
    # By another way: geopandas' own overlay on the French grid; within a square its scale is one number.
    squares = changes[["change_id", "area_m2", "geometry"]].assign(grid_m2=changes.area)
    pieces = squares.overlay(parcels[["geometry"]], how="intersection")
    by_grid = pieces.assign(m2=pieces.area).groupby("change_id")["m2"].agg(["sum", "count"])
    met = 0
    for fact, (_, square) in zip(found, squares.iterrows(), strict=True):
        if square["change_id"] not in by_grid.index:
            assert fact.values["parcels_m2"] == 0.0
            assert float(fact.values["parcels_distance_m"] or 0) > 0
            continue
        met += 1
        expected = by_grid.loc[square["change_id"]]
        scale = square["area_m2"] / square["grid_m2"]
        # Parcels drawn apart overlap a little along their borders: once here, twice in the overlay.
        assert fact.values["parcels_m2"] == pytest.approx(expected["sum"] * scale, abs=25)
        assert abs(float(fact.values["parcels_count"] or 0) - expected["count"]) <= 3
    assert met > 20


def test_buildings_stand_on_parcels() -> None:
    buildings = raw("batiments")
    place = shapely.box(*raw("parcelles_13029").total_bounds)
    changes = frame_of(buildings.geometry[buildings.within(place)])
    assert len(changes) > 50
    found = facts(changes, layer("parcelles_13029.gpkg", "share"))
    shares = np.array([float(fact.values["parcels_share"] or 0) for fact in found])
    assert (shares > 0.99).mean() > 0.95
    far = facts(changes.iloc[:1].reset_index(drop=True), layer("parcelles_25354.gpkg", "distance_m", "share"))
    assert far[0].values["parcels_share"] == 0.0
    # Marseille to the Doubs is some 430 km.
    assert float(far[0].values["parcels_distance_m"] or 0) == pytest.approx(433_000, rel=0.02)


@pytest.mark.parametrize("suffix", ["shp", "geojson", "parquet"])
def test_real_parcels_in_another_format_give_the_same_facts(tmp_path: Path, suffix: str) -> None:
    parcels = raw("parcelles_13029")
    path = tmp_path / f"parcels.{suffix}"
    if suffix == "parquet":
        parcels.to_parquet(path)
    else:
        written = parcels.to_crs(4326) if suffix == "geojson" else parcels
        options = {"COORDINATE_PRECISION": 9} if suffix == "geojson" else {"encoding": "UTF-8"}
        pyogrio.write_dataframe(written, path, **options)
    middle = shapely.box(*parcels.total_bounds).centroid
    changes = frame_of([middle.buffer(r, cap_style="square") for r in (30, 80, 200)])
    measures = ("m2", "share", "count", "numbers", "distance_m")
    one = facts(changes, layer("parcelles_13029.gpkg", *measures))
    other = facts(changes, layer(path.name, *measures), tmp_path)
    for a, b in zip(one, other, strict=True):
        assert float(b.values["parcels_m2"] or 0) == pytest.approx(
            float(a.values["parcels_m2"] or 0), abs=0.05
        )
        assert b.values["parcels_numbers"] == a.values["parcels_numbers"]
        assert b.values["parcels_count"] == a.values["parcels_count"]


def test_parcels_newer_than_the_scenes_are_in_doubt(tmp_path: Path) -> None:
    parcels = raw("parcelles_13029")
    newest = parcels.loc[[parcels["CREAT_DATE"].astype(int).idxmax()]]
    day = pd.Timestamp(str(newest["CREAT_DATE"].iloc[0]), tz="UTC")
    shape = newest.geometry.to_numpy()
    around = change_frame.make(
        shape, LAMBERT, pair_id="r", before=day - pd.Timedelta(days=30), after=day + pd.Timedelta(days=30)
    )
    later = change_frame.make(
        shape, LAMBERT, pair_id="r", before=day + pd.Timedelta(days=1), after=day + pd.Timedelta(days=30)
    )
    kind = layer("newest.gpkg", "share")
    pyogrio.write_dataframe(newest, tmp_path / "newest.gpkg")
    unknown, known = (facts(changes, kind, tmp_path)[0] for changes in (around, later))
    assert unknown.values["parcels_share"] is None
    assert "it depends on the day of the change" in unknown.why["parcels_share"]
    assert known.values["parcels_share"] == 1.0
