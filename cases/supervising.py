"""Supervised cases 挂牌督办: a person of the city or the province puts a case under supervision, or takes it off."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from cases import history
from cases.lineage import refuse_replaced
from cases.store import CaseStore, begins
from cases.supervision import LEVELS, RELEASED, SUPERVISED, order_of, orders
from cases.workflow import REPLACED, as_read, check_person, load_workflow
from database.tables import CaseRow, ChangeRow, EventRow
from ground.errors import IllegalMove


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
    check_person(case_id, actor)
    if not as_read(reason):
        raise IllegalMove(f"case {case_id}: supervision is ordered with a reason; give it")
    with store.transaction(writes=True) as session:
        row = store.row(session, case_id)
        refuse_replaced(session, row)
        now = orders(session, row.id)
        if release and level not in now:
            raise IllegalMove(
                f"case {case_id} is not under supervision of the {level}; `tiankan cases supervised` shows what is"
            )
        if not release:
            if level in now:
                raise IllegalMove(
                    f"case {case_id} is under supervision of the {level} already; it is said once"
                )
            if not load_workflow().from_status(row.status):
                raise IllegalMove(
                    f"case {case_id} is at {row.status}, its road has ended; only what is on its road is supervised"
                )
        kind = RELEASED if release else SUPERVISED
        event = history.event(
            row.id, datetime.now(UTC), kind, reason.strip(), actor=actor.strip(), role=role, origin=row.status,
            to=row.status, evidence={"level": level},
        )  # fmt: skip
        history.append(session, [event])


def supervised(store: CaseStore) -> list[Supervised]:
    """Every case under supervision within the store's region, once for each level, the longest first."""
    last = (
        select(func.max(EventRow.serial))
        .where(EventRow.kind.in_((SUPERVISED, RELEASED)))
        .group_by(EventRow.case_id, EventRow.evidence["level"].as_string())
        .scalar_subquery()
    )
    query = (
        select(EventRow, CaseRow.status, ChangeRow.region)
        .join(CaseRow, CaseRow.id == EventRow.case_id)
        .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        .where(EventRow.serial.in_(last), EventRow.kind == SUPERVISED, *begins(store.region))
        .where(CaseRow.status.not_in(REPLACED))
        .order_by(EventRow.serial)
    )
    with store.transaction() as session:
        rows = session.execute(query).all()
        found = [_supervised(event, status, region) for event, status, region in rows]
    return sorted(found, key=lambda each: each.since)


def _supervised(event: EventRow, status: str, region: str) -> Supervised:
    order = order_of(event)
    return Supervised(
        case_id=event.case_id, region=region, status=status, level=order.level, actor=order.actor, since=order.since,
        reason=order.reason,
    )  # fmt: skip
