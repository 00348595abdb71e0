"""The verbs of reports: a case as PDF, cases as tables, statistics; the first two belong to `cases`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import terminal
from ground.clock import end_of
from ground.crs import crs_of
from ground.errors import BadInput
from settings import load_settings

if TYPE_CHECKING:
    from cases.store import CaseStore
    from evidence.files import Files
    from reports.words import Language

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Lang = Annotated[str, typer.Option("--lang", help="zh or en.")]


def cases_report(
    case_id: str,
    to: Annotated[Path, typer.Option("--to", help="The PDF to write.")],
    lang: Lang = "zh",
    at: Annotated[
        str | None, typer.Option("--at", help="Moment to print as that of making: the same bytes again.")
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Also before its evidence is complete; marked as a draft.")
    ] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """A case as PDF: map, before and after, ledger, rule and facts, evidence, history, places to sign."""
    from cases.workflow import load_workflow
    from reports.case_pdf import Wanted, write_case_report

    if to.suffix.lower() != ".pdf":
        raise BadInput(f"--to: {to.name!r} is no PDF; end it with .pdf")
    moment = end_of(at, "--at") if at else None
    store = _store(db)
    wanted = Wanted(language=_language(lang), at=moment, files=_files(store), draft=draft)
    made = write_case_report(store, case_id, load_workflow(), to, wanted)
    if json:
        terminal.print_json(
            {"file": str(to), "sha256": made.sha256, "lacking": made.lacking, "said": made.said}
        )
        return
    terminal.say(f"Written to {to}; sha256 of its data {made.sha256}")
    for line in made.lacking:
        terminal.say(f"Missing: {line}")


def cases_export(
    to: Annotated[Path, typer.Option("--to", help="File: .shp, .gpkg, .geojson, .xlsx or .csv.")],
    region: Annotated[str, typer.Option(help="Only regions whose code begins so.")] = "",
    status: Annotated[str | None, typer.Option(help="Only this status.")] = None,
    encoding: Annotated[str, typer.Option(help="Of Shapefile and CSV: gbk or utf-8.")] = "utf-8",
    crs: Annotated[str, typer.Option("--crs", help="Coordinate system of the file.")] = "EPSG:4490",
    lang: Lang = "zh",
    db: Db = None,
    json: Json = False,
) -> None:
    """The official table of cases, with their areas by land class."""
    from cases.asked import refuse_unknown
    from reports.table_files import write_table
    from reports.table_rows import Wanted, case_table

    language = _language(lang)
    frame = case_table(_store(db), Wanted(region, status), crs_of(crs, "--crs"), language)
    refuse_unknown(len(frame), status)
    notes = write_table(frame, to, language, encoding)
    if json:
        terminal.print_json({"file": str(to), "cases": len(frame), "notes": notes})
        return
    terminal.say(f"{len(frame)} cases written to {to}")
    for note in notes:
        terminal.say(f"Note: {note}")


def stats(
    region: Annotated[str, typer.Option(help="Only regions whose code begins so.")] = "",
    first: Annotated[str | None, typer.Option("--from", help="First day of the later scene.")] = None,
    last: Annotated[
        str | None, typer.Option("--until", help="Last day of the later scene, included.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As known on this day: 2020-08-04, or a moment.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="File: .xlsx, .csv or .pdf.")] = None,
    lang: Lang = "zh",
    db: Db = None,
    json: Json = False,
) -> None:
    """Numbers, areas, review and shares per region and period, as they were known on any day."""
    from datetime import UTC, datetime

    from cases.days import end_of_day_here
    from reports.statistics import statistics
    from reports.statistics_files import write_statistics
    from reports.statistics_sheet import notes_of, tables_of
    from reports.words import Words

    words = Words(_language(lang))
    moment = end_of_day_here(as_of, "--as-of") if as_of else datetime.now(UTC)
    found = statistics(_store(db), moment, region, _day(first, "--from"), _day(last, "--until"))
    if to:
        write_statistics(found, to, words)
    if json:
        terminal.print_json(asdict(found) | ({"file": str(to)} if to else {}))
        return
    for table in tables_of(found, words):
        rows: list[dict[str, Any]] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        terminal.show(rows, table.title, False)
    for note in notes_of(found, words):
        terminal.say(note)
    if to:
        terminal.say(f"Written to {to}")


def _store(db: str | None) -> "CaseStore":
    """The cases of this installation's region (TIANKAN_REGION)."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)


def _files(store: "CaseStore") -> "Files | None":
    """Where evidence lies (TIANKAN_EVIDENCE); None where nobody said so: the report says that nothing was read."""
    from evidence.files import open_files
    from evidence.places import is_known, place_of

    setting = load_settings().evidence
    return open_files(place_of(setting, store.engine.url)) if is_known(setting, store.engine.url) else None


def _language(text: str) -> "Language":
    from reports.words import Language

    if text not in list(Language):
        raise BadInput(f"--lang: {text!r} is unknown; use {' or '.join(Language)}")
    return Language(text)


def _day(text: str | None, where: str) -> Any:
    from datetime import date

    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise BadInput(f"{where}: {text!r} is not a day; write 2020-08-04") from error
