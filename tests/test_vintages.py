"""Vintages beside each other: each says what it says itself, and none is taken for what it is not."""

from datetime import date
from pathlib import Path

import pytest

from cases.store import CaseStore
from ground.errors import BadInput
from tests.cases_world import new_store, rect
from tests.registry_world import CHANGE, brought, facts_known, half, layer, written

FAR = rect(5000, 5000, 5100, 5100)
DATED = {"number": "no", "valid_from": "begin", "valid_to": "end"}


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def test_entries_with_fewer_columns_leave_the_list_its_dates(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [CHANGE], no=["T1"], begin=["2018-01-01"], end=["2019-12-31"])
    written(tmp_path, "b.gpkg", [FAR], no=["T2"], begin=["2021-01-01"])
    brought(store, tmp_path, layer("a.gpkg", columns=DATED), "2021-01-01")
    fewer = {"number": "no", "valid_from": "begin"}
    brought(store, tmp_path, layer("b.gpkg", columns=fewer), "2021-11-01", more=True)
    assert facts_known(store, "2021-11-02").values["permits_share"] == 0.0


def test_entries_without_dates_hold_always_and_dated_ones_owe_them(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [half(True)], no=["T1"], begin=[None], end=["2029-12-31"])
    written(tmp_path, "b.gpkg", [half(False)], no=["T2"])
    brought(store, tmp_path, layer("b.gpkg"), "2021-01-01")
    brought(store, tmp_path, layer("a.gpkg", columns=DATED), "2021-02-01", more=True)
    assert facts_known(store, "2021-01-02").values["permits_share"] == 0.5
    assert "no valid_from" in facts_known(store, "2021-11-02").why["permits_share"]


def test_a_map_without_classes_leaves_the_older_one_its_own(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [CHANGE], no=["P1"], c=["0601"])
    written(tmp_path, "b.gpkg", [CHANGE], no=["P2"])
    said = {"kind": "map", "measures": ["dominant"]}
    classed = {"number": "no", "land_class": "c"}
    brought(
        store, tmp_path, layer("a.gpkg", columns=classed, **said), "2021-01-01", state_of=date(2020, 1, 1)
    )
    brought(store, tmp_path, layer("b.gpkg", **said), "2022-01-01", state_of=date(2021, 12, 31))
    assert facts_known(store, "2022-02-01").values["permits_dominant"] == "0601"


def numbers(store: CaseStore, known: str) -> object:
    return facts_known(store, known).values["permits_numbers"]


def test_a_whole_list_again_keeps_what_was_added_to_it(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [half(True)], no=["A"])
    written(tmp_path, "b.gpkg", [half(False)], no=["B"])
    brought(store, tmp_path, layer("a.gpkg"), "2021-01-01")
    brought(store, tmp_path, layer("b.gpkg"), "2021-02-01", more=True)
    assert not brought(store, tmp_path, layer("a.gpkg"), "2021-03-01").is_new
    assert not brought(store, tmp_path, layer("b.gpkg"), "2021-03-01", more=True).is_new
    assert numbers(store, "2021-03-02") == "A, B"
    # A new whole list leaves out what was added; added anew it counts anew.
    brought(store, tmp_path, layer("a.gpkg", note="new"), "2021-04-01")
    assert numbers(store, "2021-04-02") == "A"
    assert brought(store, tmp_path, layer("b.gpkg"), "2021-05-01", more=True).is_new
    assert numbers(store, "2021-05-02") == "A, B"


def test_a_map_corrected_back_is_corrected_back(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "x.gpkg", [CHANGE], no=["X"])
    written(tmp_path, "y.gpkg", [CHANGE], no=["Y"])
    for name, known in (("x.gpkg", "2021-01-01"), ("y.gpkg", "2021-02-01"), ("x.gpkg", "2021-03-01")):
        shown = brought(store, tmp_path, layer(name, kind="map"), known, state_of=date(2020, 1, 1))
        assert shown.is_new
    assert numbers(store, "2021-03-02") == "X"


def test_a_coverage_that_shrank_is_new(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [FAR], no=["A"])
    written(tmp_path, "cov.gpkg", [rect(-9000, -9000, 9000, 9000)])
    described = layer("a.gpkg", coverage="cov.gpkg")
    brought(store, tmp_path, described, "2021-01-01")
    assert not brought(store, tmp_path, described, "2021-01-02").is_new
    assert facts_known(store, "2021-01-02").values["permits_share"] == 0.0
    written(tmp_path, "cov.gpkg", [rect(4000, 4000, 9000, 9000)])
    assert brought(store, tmp_path, described, "2021-02-01").is_new
    assert facts_known(store, "2021-02-02").values["permits_share"] is None


def test_entries_without_a_list_are_refused(store: CaseStore, tmp_path: Path) -> None:
    written(tmp_path, "a.gpkg", [FAR], no=["A"])
    with pytest.raises(BadInput, match="no whole list known by 2021-01-01"):
        brought(store, tmp_path, layer("a.gpkg"), "2021-01-01", more=True)
    brought(store, tmp_path, layer("a.gpkg"), "2021-02-01")
    with pytest.raises(BadInput, match="leave --more away if this is it"):
        brought(store, tmp_path, layer("a.gpkg"), "2021-01-31", more=True)


@pytest.mark.parametrize("first", ["map", "register"])
def test_a_layer_stays_of_its_kind(store: CaseStore, tmp_path: Path, first: str) -> None:
    written(tmp_path, "a.gpkg", [FAR], no=["A"])
    then = "map" if first == "register" else "register"
    brought(store, tmp_path, layer("a.gpkg", kind=first), "2021-01-01", state_of=date(2020, 1, 1))
    with pytest.raises(BadInput, match=f"is a {first} in the registry and cannot become a {then}"):
        brought(store, tmp_path, layer("a.gpkg", kind=then), "2021-02-01", state_of=date(2020, 1, 1))


@pytest.mark.parametrize(
    ("begin", "end", "expires", "why"),
    [
        ("2022-01-01", "2020-01-01", False, "ends before it begins"),
        ("2003-01-01", None, True, "has no valid_to"),
        ("2003-01-01", None, False, None),
        ("2022-01-01", None, True, None),
    ],
)
def test_a_feature_whose_end_is_wrong_or_owed_is_no_no(
    store: CaseStore, tmp_path: Path, begin: str, end: str | None, expires: bool, why: str | None
) -> None:
    written(
        tmp_path, "a.gpkg", [CHANGE, FAR], no=["T", "F"], begin=[begin, "2000-01-01"], end=[end, "2029-01-01"]
    )
    said = {"measures": ["share", "numbers", "distance_m"], "expires": expires}
    brought(store, tmp_path, layer("a.gpkg", columns=DATED, **said), "2021-01-01")
    facts = facts_known(store, "2022-02-01")
    for name in ("permits_share", "permits_numbers", "permits_distance_m"):
        assert (why or "") in facts.why.get(name, "")
        assert (facts.values[name] is None) == (why is not None or (name.endswith("_m") and expires)), name
