"""Spots as the database keeps them: which lie near, what was seen of them, and how far their cases have come."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from database import bulk
from database.geometry import SRID, Box, meets
from database.spot_tables import SightingRow
from database.tables import CaseRow, ChangeRow, EventRow, JudgementRow
from spots import plane
from spots.carrying import CARRIED, Past
from spots.joining import Outline, founder_of, spot_id_of
from spots.policy import REPORTED, Policy

NOTED, OPENED = "noted", "opened"
"""Outcomes of a change: it lies over a spot and asks for nobody; it founded one."""
FIRST = 1
"""The version of a case that was just opened."""
NUMBERS, SHARE = "_numbers", "_share"
COVERS = 0.5
"""Of a change: a layer that covers less of it explains nothing."""
REPLACED = ("split", "merged")
"""Where a case stands whose place others took: what is seen there later is theirs."""
ALIVE = (
    f"LEFT JOIN enforcement_case AS k ON k.id = 'case-' || c.id AND k.status NOT IN {REPLACED} "
    f"LEFT JOIN enforcement_case AS j ON j.id = s.case_id AND j.status NOT IN {REPLACED}"
)
"""The case that a change founded, and the one that it joined."""
NEAR_SQLITE = (
    "SELECT DISTINCT k.id, j.id FROM json_each(:boxes) AS b CROSS JOIN change_rtree AS r "
    "CROSS JOIN change AS c ON c.serial = r.serial LEFT JOIN sighting AS s ON s.change_id = c.id "
    f"{ALIVE} "
    "WHERE r.west <= json_extract(b.value, '$[2]') AND r.east >= json_extract(b.value, '$[0]') "
    "AND r.south <= json_extract(b.value, '$[3]') AND r.north >= json_extract(b.value, '$[1]')"
)
"""CROSS JOIN: SQLite goes through the boxes, not through the tree."""
NEAR_POSTGRES = (
    "SELECT DISTINCT k.id, j.id FROM unnest(CAST(:w AS float8[]), CAST(:s AS float8[]), CAST(:e AS float8[]), "
    "CAST(:n AS float8[])) AS b(w, s, e, n) "
    f"JOIN change AS c ON c.geometry && ST_MakeEnvelope(b.w, b.s, b.e, b.n, {SRID}) "
    f"LEFT JOIN sighting AS s ON s.change_id = c.id {ALIVE}"
)


@dataclass(frozen=True, kw_only=True)
class Sighted:
    """One outline of a spot as it was seen."""

    outline: Outline
    change_class: str
    version: int


def around(session: Session, boxes: Sequence[Box]) -> set[str]:
    """Ids of the spots of which something was seen in any of the boxes; one query for all of them, by index."""
    if not boxes:
        return set()
    west, south, east, north = zip(*boxes, strict=True)
    hull, dialect = (min(west), min(south), max(east), max(north)), session.get_bind().dialect.name
    if session.scalar(select(ChangeRow.serial).where(*meets(ChangeRow, hull, dialect)).limit(1)) is None:
        return set()  # The first batch of a county.
    if dialect == "postgresql":
        sides = {"w": list(west), "s": list(south), "e": list(east), "n": list(north)}
        rows = session.execute(text(NEAR_POSTGRES), sides)
    else:
        rows = session.execute(text(NEAR_SQLITE), {"boxes": json.dumps(boxes)})
    return {spot for row in rows for spot in row if spot is not None}


def seen_of(session: Session, spots: Iterable[str]) -> list[Sighted]:
    """Every outline of these spots that says more than those before it; of each spot the oldest first.

    What was carried lies in what was judged, within the tolerance: it is no outline to compare with, so that a
    spot cannot creep from sighting to sighting, and years of weekly maps cost nothing.
    """
    wanted = sorted(spots)
    outline = (ChangeRow.id, ChangeRow.geometry, ChangeRow.area_m2, ChangeRow.change_class)
    founders = select(*outline).where(
        bulk.among(session, ChangeRow.id, map(founder_of, wanted)), ChangeRow.change_class != REPORTED
    )
    query = (
        select(*outline, SightingRow.case_id, SightingRow.version, SightingRow.accuracy_m)
        .join(ChangeRow, ChangeRow.id == SightingRow.change_id)
        .where(bulk.among(session, SightingRow.case_id, wanted), SightingRow.outcome.not_in((NOTED, CARRIED)))
        .order_by(SightingRow.serial)
    )
    rows = [
        (row, spot_id_of(row.id), FIRST, None) for row in session.execute(founders.order_by(ChangeRow.serial))
    ]
    rows += [(row, row.case_id, row.version, row.accuracy_m) for row in session.execute(query)]
    shapes = plane.unwrapped([row.geometry for row, *_ in rows])
    found = []
    for (row, spot, version, accuracy_m), shape in zip(rows, shapes, strict=True):
        radius = (accuracy_m or 0.0) if row.change_class == REPORTED else None
        seen = Outline(spot_id=spot, change_id=row.id, shape=shape, area_m2=row.area_m2, radius_m=radius)
        found.append(Sighted(outline=seen, change_class=row.change_class, version=version))
    return sorted(found, key=lambda each: each.outline.spot_id)


def sighted(session: Session, changes: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of those changes that were placed already, the spot and the last outcome."""
    wanted = list(changes)
    query = (
        select(SightingRow.change_id, SightingRow.case_id, SightingRow.outcome)
        .where(bulk.among(session, SightingRow.change_id, wanted))
        .order_by(SightingRow.serial)
    )
    placed = {str(change): (spot, outcome) for change, spot, outcome in session.execute(query)}
    founded = session.scalars(
        select(CaseRow.id).where(bulk.among(session, CaseRow.id, map(spot_id_of, wanted)))
    )
    return placed | {founder_of(spot): (spot, OPENED) for spot in founded}


