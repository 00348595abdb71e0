"""Histories that somebody who knows the code wrote with seals: no line may lead where the law does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from cases import history
from cases.store import CaseStore
from database import audit_history, seals
from database.audit import look
from database.revisions import WRITE_LOCK
from database.tables import CaseRow
from tests.audit_world import unlock
from tests.cases_world import AUDITOR, ROAD, new_store, put, row_of_changes

FULL = {"photo": "p", "field_evidence": "f", "two_officers": "李伟; 张敏", "legal_audit": "l"}
MAIN = (
    "field_check", "proven", "city_review", "province_review", "violation", "filed", "investigation", "audited",
    "notice",
)  # fmt: skip
BY = {"city_review": "city", "province_review": "city", "violation": "province", "audited": "legal"}


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Three cases at suspected."""
    store = new_store(tmp_path)
    put(store, row_of_changes(3))
    return store


@pytest.fixture
def forging(store: CaseStore) -> Iterator[Session]:
    """A session without locks."""
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(WRITE_LOCK)
        unlock(connection)
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            yield session
        connection.rollback()


def case_of(session: Session) -> CaseRow:
    return session.query(CaseRow).order_by(CaseRow.serial).first()  # type: ignore[return-value]


def wrote(session: Session, *lines: tuple[str, str], held: Any = None, **more: Any) -> str:
    """The first case led along these lines (kind, to), each with its seal; its id."""
    case = case_of(session)
    told, stood = [], case.status
    for kind, to in lines:
        by = {"actor": AUDITOR if BY.get(to) == "legal" else "李伟", "role": BY.get(to, "county")} | more
        told.append(history.event(case.id, case.opened, kind, "", origin=stood, to=to, **by))
        stood = to
    with seals.altering(session, CaseRow, [case.id]):
        case.status, case.held = stood, case.held if held is None else held
        session.flush()
    history.append(session, told)
    session.expire_all()
    return case.id


def faults(session: Session) -> list[str]:
    return [fault.text for fault in look(session, []).faults]


def moves(*to: str) -> list[tuple[str, str]]:
    return [("moved", each) for each in to]


def test_a_jump_with_seals_is_found(forging: Session) -> None:
    """What the lock asks is in hand, and each status of the penalty follows the one before it."""
    case = wrote(forging, *moves("proven", "audited", "notice", "decision"), held=FULL)
    told = look(forging, []).faults
    assert [fault.text for fault in told] == [
        f"event: row 4 (moved by 李伟, {case}) moves it from suspected to proven; "
        "a case comes there from field_check only",
        f"event: row 5 (moved by {AUDITOR}, {case}) moves it from proven to audited; "
        "a case comes there from investigation only",
    ]
    last = forging.execute(text("SELECT max(place) FROM seal")).scalar_one()
    assert [fault.place for fault in told] == [last, last]


def test_the_whole_road_is_no_fault(forging: Session) -> None:
    wrote(forging, *moves(*MAIN), held=FULL)
    assert faults(forging) == []


@pytest.mark.parametrize(
    ("lines", "more", "said"),
    [
        (
            moves("field_check", "proven", "violation"), {},
            "moves it from proven to violation; a case comes there from province_review only",
        ),
        (moves(*MAIN[:7], "audited"), {"role": "county"}, "moves it to audited by role county; legal alone may"),
        (moves("field_check"), {"actor": "tiankan"}, "a move is made by a named person"),
        (moves("field_check"), {"role": "machine"}, "a move is made by a named person"),
        (moves(*MAIN, "decision", "executed"), {}, "to executed; a case comes there from court, served only"),
        ([("judged", "field_check")], {}, "leads it from suspected to field_check; a line of this kind moves no case"),
        ([("rebound", "violation")], {}, "leaves it at violation, where no case begins"),
        ([("opened", "suspected")], {}, "opens a case that was there"),
        ([("split", "province_review")], {}, "begins it at province_review, where no case stood whose place it takes"),
        ([*moves(*MAIN[:5]), ("split", "split")], {}, "ends it at split from violation; no case is split there"),
        (moves("split"), {}, "moves it from suspected to split; no move leads there"),
        ([*moves("split"), ("new_look", "doubt")], {}, "leads it on from split, where it has ended"),
        (
            [*moves(*MAIN[:8]), ("new_look", "doubt"), *moves("field_check", "investigation", "audited", "notice")], {},
            "moves it to notice without a field check in its history since it was opened or reopened",
        ),
    ],
)  # fmt: skip
def test_a_line_that_no_law_allows_is_named(
    forging: Session, lines: list[tuple[str, str]], more: dict[str, str], said: str
) -> None:
    case = wrote(forging, *lines, held=FULL, **more)
    found = [one for one in faults(forging) if one.startswith("event: row ")]
    assert any(said in one and case in one for one in found), found


def test_lines_of_one_case_follow_each_other(forging: Session) -> None:
    case = case_of(forging)
    lines = [
        history.event(
            case.id, case.opened, "moved", "", actor="李伟", role="county", origin="doubt", to=case.status
        )
    ]
    history.append(forging, lines)
    assert faults(forging) == [
        f"event: row 4 (moved by 李伟, {case.id}) begins at doubt, but the case stood at suspected"
    ]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"field_evidence": "f", "two_officers": "李伟; 张敏"}, "without legal_audit in hand"),
        (FULL | {"two_officers": "李伟; 李 伟"}, "without two officers of different names"),
        (FULL | {"two_officers": f"李伟; {AUDITOR}"}, "and its legal auditor is one of its two officers"),
    ],
)
def test_a_penalty_without_what_the_lock_asks_is_named(
    forging: Session, held: dict[str, str], said: str
) -> None:
    case = wrote(forging, *moves(*MAIN), held=held)
    assert faults(forging) == [f"enforcement_case: row 1 ({case}) stands at notice {said}"]


def test_a_case_that_was_taken_out_is_named_by_its_history(forging: Session) -> None:
    case = case_of(forging).id
    forging.execute(text("DELETE FROM enforcement_case WHERE serial = 1"))
    assert f"event: row 1 (opened by tiankan) is of case {case}, which is gone" in faults(forging)


def test_no_case_is_cut_or_joined_beyond_a_violation() -> None:
    assert audit_history.BEYOND.isdisjoint(ROAD.split.origins) and audit_history.BEYOND.isdisjoint(
        ROAD.merge.origins
    )
