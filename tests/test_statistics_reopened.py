"""A violation that had ended stands in the figures of its own year while its case is looked at anew."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely

from cases import splitting
from cases.store import CaseFilter, CaseStore
from reports.case_data import case_data
from reports.case_pdf import chips_of
from reports.case_sheet import sheet_of
from reports.reopened import reopenings
from reports.statistics import Statistics, statistics
from reports.words import Language, Words
from tests.cases_world import AUDITOR, ROAD, new_store
from tests.splits_world import AT_WORK
from tests.spots_world import WAY, box, bring, day, seen
from tests.test_reported import tell

MU = 15.0
"""A square of 100 m."""


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = new_store(tmp_path)
    seen(made, box(0, 0, 100), pair_id="one", region="140105")
    return made


def now() -> datetime:
    return datetime.now(UTC)


def only(store: CaseStore) -> Any:
    (case,) = store.cases(CaseFilter()).items
    return case


def parts(found: Statistics) -> dict[str, int]:
    return {one.part: one.number for one in found.figures if not one.region and one.number}


def again(store: CaseStore, to: str) -> None:
    """The review of the new round, now."""
    for status, role, brought in WAY[to]:
        actor = AUDITOR if role == "legal" else "李伟"
        store.move(only(store).id, status, ROAD, actor=actor, role=role, evidence=brought)


@pytest.mark.parametrize("end", ["closed", "signed_off"])
def test_a_call_does_not_take_a_closed_violation_out_of_the_figures(store: CaseStore, end: str) -> None:
    bring(store, only(store).id, end)
    before = statistics(store, now())
    assert parts(before) == {"all": 1, "violation": 1}
    tell(store, 50, 50, at=day("10-01"))
    assert only(store).status == "doubt"
    found = statistics(store, now())
    assert (found.figures, found.rectification, found.shares, found.by_use) == (
        before.figures, before.rectification, before.shares, before.by_use,
    )  # fmt: skip
    assert {one.part: one.number for one in found.review if not one.region} == {
        "passed": 0, "not_yet": 1, "pending": 0, "returned": 0,
    }  # fmt: skip
    store.move(only(store).id, "field_check", ROAD, actor="李伟", role="county", evidence={})
    assert parts(statistics(store, now())) == {"all": 1, "violation": 1}


def test_a_rebound_leaves_it_in_its_own_year_on_its_own_outline(store: CaseStore) -> None:
    bring(store, only(store).id, "closed")
    closed = now()
    before = statistics(store, closed)
    seen(store, box(0, 0, 200, 100), pair_id="two", between=("12-01", "12-31"), region="140105")
    assert only(store).status == "suspected"
    found = statistics(store, now())
    assert found.figures == before.figures
    assert next(one for one in found.figures if one.part == "violation").monitored_mu == pytest.approx(
        MU, abs=0.05
    )
    spring = statistics(store, now(), first=date(2025, 1, 1), last=date(2025, 6, 30))
    assert parts(spring) == {"all": 1, "violation": 1}
    assert statistics(store, closed) == before
    # A person finds in the new round: it is that finding's, on the outline that was found.
    again(store, "lawful")
    assert parts(statistics(store, now())) == {"all": 1, "lawful": 1}
    (lawful,) = [one for one in statistics(store, now()).figures if (one.part, one.region) == ("lawful", "")]
    assert lawful.monitored_mu == pytest.approx(2 * MU, abs=0.1)
    store.move(only(store).id, "objection", ROAD, actor="李伟", role="county", evidence={"reason": "r"})
    assert parts(statistics(store, now())) == {"all": 1, "suspected": 1}


def test_a_violation_that_had_not_ended_is_none_once_it_is_objected_to(store: CaseStore) -> None:
    bring(store, only(store).id, "violation")
    store.move(only(store).id, "objection", ROAD, actor="李伟", role="county", evidence={"reason": "r"})
    assert parts(statistics(store, now())) == {"all": 1, "suspected": 1}


def test_found_again_it_stands_as_it_is_found_and_reopened_again_as_it_ended_last(store: CaseStore) -> None:
    bring(store, only(store).id, "signed_off")
    tell(store, 50, 50, at=day("10-01"))
    again(store, "violation")
    (open_one,) = [one for one in statistics(store, now()).rectification if not one.region]
    assert (open_one.number, open_one.share) == (1, 1.0)
    for status, role, brought in WAY["signed_off"][len(WAY["violation"]) :]:
        store.move(only(store).id, status, ROAD, actor="李伟", role=role, evidence=brought)
    tell(store, 50, 50, at=now(), note="again")
    assert only(store).status == "doubt"
    (made_good,) = [one for one in statistics(store, now()).rectification if not one.region]
    assert (made_good.number, made_good.share) == (1, 0.0)


def test_what_was_found_lawful_is_looked_at_as_before(store: CaseStore) -> None:
    bring(store, only(store).id, "lawful")
    seen(store, box(0, 0, 200, 100), pair_id="two", between=("06-01", "07-01"), region="140105")
    assert parts(statistics(store, now())) == {"all": 1, "suspected": 1}


def test_the_parts_of_a_reopened_case_stand_as_it_did(store: CaseStore) -> None:
    bring(store, only(store).id, "closed")
    tell(store, 50, 50, at=day("10-01"))
    whole = only(store)
    west, south, east, north = whole.bbox
    middle = (west + east) / 2
    halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    splitting.split(store, whole.id, halves, ROAD, **AT_WORK)
    found = statistics(store, now())
    assert parts(found) == {"all": 2, "violation": 2}
    assert next(one for one in found.figures if one.part == "violation").monitored_mu == pytest.approx(
        MU, abs=0.05
    )


def test_page_one_says_that_it_was_reopened(store: CaseStore) -> None:
    bring(store, only(store).id, "closed", on="05-01")
    tell(store, 50, 50, at=day("10-01"))
    data = case_data(store, only(store).id, ROAD)
    ((event, led),) = reopenings(data.events)
    assert (event.from_status, event.kind, led and led.at) == ("closed", "new_look", day("05-01"))
    chips = chips_of(data.outline, data.scenes)
    (line,) = sheet_of(data, chips, [], Words(Language.EN), {})["reopened"]
    assert line.startswith("This case had been closed (2025-05-01 03:00 UTC); it was reopened on 20")
    assert line.endswith(f"UTC, new look: {event.actor} ({Words(Language.EN).of('role', event.role)})")
    (line,) = sheet_of(data, chips, [], Words(Language.ZH), {})["reopened"]
    assert line.startswith("本案曾为“结案”（2025-05-01 11:00 北京时间），")
