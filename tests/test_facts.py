"""Facts to the value: squares on a meter grid whose overlaps are counted by eye."""

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from cadastre.facts import FARTHEST_M, Fact, Facts, measure
from cadastre.layers import Layer
from tests.cases_world import changes_of, facts_against, facts_of, layer_of, line, point, rect

HECTARE = rect(0, 0, 100, 100)
M2 = 0.002
"""Grid and equal-area projection agree to 0.0003 m² in a hectare; facts are rounded to 0.001 m²."""


def about(value: float, tolerance: float = M2) -> Any:
    return pytest.approx(value, abs=tolerance)


def values(shapes: Any, change: shapely.Polygon = HECTARE, **more: Any) -> dict[str, Fact]:
    return facts_against(change, shapes, **more).values


def test_what_a_change_brings_along() -> None:
    columns = {"probability": 0.75, "ndvi_change": -0.25, "change_class": "vegetation_loss"}
    known = facts_of(changes_of(rect(0, 0, 50, 8), **columns))[0]
    assert known.values == known.values | {
        "change_class": "vegetation_loss",
        "change_area_m2": 400.0,
        "change_width_m": 8.0,
        "change_probability": 0.75,
        "change_ndvi": -0.25,
    }
    assert known.why == {}
    unknown = facts_of(changes_of(rect(0, 0, 50, 8)))[0]
    assert (unknown.values["change_probability"], unknown.values["change_ndvi"]) == (None, None)
    assert unknown.why["change_ndvi"] == "the change has no ndvi_change"


def test_half_covered_by_one_and_a_tenth_by_another() -> None:
    found = values(
        [rect(50, 0, 150, 100), rect(0, 0, 20, 50)], number=["B-2", "A-1"], land_class=["0103", "0601"]
    )
    assert found["l_m2"] == about(6000)  # 50 × 100 and 20 × 50
    assert found["l_share"] == about(0.6, 1e-6)
    assert (found["l_count"], found["l_dominant"], found["l_numbers"]) == (2.0, "0103", "A-1, B-2")
    assert found["l_distance_m"] == 0.0


def test_overlapping_features_count_once_in_areas_and_twice_in_count() -> None:
    shapes = [rect(0, 0, 60, 100), rect(40, 0, 100, 100), rect(0, 0, 60, 100)]
    found = values(shapes)
    assert (found["l_m2"], found["l_share"], found["l_count"]) == (about(10_000), 1.0, 3.0)


def test_dominant_is_what_covers_most_not_what_is_drawn_most_often() -> None:
    thrice = [rect(0, 0, 30, 100)] * 3 + [rect(30, 0, 70, 100)]
    assert values(thrice, land_class=["01", "01", "01", "02"])["l_dominant"] == "02"  # 3000 m² and 4000 m²
    # Two of one class together outdo a larger third; in a layer without classes the numbers stand for them.
    parts = [rect(0, 0, 30, 100), rect(30, 0, 55, 100), rect(55, 0, 100, 100)]
    assert values(parts, land_class=["01", "01", "02"], number=["a", "b", "c"])["l_dominant"] == "01"
    assert values(parts, number=["a", "b", "c"])["l_dominant"] == "c"
    halves = [rect(50, 0, 100, 100), rect(0, 0, 50, 100)]
    assert values(halves, land_class=["02", "01"])["l_dominant"] == "01"  # a draw goes by the alphabet


def test_dominant_is_unknown_where_what_covers_most_has_no_class() -> None:
    west, east = rect(0, 0, 40, 100), rect(40, 0, 100, 100)
    found = facts_against(HECTARE, [west, east], land_class=["01", None], number=["a", "b"])
    assert unknown(found, "dominant") == {"layer l: what covers most has no class or number"}
    assert values([west, east], land_class=[None, "02"])["l_dominant"] == "02"
    assert values([], land_class=[])["l_dominant"] == ""  # nothing covers it, and that is known


