"""The ledger of changes, judgements, cases and events, on SQLite or PostGIS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, Select, func, literal, select, text, update
from sqlalchemy.orm import Session, lazyload

from cases import history, numbering, waiting
from cases.parts import check_parts
from cases.proof import Intact, asked_once, check_intact, check_usable
from cases.records import Case, ChangeRecord, Event, SceneRecord, case_of, change_of, event_of
from cases.workflow import Workflow, check_evidence, check_move
from database import seals
from database.engine import alone, open_database, transaction
from database.geometry import Box as Box
from database.geometry import meets
from database.spot_tables import SightingRow
from database.tables import CaseRow, ChangeRow, EventRow, JudgementRow, PairRow, SceneRow
from ground.errors import BadInput, IllegalMove, NotFound

MOST_A_PAGE = 1000
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CaseFilter:
    """Which cases; None asks nothing. `region` is a prefix; `bbox` is west, south, east, north in degrees."""

    status: str | None = None
    region: str | None = None
    change_class: str | None = None
    verdict: str | None = None
    seen_from: datetime | None = None
    seen_until: datetime | None = None
    number: str | None = None
    """What the official number begins with."""
    bbox: Box | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows, how many there are in all, and the serial to go on after (None: that was the end)."""

    items: list[T]
    total: int
    next_after: int | None


def open_store(url: str, create: bool = True, region: str = "") -> "CaseStore":
    """A store over `database.engine.open_database`; `region`: see `CaseStore.scoped`."""
    return CaseStore(open_database(url, create), region)


class CaseStore:
    """Reads and moves cases; `cases.ledger` adds to it. Every method is one transaction."""

    def __init__(self, engine: Engine, region: str = "") -> None:
        self.engine = engine
        self.region = region

    def scoped(self, region: str) -> "CaseStore":
        """The same store as those see it whose region's code is `region`: only codes that begin with it.

        What lies outside is not found. Scenes and pairs are imagery, of no region, and stay in sight.

        Raises:
            BadInput: it would reach beyond this store's own region.
        """
        if not region.startswith(self.region):
            raise BadInput(
                f"region {region!r} lies outside of {self.region!r}; ask for one that begins with it"
            )
        return CaseStore(self.engine, region)

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[Session]:
        """All or nothing; faults of the database leave as one sentence. One writes at a time: the chain has one end."""
        with transaction(self.engine, writes=writes, region=self.region) as session:
            if writes:
                alone(session)
            yield session

    def is_alive(self) -> bool:
        """Whether the database answers."""
        with self.transaction() as session:
            return bool(session.execute(text("SELECT 1")).scalar_one() == 1)

    def cases(self, wanted: CaseFilter, *, after: int = 0, limit: int = 100) -> Page[Case]:
        """Cases in the order they were opened, from the first after serial `after`.

        A serial is never given twice nor changed: a page repeats nothing and loses nothing, whatever is
        opened or moved meanwhile.
        """
        query = _filtered(select(CaseRow), wanted, self.engine.dialect.name)
        query = query.where(*begins(self.region))
        with self.transaction() as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            ordered = query.where(CaseRow.serial > after).order_by(CaseRow.serial).limit(limit + 1)
            found = session.scalars(ordered).all()
            numbers = numbering.numbers_of(session, [row.id for row in found])
            rows = [case_of(row, numbers.get(row.id, "")) for row in found]
        return _page(rows, total, limit)

    def case(self, case_id: str) -> Case:
        """One case.

        Raises:
            NotFound: there is none of this id.
        """
        with self.transaction() as session:
            return self.record(session, self.row(session, case_id))

    def events(self, case_id: str) -> list[Event]:
        """The history of a case, oldest first."""
        with self.transaction() as session:
            key = self.row(session, case_id).id
            rows = session.scalars(select(EventRow).where(EventRow.case_id == key).order_by(EventRow.serial))
            return [event_of(row) for row in rows]

    def move(
        self,
        case_id: str,
        to: str,
        workflow: Workflow,
        *,
        actor: str,
        role: str,
        evidence: dict[str, str] | None = None,
        at: datetime | None = None,
        version: int | None = None,
        intact: Intact | None = None,
    ) -> Case:
        """The case moved by a named person, its event added in the same transaction.

        `version`: as the person read it; who moved it since then is named. `intact`: asked of every file it rests on.

        Raises:
            NotFound, IllegalMove: no such case; not allowed; something lacking; or somebody moved it meanwhile.
        """
        given = evidence or {}
        check_evidence(workflow, given, role)
        asked = asked_once(self, case_id, to, given, intact)
        with self.transaction(writes=True) as session:
            row = self.row(session, case_id)
            case_id = row.id
            history.refuse_stale(session, row, version)
            check_usable(session, case_id, given, workflow)
            lasting = {kind: text for kind, text in row.held.items() if kind not in workflow.fresh}
            step = check_move(workflow, case_id, row.status, to, actor=actor, role=role, held=lasting | given)
            check_parts(session, workflow, row, given, actor, role)
            check_intact(case_id, to, row.held, given, asked)
            when = waiting.moment_of(session, case_id, step, row.held | given, at)
            held = {kind: text for kind, text in (row.held | given).items() if kind not in step.clears}
            origin, version = row.status, row.version
            with seals.altering(session, CaseRow, [case_id]):
                moved = session.execute(
                    update(CaseRow)
                    .where(CaseRow.id == case_id, CaseRow.version == version)
                    .values(status=to, held=held, version=version + 1)
                )
                if moved.rowcount != 1:  # type: ignore[attr-defined]
                    raise IllegalMove(history.overtaken(session, row, "just now"))
            told = history.event(
                case_id, when, "moved", given.get("reason", ""), actor=actor.strip(), role=role,
                origin=origin, to=to, evidence=given, workflow=workflow.version,
            )  # fmt: skip
            history.append(session, [told])
            session.refresh(row)
            return self.record(session, row)

    def record(self, session: Session, row: CaseRow) -> Case:
        """A case with its number."""
        return case_of(row, numbering.numbers_of(session, [row.id]).get(row.id, ""))

    def row(self, session: Session, case_id: str) -> CaseRow:
        """The row of a case in this store's region, by its id or its official number.

        Raises:
            NotFound: there is none.
        """
        row = None
        if "\0" not in case_id:  # no text to PostgreSQL
            named = (
                select(CaseRow)
                .join(ChangeRow, CaseRow.change_id == ChangeRow.id)
                .where(numbering.named(CaseRow.id, case_id))
            )
            row = session.scalar(named.where(*begins(self.region)))
        if row is None:
            raise NotFound(f"no case has the id {case_id!r}; `tiankan cases list` shows them")
        return row

    def changes(self, *, after: int = 0, limit: int = 1000, bbox: Box | None = None) -> Page[ChangeRecord]:
        """Changes in the order they came, with their latest judgement and case."""
        met = [*meets(ChangeRow, bbox, self.engine.dialect.name), *begins(self.region)]
        found = select(ChangeRow.serial).where(*met)
        query = (
            select(ChangeRow, JudgementRow, CaseRow)
            .outerjoin(JudgementRow, JudgementRow.id == ChangeRow.judgement_id)
            .outerjoin(CaseRow, CaseRow.id == _case_of_change())
            # A case's own joins are inner ones: they would drop every change that has no case.
            .options(lazyload("*"))
            .where(*met, ChangeRow.serial > after)
            .order_by(ChangeRow.serial)
            .limit(limit + 1)
        )
        with self.transaction() as session:
            total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
            rows = [change_of(change, judgement, case) for change, judgement, case in session.execute(query)]
        return _page(rows, total, limit)

    def scenes(self) -> list[SceneRecord]:
        """Every scene, by date, then name."""
        with self.transaction() as session:
            rows = session.scalars(select(SceneRow).order_by(SceneRow.acquired, SceneRow.name))
            return [_scene_of(row) for row in rows]

    def pairs(self) -> list[dict[str, str]]:
        """Every pair: its id and the ids of its two scenes."""
        with self.transaction() as session:
            rows = session.scalars(select(PairRow).order_by(PairRow.id))
            return [{"id": r.id, "before_scene": r.before_scene, "after_scene": r.after_scene} for r in rows]

    def scene(self, scene_id: str) -> SceneRecord:
        """One scene.

        Raises:
            NotFound: there is none of this id.
        """
        with self.transaction() as session:
            row = None if "\0" in scene_id else session.get(SceneRow, scene_id)
            if row is None:
                raise NotFound(f"no scene has the id {scene_id!r}; GET /scenes lists them")
            return _scene_of(row)


