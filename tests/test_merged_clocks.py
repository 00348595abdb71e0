"""Clocks after a merge: nothing that ran for one of the cases begins anew because a newer one lay beside it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cases import inherited
from cases.store import CaseStore
from cases.ticking import lights, tick
from cases.workflow import load_workflow
from clocks.running import Moved
from tests.cases_world import lonlat_changes, new_store, put
from tests.splits_world import cases, is_whole, join
from tests.test_overdue import counted
from tests.test_ticking import moment, move, opened

ROAD = load_workflow()
PHOTO = {"photo": "p", "field_evidence": "f"}


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def beside(store: CaseStore, old: str, **more: Any) -> str:
    """A case of now, 2 m from an old one."""
    _, south, east, north = store.case(old).bbox
    put(store, lonlat_changes((east + 2e-5, south, east + 1e-3, north), pair_id="later", **more))
    return cases(store)[-1].id


def running(store: CaseStore, case_id: str, at: datetime) -> dict[str, tuple[str, str, str]]:
    return {
        one.clock: (f"{one.started:%Y-%m-%d}", f"{one.due}", one.light)
        for one in lights(store, at, case_id=case_id)
        if one.light in ("yellow", "red")
    }


@pytest.mark.parametrize("kind", ["vegetation_loss", "vegetation_gain"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_fresh_case_beside_an_old_one_wins_no_time(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch, order: int, kind: str
) -> None:
    (old,) = opened(store, 1, "2024-03-04", monkeypatch)
    before = running(store, old, moment("2024-05-01"))
    assert before["first_check"] == ("2024-03-04", "2024-03-07", "red") and len(before) == 5
    new = beside(store, old, change_class=kind)
    whole = join(store, *[old, new][::order]).whole
    assert whole.status == ("doubt" if kind == "vegetation_gain" else "suspected")
    now = whole.opened + timedelta(minutes=1)
    assert running(store, whole.id, now) == before
    tick(store)
    assert {(one.clock, one.level) for one in lights(store, case_id=whole.id) if one.level} == {
        ("first_check", "province"), ("settled", "city"), ("month_clear", "province"),
    }  # fmt: skip
    assert counted(store, now)[0].number == 1 and is_whole(store)


def test_what_was_done_for_the_old_one_is_to_be_done_for_the_whole(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = opened(store, 1, "2024-03-04", monkeypatch)
    move(store, old, "field_check", "2024-03-04")
    move(store, old, "proven", "2024-03-05", **PHOTO)
    new = beside(store, old)
    whole = join(store, new, old).whole
    assert whole.status == "suspected"
    now = whole.opened + timedelta(minutes=1)
    assert {clock: line[0] for clock, line in running(store, whole.id, now).items()} == dict.fromkeys(
        ("assigned", "first_check", "feedback", "settled", "month_clear"), "2024-03-04"
    )


def line(to: str, on: str, **evidence: str) -> Moved:
    return Moved(to, moment(f"2024-03-{on}"), evidence, stayed=bool(evidence))


def lines(*steps: tuple[str, str]) -> list[Moved]:
    return [line(*step) for step in steps]


OLD = (
    ("suspected", "04"),
    ("field_check", "05"),
    ("proven", "06"),
    ("city_review", "07"),
    ("returned", "11"),
)
AGAIN = (("field_check", "12"), ("proven", "12"), ("city_review", "13"))
RAN = (("doubt", "01"), ("field_check", "01"), ("lawful", "02"))


@pytest.mark.parametrize(
    ("several", "begun", "steps"),
    [
        # A reopened case begins when it was reopened; what ran before stays told.
        ([(*RAN, ("doubt", "20")), [("suspected", "10")]], "suspected", [("suspected", "10")]),
        ([(*RAN, ("doubt", "20")), [("suspected", "25")]], "doubt", [*RAN, ("doubt", "20")]),
        # Led back before the other began: its first check runs from there.
        ([OLD, [("suspected", "12"), ("field_check", "13")]], "returned", list(OLD)),
        # Led back while the other's first check ran on.
        ([OLD, [("suspected", "08"), ("field_check", "09")]], "returned", list(OLD[:2])),
        # The other began first, and was assigned as the returned one was.
        ([OLD, [("suspected", "01"), ("field_check", "02"), ("proven", "03")]], "returned",
         [("suspected", "01"), ("field_check", "02")]),
        # At an objection no clock runs, however old it is.
        ([(*RAN, ("objection", "03")), [("doubt", "20")]], "doubt", [("doubt", "20")]),
        ([(*RAN, ("objection", "03")), (*RAN, ("objection", "05"))], "objection", [*RAN, ("objection", "03")]),
        # Alike in age: the one that stands where the whole begins.
        ([[("suspected", "04"), ("field_check", "04")], [("suspected", "04")]], "suspected", [("suspected", "04")]),
        # Led back and proven anew, both beyond: nothing of it runs.
        ([[*OLD, *AGAIN], [("suspected", "08"), *AGAIN]], "city_review", [*OLD, *AGAIN]),
    ],
)  # fmt: skip
def test_whose_clocks_go_on(
    several: list[list[tuple[str, str]]], begun: str, steps: list[tuple[str, str]]
) -> None:
    for one in (several, several[::-1]):
        found = inherited._together([lines(*each) for each in one], begun, ROAD)
        assert [(moved.to, f"{moved.at:%d}") for moved in found] == steps


def test_a_new_deadline_is_kept() -> None:
    old = [*lines(*OLD[:2]), line("field_check", "06", extension="e")]
    assert inherited._together([old, lines(("doubt", "20"))], "doubt", ROAD) == [old[0], old[2]]
    assert inherited._together([], "doubt", ROAD) == []