def pasts(session: Session, spots: Iterable[str], seen: Sequence[Sighted], policy: Policy) -> dict[str, Past]:
    """How far the case of each spot has come, held fast until the transaction ends; `seen`: of these spots at least.

    What a person judged is what had been seen before the case came to where it is: its version was smaller then.
    """
    query = (
        select(CaseRow.id, CaseRow.status, CaseRow.version, CaseRow.held, CaseRow.judgement_id)
        .where(bulk.among(session, CaseRow.id, spots))
        .order_by(CaseRow.id)
        .with_for_update(of=CaseRow)
    )
    rows = session.execute(query).all()
    final = {row.id: row.judgement_id for row in rows if row.status in policy.watched}
    moved = _last_moves(session, final)
    numbers = _documents(session, final, policy)
    by_spot: dict[str, list[Sighted]] = {}
    for each in seen:
        by_spot.setdefault(each.outline.spot_id, []).append(each)
    found = {}
    for case, status, version, held, _ in rows:
        known = [each for each in by_spot.get(case, []) if each.version < version or case not in final]
        imagery = [each for each in known if each.outline.radius_m is None]
        since, by = moved.get(case, (None, ""))
        found[case] = Past(
            case_id=case, status=status, version=version, since=since, by=by, held=held,
            shapes=[each.outline.shape for each in (imagery or known)],
            classes=frozenset(each.change_class for each in known), numbers=numbers.get(case, {}),
        )  # fmt: skip
    return found


def _last_moves(session: Session, cases: Iterable[str]) -> dict[str, tuple[datetime, str]]:
    """When each case came to where it is, and who brought it there."""
    query = (
        select(EventRow.case_id, EventRow.at, EventRow.actor)
        .where(bulk.among(session, EventRow.case_id, cases), EventRow.from_status != EventRow.to_status)
        .order_by(EventRow.serial)
    )
    return {case: (at, actor) for case, at, actor in session.execute(query)}


def _documents(
    session: Session, judgements: Mapping[str, str], policy: Policy
) -> dict[str, dict[str, frozenset[str]]]:
    """By case the numbers of the documents that covered its change when it was judged."""
    query = select(JudgementRow.id, JudgementRow.facts)
    rows = session.execute(query.where(bulk.among(session, JudgementRow.id, judgements.values())))
    facts = {row.id: row.facts for row in rows}
    return {case: documents_of(facts.get(judgement, {}), policy) for case, judgement in judgements.items()}


def documents_of(facts: Mapping[str, Any], policy: Policy) -> dict[str, frozenset[str]]:
    """By fact the numbers of the documents of which facts say that they cover the change."""
    found = {}
    for layer in policy.carry.documents:
        numbers, share = facts.get(layer + NUMBERS), facts.get(layer + SHARE)
        if numbers and (share is None or float(share) >= COVERS):
            found[layer + NUMBERS] = frozenset(str(numbers).split(", "))
    return found


def watched(session: Session, box: Box, policy: Policy) -> list[str]:
    """Ids of the spots under watch whose outline meets a box."""
    query = (
        select(CaseRow.id)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .where(CaseRow.status.in_(sorted(policy.watched)))
        .where(*meets(ChangeRow, box, session.get_bind().dialect.name))
        .order_by(CaseRow.id)
    )
    return list(session.scalars(query))
