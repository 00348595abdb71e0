"""The verbs that number cases, cut one into parts, and join several to one; they belong to `cases`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import terminal
from ground.errors import BadInput
from settings import load_settings

if TYPE_CHECKING:
    from cases.records import Case
    from cases.store import CaseStore
    from evidence.files import Files

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Actor = Annotated[str, typer.Option("--actor", help="Name of the person who does it.")]
Role = Annotated[str, typer.Option("--role", help="See workflow.toml.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence.")]


def number(
    batch: Annotated[str, typer.Option("--batch", help="Tag of the batch: one to eight of A-Z and 0-9.")],
    year: Annotated[
        int | None, typer.Option("--year", help="Year in the numbers; of the later scene unless told.")
    ] = None,
    region: Annotated[str, typer.Option(help="Only regions whose code begins so.")] = "",
    db: Db = None,
    json: Json = False,
) -> None:
    """Give official numbers to the cases that have none; exit code 3 where one got none."""
    from cases.issuing import issue

    done = issue(_store(db), batch, year, region)
    left = {"without_county": done.without_county, "without_year": done.without_year}
    if json:
        terminal.print_json({"given": done.given, "ranges": [list(one) for one in done.ranges], **left})
    else:
        terminal.show([{"first": a, "last": b} for a, b in done.ranges], f"{done.given} numbers given", False)
        for lacking, why in (
            (done.without_county, "the region is no county's (six digits); give it with `judge --region`"),
            (done.without_year, "the later scene has no date; pass --year"),
        ):
            if lacking:
                terminal.say(f"{len(lacking)} cases got no number, for {why}. The first: {lacking[0]}")
    if any(left.values()):
        raise typer.Exit(3)


def split(
    case_id: str,
    by: Annotated[
        Path, typer.Option("--by", help="GeoJSON or GeoPackage: a polygon a part, in their order.")
    ],
    actor: Actor,
    role: Role,
    reason: Reason,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of the case as you read it: refused if it moved since.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(help="Rulebooks beside which the land_classes.toml lies that judged it.")
    ] = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Cut a case into parts, each a case of its own that begins where the whole stood."""
    from cases import splitting
    from cases.measuring import groups_of
    from cases.outlines import read_parts
    from cases.workflow import load_workflow
    from evidence.again import Again
    from evidence.limits import load_limits
    from law import rulebooks_of

    store = _store(db)
    groups = groups_of(rulebooks_of(rules), []) if rules else None
    if rules and not groups:
        raise BadInput(
            f"--rules: no land_classes.toml lies in or beside {rules}; give the rulebooks that judged the case, or "
            "leave it out"
        )
    done = splitting.split(
        store, case_id, read_parts(by), load_workflow(), actor=actor, role=role, reason=reason, version=version,
        groups=groups, look=Again(_files(store), load_limits()),
    )  # fmt: skip
    _told(done.whole, done.parts, json, f"Cut from {done.whole.id}")


def merge(
    case_ids: Annotated[list[str], typer.Argument(metavar="CASE CASE...")],
    actor: Actor,
    role: Role,
    reason: Reason,
    db: Db = None,
    json: Json = False,
) -> None:
    """Join cases that touch to one that begins where the least advanced of them stands."""
    from cases import merging
    from cases.workflow import load_workflow

    done = merging.merge(_store(db), case_ids, load_workflow(), actor=actor, role=role, reason=reason)
    _told(done.whole, done.parts, json, f"Joined to {done.whole.id}")


def changes(
    case_ids: Annotated[list[str], typer.Argument(metavar="CASE...")],
    to: Annotated[Path, typer.Option("--to", help="GeoPackage to write; `judge` takes it.")],
    db: Db = None,
    json: Json = False,
) -> None:
    """Write the changes of cases to a file that `judge` judges again: parts, wholes, or any other."""
    from cases.anew import changes_of
    from detection.changes import write
    from ground.files import written_beside

    if to.suffix.lower() != ".gpkg":
        raise BadInput(f"--to: {to.name!r} is no GeoPackage; end it with .gpkg")
    frame = changes_of(_store(db), case_ids)
    with written_beside(to) as beside:
        write(frame, beside, {})
    if json:
        terminal.print_json({"file": str(to), "changes": frame["change_id"].tolist()})
    else:
        terminal.say(f"{len(frame)} changes written to {to}")


def _told(whole: "Case", parts: "list[Case]", json: bool, title: str) -> None:
    from cases.show import case_row

    if json:
        terminal.print_json({"whole": case_row(whole), "parts": [case_row(part) for part in parts]})
        return
    terminal.show([case_row(case) for case in (whole, *parts)], title, False)


def _store(db: str | None) -> "CaseStore":
    """The cases of this installation's region (TIANKAN_REGION)."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)


def _files(store: "CaseStore") -> "Files | None":
    """Where evidence lies (TIANKAN_EVIDENCE); None where nobody said so: whether photos show the parts is unknown."""
    from evidence.files import open_files
    from evidence.places import is_known, place_of

    setting = load_settings().evidence
    return open_files(place_of(setting, store.engine.url)) if is_known(setting, store.engine.url) else None
