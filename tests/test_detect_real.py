"""The second ring: real scenes, read where they lie; skipped, saying so, where they do not."""

import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from detection import changes
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.reader import PairReader
from pipeline import DetectOptions, detect

DATA = Path(os.environ.get("TIANKAN_REAL_DATA") or Path(__file__).parent.parent.parent / "shared" / "data")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}; set TIANKAN_REAL_DATA"),
]


def scene(folder: str, name: str) -> Path:
    path = DATA / folder / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def scores(flagged: Any, changed: Any) -> tuple[float, float, float]:
    """Precision, recall and F1 of the change class."""
    hit = float((flagged & changed).sum())
    precision, recall = hit / max(flagged.sum(), 1), hit / changed.sum()
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


@pytest.mark.parametrize(("detector", "least"), [("irmad", 0.9), ("cva", 0.85)])
def test_taizhou_is_told_as_its_labels_tell_it(tmp_path: Path, detector: str, least: float) -> None:
    before, after = scene("pair-taizhou", "t1.tif"), scene("pair-taizhou", "t2.tif")
    detect(
        before,
        after,
        tmp_path / "out",
        DetectOptions(detector=detector, before_sensor="landsat-tm", after_sensor="landsat-tm"),
    )
    with (
        rasterio.open(scene("pair-taizhou", "label.tif")) as labels,
        rasterio.open(tmp_path / "out" / "change.tif") as made,
    ):
        label, probability = labels.read(1), made.read(1)
        assert (labels.transform, labels.shape) == (made.transform, made.shape)
    known = label != 255
    # 17,163 unchanged and 4,227 changed pixels carry a label.
    assert (int((label == 0).sum()), int((label == 1).sum())) == (17_163, 4_227)
    found = (probability >= 127) & (probability != 255)
    precision, recall, f1 = scores(found[known], label[known] == 1)
    everything = scores(np.ones(known.sum(), bool), label[known] == 1)[2]
    print(
        f"Taizhou, {detector}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}; "
        f"flag everything: F1 {everything:.3f}"
    )
    # 2 · 4,227 / (4,227 + 21,390)
    assert everything == pytest.approx(0.330, abs=5e-4)
    assert f1 > least


def test_joplin_is_compared_across_two_coordinate_systems(tmp_path: Path) -> None:
    before, after = (scene("pair-joplin", f"2011_{when}_tornado.tif") for when in ("pre", "post"))
    run = detect(before, after, tmp_path / "out", DetectOptions())
    # The earlier scene is in meters: its grid is the pair's.
    assert (run["grid"]["crs"], run["grid"]["gsd_m"], run["detector"]) == ("EPSG:26915", 0.6, "model")
    with rasterio.open(before) as given:
        # Three quarters of it are in the later one.
        assert 0.7 < run["counts"]["observed_pixels"] / (given.width * given.height) < 0.8
    assert set(run["counts"]["unseen_pixels"]) == {"outside"}
    frame = changes.read(tmp_path / "out" / "changes.gpkg")
    assert len(frame) == run["counts"]["changes"] > 20
    # The unit is 100 m²; straightened stairs may take a little off.
    assert frame["area_m2"].min() > 80
    # The footprints are of 2020 and in degrees: where the ground was cleared, houses stand again.
    footprints = gpd.read_file(scene("pair-joplin", "footprints_2020.geojson")).to_crs(frame.crs)
    assert frame.geometry.intersects(footprints.union_all()).any()


def test_joplin_lies_on_itself_after_warping() -> None:
    pair = make_pair(
        *(open_scene(scene("pair-joplin", f"2011_{when}_tornado.tif")) for when in ("pre", "post"))
    )
    with PairReader(pair) as reader:
        block = reader.read(Window(200, 600, 800, 600))
    edges = [np.hypot(*np.gradient(values.mean(axis=0))) for values in (block.before, block.after)]
    reach = range(-8, 9)
    inner = edges[0][8:-8, 8:-8].ravel()
    match = {
        (row, column): np.corrcoef(inner, edges[1][8 + row : 592 + row, 8 + column : 792 + column].ravel())[
            0, 1
        ]
        for row in reach
        for column in reach
    }
    # Streets and walls match best where they are, to within 2 m; the two orthophotos are no better than that.
    assert np.hypot(*max(match, key=match.__getitem__)) * pair.grid.gsd_m < 2


def test_suriname_changed_where_somebody_saw_it_change(tmp_path: Path) -> None:
    before, after = (scene("pair-suriname", f"example_t{i}.tif") for i in (0, 1))
    run = detect(before, after, tmp_path / "out", DetectOptions())
    assert (run["grid"]["crs"], run["parameters"]["bands"]) == ("EPSG:4326", ["red", "green", "blue"])
    # 216² pixels of 8.98e-5°: 9.93 × 9.99 m at 3.3° N.
    assert run["grid"]["gsd_m"] == pytest.approx(9.96, abs=0.01)
    frame = changes.read(tmp_path / "out" / "changes.gpkg")
    theirs = gpd.read_file(scene("pair-suriname", "example.geojson")).to_crs(frame.crs)
    assert frame.geometry.intersects(theirs.union_all()).any()


def test_two_years_of_wetlands_and_crops(tmp_path: Path) -> None:
    before, after = (scene("series-naip", f"m_4709963_se_14_1_{day}.tif") for day in ("20120731", "20140720"))
    options = DetectOptions(before_date="2012-07-31", after_date="2014-07-20")
    run = detect(before, after, tmp_path / "out", options)
    assert (run["detector"], run["parameters"]["bands"]) == ("irmad", ["red", "green", "blue", "nir"])
    assert (run["grid"]["crs"], run["grid"]["gsd_m"]) == ("EPSG:26914", 5)
    frame = changes.read(tmp_path / "out" / "changes.gpkg")
    # Water that came or went: some of it with a clear loss or gain of green.
    assert {"vegetation_loss", "vegetation_gain"} & set(frame["change_class"])
    assert frame["after"].dt.strftime("%Y-%m-%d").unique().tolist() == ["2014-07-20"]
