"""Every file of evidence held against its row: what is missing, altered, of another size, or named by no row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import func, select

from cases.store import CaseStore
from database.evidence_tables import EvidenceRow
from database.tables import CaseRow, ChangeRow
from evidence.files import Files
from ground.errors import BadInput, NotFound, Unreachable


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`kind`: missing, replaced (by a link), size, altered or unnamed.

    `serial` and `case_id` are of the first row that names the file.
    """

    kind: str
    file: str
    text: str
    serial: int | None = None
    case_id: str | None = None


def any_rows(store: CaseStore) -> bool:
    """Whether any evidence was ever given."""
    with store.transaction() as session:
        return session.scalar(select(EvidenceRow.serial).limit(1)) is not None


def intact_in(opened: Callable[[], Files]) -> Callable[[str], str | None]:
    """Of the sha256 of a file, why it is not as it was given, read to its end; None if it is.

    `opened` is called when the first one is asked for.
    """
    store = cache(opened)

    def why_not(digest: str) -> str | None:
        try:
            found = store().sha256(digest)
        except NotFound:
            return f"it is missing from {store().shown}; restore it from a backup, or bring another"
        except (BadInput, Unreachable) as error:
            return f"it could not be read back: {error}"
        if found == digest:
            return None
        altered = f"it was altered in {store().shown}, its sha256 is {found[:16]}…"
        return f"{altered}; restore it from a backup, or bring another"

    return why_not


def faults(store: CaseStore, files: Files, case_id: str | None = None) -> Iterator[Fault]:
    """What is wrong, in the order of the rows, then of the files that no row names; every file is read to its end.

    `case_id`: only this case's files. What no row names is told only to who sees every region and asks for all.

    Raises:
        Unreachable, BadInput: the store does not answer.
    """
    whole = case_id is None and not store.region
    # First the files, then the rows: a file is there before its row is.
    names = files.names() if whole else []
    columns = (
        EvidenceRow.serial,
        EvidenceRow.case_id,
        EvidenceRow.sha256,
        EvidenceRow.size,
        EvidenceRow.name,
    )
    query = select(*columns).order_by(EvidenceRow.serial)
    if case_id is not None:
        query = query.where(EvidenceRow.case_id == case_id)
    if store.region:
        query = query.join(CaseRow, CaseRow.id == EvidenceRow.case_id)
        query = query.join(ChangeRow, ChangeRow.id == CaseRow.change_id)
        query = query.where(func.substr(ChangeRow.region, 1, len(store.region)) == store.region)
    with store.transaction() as session:
        rows = session.execute(query).all()
    found: dict[tuple[str, int], tuple[str, str] | None] = {}
    for serial, case, digest, size, name in rows:
        if (digest, size) not in found:
            found[digest, size] = _fault(files, digest, size)
        wrong = found[digest, size]
        if wrong:
            kind, why = wrong
            text = f"evidence {serial} of case {case} ({name}, sha256 {digest[:16]}…): {why}"
            yield Fault(kind=kind, file=digest, text=text, serial=serial, case_id=case)
    known = {digest for _, _, digest, _, _ in rows}
    for name in names:
        if name not in known:
            yield Fault(
                kind="unnamed", file=name, text=f"{files.shown}: no row of evidence names the file {name}"
            )


def _fault(files: Files, digest: str, size: int) -> tuple[str, str] | None:
    instead = files.swapped(digest)
    if instead:
        return "replaced", instead
    present = files.size(digest)
    if present is None:
        return "missing", "its file is missing from the store"
    if present != size:
        return "size", f"its file has {present:,} bytes, not {size:,}"
    try:
        found = files.sha256(digest)
    except NotFound:
        return "missing", "its file is missing from the store"
    return None if found == digest else ("altered", f"its file was altered, its sha256 is {found[:16]}…")
