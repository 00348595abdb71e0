"""Two scenes on one grid: read as they are where pixels coincide, resampled to the true place where not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window

from ground.errors import BadInput, UnknownDatum
from imagery.catalog import open_scene
from imagery.pairing import common_grid, make_pair, offset_in
from imagery.reader import Block, PairReader
from imagery.scene import Grid, ScenePair

Raster = Callable[..., Path]
Numbered = Callable[..., Any]
X, Y = 600_000, 4_200_000
SEEN, OUTSIDE = 0, 2


def put(before: Path, after: Path, *sensors: str | None) -> tuple[ScenePair, Block]:
    """The pair, and all of it read."""
    first, second = sensors or (None, None)
    pair = make_pair(open_scene(before, first), open_scene(after, second))
    with PairReader(pair) as reader:
        return pair, reader.read(Window(0, 0, pair.grid.width, pair.grid.height))


def at(x: float, y: float, size: float = 10) -> Affine:
    return from_origin(x, y, size, size)


def test_one_grid_is_read_as_it_is(raster: Raster, numbered: Numbered) -> None:
    before, after = numbered(3, 7, 9), numbered(3, 7, 9) + 500
    pair, block = put(raster("b.tif", before), raster("a.tif", after))
    assert (pair.grid, pair.names) == (pair.before.grid, ("red", "green", "blue"))
    assert np.array_equal(block.before, before)
    assert np.array_equal(block.after, after)
    assert (block.observation == SEEN).all()


def test_whole_pixels_apart_is_read_as_it_is(raster: Raster, numbered: Numbered) -> None:
    values = numbered(3, 12, 12)
    # The later scene begins two columns east and three rows south: 10 columns and 9 rows are common.
    pair, block = put(raster("b.tif", values), raster("a.tif", values, at(X + 20, Y - 30)))
    assert pair.grid == Grid(CRS.from_epsg(32649), at(X + 20, Y - 30), 10, 9)
    assert np.array_equal(block.before, values[:, 3:, 2:])
    assert np.array_equal(block.after, values[:, :9, :10])


@given(size=st.tuples(*[st.integers(1, 9)] * 4), column=st.integers(-9, 9), row=st.integers(-9, 9))
def test_the_overlap_is_what_both_have(size: tuple[int, ...], column: int, row: int) -> None:
    w, h, w2, h2 = size
    utm = CRS.from_epsg(32649)
    one, other = Grid(utm, at(X, Y), w, h), Grid(utm, at(X + 10 * column, Y - 10 * row), w2, h2)
    width, height = min(w, column + w2) - max(0, column), min(h, row + h2) - max(0, row)
    if min(width, height) < 1:
        with pytest.raises(BadInput, match="shows none of the ground"):
            common_grid(Stub(one), Stub(other))
        return
    found = common_grid(Stub(one), Stub(other))
    assert (found.width, found.height) == (width, height)
    assert found.transform == at(X + 10 * max(0, column), Y - 10 * max(0, row))
    assert offset_in(found, one) == (max(0, column), max(0, row))
    assert offset_in(found, other) == (max(0, -column), max(0, -row))


class Stub:
    """As much of a scene as `common_grid` looks at."""

    source = "f"

    def __init__(self, grid: Grid) -> None:
        self.grid = grid


def test_half_a_pixel_apart_is_resampled_to_the_place(raster: Raster, numbered: Numbered) -> None:
    values = numbered(3, 12, 12, "float32")
    pair, block = put(raster("b.tif", values), raster("a.tif", values, at(X + 5, Y - 5)))
    # The pixels of the first that lie wholly in the second: from column and row 1 on, 11 of them.
    assert pair.grid == Grid(CRS.from_epsg(32649), at(X + 10, Y - 10), 11, 11)
    # On a slope of 1 a column and 20 a row bilinear is exact: half a pixel back is 10.5 less.
    assert np.allclose(block.after[:, 1:-1, 1:-1], values[:, 2:-1, 2:-1] - 10.5, atol=1e-2)
    assert offset_in(pair.grid, pair.after.grid) is None


def test_the_coarser_scene_gives_the_grid_whichever_comes_first(raster: Raster, numbered: Numbered) -> None:
    fine, coarse = numbered(3, 12, 12), numbered(3, 6, 6)
    paths = raster("fine.tif", fine), raster("coarse.tif", coarse, at(X, Y, 20))
    for before, after in (paths, paths[::-1]):
        pair, block = put(before, after)
        assert pair.grid == Grid(CRS.from_epsg(32649), at(X, Y, 20), 6, 6)
        first, second = (block.before, block.after) if before == paths[0] else (block.after, block.before)
        assert np.array_equal(second, coarse)
        # On a slope the mean of four fine pixels is the value at their middle.
        mean = fine.reshape(3, 6, 2, 6, 2).mean(axis=(2, 4))
        assert np.allclose(first[:, 1:-1, 1:-1], mean[:, 1:-1, 1:-1], atol=0.6)


def sloped(x: Any, y: Any) -> Any:
    """A value for every place, linear in meters of EPSG:32649."""
    return 5000 + (np.asarray(x) - X) * 0.5 + (Y - np.asarray(y)) * 2


def sampled(grid: Grid, crs: CRS) -> Any:
    """`sloped` at the pixel centers of a grid in any CRS."""
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.transform * (columns, rows)
    return sloped(*Transformer.from_crs(crs, 32649, always_xy=True).transform(x, y))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4546", at(600_090, 4_201_631)),  # 3-degree zone: the same meridian, at scale 1 for 0.9996
        ("EPSG:4525", at(37_600_090, 4_201_631)),  # northing is its first axis; the zone is in its easting
        ("EPSG:32650", at(72_721, 4_210_499)),  # the next zone, turned by 3.7°
        ("EPSG:3857", at(12_483_216, 4_571_183, 12.5)),  # pixels of 9.9 m
        ("EPSG:4490", Affine(1e-4, 0, 112.13864, 0, -1e-4, 37.94163)),
        ("EPSG:32649", at(X + 53.3, Y - 44.4)),
    ],
)
def test_another_crs_is_warped_to_the_true_place(raster: Raster, crs: str, transform: Affine) -> None:
    guest = Grid(CRS(crs), transform, 30, 30)
    before = raster("b.tif", np.ones((3, 60, 60), "float32"), at(X - 100, Y + 100))
    after = raster("a.tif", np.stack([sampled(guest, guest.crs)] * 3).astype("float32"), transform, crs)
    pair, block = put(before, after)
    assert pair.grid.crs.to_epsg() == 32649
    inner = block.observation == SEEN
    # One pixel off the edge, where bilinear leans on the border's values.
    inner[1:-1, 1:-1] &= inner[2:, 1:-1] & inner[:-2, 1:-1] & inner[1:-1, 2:] & inner[1:-1, :-2]
    inner[[0, -1]] = inner[:, [0, -1]] = False
    assert inner.sum() > 300
    # GDAL places pixels to an eighth of a source pixel, 1.25 m at most; these slopes rise 2 a meter.
    assert np.abs(block.after[0] - sampled(pair.grid, pair.grid.crs))[inner].max() < 0.5


def test_of_degrees_and_meters_the_meters_win_even_if_finer(raster: Raster, numbered: Numbered) -> None:
    degrees = raster("d.tif", numbered(3, 9, 9), Affine(1e-4, 0, 112.138, 0, -1e-4, 37.942), "EPSG:4490")
    meters = raster("m.tif", numbered(3, 200, 200), at(X, Y, 1))
    assert make_pair(open_scene(degrees), open_scene(meters)).grid.crs.to_epsg() == 32649


def test_two_scenes_in_degrees_stay_in_degrees(raster: Raster, numbered: Numbered) -> None:
    values = numbered(3, 12, 12)
    fine = raster("f.tif", values, Affine(1e-4, 0, 112, 0, -1e-4, 38), "EPSG:4490")
    coarse = raster("c.tif", values, Affine(2e-4, 0, 112, 0, -2e-4, 38), "EPSG:4490")
    pair, block = put(fine, coarse)
    assert (pair.grid.crs.to_epsg(), pair.grid.width, pair.grid.height) == (4490, 6, 6)
    assert np.array_equal(block.after, values[:, :6, :6])
    # 2e-4° of 38° N: 22.2 m of meridian and 17.56 m of parallel make a square of 19.7 m.
    assert pair.grid.gsd_m == pytest.approx((22.199 * 17.561) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("other", ["north-up", "itself"])
def test_a_scene_stored_upside_down_is_turned(raster: Raster, numbered: Numbered, other: str) -> None:
    values = numbered(3, 6, 8)
    south_up = raster("s.tif", values[:, ::-1], Affine(10, 0, X, 0, 10, Y - 60))
    north_up = raster("n.tif", values)
    pair, block = put(south_up, north_up if other == "north-up" else south_up)
    assert pair.grid == Grid(CRS.from_epsg(32649), at(X, Y), 8, 6)
    assert np.array_equal(block.before, values)
    assert np.array_equal(block.after, values)


def test_a_quarter_turn_is_turned_back(raster: Raster, numbered: Numbered) -> None:
    values = numbered(3, 6, 8)
    # Stored turned: its columns run south, its rows run west.
    turned = raster("t.tif", np.rot90(values, axes=(1, 2)), Affine(0, -10, X + 80, -10, 0, Y))
    pair, block = put(turned, turned)
    assert pair.grid == Grid(CRS.from_epsg(32649), at(X, Y), 8, 6)
    assert np.array_equal(block.before, values)


def test_a_turned_scene_keeps_its_pixel_size_and_its_place(raster: Raster) -> None:
    turn = at(X, Y) @ Affine.rotation(30)
    grid = Grid(CRS.from_epsg(32649), turn, 40, 40)
    path = raster("t.tif", np.stack([sampled(grid, grid.crs)] * 3).astype("float32"), turn)
    pair, block = put(path, path)
    # A square of 400 m turned by 30°: 400 (cos 30° + sin 30°) = 546.4 m across, 54 whole pixels of 10 m.
    assert (pair.grid.width, pair.grid.height, pair.grid.gsd_m) == (54, 54, 10)
    seen = block.observation == SEEN
    assert abs(seen.sum() - 1600) < 40
    assert (block.observation[~seen] == OUTSIDE).all()
    middle = (slice(20, 35), slice(20, 35))
    assert np.allclose(block.after[0][middle], sampled(pair.grid, pair.grid.crs)[middle], atol=0.5)


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (at(X + 80, Y), "EPSG:32649"),  # edge to edge
        (at(X + 80, Y - 60), "EPSG:32649"),  # corner to corner
        (at(X + 76, Y), "EPSG:32649"),  # less than a pixel
        (at(X + 5000, Y), "EPSG:32649"),
        (at(600_040, 4_300_000), "EPSG:4546"),
        (Affine(1e-4, 0, 120, 0, -1e-4, 30), "EPSG:4490"),
    ],
)
def test_scenes_with_no_whole_pixel_in_common_are_refused(
    raster: Raster, numbered: Numbered, transform: Affine, crs: str
) -> None:
    values = numbered(3, 6, 8)
    before, after = raster("b.tif", values), raster("a.tif", values, transform, crs)
    with pytest.raises(BadInput, match=r"shows none of the ground of .*give two scenes of one place$"):
        put(before, after)


def test_the_later_scene_first_is_refused(raster: Raster, numbered: Numbered) -> None:
    path = raster("b.tif", numbered(3, 2, 2))
    late, early = (open_scene(path, acquired=day) for day in ("2021-05-02", "2021-05-01"))
    with pytest.raises(BadInput, match=r"was acquired 2021-05-02, later than .* swap --before and --after$"):
        make_pair(late, early)
    assert make_pair(early, early).before.acquired_utc == make_pair(early, late).before.acquired_utc
    assert make_pair(late, open_scene(path)).after.acquired_utc is None


def test_old_datums_are_refused_without_parameters_and_shifted_with_them(raster: Raster) -> None:
    modern = raster("b.tif", np.ones((3, 60, 60), "float32"), at(599_900, 4_201_700), "EPSG:4546")
    old = "+proj=tmerc +lon_0=111 +x_0=500000 +ellps=krass +units=m"
    place = at(600_000, 4_201_600)
    with pytest.raises(UnknownDatum, match="the shift from"):
        put(modern, raster("a.tif", np.ones((3, 30, 30), "float32"), place, "EPSG:2433"))
    with_parameters = CRS(old + " +towgs84=15.8,-154.4,-82.3,0,0,0,0")
    guest = Grid(with_parameters, place, 30, 30)
    values = np.stack([sampled(guest, with_parameters)] * 3).astype("float32")
    pair, block = put(modern, raster("a.tif", values, place, with_parameters.to_wkt()))
    assert pair.grid.crs.to_epsg() == 4546
    # A shift left out would be off by 50 m: 25 and 60 on these slopes.
    middle = (slice(20, 30), slice(20, 30))
    assert np.allclose(block.after[0][middle], sampled(pair.grid, pair.grid.crs)[middle], atol=0.5)


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ((3, None, None), (4, None, None), ("red", "green", "blue")),
        ((4, "sentinel-2", ["nir", "red", "B03", "blue"]), (4, None, None), ("nir", "red", "green", "blue")),
        ((4, "gf-2", None), (10, "sentinel-2", None), ("blue", "green", "red", "nir")),
        (
            (6, "landsat-tm", None),
            (6, "landsat-oli", None),
            ("blue", "green", "red", "nir", "swir16", "swir22"),
        ),
        ((2, None, None), (2, None, None), ("b1", "b2")),
    ],
)
def test_bands_are_matched_by_what_they_are(
    raster: Raster, numbered: Numbered, before: Any, after: Any, names: tuple[str, ...]
) -> None:
    paths = [
        raster(f"{i}.tif", numbered(count, 2, 2), names=words)
        for i, (count, _, words) in enumerate((before, after))
    ]
    pair = make_pair(open_scene(paths[0], before[1]), open_scene(paths[1], after[1]))
    assert pair.names == names
    rgbn = {"red": 1, "green": 2, "blue": 3, "nir": 4}
    if after == (4, None, None):
        assert [ref.index for _, ref in pair.bands] == [rgbn[name] for name in names]


@pytest.mark.parametrize(
    ("counts", "said"), [((2, 5), "its 5 bands"), ((1, 3), "its 3 bands"), ((3, 2), "its 2 bands")]
)
def test_bands_that_cannot_be_matched_are_refused(
    raster: Raster, numbered: Numbered, counts: tuple[int, int], said: str
) -> None:
    before, after = (raster(f"{i}.tif", numbered(n, 2, 2)) for i, n in enumerate(counts))
    with pytest.raises(BadInput, match=f"{said} .* do not match .* pass --before-sensor and --after-sensor"):
        make_pair(open_scene(before), open_scene(after))


def test_types_may_differ(raster: Raster, numbered: Numbered) -> None:
    before, after = numbered(3, 4, 4, "float64") / 8, numbered(3, 4, 4, "int16") - 3000
    _, block = put(raster("b.tif", before), raster("a.tif", after))
    assert np.array_equal(block.before, before)
    assert np.array_equal(block.after, after)


def test_a_scene_may_lie_across_the_antimeridian(raster: Raster) -> None:
    # 180° meets 10° N at 828,929 E, 1,106,906 N of zone 60 and at 171,071 E of zone 1.
    east, west = CRS.from_epsg(32660), CRS.from_epsg(32601)
    guest = Grid(west, at(170_920, 1_107_056, 8), 30, 30)
    columns, rows = np.meshgrid(np.arange(30) + 0.5, np.arange(30) + 0.5)
    x = Transformer.from_crs(west, east, always_xy=True).transform(*(guest.transform * (columns, rows)))[0]
    after = raster("a.tif", np.stack([x - 828_000] * 3).astype("float32"), guest.transform, "EPSG:32601")
    pair, block = put(
        raster("b.tif", np.ones((3, 60, 60), "float32"), at(828_600, 1_107_200), "EPSG:32660"), after
    )
    seen = (block.observation == SEEN)[2:-2, 2:-2]
    assert seen.sum() > 300
    expected = pair.grid.transform.c + 10 * (np.arange(pair.grid.width) + 0.5) - 828_000
    assert np.abs(block.after[0] - expected)[2:-2, 2:-2][seen].max() < 5
