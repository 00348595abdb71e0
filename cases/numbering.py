"""监测图斑编号: the official number of a case, by which offices speak of it; given once, never altered."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from database import bulk, seals
from database.numbering_tables import NumberRow
from ground.errors import BadInput

COUNTY = re.compile(r"[0-9]{6}")
BATCH = re.compile(r"[A-Z0-9]{1,8}")
PLACE_DIGITS = 6
MOST = 10**PLACE_DIGITS - 1


def county_of(region: str) -> str | None:
    """The county's code of six digits that a region's begins with; None where it does not."""
    code = region[:6]
    return code if COUNTY.fullmatch(code) else None


def check_batch(batch: str) -> str:
    """The tag, if a number can hold it.

    Raises:
        BadInput: it cannot.
    """
    if not BATCH.fullmatch(batch):
        raise BadInput(
            f"--batch: {batch!r} is no tag of a batch; write one to eight of A–Z and 0–9, such as Q1"
        )
    return batch


def number_row(
    case_id: str, county: str, batch: str, year: int, place: int, at: datetime, suffix: str = ""
) -> dict[str, Any]:
    """A number as a row: county, batch, year and place; parts of a split have a suffix.

    Raises:
        BadInput: a county has no more than 999,999 numbers a batch and year.
    """
    if place > MOST:
        raise BadInput(
            f"county {county} has {MOST:,} numbers in batch {batch} of {year}; begin another batch"
        )
    return {
        "number": f"{county}{batch}{year:04d}{place:0{PLACE_DIGITS}d}{suffix}", "case_id": case_id, "county": county,
        "batch": batch, "year": year, "place": place, "suffix": suffix, "at": at,
    }  # fmt: skip


def parts_rows(whole: NumberRow | None, case_ids: Sequence[str], at: datetime) -> list[dict[str, Any]]:
    """The numbers of parts in their order: parent_1, parent_2, …; none where the whole has none."""
    if whole is None:
        return []
    said = (whole.county, whole.batch, whole.year, whole.place)
    return [
        number_row(case_id, *said, at, f"{whole.suffix}_{n}") for n, case_id in enumerate(case_ids, start=1)
    ]


def last_place(session: Session, county: str, batch: str, year: int) -> int:
    """The last serial given in a county, batch and year; 0 before the first.

    On PostgreSQL by a function that sees the whole county: a township must not give a number again.
    """
    if session.get_bind().dialect.name == "postgresql":
        return int(session.scalar(select(func.tiankan_last_place(county, batch, year))) or 0)
    same = (NumberRow.county == county, NumberRow.batch == batch, NumberRow.year == year)
    return int(session.scalar(select(func.max(NumberRow.place)).where(*same)) or 0)


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Writes numbers, each made by `number_row`."""
    seals.add(session, NumberRow, rows)


def numbers_of(session: Session, case_ids: Iterable[str]) -> dict[str, str]:
    """The numbers of cases by their ids; those that have none are left out."""
    wanted = bulk.among(session, NumberRow.case_id, case_ids)
    found = session.execute(select(NumberRow.case_id, NumberRow.number).where(wanted))
    return {row.case_id: row.number for row in found}


def row_of(session: Session, case_id: str) -> NumberRow | None:
    """The number of a case."""
    return session.scalar(select(NumberRow).where(NumberRow.case_id == case_id))


def named(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a case's id is this text, or its number is."""
    by_number = select(NumberRow.case_id).where(NumberRow.number == text).scalar_subquery()
    return or_(column == text, column == by_number)


def numbered(column: Any, begins: str) -> ColumnElement[bool]:
    """Whether the number of the case with this id begins so."""
    # Not LIKE, to which SQLite, unlike others, gives capitals for small letters.
    same = func.substr(NumberRow.number, 1, len(begins)) == begins
    found: ColumnElement[bool] = column.in_(select(NumberRow.case_id).where(same))
    return found
