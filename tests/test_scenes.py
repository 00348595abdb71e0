"""A scene is what its file or STAC Item says, and an Item that we write says all of it again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio

from ground.errors import BadInput
from ground.files import sha256
from imagery.catalog import add_scene, list_scenes, open_scene, parse_date
from imagery.scene import Scene
from imagery.stac import write_item

Raster = Callable[..., Path]


@pytest.fixture
def bands(raster: Raster, numbered: Callable[..., Any]) -> Path:
    """Sentinel-2: four bands named in another order than the sensor's, and their scene classes."""
    values = np.concatenate([numbered(4, 6, 8), np.full((1, 6, 8), 4, "uint16")])
    return raster("S2 #1? 上海 & scene.tif", values, names=["B08", "SCL", "red", "B3", "blue"])


def held(scene: Scene) -> list[tuple[str, str, int]]:
    return [(ref.name, Path(ref.href).name, ref.index) for ref in scene.bands]


def item(folder: Path, assets: dict[str, Any], **properties: Any) -> Path:
    """A third party's Item, as a catalogue on the internet writes it."""
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "theirs", "geometry": None,
        "links": [{"rel": "self", "href": "https://example.com/items/theirs"}],
        "properties": {"datetime": "2021-05-01T03:10:20Z", "platform": "sentinel-2a"} | properties,
        "assets": assets,
    }  # fmt: skip
    path = folder / "item.json"
    path.write_text(json.dumps(document))
    return path


def test_a_raster_says_what_it_can(raster: Raster, numbered: Callable[..., Any]) -> None:
    path = raster("a.tif", numbered(3, 6, 8))
    with rasterio.open(path, "r+") as sink:
        sink.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2020-08-04 09:30:15")
    scene = open_scene(path)
    assert (scene.id, scene.sensor, scene.mask, scene.source) == ("a", "rgb", None, str(path))
    assert scene.acquired_utc == datetime(2020, 8, 4, 9, 30, 15, tzinfo=UTC)
    assert held(scene) == [("R", "a.tif", 1), ("G", "a.tif", 2), ("B", "a.tif", 3)]
    assert (scene.grid.width, scene.grid.height, scene.grid.gsd_m) == (8, 6, 10)
    # 8 × 6 pixels of 10 m from (600000, 4200000) east and south.
    assert scene.grid.bounds == (600_000, 4_199_940, 600_080, 4_200_000)
    # What the user says outranks it.
    assert open_scene(path, acquired="2020-08-05").acquired_utc == datetime(2020, 8, 5, tzinfo=UTC)


def test_an_alpha_band_is_no_data_wherever_it_stands(raster: Raster) -> None:
    path = raster("a.tif", np.ones((4, 2, 2), "uint8"), photometric="RGB", alpha="YES")
    assert (open_scene(path).sensor, len(open_scene(path).bands)) == ("rgb", 3)
    with rasterio.open(path, "r+") as sink:
        interp = rasterio.enums.ColorInterp
        sink.colorinterp = (interp.alpha, interp.red, interp.green, interp.blue)
    assert held(open_scene(path)) == [("R", "a.tif", 2), ("G", "a.tif", 3), ("B", "a.tif", 4)]


