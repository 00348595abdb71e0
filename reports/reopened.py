"""Violations that had ended and are looked at anew: they stand for the figures until a person finds once more."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.records import Event
from database import bulk
from database.numbering_tables import LineageRow
from database.road import REOPENED, REPLACED, SPLIT
from database.spot_tables import SightingRow
from database.tables import CaseRow, ChangeRow, EventRow
from reports.definitions import Definitions
from reports.standing import FOUNDED

JOINED = "joined"


@dataclass(frozen=True, kw_only=True)
class Reopened:
    """A case that is looked at anew, standing at `status`, whose violation had come to `ended` on the change `on`."""

    case_id: str
    status: str
    ended: str
    on: str
    changes: frozenset[str]
    """All on which it stood or stands: it counts by `on` alone."""


def reopenings(events: Sequence[Event]) -> list[tuple[Event, Event | None]]:
    """Each line of a history that reopened the case, with the one that had brought it to where it was before."""
    found = []
    for i, event in enumerate(events):
        if event.kind in REOPENED and event.from_status != event.to_status:
            led = [one for one in events[:i] if one.to_status == event.from_status != one.from_status]
            found.append((event, led[-1] if led else None))
    return found


def reopened(session: Session, as_of: datetime, means: Definitions) -> list[Reopened]:
    """As they stood at a moment. The parts of a case that was split since stand as it did, each on its own outline."""
    ends = means.reopened.statuses
    asked = select(EventRow.case_id).where(
        EventRow.kind.in_(REOPENED), EventRow.from_status.in_(ends), EventRow.at <= as_of
    )
    cases = [*dict.fromkeys(session.scalars(asked.order_by(EventRow.serial)))]
    if not cases:
        return []
    heirs = _heirs(session, as_of)
    walks = _walks(session, {*cases, *(heir for parts in heirs.values() for heir in parts)}, as_of)
    found: dict[str, tuple[str, str, datetime | None]] = {}
    given = dict[str, str]()
    for case in cases:  # It grows: what a case was split into follows it.
        status, ended, since = _stands(walks[case], given.get(case, ""), means)
        if ended and status in REPLACED:
            new = [heir for heir in heirs[case] if status == SPLIT and heir not in given]
            given |= dict.fromkeys(new, ended)
            cases += new
        elif ended:
            found[case] = (status, ended, since)
    return _on_outlines(session, found, means)


def _heirs(session: Session, as_of: datetime) -> defaultdict[str, list[str]]:
    rows = select(LineageRow.from_case, LineageRow.to_case).where(
        LineageRow.kind == SPLIT, LineageRow.at <= as_of
    )
    found = defaultdict[str, list[str]](list)
    for origin, heir in session.execute(rows.order_by(LineageRow.serial)):
        found[origin].append(heir)
    return found


def _walks(session: Session, cases: Collection[str], as_of: datetime) -> defaultdict[str, list[Any]]:
    columns = (EventRow.case_id, EventRow.kind, EventRow.from_status, EventRow.to_status, EventRow.at)
    rows = select(*columns).where(
        bulk.among(session, EventRow.case_id, cases),
        EventRow.at <= as_of,
        EventRow.from_status != EventRow.to_status,
    )
    found = defaultdict[str, list[Any]](list)
    for row in session.execute(rows.order_by(EventRow.serial)):
        found[row.case_id].append(row)
    return found


def _stands(walk: Sequence[Any], ended: str, means: Definitions) -> tuple[str, str, datetime | None]:
    """Where a case stands, where its violation had ended ("": none stands), and since when it is looked at anew."""
    said = {status for several in means.found.values() for status in several}
    since: datetime | None = None
    for row in walk:
        if row.kind in REOPENED:
            is_end = row.from_status in means.reopened.statuses
            ended, since = (row.from_status, row.at) if is_end else ("", None)
        elif row.to_status in said:
            ended, since = "", None
    return (walk[-1].to_status if walk else ""), ended, since


def _on_outlines(
    session: Session, cases: dict[str, tuple[str, str, datetime | None]], means: Definitions
) -> list[Reopened]:
    """With the change on which each stood before it was reopened: the last that it was made to stand on by then."""
    own = select(CaseRow.id, CaseRow.change_id).where(bulk.among(session, CaseRow.id, cases))
    now = {row.id: row.change_id for row in session.execute(own)}
    rows = (
        select(SightingRow.case_id, SightingRow.change_id, SightingRow.outcome, SightingRow.recorded)
        .where(bulk.among(session, SightingRow.case_id, cases), SightingRow.change_id.is_not(None))
        .order_by(SightingRow.serial)
    )
    seen = defaultdict[str, list[Any]](list)
    for row in session.execute(rows):
        seen[row.case_id].append(row)
    undrawn = _undrawn(session, {case.removeprefix(FOUNDED) for case in cases}, means)
    found = []
    for case, (status, ended, since) in cases.items():
        on, stood = case.removeprefix(FOUNDED), {case.removeprefix(FOUNDED), now.get(case, "")}
        for row in seen[case]:
            if row.outcome in REOPENED or (row.outcome == JOINED and on in undrawn):
                stood.add(row.change_id)
                if since is None or row.recorded < since:
                    on = row.change_id
        found.append(Reopened(case_id=case, status=status, ended=ended, on=on, changes=frozenset(stood)))
    return found


def _undrawn(session: Session, changes: Collection[str], means: Definitions) -> set[str]:
    """Those whose outline nobody has drawn: the first that imagery shows there takes their place."""
    rows = select(ChangeRow.id).where(
        bulk.among(session, ChangeRow.id, changes), ChangeRow.change_class.in_(means.without_area)
    )
    return set(session.scalars(rows))
