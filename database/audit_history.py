"""The history of every case walked again, line by line: sealed or not, nobody comes where the law does not lead."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from database.audit_rows import Fault
from database.numbering_tables import LineageRow
from database.road import (
    AUDITOR,
    BEFORE,
    BEYOND,
    LOCK,
    MACHINE,
    MACHINE_ROLE,
    PENALTY,
    REOPENED,
    REPLACED,
)
from database.seal_tables import SealRow
from database.tables import CaseRow, EventRow

OPENED, MOVED = "opened", "moved"
EARLIER = {"investigation": {"police", "discipline"}}
"""What moves did besides before each kept its workflow (revision 0013)."""
PROVEN, AUDITED, NOTICE = "proven", "audited", "notice"
SIGNS = str.maketrans("", "", " .,-_()'\"·　（）。，\t\n\r")
"""What tells no two names apart, as the triggers know it."""
COLUMNS = (
    EventRow.serial, EventRow.case_id, EventRow.kind, EventRow.actor, EventRow.role, EventRow.from_status,
    EventRow.to_status, EventRow.workflow,
)  # fmt: skip


@dataclass(slots=True)
class _Walk:
    """How far the history of a case was walked."""

    status: str = ""
    born: bool = True
    """Whether nothing came yet but how it was opened."""
    proven: bool = False
    """Since it was reopened, as the auditors."""
    auditors: set[str] = field(default_factory=set)
    left: str = ""
    """Where it stood when others took its place."""
    ever_proven: bool = False


def history_faults(session: Session, seals: Sequence[SealRow]) -> Iterator[Fault]:
    """Lines that follow no law, cases that stand elsewhere than their history ends, penalties without their proof."""
    origins = defaultdict[str, list[str]](list)
    for one, heir in session.execute(select(LineageRow.from_case, LineageRow.to_case)):
        origins[heir].append(one)
    walks, links, gone = defaultdict[str, _Walk](_Walk), _Sealed(seals), set[str]()
    cases = session.execute(select(CaseRow.id, CaseRow.serial, CaseRow.status).order_by(CaseRow.serial)).all()
    known = {case for case, _, _ in cases}
    for line in session.execute(select(*COLUMNS).order_by(EventRow.serial)):
        serial, case, kind, actor = line[:4]
        walk = walks[case]
        why = _wrong(walk, line, walks, origins)
        if why:
            yield Fault(links.of(serial), f"event: row {serial} ({kind} by {actor}, {case}) {why}")
        if case not in known and case not in gone:
            gone.add(case)
            text = f"event: row {serial} ({kind} by {actor}) is of case {case}, which is gone"
            yield Fault(links.of(serial), text)
        _step(walk, line)
    for case, serial, status in cases:
        walk = walks[case]
        if walk.status != status:
            said = f"its history ends at {walk.status}" if walk.status else "it has no history"
            yield Fault(0, f"enforcement_case: row {serial} ({case}) stands at {status}, but {said}")
    yield from _penalties(session, walks)


def _wrong(walk: _Walk, line: Any, walks: dict[str, _Walk], origins: dict[str, list[str]]) -> str:
    """What is wrong with a line after those before it; empty where nothing is."""
    _, case, kind, _, _, origin, to, _ = line
    if origin != walk.status:
        return f"begins at {origin or 'nothing'}, but the case stood at {walk.status or 'nothing'}"
    if kind == MOVED:
        return _wrong_move(walk, line)
    if kind in REPLACED:
        return _wrong_end(kind, origin, to) or _wrong_birth(walk, kind, to, walks, origins.get(case, []))
    if kind == OPENED or kind in REOPENED:
        if (kind == OPENED) != (origin == ""):
            return "opens a case that was there" if kind == OPENED else "reopens a case that never was"
        if origin in REPLACED:
            return f"leads it on from {origin}, where it has ended"
        if to != origin and (to in BEFORE or to in BEYOND or to in REPLACED):
            return f"leaves it at {to}, where no case begins"
        return ""
    if origin == to and origin:
        return ""
    return f"leads it from {origin or 'nothing'} to {to}; a line of this kind moves no case"


def _wrong_move(walk: _Walk, line: Any) -> str:
    _, _, _, actor, role, origin, to, workflow = line
    before = BEFORE.get(to, {origin}) | (EARLIER.get(to, set()) if workflow is None else set())
    if not origin or origin in REPLACED or to in REPLACED:
        return f"moves it from {origin or 'nothing'} to {to}; no move leads there"
    if not actor.strip() or actor.strip().lower() == MACHINE or role == MACHINE_ROLE:
        return f"moves it from {origin} to {to}; a move is made by a named person"
    if origin not in before:
        return f"moves it from {origin} to {to}; a case comes there from {', '.join(sorted(BEFORE[to]))} only"
    if to == AUDITED and role != AUDITOR:
        return f"moves it to {to} by role {role}; {AUDITOR} alone may"
    if to == NOTICE and not (walk.proven and walk.auditors):
        lacking = "a field check" if not walk.proven else "a legal audit"
        return f"moves it to {to} without {lacking} in its history since it was opened or reopened"
    return ""


def _wrong_end(kind: str, origin: str, to: str) -> str:
    if to in REPLACED and (to != kind or not origin or origin in REPLACED or origin in BEYOND):
        return f"ends it at {to} from {origin or 'nothing'}; no case is {to} there"
    return ""


def _wrong_birth(walk: _Walk, kind: str, to: str, walks: dict[str, _Walk], origins: list[str]) -> str:
    """A case that took the place of others begins where one of them stood; first it may tell that they were proven."""
    if to in REPLACED:
        return ""
    before = [walks[one] for one in origins if one in walks and walks[one].status == kind]
    stood = {one.left for one in before} | ({PROVEN} if any(one.ever_proven for one in before) else set())
    if not walk.born or to not in stood:
        return f"begins it at {to}, where no case stood whose place it takes"
    return ""


def _step(walk: _Walk, line: Any) -> None:
    _, _, kind, actor, role, origin, to, _ = line
    if kind in REOPENED:
        walk.proven, walk.auditors = False, set()
    if kind in REPLACED:
        walk.left = origin if to in REPLACED else walk.left
        walk.born = walk.born and to not in REPLACED
    else:
        walk.born = False
    if to == PROVEN:
        walk.proven = walk.ever_proven = True
    if to == AUDITED and kind == MOVED and role == AUDITOR:
        walk.auditors.add(_plain(actor))
    walk.status = to


def _penalties(session: Session, walks: dict[str, _Walk]) -> Iterator[Fault]:
    """Cases at a penalty without what the lock asks for."""
    query = select(CaseRow.id, CaseRow.serial, CaseRow.status, CaseRow.held).where(
        CaseRow.status.in_(PENALTY)
    )
    for case, serial, status, held in session.execute(query.order_by(CaseRow.serial)):
        walk, texts = walks[case], held if isinstance(held, dict) else {}
        lacking = [kind for kind in sorted(LOCK) if not str(texts.get(kind) or "").strip()]
        said = str(texts.get("two_officers") or "").replace("；", ";")
        officers = {_plain(name) for name in said.split(";")} - {""}
        why = ""
        if lacking:
            why = f"without {', '.join(lacking)} in hand"
        elif len(officers) < 2:
            why = "without two officers of different names"
        elif not (walk.proven and walk.auditors):
            why = "without a field check and a legal audit in its history"
        elif walk.auditors & officers:
            why = "and its legal auditor is one of its two officers"
        if why:
            yield Fault(0, f"enforcement_case: row {serial} ({case}) stands at {status} {why}")


def _plain(name: str) -> str:
    return name.lower().translate(SIGNS)


class _Sealed:
    """By which link an event was sealed."""

    def __init__(self, seals: Sequence[SealRow]) -> None:
        own = (seal for seal in seals if seal.what == EventRow.__tablename__ and not seal.was)
        spans = [
            (s.first, s.last, s.place) for s in own if isinstance(s.first, int) and isinstance(s.last, int)
        ]
        self._spans = sorted(spans)
        self._firsts = [first for first, _, _ in self._spans]

    def of(self, serial: int) -> int:
        """Its place; 0 where no link names it."""
        at = bisect_right(self._firsts, serial) - 1
        return self._spans[at][2] if at >= 0 and serial <= self._spans[at][1] else 0
