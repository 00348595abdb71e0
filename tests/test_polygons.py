"""Masks drawn by hand and the polygons that follow from them, pixel by pixel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio.features
import scipy.ndimage
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS
from rasterio.transform import from_origin

from detection.linear import widest_px
from detection.look import FULL, UNSEEN, threshold_byte
from detection.polygons import SIMPLIFY_PIXELS, clusters, outlines, simplify, smallest_pixels
from imagery.scene import Grid
from tests.mask_world import change_mask, linear_part, parts_of, trace

X, Y = 600_000, 4_200_000
NONE = np.zeros((0, 0), bool)


def drawn(picture: str) -> Any:
    """Bytes of a change map: # certain change, + half, . none, x not seen."""
    rows = [line.strip() for line in picture.strip().splitlines()]
    value = {"#": FULL, "+": 127, ".": 0, "x": UNSEEN}
    return np.array([[value[sign] for sign in row] for row in rows], dtype=np.uint8)


def kept(picture: str, smallest_px: int = 4) -> str:
    mask = change_mask(drawn(picture), 0.5, smallest_px)
    return "\n".join("".join("#" if pixel else "." for pixel in row) for row in mask)


def grid_over(mask: Any, gsd_m: float = 10) -> Grid:
    return Grid(CRS.from_epsg(32649), from_origin(X, Y, gsd_m, gsd_m), mask.shape[1], mask.shape[0])


def traced(mask: Any, linear: Any = None) -> Any:
    return trace(parts_of(mask, linear), grid_over(mask))


def smooth(mask: Any, linear: Any = None) -> Any:
    parts = parts_of(mask, linear)
    return simplify(trace(parts, grid_over(mask)), 10 * SIMPLIFY_PIXELS, clusters(parts))


def cells(*corners: tuple[int, int]) -> shapely.Polygon:
    """A polygon through corners of cells, given as (column, row)."""
    return shapely.Polygon([(X + 10 * column, Y - 10 * row) for column, row in corners])


def test_a_group_becomes_a_polygon_on_its_cells_edges() -> None:
    (shape,) = traced(drawn("......\n.##...\n.###..\n......") > 0)
    assert shape.equals(cells((1, 1), (3, 1), (3, 2), (4, 2), (4, 3), (1, 3)))


def test_a_hole_stays_a_hole() -> None:
    (shape,) = traced(drawn("#####\n#...#\n#...#\n#####") > 0)
    outer = cells((0, 0), (5, 0), (5, 4), (0, 4))
    assert shape.equals(outer.difference(cells((1, 1), (4, 1), (4, 3), (1, 3))))
    assert shape.area == 1400


def test_squares_that_touch_at_a_corner_are_two() -> None:
    shapes = traced(drawn("##..\n##..\n..##\n..##") > 0)
    assert [shape.bounds for shape in shapes] == [(X, Y - 20, X + 20, Y), (X + 20, Y - 40, X + 40, Y - 20)]


@pytest.mark.parametrize(
    ("picture", "left"),
    [
        # Four pixels are the unit and stay; three are less and go.
        ("##....\n##....\n....##\n....#.\n......", "##....\n##....\n......\n......\n......"),
        ("####..\n......\n###...", "####..\n......\n......"),
        # A hole of three is filled, one of four is not.
        ("######\n#...##\n######", "######\n######\n######"),
        ("######\n#....#\n######", "######\n#....#\n######"),
        # Meeting at a corner joins nothing: two groups of two go.
        ("##...\n..##.", ".....\n....."),
        # What was not seen joins no groups, fills no hole and is filled by none.
        ("##xx##\n##xx##", "##..##\n##..##"),
        ("##x#..\n......", "......\n......"),
        ("#####\n##x##\n#####", "#####\n##.##\n#####"),
        ("#####\n#x.##\n#####", "#####\n#.###\n#####"),
        # Half is the decision: 127 of 254.
        ("++++....", "####...."),
    ],
)  # fmt: skip
def test_what_is_sieved(picture: str, left: str) -> None:
    assert kept(picture) == left