def test_the_quality_band_is_found_in_a_stack(bands: Path) -> None:
    scene = open_scene(bands, "sentinel-2")
    # Read back in the file's order by name; the second band is the mask and no measurement.
    assert held(scene) == [
        ("B08", bands.name, 1), ("B04", bands.name, 3), ("B03", bands.name, 4), ("B02", bands.name, 5)
    ]  # fmt: skip
    assert scene.mask is not None
    assert (scene.mask.name, scene.mask.index) == ("SCL", 2)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-08-04", datetime(2020, 8, 4, tzinfo=UTC)),
        ("2020-08-04T09:30:00Z", datetime(2020, 8, 4, 9, 30, tzinfo=UTC)),
        ("2020-08-04T09:30:00+08:00", datetime(2020, 8, 4, 1, 30, tzinfo=UTC)),
        ("2020-08-04 09:30", datetime(2020, 8, 4, 9, 30, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_day_without_a_zone_is_utc(text: str | None, moment: datetime | None) -> None:
    assert parse_date(text, "f") == moment


def test_what_is_no_date_is_named() -> None:
    with pytest.raises(BadInput, match=r"^f: '04\.08\.2020' is not a date; write 2020-08-04 or"):
        parse_date("04.08.2020", "f")


def test_an_item_says_again_all_that_the_raster_said(bands: Path, tmp_path: Path) -> None:
    scene = open_scene(bands, "sentinel-2", "2021-05-01T03:10:20Z")
    path = tmp_path / "目录 of items" / "x.json"
    path.parent.mkdir()
    write_item(scene, path, {str(bands): sha256(bands)}, "a note")
    again = open_scene(path)
    assert (again.id, again.sensor, again.acquired_utc) == (scene.id, scene.sensor, scene.acquired_utc)
    assert (held(again), again.mask and again.mask.index) == (held(scene), 2)
    assert (again.grid, again.source) == (scene.grid, str(path))
    document = json.loads(path.read_text(encoding="utf-8"))
    (asset,) = document["assets"].values()
    assert asset["href"] == "../S2 #1? 上海 & scene.tif"
    # multihash: 0x12 sha2-256, 0x20 bytes.
    assert asset["file:checksum"] == "1220" + sha256(bands)
    assert [band.get("eo:common_name") for band in asset["bands"]] == ["nir", None, "red", "green", "blue"]
    properties = document["properties"]
    assert (properties["proj:code"], properties["gsd"], properties["proj:shape"]) == (
        "EPSG:32649",
        10,
        [6, 8],
    )
    assert properties["proj:transform"] == [10, 0, 600_000, 0, -10, 4_200_000]
    west, south, east, north = document["bbox"]
    assert 112.1 < west < east < 112.2
    assert 37.9 < south < north < 38.0
    pystac.Item.from_dict(document)


def test_an_item_of_one_generic_band_behind_an_alpha_keeps_its_place(raster: Raster, tmp_path: Path) -> None:
    path = raster("a.tif", np.ones((3, 2, 2), "uint8"), photometric="MINISBLACK")
    with rasterio.open(path, "r+") as sink:
        interp = rasterio.enums.ColorInterp
        sink.colorinterp = (interp.alpha, interp.gray, interp.undefined)
    scene = open_scene(path)
    assert held(scene) == [("b1", "a.tif", 2), ("b2", "a.tif", 3)]
    write_item(scene, tmp_path / "a.json", {str(path): sha256(path)})
    again = open_scene(tmp_path / "a.json")
    assert (held(again), again.acquired_utc) == (held(scene), None)


def test_an_item_as_earth_search_writes_it(
    raster: Raster, numbered: Callable[..., Any], tmp_path: Path
) -> None:
    fine, coarse = numbered(1, 6, 8), numbered(1, 3, 4)
    for key in ("red", "green", "blue", "nir"):
        raster(f"{key}.tif", fine)
    for key in ("swir16", "scl"):
        raster(f"{key}.tif", coarse, rasterio.Affine(20, 0, 600_000, 0, -20, 4_200_000))
    raster("TCI.tif", numbered(3, 6, 8, "uint8") // 4)

    def asset(name: str, common: str | None, roles: list[str], *bands: str) -> dict[str, Any]:
        listed = [{"name": band, "common_name": common or band} for band in bands]
        return {"href": name, "roles": roles} | ({"eo:bands": listed} if bands else {})

    assets = {
        "visual": asset("./TCI.tif", None, ["visual"], "red", "green", "blue"),
        "visual-10m": asset("./TCI.tif", None, ["data"], "red", "green", "blue"),
        "red-jp2": asset("./red.jp2", None, ["data"], "red"),
        "red": asset("./red.tif", None, ["data", "reflectance"], "red"),
        "green": asset("./green.tif", "green", ["data"], "B03"),
        "blue": asset((tmp_path / "blue.tif").as_uri(), None, ["data"]),
        "nir": asset("./nir.tif", None, ["data"], "nir"),
        "swir16": asset("./swir16.tif", "swir16", ["data"], "swir16"),
        "scl": asset("./scl.tif", None, ["data", "reflectance"]),
        "thumbnail": asset("https://example.com/preview.jpg", None, ["thumbnail"], "red", "green", "blue"),
    }
    scene = open_scene(item(tmp_path, assets, platform="sentinel-2b", constellation="sentinel-2"))
    assert (scene.sensor, scene.id) == ("sentinel-2", "theirs")
    assert scene.acquired_utc == datetime(2021, 5, 1, 3, 10, 20, tzinfo=UTC)
    assert held(scene) == [
        ("B04", "red.tif", 1), ("B03", "green.tif", 1), ("B02", "blue.tif", 1), ("B08", "nir.tif", 1),
        ("B11", "swir16.tif", 1),
    ]  # fmt: skip
    assert scene.mask is not None
    assert (Path(scene.mask.href).name, scene.mask.index) == ("scl.tif", 1)
    # The scene lies on its finest band's grid.
    assert (scene.grid.gsd_m, scene.grid.width, scene.grid.height) == (10, 8, 6)


@pytest.mark.parametrize(
    ("platform", "sensor", "band"),
    [
        ("landsat-5", "landsat-tm", "B4"),
        ("LANDSAT_7", "landsat-tm", "B4"),
        ("landsat-8", "landsat-oli", "B5"),
        ("Landsat-9", "landsat-oli", "B5"),
        ("Sentinel-2A", "sentinel-2", "B8A"),
    ],
)
def test_platforms_and_the_narrow_near_infrared_are_known(
    raster: Raster, numbered: Callable[..., Any], tmp_path: Path, platform: str, sensor: str, band: str
) -> None:
    raster("n.tif", numbered(1, 2, 2))
    # As Microsoft's and the USGS's Items write it: a name of their own, and nir08 as the common one.
    listed = [{"name": "OLI_B5", "common_name": "nir08"}]
    scene = open_scene(item(tmp_path, {"nir08": {"href": "n.tif", "eo:bands": listed}}, platform=platform))
    assert (scene.sensor, held(scene)) == (sensor, [(band, "n.tif", 1)])


def test_the_key_names_the_band_where_the_list_does_not(
    raster: Raster, numbered: Callable[..., Any], tmp_path: Path
) -> None:
    raster("n.tif", numbered(1, 2, 2))
    assets = {"B04": {"href": "n.tif", "bands": [{"data_type": "uint16"}]}}
    assert held(open_scene(item(tmp_path, assets))) == [("B04", "n.tif", 1)]


def test_a_time_without_a_zone_is_utc_whatever_this_machine_says(
    raster: Raster, numbered: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    raster("n.tif", numbered(1, 2, 2))
    path = item(tmp_path, {"B04": {"href": "n.tif"}}, datetime="2021-05-01T03:10:20")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert open_scene(path).acquired_utc == datetime(2021, 5, 1, 3, 10, 20, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("assets", "properties", "said"),
    [
        ({"B04": {"href": "gone.tif"}}, {}, "gone.tif: there is no such file"),
        ({"B04": {"href": "ftp://x.cn/B04.tif"}}, {}, "item.json: asset ftp://…: is no address that can be read"),
        ({"B04": {"href": "gone.tif"}}, {"platform": "ikonos"}, "platform 'ikonos' is not a known sensor; pass"),
        ({"visual": {"href": "gone.tif"}}, {}, "no asset holds a band of sensor sentinel-2; name its bands"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_used_is_named(
    tmp_path: Path, assets: dict[str, Any], properties: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        open_scene(item(tmp_path, assets, **properties))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[1, 2]", "{}", "not json", '{"type": "FeatureCollection", "features": []}', "null"]
)
def test_what_is_no_item_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=f"^{path}: is not a STAC Item .*; give an Item or a raster$"):
        open_scene(path)
    assert list_scenes(tmp_path) == []


def test_scenes_are_added_once_as_they_are_or_as_a_copy(bands: Path, tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    row = add_scene(bands, folder, "sentinel-2", "2021-05-01", cog=False)
    assert (row["pixels"], row["bands"], row["mask"]) == ("8 × 6", "B08, B04, B03, B02", "SCL")
    first = (folder / f"{bands.stem}.json").read_bytes()
    assert add_scene(bands, folder, "sentinel-2", "2021-05-01", cog=False) == row
    assert (folder / f"{bands.stem}.json").read_bytes() == first
    assert list_scenes(folder) == [row]
    add_scene(bands, folder, "sentinel-2", "2021-05-01", cog=True)
    copy = folder / bands.name
    with rasterio.open(copy) as made, rasterio.open(bands) as given:
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert np.array_equal(made.read(), given.read())
    assert {Path(ref.href) for ref in open_scene(folder / f"{bands.stem}.json").bands} == {copy}
    with pytest.raises(BadInput, match="lies in the catalog already and would be replaced; leave out --cog"):
        add_scene(bands, bands.parent, "sentinel-2", "2021-05-01", cog=True)


def test_another_scene_of_the_same_name_is_not_replaced(raster: Raster, tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    add_scene(raster("a.tif", np.ones((3, 2, 2), "uint8")), folder, None, None, cog=False)
    with pytest.raises(BadInput, match="another scene of this name is there already"):
        add_scene(raster("a.tif", np.zeros((3, 2, 2), "uint8")), folder, None, None, cog=False)


def test_an_id_cannot_lead_out_of_the_catalog(
    raster: Raster, numbered: Callable[..., Any], tmp_path: Path
) -> None:
    raster("n.tif", numbered(1, 2, 2))
    path = item(tmp_path, {"B04": {"href": "n.tif"}})
    path.write_text(path.read_text().replace('"theirs"', '"../evil"'))
    with pytest.raises(BadInput, match=r"its id '\.\./evil' cannot be the name of a file"):
        add_scene(path, tmp_path / "catalog", None, None, cog=False)
    assert not (tmp_path / "evil.json").exists()
