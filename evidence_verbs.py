"""The verbs of evidence: give it, list it, check it, hand it on in a bundle, judge a bundle again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import terminal
from ground.errors import BadInput
from settings import load_settings

if TYPE_CHECKING:
    from cases.store import CaseStore
    from evidence.files import Files

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def evidence(
    case_id: str,
    add: Annotated[Path | None, typer.Option("--add", help="A photo or another file to give.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="As workflow.toml names it: photo, document, …")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Name of the person who gives it.")] = "",
    role: Annotated[str, typer.Option("--role", help="county, city, province or legal.")] = "",
    note: Annotated[str, typer.Option("--note", help="What is to be said of it.")] = "",
    despite: Annotated[str, typer.Option("--despite", help="Why it counts although a check failed.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Read every file back; exit code 1 where one is wrong.")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Write all of the case into this zip.")
    ] = None,
    db: Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")] = None,
    json: Json = False,
) -> None:
    """The evidence of a case: list it, or give a file, check the files, write a bundle."""
    if sum((add is not None, check, bundle is not None)) > 1:
        raise BadInput("--add, --check and --bundle are three things; ask for one at a time")
    if add is None and any((kind, actor, role, note, despite)):
        raise BadInput("--kind, --actor, --role, --note and --despite go with --add FILE")
    store, files = _open(db)
    if add is not None:
        _add(store, files, case_id, (add, kind, actor, role, note, despite), json)
    elif check:
        _check(store, files, case_id, json)
    elif bundle is not None:
        _bundle(store, files, case_id, bundle, json)
    else:
        from evidence.show import evidence_rows

        rows = evidence_rows(store, case_id)
        terminal.show(rows if json else [_short(row) for row in rows], f"Evidence of {case_id}", json)


def replay_bundle(file: Path, json: Json = False) -> None:
    """Judge a bundle again from its zip alone; exit code 1 where it was altered or its verdict is another."""
    from evidence.limits import load_limits
    from evidence.rejudge import replay_bundle as again
    from evidence.show import rejudged_row

    found = again(file, load_limits())
    row = rejudged_row(found)
    if json:
        terminal.print_json(row)
    else:
        terminal.show(
            [{name: row[name] for name in ("case", "verdict", "same", "note", "sha256")}], str(file), False
        )
        for sentence in found.altered:
            terminal.say(sentence)
        if found.same is False:
            terminal.say(f"written {found.written}\nfound   {found.found}")
    if found.same is not True:
        raise typer.Exit(1)


def _add(store: "CaseStore", files: "Files", case_id: str, given: tuple[Any, ...], json: bool) -> None:
    from cases.workflow import load_workflow
    from evidence.adding import Given, add
    from evidence.limits import load_limits
    from evidence.show import evidence_row

    path, kind, actor, role, note, despite = given
    for option, value in (("--kind", kind), ("--actor", actor), ("--role", role)):
        if not value.strip():
            raise BadInput(f"{option}: is missing; evidence is given as a kind, by a named person in a role")
    said = Given(path=path, kind=kind, actor=actor, role=role, note=note, despite=despite)
    added = add(store, files, case_id, said, load_workflow(), load_limits())
    row = evidence_row(added.evidence) | {"new": added.new}
    if json:
        terminal.print_json(row)
        return
    known = "Added" if added.new else "Known already"
    terminal.show([_short(row)], f"{known}: {added.evidence.reference}", False)
    terminal.show(row["checks"], "Checks", False)


def _check(store: "CaseStore", files: "Files", case_id: str, json: bool) -> None:
    from evidence.verify import faults

    case_id = store.case(case_id).id
    rows = [
        {"kind": f.kind, "evidence": f.serial, "file": f.file, "text": f.text}
        for f in faults(store, files, case_id)
    ]
    terminal.show(rows, f"Faults of the evidence of {case_id}", json)
    if rows:
        raise typer.Exit(1)


def _bundle(store: "CaseStore", files: "Files", case_id: str, out: Path, json: bool) -> None:
    from dataclasses import asdict

    from evidence.bundle import write_bundle
    from evidence.limits import load_limits

    made = asdict(write_bundle(store, files, case_id, out, load_limits()))
    if json:
        terminal.print_json(made | {"file": str(out)})
        return
    terminal.show([made], f"Written to {out}", False)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    names = ("serial", "kind", "name", "size", "given_by", "at", "taken", "usable", "reference")
    return {name: row[name] for name in names}


def _open(db: str | None) -> tuple["CaseStore", "Files"]:
    """The cases of this installation's region (TIANKAN_REGION), and where their evidence lies (TIANKAN_EVIDENCE)."""
    from cases.store import open_store
    from evidence.files import open_files
    from evidence.places import place_of

    settings = load_settings()
    store = open_store(db or settings.db, create=False, region=settings.region)
    return store, open_files(place_of(settings.evidence, store.engine.url))
