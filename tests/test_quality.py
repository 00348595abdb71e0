"""What an import finds wrong: each fault planted once, found in its row, mended or refused."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cadastre.importing import look
from cadastre.layers import Layer
from cadastre.placing import check_place
from cadastre.quality import check_text
from cadastre.spikes import has_spike, without_spikes
from ground.crs import LONLAT, crs_of, transformer
from ground.errors import BadInput
from tests.cases_world import rect
from tests.registry_world import layer, written

SQUARE = rect(0, 0, 100, 100)


def found(tmp_path: Path, shapes: list[Any], **more: Any) -> dict[str, Any]:
    columns = more.pop("columns", {"number": "no"})
    numbers = more.pop("numbers", [f"N{i}" for i in range(len(shapes))])
    written(tmp_path, "l.gpkg", shapes, no=numbers, **more)
    report = look("l", layer("l.gpkg", columns=columns), tmp_path, repair=True, leave_out=True)
    return {name: fault["rows"] for name, fault in report["faults"].items()}


def at(*points: tuple[float, float]) -> shapely.Polygon:
    west, south = rect(0, 0, 1, 1).bounds[:2]
    return shapely.Polygon([(west + x, south + y) for x, y in points])


def test_a_clean_layer_has_no_fault(tmp_path: Path) -> None:
    tiles = [rect(x, y, x + 50, y + 50) for x in range(0, 500, 50) for y in range(0, 500, 50)]
    assert found(tmp_path, tiles) == {}


def test_each_fault_is_found_in_its_row(tmp_path: Path) -> None:
    bowtie = at((1000, 0), (1100, 100), (1100, 0), (1000, 100))
    spike = at((2000, 0), (2100, 0), (2100, 50), (2300, 50.001), (2100, 50.002), (2100, 100), (2000, 100))
    sliver = rect(3000, 0, 3000.1, 1000)
    overlapping = rect(99, 0, 199, 100)
    shapes = [SQUARE, None, bowtie, spike, sliver, overlapping, SQUARE]
    faults = found(tmp_path, shapes, numbers=["A", "B", "C", "D", "E", "F", "A"])
    assert faults == {
        "empty": [2], "invalid": [3], "spike": [4], "sliver": [5], "overlap": [1, 6, 7], "duplicate": [7],
        "number_twice": [7],
    }  # fmt: skip


def test_dates_the_wrong_way_round_are_named(tmp_path: Path) -> None:
    columns = {"number": "no", "valid_from": "a", "valid_to": "b"}
    faults = found(
        tmp_path, [SQUARE, rect(200, 0, 300, 100)], columns=columns, a=["2021-01-01", "2021-01-01"],
        b=["2020-01-01", None],
    )  # fmt: skip
    assert faults == {"dates_reversed": [1]}


def test_what_collapses_is_left_out(tmp_path: Path) -> None:
    flat = at((0, 0), (10, 0), (20, 0), (0, 0))
    assert found(tmp_path, [flat, SQUARE]) == {"invalid": [1], "collapsed": [1]}


@pytest.mark.parametrize("spikes", [1, 2, 5])
def test_spikes_go_and_corners_stay(spikes: int) -> None:
    corners = [(0.0, 0.0), (100.0, 0.0)]
    for i in range(spikes):
        y = 10.0 * (i + 1)
        corners += [(100, y), (400, y), (100, y + 1e-4)]
    spiked = shapely.Polygon([*corners, (100, 100), (0, 100)])
    assert has_spike(np.array([spiked, shapely.box(0, 0, 1, 1)], dtype=object)).tolist() == [True, False]
    cleaned = without_spikes(spiked)
    assert cleaned.area == pytest.approx(10_000, rel=1e-4)
    assert cleaned.bounds == (0, 0, 100, 100)


@given(st.integers(3, 40), st.floats(1, 1e5), st.floats(-1e7, 1e7))
def test_what_is_convex_and_round_has_no_spike(corners: int, size: float, place: float) -> None:
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    shape = shapely.Polygon(np.column_stack([place + size * np.cos(turns), place + size * np.sin(turns)]))
    assert not has_spike(np.array([shape], dtype=object))[0]


@pytest.mark.parametrize("text", ["永久基本农田", "晋城市泽州县", "地类图斑"])
def test_chinese_read_in_the_wrong_encoding_is_named(text: str) -> None:
    for spoiled in (text.encode("gbk").decode("latin-1"), text.encode("gbk").decode("utf-8", "replace")):
        with pytest.raises(BadInput, match=r'set `encoding = "gbk"` in layers\.toml'):
            check_text(pd.Series([spoiled]), "land_class", Path("l.shp"), None)


@pytest.mark.parametrize(
    "text", ["Área de Preservação", "Straße", "永久基本农田", "crème brûlée", "São João", "plain"]
)
def test_true_words_are_left_alone(text: str) -> None:
    check_text(pd.Series([text, None]), "number", Path("l.shp"), None)


CHINESE_GK = range(4513, 4555)


@pytest.mark.parametrize("code", [*CHINESE_GK, 32649, 32723, 31983, 2154, 3035, 3857, 4326, 4490])
def test_what_lies_right_is_never_refused(code: int) -> None:
    crs = crs_of(f"EPSG:{code}", "test")
    use = crs.area_of_use
    assert use is not None
    move = transformer(LONLAT, crs, "test")
    for across in (0.05, 0.5, 0.95):
        for up in (0.1, 0.5, 0.9):
            lon, lat = use.west + (use.east - use.west) * across, use.south + (use.north - use.south) * up
            xs, ys = move.transform([lon, lon + 0.05], [lat, lat + 0.05])
            check_place((min(xs), min(ys), max(xs), max(ys)), crs, "l.shp")


@pytest.mark.parametrize(
    ("code", "bounds", "said"),
    [
        (4547, (37_500_000, 4.2e6, 37_510_000, 4.21e6), "eastings begin with zone 37 .* EPSG:4525"),
        (4525, (500_000, 4.2e6, 510_000, 4.21e6), "eastings have no zone .* wants 37; .* EPSG:4546"),
        (4525, (38_500_000, 4.2e6, 38_510_000, 4.21e6), "begin with zone 38 .* is zone 37; .* EPSG:4526"),
        (4547, (4.2e6, 5e5, 4.21e6, 5.1e5), 'axes are swapped .*; set `axes = "yx"`'),
        (4490, (35.1, 112, 35.2, 112.1), 'axes are swapped .*; set `axes = "yx"`'),
        (4326, (5e5, 4.2e6, 5.1e5, 4.21e6), "lie outside where WGS 84 is used; set `crs"),
    ],
)
def test_what_lies_wrong_is_named_with_the_mend(code: int, bounds: tuple[float, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_place(bounds, crs_of(f"EPSG:{code}", "test"), "l.shp")  # type: ignore[arg-type]


def test_swapped_axes_are_put_right_by_a_word(tmp_path: Path) -> None:
    swapped = shapely.transform(SQUARE, lambda xy: xy[:, ::-1])
    written(tmp_path, "s.gpkg", [swapped], no=["A"])
    with pytest.raises(BadInput, match="its axes are swapped"):
        look("l", layer("s.gpkg"), tmp_path, repair=False)
    assert look("l", layer("s.gpkg", axes="yx"), tmp_path, repair=False)["kept"] == 1


@pytest.mark.parametrize("name", ["l.shp", "l.parquet", "l.geojson", "l.gpkg"])
def test_every_kind_of_file_streams(tmp_path: Path, name: str) -> None:
    frame = gpd.GeoDataFrame(
        {"编号": ["甲", "乙"]}, geometry=[SQUARE, rect(200, 0, 300, 100)], crs="EPSG:4547"
    )
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("shp"):
        frame.to_file(path, encoding="gbk")
    else:
        frame.to_file(path)
    described = Layer.model_validate(
        {"title": "t", "path": name, "coverage": "everywhere", "measures": [], "columns": {"number": "编号"}}
        | ({"crs": "EPSG:4547"} if name.endswith("geojson") else {})
    )
    report = look("l", described, tmp_path, repair=False)
    assert (report["read"], report["kept"], report["faults"]) == (2, 2, {})


@pytest.mark.parametrize(
    "stray", [shapely.box(1, 1, 100, 100), shapely.box(4_200_000, 500_000, 4_200_100, 500_100)]
)
@pytest.mark.parametrize("others", [1, 3])
def test_one_feature_astray_does_not_stretch_the_bounds(
    tmp_path: Path, stray: shapely.Polygon, others: int
) -> None:
    shapes = [*(rect(i * 200, 0, i * 200 + 100, 100) for i in range(others)), stray]
    with pytest.raises(BadInput, match="feature 4 lies at" if others == 3 else "outside|zone|feature"):
        found(tmp_path, shapes, coverage="bounds")