def test_a_shared_border_counts_nothing() -> None:
    shapes = [rect(100, 0, 200, 100), rect(-50, -50, 0, 0), line((0, 0), (0, 100)), point(0, 0)]
    found = values(shapes, number=list("abcd"))
    assert (found["l_m2"], found["l_share"], found["l_count"]) == (0.0, 0.0, 0.0)
    assert (found["l_dominant"], found["l_numbers"], found["l_distance_m"]) == ("", "", 0.0)


def test_a_feature_that_enters_and_also_touches() -> None:
    # An L whose foot lies in the change (50 × 20) and whose leg runs along the border: their overlap is a
    # polygon and a line at once.
    foot_and_leg = shapely.union(rect(50, 0, 120, 20), rect(100, 0, 120, 100))
    found = values([foot_and_leg], number=["L"])
    assert (found["l_m2"], found["l_count"], found["l_numbers"]) == (about(1000), 1.0, "L")


def test_holes_are_not_there() -> None:
    frame = shapely.difference(rect(-10, -10, 110, 110), rect(20, 20, 80, 80))
    assert values([frame])["l_m2"] == about(6400)  # 10,000 less a hole of 3,600
    ring = shapely.difference(HECTARE, rect(40, 40, 60, 60))
    found = values([rect(0, 0, 50, 100)], change=ring)
    # The change itself has a hole of 400 m², 200 m² of it in the western half.
    assert (found["l_m2"], found["l_share"]) == (about(4800), about(0.5, 1e-6))


def test_lines_and_points_are_counted_and_cover_nothing() -> None:
    shapes = [line((-50, 50), (150, 50)), line((10, 10), (20, 20)), point(50, 50), point(50, 130)]
    shapes.append(point(300, 50))
    found = values(shapes, number=["road", "path", "well", "near", "far"])
    assert (found["l_m2"], found["l_share"], found["l_count"]) == (0.0, 0.0, 3.0)
    assert found["l_numbers"] == "path, road, well"
    away = values([line((0, 130), (100, 130)), point(-3, -4)], number=["road", "well"])
    assert (away["l_count"], away["l_distance_m"]) == (0.0, about(5, 0.001))  # 3, 4, 5


@pytest.mark.parametrize(
    ("shapes", "distance"),
    [
        ([rect(150, 0, 250, 100)], 50.0),
        ([rect(130, 140, 200, 200)], 50.0),  # 30 east and 40 north of the corner
        ([rect(150, 0, 250, 100), rect(0, 112.5, 10, 120)], 12.5),
        ([rect(20, 20, 30, 30)], 0.0),
        ([], FARTHEST_M),
    ],
)
def test_distance_to_the_nearest(shapes: Any, distance: float) -> None:
    assert values(shapes)["l_distance_m"] == about(distance, 0.0011)


def test_slivers_under_a_hundredth_of_a_square_meter_are_drawing_noise() -> None:
    noise, piece = rect(99.99995, 0, 200, 100), rect(99.99, 0, 200, 100)
    assert values([noise])["l_count"] == 0.0  # 0.05 mm × 100 m = 0.005 m²
    assert values([piece])["l_count"] == 1.0  # 1 cm × 100 m = 1 m²
    assert values([piece])["l_m2"] == about(1.0)


def unknown(found: Facts, *names: str) -> set[str]:
    """The reasons of facts that must all be unknown."""
    assert [found.values[f"l_{name}"] for name in names] == [None] * len(names)
    return {found.why[f"l_{name}"] for name in names}


ALL = ("m2", "share", "count", "dominant", "numbers", "distance_m")


def test_outside_the_coverage_everything_is_unknown_never_no() -> None:
    for covers in (rect(0, 0, 100, 99), rect(500, 500, 600, 600), shapely.Polygon()):
        found = facts_against(HECTARE, [rect(0, 0, 50, 100)], covers=covers)
        assert unknown(found, *ALL) == {"layer l does not cover the whole change"}
    inside = facts_against(HECTARE, [rect(0, 0, 50, 100)], covers=rect(-10, -10, 110, 110))
    assert inside.values["l_share"] == about(0.5, 1e-6)
    assert "l_share" not in inside.why


