"""What parts of a case take over of its photos: those that look at them; of no photo is it assumed that it does."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.proof import BETWEEN, REFERENCE, against
from database.evidence_tables import EvidenceRow
from database.tables import CaseRow

Look = Callable[[EvidenceRow, shapely.Geometry, datetime | None], list[dict[str, Any]]]
"""The checks of a file as they are for an outline in degrees, of a change that was not there at a time."""
Checks = Callable[[EvidenceRow], list[dict[str, Any]]]


def as_given(row: EvidenceRow, part: shapely.Geometry, before: datetime | None) -> list[dict[str, Any]]:
    """A Look that looks at nothing: as they were on their day."""
    del part, before
    return list(row.checks)


def checks_of(look: Look, part: shapely.Geometry, before: datetime | None) -> Checks:
    """The checks of a file as they are for a part."""
    return lambda row: look(row, part, before)


def taken_over(session: Session, row: CaseRow, checks: Checks) -> tuple[dict[str, str], list[str]]:
    """What a part has in hand of what the whole had, and a sentence for each file that does not show it.

    A file that was to count although a check speaks against it (`despite`) counts for the part as well; words that
    refer to no file are taken over as they are.
    """
    query = select(EvidenceRow).where(EvidenceRow.case_id == row.id).order_by(EvidenceRow.serial)
    fails: dict[tuple[str, str], dict[str, Any] | None] = {}
    names: dict[tuple[str, str], str] = {}
    for file in session.scalars(query):
        key = (file.kind, file.sha256)
        wrong = next(iter(against(checks(file))), None)
        fails[key] = None if file.despite or not wrong or fails.get(key, wrong) is None else wrong
        names[key] = file.name
    held, lost = dict[str, str](), list[str]()
    for kind, text in row.held.items():
        kept, gone = _split(kind, text, fails)
        lost += [
            f"{names[key]} {_shows(wrong)} this part ({wrong['check']}: {wrong['why']})"
            for key, wrong in gone
        ]
        if kept:
            held[kind] = kept
    return held, lost


def _split(
    kind: str, text: str, fails: Mapping[tuple[str, str], dict[str, Any] | None]
) -> tuple[str, list[tuple[tuple[str, str], dict[str, Any]]]]:
    """What is in hand without the files that fail, and these; the same text where none does."""
    kept: list[str] = []
    gone: list[tuple[tuple[str, str], dict[str, Any]]] = []
    for part in _parts(text):
        found = REFERENCE.fullmatch(part)
        key = (kind, found[1].lower() if found else "")
        wrong = fails.get(key)
        if wrong is None:
            kept.append(part)
        else:
            gone.append((key, wrong))
    return (" ".join(kept) if gone else text), gone


def _shows(wrong: Mapping[str, Any]) -> str:
    return "does not show" if wrong["said"] == "fail" else "is not known to show"


def _parts(text: str) -> Sequence[str]:
    return [part for part in BETWEEN.split(text) if part]
