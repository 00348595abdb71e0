"""Statistics written as XLSX, CSV or PDF: whole or absent."""

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from ground.errors import BadInput
from ground.files import written_beside
from reports.case_sheet import printable
from reports.pages import rendered
from reports.shares import UNKNOWN
from reports.statistics import Statistics
from reports.statistics_sheet import heading_of, notes_of, tables_of
from reports.words import Words, moment


def write_statistics(found: Statistics, to: Path, words: Words, at: datetime | None = None) -> None:
    """The file by its suffix; `at`: the moment printed as that of making.

    Raises:
        BadInput: the suffix is none of ours.
        CannotWrite: the disk is full.
    """
    suffix = to.suffix.lower()
    if suffix not in WRITERS:
        raise BadInput(f"--to: {to.name!r} is of no kind that is written; end it with {', '.join(WRITERS)}")
    with written_beside(to) as beside:
        WRITERS[suffix](found, beside, words, at or datetime.now(UTC))


def _xlsx(found: Statistics, to: Path, words: Words, at: datetime) -> None:
    book = Workbook()
    about = book.active
    about.title = words.of("stat", "note")
    lines = [
        *heading_of(found, words),
        (words.of("stat", "made"), moment(at, words)),
    ]
    for line in (*lines, *(("", note) for note in notes_of(found, words))):
        _append(about, list(line))
    for table in tables_of(found, words):
        sheet = book.create_sheet(table.title[:31])
        sheet.append(table.columns)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for row in table.rows:
            _append(sheet, row)
        for i, title in enumerate(table.columns, 1):
            sheet.column_dimensions[get_column_letter(i)].width = max(12, 1.6 * len(title))
    book.save(to)


def _append(sheet: Any, row: list[Any]) -> None:
    """A row; a text that begins with = is a text."""
    sheet.append(row)
    for cell in sheet[sheet.max_row]:
        if isinstance(cell.value, str):
            cell.data_type = "s"


def _csv(found: Statistics, to: Path, words: Words, at: datetime) -> None:
    """Tables one under the other, each with its name in the first column."""
    del at
    with to.open("w", encoding="utf-8-sig", newline="") as stream:
        lines = csv.writer(stream)
        for table in tables_of(found, words):
            lines.writerow(["table", *table.columns])
            lines.writerows([table.key, *row] for row in table.rows)


def _pdf(found: Statistics, to: Path, words: Words, at: datetime) -> None:
    to.write_bytes(rendered("statistics.typ", statistics_page(found, words, at), {}, at)[0])


def statistics_page(found: Statistics, words: Words, at: datetime) -> dict[str, Any]:
    """What statistics.typ prints."""
    page: dict[str, Any] = printable(
        {
            "L": words.all("stat"),
            "lang": words.language.value,
            "head": [list(line) for line in heading_of(found, words)],
            "tables": [
                {
                    "title": table.title,
                    "columns": table.columns,
                    "rows": [[_shown(value) for value in row] for row in table.rows],
                    "right": [_is_of_numbers(column, words) for column in zip(*table.rows, strict=True)],
                }
                for table in tables_of(found, words)
            ],
            "notes": notes_of(found, words),
            "made": moment(at, words),
        }
    )
    return page


def _is_of_numbers(column: Sequence[Any], words: Words) -> bool:
    """Whether a column holds numbers, and besides only that one is unknown."""
    others = {value for value in column if not isinstance(value, int | float)}
    return others <= {words.of("stat", UNKNOWN)} and len(others) < len({*column})


def _shown(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


WRITERS: dict[str, Callable[[Statistics, Path, Words, datetime], None]] = {
    ".xlsx": _xlsx,
    ".csv": _csv,
    ".pdf": _pdf,
}