def test_a_feature_may_be_nearer_where_the_layer_knows_nothing() -> None:
    near_border = rect(-30, -30, 130, 130)
    found = facts_against(HECTARE, [rect(150, 0, 160, 100)], covers=near_border)
    # The nearest known lies 50 m off, but 30 m off the layer ends: a nearer one may lie beyond.
    reason = "layer l: it ends nearer to the change than its nearest feature lies"
    assert unknown(found, "distance_m") == {reason}
    assert found.values["l_share"] == 0.0
    assert facts_against(HECTARE, [], covers=near_border).values["l_distance_m"] is None
    wide = facts_against(HECTARE, [rect(150, 0, 160, 100)], covers=rect(-60, -60, 170, 170))
    assert wide.values["l_distance_m"] == about(50, 0.001)


def test_a_layer_that_is_not_in_hand_is_unknown() -> None:
    changes = changes_of(HECTARE)
    layer = Layer(title="t", path="none", coverage="everywhere", measures=list(ALL))
    found = measure(changes, {}, {"l": layer})[changes["change_id"].iloc[0]]
    assert unknown(found, *ALL) == {"layer l is not in hand"}


# The scenes are of 2021-05-01 and 2021-09-01.
@pytest.mark.parametrize(
    ("begins", "ends", "share"),
    [
        ("2021-05-01", "2021-09-01", 0.5),  # both days included
        ("1990-01-01", None, 0.5), ("1990-01-01", "9999-12-31", 0.5),
        ("2021-09-02", None, 0.0), ("1990-01-01", "2021-04-30", 0.0),
        ("2021-05-02", None, None), ("1990-01-01", "2021-08-31", None), ("2021-06-01", "2021-07-01", None),
    ],
)  # fmt: skip
def test_what_was_in_force_counts(begins: str, ends: str | None, share: float | None) -> None:
    shapes = [rect(0, 0, 50, 100), rect(500, 0, 510, 10)]
    dates = {"valid_from": [begins, "1990-01-01"], "valid_to": [ends, None]}
    found = facts_against(HECTARE, shapes, number=["P-1", "P-2"], land_class=["01", "02"], **dates)
    if share is None:
        settles = "a scene from between 2021-05-01 and 2021-09-01 would settle it"
        reason = f"layer l: it depends on the day of the change; {settles}"
        assert unknown(found, *ALL) == {reason}
    else:
        assert found.values["l_share"] == about(share, 1e-6)
        assert found.values["l_distance_m"] == about(0 if share else 400, 0.001)


def test_a_permit_renewed_without_a_gap_covers_every_day() -> None:
    twice, ends = [HECTARE] * 2, ["2021-06-30", None]
    begins = ["1990-01-01", "2021-07-01"]
    renewed = facts_against(HECTARE, twice, number=["old", "new"], valid_from=begins, valid_to=ends)
    assert (renewed.values["l_share"], renewed.values["l_count"]) == (1.0, 1.0)
    unknown(renewed, "numbers")  # which of the two it was depends on the day
    begins = ["1990-01-01", "2021-07-02"]
    unknown(facts_against(HECTARE, twice, valid_from=begins, valid_to=ends), "share", "m2", "count")


def test_dominant_on_some_day_in_between_may_be_another() -> None:
    # A 3000 m² stays; B 5000 m² until 30 June; C 2000 m², of A's class, from May 15: with all in force A and C
    # draw level with B and win by the alphabet, and with what stays throughout A is alone. On 2 May B leads.
    found = facts_against(
        HECTARE,
        [rect(0, 0, 30, 100), rect(30, 0, 80, 100), rect(80, 0, 100, 100)],
        land_class=["01", "02", "01"],
        valid_from=["1990-01-01", "1990-01-01", "2021-05-15"],
        valid_to=[None, "2021-06-30", None],
    )
    unknown(found, "dominant")


