"""Bundles that were made, as the history of their case tells: by whom, when, and the sums by which one is known."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import history
from cases.records import Event, event_of
from cases.store import CaseStore
from cases.weighed import SCHEME
from cases.workflow import Workflow
from database.heads import Head
from database.seal_tables import HeadRow
from database.tables import CaseRow, EventRow
from evidence.adding import check_person
from ground.errors import BadInput
from ground.files import sha256

BUNDLED = "bundled"
"""The kind of the event that tells of one."""
WHOLE, FILE = "bundle", "file"
"""Under which its two sums stand in the event: that of its members, and that of the zip as it was written."""


@dataclass(frozen=True)
class Maker:
    """Who makes a bundle."""

    actor: str
    role: str

    def check(self, workflow: Workflow) -> None:
        """Nothing, if this is a named person of a known role.

        Raises:
            IllegalMove: it is not.
        """
        check_person(self.actor, self.role, workflow, "a bundle is made")


def tell(store: CaseStore, case_id: str, by: Maker, whole: str, zipped: Path, members: int) -> None:
    """Writes the making of a bundle into the history of its case, where the hash chain seals it."""
    size, digest = zipped.stat().st_size, sha256(zipped)
    with store.transaction(writes=True) as session:
        status = session.scalars(select(CaseRow.status).where(CaseRow.id == case_id)).one()
        told = history.event(
            case_id, datetime.now(UTC), BUNDLED, f"bundle of {members} members, {size:,} bytes",
            actor=by.actor.strip(), role=by.role, origin=status, to=status,
            evidence={WHOLE: SCHEME + whole, FILE: SCHEME + digest},
        )  # fmt: skip
        history.append(session, [told])


def makings(store: CaseStore, case_id: str, whole: str) -> list[Event]:
    """Events that tell of a bundle of this sum; none where it was never made here.

    Raises:
        NotFound: there is no such case.
    """
    case_id = store.case(case_id).id
    query = select(EventRow).where(EventRow.case_id == case_id, EventRow.kind == BUNDLED)
    with store.transaction() as session:
        events = [event_of(row) for row in session.scalars(query.order_by(EventRow.serial))]
    return [event for event in events if event.evidence.get(WHOLE) == SCHEME + whole]


def newest_head(session: Session) -> dict[str, Any] | None:
    """The end of the chain as it was signed last; None where nobody signed."""
    row = session.scalar(select(HeadRow).order_by(HeadRow.serial.desc()).limit(1))
    if row is None:
        return None
    head = Head(
        at=row.at, place=row.place, digest=row.digest, key=row.key, signature=row.signature, made=row.made
    )
    return asdict(head) | {"at": row.at.isoformat()}


def head_of(said: dict[str, Any]) -> Head:
    """The head of a bundle.

    Raises:
        BadInput: it does not bear its signature.
    """
    head = Head(**said | {"at": datetime.fromisoformat(said["at"])})
    if not head.is_genuine:
        raise BadInput(
            "head.json: the head does not bear its signature; hold it against the one that was kept elsewhere"
        )
    return head
