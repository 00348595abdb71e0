"""The bundle of a case: all that its verdict rests on and all that was done, in one zip that replays without us."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cadastre.facts import Facts
from cases import verdicts
from cases.known import Known, books_of, from_judging
from cases.measuring import FIRST, LAST, measured
from cases.reasons import facts_of
from cases.records import event_of
from cases.replay import frame_again
from cases.rules import Rulebook, judge_between
from cases.store import CaseStore
from cases.workflow import Workflow
from database.cadastre_tables import VintageRow
from database.tables import CaseRow, ChangeRow, EventRow, JudgementRow, JudgingRow
from evidence import layers
from evidence.adding import Evidence, rows_of
from evidence.files import Files
from evidence.limits import Limits
from evidence.media import ending
from evidence.sealed import BUNDLED, Maker, newest_head, tell
from evidence.zips import Writer, to_json
from ground.crs import crs_of
from ground.errors import BadInput, NotFound
from ground.files import written_beside

AS_WRITTEN = "the files of its layers are no longer as they were: its facts stand as they were written"
NO_JUDGING = "it was judged before judgings were kept: its rulebooks and layers are not in the database"


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """`same`: whether the verdict found again is the one written down; None where it could not be judged again."""

    case_id: str
    members: int
    bytes: int
    sha256: str
    same: bool | None
    note: str


def write_bundle(
    store: CaseStore,
    files: Files,
    case_id: str,
    out: Path,
    by: Maker,
    workflow: Workflow,
    limits: Limits,
) -> Bundled:
    """Writes the zip of a case, and its sum into the case's history; the same bytes whenever the same is known.

    Raises:
        NotFound, IllegalMove: there is no such case; no named person.
        BadInput: a file of its evidence is missing or was altered; nothing was written.
        CannotWrite: no space or no rights.
    """
    by.check(workflow)
    case_id = store.case(case_id).id
    with store.transaction() as session:
        told = _of_case(session, case_id)
        evidence = rows_of(session, case_id)
        judged = _judged(session, case_id)
        head = newest_head(session)
    with written_beside(out) as beside:
        writer = Writer(beside)
        try:
            for name, value in (told | judged.members).items():
                writer.add(name, value if isinstance(value, bytes) else to_json(value))
            listed = [_plain(asdict(one)) | {"file": _name(one, limits)} for one in evidence]
            writer.add("evidence.json", to_json(listed))
            if head is not None:
                writer.add("head.json", to_json(head))
            for one in {item.sha256: item for item in evidence}.values():
                _copy(writer, files, one, limits)
            whole = writer.close(case_id)
        except BaseException:
            writer.abandon()
            raise
        members, size = len(writer.members), beside.stat().st_size
        # Before it gets its name: no bundle is about of which the history does not tell.
        tell(store, case_id, by, whole, beside, members)
    return Bundled(
        case_id=case_id, members=members, bytes=size, sha256=whole, same=judged.same, note=judged.note
    )


def judge_again(
    frame: gpd.GeoDataFrame, known: Known | None, books: list[Rulebook], crs: str, written: Facts
) -> str:
    """The line of the one change's verdict, from its layers; from the written facts where there are none."""
    facts = (
        written if known is None else measured(frame, known, books, crs_of(crs, "judging"))[change_of(frame)]
    )
    days = (_day(written.values.get(FIRST)), _day(written.values.get(LAST)))
    return verdicts.of_judgement(change_of(frame), judge_between(facts, books, *days), facts)


def change_of(frame: gpd.GeoDataFrame) -> str:
    """The id of the one change."""
    return str(frame["change_id"].iloc[0])


@dataclass(frozen=True)
class _Judged:
    members: dict[str, Any]
    same: bool | None
    note: str


def _of_case(session: Session, case_id: str) -> dict[str, Any]:
    """The case as it stands, its outline, and all that was done."""
    row = session.scalars(select(CaseRow).where(CaseRow.id == case_id)).one()
    # Not of bundles: each would make the next one another.
    done = select(EventRow).where(EventRow.case_id == case_id, EventRow.kind != BUNDLED)
    events = session.scalars(done.order_by(EventRow.serial))
    change = row.change
    said = {
        "id": row.id, "status": row.status, "opened": row.opened, "held": row.held, "version": row.version,
        "change": change.id, "judgement": row.judgement_id,
    }  # fmt: skip
    properties = {
        "change_id": change.id, "pair_id": change.pair_id, "before": change.before, "after": change.after,
        "change_class": change.change_class, "area_m2": change.area_m2, "region": change.region,
    }  # fmt: skip
    outline = {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(change.geometry),
        "properties": _plain(properties),
    }
    return {
        "case.json": _plain(said),
        "change.geojson": outline,
        "events.json": [_plain(asdict(event_of(event))) for event in events],
    }


