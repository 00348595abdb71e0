"""What a person reports of a place: it joins the spot there, or opens one with a case that begins in doubt."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import history
from cases.people import fault_of
from cases.rules import Verdict
from cases.store import CaseStore
from cases.workflow import Workflow, as_read
from database import bulk, seals
from database.spot_tables import SightingRow
from database.tables import CaseRow, ChangeRow, JudgementRow
from detection.changes import ribbon_width_m
from ground.crs import geodesic_area_m2, geodesic_perimeter_m
from ground.errors import BadInput
from ground.files import short_hash
from spots import joining, kept, plane
from spots.carrying import NEW_LOOK, decide_report
from spots.policy import REPORTED, Policy, load_policy

RULE = "REPORTED"
"""Instead of a rule's id: no rulebook judged it."""
PROOF = "field check of the place 外业核查"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Who saw or heard of what, where and when. Degrees of WGS 84; `accuracy_m`: how far the point may be off."""

    source: str
    lon: float
    lat: float
    accuracy_m: float
    at: datetime
    who: str
    note: str
    photo: str = ""
    day: date | None = None
    """Where no moment but a day was told: `at` is then some moment of it."""
    region: str = ""
    """Of a new spot; the store's own region where it has one."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where a report went. `is_new`: it had not been recorded before."""

    case_id: str
    outcome: str
    why: str
    is_new: bool


def report(store: CaseStore, said: Report, workflow: Workflow) -> Answer:
    """Records a report, in one transaction; told again with the same words it adds nothing.

    Raises:
        BadInput: a field cannot be so; the sentence names it.
    """
    now = datetime.now(UTC)
    policy = check_report(store, said, now)
    # Today is told as its day, though it ends now: an hour later the same words are the same report.
    told = datetime.combine(said.day, time.max, UTC) if said.day else said.at
    key = short_hash(
        "report", said.source, told.isoformat(), repr((said.lon, said.lat, said.accuracy_m)), said.who.strip(),
        said.note.strip(), said.photo.strip(),
    )  # fmt: skip
    with store.transaction(writes=True) as session:
        was = session.scalar(select(SightingRow).where(SightingRow.id == key))
        if was is not None:
            return Answer(case_id=was.case_id, outcome=was.outcome, why=was.why, is_new=False)
        near = _nearest(session, said, store.region, policy)
        if near is None:
            return _opened(session, said, key, store.region, workflow, policy, now)
        return _joined(session, said, key, near, workflow, policy, now)


def check_report(store: CaseStore, said: Report, now: datetime) -> Policy:
    """The edition of spots.toml that holds, if the report can be so.

    Raises:
        BadInput: a field cannot be so; the sentence names it.
    """
    policy = load_policy(now.date())
    _check(said, store.region, policy, now)
    return policy


def _check(said: Report, region: str, policy: Policy, now: datetime) -> None:
    if said.source not in policy.reports.sources:
        raise BadInput(
            f"--source: {said.source!r} is unknown; use one of {', '.join(policy.reports.sources)}"
        )
    for name, value, most in (("--lon", said.lon, 180.0), ("--lat", said.lat, 90.0)):
        if not math.isfinite(value) or abs(value) > most:
            raise BadInput(f"{name}: {value} is no place; give degrees from -{most:.0f} to {most:.0f}")
    if not math.isfinite(said.accuracy_m) or not 0 < said.accuracy_m <= 10_000:
        raise BadInput(
            f"--accuracy-m: {said.accuracy_m} is no accuracy; give meters, above 0 and up to 10000"
        )
    fault = fault_of(said.who, may_be_number=True)
    if fault:
        raise BadInput(f"--actor: a report is made by a named person; {fault}")
    if not as_read(said.note):
        raise BadInput("--note: is empty; say in a sentence what was seen")
    for name, text in (("--actor", said.who), ("--note", said.note), ("--photo", said.photo)):
        if "\0" in text:
            raise BadInput(f"{name}: holds a null character; remove it")
    if said.at.tzinfo is None or said.at > now:
        raise BadInput(
            f"--at: {said.at.isoformat()} lies in the future or names no zone; give the time it was seen"
        )
    if said.region and not (said.region.isascii() and said.region.isdigit()):
        raise BadInput(f"--region: {said.region!r} is no code; give the digits of GB/T 2260, as 140105")
    if said.region and not said.region.startswith(region):
        raise BadInput(f"--region: {said.region!r} lies outside of {region!r}; give one that begins with it")


def _nearest(session: Session, said: Report, region: str, policy: Policy) -> tuple[str, str] | None:
    """The spot that a report belongs to and why; of several the nearest, then the smallest, then by id."""
    most = min(said.accuracy_m, policy.reports.most_accuracy_m) + policy.reports.near_m
    margin = most + policy.reports.most_accuracy_m
    point = plane.unwrapped([shapely.Point(said.lon, said.lat)])
    seen = kept.seen_of(
        session, _inside(session, kept.around(session, plane.boxes_around(point, margin)), region)
    )
    shown = {each.outline.spot_id for each in seen if each.outline.radius_m is None}
    outlines = [
        each.outline for each in seen if each.outline.radius_m is None or each.outline.spot_id not in shown
    ]
    away = plane.distances_m(said.lon, said.lat, [each.shape for each in outlines])
    found: dict[str, tuple[float, float, str]] = {}
    for outline, m in zip(outlines, away, strict=True):
        if m <= most:
            one = (round(float(m), 1), round(outline.area_m2, 3), outline.spot_id)
            found[outline.spot_id] = min(one, found.get(outline.spot_id, one))
    if not found:
        return None
    best, *others = sorted(found.values())
    why = "its point lies inside" if best[0] == 0 else f"its point lies {best[0]:.0f} m from the outline"
    beside = f"; also near {', '.join(spot for _, _, spot in others)}" if others else ""
    return best[2], why + beside


