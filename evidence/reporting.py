"""Photos of a report: a file is kept as evidence of the case to which the report goes; a reference is one we know."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from cases.proof import BETWEEN, REFERENCE, is_reference
from cases.reported import Answer, Report, check_report, report
from cases.store import CaseStore, begins
from cases.weighed import SCHEME
from cases.workflow import Workflow
from database.evidence_tables import EvidenceRow
from database.tables import CaseRow, ChangeRow
from evidence.adding import Added, Given, add, check_given
from evidence.files import Files
from evidence.limits import Limits
from ground.errors import BadInput
from ground.files import sha256

PHOTO = "photo"


@dataclass(frozen=True)
class Reported:
    """Where a report went, and the photo that came with it."""

    answer: Answer
    photo: Added


def report_with(
    store: CaseStore, files: Files, said: Report, photo: Path, role: str, workflow: Workflow, limits: Limits
) -> Reported:
    """A report with a photo from a file. All is checked, and the file kept, before the report is written.

    Raises:
        BadInput: a field of the report cannot be so, or the file cannot be read.
        IllegalMove: this person in this role gives no photos.
        CannotWrite, Unreachable: the store of files takes nothing in.
    """
    given = Given(kind=PHOTO, path=photo, actor=said.who, role=role, note=said.note)
    check_report(store, said, datetime.now(UTC))
    check_given(given, workflow, limits)
    digest = sha256(photo)
    files.put(photo, digest)
    answer = report(store, replace(said, photo=SCHEME + digest), workflow)
    return Reported(answer, add(store, files, answer.case_id, given, workflow, limits))


def check_reference(store: CaseStore, text: str) -> None:
    """Nothing, if a report names only files that were given for a case in sight.

    Raises:
        BadInput: it names another, or none.
    """
    for part in BETWEEN.split(text) if is_reference(text) else ():
        found = REFERENCE.fullmatch(part)
        if found is None:
            raise BadInput(
                f"--photo: {part!r} refers to no file; write sha256: and 64 digits, or the path of a photo"
            )
        query = (
            select(EvidenceRow.serial)
            .join(CaseRow, CaseRow.id == EvidenceRow.case_id)
            .join(ChangeRow, ChangeRow.id == CaseRow.change_id)
            .where(EvidenceRow.sha256 == found[1].lower(), *begins(store.region))
        )
        with store.transaction() as session:
            known = session.scalar(query.limit(1))
        if known is None:
            raise BadInput(
                f"--photo: no file {part[:23]}… was ever given for a case; give the path of the photo itself"
            )
