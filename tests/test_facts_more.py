"""Nearest features, attributes, states of a map, and that blocks and threads change nothing."""

from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.errors import GEOSException

from cadastre import overlay
from cadastre.crossing import MANY, cross, features_of
from cadastre.facts import Facts, measure
from cadastre.layers import LayerData, State
from tests.cases_world import changes_of, facts_of, layer_of, rect

HECTARE = rect(0, 0, 100, 100)
# The scenes are of 2021-05-01 and 2021-09-01.


def told(data: LayerData, changes: gpd.GeoDataFrame) -> Facts:
    found = facts_of(changes, l=data)[0]
    return Facts(found.values, {name: said for name, said in found.why.items() if name.startswith("l_")})


def nearest_of(shapes: Any, **more: Any) -> Facts:
    changes = changes_of(HECTARE)
    return told(layer_of(changes, shapes, ["nearest", "distance_m"], **more), changes)


def test_the_nearest_feature_by_number() -> None:
    shapes = [rect(150, 0, 250, 100), rect(0, 112.5, 10, 120)]
    found = nearest_of(shapes, number=["far", "near"])
    assert found.values["l_nearest"] == "near"
    assert found.values["l_distance_m"] == pytest.approx(12.5, abs=0.001)
    assert nearest_of([]).values["l_nearest"] == ""
    inside = [rect(10, 10, 20, 20), rect(50, 50, 60, 60), rect(1, 1, 2, 2)]
    assert nearest_of(inside, number=["b", "a", None]).values["l_nearest"] == "a"  # a draw goes by number
    nameless = nearest_of([shapes[1]])
    assert nameless.values["l_nearest"] is None
    assert nameless.why == {"l_nearest": "layer l: the nearest has no number"}


def test_the_nearest_depends_on_the_day() -> None:
    shapes = [rect(150, 0, 250, 100), rect(0, 112.5, 10, 120)]
    later = ["1990-01-01", "2021-06-01"]
    found = nearest_of(shapes, number=["far", "near"], valid_from=later)
    assert (found.values["l_nearest"], found.values["l_distance_m"]) == (None, None)
    assert found.why["l_nearest"].startswith("layer l: it depends on the day of the change")
    # As far off on every day, but another.
    relay = {"valid_from": ["1990-01-01", "2021-07-01"], "valid_to": ["2021-06-30", None]}
    found = nearest_of([shapes[0]] * 2, number=["old", "new"], **relay)
    assert (found.values["l_nearest"], found.values["l_distance_m"]) == (None, pytest.approx(50, abs=0.001))


def test_the_nearest_may_lie_beyond_the_layer() -> None:
    found = nearest_of([rect(150, 0, 160, 100)], number=["P"], covers=rect(-30, -30, 130, 130))
    reason = "layer l: it ends nearer to the change than its nearest feature lies"
    assert (found.values["l_nearest"], found.why["l_nearest"]) == (None, reason)


def with_owners(changes: gpd.GeoDataFrame, shapes: Any, owners: list[str | None], **more: Any) -> LayerData:
    data = layer_of(changes, shapes, **more)
    layer = data.layer.model_copy(update={"attributes": {"owner": "QLR"}, "measures": ["dominant_owner"]})
    frame = data.frame.assign(attribute_owner=np.array(owners, dtype=object))
    return data.model_copy(update={"layer": layer, "frame": frame})


@pytest.mark.parametrize(
    ("shapes", "owners", "owner"),
    [
        # Two of 30 ares are Li's together, but the one feature that covers most is Wang's.
        ([rect(0, 0, 30, 100), rect(30, 0, 60, 100), rect(60, 0, 100, 100)], ["Li", "Li", "Wang"], "Wang"),
        ([rect(0, 0, 50, 100), rect(50, 0, 100, 100)], ["Zhao", "Li"], "Zhao"),  # a draw goes by number
        ([rect(0, 0, 40, 100), rect(40, 0, 100, 100)], ["Li", None], None),
        ([rect(500, 0, 600, 100)], ["Li"], ""),
        ([], [], ""),
    ],
)
def test_the_attribute_of_the_dominant_feature(shapes: Any, owners: Any, owner: str | None) -> None:
    changes = changes_of(HECTARE)
    found = told(with_owners(changes, shapes, owners, number=list("abc")[: len(shapes)]), changes)
    assert found.values["l_dominant_owner"] == owner
    assert ("l_dominant_owner" in found.why) == (owner is None)
    if owner is None:
        assert found.why["l_dominant_owner"] == "layer l: what covers most has no owner"


def with_states(changes: gpd.GeoDataFrame, *states: tuple[str | None, str | None, Any]) -> LayerData:
    days = [tuple(day and date.fromisoformat(day) for day in state[:2]) for state in states]
    areas = [
        s[2] if s[2] is None else shapely.union_all(layer_of(changes, [s[2]]).frame.geometry.to_numpy())
        for s in states
    ]
    begins = [(day[0] or date(1900, 1, 1)).isoformat() for day in days]
    ends = [day[1] and day[1].isoformat() for day in days]
    # Each state shows the western half.
    halves = [rect(0, 0, 50, 100)] * len(states)
    data = layer_of(changes, halves, ["share", "distance_m"], valid_from=begins, valid_to=ends)
    given = tuple(State(*day, area) for day, area in zip(days, areas, strict=True))
    return data.model_copy(update={"states": given})


