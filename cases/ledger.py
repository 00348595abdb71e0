"""One run written into the store, all or nothing; writing it again adds nothing twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cadastre.registry import vintages_known
from cases import history, reasons, said, spotted
from cases.rules import Judgement
from cases.store import CaseStore
from cases.workflow import Workflow
from database import bulk, seals
from database.engine import alone
from database.tables import CaseRow, ChangeRow, JudgementRow, JudgingRow, PairRow, RulebookRow, SceneRow
from ground.crs import LONLAT, crs_of, to_crs
from ground.errors import BadInput
from ground.files import short_hash

Ids = dict[str, str]
"""The id of the judgement of each change."""


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
    judging: dict[str, Any] | None = None
    """A JudgingRow as dict: what new judgements will say they came from."""
    rulebooks: list[dict[str, Any]] = field(default_factory=list)
    """RulebookRows as dicts; those that are kept already stay as they are."""
    land: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The area ledger of a change, for its new judgement."""
    observed: spotted.Observed | None = None
    """How much of an outline both scenes show; None where nobody knows."""


@dataclass(frozen=True)
class Added:
    """How many rows were new; how many changes joined a case, were held by an earlier verdict, or reopened a case."""

    changes: int
    judgements: int
    cases: int
    joined: int = 0
    carried: int = 0
    reopened: int = 0


def record(store: CaseStore, entry: Entry, workflow: Workflow) -> Added:
    """Scenes, pair, rulebooks, judging, changes, judgements and the cases they call for, in one transaction.

    Raises:
        BadInput: the store sees one region only.
    """
    if store.region:
        raise BadInput(f"a run is recorded by who sees every region, not by region {store.region!r} alone")
    contents = _contents(entry)
    with store.transaction(writes=True) as session:
        alone(session)
        # Now that nobody else is at it: judgings and judgements stand in the order in which they were recorded.
        now = datetime.now(UTC)
        _knows_no_more(session, entry.judging)
        ids = _ids(session, entry, contents)
        _scenes(session, entry)
        _rulebooks(session, entry.rulebooks)
        nearby = spotted.look_around(session, entry, now)
        changes = _changes(session, entry, ids)
        judging = _judging(session, entry, ids, now)
        judgements = _judgements(session, entry, ids, contents, now, judging)
        _judged_again(session, entry, ids, now)
        came = spotted.settle(session, entry, ids, workflow, now, nearby)
    reopened = came["new_look"] + came["rebound"]
    return Added(changes, judgements, came["opened"], came["joined"], came["carried"], reopened)


def add_judged(session: Session, entry: Entry, now: datetime) -> Ids:
    """Changes with their judging and judgements, but no cases, inside a transaction that writes."""
    contents = _contents(entry)
    _knows_no_more(session, entry.judging)
    ids = _ids(session, entry, contents)
    _rulebooks(session, entry.rulebooks)
    _changes(session, entry, ids)
    _judgements(session, entry, ids, contents, now, _judging(session, entry, ids, now))
    return ids


def _contents(entry: Entry) -> Ids:
    return {key: judgement_id(key, said, entry.facts[key]) for key, said in entry.judgements.items()}


def _knows_no_more(session: Session, judging: dict[str, Any] | None) -> None:
    """Nothing, if the registry still says what was judged by.

    Raises:
        BadInput: a vintage known by then came in meanwhile; replay would judge by it.
    """
    if judging is None or judging["versions"].get("place") != "":
        return
    now = vintages_known(session, judging["as_of"])
    late = sorted(name for name in now if now[name] != judging["layers"].get(name))
    if late:
        raise BadInput(
            f"--db: layer {late[0]} was imported, as known by {judging['as_of']:%Y-%m-%d %H:%M} UTC, while the changes "
            "were judged without it; nothing was recorded, judge again"
        )


def judgement_id(change_id: str, judgement: Judgement, facts: Facts) -> str:
    """Same change, same facts, same rulebook: same judgement."""
    known = [sorted(part.items()) for part in (facts.values, facts.why, judgement.missing)]
    shown = "".join(repr(part) for part in known[: 3 if judgement.missing else 2])
    return short_hash("judgement", change_id, judgement.rulebook, judgement.verdict, judgement.rule_id, shown)


def _ids(session: Session, entry: Entry, contents: Ids) -> Ids:
    """The id of each change's judgement: its latest one's if that says the same already, else a new one.

    Raises:
        BadInput: a change was judged as of a later moment.
    """
    changes = bulk.among(session, ChangeRow.id, list(contents))
    latest = (
        select(ChangeRow.id, JudgementRow.id, JudgementRow.content)
        .join(JudgementRow, ChangeRow.judgement_id == JudgementRow.id)
        .where(changes)
    )
    known = {change: (key, content or key) for change, key, content in session.execute(latest)}
    if entry.judging:
        said.refuse_later(session, list(contents), entry.judging["as_of"])
    used = bulk.among(session, JudgementRow.id, contents.values())
    taken = set(session.scalars(select(JudgementRow.id).where(used)))
    ids = {}
    for change, content in contents.items():
        key, latest_content = known.get(change, ("", ""))
        again = short_hash("judgement", content, key) if content in taken else content
        ids[change] = key if latest_content == content else again
    return ids


