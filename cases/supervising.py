"""Supervised cases 挂牌督办: a person of the city or the province puts a case under supervision, or takes it off."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from cases import history
from cases.store import CaseStore, begins
from cases.workflow import MACHINE, as_read
from database.tables import CaseRow, ChangeRow, EventRow
from ground.errors import IllegalMove

LEVELS = ("city", "province")
SUPERVISED, RELEASED = "supervised", "released"


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """A case under supervision: by whom, at which level, since when and why."""

    case_id: str
    region: str
    status: str
    level: str
    actor: str
    since: datetime
    reason: str


def supervise(
    store: CaseStore, case_id: str, *, level: str, actor: str, role: str, reason: str, release: bool = False
) -> None:
    """Puts a case under supervision, or takes it off, as a line of its history; it stays where it is on its road.

    Raises:
        NotFound, IllegalMove: no such case; the role is not of that level or above; nothing to say, or said already.
    """
    if role not in LEVELS or level not in LEVELS or LEVELS.index(role) < LEVELS.index(level):
        raise IllegalMove(
            f"case {case_id}: role {role!r} may not put it under supervision at level {level!r}; city and province "
            "may, each up to its own level"
        )
    if as_read(actor) in {"", MACHINE} or not as_read(reason):
        raise IllegalMove(
            f"case {case_id}: supervision is ordered by a named person, with a reason; give both"
        )
    case = store.case(case_id)
    with store.transaction(writes=True) as session:
        # Read now, so that what was moved since is told as it is.
        status = session.execute(select(CaseRow.status).where(CaseRow.id == case.id)).scalar_one()
        told = select(EventRow).where(EventRow.case_id == case.id, EventRow.kind.in_((SUPERVISED, RELEASED)))
        last = session.scalar(told.order_by(EventRow.serial.desc()).limit(1))
        now = last.evidence.get("level", "") if last is not None and last.kind == SUPERVISED else ""
        if release and now != level:
            raise IllegalMove(
                f"case {case_id} is not under supervision of the {level}; `tiankan cases supervised` shows what is"
            )
        if not release and now == level:
            raise IllegalMove(f"case {case_id} is under supervision of the {level} already; it is said once")
        kind = RELEASED if release else SUPERVISED
        event = history.event(
            case.id, datetime.now(UTC), kind, reason.strip(), actor=actor.strip(), role=role, origin=status, to=status,
            evidence={"level": level},
        )  # fmt: skip
        history.append(session, [event])


def supervised(store: CaseStore) -> list[Supervised]:
    """Every case under supervision within the store's region, the longest first."""
    last = (
        select(func.max(EventRow.serial))
        .where(EventRow.kind.in_((SUPERVISED, RELEASED)))
        .group_by(EventRow.case_id)
        .scalar_subquery()
    )
    query = (
        select(EventRow, CaseRow.status, ChangeRow.region)
        .join(CaseRow, CaseRow.id == EventRow.case_id)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .where(EventRow.serial.in_(last), EventRow.kind == SUPERVISED, *begins(store.region))
        .order_by(EventRow.serial)
    )
    with store.transaction() as session:
        rows = session.execute(query).all()
        return [
            Supervised(
                case_id=event.case_id, region=region, status=status, level=event.evidence.get("level", ""),
                actor=event.actor, since=event.at, reason=event.reason,
            )
            for event, status, region in rows
        ]  # fmt: skip
