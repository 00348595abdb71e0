"""Vintages beside each other: each says what it says itself, and none is taken for what it is not."""

from datetime import date
from pathlib import Path

import pytest

from cases.store import CaseStore
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
