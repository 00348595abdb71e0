"""Evidence given for a case by a named person: checked, kept under its hash, written into the case's history."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import history
from cases.people import fault_of
from cases.proof import against, before_it
from cases.store import CaseStore
from cases.weighed import GIVEN, SCHEME, weighed
from cases.workflow import Workflow, as_read, check_evidence
from database import bulk, seals
from database.evidence_tables import EvidenceRow
from database.tables import CaseRow
from evidence.checks import Check, File, Spot, check_file, check_photo, plain
from evidence.exif import Picture, read_picture
from evidence.files import Files
from evidence.limits import Limits
from evidence.media import media_type
from ground.clock import AHEAD
from ground.errors import BadInput, IllegalMove
from ground.files import sha256, short_hash

EVENT = GIVEN
"""The kind of the event that tells of it."""
LONGEST = 255
"""Characters of a file's name that are kept."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A file and what its giver says of it. `despite`: why it counts although a check speaks against it."""

    kind: str
    path: Path
    actor: str
    role: str
    note: str = ""
    despite: str = ""
    name: str = ""
    """As its giver calls it; the path's own name unless told."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One row of evidence, as everyone else sees it."""

    serial: int
    case_id: str
    kind: str
    sha256: str
    size: int
    name: str
    media_type: str
    given_by: str
    role: str
    at: datetime
    taken: datetime | None
    lon: float | None
    lat: float | None
    azimuth: float | None
    device: str
    checks: list[dict[str, Any]]
    note: str
    despite: str

    @property
    def reference(self) -> str:
        """How a move refers to it."""
        return SCHEME + self.sha256


@dataclass(frozen=True)
class Added:
    """What is in hand now, and whether it was not before."""

    evidence: Evidence
    new: bool


def add(
    store: CaseStore,
    files: Files,
    case_id: str,
    given: Given,
    workflow: Workflow,
    limits: Limits,
    at: datetime | None = None,
) -> Added:
    """Takes a file in for a case; the same file for the same case and kind adds nothing twice.

    A file that fails a check, or does not pass one that it must, is kept all the same, but proves nothing without
    `despite` (`cases.proof`); the same file may be given again with that reason. One that counts no more, since the
    case was reopened or returned, may be given again with a note. `at`: when it was handed in, now unless told.

    Raises:
        NotFound, IllegalMove: no such case; no named person; not of this role's kinds; a time that cannot be; given
            again without a note.
        BadInput: the file cannot be read or is too large.
        CannotWrite, Unreachable: the store takes nothing in.
    """
    now = datetime.now(UTC)
    size = check_given(given, workflow, limits)
    case = store.case(case_id)
    case_id = case.id
    _check_time(case_id, case.opened, at, now)
    digest = sha256(given.path)
    file = File(name=_name(given), media_type=media_type(given.path), size=size)
    spot = Spot(change=case.geometry, before=case.before)
    picture, checks = _checked(given, file, spot, at or now, now, limits)
    kept = plain(checks, limits.must_pass.checks)
    note, despite = _reasons(given, kept)
    files.put(given.path, digest)
    row = {
        "id": short_hash(EVENT, case_id, given.kind, digest, despite), "case_id": case_id,
        "kind": given.kind, "sha256": digest, "size": size, "name": file.name, "media_type": file.media_type,
        "given_by": given.actor.strip(), "role": given.role, "at": at or now, "taken": picture.taken,
        "lon": picture.lon, "lat": picture.lat, "azimuth": picture.azimuth, "device": picture.device,
        "checks": kept, "note": note, "despite": despite,
    }  # fmt: skip
    with store.transaction(writes=True) as session:
        row["id"] = _anew(session, row, workflow)
        same = select(EvidenceRow).where(EvidenceRow.id == row["id"])
        known = session.scalar(same)
        if known is None:
            bulk.add(session, EvidenceRow, [row])
            seals.added(session, EvidenceRow, [row])
            history.append(session, [_told(session, row)])
        return Added(evidence_of(session.scalars(same).one()), new=known is None)


def listed(store: CaseStore, case_id: str) -> list[Evidence]:
    """All that was given for a case, oldest first.

    Raises:
        NotFound: there is no such case.
    """
    key = store.case(case_id).id
    with store.transaction() as session:
        return rows_of(session, key)


def rows_of(session: Session, case_id: str) -> list[Evidence]:
    """The same inside a transaction."""
    query = select(EvidenceRow).where(EvidenceRow.case_id == case_id).order_by(EvidenceRow.serial)
    return [evidence_of(row) for row in session.scalars(query)]


def evidence_of(row: EvidenceRow) -> Evidence:
    """The record of a row."""
    return Evidence(**{name: getattr(row, name) for name in Evidence.__dataclass_fields__})


