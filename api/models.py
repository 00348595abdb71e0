"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any

import shapely
from pydantic import BaseModel, ConfigDict, Field

from cases.records import Case, ChangeRecord, Event, SceneRecord
from cases.show import case_sheet
from cases.store import Page
from cases.workflow import Workflow

NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
"""One line of text: no null, tab or line end."""
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_CONTROL)]
Reference = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class CaseOut(BaseModel):
    """A case: the change, the rule, the facts it saw, what is missing and what must be brought."""

    id: str
    number: str = Field(description="监测图斑编号; empty where none was given")
    serial: int
    status: str
    verdict: str
    rule: str
    basis: str
    change_id: str
    change_class: str
    area_m2: float
    area_mu: float = Field(description="亩")
    region: str
    before: datetime | None
    after: datetime | None
    bbox: list[float] = Field(min_length=4, max_length=4, description="west, south, east, north")
    seen: dict[str, Any]
    missing: dict[str, str]
    proof: str
    facts: dict[str, Any]
    held: dict[str, str]
    opened: datetime
    rulebook: str
    version: int


class CasePage(BaseModel):
    """Cases in the order they were opened; `next` is the cursor of the next page, null at the end."""

    items: list[CaseOut]
    total: int
    next: int | None


class EventOut(BaseModel):
    """One line of a case's history."""

    serial: int
    at: datetime
    kind: str
    actor: str
    role: str
    from_status: str
    to_status: str
    reason: str
    evidence: dict[str, str]
    recorded: datetime | None = Field(default=None, description="when it was written down, null if not known")


class MoveOut(BaseModel):
    """A move that the workflow allows from here."""

    to: str
    roles: list[str]
    needs: list[str]


class CaseFile(CaseOut):
    """A case with its history, its outline and the moves that are open to it."""

    events: list[EventOut]
    moves: list[MoveOut]
    geometry: dict[str, Any]


class MoveIn(BaseModel):
    """Who moves a case where, and what evidence comes into hand with it."""

    model_config = ConfigDict(extra="forbid")

    to: Word
    actor: str = Field(min_length=1, max_length=200, pattern=NO_CONTROL)
    role: Word
    evidence: dict[Word, Reference] = Field(default={}, max_length=64)
    version: int | None = Field(
        default=None, ge=1, description="of the case as it was read: 409 if it moved since"
    )


class SceneOut(BaseModel):
    """A scene; its picture lies at /scenes/{id}/quicklook."""

    id: str
    name: str
    sensor: str
    acquired: datetime | None
    gsd_m: float
    bbox: list[float] = Field(min_length=4, max_length=4)


class PairOut(BaseModel):
    """Two scenes that were compared."""

    id: str
    before_scene: str
    after_scene: str


def case_out(case: Case) -> CaseOut:
    """A case as its answer."""
    return CaseOut(**case_sheet(case))


def case_page(page: Page[Case]) -> CasePage:
    """A page as its answer."""
    return CasePage(items=[case_out(case) for case in page.items], total=page.total, next=page.next_after)


def case_file(case: Case, events: list[Event], road: Workflow) -> CaseFile:
    """A whole case as its answer."""
    return CaseFile(
        **case_sheet(case),
        events=[EventOut(**{name: getattr(e, name) for name in EventOut.model_fields}) for e in events],
        moves=[MoveOut(to=m.to, roles=m.roles, needs=m.needs) for m in road.from_status(case.status)],
        geometry=_geojson(case.geometry),
    )


def scene_out(scene: SceneRecord) -> SceneOut:
    """A scene as its answer; where its file lies stays here."""
    return SceneOut(
        id=scene.id, name=scene.name, sensor=scene.sensor, acquired=scene.acquired, gsd_m=scene.gsd_m,
        bbox=list(scene.bbox),
    )  # fmt: skip


def feature(change: ChangeRecord) -> dict[str, Any]:
    """A change as a GeoJSON feature, WGS 84, its outer ring counterclockwise (RFC 7946)."""
    names = (
        "pair_id", "change_class", "probability", "ndvi_change", "area_m2", "width_m", "region", "verdict", "rule_id",
        "missing", "case_id", "status",
    )  # fmt: skip
    properties: dict[str, Any] = {name: getattr(change, name) for name in names}
    for name in ("before", "after"):
        moment: datetime | None = getattr(change, name)
        properties[name] = moment.isoformat() if moment else None
    return {
        "type": "Feature",
        "id": change.id,
        "bbox": list(change.geometry.bounds),
        "geometry": _geojson(change.geometry),
        "properties": properties,
    }


def _geojson(polygon: shapely.Polygon) -> dict[str, Any]:
    return dict(shapely.orient_polygons(polygon, exterior_cw=False).__geo_interface__)
