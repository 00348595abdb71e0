"""Which levels supervise a case, by the lines of its history; those that take its place are supervised as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import history
from database.tables import EventRow

LEVELS = ("city", "province")
SUPERVISED, RELEASED = "supervised", "released"


@dataclass(frozen=True, kw_only=True)
class Order:
    """Who put a case under supervision, at which level, since when and why."""

    level: str
    actor: str
    since: datetime
    reason: str


def order_of(event: EventRow) -> Order:
    """What a line tells; of one that goes on from another case, what was ordered there."""
    said = event.evidence
    since = datetime.fromisoformat(said["since"]) if "since" in said else event.at
    return Order(
        level=said.get("level", ""), actor=said.get("by", event.actor), since=since,
        reason=said.get("reason", event.reason),
    )  # fmt: skip


def orders(session: Session, case_id: str) -> dict[str, Order]:
    """By level the order that holds: of each level its last word counts, not that of another."""
    told = select(EventRow).where(EventRow.case_id == case_id, EventRow.kind.in_((SUPERVISED, RELEASED)))
    last = {
        event.evidence.get("level", ""): event for event in session.scalars(told.order_by(EventRow.serial))
    }
    return {level: order_of(event) for level, event in last.items() if event.kind == SUPERVISED}


def inherited(
    session: Session, case_id: str, status: str, origins: Sequence[str], at: datetime
) -> list[dict[str, Any]]:
    """The lines of a case opened in the place of others: each level that supervises one of them, the oldest order."""
    found = dict[str, tuple[str, Order]]()
    for origin in origins:
        for level, order in orders(session, origin).items():
            if level not in found or order.since < found[level][1].since:
                found[level] = (origin, order)
    return [
        history.event(
            case_id, at, SUPERVISED,
            f"goes on from {origin}, ordered by {order.actor} at {order.since:%Y-%m-%d %H:%M} UTC · {order.reason}",
            origin=status, to=status,
            evidence={
                "level": level, "by": order.actor, "since": order.since.isoformat(), "reason": order.reason,
            },
        )
        for level, (origin, order) in sorted(found.items())
    ]  # fmt: skip
