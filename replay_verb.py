"""The verb that finds a past day's verdicts again."""

from pathlib import Path
from typing import Annotated

import typer

import terminal
from ground.clock import end_of
from ground.files import written_beside
from settings import load_settings


def replay(
    as_of: Annotated[str, typer.Option("--as-of", help="The day: 2020-08-04, or a moment.")],
    db: Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the verdicts: a line of JSON a change.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """The verdicts of a past day, measured and judged again; exit code 1 where one is not as it was written."""
    from cases import verdicts
    from cases.replay import replay as again
    from cases.store import open_store

    settings = load_settings()
    store = open_store(db or settings.db, create=False, region=settings.region)
    found = again(store, end_of(as_of, "--as-of"))
    if out:
        with written_beside(out) as beside:
            beside.write_text(verdicts.text(found.lines), encoding="utf-8")
    counts = {
        "verdicts": len(found.lines), "as_written": len(found.lines) - len(found.differing),
        "differing": len(found.differing), "not_measured_again": found.not_measured,
    }  # fmt: skip
    if json:
        terminal.print_json(
            counts | {"differences": [{"written": a, "found": b} for a, b in found.differing]}
        )
    else:
        terminal.show([counts], f"Verdicts as of {as_of}", False)
        for written, now in found.differing:
            terminal.say(f"written {written}\nfound   {now}")
    if found.differing:
        raise typer.Exit(1)
