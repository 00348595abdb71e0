"""What is read is what was measured, and what was not seen has a reason, also after resampling."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window

from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.reader import PairReader, SceneReader
from imagery.scene import BandRef, Grid, Observation, Scene

Raster = Callable[..., Path]
X, Y = 600_000, 4_200_000
SEEN, NODATA, OUTSIDE, CLOUD, SHADOW, SNOW, SATURATED = range(7)
HUGE = 3.4028234663852886e38


def read(scene: Scene, grid: Grid | None = None, hide_unseen: bool = True) -> tuple[Any, Any]:
    grid = grid or scene.grid
    with SceneReader(scene, grid, scene.bands) as reader:
        return reader.read(Window(0, 0, grid.width, grid.height), hide_unseen)


def patches(pixels: Any) -> Any:
    """Each pixel (given as its bands) as a patch of 6 × 6, side by side, so that warping leaves its middle whole."""
    return np.stack([np.kron(band, np.ones((6, 6), band.dtype)) for band in np.asarray(pixels).T[:, None, :]])


def middles(codes: Any) -> list[int]:
    """The code in the middle of each patch, if all of the middle has it."""
    found = []
    for start in range(0, codes.shape[1] - 4, 6):
        (code,) = np.unique(codes[2:4, start + 2 : start + 4])
        found.append(int(code))
    return found


def aside(scene: Scene) -> Grid:
    """The scene's grid half a pixel south-east, where every pixel must be resampled."""
    grid = scene.grid
    transform = from_origin(grid.transform.c + 5, grid.transform.f - 5, 10, 10)
    return Grid(grid.crs, transform, grid.width - 1, grid.height - 1)


NODATA_CASES = [
    # Zero is also a color: nodata of 0 counts where every band is 0.
    ("uint8", 0, [(0, 0, 0), (0, 9, 0), (9, 9, 9)], [NODATA, SEEN, SEEN]),
    ("uint8", None, [(0, 0, 0), (255, 255, 255)], [SEEN, SEEN]),
    ("uint8", 255, [(255, 9, 9), (9, 255, 255), (9, 9, 9)], [NODATA, NODATA, SEEN]),
    ("int16", -9999, [(-9999, 9, 9), (-9998, 9, 9), (0, 0, 0)], [NODATA, SEEN, SEEN]),
    ("float32", -9999, [(9, 9, -9999), (9, np.nan, 9), (9, 9, 9)], [NODATA, NODATA, SEEN]),
    ("float32", np.nan, [(np.nan, 9, 9), (0, 0, 0)], [NODATA, SEEN]),
    ("float32", None, [(np.nan, 9, 9), (9, np.inf, 9), (9, 9, -np.inf), (-5, 0, 0)], [NODATA, NODATA, NODATA, SEEN]),
    # The largest number, declared, declared in other digits, and not declared.
    ("float32", -HUGE, [(-HUGE, 9, 9), (9, 9, 9)], [NODATA, SEEN]),
    ("float32", -3.40282306073709653e38, [(-HUGE, -HUGE, -HUGE), (9, 9, 9)], [NODATA, SEEN]),
    ("float32", None, [(HUGE, 9, 9), (-HUGE, 9, 9), (1e6, 9, 9)], [NODATA, NODATA, SEEN]),
    ("float64", None, [(1e300, 9, 9), (9, 9, 9)], [NODATA, SEEN]),
]  # fmt: skip


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize(("dtype", "nodata", "pixels", "codes"), NODATA_CASES)
def test_nodata(raster: Raster, dtype: str, nodata: Any, pixels: Any, codes: list[int], warped: bool) -> None:
    scene = open_scene(raster("a.tif", patches(np.array(pixels, dtype)), nodata=nodata))
    values, found = read(scene, aside(scene) if warped else None)
    assert middles(found) == codes
    assert (values[:, found != SEEN] == 0).all()
    for patch, (pixel, code) in enumerate(zip(pixels, codes, strict=True)):
        expected = pixel if code == SEEN else (0, 0, 0)
        assert values[:, 3, 6 * patch + 3] == pytest.approx(expected)


