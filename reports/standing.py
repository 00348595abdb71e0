"""Which change stands for a case at a moment: of one place that was seen again and again, one outline counts."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    join,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from database.spot_tables import SightingRow
from database.tables import CaseRow, ChangeRow

FOUNDED = "case-"
"""Before the id of the change on which a case was opened: the case's id."""
NOTED = "noted"
"""What came of a change at the place of a case that needs nobody: it is no part of the case, and counts by itself."""


def any_joined(session: Session) -> bool:
    """Whether anything ever joined the place of a case."""
    return session.scalar(select(SightingRow.serial).limit(1)) is not None


def stood(as_of: datetime, joined: bool) -> FromClause:
    """Cases with the change on which they stood: the last one that made them anew by then, else that which opened them.

    `joined`: whether anything ever joined one; else each stands on its own change.
    """
    if not joined:
        return select(CaseRow.id, CaseRow.change_id).subquery()
    later = _seen(SightingRow.recorded > as_of).add_columns(SightingRow.case_id).subquery()
    is_later = and_(later.c.case_id == CaseRow.id, later.c.change_id == CaseRow.change_id)
    first = func.substr(CaseRow.id, len(FOUNDED) + 1)
    # Said to be text: SQLite makes no index of what has no type, and would hold each change against every case.
    change = cast(case((later.c.change_id.is_not(None), first), else_=CaseRow.change_id), String)
    rows = join(CaseRow, later, is_later, isouter=True)
    return select(CaseRow.id, change.label("change_id")).select_from(rows).subquery()


def only_standing(
    query: Select[Any], stands: ColumnElement[bool], as_of: datetime, joined: bool
) -> Select[Any]:
    """The query of changes without those whose place a case has on another change, by then.

    `stands`: whether a case stood on the change.
    """
    if not joined:
        return query
    founded = aliased(CaseRow)
    seen = _seen(SightingRow.recorded <= as_of).subquery()
    by_itself = and_(founded.id.is_(None), seen.c.change_id.is_(None))
    return (
        query.outerjoin(founded, founded.id == literal(FOUNDED).concat(ChangeRow.id))
        .outerjoin(seen, seen.c.change_id == ChangeRow.id)
        .where(or_(stands, by_itself))
    )


def _seen(*when: ColumnElement[bool]) -> Select[Any]:
    """Changes that joined the place of a case."""
    return (
        select(SightingRow.change_id)
        .where(SightingRow.change_id.is_not(None), SightingRow.outcome != NOTED, *when)
        .distinct()
    )
