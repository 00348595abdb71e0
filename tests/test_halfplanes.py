"""Areas by half-planes against GEOS, and shapes that lie side by side."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cadastre.halfplanes import Corners, apart, corners_of, shared_m2, supporting

NEAR = st.integers(-40, 40)
POINTS = st.lists(st.tuples(NEAR, NEAR), min_size=3, max_size=12)
FAR = st.sampled_from([(0.0, 0.0), (3_654_321.5, 4_234_567.25)])


def corners(shapes: list[shapely.Geometry], origin: tuple[float, float] = (0.0, 0.0)) -> Corners:
    return corners_of(np.array(shapes, dtype=object), np.array([origin] * len(shapes)))


def moved(shape: shapely.Geometry, by: tuple[float, float]) -> shapely.Geometry:
    return shapely.transform(shape, lambda xy: xy + by)


@settings(max_examples=300, deadline=None)
@given(ring=POINTS, hull=POINTS, by=FAR, back=st.booleans())
def test_shared_areas_are_those_of_geos(
    ring: list[tuple[int, int]], hull: list[tuple[int, int]], by: tuple[float, float], back: bool
) -> None:
    shape, convex = shapely.Polygon(ring), shapely.convex_hull(shapely.MultiPoint(hull))
    if not shape.is_valid or shape.area == 0 or convex.area == 0 or len(convex.exterior.coords) > 9:
        return
    convex = shapely.reverse(convex) if back else convex
    one, other = corners([moved(shape, by)], by), corners([moved(convex, by)], by)
    assert other.convex.all()
    only = np.array([0])
    assert shared_m2(one, only, other, only)[0] == pytest.approx(shape.intersection(convex).area, abs=1e-8)


@settings(max_examples=300, deadline=None)
@given(one=POINTS, other=POINTS)
def test_what_is_apart_shares_no_area(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    shapes = [shapely.Polygon(one), shapely.Polygon(other)]
    if not all(shape.is_valid and shape.area > 0 for shape in shapes):
        return
    both = corners(shapes)
    first, second = np.array([0, 1]), np.array([1, 0])
    told = apart(both, first, second, supporting(both))
    shared = shapes[0].intersection(shapes[1]).area
    assert not (told.any() and shared > 1e-6)
    hulls = [shape.convex_hull for shape in shapes]
    if hulls[0].intersection(hulls[1]).area == 0 and len({*one, *other}) == len(one) + len(other):
        both = corners(hulls)
        assert apart(both, first, second, supporting(both)).all()


def test_which_shapes_are_convex() -> None:
    star = shapely.Polygon([(0, 3), (2, -3), (-3, 1), (3, 1), (-2, -3)])  # winds twice, bends one way
    arrow = shapely.Polygon([(0, 0), (4, -2), (0, 4), (1, 0)])
    ring = shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 6, 6)
    square = shapely.Polygon([(0, 0), (2, 0), (4, 0), (4, 4), (0, 4), (0, 4)])  # with a corner that is none
    found = corners(
        [star, arrow, ring, square, shapely.box(0, 0, 1, 1), shapely.LineString([(0, 0), (1, 1)])]
    )
    assert found.convex.tolist() == [False, False, False, True, True, False]
    assert found.count.tolist() == [5, 4, 0, 6, 4, 0]