def test_a_nodata_value_that_the_type_cannot_hold_hides_nothing(raster: Raster) -> None:
    path = raster("a.tif", np.full((3, 4, 4), 241, "uint8"), nodata=100)
    # As other software writes it: −15 as a byte would be 241.
    path.write_bytes(path.read_bytes().replace(b"100\0", b"-15\0"))
    assert (read(open_scene(path))[1] == SEEN).all()


@pytest.mark.parametrize("warped", [False, True])
@pytest.mark.parametrize("kind", ["alpha", "mask"])
def test_an_alpha_band_and_a_mask_of_the_file_say_what_was_recorded(
    raster: Raster, kind: str, warped: bool
) -> None:
    values = patches(np.array([(7, 7, 7), (0, 0, 0), (7, 7, 7)], "uint8"))
    recorded = np.kron([[1, 1, 0]], np.ones((6, 6))).astype("uint8") * 255
    if kind == "alpha":
        rgba = np.concatenate([values, recorded[None]])
        scene = open_scene(raster("a.tif", rgba, photometric="RGB", alpha="YES"))
    else:
        scene = open_scene(raster("a.tif", values, mask=recorded))
    assert len(scene.bands) == 3
    found = read(scene, aside(scene) if warped else None)
    # Black is seen; 7 that the mask takes away is not.
    assert middles(found[1]) == [SEEN, SEEN, NODATA]
    assert found[0][:, 3, 3].tolist() == [7, 7, 7]


@pytest.mark.parametrize("warped", [False, True])
def test_near_infrared_that_gdal_calls_alpha_is_measured(
    raster: Raster, numbered: Callable[..., Any], warped: bool
) -> None:
    # GDAL calls the fourth of four byte bands alpha unless told otherwise; here it is 0 over water and else not.
    values = numbered(4, 12, 12, "uint8") % 250 + 1
    values[3, :, :6] = 0
    scene = open_scene(raster("a.tif", values))
    assert [ref.name for ref in scene.bands] == ["R", "G", "B", "N"]
    found, codes = read(scene, aside(scene) if warped else None)
    assert (codes == SEEN).all()
    assert (found[3, :, :5] == 0).all()
    assert found[3, :, 7:].min() > 0


@pytest.mark.parametrize("warped", [False, True])
def test_zeros_beside_a_quality_band_are_nodata(raster: Raster, warped: bool) -> None:
    # Four image bands of zeros and class 4 (vegetation) in one file: the fifth band measures nothing.
    pixels = patches(np.array([(0, 0, 0, 0, 4), (0, 900, 900, 900, 4), (900, 900, 900, 900, 4)], "uint16"))
    scene = open_scene(raster("a.tif", pixels, names=["B02", "B03", "B04", "B08", "SCL"]), "sentinel-2")
    values, codes = read(scene, aside(scene) if warped else None)
    assert middles(codes) == [NODATA, SEEN, SEEN]
    # The measured does not bleed into its neighbor: 0.09 up to the border.
    assert values[1, 3, codes[3] == SEEN] == pytest.approx(0.09)
    if warped:
        # Between a measured zero and 900, in the middle, lies half.
        assert values[0, 3, 10:13] == pytest.approx([0, 0.045, 0.09])


def with_mask(image: Path, mask: Path, sensor: str, name: str, day: str | None = None) -> Scene:
    scene = open_scene(image, sensor, day)
    return replace(scene, mask=BandRef(name, str(mask), 1))


def test_scene_classes(raster: Raster) -> None:
    image = raster("a.tif", np.full((4, 1, 12), 1000, "uint16"))
    mask = raster("m.tif", np.arange(12, dtype="uint8").reshape(1, 1, 12))
    _, codes = read(with_mask(image, mask, "sentinel-2", "SCL"))
    # 0 no data, 1 saturated, 2 dark, 3 shadow, 4–7 clear, 8 and 9 cloud, 10 cirrus, 11 snow.
    clear = [SEEN] * 4
    assert codes[0].tolist() == [NODATA, SATURATED, SEEN, SHADOW, *clear, CLOUD, CLOUD, CLOUD, SNOW]


