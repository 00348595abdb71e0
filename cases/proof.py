"""Whether a file that a move refers to proves anything: it was given for this case, and failed no check unexplained."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.workflow import as_read
from database.evidence_tables import EvidenceRow

REFERENCE = re.compile(r"sha256:([0-9a-fA-F]{64})")
LIKE_ONE = re.compile(r"sha-?256\s*[:=]|[0-9a-f]{64}")
BETWEEN = re.compile(r"[\s;；,，]+")
"""What may stand between several references."""


def is_reference(text: str) -> bool:
    """Whether a text means a file, however it is written: such a one is looked up, and never passes as words."""
    return LIKE_ONE.search(as_read(text)) is not None


def usable(session: Session, case_id: str, reference: str, kind: str | None = None) -> str | None:
    """Why a reference `sha256:<hex>` may not be used for a case; None if it may. Of several, each must be usable.

    `kind`: as what it is to be used, where that is known: a file given as a note was never checked as a photo.
    """
    parts = [part for part in BETWEEN.split(reference) if part] or [reference]
    return next((why for part in parts if (why := _why_not(session, case_id, part, kind))), None)


def _why_not(session: Session, case_id: str, reference: str, kind: str | None) -> str | None:
    found = REFERENCE.fullmatch(reference)
    if found is None:
        return f"{reference!r} refers to no file; write sha256: and the 64 digits that `tiankan cases evidence` shows"
    digest = found[1].lower()
    query = select(EvidenceRow).where(EvidenceRow.case_id == case_id, EvidenceRow.sha256 == digest)
    rows = list(session.scalars(query.order_by(EvidenceRow.serial)))
    shown = f"file {digest[:16]}…"
    if not rows:
        return f"{shown} was not given for case {case_id}; add it with `tiankan cases evidence {case_id} --add FILE`"
    fitting = [row for row in rows if kind is None or row.kind == kind]
    if not fitting:
        kinds = ", ".join(sorted({row.kind for row in rows}))
        return f"{shown} was given for case {case_id} as {kinds}, not as {kind}; add it with --kind {kind}"
    faults = [[one for one in row.checks if one["said"] == "fail"] for row in fitting]
    if any(row.despite or not failed for row, failed in zip(fitting, faults, strict=True)):
        return None
    whys = "; ".join(f"{one['check']}: {one['why']}" for one in faults[0])
    return f'{shown} ({fitting[0].name}) failed a check ({whys}); give a reason for it: --despite "reason"'
