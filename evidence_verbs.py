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
Chips = Annotated[
    bool,
    typer.Option(
        "--chips", help="Cut both chips from the scenes and give them; exit code 3 where one lacks."
    ),
]
Overlay = Annotated[
    bool,
    typer.Option("--overlay", help="Cross the change with the layers it was judged by, and give that."),
]
Bundle = Annotated[
    Path | None,
    typer.Option("--bundle", help="Write all of the case into this zip, and its sum into the history."),
]


def evidence(
    case_id: str,
    add: Annotated[Path | None, typer.Option("--add", help="A photo or another file to give.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="As workflow.toml names it: photo, document, …")] = "",
    actor: Annotated[
        str, typer.Option("--actor", help="Name of the person who gives it, or makes the bundle.")
    ] = "",
    role: Annotated[str, typer.Option("--role", help="county, city, province or legal.")] = "",
    note: Annotated[str, typer.Option("--note", help="What is to be said of it.")] = "",
    despite: Annotated[
        str, typer.Option("--despite", help="Why it counts although a check speaks against it.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Read every file back; exit code 1 where one is wrong.")
    ] = False,
    chips: Chips = False,
    overlay: Overlay = False,
    bundle: Bundle = None,
    db: Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")] = None,
    json: Json = False,
) -> None:
    """The evidence of a case: list it, or give a file or its chips, check the files, write a bundle."""
    if sum((add is not None, check, chips, overlay, bundle is not None)) > 1:
        raise BadInput(
            "--add, --chips, --overlay, --check and --bundle are five things; ask for one at a time"
        )
    acted = chips or overlay or bundle is not None
    if add is None and any((kind, note, despite, not acted and (actor or role))):
        raise BadInput(
            "--kind, --note and --despite go with --add FILE, --actor and --role also with --chips, --overlay and "
            "--bundle"
        )
    store, files = _open(db)
    if chips:
        _chips(store, files, case_id, (actor, role), json)
    elif overlay:
        _overlay(store, files, case_id, (actor, role), json)
    elif add is not None:
        _add(store, files, case_id, (add, kind, actor, role, note, despite), json)
    elif check:
        _check(store, files, case_id, json)
    elif bundle is not None:
        _bundle(store, files, case_id, bundle, (actor, role), json)
    else:
        from evidence.show import evidence_rows

        rows = evidence_rows(store, case_id)
        terminal.show(rows if json else [_short(row) for row in rows], f"Evidence of {case_id}", json)


def replay_bundle(
    file: Path,
    db: Annotated[
        str | None,
        typer.Option("--db", help="Also ask this database whether it is a bundle that was made there."),
    ] = None,
    json: Json = False,
) -> None:
    """Judge a bundle again from its zip alone; exit code 1 where it was altered or its verdict is another."""
    from evidence.limits import load_limits
    from evidence.rejudge import replay_bundle as again
    from evidence.show import making_rows, rejudged_row

    found = again(file, load_limits())
    makings = None if db is None else making_rows(_open(db)[0], found, file)
    row = rejudged_row(found) | ({} if makings is None else {"made": makings})
    if json:
        terminal.print_json(row)
    else:
        shown = ("case", "verdict", "same", "note") + (() if found.altered else ("sha256",))
        terminal.show([{name: row[name] for name in shown}], str(file), False)
        for sentence in found.altered:
            terminal.say(sentence)
        if found.same is False:
            terminal.say(f"written {found.written}\nfound   {found.found}")
        if found.head:
            terminal.say(f"Head of the hash chain in it: {found.head}")
        if makings is not None:
            terminal.show(makings, "As its case's history tells", False)
            if not makings:
                terminal.say(f"No event of case {found.case_id} tells of a bundle of this sum.")
    if found.same is not True or makings == []:
        raise typer.Exit(1)


def _add(store: "CaseStore", files: "Files", case_id: str, given: tuple[Any, ...], json: bool) -> None:
    from cases.workflow import load_workflow
    from evidence.adding import Given, add
    from evidence.limits import load_limits
    from evidence.show import evidence_row

    path, kind, actor, role, note, despite = given
    named = (("--kind", kind), ("--actor", actor), ("--role", role))
    _require(*named, why="evidence is given as a kind, by a named person in a role")
    said = Given(path=path, kind=kind, actor=actor, role=role, note=note, despite=despite)
    added = add(store, files, case_id, said, load_workflow(), load_limits())
    row = evidence_row(added.evidence) | {"new": added.new}
    if json:
        terminal.print_json(row)
        return
    known = "Added" if added.new else "Known already"
    terminal.show([_short(row)], f"{known}: {added.evidence.reference}", False)
    terminal.show(
        [{name: one[name] for name in ("check", "said", "why")} for one in row["checks"]], "Checks", False
    )
    if row["why_not"]:
        terminal.say(f"It does not count yet: {row['why_not']}")


def _chips(store: "CaseStore", files: "Files", case_id: str, by: tuple[str, str], json: bool) -> None:
    from cases.workflow import load_workflow
    from evidence.limits import load_limits
    from evidence.show import evidence_row
    from reports.chip_files import give_chips

    _require(("--actor", by[0]), ("--role", by[1]), why="chips are given by a named person in a role")
    cut = give_chips(store, files, case_id, by, load_workflow(), load_limits())
    rows = [evidence_row(one.evidence) | {"new": one.new} for one in cut.given]
    if json:
        terminal.print_json({"given": rows, "lacking": cut.lacking})
    else:
        terminal.show([_short(row) | {"new": row["new"]} for row in rows], f"Chips of {case_id}", False)
        for sentence in cut.lacking:
            terminal.say(sentence)
    if cut.lacking:
        raise typer.Exit(3)


def _overlay(store: "CaseStore", files: "Files", case_id: str, by: tuple[str, str], json: bool) -> None:
    from cases.workflow import load_workflow
    from evidence.limits import load_limits
    from evidence.overlay import give_overlay
    from evidence.show import evidence_row

    _require(("--actor", by[0]), ("--role", by[1]), why="an overlay is given by a named person in a role")
    given = give_overlay(store, files, case_id, by, load_workflow(), load_limits())
    row = evidence_row(given.evidence) | {"new": given.new}
    terminal.show([row if json else _short(row) | {"new": row["new"]}], f"Overlay of {case_id}", json)


def _require(*named: tuple[str, str], why: str) -> None:
    for option, value in named:
        if not value.strip():
            raise BadInput(f"{option}: is missing; {why}")


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


def _bundle(
    store: "CaseStore", files: "Files", case_id: str, out: Path, by: tuple[str, str], json: bool
) -> None:
    from dataclasses import asdict

    from cases.workflow import load_workflow
    from evidence.bundle import write_bundle
    from evidence.limits import load_limits
    from evidence.sealed import Maker

    _require(("--actor", by[0]), ("--role", by[1]), why="a bundle is made by a named person in a role")
    made = asdict(write_bundle(store, files, case_id, out, Maker(*by), load_workflow(), load_limits()))
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
