"""What clocks see of a case that took the place of another: its history goes on from there, so a cut wins no time."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.workflow import REPLACED
from clocks.running import Moved
from database import bulk
from database.numbering_tables import LineageRow
from database.tables import EventRow


class _Line(NamedTuple):
    kind: str
    origin: str
    to: str
    moved: Moved


def is_birth(kind: str, to: str) -> bool:
    """Whether an event opened a case in the place of others: it begins where they stood."""
    return kind in REPLACED and to not in REPLACED


def moves_before(session: Session, now: datetime, silent: Collection[str]) -> dict[str, list[Moved]]:
    """By case, the moves of those in whose place it was opened, theirs before them included, up to a moment.

    Of several that were merged, those of the one that stood where the whole begins, the first opened of these.
    `silent`: kinds of events that move no clock.
    """
    rows = session.execute(
        select(LineageRow.from_case, LineageRow.to_case)
        .where(LineageRow.at <= now)
        .order_by(LineageRow.serial)
    ).all()
    if not rows:
        return {}
    lines = _lines(session, {key for row in rows for key in row}, now, silent)
    origins = defaultdict[str, list[str]](list)
    for row in rows:
        origins[row.to_case].append(row.from_case)
    found = dict[str, list[Moved]]()
    for heir, several in origins.items():  # In the order of the splits: an origin's own come before it.
        begun = next((line.to for line in reversed(lines[heir]) if is_birth(line.kind, line.to)), "")
        stood = [key for key in several if lines[key] and lines[key][-1].origin == begun] or several
        one = min(stood, key=lambda key: min((line.moved.at for line in _own(lines[key])), default=now))
        found[heir] = found.get(one, []) + [line.moved for line in _own(lines[one])]
    return found


def _own(lines: Sequence[_Line]) -> list[_Line]:
    """Without how a case was opened in the place of others, and how it ended."""
    return [line for line in lines if line.kind not in REPLACED]


def _lines(
    session: Session, case_ids: Collection[str], now: datetime, silent: Collection[str]
) -> dict[str, list[_Line]]:
    query = select(EventRow).where(bulk.among(session, EventRow.case_id, case_ids), EventRow.at <= now)
    found = defaultdict[str, list[_Line]](list)
    for row in session.scalars(query.where(EventRow.kind.not_in(silent)).order_by(EventRow.serial)):
        stayed = row.from_status == row.to_status
        if not stayed or row.evidence:
            moved = Moved(to=row.to_status, at=row.at, evidence=row.evidence, stayed=stayed)
            found[row.case_id].append(_Line(row.kind, row.from_status, row.to_status, moved))
    return found
