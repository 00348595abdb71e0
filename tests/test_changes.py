"""The change frame: ids from content, areas of the ellipsoid, a width for every shape, files that are whole."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin

from detection import changes
from detection.greenness import classes, ndvi, ndvi_change
from ground.errors import BadInput
from imagery.catalog import open_scene
from imagery.pairing import make_pair

ROOT = Path(__file__).parent.parent
GK = CRS.from_epsg(4546)
"""3-degree zone of meridian 111°: on it, a meter of the map is a meter of the ellipsoid."""
X, Y = 500_000, 4_200_000
L = shapely.Polygon([(X, Y), (X + 30, Y), (X + 30, Y + 10), (X + 10, Y + 10), (X + 10, Y + 20), (X, Y + 20)])


def made(*shapes: shapely.Polygon, **columns: Any) -> gpd.GeoDataFrame:
    return changes.make(np.array(shapes, dtype=object), GK, pair_id="pair", **columns)


def test_the_frame_is_measured_on_the_ellipsoid_and_sorted() -> None:
    small, large = shapely.box(X, Y, X + 20, Y + 10), shapely.box(X + 50, Y, X + 150, Y + 100)
    shanghai = datetime.fromisoformat("2021-05-01T08:00:00+08:00")
    frame = made(
        small, large, before=shanghai, probability=[0.75, 0.5], ndvi_change=[np.nan, -0.2],
        change_class=["linear", "vegetation_loss"],
    )  # fmt: skip
    assert frame["area_m2"].tolist() == pytest.approx([10_000, 200], rel=1e-6)
    assert frame["width_m"].tolist() == pytest.approx([100, 10], rel=1e-4)
    assert frame["probability"].tolist() == [0.5, 0.75]
    assert frame["change_class"].tolist() == ["vegetation_loss", "linear"]
    assert frame["before"].tolist() == [datetime(2021, 5, 1, tzinfo=UTC)] * 2
    assert frame["after"].isna().all()
    assert frame.crs == GK


def test_area_in_degrees_is_that_of_the_ellipsoid() -> None:
    # 0.01° at 38° N: 878.265 m × 1109.966 m at its middle, see test_ground.
    frame = changes.make(
        np.array([shapely.box(111, 38, 111.01, 38.01)], dtype=object), CRS.from_epsg(4490), pair_id="p"
    )
    assert frame["area_m2"][0] == pytest.approx(878.265 * 1109.966, rel=1e-5)


@given(a=st.floats(0.1, 1e4), b=st.floats(0.1, 1e4))
def test_the_width_of_a_rectangle_is_its_shorter_side(a: float, b: float) -> None:
    # Near a square the root of a difference takes half the digits.
    assert changes.ribbon_width_m(a * b, 2 * (a + b)) == pytest.approx(
        min(a, b), rel=1e-6, abs=2e-7 * max(a, b)
    )


def test_the_width_of_what_is_rounder_than_a_square_is_that_of_the_square() -> None:
    # A disk of radius 10: perimeter² = 39.5 areas, under the square's 16 · area.
    assert changes.ribbon_width_m(np.pi * 100, 2 * np.pi * 10) == pytest.approx(np.sqrt(np.pi * 100))
    # A bent road of 5 m: two arms of 100 m, the corner square counted once. The same ribbon straight is 195 m.
    area, perimeter = 100 * 5 + 95 * 5, 2 * (100 + 100)
    assert changes.ribbon_width_m(area, perimeter) == pytest.approx(5)


RING = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=3, max_size=8, unique=True)


@given(points=RING, turn=st.integers(0, 7), back=st.booleans(), noise=st.floats(-2e-5, 2e-5))
def test_an_id_is_of_the_shape_not_of_how_it_is_written(
    points: list[tuple[int, int]], turn: int, back: bool, noise: float
) -> None:
    polygon = shapely.Polygon([(X + x, Y + y) for x, y in points])
    assume(polygon.is_valid)  # the frame takes no other
    ring = list(polygon.exterior.coords)[:-1]
    turn %= len(ring)
    ring = ring[turn:] + ring[:turn]
    other = shapely.Polygon([(x + noise, y - noise) for x, y in (ring[::-1] if back else ring)])
    one = changes.change_id("pair", polygon, GK)
    assert changes.change_id("pair", other, GK) == one
    assert len(one) == 16
    assert int(one, 16) >= 0


def test_an_id_is_of_pair_place_and_shape() -> None:
    moved = shapely.transform(L, lambda xy: xy + np.array([0.001, 0]))
    ids = {
        changes.change_id(pair, shape, crs)
        for pair, shape, crs in (
            ("pair", L, GK), ("other", L, GK), ("pair", moved, GK), ("pair", L, CRS.from_epsg(4547)),
        )
    }  # fmt: skip
    assert len(ids) == 4


@given(order=st.permutations(range(4)))
def test_ids_and_rows_do_not_depend_on_the_order(order: list[int]) -> None:
    # Two are as large as each other: then their ids decide.
    shapes = [
        shapely.box(X + 100 * i, Y, X + 100 * i + side, Y + side) for i, side in enumerate((10, 30, 30, 50))
    ]
    frame, other = made(*shapes), made(*(shapes[i] for i in order))
    assert frame["area_m2"].is_monotonic_decreasing
    assert frame["change_id"].tolist() == other["change_id"].tolist()
    assert frame.geometry.geom_equals(other.geometry).all()


def test_a_frame_is_written_and_read_again(tmp_path: Path) -> None:
    frame = made(
        L, shapely.box(X + 99, Y, X + 199, Y + 10), before=datetime(2021, 5, 1, 3, 10, 20, tzinfo=UTC)
    )
    changes.write(frame, tmp_path / "c.gpkg", {"TIANKAN_PAIR": "pair"})
    again = changes.read(tmp_path / "c.gpkg")
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(frame), check_dtype=False)
    assert again.dtypes["before"] == frame.dtypes["before"]
    assert again.crs == GK
    info = pyogrio.read_info(tmp_path / "c.gpkg", layer="changes")
    assert (info["layer_metadata"]["TIANKAN_PAIR"], info["geometry_type"]) == ("pair", "Polygon")
    assert [changes.change_id("pair", shape, GK) for shape in again.geometry] == again["change_id"].tolist()


def test_no_changes_are_a_frame_too(tmp_path: Path) -> None:
    changes.write(made(), tmp_path / "c.gpkg", {})
    again = changes.read(tmp_path / "c.gpkg")
    assert (len(again), again.crs) == (0, GK)
    assert again.dtypes["before"] == made().dtypes["before"]


FAULTS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda f: f.drop(columns=["area_m2", "width_m"]), "has no column area_m2, width_m; make it with"),
    (lambda f: f.set_crs(None, allow_override=True), "has no coordinate system; make it with"),
    (lambda f: pd.concat([f, f]), "stands twice; remove one of the two rows"),
    (
        lambda f: f.assign(change_class="house"),
        "change_class 'house' is unknown; use one of unclassified, linear",
    ),
    (lambda f: f.set_geometry(f.centroid), "is not a valid polygon"),
    (lambda f: f.set_geometry([shapely.Polygon()]), "is not a valid polygon"),
    (
        lambda f: f.set_geometry([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])]),
        "(Self-intersection[0.5 0.5])",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), FAULTS)
def test_what_is_no_change_frame_is_refused(spoil: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        changes.check(spoil(made(L)), "f.gpkg")
    assert str(caught.value).startswith("f.gpkg: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("area_m2", "much", "column area_m2 holds no float"),
        ("before", "in May", "column before holds no datetime"),
    ],
)
def test_a_column_of_the_wrong_kind_is_named(tmp_path: Path, column: str, value: str, said: str) -> None:
    pyogrio.write_dataframe(made(L).assign(**{column: value}), tmp_path / "c.gpkg", layer="changes")
    with pytest.raises(BadInput, match=f"c.gpkg: {said}"):
        changes.read(tmp_path / "c.gpkg")


def test_files_that_hold_no_changes_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"c\.gpkg: there is no such file; make it with `tiankan detect`"):
        changes.read(tmp_path / "c.gpkg")
    (tmp_path / "c.gpkg").write_text("no database")
    with pytest.raises(BadInput, match=r"c\.gpkg: cannot be read as a GeoPackage with a layer 'changes'"):
        changes.read(tmp_path / "c.gpkg")
    pyogrio.write_dataframe(made(L), tmp_path / "d.gpkg", layer="others")
    with pytest.raises(BadInput, match=r"d\.gpkg: cannot be read as a GeoPackage with a layer 'changes'"):
        changes.read(tmp_path / "d.gpkg")
    pyogrio.write_dataframe(
        pd.DataFrame(made(L)).drop(columns="geometry"), tmp_path / "e.gpkg", layer="changes"
    )
    with pytest.raises(BadInput, match=r"e\.gpkg: its layer 'changes' has no geometry"):
        changes.read(tmp_path / "e.gpkg")


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np, shapely
from pyproj import CRS
from detection import changes
from ground.errors import CannotWrite
squares = np.array([shapely.box(5e5 + 20 * i, 4.2e6, 5e5 + 20 * i + 10, 4.2e6 + 10) for i in range(1000)])
frame = changes.make(squares, CRS.from_epsg(4546), pair_id="pair")
changes.write(frame, Path(sys.argv[1]) / "whole.gpkg", {})
limit = int((Path(sys.argv[1]) / "whole.gpkg").stat().st_size * float(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    changes.write(frame, Path(sys.argv[1]) / "c.gpkg", {})
    print("written")
except CannotWrite as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("part", "said"), [(0.2, "c.gpkg: could not"), (0.9, "c.gpkg: could not"), (1.0, "written")]
)
def test_a_full_disk_is_not_swallowed_by_gdal(tmp_path: Path, part: float, said: str) -> None:
    # The last tenth is the spatial index: GDAL writes it on closing, and says nothing if it cannot.
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(part)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said in done.stdout
    assert done.stdout.count("\n") == 1


def test_ndvi_by_hand() -> None:
    red, nir = (np.array(v, dtype=np.float32) for v in ([1, 1, 0, -0.1, 3], [3, 1, 0, 0.1001, 0]))
    # (3 − 1) / 4; equal; nothing; a sum near zero, as over dark water, is cut at 1; −3 / 3.
    assert ndvi(red, nir).tolist() == [0.5, 0, 0, 1, -1]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (-0.05, "vegetation_loss"),
        (-0.049, "unclassified"),
        (0.049, "unclassified"),
        (0.05, "vegetation_gain"),
    ],
)
def test_a_clear_difference_has_a_class(change: float, name: str) -> None:
    assert classes(np.array([change, np.nan])).tolist() == [name, "unclassified"]


@pytest.mark.parametrize("window", [1024, 7])
def test_greenness_is_measured_against_unchanged_ground(
    raster: Callable[..., Path], monkeypatch: Any, window: int
) -> None:
    monkeypatch.setattr("detection.greenness.WINDOW", window)
    before, after = np.full((4, 20, 20), 100, "float32"), np.full((4, 20, 20), 100, "float32")
    # NIR: 300 everywhere before (NDVI 0.5), 200 after (1/3); 100 on the felled square (0), one pixel of it unseen.
    before[3], after[3] = 300, 200
    after[3, 5:10, 5:10] = 100
    after[:, 5, 5] = np.nan
    pair = make_pair(*(open_scene(raster(f"{i}.tif", v)) for i, v in enumerate((before, after))))
    square = shapely.box(600_050, 4_199_900, 600_100, 4_199_950)
    found = ndvi_change(pair, np.array([square], dtype=object), lambda *_: None)
    # −0.5 in the square; unchanged ground fell by 1/6: what is left is −1/3, to a bin of 0.001.
    assert found.tolist() == [pytest.approx(-1 / 3, abs=1e-3)]
    no_nir = make_pair(*(open_scene(raster(f"{i}.tif", v[:3])) for i, v in enumerate((before, after))))
    assert np.isnan(ndvi_change(no_nir, np.array([square], dtype=object), lambda *_: None)).tolist() == [True]
    assert pair.grid.transform == from_origin(600_000, 4_200_000, 10, 10)