def test_landsat_quality_bits(raster: Raster) -> None:
    # Values as the USGS tables them: clear, water, cloud, shadow, snow, fill; then single and mixed bits.
    said = [21824, 21952, 22280, 23888, 30048, 1, 0b10, 0b100, 0b11000, 0b110000]
    image = raster("a.tif", np.full((6, 1, len(said)), 10_000, "uint16"))
    mask = raster("m.tif", np.array(said, "uint16").reshape(1, 1, -1))
    values, codes = read(with_mask(image, mask, "landsat-tm", "QA_PIXEL"))
    expected = [SEEN, SEEN, CLOUD, SHADOW, SNOW, NODATA, CLOUD, CLOUD, CLOUD, SHADOW]
    assert codes[0].tolist() == expected
    # 10,000 × 0.0000275 − 0.2
    assert values[0, 0, 0] == pytest.approx(0.075)


def test_where_nobody_said_whether_there_was_a_cloud_nothing_was_seen(raster: Raster) -> None:
    image = raster("a.tif", np.full((6, 2, 6), 10_000, "uint16"))
    # The mask ends after two of three columns of 20 m, and its own nodata, 1, stands in the first.
    mask = raster("m.tif", np.array([[[1, 21824]]], "uint16"), from_origin(X, Y, 20, 20), nodata=1)
    _, codes = read(with_mask(image, mask, "landsat-tm", "QA_PIXEL"))
    assert codes[0].tolist() == [NODATA, NODATA, SEEN, SEEN, NODATA, NODATA]


def test_a_mask_of_coarser_pixels_covers_all_that_lie_under_it(raster: Raster) -> None:
    image = raster("a.tif", np.full((4, 4, 6), 1000, "uint16"))
    classes = np.array([[[4, 8, 4], [3, 4, 11]]], "uint8")
    scene = with_mask(image, raster("m.tif", classes, from_origin(X, Y, 20, 20)), "sentinel-2", "SCL")
    coarse = np.array([[SEEN, CLOUD, SEEN], [SHADOW, SEEN, SNOW]])
    assert read(scene)[1].tolist() == np.kron(coarse, np.ones((2, 2), int)).tolist()


@pytest.mark.parametrize(
    ("sensor", "dtype", "day", "value", "measured"),
    [
        ("sentinel-2", "uint16", None, 3000, 0.3),
        ("sentinel-2", "uint16", "2022-01-24", 3000, 0.3),
        ("sentinel-2", "uint16", "2022-01-25", 3000, 0.2),
        ("sentinel-2", "uint16", "2022-01-25", 500, -0.05),
        # Another type is another product: digital numbers, or reflectance already.
        ("sentinel-2", "uint8", "2023-01-01", 77, 77),
        ("sentinel-2", "float32", "2023-01-01", 0.3, 0.3),
        ("rgbn", "uint16", None, 3000, 3000),
    ],
)
def test_scale_and_offset_are_for_the_named_type_and_day(
    raster: Raster, sensor: str, dtype: str, day: str | None, value: float, measured: float
) -> None:
    path = raster("a.tif", np.full((4, 1, 1), value, dtype), photometric="MINISBLACK")
    values, codes = read(open_scene(path, sensor, day))
    assert values[:, 0, 0] == pytest.approx([measured] * 4, abs=1e-6)
    assert (values.dtype, codes.dtype, codes[0, 0]) == (np.float32, np.uint8, SEEN)


def test_the_bands_come_in_the_order_asked_for(raster: Raster, numbered: Callable[..., Any]) -> None:
    path = raster("a.tif", numbered(4, 2, 2))
    scene = open_scene(path)
    refs = (scene.bands[3], scene.bands[0])
    with SceneReader(scene, scene.grid, refs) as reader:
        values, _ = reader.read(Window(1, 1, 1, 1))
    # Band b at row 1, column 1: 1000 b + 20 + 1 + 1.
    assert values[:, 0, 0].tolist() == [4022, 1022]