WIDE, NARROW = rect(-10, -10, 110, 110), rect(0, 0, 100, 99)


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([(None, None, None)], None),
        ([("2021-05-01", "2021-09-01", WIDE)], None),
        ([("2020-01-01", "2021-06-30", WIDE), ("2021-07-01", None, None)], None),
        ([("2021-05-02", None, None)], "layer l says nothing of 2021-05-01"),
        ([("2020-01-01", "2021-08-31", None)], "layer l says nothing of 2021-09-01"),
        ([("2020-01-01", "2021-06-30", None), ("2021-07-02", None, None)], "layer l says nothing of 2021-07-01"),
        ([("2020-01-01", "2021-06-30", WIDE), ("2021-07-01", None, NARROW)],
         "layer l does not cover the whole change on 2021-07-01"),
        ([(None, None, NARROW)], "layer l does not cover the whole change"),
        ([(None, None, NARROW), (None, None, WIDE)], None),
    ],
)  # fmt: skip
def test_a_map_speaks_of_the_days_of_its_states(states: Any, why: str | None) -> None:
    changes = changes_of(HECTARE)
    found = told(with_states(changes, *states), changes)
    expected = (None, None) if why else (0.5, 0.0)
    assert (found.values["l_share"], found.values["l_distance_m"]) == expected
    assert found.why == ({"l_share": why, "l_distance_m": why} if why else {})


def test_a_state_that_ends_near_by_leaves_the_distance_unknown() -> None:
    changes = changes_of(rect(80, 0, 90, 10))  # 30 m east of the western half
    wide, narrow = rect(-100, -100, 300, 300), rect(60, -20, 110, 30)
    first, then = ("2020-01-01", "2021-06-30"), ("2021-07-01", None)
    whole = told(with_states(changes, (*first, wide), (*then, wide)), changes)
    assert whole.values["l_distance_m"] == pytest.approx(30, abs=0.001)
    ends = told(with_states(changes, (*first, wide), (*then, narrow)), changes)
    assert (ends.values["l_distance_m"], ends.values["l_share"]) == (None, 0.0)


def test_states_with_days_need_dated_scenes() -> None:
    changes = changes_of(HECTARE, before=None, after=None)
    found = told(with_states(changes, ("2020-01-01", None, None)), changes)
    assert "the scenes' are not known" in found.why["l_share"]


def test_only_what_is_wanted_is_measured() -> None:
    changes = changes_of(HECTARE)
    data = layer_of(changes, [rect(0, 0, 50, 100)])
    found = measure(changes, {"l": data}, {"l": data.layer}, wanted={"l_share", "change_class"})
    assert set(found.columns) == {"l_share", "change_class"}
    assert [facts.values["l_share"] for facts in found.values()] == [0.5]


RNG = np.random.default_rng(7)
CROWD = [
    rect(x, y, x + w, y + h)
    for x, y, w, h in zip(
        RNG.integers(-60, 300, 400), RNG.integers(-60, 300, 400), RNG.integers(1, 60, 400),
        RNG.integers(1, 60, 400), strict=True,
    )
]  # fmt: skip


@pytest.mark.parametrize(("block", "threads"), [(1, 2), (7, 1), (16, 3), (4096, 1)])
def test_blocks_and_threads_change_no_bit(block: int, threads: int) -> None:
    changes = changes_of(*CROWD[:60])
    data = layer_of(changes, CROWD[60:])
    features = features_of(data)
    shapes = shapely.set_precision(data.frame.geometry.to_numpy()[:60], 0.5)
    one, other = cross(shapes, features), cross(shapes, features, block, threads)
    for name in ("change", "feature", "area_m2", "overlapping"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


@settings(max_examples=30, deadline=None)
@given(side=st.integers(2, 9), extra=st.booleans(), at=st.tuples(st.integers(0, 90), st.integers(0, 90)))
def test_overlaps_among_many_and_few_pieces(side: int, extra: bool, at: tuple[int, int]) -> None:
    """A tiling of the hectare, with or without a meter square more: few pieces are paired, many asked of a tree."""
    cuts = np.linspace(0, 100, side + 1)
    tiles = [rect(w, s, w + 100 / side, s + 100 / side) for w in cuts[:-1] for s in cuts[:-1]]
    assert (side**2 > MANY) == (side > 5)
    extras = [rect(at[0], at[1], at[0] + 1, at[1] + 1)] if extra else []
    changes = changes_of(HECTARE)
    data = layer_of(changes, tiles + extras, ["m2", "share", "count"])
    assert told(data, changes).values["l_m2"] == pytest.approx(10_000, abs=0.002)
    assert told(data, changes).values["l_count"] >= side**2 + extra


def test_a_shape_that_cannot_be_cut_as_drawn_is_cut_on_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = shapely.intersection
    asked: list[float | None] = []

    def fails(one: Any, other: Any, grid_size: float | None = None) -> Any:
        if isinstance(one, np.ndarray) or grid_size is None or grid_size < 1e-5:
            asked.append(grid_size)
            raise GEOSException("TopologyException: found non-noded intersection")
        return exact(one, other, grid_size=grid_size)

    monkeypatch.setattr(overlay.shapely, "intersection", fails)
    one = np.array([shapely.box(0, 0, 2, 2)] * 2)
    found = overlay.intersection(one, np.array([shapely.box(1, 1, 3, 3), shapely.box(0, 0, 1, 1)]))
    assert shapely.area(found).tolist() == [1.0, 1.0]
    assert asked == [None, None, None, 1e-7, None, None, 1e-7]