def test_a_unit_of_one_pixel_sieves_nothing() -> None:
    assert kept("#.#.\n.#.x", 1) == "#.#.\n.#.."


@pytest.mark.parametrize(("picture", "left"), [("##\n##", "##\n##"), ("##\n#.", "..\n.."), ("#", ".")])
def test_a_map_no_larger_than_the_unit(picture: str, left: str) -> None:
    assert kept(picture) == left


@pytest.mark.parametrize(("probability", "byte"), [(0.5, 127), (1.0, 254), (0.001, 1), (0.99, 252)])
def test_a_threshold_is_the_smallest_byte_that_reaches_it(probability: float, byte: int) -> None:
    assert threshold_byte(probability) == byte
    assert byte / FULL >= probability > (byte - 1) / FULL


@pytest.mark.parametrize(
    ("area_m2", "gsd_m", "pixels"), [(400, 10, 4), (401, 10, 5), (3600, 30, 4), (100, 0.6, 278), (1, 30, 1)]
)
def test_the_unit_in_pixels(area_m2: float, gsd_m: float, pixels: int) -> None:
    assert smallest_pixels(area_m2, grid_over(NONE, gsd_m)) == pixels


MAPS = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 127, 254, 255])
)


@given(probability=MAPS, smallest_px=st.integers(1, 6))
def test_what_is_kept_was_seen_and_is_large_enough(probability: Any, smallest_px: int) -> None:
    mask = change_mask(probability, 0.5, smallest_px)
    assert not mask[probability == UNSEEN].any()
    parts = parts_of(mask)
    assert (np.bincount(parts.labels, parts.runs.lengths) >= smallest_px).all()
    assert not parts.is_linear.any()
    # Sieved again, nothing changes.
    again = np.where(probability == UNSEEN, UNSEEN, mask * FULL).astype(np.uint8)
    assert np.array_equal(change_mask(again, 0.5, smallest_px), mask)


@given(mask=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), linear=arrays(bool, (12, 12)))
def test_polygons_are_the_mask_and_each_its_own_part(mask: Any, linear: Any) -> None:
    linear = mask & linear[: mask.shape[0], : mask.shape[1]]
    parts = parts_of(mask, linear)
    shapes = trace(parts, grid_over(mask))
    assert shapely.is_valid(shapes).all()
    assert sum(shape.area for shape in shapes) == 100 * mask.sum()
    numbered = [(shape, number) for number, shape in enumerate(shapes, 1)]
    transform = from_origin(X, Y, 10, 10)
    back = rasterio.features.rasterize(numbered, mask.shape, transform=transform) if numbered else 0 * mask
    assert np.array_equal(back > 0, mask)
    assert np.array_equal(np.isin(back, np.flatnonzero(parts.is_linear) + 1), linear)
    # Each is one group: pixels that meet at edges.
    assert [scipy.ndimage.label(back == number)[1] for _, number in numbered] == [1] * len(shapes)


@given(mask=arrays(bool, (12, 12)))
def test_simplified_polygons_are_valid_and_do_not_overlap(mask: Any) -> None:
    shapes = smooth(mask)
    assert shapely.is_valid(shapes).all()
    assert (shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON).all()
    assert not shapely.is_empty(shapes).any()
    assert shapely.union_all(shapes).area == pytest.approx(sum(shape.area for shape in shapes), abs=1e-6)


def test_a_rectangle_stays_as_it_is_and_stairs_become_straight() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:6, 2:12] = True
    (rectangle,) = smooth(mask)
    assert rectangle.equals(cells((2, 2), (12, 2), (12, 6), (2, 6)))
    # A triangle of 10 + 9 + … + 1 = 55 pixels: its stair becomes one slope, or nearly.
    stairs = np.tri(10, dtype=bool)
    (slope,) = smooth(stairs)
    assert len(slope.exterior.coords) < 10 < len(traced(stairs)[0].exterior.coords)
    assert slope.area == pytest.approx(5500, rel=0.1)