def test_beyond_the_edge_is_outside_and_within_it_nodata_is_nodata(raster: Raster) -> None:
    values = np.full((3, 6, 6), 7, "uint8")
    values[:, :, :3] = 0
    scene = open_scene(raster("a.tif", values, nodata=0))
    # A grid that begins three pixels further west and ends three further east, half a pixel down.
    grid = Grid(CRS.from_epsg(32649), from_origin(X - 30, Y - 5, 10, 10), 12, 5)
    _, codes = read(scene, grid)
    assert codes[2].tolist() == [OUTSIDE] * 3 + [NODATA] * 3 + [SEEN] * 3 + [OUTSIDE] * 3


def test_an_unseen_value_may_be_shown_to_the_eye(raster: Raster) -> None:
    image = raster("a.tif", np.full((4, 1, 2), 1000, "uint16"))
    scene = with_mask(image, raster("m.tif", np.array([[[4, 8]]], "uint8")), "sentinel-2", "SCL")
    assert read(scene)[0][0].tolist() == [[pytest.approx(0.1), 0]]
    shown, codes = read(scene, hide_unseen=False)
    assert shown[0].tolist() == [[pytest.approx(0.1), pytest.approx(0.1)]]
    assert codes.tolist() == [[SEEN, CLOUD]]


def test_a_pair_has_the_first_dates_reason(raster: Raster) -> None:
    image = raster("a.tif", np.full((4, 1, 4), 1000, "uint16"))
    before = with_mask(image, raster("b.tif", np.array([[[4, 8, 4, 3]]], "uint8")), "sentinel-2", "SCL")
    after = with_mask(image, raster("c.tif", np.array([[[4, 4, 11, 8]]], "uint8")), "sentinel-2", "SCL")
    with PairReader(make_pair(before, after)) as reader:
        block = reader.read(Window(0, 0, 4, 1))
    assert block.observation.tolist() == [[SEEN, CLOUD, SNOW, SHADOW]]
    # A date that saw the pixel keeps its value.
    assert block.before[0].tolist() == [[pytest.approx(0.1), 0, pytest.approx(0.1), 0]]


@pytest.fixture(scope="module")
def slanted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Grid]:
    """A scene in degrees and a grid in meters, with a hole of nodata."""
    import rasterio

    random = np.random.default_rng(3)
    values = random.integers(1, 255, (3, 70, 90)).astype("uint8")
    values[:, 20:30, 20:40] = 0
    path = tmp_path_factory.mktemp("slanted") / "a.tif"
    transform = from_origin(112.1377, 37.9416, 1e-4, 1e-4)
    shape = {"count": 3, "height": 70, "width": 90, "dtype": "uint8", "nodata": 0}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:4490", transform=transform, **shape) as sink:
        sink.write(values)
    return open_scene(path), Grid(CRS.from_epsg(32649), from_origin(X - 50, Y + 50, 10, 10), 80, 80)


@given(left=st.integers(0, 79), top=st.integers(0, 79), width=st.integers(1, 80), height=st.integers(1, 80))
def test_a_window_is_the_same_part_of_the_whole(
    slanted: tuple[Scene, Grid], left: int, top: int, width: int, height: int
) -> None:
    scene, grid = slanted
    window = Window(left, top, min(width, 80 - left), min(height, 80 - top))
    with SceneReader(scene, grid, scene.bands) as reader:
        part, codes = reader.read(window)
    whole, all_codes = read(scene, grid)
    rows, columns = slice(top, top + window.height), slice(left, left + window.width)
    assert np.array_equal(part, whole[:, rows, columns])
    assert np.array_equal(codes, all_codes[rows, columns])
    assert set(np.unique(all_codes)) == {Observation.OBSERVED, Observation.NODATA, Observation.OUTSIDE}


def test_heights_in_a_coordinate_system_are_set_aside(raster: Raster, numbered: Callable[..., Any]) -> None:
    values = numbered(3, 4, 4)
    flat, high = (
        raster(f"{i}.tif", values, crs=crs) for i, crs in enumerate(("EPSG:32649", "EPSG:32649+5773"))
    )
    pair = make_pair(open_scene(high), open_scene(flat))
    assert pair.grid.crs == CRS.from_epsg(32649)
    with PairReader(pair) as reader:
        block = reader.read(Window(0, 0, 4, 4))
    assert np.array_equal(block.before, values)
    assert np.array_equal(block.after, values)
