"""One person, one part: who audits a case is none of those who work on it; and what was audited stands."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.people import as_read, people_of, person
from cases.workflow import AUDITED, Workflow
from database.numbering_tables import LineageRow
from database.road import REOPENED
from database.tables import CaseRow, EventRow
from ground.errors import IllegalMove

RESTS_ON = ("photo", "field_evidence", "two_officers")
OFFICERS = "two_officers"


def check_parts(
    session: Session, workflow: Workflow, row: CaseRow, given: Mapping[str, str], actor: str, role: str
) -> None:
    """Nothing, if a move with what is given lets nobody play a second part, and leaves in hand what was audited.

    Raises:
        IllegalMove: it does not; it names the two parts, or what would be replaced.
    """
    check_audited(row.id, row.status, row.held, given)
    case_id, held = row.id, {**row.held, **given}
    told = [
        (person(event.actor), event.role, event.actor, event.to_status) for event in _moves(session, case_id)
    ]
    told.append((person(actor), role, actor.strip(), "this move"))
    officers = people_of(held.get(OFFICERS, ""))
    for one, own, name, to in told:
        if own not in workflow.apart:
            continue
        if one in officers:
            raise IllegalMove(
                f"case {case_id}: {name} is {own} ({to}) and named in two_officers; who audits is none of the officers"
            )
        other = next((each for each in told if each[0] == one and each[1] != own), None)
        if other:
            raise IllegalMove(
                f"case {case_id}: {name} acts as {own} ({to}) and as {other[1]} ({other[3]}); one person has one part "
                "in it, let somebody else do this"
            )


def check_audited(case_id: str, status: str, was: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Nothing, if what the legal audit rests on stays in hand as it was, or something is added at its end.

    Raises:
        IllegalMove: it would be replaced.
    """
    for kind in RESTS_ON if status in AUDITED else ():
        if kind in given and kind in was and not _keeps(kind, was[kind], given[kind]):
            raise IllegalMove(
                f"case {case_id}: the legal audit rests on {kind} {was[kind]!r}, which is not replaced; write it "
                "first and add to it after a semicolon"
            )


def _keeps(kind: str, was: str, now: str) -> bool:
    if kind == OFFICERS:
        return people_of(was) <= people_of(now)
    before, after = ([part.strip() for part in as_read(text).split(";")] for text in (was, now))
    return after[: len(before)] == before


def _moves(session: Session, case_id: str) -> list[EventRow]:
    """What people moved since the case was reopened last, or ever; with the moves of those whose place it took."""
    cases, found = {case_id}, list[EventRow]()
    since = select(func.max(EventRow.serial)).where(EventRow.case_id == case_id, EventRow.kind.in_(REOPENED))
    last = session.scalar(since)
    while last is None:
        more = set(session.scalars(select(LineageRow.from_case).where(LineageRow.to_case.in_(cases)))) - cases
        if not more:
            break
        cases |= more
    query = select(EventRow).where(EventRow.case_id.in_(cases), EventRow.kind == "moved")
    found += session.scalars(query.where(EventRow.serial > (last or 0)).order_by(EventRow.serial))
    return found