def test_a_border_that_two_share_is_simplified_as_one() -> None:
    # A triangle and what is left of its square, linear and not.
    whole, stairs = np.ones((10, 10), bool), np.tri(10, dtype=bool)
    one, other = smooth(whole, stairs)
    assert one.intersection(other).area == pytest.approx(0, abs=1e-6)
    assert one.union(other).area == pytest.approx(10_000)


def test_no_change_is_no_polygon() -> None:
    empty = np.zeros((5, 5), bool)
    assert len(smooth(empty)) == 0


def road_and_field() -> tuple[Any, Any, Any]:
    """A road of three rows and 90 columns, a field of 17 rows and 20 columns right below it; 10 m pixels."""
    road, field = np.zeros((60, 90), bool), np.zeros((60, 90), bool)
    road[30:33], field[33:50, 10:30] = True, True
    return road, field, road | field


def test_a_road_as_strong_as_the_field_is_split_off_where_it_leaves_it() -> None:
    road, field, both = road_and_field()
    # A square of five pixels enters the field with the road above it, columns 10 to 29. East of it 60 pixels of road
    # are long (8 · 4 = 32); west of it ten are not.
    expected = road.copy()
    expected[:, :30] = False
    assert np.array_equal(linear_part(both, both, 10, 4), expected)
    shapes = traced(both, expected)
    assert sorted(shape.area for shape in shapes) == [60 * 3 * 100, (field.sum() + 30 * 3) * 100]


def test_a_road_stronger_than_the_field_is_split_off_whole() -> None:
    road, _, both = road_and_field()
    # It is given back the row of the field that its edge is blurred over.
    expected = road.copy()
    expected[33, 10:30] = True
    assert np.array_equal(linear_part(both, road, 10, 4), expected)


def test_what_a_road_leaves_too_small_goes_with_it() -> None:
    road, _, _ = road_and_field()
    spot = road.copy()
    # Three pixels below the road: alone they would be under the unit of four; five beside them stay apart.
    spot[33, 40:43] = True
    alone = np.zeros_like(road)
    alone[50, 2:7] = True
    assert np.array_equal(linear_part(spot | alone, road, 10, 4), spot)


@pytest.mark.parametrize("gsd_m", [10, 2.4, 1.0])
def test_the_widest_line_is_a_line_and_one_pixel_more_is_not(gsd_m: float) -> None:
    # 12 m, at least four pixels: 4 at 10 m, 5 at 2.4 m (an even square looks in), 12 at 1 m.
    across = widest_px(gsd_m)
    assert across == {10: 4, 2.4: 5, 1.0: 12}[gsd_m]
    for width, is_line in ((across, True), (across + 1, False)):
        mask = np.zeros((40, 9 * across + 4), bool)
        mask[3 : 3 + width, 2:-2] = True
        assert np.array_equal(linear_part(mask, mask, gsd_m, 4), mask & is_line)
    short = np.zeros((40, 40), bool)
    short[3 : 3 + across, : 7 * across] = True
    assert not linear_part(short, short, gsd_m, 4).any()


def test_outlines_of_a_map(raster: Callable[..., Path]) -> None:
    probability = drawn("""
        ........
        .##.....
        .++...##
        ......#.
        xxxx....
    """)
    path = raster("change.tif", np.stack([probability, np.zeros_like(probability)]), nodata=255)
    found = outlines(path, threshold=0.5, smallest_m2=400)
    assert found.grid == grid_over(probability)
    assert [shape.equals(cells((1, 1), (3, 1), (3, 3), (1, 3))) for shape in found.polygons] == [True]
    # Two pixels at 1 and two at 127 / 254.
    assert found.probability.tolist() == [0.75]
    assert found.is_linear.tolist() == [False]
    all_of_it = outlines(path, threshold=1.0, smallest_m2=1)
    assert sorted(shape.area for shape in all_of_it.polygons) == [200, 300]
    assert len(outlines(path, threshold=0.5, smallest_m2=1e12).polygons) == 0
