"""Records that leave the store: a case, an event and a change as everyone else sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely

from database.tables import CaseRow, ChangeRow, EventRow, JudgementRow
from ground.clock import AHEAD


@dataclass(frozen=True, kw_only=True)
class Case:
    """One enforcement file with the change it was opened on and the judgement that opened it."""

    id: str
    serial: int
    status: str
    opened: datetime
    region: str
    change_id: str
    change_class: str
    area_m2: float
    before: datetime | None
    after: datetime | None
    bbox: tuple[float, float, float, float]
    geometry: shapely.Polygon
    verdict: str
    rule_id: str
    basis: str
    rulebook: str
    seen: dict[str, Any]
    missing: dict[str, str]
    proof: str
    facts: dict[str, Any]
    land: dict[str, Any] | None
    """The area ledger, see `cases.measuring.land_of`; None where none was made."""
    held: dict[str, str]
    version: int
    number: str = ""
    """监测图斑编号; "" where none was given."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a case's history."""

    serial: int
    case_id: str
    at: datetime
    kind: str
    actor: str
    role: str
    from_status: str
    to_status: str
    reason: str
    evidence: dict[str, str]
    recorded: datetime | None = None
    """When it was written down; None where that was not kept."""
    workflow: str | None = None
    """Version of the workflow by which a person moved it; None where that was not kept, or for any other line."""

    @property
    def written_later(self) -> datetime | None:
        """When it was written down, where that was noticeably after what it tells of: somebody dated it back."""
        later = self.recorded is not None and self.recorded - self.at > AHEAD
        return self.recorded if later else None


@dataclass(frozen=True, kw_only=True)
class ChangeRecord:
    """A stored change with its latest judgement, and its case if it has one."""

    id: str
    serial: int
    pair_id: str
    before: datetime | None
    after: datetime | None
    change_class: str
    probability: float | None
    ndvi_change: float | None
    area_m2: float
    width_m: float
    region: str
    geometry: shapely.Polygon
    verdict: str
    rule_id: str
    missing: dict[str, str]
    case_id: str | None
    status: str | None


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """A stored scene."""

    id: str
    name: str
    sensor: str
    acquired: datetime | None
    gsd_m: float
    href: str
    bbox: tuple[float, float, float, float]


def case_of(row: CaseRow, number: str = "") -> Case:
    """The record of a row."""
    change, judgement = row.change, row.judgement
    return Case(
        id=row.id,
        serial=row.serial,
        status=row.status,
        opened=row.opened,
        region=change.region,
        change_id=change.id,
        change_class=change.change_class,
        area_m2=change.area_m2,
        before=change.before,
        after=change.after,
        bbox=(change.west, change.south, change.east, change.north),
        geometry=change.geometry,
        verdict=judgement.verdict,
        rule_id=judgement.rule_id,
        basis=judgement.basis,
        rulebook=judgement.rulebook,
        seen=judgement.seen,
        missing=judgement.missing,
        proof=judgement.proof,
        facts=judgement.facts,
        land=judgement.land,
        held=row.held,
        version=row.version,
        number=number,
    )


def event_of(row: EventRow) -> Event:
    """The record of a row."""
    return Event(
        serial=row.serial,
        case_id=row.case_id,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        role=row.role,
        from_status=row.from_status,
        to_status=row.to_status,
        reason=row.reason,
        evidence=row.evidence,
        recorded=row.recorded,
        workflow=row.workflow,
    )


def change_of(row: ChangeRow, judgement: JudgementRow | None, case: CaseRow | None) -> ChangeRecord:
    """The record of a row with what stands beside it."""
    return ChangeRecord(
        id=row.id,
        serial=row.serial,
        pair_id=row.pair_id,
        before=row.before,
        after=row.after,
        change_class=row.change_class,
        probability=row.probability,
        ndvi_change=row.ndvi_change,
        area_m2=row.area_m2,
        width_m=row.width_m,
        region=row.region,
        geometry=row.geometry,
        verdict=judgement.verdict if judgement else "",
        rule_id=judgement.rule_id if judgement else "",
        missing=judgement.missing if judgement else {},
        case_id=case.id if case else None,
        status=case.status if case else None,
    )
