"""Cases that take the place of others: opened with what those had in hand, both histories telling of each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cases import history, numbering, supervision
from cases.store import CaseStore
from cases.workflow import REPLACED
from database import seals
from database.evidence_tables import EvidenceRow
from database.numbering_tables import LineageRow
from database.road import REOPENED
from database.tables import CaseRow, EventRow
from ground.errors import IllegalMove
from ground.files import short_hash
from spots.policy import REPORTED

PROOF = "field_evidence"
PROVEN = "proven"
KEPT = ("kind", "sha256", "size", "name", "media_type", "given_by", "role", "at", "taken", "lon", "lat", "azimuth",
        "device", "despite")  # fmt: skip


def _as_checked(row: EvidenceRow) -> list[Any]:
    return list(row.checks)


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who does it and why; `kind` is split or merged."""

    kind: str
    actor: str
    role: str
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Successor:
    """A case to be opened in the place of `origins`."""

    change_id: str
    judgement_id: str
    status: str
    held: Mapping[str, str]
    origins: Sequence[CaseRow]
    checks: Callable[[EvidenceRow], list[Any]] = _as_checked
    """Of a file that was given for an origin, as they are for this case."""
    lost: Sequence[str] = ()
    """What it does not take over of what was in hand, a sentence each."""

    @property
    def case_id(self) -> str:
        """As of every case."""
        return f"case-{self.change_id}"


def refuse_replaced(session: Session, row: CaseRow) -> None:
    """Nothing, if the case has not ended in others.

    Raises:
        IllegalMove: it has; by whom, when, and in which.
    """
    if row.status not in REPLACED:
        return
    last = select(EventRow).where(EventRow.case_id == row.id, EventRow.kind == row.status)
    told = session.scalars(last.order_by(EventRow.serial.desc()).limit(1)).one()
    heirs = ", ".join(_named(session, heirs_of(session, row.id)))
    raise IllegalMove(
        f"case {row.id} was {row.status} by {told.actor} at {told.at:%Y-%m-%d %H:%M} UTC already, into {heirs}"
    )


def refuse_undrawn(row: CaseRow, done: str) -> None:
    """Nothing, if the case stands on an outline that somebody saw; `done`: what is to be done with it.

    Raises:
        IllegalMove: it stands on a report, whose circle is no outline: as a part or a whole it would become one.
    """
    if row.change.change_class == REPORTED:
        raise IllegalMove(
            f"case {row.id} stands on a report, nobody has drawn its outline yet, so it is not {done}; wait for "
            "imagery, or draw the outline as a change and judge it with `tiankan judge`"
        )


def heirs_of(session: Session, case_id: str) -> list[str]:
    """The cases that took the place of one, in their order."""
    query = select(LineageRow.to_case).where(LineageRow.from_case == case_id)
    return list(session.scalars(query.order_by(LineageRow.serial)))


def origins_of(session: Session, case_id: str) -> list[str]:
    """The cases in whose place one was opened, in their order."""
    query = select(LineageRow.from_case).where(LineageRow.to_case == case_id)
    return list(session.scalars(query.order_by(LineageRow.serial)))


def kin_of(store: CaseStore, case_id: str) -> dict[str, list[str]]:
    """The cases before and after one, by id and number.

    Raises:
        NotFound: there is no such case.
    """
    with store.transaction() as session:
        key = store.row(session, case_id).id
        return {
            "came_from": _named(session, origins_of(session, key)), "went_into": _named(session, heirs_of(session, key))
        }  # fmt: skip


def _named(session: Session, case_ids: Sequence[str]) -> list[str]:
    """Ids with the numbers of those that have one."""
    numbers = numbering.numbers_of(session, case_ids)
    return [f"{key} ({numbers[key]})" if key in numbers else key for key in case_ids]


def replace(
    session: Session,
    old: Sequence[CaseRow],
    new: Sequence[Successor],
    numbers: Sequence[dict[str, Any]],
    told: Told,
) -> None:
    """Opens the successors, whose judgements are there already, ends the old cases, and writes every history.

    Raises:
        IllegalMove: somebody moved one of them meanwhile.
    """
    rows = [
        {
            "id": one.case_id, "change_id": one.change_id, "judgement_id": one.judgement_id, "status": one.status,
            "opened": told.at, "held": dict(one.held), "version": 1,
        }
        for one in new
    ]  # fmt: skip
    seals.add(session, CaseRow, rows)
    seals.add(session, LineageRow, _lineage(new, told))
    seals.add(session, EvidenceRow, [row for one in new for row in _files(session, one)])
    numbering.add(session, numbers)
    _end(session, old, new, told)