def check_person(actor: str, role: str, workflow: Workflow, what: str) -> None:
    """Nothing, if this is a named person of a role that the workflow knows.

    Raises:
        IllegalMove: it is not.
    """
    fault = fault_of(actor)
    if fault:
        raise IllegalMove(f"{what} by a named person; {fault}")
    roles = sorted({role for move in workflow.moves for role in move.roles})
    if role not in roles:
        raise IllegalMove(f"role {role!r} is unknown; use {', '.join(roles)}")


def check_given(given: Given, workflow: Workflow, limits: Limits) -> int:
    """The size of a file in bytes, if this person may give it and it can be taken in.

    Raises:
        IllegalMove: no named person; not of this role's kinds.
        BadInput: the file cannot be read or is too large.
    """
    check_person(given.actor, given.role, workflow, "evidence is given")
    check_evidence(workflow, {given.kind: given.path.name}, given.role)
    return _size(given.path, limits)


def _check_time(case_id: str, opened: datetime, at: datetime | None, now: datetime) -> None:
    """As of a move, and nobody can have given a file for a case that was not there.

    Raises:
        IllegalMove: it lies in the future, before the case was opened, or names no zone.
    """
    if at is None:
        return
    if at.tzinfo is None or at > now + AHEAD:
        raise IllegalMove(
            f"case {case_id}: a file handed in at {at.isoformat()} lies in the future or names no zone; give the time "
            "it was handed in"
        )
    if at < opened:
        raise IllegalMove(
            f"case {case_id} was opened at {opened.isoformat(timespec='seconds')}; no file was handed in for it at "
            f"{at.isoformat(timespec='seconds')}"
        )


def _anew(session: Session, row: dict[str, Any], workflow: Workflow) -> str:
    """The id of the row: of a file that was given before and counts no more, one of its own.

    Raises:
        IllegalMove: it counts no more, and nobody says what it shows now.
    """
    same = [
        one for one in weighed(session, row["case_id"], workflow)
        if (one.row.kind, one.row.sha256, one.row.despite) == (row["kind"], row["sha256"], row["despite"])
    ]  # fmt: skip
    if not same:
        return str(row["id"])
    last = same[-1]
    if last.struck is None:
        return last.row.id
    if not as_read(row["note"]):
        raise IllegalMove(f"case {row['case_id']}: {before_it(row['case_id'], last)}")
    return short_hash(row["id"], str(last.struck.serial))


def _size(path: Path, limits: Limits) -> int:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadInput(f"{path}: is no file; give a photo or a document")
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); give the path of a readable file"
        ) from error
    if size == 0:
        raise BadInput(f"{path}: is empty; hand in the original")
    if size > limits.largest_bytes.value:
        raise BadInput(
            f"{path}: has {size:,} bytes; evidence has at most {limits.largest_bytes.value:,.0f} (evidence.toml): hand "
            "in a part of it"
        )
    return size


def _name(given: Given) -> str:
    """Without folders and control characters."""
    last = (given.name or given.path.name).replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[-LONGEST:]


def _checked(
    given: Given, file: File, spot: Spot, handed_in: datetime, now: datetime, limits: Limits
) -> tuple[Picture, list[Check]]:
    if given.kind not in limits.photo_kinds:
        return Picture(), check_file(file, limits)
    picture = read_picture(given.path, limits) if file.media_type.startswith("image/") else Picture()
    return picture, check_photo(file, picture, spot, handed_in=handed_in, now=now, limits=limits)


def _reasons(given: Given, checks: list[dict[str, Any]]) -> tuple[str, str]:
    """Note, and why it counts all the same; where no check speaks against it, there is nothing to overrule."""
    note, despite = given.note.strip(), given.despite.strip()
    if against(checks):
        return note, despite
    return "; ".join(filter(None, (note, despite))), ""


def _told(session: Session, row: dict[str, Any]) -> dict[str, Any]:
    """The event: what was given, what speaks against it, and why it counts all the same."""
    status = session.scalars(select(CaseRow.status).where(CaseRow.id == row["case_id"])).one()
    faults = "; ".join(f"{one['check']}: {one['why']}" for one in against(row["checks"]))
    said = [
        f"{row['kind']} {row['name']}",
        row["note"],
        faults,
        row["despite"] and f"despite this: {row['despite']}",
    ]
    return history.event(
        row["case_id"], row["at"], EVENT, " · ".join(filter(None, said)), actor=row["given_by"], role=row["role"],
        origin=status, to=status, evidence={row["kind"]: SCHEME + row["sha256"]},
    )  # fmt: skip
