"""The history of cases: every event is written here, whoever causes it, in the transaction of what it tells of."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.workflow import MACHINE, MACHINE_ROLE
from database import seals
from database.tables import CaseRow, EventRow
from ground.errors import IllegalMove


def event(
    case_id: str,
    at: datetime,
    kind: str,
    reason: str,
    *,
    actor: str = MACHINE,
    role: str = MACHINE_ROLE,
    origin: str,
    to: str,
    evidence: dict[str, str] | None = None,
    workflow: str | None = None,
) -> dict[str, Any]:
    """One event as a row. `origin` and `to` are statuses, the same where the case stays where it is.

    `workflow`: version of that by which a person moved it.
    """
    return {
        "case_id": case_id, "at": at, "kind": kind, "actor": actor, "role": role, "from_status": origin,
        "to_status": to, "reason": reason, "evidence": evidence or {}, "workflow": workflow,
    }  # fmt: skip


def append(session: Session, events: Sequence[dict[str, Any]]) -> None:
    """Adds events in their order, each made by `event`, with the moment at which they are written down."""
    recorded = datetime.now(UTC)
    for told in events:
        told["recorded"] = recorded
    seals.add(session, EventRow, events)


def refuse_stale(session: Session, row: CaseRow, version: int | None) -> None:
    """Nothing, if the case is as the person read it.

    Raises:
        IllegalMove: somebody moved it since, who is named.
    """
    if version is not None and version != row.version:
        raise IllegalMove(overtaken(session, row, f"you read version {version}, it is at {row.version}"))


def overtaken(session: Session, row: CaseRow, said: str) -> str:
    """Who moved the case last, where to and when."""
    moves = select(EventRow).where(
        EventRow.case_id == row.id, EventRow.from_status.not_in(("", EventRow.to_status))
    )
    last = session.scalar(moves.order_by(EventRow.serial.desc()).limit(1))
    if last is None:
        return f"case {row.id} was moved by nobody yet ({said}); read it again"
    when = last.at.isoformat(timespec="seconds")
    return f"case {row.id} was moved to {last.to_status} by {last.actor} at {when} ({said}); read it again"
