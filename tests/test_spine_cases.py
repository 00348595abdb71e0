"""Facts and rules against answers known by hand."""

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from cases.facts import Facts, measure, measure_crs
from cases.layers import Layer, LayerData, read_layer
from cases.rules import Condition, Rulebook, Verdict, in_force, judge, load_rulebooks
from cases.workflow import load_workflow
from detection import changes

UTM = CRS.from_epsg(32649)
EAST, NORTH = 600_000.0, 4_200_000.0
ROOT = Path(__file__).parent.parent


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A box in meters from the corner of the world."""
    return shapely.box(EAST + west, NORTH + south, EAST + east, NORTH + north)


def frame(
    *shapes: shapely.Polygon, before: str | None = "2020-05-01", after: str | None = "2021-05-01"
) -> Any:
    days = {
        "before": before and pd.Timestamp(before, tz="UTC"),
        "after": after and pd.Timestamp(after, tz="UTC"),
    }
    return changes.make(np.array(shapes), UTM, pair_id="0123456789abcdef", probability=0.9, **days)


def layer(
    measures: list[str], shapes: list[Any], folder: Path, coverage: str = "everywhere", **columns: Any
) -> Any:
    """A layer written to disk and read back in the CRS in which facts are measured."""
    gpd.GeoDataFrame({**columns, "k": range(len(shapes))}, geometry=shapes, crs=UTM).to_file(
        folder / "l.gpkg"
    )
    wanted = {name: name for name in columns}
    return Layer(title="l", path="l.gpkg", coverage=coverage, measures=measures, columns=wanted)


def facts(change_frame: Any, kind: Layer, folder: Path) -> list[Facts]:
    data: dict[str, LayerData] = {"l": read_layer(kind, folder, measure_crs(change_frame))}
    found = measure(change_frame, data, {"l": kind})
    return [found[change] for change in change_frame["change_id"]]


def test_overlaps_count_once_and_borders_count_nothing(tmp_path: Path) -> None:
    change = frame(box(0, 0, 100, 100))
    # Two halves that overlap by 20 m, and a neighbor that shares only a border.
    shapes = [box(0, 0, 60, 100), box(40, 0, 80, 100), box(100, 0, 200, 100)]
    kind = layer(["m2", "share", "count", "numbers", "dominant"], shapes, tmp_path, number=["B", "A", "C"])
    values = facts(change, kind, tmp_path)[0].values
    # 80 of 100 columns are covered; UTM stretches by less than 0.1 %.
    assert values["l_m2"] == pytest.approx(8_000, rel=1e-3)
    assert values["l_share"] == pytest.approx(0.8, abs=2e-6)
    assert (values["l_count"], values["l_numbers"], values["l_dominant"]) == (2.0, "A, B", "B")


def test_distance_and_coverage(tmp_path: Path) -> None:
    near, far = box(0, 0, 100, 100), box(5_000, 0, 5_050, 100)
    kind = layer(["distance_m", "share"], [box(130, 0, 200, 100)], tmp_path)
    one, two = facts(frame(near, far), kind, tmp_path)
    assert one.values["l_distance_m"] == pytest.approx(30, rel=1e-3)
    assert two.values["l_distance_m"] == pytest.approx(4_800, rel=1e-3)
    assert two.values["l_share"] == 0.0
    # Complete only inside its own box: outside it nothing is known, not even that there is nothing.
    one, two = facts(frame(near, far), kind.model_copy(update={"coverage": "bounds"}), tmp_path)
    assert (one.values["l_share"], two.values["l_share"]) == (None, None)
    assert two.why["l_share"] == "layer l does not cover the whole change"
    assert two.values["l_distance_m"] is None


def test_a_layer_that_is_not_in_hand_is_unknown() -> None:
    change = frame(box(0, 0, 10, 10))
    kind = Layer(title="l", path="none.gpkg", coverage="everywhere", measures=["share"])
    found = measure(change, {}, {"l": kind})[change["change_id"].iloc[0]]
    assert found.values["l_share"] is None
    assert found.why["l_share"] == "layer l is not in hand"


VALIDITY = [
    ("2019-01-01", "2022-01-01", 1.0),  # throughout
    ("2019-01-01", None, 1.0),
    ("2020-05-01", "2021-05-01", 1.0),  # exactly the two scenes' days
    ("2010-01-01", "2020-04-30", 0.0),  # ran out the day before the first scene
    ("2021-05-02", None, 0.0),  # granted the day after the second
    ("2020-12-01", None, None),  # granted in between: which came first?
    ("2010-01-01", "2020-12-01", None),
]


@pytest.mark.parametrize(("begins", "ends", "share"), VALIDITY)
def test_a_permit_counts_if_it_was_in_force_on_every_day(
    tmp_path: Path, begins: str, ends: str | None, share: float | None
) -> None:
    kind = layer(["share"], [box(-10, -10, 110, 110)], tmp_path, valid_from=[begins], valid_to=[ends or ""])
    found = facts(frame(box(0, 0, 100, 100)), kind, tmp_path)[0]
    assert found.values["l_share"] == share
    if share is None:
        assert "a scene from between 2020-05-01 and 2021-05-01 would settle it" in found.why["l_share"]


def test_dated_layers_need_dated_scenes(tmp_path: Path) -> None:
    kind = layer(["share"], [box(0, 0, 100, 100)], tmp_path, valid_from=["2010-01-01"])
    found = facts(frame(box(0, 0, 100, 100), before=None, after=None), kind, tmp_path)[0]
    assert found.values["l_share"] is None
    assert "--before-date" in found.why["l_share"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_shares_of_a_partition_sum_to_one_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], shuffle: Any
) -> None:
    folder = tmp_path_factory.mktemp("partition")
    edges = [0, *sorted(cuts), 100]
    parts = [box(a, 0, b, 100) for a, b in pairwise(edges)]
    shuffle.shuffle(parts)
    total = 0.0
    for part in parts:
        kind = layer(["share"], [part], folder)
        value = facts(frame(box(0, 0, 100, 100)), kind, folder)[0].values["l_share"]
        assert isinstance(value, float)
        total += value
    assert total == pytest.approx(1, abs=1e-5)


CONDITIONS = [
    ({"min": 0.95}, 0.95, True), ({"min": 0.95}, 0.949999, False), ({"max": 3}, 3.0, True), ({"max": 3}, None, None),
    ({"min": 1, "max": 2}, 2.5, False), ({"any_of": ["a", "b"]}, "b", True), ({"any_of": ["a"]}, "c", False),
    ({"any_of": ["a"]}, 1.0, None), ({"min": 1}, "a", None), ({"min": 1}, float("nan"), None),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "fact", "answer"), CONDITIONS)
def test_a_condition_is_true_false_or_unknown(asked: dict[str, Any], fact: Any, answer: bool | None) -> None:
    assert Condition(**asked).holds(fact) is answer


def book(*rules: dict[str, Any]) -> Rulebook:
    last = {"id": "LAST", "verdict": "suspected_violation", "basis": "b", "when": {}}
    ready = [{"basis": "b", "verdict": "lawful", **rule} for rule in rules]
    head = {"title": "t", "jurisdiction": "x", "effective_from": date(2020, 1, 1)}
    return Rulebook.model_validate({**head, "rule": [*ready, last]})


def said(values: dict[str, Any], *rules: dict[str, Any]) -> tuple[str, str, list[str]]:
    judgement = judge(Facts(values, {name: "why" for name, v in values.items() if v is None}), book(*rules))
    return judgement.verdict, judgement.rule_id, sorted(judgement.missing)


def test_the_first_rule_that_holds_decides_and_unknown_is_doubt() -> None:
    a = {"id": "A", "when": {"l_share": {"min": 0.5}}}
    b = {"id": "B", "when": {"l_share": {"min": 0.1}, "k_share": {"min": 0.5}}}
    assert said({"l_share": 0.6, "k_share": None}, a, b) == ("lawful", "A", [])
    assert said({"l_share": 0.2, "k_share": 0.9}, a, b) == ("lawful", "B", [])
    # One false condition settles a rule, however much else is unknown.
    assert said({"l_share": 0.0, "k_share": None}, a, b) == ("suspected_violation", "LAST", [])
    assert said({"l_share": 0.2, "k_share": None}, a, b) == ("doubt", "B", ["k_share"])
    assert said({"l_share": None, "k_share": 0.9}, a, b) == ("doubt", "A", ["l_share"])
    assert said({}, a) == ("doubt", "A", ["l_share"])


def test_a_judgement_keeps_all_that_it_looked_at() -> None:
    values = {"l_share": 0.0, "l_numbers": "P-7", "other_m2": 5.0}
    judgement = judge(Facts(values), book({"id": "A", "when": {"l_share": {"min": 0.5}}}))
    assert judgement.seen == {"l_share": 0.0, "l_numbers": "P-7"}
    assert judgement.basis == "b"


def test_the_law_in_force_on_the_day_judges() -> None:
    old, new = book(), replace_date(book(), date(2024, 1, 1))
    assert in_force([old, new], date(2023, 12, 31)) is old
    assert in_force([old, new], date(2024, 1, 1)) is new
    assert in_force([old, new], None) is new
    assert in_force([old, new], date(2019, 12, 31)) is None
    judgement = judge(Facts({}), None)
    assert (judgement.verdict, judgement.rule_id) == (Verdict.DOUBT, "NO-RULEBOOK-IN-FORCE")


def replace_date(rules: Rulebook, day: date) -> Rulebook:
    return rules.model_copy(update={"effective_from": day})


NATIONAL: list[tuple[dict[str, Any], str, str]] = [
    ({"change_area_m2": 80.0}, "other", "SLIVER"),
    ({"approvals_share": 0.95}, "lawful", "APPROVED"),
    ({"approvals_share": 0.94}, "suspected_violation", "UNEXPLAINED"),
    ({"approvals_share": None}, "doubt", "APPROVED"),
    ({"registrations_share": 1.0}, "lawful", "REGISTERED"),
    ({"facilities_share": 0.97}, "facility", "FACILITY"),
    ({"temporary_use_share": 0.99}, "temporary", "TEMPORARY"),
    ({"temporary_use_share": None}, "doubt", "TEMPORARY"),
    ({"basic_farmland_m2": 100.0}, "suspected_violation", "BASIC-FARMLAND"),
    ({"basic_farmland_m2": 99.0}, "suspected_violation", "UNEXPLAINED"),
    ({"basic_farmland_m2": 500.0, "approvals_share": 1.0}, "lawful", "APPROVED"),
    ({"basic_farmland_m2": 500.0, "facilities_share": None}, "doubt", "FACILITY"),
    ({"protected_areas_share": 0.01}, "suspected_violation", "PROTECTED-AREA"),
    ({"redline_m2": 250.0}, "suspected_violation", "REDLINE"),
    ({"redline_m2": None}, "doubt", "REDLINE"),
    ({}, "suspected_violation", "UNEXPLAINED"),
]


@pytest.mark.parametrize(("given_facts", "verdict", "rule"), NATIONAL)
def test_the_national_rulebook(given_facts: dict[str, Any], verdict: str, rule: str) -> None:
    nothing: dict[str, Any] = {"change_area_m2": 5_000.0, "basic_farmland_m2": 0.0, "redline_m2": 0.0}
    for name in ("approvals", "registrations", "facilities", "temporary_use", "protected_areas"):
        nothing[f"{name}_share"] = 0.0
    judgement = judge(Facts(nothing | given_facts), load_rulebooks(ROOT / "cases" / "rulebook")[0])
    assert (judgement.verdict, judgement.rule_id) == (verdict, rule)


def test_no_machine_can_say_violation() -> None:
    assert "violation" not in set(Verdict)
    assert "violation" in load_workflow().statuses
    assert all(move.to != "violation" or move.roles == ["province"] for move in load_workflow().moves)
