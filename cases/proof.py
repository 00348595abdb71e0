"""Whether a file that a move refers to proves anything: given for this case as it stands, sound, and as it was."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.weighed import Weighed, weighed
from cases.workflow import AUDITED, Workflow, as_read, load_workflow
from database.evidence_tables import EvidenceRow
from ground.errors import IllegalMove

if TYPE_CHECKING:
    from cases.store import CaseStore

REFERENCE = re.compile(r"sha256:([0-9a-fA-F]{64})")
LIKE_ONE = re.compile(r"sha-?256\s*[:=]|[0-9a-f]{64}")
BETWEEN = re.compile(r"[\s;；,，]+")
"""What may stand between several references."""
Intact = Callable[[str], str | None]
"""Of a file's sha256, why it is not as it was given; None if it is."""


class Kept(Protocol):
    """What is asked of a file that was given."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def checks(self) -> list[Any]: ...  # noqa: D102
    @property
    def despite(self) -> str: ...  # noqa: D102


def is_reference(text: str) -> bool:
    """Whether a text means a file, however it is written: such a one is looked up, and never passes as words."""
    return LIKE_ONE.search(as_read(text)) is not None


def against(checks: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Checks kept of a file that speak against it: it failed them, or did not pass one that it must (`must`)."""
    return [one for one in checks if one["said"] == "fail" or (one.get("must") and one["said"] != "pass")]


def unproven(case_id: str, file: Kept) -> str | None:
    """Why a file proves nothing without a named person's reason; None if it does, or there is one."""
    wrong = against(file.checks)
    if file.despite or not wrong:
        return None
    whys = "; ".join(f"{one['check']}{_how(one)}: {one['why']}" for one in wrong)
    failed = any(one["said"] == "fail" for one in wrong)
    said = "failed a check" if failed else "does not pass a check that it must"
    mend = add_again(case_id, file.kind, '--despite "reason"')
    return f"file {file.sha256[:16]}… ({file.name}) {said} ({whys}); give a reason for it: {mend}"


def add_again(case_id: str, kind: str, more: str) -> str:
    """The command that gives a file once more."""
    return f"`tiankan cases evidence {case_id} --add FILE --kind {kind} {more} --actor NAME --role ROLE`"


def before_it(case_id: str, one: Weighed) -> str:
    """That a file was given before the case was reopened or returned, and what can be done."""
    row = one.row
    return (
        f"file {row.sha256[:16]}… ({row.name}) was given as {row.kind} by {row.given_by} on {row.at:%Y-%m-%d %H:%M} "
        f"UTC, before the case was {one.since}; bring a new one, or say of it what it shows now: "
        + add_again(case_id, row.kind, '--note "…"')
    )


def usable(
    session: Session, case_id: str, reference: str, kind: str | None = None, workflow: Workflow | None = None
) -> str | None:
    """Why a reference `sha256:<hex>` may not be used for a case; None if it may. Of several, each must be usable.

    `kind`: as what it is to be used, where that is known: a file given as a note was never checked as a photo.
    """
    files = weighed(session, case_id, workflow or load_workflow())
    parts = [part for part in BETWEEN.split(reference) if part] or [reference]
    return next((why for part in parts if (why := _why_not(files, case_id, part, kind))), None)


def check_usable(session: Session, case_id: str, given: Mapping[str, str], workflow: Workflow) -> None:
    """Nothing, if every file that a move refers to was given for this case and proves what it is given for.

    Raises:
        IllegalMove: one does not; which, why, and the mend.
    """
    for kind, reference in given.items():
        is_file = kind in workflow.files or is_reference(reference)
        why = usable(session, case_id, reference, kind, workflow) if is_file else None
        if why:
            raise IllegalMove(f"case {case_id}: {kind}: {why}")


def asked_once(
    store: "CaseStore", case_id: str, to: str, given: Mapping[str, str], intact: Intact | None
) -> Intact | None:
    """`intact` asked of every file that a move rests on, before anybody must wait for it; it answers from memory."""
    if intact is None:
        return None
    asked = cache(intact)
    with store.transaction() as session:
        row = store.row(session, case_id)
        known = set(session.scalars(select(EvidenceRow.sha256).where(EvidenceRow.case_id == row.id)))
        files = [digest for _, digest in _rests_on(to, row.held, given) if digest in known]
    for digest in files:
        asked(digest)
    return asked


def check_intact(
    case_id: str, to: str, held: Mapping[str, str], given: Mapping[str, str], intact: Intact | None
) -> None:
    """Nothing, if every file that a move rests on is as it was given.

    Raises:
        IllegalMove: one is not, as `intact` says.
    """
    for kind, digest in _rests_on(to, held, given) if intact else ():
        why = intact(digest) if intact else None
        if why:
            raise IllegalMove(f"case {case_id} cannot go to {to}: {kind}: file {digest[:16]}…: {why}")


def _rests_on(to: str, held: Mapping[str, str], given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Kind and sha256 of each file that is brought; on the way to a penalty also of what is in hand."""
    texts = {**(held if to in AUDITED else {}), **given}
    for kind, text in texts.items():
        for digest in REFERENCE.findall(text):
            yield kind, digest.lower()


def _why_not(files: Sequence[Weighed], case_id: str, reference: str, kind: str | None) -> str | None:
    found = REFERENCE.fullmatch(reference)
    if found is None:
        return f"{reference!r} refers to no file; write sha256: and the 64 digits that `tiankan cases evidence` shows"
    digest = found[1].lower()
    same = [one for one in files if one.row.sha256 == digest]
    shown = f"file {digest[:16]}…"
    if not same:
        return f"{shown} was not given for case {case_id}; add it with `tiankan cases evidence {case_id} --add FILE`"
    fitting = [one for one in same if kind is None or one.row.kind == kind]
    if not fitting:
        kinds = ", ".join(sorted({one.row.kind for one in same}))
        return f"{shown} was given for case {case_id} as {kinds}, not as {kind}; add it with --kind {kind}"
    counting = [one.row for one in fitting if one.struck is None]
    if not counting:
        return before_it(case_id, fitting[-1])
    whys = [unproven(case_id, row) for row in counting]
    return None if None in whys else whys[0]


def _how(one: Mapping[str, Any]) -> str:
    return "" if one["said"] == "fail" else f" is {one['said']}"