def _end(session: Session, old: Sequence[CaseRow], new: Sequence[Successor], told: Told) -> None:
    heirs = ", ".join(_named(session, [one.case_id for one in new]))
    named = dict(zip([row.id for row in old], _named(session, [row.id for row in old]), strict=True))
    word = "cut into" if told.kind == REPLACED[0] else "joined to"
    events = []
    with seals.altering(session, CaseRow, [row.id for row in old]):
        for row in old:
            events.append(_event(row.id, told, f"{word} {heirs}", row.status, told.kind))
            done = session.execute(
                update(CaseRow)
                .where(CaseRow.id == row.id, CaseRow.version == row.version, CaseRow.status == row.status)
                .values(status=told.kind, version=row.version + 1)
                .execution_options(synchronize_session=False)
            )
            if done.rowcount != 1:  # type: ignore[attr-defined]
                raise IllegalMove(history.overtaken(session, row, "just now"))
    word = "cut from" if told.kind == REPLACED[0] else "joined from"
    for one in new:
        begun = ""
        proof = _proof(session, one)
        if proof is not None:
            events.append(_event(one.case_id, told, proof[0], begun, PROVEN, proof[1]))
            begun = PROVEN
        origins = ", ".join(named[row.id] for row in one.origins)
        said = " · ".join((f"{word} {origins}", *one.lost))
        events.append(_event(one.case_id, told, said, begun, one.status))
        before = [row.id for row in one.origins]
        events += supervision.inherited(session, one.case_id, one.status, before, told.at)
    history.append(session, events)


def _event(
    case_id: str, told: Told, more: str, origin: str, to: str, evidence: dict[str, str] | None = None
) -> dict[str, Any]:
    said = " · ".join(filter(None, (told.reason.strip(), more)))
    return history.event(
        case_id, told.at, told.kind, said, actor=told.actor.strip(), role=told.role, origin=origin, to=to,
        evidence=evidence,
    )  # fmt: skip


def _lineage(new: Sequence[Successor], told: Told) -> list[dict[str, Any]]:
    pairs = [(row, one) for one in new for row in one.origins]
    return [
        {"kind": told.kind, "from_case": row.id, "to_case": one.case_id, "place": place, "at": told.at}
        for place, (row, one) in enumerate(pairs, start=1)
    ]


def _proof(session: Session, one: Successor) -> tuple[str, dict[str, str]] | None:
    """What the history of a case beyond its field check must tell of it: who proved each of its origins, and when.

    None where it must still be proven, or is just that.
    """
    if one.status == PROVEN or PROOF not in one.held:
        return None
    said, evidence = [], dict[str, str]()
    for row in one.origins:
        # Who goes to the field again, or was reopened, is to prove it anew.
        asked = EventRow.to_status.in_((PROVEN, "field_check", "returned")) | EventRow.kind.in_(REOPENED)
        told = select(EventRow).where(EventRow.case_id == row.id, asked, EventRow.kind != "evidence")
        last = session.scalar(told.order_by(EventRow.serial.desc()).limit(1))
        if last is None or last.to_status != PROVEN or last.kind in REOPENED:
            return None
        said.append(f"{row.id} was proven by {last.actor} at {last.at:%Y-%m-%d %H:%M} UTC")
        evidence |= last.evidence
    return "; ".join(said), {kind: text for kind, text in one.held.items() if kind in evidence}


def _files(session: Session, one: Successor) -> list[dict[str, Any]]:
    """The files that were given for its origins, given for it as well."""
    rows = dict[str, dict[str, Any]]()
    for origin in one.origins:
        query = select(EvidenceRow).where(EvidenceRow.case_id == origin.id).order_by(EvidenceRow.serial)
        # Of one that was given again after the case was reopened, the last time tells.
        last = {(file.kind, file.sha256, file.despite): file for file in session.scalars(query)}
        for file in last.values():
            key = short_hash("evidence", one.case_id, file.kind, file.sha256, file.despite)
            note = "; ".join(filter(None, (file.note, f"given for {origin.id}")))
            kept = {name: getattr(file, name) for name in KEPT} | {"checks": one.checks(file)}
            rows.setdefault(key, {"id": key, "case_id": one.case_id, **kept, "note": note})
    return list(rows.values())