def _judged(session: Session, case_id: str) -> _Judged:
    """The judgement of the case, by what it was made, and whether it is found again."""
    row, change = session.execute(
        select(JudgementRow, ChangeRow)
        .join(CaseRow, CaseRow.judgement_id == JudgementRow.id)
        .join(ChangeRow, ChangeRow.id == JudgementRow.change_id)
        .where(CaseRow.id == case_id)
    ).one()
    line = verdicts.of_row(row)
    members: dict[str, Any] = {
        "verdict.json": f"{line}\n".encode(),
        "judgement.json": _plain(
            {
                "id": row.id,
                "judged": row.judged,
                "layers": row.layers,
                "content": row.content,
                "why": _written(row).why,
            }
        ),
        "ledger.json": row.land,
    }
    judging = session.get(JudgingRow, row.judging_id) if row.judging_id else None
    if judging is None:
        return _Judged(members | {"judging.json": None}, None, NO_JUDGING)
    books = books_of(session, judging)
    members |= {f"rulebooks/{b.version}.json": b.model_dump(mode="json", by_alias=True) for b in books}
    frame = frame_again([row.change_id], [change.geometry], [row.facts])
    known, found = _known(session, judging, frame, books, row)
    members["judging.json"] = _plain(
        {"id": judging.id, "as_of": judging.as_of, "made": judging.made, "crs": judging.crs,
         "rulebooks": judging.rulebooks, "versions": judging.versions, "sources": judging.layers,
         "catalogue": None if known is None else known.described()}
    )  # fmt: skip
    if known is not None:
        members |= _layers(session, known, judging, frame)
    return _Judged(members, found == line, AS_WRITTEN if known is None else "")


def _written(row: JudgementRow) -> Facts:
    """The facts as they were written down."""
    return facts_of(row.facts, row.why, row.missing)


def _known(
    session: Session, judging: JudgingRow, frame: gpd.GeoDataFrame, books: list[Rulebook], row: JudgementRow
) -> tuple[Known | None, str]:
    """What the judging knew about the change; of all its changes, where that alone gives another verdict."""
    written, line = _written(row), verdicts.of_row(row)
    edges = (
        func.min(ChangeRow.west),
        func.min(ChangeRow.south),
        func.max(ChangeRow.east),
        func.max(ChangeRow.north),
    )
    of_all = select(*edges).join(JudgementRow, JudgementRow.change_id == ChangeRow.id)
    known, found = None, ""
    for wide in (False, True):
        west, south, east, north = map(
            float,
            session.execute(of_all.where(JudgementRow.judging_id == judging.id)).one()
            if wide
            else frame.total_bounds,
        )
        known = from_judging(session, judging, (west, south, east, north))
        found = judge_again(frame, known, books, judging.crs, written)
        if known is None or found == line:
            break
    return known, found


def _layers(
    session: Session, known: Known, judging: JudgingRow, frame: gpd.GeoDataFrame
) -> Mapping[str, dict[str, Any]]:
    crs = crs_of(judging.crs, "judging")
    members = {}
    for name, data in known.layers.items():
        vintages = [] if known.place else _vintages(session, known.sources[name])
        more = {"name": name, "title": data.layer.title, "vintages": vintages}
        members[f"layers/{name}.geojson"] = layers.to_json(layers.cut(name, data, frame, crs), crs, more)
    return members


def _vintages(session: Session, named: str) -> list[dict[str, Any]]:
    """Where a layer's features came from: the vintages whose ids stand joined by +."""
    names = ("id", "kind", "valid_from", "known_from", "imported", "source", "sha256", "crs", "features")
    found = {
        row.id: row for row in session.scalars(select(VintageRow).where(VintageRow.id.in_(named.split("+"))))
    }
    return [
        _plain({name: getattr(found[key], name) for name in names})
        for key in named.split("+")
        if key in found
    ]


def _copy(writer: Writer, files: Files, one: Evidence, limits: Limits) -> None:
    lost = f"evidence {one.serial} ({one.name}, sha256 {one.sha256[:16]}…) of case {one.case_id}"
    try:
        found = writer.stream(_name(one, limits), files.chunks(one.sha256), one.size)
    except NotFound as error:
        raise BadInput(
            f"{lost} is missing from {files.shown}; restore it from a backup, then bundle again"
        ) from error
    if found != one.sha256:
        raise BadInput(f"{lost} was altered in {files.shown}; restore it from a backup, then bundle again")


def _name(one: Evidence, limits: Limits) -> str:
    return f"evidence/{one.sha256}{ending(one.media_type, limits.types)}"


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Times and days as text."""
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in said.items()}


def _day(text: Any) -> date | None:
    return None if text is None else datetime.fromisoformat(text).date()