def _case_of_change() -> ColumnElement[str]:
    """The case of the spot that a change joined last, but for those that were only noted there; or that it founded."""
    joined = select(SightingRow.case_id).where(
        SightingRow.change_id == ChangeRow.id, SightingRow.outcome != "noted"
    )
    last = joined.order_by(SightingRow.serial.desc()).limit(1).correlate(ChangeRow).scalar_subquery()
    return func.coalesce(last, literal("case-").concat(ChangeRow.id))


def _page(rows: list[T], total: int, limit: int) -> Page[T]:
    more = len(rows) > limit
    kept = rows[:limit]
    return Page(kept, total, kept[-1].serial if more else None)  # type: ignore[attr-defined]


def _scene_of(row: SceneRow) -> SceneRecord:
    box = (row.west, row.south, row.east, row.north)
    return SceneRecord(
        id=row.id, name=row.name, sensor=row.sensor, acquired=row.acquired, gsd_m=row.gsd_m, href=row.href, bbox=box
    )  # fmt: skip


def _filtered(query: Select[Any], wanted: CaseFilter, dialect: str) -> Select[Any]:
    query = query.join(ChangeRow, CaseRow.change_id == ChangeRow.id)
    query = query.join(JudgementRow, CaseRow.judgement_id == JudgementRow.id)
    if wanted.status is not None:
        query = query.where(CaseRow.status == wanted.status)
    if wanted.region is not None:
        query = query.where(*begins(wanted.region))
    if wanted.change_class is not None:
        query = query.where(ChangeRow.change_class == wanted.change_class)
    if wanted.verdict is not None:
        query = query.where(JudgementRow.verdict == wanted.verdict)
    if wanted.number is not None:
        query = query.where(numbering.numbered(CaseRow.id, wanted.number))
    if wanted.seen_from is not None:
        query = query.where(ChangeRow.after >= wanted.seen_from)
    if wanted.seen_until is not None:
        query = query.where(ChangeRow.after <= wanted.seen_until)
    return query.where(*meets(ChangeRow, wanted.bbox, dialect))


def begins(region: str) -> list[ColumnElement[bool]]:
    """What a query of changes is asked so that it sees a region only; nothing where that is ""."""
    # Not LIKE, to which SQLite, unlike others, gives capitals for small letters.
    return [func.substr(ChangeRow.region, 1, len(region)) == region] if region else []
