"""Scenes, pairs and windows on a world small enough to reckon by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.windows import Window

from ground.errors import BadInput, UnknownDatum
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.reader import PairReader
from imagery.scene import Observation
from imagery.stac import read_item, write_item
from imagery.tiling import count_windows, windows

UTM = from_origin(600_000, 4_200_000, 10, 10)


def write(
    path: Path, values: Any, transform: Affine = UTM, crs: str | None = "EPSG:32649", **more: Any
) -> Path:
    array = np.asarray(values)
    names = more.pop("names", None)
    profile = {
        "count": len(array),
        "height": array.shape[1],
        "width": array.shape[2],
        "dtype": array.dtype.name,
    }
    with rasterio.open(path, "w", driver="GTiff", transform=transform, crs=crs, **profile, **more) as sink:
        sink.write(array)
        if names:
            sink.descriptions = names
    return path


def steps(bands: int, side: int, dtype: str = "uint8") -> Any:
    """Pixel (row, column) of band b holds 1 + b + column + 10 · row, never zero."""
    rows, columns = np.mgrid[:side, :side]
    return np.stack([1 + b + columns + 10 * rows for b in range(bands)]).astype(dtype)


def whole(before: Path, after: Path, *sensors: str | None) -> tuple[Any, Any]:
    first, second = sensors or (None, None)
    pair = make_pair(open_scene(before, first), open_scene(after, second))
    with PairReader(pair) as reader:
        return pair, reader.read(Window(0, 0, pair.grid.width, pair.grid.height))


def test_scenes_that_share_pixels_are_read_as_they_are(tmp_path: Path) -> None:
    a = write(tmp_path / "a.tif", steps(3, 12))
    # The later scene begins two columns east and three rows south: 10 × 9 pixels overlap.
    b = write(tmp_path / "b.tif", steps(3, 12) + 100, from_origin(600_020, 4_199_970, 10, 10))
    pair, block = whole(a, b)
    assert (pair.grid.width, pair.grid.height, pair.grid.gsd_m) == (10, 9, 10.0)
    assert pair.grid.transform == from_origin(600_020, 4_199_970, 10, 10)
    np.testing.assert_array_equal(block.before, steps(3, 12)[:, 3:, 2:])
    np.testing.assert_array_equal(block.after, (steps(3, 12) + 100)[:, :9, :10])
    assert (block.observation == Observation.OBSERVED).all()


def test_of_two_pixel_sizes_the_coarser_wins(tmp_path: Path) -> None:
    fine = write(
        tmp_path / "fine.tif", np.full((3, 40, 40), 50, "uint8"), from_origin(600_000, 4_200_000, 5, 5)
    )
    coarse = write(tmp_path / "coarse.tif", np.full((3, 20, 20), 60, "uint8"))
    for before, after in ((fine, coarse), (coarse, fine)):
        pair, block = whole(before, after)
        assert (pair.grid.gsd_m, pair.grid.width, pair.grid.height) == (10.0, 20, 20)
        assert {float(block.before.min()), float(block.after.max())} <= {50.0, 60.0}


def test_of_degrees_and_meters_the_meters_win(tmp_path: Path) -> None:
    # 0.3° × 0.3° about the UTM scene's place (37.9° N, 112.1° E).
    degrees = write(
        tmp_path / "d.tif",
        np.full((3, 300, 300), 7, "uint8"),
        from_origin(112.0, 38.1, 0.001, 0.001),
        "EPSG:4326",
    )
    meters = write(tmp_path / "m.tif", np.full((3, 20, 20), 9, "uint8"))
    pair, block = whole(degrees, meters)
    assert pair.grid.crs.to_epsg() == 32649
    assert pair.grid.transform == UTM
    assert (block.before == 7).all()
    assert (block.after == 9).all()
    assert (block.observation == 0).all()


def test_beyond_a_warped_edge_is_outside_and_not_zero(tmp_path: Path) -> None:
    # A 300 m square turned by 45° covers less than its box: the corners of the overlap are outside.
    turned = Affine.translation(600_100, 4_200_000) @ Affine.rotation(-45) @ Affine.scale(10, -10)
    a = write(tmp_path / "a.tif", np.full((3, 30, 30), 80, "uint8"), turned)
    b = write(tmp_path / "b.tif", np.full((3, 80, 80), 90, "uint8"), from_origin(599_700, 4_200_400, 10, 10))
    _, block = whole(a, b)
    assert set(np.unique(block.observation)) == {Observation.OBSERVED, Observation.OUTSIDE}
    assert block.observation[0, 0] == Observation.OUTSIDE
    seen = block.observation == Observation.OBSERVED
    assert (block.before[:, seen] == 80).all()
    # A square on its tip fills half of its box.
    assert 0.45 < seen.mean() < 0.55


@pytest.mark.parametrize(
    ("values", "nodata", "expected"),
    [
        ([[0, 0, 5], [0, 3, 5]], 0, [1, 0, 0]),  # zero in one band is a color, in all it is nothing
        ([[-999, -999, 5], [-999, 3, 5]], -999, [1, 1, 0]),  # any other nodata speaks for the pixel
        ([[np.nan, 2, 5], [4, 3, 5]], None, [1, 0, 0]),
    ],
)
def test_nodata(tmp_path: Path, values: Any, nodata: float | None, expected: list[int]) -> None:
    array = np.asarray(values, "float32")[:, None, :]
    a = write(tmp_path / "a.tif", array, nodata=nodata)
    b = write(tmp_path / "b.tif", np.ones_like(array))
    _, block = whole(a, b)
    assert block.observation[0].tolist() == expected


def test_an_alpha_band_is_a_mask_and_no_data(tmp_path: Path) -> None:
    values = np.full((4, 2, 2), 200, "uint8")
    values[3] = [[255, 255], [0, 255]]
    a = write(tmp_path / "a.tif", values, photometric="RGB", alpha="YES")
    b = write(tmp_path / "b.tif", np.full((3, 2, 2), 100, "uint8"))
    pair, block = whole(a, b)
    assert pair.names == ("red", "green", "blue")
    assert block.observation.tolist() == [[0, 0], [1, 0]]


def test_sentinel_2_reflectance_offset_and_scene_classes(tmp_path: Path) -> None:
    names = ["B02", "B03", "B04", "B08", "SCL"]
    values = np.full((5, 1, 7), 3000, "uint16")
    values[4] = [[4, 0, 1, 3, 9, 11, 7]]
    path = write(tmp_path / "s2.tif", values, names=names)
    old, new = (open_scene(path, "sentinel-2", day) for day in ("2020-01-01", "2023-01-01"))
    pair = make_pair(old, new)
    with PairReader(pair) as reader:
        block = reader.read(Window(0, 0, 7, 1))
    # 3000 × 0.0001 = 0.3; from 2022-01-25 on 0.1 less.
    assert block.before[0, 0, 0] == pytest.approx(0.3)
    assert block.after[0, 0, 0] == pytest.approx(0.2)
    wanted = ["OBSERVED", "NODATA", "SATURATED", "SHADOW", "CLOUD", "SNOW", "OBSERVED"]
    assert [Observation(int(code)).name for code in block.observation[0]] == wanted


def test_landsat_quality_bits(tmp_path: Path) -> None:
    values = np.full((7, 1, 5), 9000, "uint16")
    values[6] = [[0, 1 << 3, 1 << 4, 1 << 5, 1 | 1 << 4]]
    names = ["B1", "B2", "B3", "B4", "B5", "B7", "QA_PIXEL"]
    path = write(tmp_path / "l.tif", values, names=names)
    _, block = whole(path, path, "landsat-tm", "landsat-tm")
    # The fifth is fill and shadow: fill, the lower bit, is the reason.
    assert block.observation[0].tolist() == [0, 3, 4, 5, 1]
    # 9000 × 0.0000275 − 0.2 = 0.0475
    assert block.before[0, 0, 0] == pytest.approx(0.0475)


def test_bands_are_matched_by_what_they_are(tmp_path: Path) -> None:
    values = steps(4, 3, "uint16")
    rgbn = write(tmp_path / "rgbn.tif", values)
    gaofen = write(tmp_path / "gf.tif", values[[2, 1, 0, 3]])
    pair, block = whole(rgbn, gaofen, "rgbn", "gf-2")
    assert pair.names == ("red", "green", "blue", "nir")
    np.testing.assert_array_equal(block.before, block.after)


REFUSED = [
    ({"crs": None}, "has no coordinate system (CRS); set the true one"),
    ({"transform": Affine.identity()}, "has no geotransform"),
    ({"crs": "EPSG:2412"}, "the shift from Beijing 1954"),
    ({"crs": "EPSG:2337"}, "the shift from Xian 1980"),
    ({"transform": from_origin(700_000, 4_200_000, 10, 10)}, "shows none of the ground of"),
]


@pytest.mark.parametrize(("fault", "said"), REFUSED)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_scenes_that_cannot_be_compared(tmp_path: Path, fault: dict[str, Any], said: str) -> None:
    good, bad = write(tmp_path / "good.tif", steps(3, 5)), write(tmp_path / "bad.tif", steps(3, 5), **fault)
    for before, after in ((good, bad), (bad, good)):
        with pytest.raises((BadInput, UnknownDatum)) as caught:
            whole(before, after)
        assert said in str(caught.value)
        assert "bad.tif" in str(caught.value)


def test_an_item_tells_all_of_a_scene(tmp_path: Path) -> None:
    values = np.full((5, 4, 6), 3000, "uint16")
    path = write(tmp_path / "s2.tif", values, names=["B02", "B03", "B04", "B08", "SCL"])
    scene = open_scene(path, "sentinel-2", "2020-08-04T09:30:00Z")
    (tmp_path / "catalog").mkdir()
    item = tmp_path / "catalog" / "s2.json"
    write_item(scene, item, {str(path): "ab" * 32})
    again = read_item(item, None, None)
    assert (again.id, again.sensor, again.acquired_utc) == (scene.id, scene.sensor, scene.acquired_utc)
    assert [(b.name, b.index) for b in again.bands] == [(b.name, b.index) for b in scene.bands]
    assert again.mask is not None
    assert (again.mask.name, again.mask.index) == ("SCL", 5)
    assert again.grid == scene.grid
    assert Path(again.bands[0].href).samefile(path)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(0, 9))
def test_windows_cover_every_pixel_once_with_their_context(
    width: int, height: int, size: int, margin: int
) -> None:
    hits = np.zeros((height, width), int)
    found = list(windows(width, height, size, margin))
    assert len(found) == count_windows(width, height, size)
    for padded in found:
        inner, outer = padded.inner, padded.outer
        rows = slice(inner.row_off, inner.row_off + inner.height)
        hits[rows, inner.col_off : inner.col_off + inner.width] += 1
        assert outer.col_off == max(0, inner.col_off - margin)
        assert outer.row_off + outer.height == min(height, inner.row_off + inner.height + margin)
        shape = np.empty((outer.height, outer.width))[padded.crop].shape
        assert shape == (inner.height, inner.width)
    assert (hits == 1).all()
