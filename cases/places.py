"""Spots as people ask for them: a list, one with all that was seen of it, and what joining has saved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from cases.store import CaseStore, Page, begins
from cases.workflow import MACHINE
from database.geometry import Box, meets
from database.spot_tables import LookRow, SightingRow
from database.tables import CaseRow, ChangeRow
from ground.errors import NotFound
from spots.joining import founder_of
from spots.kept import OPENED

SAVED = ("joined", "carried")
"""Outcomes that would each have been a case and a visit of their own."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One place, by the id of its case, as that stands now."""

    id: str
    serial: int
    status: str
    opened: datetime
    region: str
    change_id: str
    change_class: str
    area_m2: float
    geometry: Any
    sightings: int
    saved: int
    """Of them, those that asked for no visit of their own."""


def spots(
    store: CaseStore, *, status: str | None = None, bbox: Box | None = None, after: int = 0, limit: int = 100
) -> Page[Spot]:
    """Spots in the order they were opened, from the first after serial `after`."""
    query = _spots(store, bbox)
    if status is not None:
        query = query.where(CaseRow.status == status)
    with store.transaction() as session:
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = session.execute(query.where(CaseRow.serial > after).order_by(CaseRow.serial).limit(limit + 1))
        items = [_spot(row) for row in rows.all()]
    more = len(items) > limit
    kept = items[:limit]
    return Page(kept, total, kept[-1].serial if more else None)


def spot(store: CaseStore, spot_id: str) -> tuple[Spot, list[dict[str, Any]], list[dict[str, Any]]]:
    """One spot, its sightings and the looks of later change maps, each oldest first.

    Raises:
        NotFound: there is none of this id.
    """
    with store.transaction() as session:
        row = None
        if "\0" not in spot_id:
            row = session.execute(_spots(store, None).where(CaseRow.id == spot_id)).first()
        if row is None:
            raise NotFound(f"no spot has the id {spot_id!r}; `tiankan spots list` shows them")
        seen = session.scalars(
            select(SightingRow).where(SightingRow.case_id == spot_id).order_by(SightingRow.serial)
        )
        looks = session.scalars(select(LookRow).where(LookRow.case_id == spot_id).order_by(LookRow.serial))
        told = [_sighting(one) for one in seen]
        if OPENED not in {each["outcome"] for each in told}:
            told.insert(0, _founding(session, row))
        return _spot(row), told, [_look(one) for one in looks]


def totals(store: CaseStore) -> dict[str, Any]:
    """Spots, sightings by outcome, and the visits saved: sightings that would have been cases of their own."""
    with store.transaction() as session:
        known = _spots(store, None).subquery()
        count = session.scalar(select(func.count()).select_from(known)) or 0
        by_outcome = (
            select(SightingRow.outcome, func.count())
            .where(SightingRow.case_id.in_(select(known.c.id)), SightingRow.outcome != OPENED)
            .group_by(SightingRow.outcome)
        )
        outcomes = {row[0]: row[1] for row in session.execute(by_outcome)}
    saved = sum(outcomes.get(outcome, 0) for outcome in SAVED)
    asked = count + sum(number for outcome, number in outcomes.items() if outcome != "noted")
    return {
        "spots": count,
        "sightings": dict(sorted({OPENED: count, **outcomes}.items())),
        "visits_saved": saved,
        "visits_saved_share": round(saved / asked, 4) if asked else None,
    }


def _spots(store: CaseStore, bbox: Box | None) -> Select[Any]:
    """Cases with the change that each stands on and how much was seen there later, within the store's region."""
    later = (
        select(func.count())
        .where(SightingRow.case_id == CaseRow.id, SightingRow.outcome != OPENED)
        .correlate(CaseRow)
    )
    query = select(
        CaseRow.id, CaseRow.serial, CaseRow.opened, CaseRow.status, ChangeRow.region,
        ChangeRow.id.label("change_id"), ChangeRow.change_class, ChangeRow.area_m2, ChangeRow.geometry,
        later.scalar_subquery().label("later"),
        later.where(SightingRow.outcome.in_(SAVED)).scalar_subquery().label("saved"),
    ).join(ChangeRow, ChangeRow.id == CaseRow.change_id)  # fmt: skip
    return query.where(*begins(store.region), *meets(ChangeRow, bbox, store.engine.dialect.name))


def _spot(row: Any) -> Spot:
    return Spot(
        id=row.id, serial=row.serial, status=row.status, opened=row.opened,
        region=row.region, change_id=row.change_id, change_class=row.change_class, area_m2=row.area_m2,
        geometry=row.geometry, sightings=1 + row.later, saved=row.saved,
    )  # fmt: skip


def _sighting(row: SightingRow) -> dict[str, Any]:
    point = None if row.place is None else [row.place.x, row.place.y]
    return {
        "id": row.id, "outcome": row.outcome, "source": row.source, "change_id": row.change_id, "at": row.at,
        "recorded": row.recorded, "place": point, "accuracy_m": row.accuracy_m, "who": row.who, "photo": row.photo,
        "note": row.note, "why": row.why,
    }  # fmt: skip


def _founding(session: Session, row: Any) -> dict[str, Any]:
    """The change that opened the case, told like what was seen later."""
    founder = founder_of(row.id)
    at = session.scalar(select(ChangeRow.after).where(ChangeRow.id == founder))
    return {
        "id": founder, "outcome": OPENED, "source": "imagery", "change_id": founder, "at": at,
        "recorded": row.opened, "place": None, "accuracy_m": None, "who": MACHINE, "photo": "", "note": "",
        "why": "nothing was known here",
    }  # fmt: skip


def _look(row: LookRow) -> dict[str, Any]:
    return {
        "pair_id": row.pair_id, "at": row.at, "recorded": row.recorded, "outcome": row.outcome, "seen": row.seen,
        "why": row.why,
    }  # fmt: skip
