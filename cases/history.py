"""The history of cases: every event is written here, whoever causes it, in the transaction of what it tells of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from cases.workflow import MACHINE, MACHINE_ROLE
from database import seals
from database.tables import EventRow


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
) -> dict[str, Any]:
    """One event as a row. `origin` and `to` are statuses, the same where the case stays where it is."""
    return {
        "case_id": case_id, "at": at, "kind": kind, "actor": actor, "role": role, "from_status": origin,
        "to_status": to, "reason": reason, "evidence": evidence or {},
    }  # fmt: skip


def append(session: Session, events: Sequence[dict[str, Any]]) -> None:
    """Adds events in their order, each made by `event`."""
    seals.add(session, EventRow, events)