def test_a_feature_that_says_not_since_when_it_holds_makes_doubt() -> None:
    said = "layer l: a feature has no valid_from, so nobody knows since when it holds; complete the layer"
    shapes = [rect(0, 0, 50, 100), rect(500, 0, 600, 100)]
    here = facts_against(HECTARE, shapes, valid_from=[None, "1990-01-01"])
    assert unknown(here, "share", "m2", "count", "distance_m") == {said}
    # One that lies elsewhere matters to the distance only; one that had run out by then, to nothing.
    elsewhere = facts_against(HECTARE, shapes, valid_from=["1990-01-01", None])
    assert elsewhere.values["l_share"] == about(0.5, 1e-6)
    unknown(elsewhere, "distance_m")
    ended = facts_against(HECTARE, shapes, valid_from=[None, "1990-01-01"], valid_to=["2021-04-30", None])
    assert (ended.values["l_share"], ended.values["l_distance_m"]) == (0.0, about(400, 0.001))


def test_dated_features_need_dated_scenes() -> None:
    changes = changes_of(HECTARE, before=None, after=None)
    dated = layer_of(changes, [rect(0, 0, 50, 100)], valid_from=["1990-01-01"])
    found = facts_of(changes, l=dated)[0]
    said = (
        "layer l: its features have dates, but the scenes' are not known; pass --before-date and --after-date"
    )
    assert unknown(found, *ALL) == {said}
    timeless = facts_of(changes, l=layer_of(changes, [rect(0, 0, 50, 100)]))[0]
    assert timeless.values["l_share"] == about(0.5, 1e-6)


@pytest.mark.parametrize("epsg", [4326, 4490, 4546, 4525, 32649, 3857])
def test_the_same_change_in_another_crs_has_the_same_facts(epsg: int) -> None:
    here, there = changes_of(HECTARE), changes_of(HECTARE, crs=CRS.from_epsg(epsg))
    shapes = [rect(50, 0, 150, 100), rect(0, 130, 10, 140)]
    one, other = (facts_of(changes, l=layer_of(changes, shapes))[0].values for changes in (here, there))
    for name in ("l_m2", "change_area_m2"):
        assert other[name] == about(float(one[name] or 0), 0.005)
    assert other["l_share"] == about(0.5, 1e-6)
    assert other["l_distance_m"] == one["l_distance_m"] == 0.0
    assert other["l_count"] == 1.0


FEATURES = st.lists(
    st.tuples(st.integers(-50, 120), st.integers(-50, 120), st.integers(1, 80), st.integers(1, 80)),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(cuts=st.sets(st.integers(1, 99), min_size=1, max_size=5), features=FEATURES)
def test_the_parts_of_a_change_sum_to_the_whole(cuts: set[int], features: list[tuple[int, ...]]) -> None:
    shapes = [rect(x, y, x + width, y + height) for x, y, width, height in features]
    parts = [rect(west, 0, east, 100) for west, east in pairwise([0, *sorted(cuts), 100])]
    changes = changes_of(HECTARE, *parts)  # the largest, the whole, comes first
    found = facts_of(changes, l=layer_of(changes, shapes, ["m2"]))
    whole, *rest = (float(facts.values["l_m2"] or 0) for facts in found)
    assert sum(rest) == about(whole, 0.002 * len(parts))
    # By hand: cells of a square meter.
    cells = np.zeros((300, 300), dtype=bool)
    for x, y, width, height in features:
        cells[y + 50 : y + 50 + height, x + 50 : x + 50 + width] = True
    assert whole == about(float(cells[50:150, 50:150].sum()), 0.005)


@settings(max_examples=40, deadline=None)
@given(
    features=FEATURES,
    seed=st.integers(0, 1000),
    classes=st.lists(st.sampled_from("ab"), min_size=8, max_size=8),
)
def test_the_order_of_features_changes_nothing(
    features: list[tuple[int, ...]], seed: int, classes: list[str]
) -> None:
    rows = [
        (rect(x, y, x + w, y + h), f"n{i}", classes[i], pd.Timestamp(2021, 4 + i, 1))
        for i, (x, y, w, h) in enumerate(features)
    ]
    mixed = random.Random(seed).sample(rows, len(rows))
    one, other = (_facts_of_rows(order) for order in (rows, mixed))
    assert one == other


def _facts_of_rows(rows: list[Any]) -> Facts:
    shapes, numbers, classes, begins = zip(*rows, strict=True) if rows else ([], [], [], [])
    return facts_against(HECTARE, shapes, number=numbers, land_class=classes, valid_from=begins)