def _inside(session: Session, spots: set[str], region: str) -> set[str]:
    """Those of the store's own region."""
    if not region or not spots:
        return spots
    query = (
        select(CaseRow.id)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .where(
            bulk.among(session, CaseRow.id, spots), func.substr(ChangeRow.region, 1, len(region)) == region
        )
    )
    return set(session.scalars(query))


def _joined(
    session: Session,
    said: Report,
    key: str,
    near: tuple[str, str],
    workflow: Workflow,
    policy: Policy,
    now: datetime,
) -> Answer:
    spot, lies = near
    past = kept.pasts(session, [spot], kept.seen_of(session, [spot]), policy)[spot]
    outcome, reason = decide_report(past, said.at, policy)
    why = f"{lies}; {reason}"
    seals.add(session, SightingRow, [_sighting(said, key, spot, None, past.version, outcome, why, now)])
    to = past.status
    if outcome == NEW_LOOK:
        to = workflow.start[Verdict.DOUBT]
        row = {"id": past.case_id, "status": to, "held": {}, "version": past.version + 1}
        with seals.altering(session, CaseRow, [past.case_id]):
            bulk.alter(session, CaseRow, "id", [row])
    told = f"{outcome}: report by {said.source}: {said.note.strip()}; {why}"
    history.append(session, [_event(said, key, past.case_id, outcome, told, past.status, to, now)])
    return Answer(case_id=spot, outcome=outcome, why=why, is_new=True)


def _opened(
    session: Session, said: Report, key: str, region: str, workflow: Workflow, policy: Policy, now: datetime
) -> Answer:
    """A small change of the point's accuracy stands for what nobody has drawn yet; its area is no fact."""
    case = joining.spot_id_of(key)
    status = workflow.start[Verdict.DOUBT]
    judgement = short_hash("judgement", key)
    seals.add(session, ChangeRow, [_change(said, key, judgement, said.region or region, policy)])
    judged = [_judgement(key, judgement, now)]
    bulk.add(session, JudgementRow, judged)
    seals.added(session, JudgementRow, judged, now)
    seals.add(
        session, CaseRow,
        [
            {
                "id": case, "change_id": key, "judgement_id": judgement, "status": status, "opened": now, "held": {},
                "version": kept.FIRST,
            }
        ],
    )  # fmt: skip
    why = "no spot was known near it"
    seals.add(session, SightingRow, [_sighting(said, key, case, key, kept.FIRST, kept.OPENED, why, now)])
    told = f"opened: report by {said.source}: {said.note.strip()}"
    history.append(session, [_event(said, key, case, "opened", told, "", status, now)])
    return Answer(case_id=case, outcome=kept.OPENED, why=why, is_new=True)


def _change(said: Report, key: str, judgement: str, region: str, policy: Policy) -> dict[str, Any]:
    shape = plane.circle(said.lon, said.lat, max(said.accuracy_m, policy.reports.least_radius_m))
    area = geodesic_area_m2(shape)
    width = ribbon_width_m(area, geodesic_perimeter_m(shape))
    west, south, east, north = shape.bounds
    return {
        "id": key, "pair_id": "", "before": None, "after": said.at, "change_class": REPORTED, "probability": None,
        "ndvi_change": None, "region": region, "judgement_id": judgement, "area_m2": float(area[0]),
        "width_m": float(width[0]), "geometry": shape, "west": west, "south": south, "east": east, "north": north,
    }  # fmt: skip


def _judgement(change: str, key: str, now: datetime) -> dict[str, Any]:
    missing = {"change_area_m2": "a report is a point; nobody has drawn the outline yet"}
    facts = {"change_class": REPORTED, "change_area_m2": None}
    return {
        "id": key, "change_id": change, "judged": now, "verdict": str(Verdict.DOUBT), "rule_id": RULE, "basis": "",
        "rulebook": "", "facts": facts, "seen": {}, "missing": missing, "proof": PROOF, "group": None, "settles": [],
        "layers": {}, "land": None, "content": None, "judging_id": None,
    }  # fmt: skip


def _sighting(
    said: Report, key: str, case: str, change: str | None, version: int, outcome: str, why: str, now: datetime
) -> dict[str, Any]:
    return {
        "id": key, "case_id": case, "change_id": change, "source": said.source, "at": said.at, "recorded": now,
        "version": version, "outcome": outcome, "place": shapely.Point(said.lon, said.lat),
        "accuracy_m": said.accuracy_m, "who": said.who.strip(), "photo": said.photo.strip(),
        "note": said.note.strip(), "why": why,
    }  # fmt: skip


def _event(
    said: Report, key: str, case: str, kind: str, told: str, origin: str, to: str, now: datetime
) -> dict[str, Any]:
    evidence = {"report": key} | ({"photo": said.photo.strip()} if said.photo.strip() else {})
    return history.event(
        case,
        now,
        kind,
        told,
        actor=said.who.strip(),
        role=said.source,
        origin=origin,
        to=to,
        evidence=evidence,
    )
