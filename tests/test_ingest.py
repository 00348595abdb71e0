"""A copy in the catalog holds what the file held, pixel for pixel, and is there whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from ground.errors import BadInput
from ground.files import sha256
from imagery import ingest
from imagery.catalog import add_scene, list_scenes, open_scene
from imagery.jp2 import is_cut_short

Raster = Callable[..., Path]
PLACE = {"crs": "EPSG:32649", "transform": Affine(10, 0, 600_000, 0, -10, 4_200_000)}


def write(path: Path, values: Any, driver: str, **profile: Any) -> Path:
    """A raster of a driver other than GTiff's."""
    bands, height, width = values.shape
    shape = {"count": bands, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", driver=driver, **PLACE | shape | profile) as sink:
        sink.write(values)
    return path


def jp2(path: Path, values: Any, **profile: Any) -> Path:
    return write(path, values, "JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES", **profile)


def check_cog(path: Path, overviews: list[int]) -> None:
    with rasterio.open(path) as made:
        structure = made.tags(ns="IMAGE_STRUCTURE")
        assert (structure["LAYOUT"], structure["COMPRESSION"]) == ("COG", "ZSTD")
        assert set(made.block_shapes) == {(512, 512)}
        assert [made.overviews(i) for i in made.indexes] == [overviews] * made.count


@pytest.mark.parametrize("kind", ["jp2", "jp2 of 15 bits", "img", "striped", "float"])
def test_any_format_is_copied_value_for_value(
    raster: Raster, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More rows and columns than are copied at a time.
    monkeypatch.setattr(ingest, "ROWS", 512)
    monkeypatch.setattr(ingest, "BATCH_BYTES", 512 * 512 * 3 * 2)
    values = np.random.default_rng(1).integers(1, 20_000, (3, 700, 1100)).astype("uint16")
    if kind.startswith("jp2"):
        path = jp2(tmp_path / "a.jp2", values, **({"NBITS": 15} if "15" in kind else {}))
    elif kind == "img":
        path = write(tmp_path / "a.img", values, "HFA", nodata=7)
    elif kind == "float":
        values = (values / 7).astype("float32")
        path = raster("a.tif", values, predictor=1, nodata=float("nan"))
    else:
        path = raster("a.tif", values, blockysize=1, interleave="pixel")
    told: list[tuple[str, int, int]] = []
    row = add_scene(path, tmp_path / "out", None, "2021-05-01", True, lambda *step: told.append(step))
    copy = tmp_path / "out" / "a.tif"
    check_cog(copy, [2, 4])
    with rasterio.open(copy) as made, rasterio.open(path) as given:
        assert np.array_equal(made.read(), values)
        assert (made.crs, made.transform) == (given.crs, given.transform)
        assert (made.nodata, made.dtypes) == (given.nodata, given.dtypes) or kind == "float"
        # A TIFF's first band is gray where it is not red.
        assert made.colorinterp[1:] == given.colorinterp[1:]
        assert made.colorinterp[0] in {given.colorinterp[0], ColorInterp.gray}
        assert made.descriptions == given.descriptions
        assert made.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == ("3" if kind == "float" else "2")
    # 700 × 1100 pixels to copy, and as many to make overviews of.
    assert told[-1] == ("copy", 1_540_000, 1_540_000)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert row["pixels"] == "1100 × 700"
    (asset,) = json.loads((tmp_path / "out" / "a.json").read_text())["assets"].values()
    assert (asset["href"], asset["file:checksum"]) == ("a.tif", "1220" + sha256(copy))


def test_all_that_a_file_says_of_itself_is_kept(raster: Raster, tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (4, 20, 30)).astype("uint8")
    seen = np.arange(600).reshape(20, 30) % 7 > 0
    path = raster("a.tif", values, names=["blue", "green", "red", "nir"], mask=seen)
    with rasterio.open(path, "r+") as sink:
        sink.update_tags(TIFFTAG_SOFTWARE="theirs", AREA_OR_POINT="Point")
        sink.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2020-08-04 09:30:15")
        sink.update_tags(2, WAVELENGTH="560")
        sink.scales, sink.offsets = (0.5,) * 4, (1.0, 2.0, 3.0, 4.0)
        sink.colorinterp = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
    add_scene(path, tmp_path / "out", None, None, True)
    with rasterio.open(tmp_path / "out" / "a.tif") as made, rasterio.open(path) as given:
        for what in ("descriptions", "colorinterp", "scales", "offsets", "transform", "mask_flag_enums"):
            assert getattr(made, what) == getattr(given, what), what
        assert np.array_equal(made.read_masks(3) > 0, seen)
        assert np.array_equal(made.read(), values)
        # GDAL's COG driver copies either the tags of bands or those of domains.
        assert made.tags()["BAND_2_WAVELENGTH"] == "560"
        assert made.tags()["TIFFTAG_SOFTWARE"] == "theirs"
        assert made.tags()["AREA_OR_POINT"] == "Point"
    assert str(open_scene(tmp_path / "out" / "a.tif").acquired_utc) == "2020-08-04 09:30:15+00:00"
    assert str(open_scene(tmp_path / "out" / "a.json").acquired_utc) == "2020-08-04 09:30:15+00:00"


def test_the_tags_of_bands_stay_with_their_bands(raster: Raster, numbered: Any, tmp_path: Path) -> None:
    path = raster("a.tif", numbered(3, 6, 8))
    with rasterio.open(path, "r+") as sink:
        sink.update_tags(2, WAVELENGTH="560", STATISTICS_MEAN="1")
    add_scene(path, tmp_path / "out", None, None, True)
    with rasterio.open(tmp_path / "out" / "a.tif") as made:
        assert [made.tags(i) for i in (1, 2, 3)] == [{}, {"WAVELENGTH": "560"}, {}]


def test_an_alpha_band_stays_one(raster: Raster, tmp_path: Path) -> None:
    values = np.full((4, 20, 30), 200, "uint8")
    values[3, :5] = 0
    values[3, 5:] = 255
    add_scene(raster("a.tif", values, photometric="RGB", alpha="YES"), tmp_path / "out", None, None, True)
    with rasterio.open(tmp_path / "out" / "a.tif") as made:
        assert made.colorinterp[3] == ColorInterp.alpha
        assert np.array_equal(made.read(), values)
    assert open_scene(tmp_path / "out" / "a.json").sensor == "rgb"


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """Sentinel-2 as it is delivered: a JP2 for each band, of 10 and 20 m, and its scene classes."""
    random = np.random.default_rng(2)
    coarse = {"transform": Affine(20, 0, 600_000, 0, -20, 4_200_000)}
    for name in ("B02", "B03", "B04", "B08"):
        jp2(tmp_path / f"T49_{name}.jp2", random.integers(1, 9000, (1, 64, 80)).astype("uint16"))
    jp2(tmp_path / "T49_B11.jp2", random.integers(1, 9000, (1, 32, 40)).astype("uint16"), **coarse)
    jp2(tmp_path / "T49_SCL.jp2", random.integers(0, 12, (1, 32, 40)).astype("uint8"), **coarse)
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "S2A_T49", "geometry": None, "links": [],
        "properties": {"datetime": "2021-05-01T03:10:20Z", "platform": "sentinel-2a"},
        "assets": {
            key: {"href": f"./T49_{key}.jp2"} for key in ("B02", "B03", "B04", "B08", "B11", "SCL")
        },
    }  # fmt: skip
    path = tmp_path / "item.json"
    path.write_text(json.dumps(document))
    return path


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_bands_in_files_of_their_own_are_copied_each(safe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    row = add_scene(safe, folder, None, None, True)
    assert (row["bands"], row["mask"], row["gsd_m"]) == ("B02, B03, B04, B08, B11", "SCL", 10)
    scene = open_scene(folder / "S2A_T49.json")
    assert str(scene.acquired_utc) == "2021-05-01 03:10:20+00:00"
    assert scene.mask is not None
    for ref in (*scene.bands, scene.mask):
        assert Path(ref.href) == folder / f"S2A_T49_{ref.name}.tif"
        check_cog(Path(ref.href), [])
        with rasterio.open(ref.href) as made, rasterio.open(tmp_path / f"T49_{ref.name}.jp2") as given:
            assert np.array_equal(made.read(), given.read())
            assert made.transform == given.transform
    assert list_scenes(folder) == [row]


def test_again_changes_nothing_and_mends_what_was_spoiled(safe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    add_scene(safe, folder, None, None, True)
    first = state(folder)
    add_scene(safe, folder, None, None, True)
    again = state(folder)
    assert {name: data for name, (data, _) in again.items()} == {
        name: data for name, (data, _) in first.items()
    }
    # The copies were not even written again.
    assert all(again[name] == first[name] for name in first if name.endswith(".tif"))
    (folder / "S2A_T49_B11.tif").write_bytes(b"spoiled")
    add_scene(safe, folder, None, None, True)
    assert {name: data for name, (data, _) in state(folder).items()} == {
        name: data for name, (data, _) in first.items()
    }


def test_what_is_not_its_own_copy_is_not_replaced(safe: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "S2A_T49_B08.tif").write_bytes(b"theirs")
    with pytest.raises(BadInput, match=r"S2A_T49_B08\.tif: is there already and no Item says that it is a"):
        add_scene(safe, tmp_path / "out", None, None, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["S2A_T49_B08.tif"]


@pytest.mark.parametrize("part", [0.1, 0.66, 0.95])
@pytest.mark.parametrize("name", ["a.jp2", "tiled.jp2", "a.img", "a.tif"])
def test_a_file_cut_short_leaves_one_sentence_and_nothing_else(
    raster: Raster, tmp_path: Path, name: str, part: float
) -> None:
    values = np.random.default_rng(1).integers(1, 20_000, (3, 700, 900)).astype("uint16")
    if name.endswith("jp2"):
        # OpenJPEG gives the tiles that are missing as zeros, and no error.
        path = jp2(
            tmp_path / name, values, **({"BLOCKXSIZE": 256, "BLOCKYSIZE": 256} if name[0] == "t" else {})
        )
    elif name == "a.img":
        path = write(tmp_path / name, values, "HFA")
    else:
        path = raster(name, values, blockysize=1)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(BadInput) as caught:
        add_scene(path, tmp_path / "out", None, None, True)
    assert str(caught.value).startswith(f"{path}: cannot be read as a raster, it may be corrupt or cut short")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").rglob("*")) == []


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (b"\xff\x4f\xff\x51....\xff\xd9", False),
        (b"\xff\x4f\xff\x51....", True),
        # A box of 12 bytes, then the codestream: of a known length, to the end of the file, of a long length.
        (b"\0\0\0\x0cjP  ....\0\0\0\x0cjp2c..\xff\xd9\0\0\0\x08xml ", False),
        (b"\0\0\0\x0cjP  ....\0\0\0\0jp2c..\xff\xd9", False),
        (b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x14..\xff\xd9", False),
        (b"\0\0\0\x0cjP  ....\0\0\0\x0djp2c..\xff\xd9", True),
        (b"\0\0\0\x0cjP  ....\0\0\0\0jp2c....", True),
        (b"\0\0\0\x0cjP  ....", True),
        (b"\0\0\0\x04jP  ....", True),
        (b"\0\0", True),
        (b"", True),
    ],
)
def test_the_end_of_a_codestream_is_looked_for(tmp_path: Path, data: bytes, cut: bool) -> None:
    (tmp_path / "a.jp2").write_bytes(data)
    assert is_cut_short(tmp_path / "a.jp2") is cut


def test_a_copy_that_was_interrupted_leaves_nothing(safe: Path, tmp_path: Path) -> None:
    calls = []

    def stop(*_: Any, **__: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_scene(safe, tmp_path / "out", None, None, True, stop)
    assert list((tmp_path / "out").rglob("*")) == []


def test_bands_of_different_nodata_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.img", np.ones((2, 20, 30), "uint16"), "HFA")
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="30" rasterYSize="20"><SRS>EPSG:32649</SRS>'
        "<GeoTransform>600000, 10, 0, 4200000, 0, -10</GeoTransform>"
        + "".join(
            f'<VRTRasterBand dataType="UInt16" band="{i}"><NoDataValue>{i}</NoDataValue><SimpleSource>'
            f'<SourceFilename relativeToVRT="1">{path.name}</SourceFilename><SourceBand>{i}</SourceBand>'
            "</SimpleSource></VRTRasterBand>"
            for i in (1, 2)
        )
        + "</VRTDataset>"
    )
    with pytest.raises(BadInput, match=r"different nodata values \(1\.0, 2\.0\), of which a GeoTIFF holds"):
        add_scene(tmp_path / "a.vrt", tmp_path / "out", None, None, True)
    assert not list((tmp_path / "out").rglob("*"))


def test_files_of_several_bands_each_keep_all_of_them(raster: Raster, numbered: Any, tmp_path: Path) -> None:
    raster("a.tif", numbered(2, 6, 8))
    raster("b.tif", numbered(2, 6, 8) + 5000)
    document = {
        "type": "Feature", "stac_version": "1.0.0", "id": "two", "geometry": None, "links": [],
        "properties": {"datetime": "2021-05-01T03:10:20Z", "platform": "sentinel-2a"},
        "assets": {
            "first": {"href": "a.tif", "bands": [{"name": "B02"}, {"name": "B03"}]},
            "second": {"href": "b.tif", "bands": [{"name": "B04"}, {"name": "B08"}]},
        },
    }  # fmt: skip
    (tmp_path / "item.json").write_text(json.dumps(document))
    row = add_scene(tmp_path / "item.json", tmp_path / "out", None, None, True)
    assert sorted(row["bands"].split(", ")) == ["B02", "B03", "B04", "B08"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"two.json", "two_B02_B03.tif", "two_B04_B08.tif"}
