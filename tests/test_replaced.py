"""What goes on where a case was split or merged: later maps, reports and clocks find those that took its place."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cases.store import CaseStore
from cases.ticking import lights, tick
from cases.workflow import REPLACED
from spots import kept
from tests.cases_world import changes_of, rect
from tests.splits_world import (
    THIRDS,
    TO_REVIEW,
    cases,
    county,
    cut,
    file_of,
    is_whole,
    join,
    judge,
    url_of,
    walk,
)
from tests.test_cli import tiankan
from tests.test_splitting import land_of


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return county(tmp_path)


def joined(store: CaseStore, folder: Path, shape: Any) -> str:
    """The case that a later change over the same ground joins."""
    known = {change.id for change in store.changes().items}
    judge(store, folder, changes_of(shape, pair_id="later"))
    (new,) = (change for change in store.changes().items if change.id not in known)
    return str(new.case_id)


def test_a_later_map_finds_the_part_and_the_whole(store: CaseStore, tmp_path: Path) -> None:
    assert kept.REPLACED == REPLACED
    (whole,) = cases(store)
    parts = cut(store, whole.id).parts
    assert joined(store, tmp_path, rect(62, 0, 128, 98)) == parts[1].id
    again = join(store, parts[1].id, parts[2].id).whole
    assert joined(store, tmp_path, rect(61, 1, 199, 99)) == again.id
    assert len(cases(store)) == 5 and is_whole(store)


def clocks(store: CaseStore, case_id: str, at: datetime) -> dict[str, tuple[Any, ...]]:
    return {one.clock: (one.started, one.due, one.light) for one in lights(store, at, case_id=case_id)}


def test_a_cut_wins_no_time(store: CaseStore) -> None:
    (whole,) = cases(store)
    walk(store, whole.id, TO_REVIEW[0])
    later = whole.opened + timedelta(days=30)
    before = clocks(store, whole.id, later)
    assert before["first_check"][2] == "red"
    parts = cut(store, whole.id).parts
    assert [clocks(store, part.id, later) for part in parts] == [before] * 3
    own = cut(store, parts[0].id, rect(0, 0, 30, 100), rect(30, 0, 60, 100)).parts
    again = join(store, own[1].id, parts[1].id).whole
    assert clocks(store, own[0].id, later) == clocks(store, again.id, later) == before
    # What has ended runs no more.
    assert {light for _, _, light in clocks(store, whole.id, later).values()} <= {"green", "blue"}
    walk(store, again.id, TO_REVIEW[1])
    assert clocks(store, again.id, later)["first_check"][2] == "green"
    tick(store)
    assert tick(store).notices == {} and is_whole(store)


def test_a_merge_takes_the_clocks_of_whom_it_begins_like(tmp_path: Path) -> None:
    store = county(tmp_path, *THIRDS[1:])
    first, second = cases(store)
    walk(store, first.id, *TO_REVIEW[:2])
    later = first.opened + timedelta(days=30)
    assert clocks(store, first.id, later)["first_check"][2] == "green"
    late = clocks(store, second.id, later)
    assert late["first_check"][2] == "red"
    whole = join(store, first.id, second.id).whole
    assert whole.status == "suspected"
    assert clocks(store, whole.id, later) == late


def test_groups_of_land_that_are_a_countys_own(tmp_path: Path) -> None:
    """The plant counts as fields there; who does not say so gets classes and no groups."""
    (tmp_path / "land_classes.toml").write_text(
        'source = "own"\ncultivated = ["01", "06"]\nconstruction = ["05"]\n'
    )
    store = county(tmp_path)
    (whole,) = cases(store)
    parts = file_of(tmp_path, *THIRDS)
    who = ("--actor", "王芳", "--role", "county", "--reason", "r")
    first = cut(store, whole.id).parts[0]
    (land,) = land_of(store, first.id)
    assert land["class_m2"] == pytest.approx({"0103": 5000, "0601": 1000}, abs=0.01)
    assert land["group_mu"] is None and "groups" in land["unknown"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "land_classes.toml").write_text((tmp_path / "land_classes.toml").read_text())
    store = county(other)
    (whole,), db = cases(store), ("--db", url_of(store))
    code, _, err = tiankan(
        "cases", "split", whole.id, "--by", parts, *who, "--rules", other / "book.toml", *db
    )
    assert (code, err) == (0, "")
    own = land_of(store, *(case.id for case in cases(store)[1:]))
    assert [one["group_mu"]["cultivated"] for one in own] == [9.0, 10.5, 10.5]
