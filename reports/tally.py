"""The one query behind all figures: changes counted by county, year, class, verdict and status as of a moment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    func,
    join,
    literal,
    null,
    or_,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.orm import Session, aliased

from cases.measuring import LAST
from cases.show import M2_PER_MU
from cases.store import CaseStore
from cases.workflow import REPLACED
from database import bulk
from database.tables import ChangeRow, EventRow, JudgementRow
from reports.definitions import Definitions, load_definitions
from reports.numbering import COUNTY_DIGITS
from reports.reopened import reopened
from reports.standing import any_joined, only_standing, stood

Days = tuple[date | None, date | None]
PLAN = ("jit = off", "max_parallel_workers_per_gather = 0", "enable_nestloop = off")
"""To PostgreSQL: compiling this query takes longer than running it; several workers would each sort all events; and a
county it takes for few rows, each of which it then holds against all of the others."""
DAY_LETTERS, YEAR_LETTERS = 10, 4


@dataclass(frozen=True)
class Tally:
    """So many changes that are alike in all that a figure can ask; `year` of the later scene, None if not known."""

    county: str
    in_region: bool
    year: int | None
    in_period: bool
    change_class: str
    verdict: str
    status: str | None
    number: int
    monitored_m2: float
    monitored_mu: float
    cultivated_mu: float
    unknown_number: int
    unknown_mu: float
    reported: int = 0
    """Cases whose outline nobody has drawn: no area, and not in `number`."""
    group: str = ""
    """Of actual uses, as the rulebook groups suspected violations; "" where it gives none."""
    ended: str | None = None
    """Where a violation had ended that stands while its case, now at `status`, is looked at anew."""

    @property
    def stands(self) -> str | None:
        """The status that says what was found."""
        return self.ended or self.status


def tallies(
    store: CaseStore, as_of: datetime, period: Days, region: str, definitions: Definitions | None = None
) -> list[Tally]:
    """Every change the store sees that was judged by `as_of`, counted; `region` and `period` mark what is asked for."""
    means = definitions or load_definitions()
    with store.transaction() as session:
        if _is_postgres(session):
            for setting in PLAN:
                session.execute(text(f"SET LOCAL {setting}"))
        anew = reopened(session, as_of, means)
        asked = _Asked(session, as_of, period, region, store.region)
        rows = session.execute(_query(asked, {one for each in anew for one in each.changes})).all()
        by_change = {each.on: each for each in anew}
        ended = session.execute(_alone(asked, by_change)).all() if anew else []
    found = [_tally(row, row.status, None) for row in rows]
    return found + [
        _tally(row, by_change[row.change_id].status, by_change[row.change_id].ended) for row in ended
    ]


def _tally(row: Any, status: str | None, ended: str | None) -> Tally:
    return Tally(
        county=row.county,
        in_region=bool(row.in_region),
        year=int(row.year) if row.year else None,
        in_period=bool(row.in_period),
        change_class=row.change_class,
        verdict=row.verdict,
        status=status,
        number=int(row.number),
        monitored_m2=float(row.monitored_m2),
        monitored_mu=float(row.monitored_m2) / M2_PER_MU,
        cultivated_mu=float(row.cultivated_mu or 0),
        unknown_number=int(row.unknown_number),
        unknown_mu=float(row.unknown_mu or 0),
        group=row.group,
        ended=ended,
    )


@dataclass(frozen=True)
class _Asked:
    session: Session
    as_of: datetime
    period: Days
    region: str
    scope: str


def _query(asked: _Asked, apart: Collection[str]) -> Select[Any]:
    """Of all changes but those `apart`, which are counted by themselves."""
    session, as_of = asked.session, asked.as_of
    joined = any_joined(session)
    moved = _moved_last(as_of, _is_postgres(session), joined)
    rows = (
        _changes(asked)
        .add_columns(moved.c.status)
        .outerjoin(moved, moved.c.change_id == ChangeRow.id)
        # What was split or merged by then counts in what took its place; before, it counts itself.
        .where(func.coalesce(moved.c.status, "").not_in(REPLACED))
    )
    if apart:
        rows = rows.where(~bulk.among(session, ChangeRow.id, apart))
    return _counted(only_standing(rows, moved.c.change_id.is_not(None), as_of, joined), "status")


def _alone(asked: _Asked, changes: Collection[str]) -> Select[Any]:
    """Each of some changes by itself."""
    rows = _changes(asked).add_columns(ChangeRow.id.label("change_id"))
    return _counted(rows.where(bulk.among(asked.session, ChangeRow.id, changes)), "change_id")


def _changes(asked: _Asked) -> Select[Any]:
    """Every change in scope that was judged by then, with what figures ask of it."""
    is_latest = ChangeRow.judgement_id == JudgementRow.id
    day = _day(asked.session, is_latest)
    known_class = func.coalesce(JudgementRow.facts["change_class"].as_string(), ChangeRow.change_class)
    return (
        select(
            func.substr(ChangeRow.region, 1, COUNTY_DIGITS).label("county"),
            _begins(asked.region).label("in_region"),
            func.substr(day, 1, YEAR_LETTERS).label("year"),
            _within(day, asked.period).label("in_period"),
            case((is_latest, ChangeRow.change_class), else_=known_class).label("change_class"),
            JudgementRow.verdict.label("verdict"),
            func.coalesce(JudgementRow.group, "").label("group"),
            ChangeRow.area_m2.label("area_m2"),
            JudgementRow.land[("group_mu", "cultivated")].as_float().label("cultivated"),
            JudgementRow.land[("group_mu", "unclassified")].as_float().label("unclassified"),
        )
        .select_from(_judged_last(asked.session, asked.as_of))
        .where(_begins(asked.scope))
    )


def _counted(rows: Select[Any], last: str) -> Select[Any]:
    """Rows that are alike counted together; `last`: what tells them apart besides."""
    # Worked out row by row before they are sorted: else whole facts are carried through the sort, and read twice. What
    # follows from land comes after it: to read JSON costs PostgreSQL more than all else.
    one = rows.offset(0).subquery()
    unknown = case(
        (one.c.cultivated.is_(None), one.c.area_m2 / M2_PER_MU), else_=func.coalesce(one.c.unclassified, 0.0)
    )
    by: Sequence[Any] = [
        one.c[name]
        for name in ("county", "in_region", "year", "in_period", "change_class", "verdict", "group", last)
    ]
    return (
        select(
            *by,
            func.count().label("number"),
            func.sum(one.c.area_m2).label("monitored_m2"),
            func.sum(one.c.cultivated).label("cultivated_mu"),
            func.sum(case((unknown > 0, 1), else_=0)).label("unknown_number"),
            func.sum(unknown).label("unknown_mu"),
        )
        .group_by(*by)
        .order_by(*by)
    )


def _judged_last(session: Session, as_of: datetime) -> FromClause:
    """Changes beside their latest judgement up to a moment: the one that the change names, if that is not later.

    Where some were judged anew since, PostgreSQL looks for an older one of these alone, for it holds few rows for one
    where all are ranked, and goes through them by loops. SQLite finds it change by change through the index.
    """
    if session.scalar(select(JudgementRow.id).where(JudgementRow.judged > as_of).limit(1)) is None:
        return join(ChangeRow, JudgementRow, ChangeRow.judgement_id == JudgementRow.id)
    one = aliased(JudgementRow)
    newest = (one.judged.desc(), one.id.desc())
    until = one.judged <= as_of
    if not _is_postgres(session):
        own = select(one.id).where(one.change_id == ChangeRow.id, until).order_by(*newest).limit(1)
        return join(ChangeRow, JudgementRow, JudgementRow.id == own.correlate(ChangeRow).scalar_subquery())
    anew = select(JudgementRow.change_id).where(JudgementRow.judged > as_of)
    first = select(one.change_id, one.id).where(until, one.change_id.in_(anew)).distinct(one.change_id)
    older = first.order_by(one.change_id, *newest).subquery()
    named = func.coalesce(older.c.id, ChangeRow.judgement_id)
    return join(ChangeRow, older, older.c.change_id == ChangeRow.id, isouter=True).join(
        JudgementRow, and_(JudgementRow.id == named, JudgementRow.judged <= as_of)
    )


def _moved_last(as_of: datetime, is_postgres: bool, joined: bool) -> FromClause:
    """Changes' cases with the status that the last event up to a moment led to.

    SQLite looks it up case by case through the index, which PostgreSQL does three times slower than sorting all events.
    """
    until, cases = EventRow.at <= as_of, stood(as_of, joined)
    if is_postgres:
        last = select(EventRow.case_id, EventRow.to_status).where(until).distinct(EventRow.case_id)
        told = last.order_by(EventRow.case_id, EventRow.serial.desc()).subquery()
        both = join(cases, told, told.c.case_id == cases.c.id, isouter=True)
        return select(cases.c.change_id, told.c.to_status.label("status")).select_from(both).subquery()
    own = select(EventRow.to_status).where(EventRow.case_id == cases.c.id, until)
    status = own.order_by(EventRow.serial.desc()).limit(1).correlate(cases).scalar_subquery()
    return select(cases.c.change_id, status.label("status")).subquery()


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _begins(region: str) -> ColumnElement[bool]:
    return func.substr(ChangeRow.region, 1, len(region)) == region if region else true()


def _day(session: Session, is_latest: ColumnElement[bool]) -> ColumnElement[Any]:
    """The day of the later scene as the judgement knew it.

    What the latest one knew is stored with the change, as it is for those from before judgings, which knew of no day.
    """
    stored = (
        func.to_char(ChangeRow.after, "YYYY-MM-DD")
        if _is_postgres(session)
        else func.substr(type_coerce(ChangeRow.after, String), 1, DAY_LETTERS)
    )
    known = func.substr(JudgementRow.facts[LAST].as_string(), 1, DAY_LETTERS)
    return case((or_(is_latest, JudgementRow.judging_id.is_(None)), stored), else_=known)


def _within(day: ColumnElement[Any], period: Days) -> ColumnElement[bool]:
    first, last = period
    bounds = [] if first is None else [day >= first.isoformat()]
    bounds += [] if last is None else [day <= last.isoformat()]
    if not bounds:
        return literal(True)
    return case((day.is_(null()), False), else_=and_(*bounds))
