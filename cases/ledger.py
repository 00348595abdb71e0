"""One run written into the store, all or nothing; writing it again adds nothing twice."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pandas as pd
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases.rules import Judgement
from cases.store import CaseStore
from cases.workflow import MACHINE, MACHINE_ROLE, Workflow
from database.engine import alone
from database.tables import CaseRow, ChangeRow, EventRow, JudgementRow, PairRow, SceneRow
from ground.crs import LONLAT, crs_of, to_crs
from ground.files import short_hash

IN_ONE_QUERY = 500


@dataclass(frozen=True, kw_only=True)
class Entry:
    """All that one run has to say. `scenes` and `pair` are rows as dicts; empty where nobody knows."""

    changes: gpd.GeoDataFrame
    facts: Mapping[str, Facts]
    judgements: dict[str, Judgement]
    regions: dict[str, str]
    layers: dict[str, str]
    scenes: list[dict[str, Any]]
    pair: dict[str, Any]


@dataclass(frozen=True)
class Added:
    """How many rows were new."""

    changes: int
    judgements: int
    cases: int


def record(store: CaseStore, entry: Entry, workflow: Workflow) -> Added:
    """Scenes, pair, changes, judgements and the cases they call for, in one transaction."""
    now = datetime.now(UTC)
    with store.transaction(writes=True) as session:
        alone(session)
        _scenes(session, entry)
        changes = _changes(session, entry)
        judgements = _judgements(session, entry, now)
        cases = _cases(session, entry, workflow, now)
    return Added(changes, judgements, cases)


def _scenes(session: Session, entry: Entry) -> None:
    for scene in entry.scenes:
        session.merge(SceneRow(**scene))
    session.flush()
    if entry.pair:
        session.merge(PairRow(**entry.pair))


def _known(session: Session, column: Any, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), IN_ONE_QUERY):
        found |= set(session.scalars(select(column).where(column.in_(ids[start : start + IN_ONE_QUERY]))))
    return found


def _changes(session: Session, entry: Entry) -> int:
    frame = entry.changes
    known = _known(session, ChangeRow.id, frame["change_id"].tolist())
    lonlat = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), LONLAT, "changes")
    rows = []
    for row, geometry in zip(frame.itertuples(), lonlat, strict=True):
        if row.change_id in known:
            # The outline is the id's; what was said of it since, dates and class, may be better known.
            session.execute(update(ChangeRow).where(ChangeRow.id == row.change_id).values(**_said_of(row)))
            continue
        west, south, east, north = geometry.bounds
        rows.append(
            ChangeRow(
                id=row.change_id,
                pair_id=row.pair_id,
                **_said_of(row),
                area_m2=float(row.area_m2),
                width_m=float(row.width_m),
                region=entry.regions.get(row.change_id, ""),
                geometry=geometry,
                west=west,
                south=south,
                east=east,
                north=north,
            )
        )
    session.add_all(rows)
    session.flush()
    return len(rows)


def _said_of(row: Any) -> dict[str, Any]:
    return {
        "before": _moment(row.before),
        "after": _moment(row.after),
        "change_class": row.change_class,
        "probability": _number(row.probability),
        "ndvi_change": _number(row.ndvi_change),
    }


def _moment(value: Any) -> datetime | None:
    return None if pd.isna(value) else value.to_pydatetime()


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def judgement_id(change_id: str, judgement: Judgement, facts: Facts) -> str:
    """Same change, same facts, same rulebook: same judgement."""
    shown = repr(sorted(facts.values.items())) + repr(sorted(facts.why.items()))
    return short_hash("judgement", change_id, judgement.rulebook, judgement.verdict, judgement.rule_id, shown)


def _judgements(session: Session, entry: Entry, now: datetime) -> int:
    ids = {
        change: judgement_id(change, judgement, entry.facts[change])
        for change, judgement in entry.judgements.items()
    }
    known = _known(session, JudgementRow.id, list(ids.values()))
    for change, judgement in entry.judgements.items():
        if ids[change] in known:
            continue
        session.add(
            JudgementRow(
                id=ids[change],
                change_id=change,
                judged=now,
                verdict=str(judgement.verdict),
                rule_id=judgement.rule_id,
                basis=judgement.basis,
                rulebook=judgement.rulebook,
                facts=dict(entry.facts[change].values),
                seen=judgement.seen,
                missing=judgement.missing,
                proof=judgement.proof,
                layers=entry.layers,
                land=None,
                judging_id=None,
            )
        )
    session.flush()
    for start in range(0, len(ids), IN_ONE_QUERY):
        part = list(ids)[start : start + IN_ONE_QUERY]
        for row in session.scalars(select(ChangeRow).where(ChangeRow.id.in_(part))):
            row.judgement_id = ids[row.id]
            row.region = entry.regions.get(row.id) or row.region
    session.flush()
    return len(ids) - len(known)


def _cases(session: Session, entry: Entry, workflow: Workflow, now: datetime) -> int:
    """Opens what needs a person; where a case is open and the judgement is new, its history says so."""
    ids = entry.changes["change_id"].tolist()
    opened: dict[str, CaseRow] = {}
    for start in range(0, len(ids), IN_ONE_QUERY):
        part = ids[start : start + IN_ONE_QUERY]
        opened |= {
            r.change_id: r for r in session.scalars(select(CaseRow).where(CaseRow.change_id.in_(part)))
        }
    counts: Counter[str] = Counter()
    for change in ids:
        judgement = entry.judgements[change]
        current = judgement_id(change, judgement, entry.facts[change])
        if change in opened:
            case = opened[change]
            if case.judgement_id != current:
                case.judgement_id = current
                said = f"judged again: {judgement.verdict} by rule {judgement.rule_id}"
                session.add(_machine_event(case.id, "judged", case.status, case.status, said, now))
        elif judgement.needs_a_person:
            case_id, status = f"case-{change}", workflow.start[judgement.verdict]
            session.add(
                CaseRow(
                    id=case_id, change_id=change, judgement_id=current, status=status, opened=now, held={}, version=1
                )
            )  # fmt: skip
            session.flush()
            said = f"opened: {judgement.verdict} by rule {judgement.rule_id}"
            session.add(_machine_event(case_id, "opened", "", status, said, now))
            counts["opened"] += 1
    return counts["opened"]


def _machine_event(case_id: str, kind: str, origin: str, status: str, said: str, at: datetime) -> EventRow:
    return EventRow(
        case_id=case_id, at=at, kind=kind, actor=MACHINE, role=MACHINE_ROLE,
        from_status=origin, to_status=status, reason=said, evidence={},
    )  # fmt: skip
