"""The verbs of those who keep the cadastre: import, list, check, show."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

import terminal
from ground.clock import end_of
from ground.errors import BadInput, NotFound
from settings import load_settings

cadastre_app = typer.Typer(no_args_is_help=True, help="The registry of layers: import, list, check, show.")

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Only = Annotated[list[str] | None, typer.Option("--layer", help="Only this layer; may be repeated.")]
Repair = Annotated[bool, typer.Option("--repair", help="Mend invalid geometries; the original is kept.")]
LeaveOut = Annotated[bool, typer.Option("--leave-out", help="Go without features that have no geometry.")]


@cadastre_app.command("import")
def cadastre_import(
    layers: Annotated[Path, typer.Argument(help="layers.toml: which layers, and where their files are.")],
    db: Db = None,
    layer: Only = None,
    known: Annotated[
        str | None, typer.Option("--known", help="Since which day it is known here (default: now).")
    ] = None,
    valid_from: Annotated[
        str | None, typer.Option("--valid-from", help="The day whose state a map shows.")
    ] = None,
    more: Annotated[
        bool, typer.Option("--more", help="Entries beside those known, no new whole list.")
    ] = False,
    repair: Repair = False,
    leave_out: LeaveOut = False,
    far: Annotated[bool, typer.Option("--far", help="It may lie away from the other layers.")] = False,
    json: Json = False,
) -> None:
    """Each layer of a layers.toml as a new vintage in the database; the same file again adds nothing."""
    from cadastre.importing import Asked, import_layer
    from database.engine import open_database, transaction

    moment = end_of(known, "--known") if known else None
    asked = Asked(
        known=moment, state_of=_day(valid_from), more=more, repair=repair, leave_out=leave_out, far=far
    )
    chosen = _chosen(layers, layer)
    engine = open_database(db or load_settings().db, create=True)
    rows = []
    with terminal.progress() as advance:
        for name, described in chosen.items():
            # One transaction a layer: a fault in the last does not cost the first.
            with transaction(engine, writes=True) as session:
                done = import_layer(session, name, described, layers.parent, asked, advance)
            rows.append({"layer": name, "vintage": done.id, "new": done.is_new} | _counts(done.report))
    terminal.show(rows, f"Registry: {layers}", json)


@cadastre_app.command("check")
def cadastre_check(
    layers: Annotated[Path, typer.Argument(help="layers.toml: which layers, and where their files are.")],
    layer: Only = None,
    repair: Repair = False,
    leave_out: LeaveOut = False,
    json: Json = False,
) -> None:
    """What an import would find, without one."""
    from cadastre.importing import look

    reports = [
        look(name, said, layers.parent, repair, leave_out) for name, said in _chosen(layers, layer).items()
    ]
    if json:
        terminal.print_json(reports)
        return
    terminal.show([{"layer": report["layer"]} | _counts(report) for report in reports], f"{layers}", False)


@cadastre_app.command("list")
def cadastre_list(db: Db = None, json: Json = False) -> None:
    """Every vintage: its layer, since when it is known, what day it shows, what is wrong with it."""
    from sqlalchemy import select

    from database.cadastre_tables import VintageRow

    with _reading(db) as session:
        vintages = session.scalars(select(VintageRow).order_by(VintageRow.layer, VintageRow.serial))
        rows = [_row(vintage) for vintage in vintages]
    terminal.show(rows, "Vintages", json)


@cadastre_app.command("show")
def cadastre_show(vintage: str, db: Db = None, json: Json = False) -> None:
    """One vintage: its description, files and the report of its import."""
    from sqlalchemy import select

    from database.cadastre_tables import VintageRow

    with _reading(db) as session:
        row = session.scalar(select(VintageRow).where(VintageRow.id == vintage))
        if row is None:
            raise NotFound(f"no vintage has the id {vintage!r}; `tiankan cadastre list` shows them")
        whole = _row(row) | {"crs": row.crs.split(",")[0], "sha256": row.sha256}
        whole |= {"description": row.description, "report": row.report}
    if json:
        terminal.print_json(whole)
        return
    terminal.show(
        [{"what": key, "value": value} for key, value in whole.items()], f"Vintage {vintage}", False
    )


def _chosen(path: Path, names: list[str] | None) -> dict[str, Any]:
    from cadastre.layers import load_catalogue

    catalogue = load_catalogue(path)
    for name in names or []:
        if name not in catalogue:
            raise BadInput(f"--layer: {path} has no layer {name!r}; it has {', '.join(catalogue)}")
    return {name: layer for name, layer in catalogue.items() if not names or name in names}


def _day(text: str | None) -> date | None:
    return end_of(text, "--valid-from").date() if text else None


@contextmanager
def _reading(db: str | None) -> Iterator[Any]:
    from database.engine import open_database, transaction

    with transaction(open_database(db or load_settings().db, create=False), writes=False) as session:
        yield session


def _counts(report: dict[str, Any]) -> dict[str, Any]:
    found = {name: fault["count"] for name, fault in report["faults"].items()}
    return {"read": report["read"], "kept": report["kept"], "faults": found}


def _row(vintage: Any) -> dict[str, Any]:
    return {
        "vintage": vintage.id, "layer": vintage.layer, "kind": vintage.kind,
        "valid_from": vintage.valid_from.isoformat() if vintage.valid_from else None,
        "known_from": vintage.known_from.isoformat(timespec="seconds"), "features": vintage.features,
        "complete": vintage.description["coverage"], "source": vintage.source,
        "faults": _counts(vintage.report)["faults"],
    }  # fmt: skip