def _scenes(session: Session, entry: Entry) -> None:
    with seals.altering(session, SceneRow, [scene["id"] for scene in entry.scenes]):
        for scene in entry.scenes:
            session.merge(SceneRow(**scene))
    if entry.pair:
        with seals.altering(session, PairRow, [entry.pair["id"]]):
            session.merge(PairRow(**entry.pair))


def _rulebooks(session: Session, rows: list[dict[str, Any]]) -> None:
    wanted = bulk.among(session, RulebookRow.id, [row["id"] for row in rows])
    known = set(session.scalars(select(RulebookRow.id).where(wanted)))
    new = [row for row in rows if row["id"] not in known]
    bulk.add(session, RulebookRow, new)
    for row in new:
        seals.added(session, RulebookRow, [row], row["id"])


def _judging(session: Session, entry: Entry, ids: Ids, now: datetime) -> str | None:
    """The id of the judging that new judgements came from; the same again that says nothing new is no new judging."""
    if entry.judging is None:
        return None
    key = entry.judging["id"]
    if session.get(JudgingRow, key) is not None:
        kept = select(func.count()).where(bulk.among(session, JudgementRow.id, ids.values()))
        if session.scalar(kept) == len(set(ids.values())):
            return str(key)
        # Another judging of the same day came between, and this one says anew what the first said.
        key = short_hash("judging", key, now.isoformat())
    changes = said.ranges_of(session, ids)
    row = entry.judging | {"id": key, "made": now, "changes": changes}
    bulk.add(session, JudgingRow, [row])
    seals.added(session, JudgingRow, [row], key)
    return str(key)


def _changes(session: Session, entry: Entry, ids: Ids) -> int:
    """Adds the new; of those that are known the outline is the id's, but dates, class, region may be better known."""
    frame = entry.changes
    columns = [getattr(ChangeRow, name) for name in ("id", *SAID, "region", "judgement_id")]
    wanted = bulk.among(session, ChangeRow.id, frame["change_id"].tolist())
    known = {row.id: row for row in session.execute(select(*columns).where(wanted))}
    lonlat = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), LONLAT, "changes")
    boxes = shapely.bounds(lonlat).tolist()
    added, altered = [], []
    for row, geometry, box in zip(frame.itertuples(), lonlat, boxes, strict=True):
        change, was = row.change_id, known.get(row.change_id)
        region = entry.regions.get(change) or (was.region if was else "")
        latest = ids.get(change) or (was.judgement_id if was else None)
        now = {"id": change} | _said_of(row) | {"region": region, "judgement_id": latest}
        if was is None:
            west, south, east, north = box
            added.append(
                now
                | {"pair_id": row.pair_id, "area_m2": float(row.area_m2), "width_m": float(row.width_m)}
                | {"geometry": geometry, "west": west, "south": south, "east": east, "north": north}
            )
        elif now != was._asdict():
            altered.append(now)
    seals.add(session, ChangeRow, added)
    with seals.altering(session, ChangeRow, [each["id"] for each in altered]):
        bulk.alter(session, ChangeRow, "id", altered)
    return len(added)


SAID = ("before", "after", "change_class", "probability", "ndvi_change")


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


def _judgements(
    session: Session, entry: Entry, ids: Ids, contents: Ids, now: datetime, judging: str | None
) -> int:
    kept = select(JudgementRow.id).where(bulk.among(session, JudgementRow.id, ids.values()))
    known = set(session.scalars(kept))
    added = [
        {
            "id": ids[change],
            "change_id": change,
            "judged": now,
            "verdict": str(judgement.verdict),
            "rule_id": judgement.rule_id,
            "basis": judgement.basis,
            "rulebook": judgement.rulebook,
            "facts": entry.facts[change].values,
            "why": reasons.kept(entry.facts[change]),
            "seen": judgement.seen,
            "missing": judgement.missing,
            "proof": judgement.proof,
            "group": judgement.group,
            "settles": judgement.settles,
            "layers": entry.layers,
            "land": entry.land.get(change),
            "content": contents[change],
            "judging_id": judging,
        }
        for change, judgement in entry.judgements.items()
        if ids[change] not in known
    ]
    seals.add(session, JudgementRow, added, now)
    return len(added)


def _judged_again(session: Session, entry: Entry, ids: Ids, now: datetime) -> None:
    """Where a case is open and the judgement is new, its history says so."""
    changes = entry.changes["change_id"].tolist()
    columns = (CaseRow.id, CaseRow.change_id, CaseRow.status, CaseRow.judgement_id)
    wanted = select(*columns).where(bulk.among(session, CaseRow.change_id, changes)).with_for_update()
    opened = {row.change_id: row for row in session.execute(wanted)}
    altered, events = [], []
    for change in changes:
        case = opened.get(change)
        if case is not None and case.judgement_id != ids[change]:
            judgement = entry.judgements[change]
            altered.append({"id": case.id, "judgement_id": ids[change]})
            told = f"judged again: {judgement.verdict} by rule {judgement.rule_id}"
            events.append(history.event(case.id, now, "judged", told, origin=case.status, to=case.status))
    with seals.altering(session, CaseRow, [each["id"] for each in altered]):
        bulk.alter(session, CaseRow, "id", altered)
    history.append(session, events)
