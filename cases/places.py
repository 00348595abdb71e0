"""Spots as people ask for them: a list, one with all that was seen of it, and what joining has saved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from cases.store import CaseStore, Page
from database.geometry import Box, meets
from database.spot_tables import LookRow, SightingRow, SpotRow
from database.tables import CaseRow, ChangeRow
from ground.errors import NotFound

SAVED = ("joined", "carried")
"""Outcomes that would each have been a case and a visit of their own."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One place, as its case stands now."""

    id: str
    serial: int
    case_id: str
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
        rows = session.execute(query.where(SpotRow.serial > after).order_by(SpotRow.serial).limit(limit + 1))
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
            row = session.execute(_spots(store, None).where(SpotRow.id == spot_id)).first()
        if row is None:
            raise NotFound(f"no spot has the id {spot_id!r}; `tiankan spots list` shows them")
        seen = session.scalars(
            select(SightingRow).where(SightingRow.spot_id == spot_id).order_by(SightingRow.serial)
        )
        looks = session.scalars(select(LookRow).where(LookRow.spot_id == spot_id).order_by(LookRow.serial))
        return _spot(row), [_sighting(one) for one in seen], [_look(one) for one in looks]


def totals(store: CaseStore) -> dict[str, Any]:
    """Spots, sightings by outcome, and the visits saved: sightings that would have been cases of their own."""
    with store.transaction() as session:
        known = _spots(store, None).subquery()
        count = session.scalar(select(func.count()).select_from(known)) or 0
        by_outcome = (
            select(SightingRow.outcome, func.count())
            .where(SightingRow.spot_id.in_(select(known.c.spot_id)))
            .group_by(SightingRow.outcome)
        )
        outcomes = {row[0]: row[1] for row in session.execute(by_outcome)}
    saved = sum(outcomes.get(outcome, 0) for outcome in SAVED)
    asked = sum(number for outcome, number in outcomes.items() if outcome != "noted")
    return {
        "spots": count,
        "sightings": dict(sorted(outcomes.items())),
        "visits_saved": saved,
        "visits_saved_share": round(saved / asked, 4) if asked else None,
    }


def _spots(store: CaseStore, bbox: Box | None) -> Select[Any]:
    """Spots with the change that founded them and their case, within the store's region."""
    founding = aliased(ChangeRow)
    mine = select(func.count()).where(SightingRow.spot_id == SpotRow.id).correlate(SpotRow)
    query = (
        select(
            SpotRow.id.label("spot_id"), SpotRow.serial, SpotRow.case_id, SpotRow.opened, CaseRow.status,
            founding.region, ChangeRow.id.label("change_id"), ChangeRow.change_class, ChangeRow.area_m2,
            ChangeRow.geometry, mine.scalar_subquery().label("sightings"),
            mine.where(SightingRow.outcome.in_(SAVED)).scalar_subquery().label("saved"),
        )
        .join(founding, founding.id == SpotRow.change_id)
        .join(CaseRow, CaseRow.id == SpotRow.case_id)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
    )  # fmt: skip
    if store.region:
        query = query.where(func.substr(founding.region, 1, len(store.region)) == store.region)
    return query.where(*meets(ChangeRow, bbox, store.engine.dialect.name))


def _spot(row: Any) -> Spot:
    return Spot(
        id=row.spot_id, serial=row.serial, case_id=row.case_id, status=row.status, opened=row.opened,
        region=row.region, change_id=row.change_id, change_class=row.change_class, area_m2=row.area_m2,
        geometry=row.geometry, sightings=row.sightings, saved=row.saved,
    )  # fmt: skip


def _sighting(row: SightingRow) -> dict[str, Any]:
    point = None if row.place is None else [row.place.x, row.place.y]
    return {
        "id": row.id, "outcome": row.outcome, "source": row.source, "change_id": row.change_id, "at": row.at,
        "recorded": row.recorded, "place": point, "accuracy_m": row.accuracy_m, "who": row.who, "photo": row.photo,
        "note": row.note, "why": row.why,
    }  # fmt: skip


def _look(row: LookRow) -> dict[str, Any]:
    return {
        "pair_id": row.pair_id, "at": row.at, "recorded": row.recorded, "outcome": row.outcome, "seen": row.seen,
        "why": row.why,
    }  # fmt: skip
