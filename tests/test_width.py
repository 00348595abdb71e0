"""Widths along center lines of shapes whose width is known."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from cadastre.facts import CHANGE_FACTS
from cadastre.width import center_widths
from tests.cases_world import changes_of, facts_of, rect

BOX, LINE = shapely.box, shapely.LineString
WAVE = LINE([(x, 25 * np.sin(x / 30)) for x in range(0, 300, 3)])
CIRCLE = shapely.Point(0, 0).buffer(60, quad_segs=32)
SHAPES = {
    "rectangle": (BOX(0, 0, 50, 5), 5),
    "thin rectangle": (BOX(0, 0, 900, 2.5), 2.5),
    "ribbon": (WAVE.buffer(3, cap_style="flat"), 6),
    "ribbon with round ends": (WAVE.buffer(4), 8),
    "ribbon with a lay-by": (BOX(0, 0, 200, 6) | BOX(80, 0, 110, 11), 6),
    "L": (BOX(0, 0, 80, 6) | BOX(0, 0, 6, 70), 6),
    "T": (BOX(0, 0, 100, 5) | BOX(48, 0, 53, 60), 5),
    "ring": (CIRCLE - CIRCLE.buffer(-7), 7),
    "crossing": (BOX(-60, -4, 60, 4) | BOX(-4, -60, 4, 60), 8),
    "square": (BOX(0, 0, 30, 30), 30),
    "short rectangle": (BOX(0, 0, 30, 12), 12),
}


@pytest.mark.parametrize("angle", [0, 33])
@pytest.mark.parametrize("name", SHAPES)
def test_known_widths(name: str, angle: float) -> None:
    shape, width = SHAPES[name]
    placed = translate(rotate(shape, angle), 437_000, -12_000)
    found = center_widths(np.array([placed], dtype=object))
    assert found.median_m[0] == pytest.approx(width, rel=0.05)
    assert found.widest_m[0] >= 0.99 * found.median_m[0]


def test_the_widest_place_is_the_lay_by() -> None:
    found = center_widths(np.array([SHAPES["ribbon with a lay-by"][0]], dtype=object))
    assert found.widest_m[0] == pytest.approx(11, rel=0.05)


def test_many_at_once_are_as_one_by_one() -> None:
    every = np.array([shape for shape, _ in SHAPES.values()] * 40, dtype=object)
    together = center_widths(every)
    alone = [center_widths(every[[i]]).median_m[0] for i in range(len(SHAPES))]
    assert together.median_m.reshape(40, -1) == pytest.approx(np.tile(alone, (40, 1)), rel=0.02)
    assert center_widths(every[:0]).median_m.tolist() == []


@settings(max_examples=60, deadline=None)
@given(
    width=st.floats(1.5, 12),
    turns=st.lists(st.floats(-50, 50), min_size=2, max_size=8),
    leg=st.floats(40, 120),
)
def test_a_road_that_turns_keeps_its_width(width: float, turns: list[float], leg: float) -> None:
    heading, at = 0.0, np.zeros(2)
    points = [at]
    for turn in turns:
        heading += np.radians(turn) * (-1) ** len(points)
        at = at + leg * np.array([np.cos(heading), np.sin(heading)])
        points.append(at)
    line = LINE(points)
    road = line.buffer(width / 2, cap_style="flat", join_style="mitre")
    if not line.is_simple or road.geom_type != "Polygon" or road.interiors:
        return
    if abs(road.area - width * line.length) > 0.05 * road.area:
        return  # it lies over itself
    assert center_widths(np.array([road])).median_m[0] == pytest.approx(width, rel=0.05)


def test_widths_are_facts_of_a_change() -> None:
    facts = facts_of(changes_of(rect(0, 0, 120, 5) | rect(50, 0, 65, 9)))[0].values
    assert facts["change_centre_width_m"] == pytest.approx(5, rel=0.05)
    assert facts["change_centre_width_max_m"] == pytest.approx(9, rel=0.05)
    assert {"change_centre_width_m", "change_centre_width_max_m"} < set(CHANGE_FACTS)


def test_a_width_does_not_depend_on_neighbors_nor_their_order() -> None:
    rng = np.random.default_rng(1)
    # Whole metres: many places on the center line are as wide as the widest.
    sizes = [(w, w * n) for w, n in zip(rng.integers(3, 8, 150), rng.integers(6, 40, 150), strict=True)]
    shapes = [BOX(0, 0, n, w) | BOX(n // 3, 0, n // 3 + n // 2, 2 * w) for w, n in sizes]
    shapes += [BOX(0, 0, n, w) | BOX(n - w - 1, 0, n, n) for w, n in sizes]
    placed = np.array([translate(s, *rng.uniform(0, 20_000, 2)) for s in shapes], dtype=object)
    found, order = center_widths(placed), rng.permutation(len(placed))
    other = center_widths(placed[order])
    assert other.median_m.tolist() == found.median_m[order].tolist()
    assert other.widest_m.tolist() == found.widest_m[order].tolist()
    alone = [center_widths(placed[[i]]).widest_m[0] for i in range(0, 300, 10)]
    assert alone == found.widest_m[::10].tolist()
