"""Clouds are found where clouds were drawn, grow by what is documented, and the reader hides them."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from ground.errors import BadInput
from imagery.catalog import add_scene, open_scene
from imagery.clouds import BANDS, _coarse
from imagery.pairing import make_pair
from imagery.reader import PairReader
from imagery.scene import Observation

pytest.importorskip("s2cloudless")

VEGETATION = (0.12, 0.09, 0.05, 0.10, 0.40, 0.42, 0.15, 0.002, 0.20, 0.10)
CLOUD = (0.55, 0.55, 0.55, 0.57, 0.62, 0.63, 0.35, 0.02, 0.45, 0.35)
"""Top-of-atmosphere reflectance in the ten bands, in the order of BANDS."""
FINE = Affine(10, 0, 600_000, 0, -10, 4_200_000)
SIDE = 420
"""Pixels of 10 m: 70 of 60 m. The cloud is the first 180 rows and columns: 30 × 30 of them."""


def ground(offset: int = 0) -> Any:
    """(10, SIDE, SIDE) values of a meadow with a cloud over its corner; one corner without data."""
    values = np.empty((10, SIDE, SIDE), "uint16")
    values[:] = np.round(np.array(VEGETATION) * 10_000)[:, None, None] + offset
    values[:, :180, :180] = np.round(np.array(CLOUD) * 10_000)[:, None, None] + offset
    values[:, 360:, 360:] = 0
    return values


def write(path: Path, values: Any, names: list[str], transform: Affine = FINE) -> Path:
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=values.dtype.name,
        crs="EPSG:32649", transform=transform,
    ) as sink:  # fmt: skip
        sink.write(values)
        sink.descriptions = names
    return path


@pytest.mark.parametrize(("day", "offset"), [("2021-05-01", 0), ("2023-05-01", 1000)])
def test_a_drawn_cloud_is_found_whatever_the_baseline(tmp_path: Path, day: str, offset: int) -> None:
    path = write(tmp_path / "a.tif", ground(offset), list(BANDS))
    told: list[tuple[str, int, int]] = []
    row = add_scene(path, tmp_path / "out", "sentinel-2", day, False, lambda *s: told.append(s), clouds=True)
    assert (row["mask"], row["gsd_m"]) == ("SCL", 10)
    assert told[-1] == ("clouds", 70, 70)
    with rasterio.open(tmp_path / "out" / "a_SCL.tif") as made:
        assert made.transform == Affine(60, 0, 600_000, 0, -60, 4_200_000)
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert "s2cloudless 1." in made.tags()["TIFFTAG_IMAGEDESCRIPTION"]
        codes = made.read(1)
    # Smoothed over 4 pixels and grown by 2: within 6 of the cloud's edge either is possible, but not beyond.
    assert (codes[:26, :26] == 8).all()
    assert (codes[36:60, :] == 7).all()
    assert (codes[:, 36:60] == 7).all()
    assert (codes[60:, 60:] == 0).all()
    assert (codes[:30, :30] == 8).mean() > 0.95
    document = json.loads((tmp_path / "out" / "a.json").read_text())
    assert "clouds by s2cloudless" in document["properties"]["description"]
    assert document["assets"]["SCL"]["roles"] == ["metadata", "mask"]


def test_the_reader_hides_the_clouds(tmp_path: Path) -> None:
    first = write(tmp_path / "a.tif", ground(), list(BANDS))
    second = write(tmp_path / "b.tif", np.flip(ground(), axis=1), list(BANDS))
    for path, day in ((first, "2020-05-01"), (second, "2021-05-01")):
        add_scene(path, tmp_path / "out", "sentinel-2", day, True, clouds=True)
    pair = make_pair(*(open_scene(tmp_path / "out" / f"{name}.json") for name in "ab"))
    with PairReader(pair) as reader:
        seen = reader.read(Window(0, 0, SIDE, SIDE)).observation
    # `b` is upside down: its cloud is in the last rows.
    assert (seen[:150, :150] == Observation.CLOUD).all()
    assert (seen[-150:, :150] == Observation.CLOUD).all()
    assert (seen[:, 250:350] == Observation.OBSERVED).all()
    assert (seen[362:, 362:] == Observation.NODATA).all()
    # The cirrus band sees no ground and is never compared.
    assert "B10" not in {before.name for before, _ in pair.bands}


@pytest.fixture
def level1c(tmp_path: Path) -> Path:
    """As it is delivered: a file for each band, of 10, 20 and 60 m."""
    assets = {}
    for name, values in zip(BANDS, ground(), strict=True):
        step = {"B02": 1, "B04": 1, "B08": 1, "B01": 6, "B09": 6, "B10": 6}.get(name, 2)
        transform = FINE @ Affine.scale(step)
        write(tmp_path / f"{name}.tif", values[None, ::step, ::step], [""], transform)
        assets["cirrus" if name == "B10" else name] = {"href": f"./{name}.tif"}
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "L1C", "geometry": None, "links": [],
        "properties": {"datetime": "2021-05-01T03:10:20Z", "platform": "sentinel-2a"}, "assets": assets,
    }  # fmt: skip
    path = tmp_path / "item.json"
    path.write_text(json.dumps(document))
    return path


def test_bands_of_three_sizes_in_files_of_their_own(level1c: Path, tmp_path: Path) -> None:
    row = add_scene(level1c, tmp_path / "out", None, None, True, clouds=True)
    assert (row["mask"], row["bands"]) == ("SCL", "B01, B02, B04, B05, B08, B09, B11, B12, B8A")
    with rasterio.open(tmp_path / "out" / "L1C_SCL.tif") as made:
        codes = made.read(1)
    assert (codes[:26, :26] == 8).all()
    assert (codes[36:58, :] == 7).all()
    first = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").glob("*.tif")}
    text = (tmp_path / "out" / "L1C.json").read_text()
    assert add_scene(level1c, tmp_path / "out", None, None, True, clouds=True) == row
    assert (tmp_path / "out" / "L1C.json").read_text() == text
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").glob("*.tif")} == first


def refusal(path: Path, sensor: str | None = "sentinel-2", day: str | None = "2021-05-01") -> str:
    with pytest.raises(BadInput) as caught:
        add_scene(path, path.parent / "out", sensor, day, False, clouds=True)
    assert "\n" not in str(caught.value)
    assert not list((path.parent / "out").rglob("*"))
    return str(caught.value)


def test_what_has_no_clouds_to_find_is_named(tmp_path: Path) -> None:
    small = ground()[:, :60, :60]
    level2a = [name for name in BANDS if name != "B10"]
    path = write(tmp_path / "a.tif", small[:9], level2a)
    assert "a.tif: lacks B10 of the ten bands in which s2cloudless finds clouds; give" in refusal(path)
    path = write(tmp_path / "a.tif", small[:3], ["B04", "B03", "B02"])
    assert "lacks B01, B05, B08, B8A, B09, B10, B11, B12 of" in refusal(path)
    assert "is of sensor rgb, and clouds are found in sentinel-2 only" in refusal(path, None)
    path = write(tmp_path / "a.tif", np.concatenate([small, small[:1]]), [*BANDS, "SCL"])
    assert "has the quality band SCL already; leave out --clouds" in refusal(path)
    path = write(tmp_path / "a.tif", small, list(BANDS))
    assert "has no date, on which its reflectance depends; pass --date" in refusal(path, day=None)
    path = write(tmp_path / "a.tif", small.astype("uint8"), list(BANDS))
    assert "its values are uint8, not the uint16 of level 1C" in refusal(path)
    path = write(tmp_path / "a.tif", small.astype("float32"), list(BANDS))
    assert "its values are no reflectance from 0 to 1; scale them" in refusal(path)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.tif", ground()[:, :60, :60], list(BANDS))
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("s2cloudless"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert refusal(path).startswith("--clouds: s2cloudless is not installed; install it with `pip install")


def test_the_mask_covers_a_scene_of_any_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ground()[:, :61, :65], list(BANDS))
    grid = open_scene(path, "sentinel-2").grid
    assert (_coarse(grid).width, _coarse(grid).height, _coarse(grid).gsd_m) == (11, 11, 60)
