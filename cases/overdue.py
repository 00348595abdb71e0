"""How many cases are overdue by each clock at a moment: of a whole province at once, as the clocks of each show it."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from cases import pausing, ticking
from cases.store import CaseStore, begins
from cases.walked import SAID, walked
from cases.workflow import load_workflow
from clocks.lines import lines
from clocks.policy import CLOCKS_TOML, Clocks
from clocks.running import RED, runs
from database import bulk
from database.numbering_tables import LineageRow
from database.tables import CaseRow, ChangeRow, EventRow

ANY = "any"
"""Overdue by one clock at least."""


@dataclass(frozen=True, kw_only=True)
class Late:
    """Of the cases of a region so many are overdue by a clock; `clock` ANY: by one at least."""

    region: str
    clock: str
    number: int


def overdue(
    store: CaseStore, now: datetime, region: str = "", digits: int = 6, path: Path = CLOCKS_TOML
) -> list[Late]:
    """How many cases each clock finds overdue in each part of a region, from their histories up to a moment alone.

    `digits`: of the code of a part. The same as the red lights of `ticking.lights`, which takes the cases one by
    one; here one stands for all that are alike (`clocks.lines`), but for those whose deadlines something has moved.
    """
    clocks = ticking.clocks_of(load_workflow(), path)
    where = [*begins(store.region), *begins(region), _may_run(clocks, now)]
    counts = Counter[tuple[str, str]]()
    with store.transaction() as session:
        moved = _moved(session, clocks, now)
        alike = session.execute(
            _alike(session, [*where, _not_among(session, moved)], clocks, now, digits)
        ).all()
        parts = {row.one: (row.part, row.number) for row in alike}
        alone = select(CaseRow.id, func.substr(ChangeRow.region, 1, digits))
        named = alone.join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        found = session.execute(named.where(*where, bulk.among(session, CaseRow.id, moved))).all()
        parts.update({row[0]: (row[1], 1) for row in found})
        for case_id, late in _red(session, [*parts], clocks, now):
            part, number = parts[case_id]
            counts.update({(part, clock): number for clock in {*late, ANY}})
    return [Late(region=part, clock=clock, number=n) for (part, clock), n in sorted(counts.items())]


def titles(now: datetime, path: Path = CLOCKS_TOML) -> dict[str, dict[str, str]]:
    """The clocks that can be overdue with what they are called, by language: those in force first, in their order."""
    clocks = ticking.clocks_of(load_workflow(), path)
    editions = [
        clocks.on(now.date()),
        *sorted(clocks.edition, key=lambda each: each.effective_from, reverse=True),
    ]
    found: dict[str, dict[str, str]] = {}
    for rule in (rule for edition in editions for rule in edition.clock if rule.kind == "deadline"):
        found.setdefault(rule.id, rule.title.model_dump())
    return found


def _may_run(clocks: Clocks, now: datetime) -> ColumnElement[bool]:
    """Whether the road of a case had not ended, or something was told of it since."""
    ended = set.intersection(*({*edition.ended} for edition in clocks.edition))
    since = select(EventRow.case_id).where(EventRow.at > now)
    return or_(CaseRow.status.not_in(sorted(ended)), CaseRow.id.in_(since))


def _moved(session: Session, clocks: Clocks, now: datetime) -> set[str]:
    """Cases that go on from others, on which clocks stood still, or to which a new deadline was given."""
    found = set(session.scalars(select(LineageRow.to_case).where(LineageRow.at <= now)))
    if given := [EventRow.evidence[kind].as_string() != "" for kind in sorted(clocks.kinds)]:
        found |= set(session.scalars(select(EventRow.case_id).where(EventRow.at <= now, or_(*given))))
    return found | {*pausing.pauses(session, None, clocks.on(now.date()), now).by_case}


def _not_among(session: Session, cases: Collection[str]) -> ColumnElement[bool]:
    return ~bulk.among(session, CaseRow.id, cases)


def _alike(
    session: Session, where: Collection[Any], clocks: Clocks, now: datetime, digits: int
) -> Select[Any]:
    """Cases that are alike: their part, how many, and one of them."""
    sides = [(EventRow.at < line, str(i)) for i, line in enumerate(lines(clocks, now))]
    step = EventRow.to_status.concat(" ").concat(case(*sides, else_="-"))
    told = (EventRow.at <= now, EventRow.from_status != EventRow.to_status, EventRow.kind.not_in(SAID))
    if session.get_bind().dialect.name == "postgresql":
        walk = func.string_agg(step, aggregate_order_by(literal(";"), EventRow.serial))
        walks = (
            select(EventRow.case_id, walk.label("walk")).where(*told).group_by(EventRow.case_id).subquery()
        )
    else:
        # By the index on the case, in which those of one case lie as they were told.
        steps = (
            select(EventRow.case_id, step.label("step"))
            .where(*told)
            .order_by(EventRow.case_id, EventRow.serial)
        )
        one = steps.subquery()
        walk = func.group_concat(one.c.step, ";")
        walks = select(one.c.case_id, walk.label("walk")).group_by(one.c.case_id).subquery()
    part = func.substr(ChangeRow.region, 1, digits).label("part")
    return (
        select(part, func.count().label("number"), func.min(CaseRow.id).label("one"))
        .join_from(CaseRow, ChangeRow, ChangeRow.id == CaseRow.change_id)
        .join(walks, walks.c.case_id == CaseRow.id)
        .where(*where)
        .group_by(part, walks.c.walk)
    )


def _red(
    session: Session, cases: Collection[str], clocks: Clocks, now: datetime
) -> Iterator[tuple[str, set[str]]]:
    """Cases that are overdue, and by which clocks."""
    found = walked(session, now, [bulk.among(session, CaseRow.id, cases)]) if cases else []
    stands = pausing.pauses(session, [*cases], clocks.on(now.date()), now)
    for each in found:
        mine = runs(each.moves, clocks, stands.of(each.case_id))
        if late := {run.rule.id for run in mine if run.light(now) == RED}:
            yield each.case_id, late
