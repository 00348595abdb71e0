"""What people see on a terminal: progress, tables or JSON, and one sentence where something went wrong."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDE = 200
"""Columns of a table that goes into a file or a pipe."""
LAST = 2**63 - 1
"""The last serial that a database can give."""
MOST_LINES = 60
"""Judgements that a terminal shows."""
STEPS = {
    "copy": "Copying the scene",
    "fetch": "Fetching the pair",
    "clouds": "Looking for clouds",
    "learn": "Learning what did not change",
    "detect": "Writing the change map",
    "batch": "Pairs",
    "classify": "Classifying",
    "facts": "Measuring facts",
    "train": "Teaching the network",
    "evaluate": "Measuring the detector",
}

Advance = Callable[[str, int, int], None]


def out() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=False)


@contextmanager
def progress() -> Iterator[Advance]:
    """A function to tell (step, done, total); draws bars on a terminal and is silent anywhere else."""
    # A descriptor of its own: standard error is closed to C libraries while they write files.
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    console = Console(file=stream)
    columns = (TextColumn("{task.description:30}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(STEPS.get(step, step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield advance
    stream.close()


def show(rows: Sequence[dict[str, Any]], title: str, as_json: bool, note: str = "") -> None:
    """Rows as a table, or as a JSON list."""
    if as_json:
        print_json(list(rows))
        return
    # As text: in a string rich would look for its own marks, and a name may hold brackets.
    table = Table(title=Text(title, style="table.title"), title_justify="left", header_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    out().print(table if rows else f"{title}: none", markup=False)
    if note:
        out().print(note, markup=False, soft_wrap=True)


def show_run(made: dict[str, Any], out: Any, as_json: bool) -> None:
    """What `detect` made: the whole run.json, or its main figures."""
    if as_json:
        print_json(made)
        return
    row = {
        "detector": made["detector"], "changes": made["counts"]["changes"], "changed_m2": made["changed_m2"],
        "observed_m2": made["observed_m2"], "unseen_m2": made["unseen_m2"],
        "seconds": round(sum(made["seconds"].values()), 1),
    }  # fmt: skip
    blind = [name for name, scene in made["inputs"].items() if scene["mask"] is None]
    notes = [f"Detector {made['detector']}: {made['detector_why']}."]
    if blind:
        notes.append(f"No quality mask: clouds in the {' and '.join(blind)} scene count as seen.")
    show([row], f"Written to {out}", False, " ".join(notes))


def say_lost(lost: dict[str, Any]) -> None:
    """What could not be decoded, on standard error."""
    files = "; ".join(f"{count} blocks of {href}" for href, count in lost["blocks"].items())
    sys.stderr.write(
        f"tiankan: {files} cannot be decoded: {lost['m2']:,.0f} m² ({lost['share']:.2%}) count as unseen; "
        "fetch the file again and run again\n"
    )


def show_judged(rows: list[dict[str, Any]], summary: dict[str, Any], as_json: bool) -> None:
    """Judgements: those that need a person first, the largest of them on a terminal, all of them in JSON."""
    if as_json:
        print_json(summary | {"judgements": rows})
        return
    ordered = sorted(rows, key=lambda row: (not row["needs_a_person"], row["verdict"]))
    lines = [
        {
            "change": row["change_id"], "class": row["change_class"], "area_m2": row["area_m2"],
            "verdict": row["verdict"], "rule": row["rule"],
            "missing_proof": "; ".join(f"{k}: {v}" for k, v in row["missing"].items()) or row["proof"],
        }
        for row in ordered[:MOST_LINES]
    ]  # fmt: skip
    verdicts = ", ".join(f"{name} {count}" for name, count in summary["verdicts"].items()) or "no changes"
    added = summary["added"]
    more = f" {len(rows) - MOST_LINES} more lines: --json." if len(rows) > MOST_LINES else ""
    new = ", ".join(f"{count} {name}" for name, count in added.items())
    note = f"{verdicts}.{more} New: {new}."
    show(lines, "Judgements", False, note)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    return str(value)


def print_json(value: Any) -> None:
    """JSON on standard output; times as ISO 8601."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    sys.stdout.write(text + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def say(text: str) -> None:
    """A plain line on standard output."""
    sys.stdout.write(text + "\n")


def complain(error: Exception) -> None:
    """The one sentence of an error, on standard error."""
    sys.stderr.write(f"tiankan: {error}\n")
