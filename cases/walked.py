"""How cases came to where they stand at a moment, as clocks read it: from the picture on which a case rests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from cases import inherited
from clocks.policy import IMAGERY
from clocks.running import LIFTED, REMINDED, SUSPENDED, WARNED, Moved
from database.tables import CaseRow, ChangeRow, EventRow
from spots.policy import REPORTED

SAID = (REMINDED, WARNED, LIFTED, SUSPENDED)
"""Kinds of events that ticks write: they move no clock."""
FOUNDED = len("case-") + 1
"""Where in the id of a case that of the change begins on which it was opened."""


@dataclass(frozen=True, kw_only=True)
class Walked:
    """A case as its history tells of it up to a moment."""

    case_id: str
    region: str
    status: str
    moves: Sequence[Moved]


def walked(session: Session, now: datetime, where: Sequence[Any]) -> list[Walked]:
    """Cases with the moves of their histories up to a moment, in the order in which they were opened.

    The first is the later scene, at its time; of what people reported and of undated scenes there is none. `where`:
    asked of CaseRow, and of the ChangeRow on which the case stands now.
    """
    founding = aliased(ChangeRow)
    query = (
        select(
            CaseRow.id,
            ChangeRow.region,
            founding.after,
            founding.change_class,
            EventRow.from_status,
            EventRow.to_status,
            EventRow.at,
            _brought(),
            EventRow.kind,
        )
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .join(founding, founding.id == func.substr(CaseRow.id, FOUNDED))
        .join(EventRow, EventRow.case_id == CaseRow.id)
        .where(EventRow.at <= now, EventRow.kind.not_in(SAID), *where)
        .order_by(CaseRow.serial, EventRow.serial)
    )
    moves, before = dict[str, list[Moved]](), inherited.moves_before(session, now, SAID)
    last: dict[str, tuple[str, str]] = {}
    for name, region, seen, change_class, origin, to, at, evidence, kind in session.execute(query):
        if name not in moves:
            is_dated = seen is not None and change_class != REPORTED
            first = [Moved(to=IMAGERY, at=seen, evidence={})] if is_dated else []
            moves[name] = [*first, *before.get(name, [])]
        if (origin != to or evidence) and not (name in before and inherited.is_birth(kind, to)):
            moves[name].append(Moved(to=to, at=at, evidence=evidence or {}, stayed=origin == to))
        last[name] = (region, to)
    return [
        Walked(case_id=name, region=region, status=status, moves=moves[name])
        for name, (region, status) in last.items()
    ]


def _brought() -> ColumnElement[Any]:
    """What an event brought, NULL for nothing, as of most: to read that as JSON takes longer than all else of them."""
    return case((cast(EventRow.evidence, Text) != "{}", EventRow.evidence))
