"""All that a case report says, as plain data read in one transaction, and its sha256; no words and no layout yet."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases.explain import walk
from cases.records import Event, SceneRecord, event_of
from cases.rulebook import Rulebook, layer_of
from cases.rules import judge
from cases.store import CaseStore
from cases.weighed import standing, weighed
from cases.workflow import Workflow
from database.tables import CaseRow, EventRow, JudgementRow, JudgingRow, PairRow, RulebookRow, SceneRow
from evidence.adding import Evidence, rows_of
from reports.definitions import load_definitions
from reports.in_hand import needed
from reports.land_table import LandTable, land_table
from reports.numbering import number_of

DEGREE_DIGITS = 7
"""A centimetre."""


@dataclass(frozen=True, kw_only=True)
class CaseData:
    """A case as a report needs it: `said` is what the hash is made of; scenes are what chips are cut from."""

    said: dict[str, Any]
    outline: shapely.Geometry
    scenes: dict[str, SceneRecord | None]
    land: LandTable | None
    events: list[Event]
    given: list[Evidence]
    """Files given for it, oldest first."""

    @property
    def sha256(self) -> str:
        """Of all that is said: the same as long as nothing in the case, its judgement or its scenes changes."""
        text = json.dumps(
            self.said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain
        )
        return hashlib.sha256(text.encode()).hexdigest()


def case_data(store: CaseStore, case_id: str, workflow: Workflow) -> CaseData:
    """What is known of a case.

    Raises:
        NotFound: there is none of this id.
    """
    case = store.case(case_id)
    case_id = case.id
    with store.transaction() as session:
        row = session.scalars(select(CaseRow).where(CaseRow.id == case_id)).one()
        events = [
            event_of(one)
            for one in session.scalars(
                select(EventRow).where(EventRow.case_id == case_id).order_by(EventRow.serial)
            )
        ]
        scenes = _scenes(session, row.change.pair_id)
        given = rows_of(session, case_id)
        land = land_table(row.judgement.land, row.change.area_m2, row.judgement.facts)
        said = {
            "case": _case(row, case.number),
            "change": _change(row),
            "judgement": _judgement(session, row.judgement),
            "land": row.judgement.land,
            "scenes": {which: _scene(scene) for which, scene in scenes.items()},
            "events": [_event(event) for event in events],
            "held": row.held,
            "needed": needed(workflow, row.status),
            "files": [_file(one) for one in given],
            "standing": standing(weighed(session, case_id, workflow)),
        }
        return CaseData(
            said=said, outline=row.change.geometry, scenes=scenes, land=land, events=events, given=given
        )


def _case(row: CaseRow, number: str) -> dict[str, Any]:
    kind = load_definitions().kind_of(row.status, row.judgement.verdict)
    return {
        "id": row.id, "number": number or number_of(row.change.region, row.change.after, row.serial),
        "status": row.status, "version": row.version, "opened": row.opened, "region": row.change.region,
        "finding": kind,
    }  # fmt: skip


def _change(row: CaseRow) -> dict[str, Any]:
    change = row.change
    rings = [
        [[round(x, DEGREE_DIGITS), round(y, DEGREE_DIGITS)] for x, y in ring.coords]
        for part in shapely.get_parts(change.geometry)
        for ring in (part.exterior, *part.interiors)
    ]
    return {
        "id": change.id, "class": change.change_class, "area_m2": change.area_m2, "width_m": change.width_m,
        "before": change.before, "after": change.after, "probability": change.probability,
        "box": [round(edge, DEGREE_DIGITS) for edge in (change.west, change.south, change.east, change.north)],
        "rings": rings, "pair_id": change.pair_id,
    }  # fmt: skip


def _judgement(session: Session, row: JudgementRow) -> dict[str, Any]:
    kept = session.get(RulebookRow, row.rulebook) if row.rulebook else None
    judging = session.get(JudgingRow, row.judging_id) if row.judging_id else None
    book = Rulebook.model_validate(kept.content) if kept else None
    titles = {name: layer["title"] for name, layer in (judging.catalogue if judging else {}).items()}
    looked = {*row.seen, *row.missing}
    return {
        "id": row.id, "judged": row.judged, "verdict": row.verdict, "rule": row.rule_id, "basis": row.basis,
        "group": row.group or "", "rulebook": row.rulebook,
        "title": f"{book.title}, {book.effective_from}" if book else "",
        "conditions": _conditions(book, row) if book else None,
        "seen": row.seen, "missing": row.missing, "proof": row.proof, "settles": row.settles or [],
        "layers": row.layers,
        "layer_titles": {fact: titles[layer] for fact in sorted(looked) if (layer := layer_of(fact)) in titles},
    }  # fmt: skip


def _conditions(book: Rulebook, row: JudgementRow) -> list[dict[str, Any]]:
    """What the deciding rule asked, and what it got."""
    facts = Facts(row.facts, row.missing)
    steps = walk(facts, book, judge(facts, book))
    rule = next((step for step in steps if step.rule == row.rule_id), None)
    return [
        {"fact": one.fact, "asked": one.asked, "value": one.value, "answer": one.answer, "source": one.source}
        for one in (rule.asked if rule else [])
    ]


def _scenes(session: Session, pair_id: str) -> dict[str, SceneRecord | None]:
    pair = session.get(PairRow, pair_id)
    ids = {"before": pair.before_scene, "after": pair.after_scene} if pair else {"before": "", "after": ""}
    return {which: _record(session.get(SceneRow, key)) for which, key in ids.items()}


def _record(row: SceneRow | None) -> SceneRecord | None:
    if row is None:
        return None
    return SceneRecord(
        id=row.id, name=row.name, sensor=row.sensor, acquired=row.acquired, gsd_m=row.gsd_m, href=row.href,
        bbox=(row.west, row.south, row.east, row.north),
    )  # fmt: skip


def _scene(scene: SceneRecord | None) -> dict[str, Any] | None:
    """What a report says of a scene; where its file lies is this machine's affair."""
    if scene is None:
        return None
    return {
        "id": scene.id, "name": scene.name, "sensor": scene.sensor, "acquired": scene.acquired, "gsd_m": scene.gsd_m,
    }  # fmt: skip


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": event.at, "kind": event.kind, "actor": event.actor, "role": event.role, "from": event.from_status,
        "to": event.to_status, "reason": event.reason, "evidence": event.evidence, "recorded": event.recorded,
    }  # fmt: skip


def _file(one: Evidence) -> dict[str, Any]:
    """What was given and what was found in it that day; what lies in the store now is not data of the case."""
    return {name: value for name, value in asdict(one).items() if name != "case_id"}


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
