"""Numbers for the cases that have none: serials of their county, batch and year, without gaps."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from cases import history, numbering
from cases.store import CaseStore, begins
from cases.workflow import REPLACED
from database.numbering_tables import NumberRow
from database.tables import CaseRow, ChangeRow
from ground.errors import BadInput

NUMBERED = "numbered"
YEARS = range(1900, 2200)


@dataclass(frozen=True, kw_only=True)
class Issued:
    """How many numbers were given, the first and the last by county, batch and year, and who got none."""

    given: int
    ranges: list[tuple[str, str]]
    without_county: list[str]
    """Cases whose region does not begin with a county's six digits."""
    without_year: list[str]
    """Cases whose later scene has no date."""


def issue(store: CaseStore, batch: str, year: int | None = None, region: str = "") -> Issued:
    """Gives every case of a region that has no number one, in the order in which they were opened.

    `year`: of the later scene, unless told. What has ended as split or merged gets none.

    Raises:
        BadInput: the tag or the year cannot stand in a number; a county has no more numbers.
    """
    numbering.check_batch(batch)
    if year is not None and year not in YEARS:
        raise BadInput(f"--year: {year} is no year of a batch; write one such as 2026")
    now = datetime.now(UTC)
    wanted = (
        select(CaseRow.id, CaseRow.status, ChangeRow.region, ChangeRow.after)
        .join(ChangeRow, CaseRow.change_id == ChangeRow.id)
        .outerjoin(NumberRow, NumberRow.case_id == CaseRow.id)
        .where(NumberRow.case_id.is_(None), CaseRow.status.not_in(REPLACED))
        .where(*begins(store.scoped(region or store.region).region))
        .order_by(CaseRow.serial)
    )
    no_county, no_year = list[str](), list[str]()
    waiting: dict[tuple[str, int], list[str]] = defaultdict(list)
    with store.transaction(writes=True) as session:
        stands = dict[str, str]()
        for case_id, status, code, after in session.execute(wanted):
            stands[case_id] = status
            county = numbering.county_of(code)
            of_year: int | None = year or (after.year if after else None)
            if county is None:
                no_county.append(case_id)
            elif of_year is None:
                no_year.append(case_id)
            else:
                waiting[county, of_year].append(case_id)
        rows, ranges = [], []
        for (county, of_year), case_ids in sorted(waiting.items()):
            first = numbering.last_place(session, county, batch, of_year) + 1
            new = [
                numbering.number_row(case_id, county, batch, of_year, place, now)
                for place, case_id in enumerate(case_ids, start=first)
            ]
            ranges.append((new[0]["number"], new[-1]["number"]))
            rows += new
        numbering.add(session, rows)
        history.append(session, [_told(row, stands[row["case_id"]], now) for row in rows])
    return Issued(given=len(rows), ranges=ranges, without_county=no_county, without_year=no_year)


def _told(row: dict[str, Any], status: str, now: datetime) -> dict[str, Any]:
    said = f"numbered: {row['number']}, in batch {row['batch']}"
    return history.event(row["case_id"], now, NUMBERED, said, origin=status, to=status)
