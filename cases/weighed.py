"""Which files given for a case still count: not those from before it was reopened, or returned for want of such."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.workflow import Workflow
from database.evidence_tables import EvidenceRow
from database.numbering_tables import LineageRow
from database.road import REOPENED
from database.tables import EventRow

GIVEN, MOVED = "evidence", "moved"
"""Kinds of events: a file was given; somebody moved the case."""
SCHEME = "sha256:"
"""Before the hash, where a move refers to a file that was given."""


@dataclass(frozen=True)
class Weighed:
    """A file given for a case. `struck`: the event since which it counts no more; None where it counts."""

    row: EvidenceRow
    struck: EventRow | None

    @property
    def since(self) -> str:
        """What happened then, in words."""
        if self.struck is None:
            return ""
        day = f"{self.struck.at:%Y-%m-%d %H:%M} UTC"
        if self.struck.kind in REOPENED:
            return f"reopened ({self.struck.kind}) on {day}"
        return f"moved to {self.struck.to_status} by {self.struck.actor} on {day}"


def weighed(session: Session, case_id: str, workflow: Workflow) -> list[Weighed]:
    """Every file given for a case, oldest first. Of the order the history tells: rows may be dated back.

    Of files that a part has from the case it was cut from, or the whole from its parts, theirs tells.
    """
    rows = _rows(session, case_id)
    events = _events(session, case_id) if rows else []
    told: dict[tuple[str, str], list[int]] = {}
    for event in events:
        for pair in event.evidence.items() if event.kind == GIVEN else ():
            told.setdefault(pair, []).append(event.serial)
    given = dict[str, int]()
    # From the end: what was handed down came first, and no event of this case tells of it.
    for row in reversed(rows):
        serials = told.get((row.kind, SCHEME + row.sha256))
        given[row.id] = serials.pop() if serials else 0
    former = _handed_down(session, case_id, workflow) if 0 in given.values() else {}
    found = []
    for row in rows:
        struck = _last(events, row.kind, given[row.id], workflow)
        if struck is None and not given[row.id]:
            struck = former.get(_key(row))
        found.append(Weighed(row, struck))
    return found


def standing(found: Iterable[Weighed]) -> dict[str, list[int]]:
    """Serials of the files that still count, by kind."""
    kinds: dict[str, list[int]] = {}
    for one in found:
        if one.struck is None:
            kinds.setdefault(one.row.kind, []).append(one.row.serial)
    return kinds


def _key(row: EvidenceRow) -> tuple[str, str, str]:
    return row.kind, row.sha256, row.despite


def _rows(session: Session, case_id: str) -> list[EvidenceRow]:
    query = select(EvidenceRow).where(EvidenceRow.case_id == case_id).order_by(EvidenceRow.serial)
    return list(session.scalars(query))


def _events(session: Session, case_id: str) -> list[EventRow]:
    kinds = (GIVEN, MOVED, *REOPENED)
    query = select(EventRow).where(EventRow.case_id == case_id, EventRow.kind.in_(kinds))
    return list(session.scalars(query.order_by(EventRow.serial)))


def _handed_down(
    session: Session, case_id: str, workflow: Workflow
) -> dict[tuple[str, str, str], EventRow | None]:
    """Of the files of the cases whose place this one took: since when each counts no more in any of them."""
    query = select(LineageRow.from_case).where(LineageRow.to_case == case_id).order_by(LineageRow.serial)
    found: dict[tuple[str, str, str], EventRow | None] = {}
    for origin in list(session.scalars(query)):
        for one in weighed(session, origin, workflow):
            key = _key(one.row)
            found[key] = one.struck if found.get(key, one.struck) is not None else None
    return found


def _last(events: list[EventRow], kind: str, given: int, workflow: Workflow) -> EventRow | None:
    """The last event after a file was given that lets its kind count no more."""
    later = (event for event in reversed(events) if event.serial > given)
    return next((event for event in later if _strikes(event, kind, workflow)), None)


def _strikes(event: EventRow, kind: str, workflow: Workflow) -> bool:
    if event.kind in REOPENED:
        return True
    if event.kind != MOVED:
        return False
    return any(
        kind in move.clears
        for move in workflow.from_status(event.from_status)
        if move.to == event.to_status and event.role in move.roles
    )
