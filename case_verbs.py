"""The verbs of those who work on cases: list, show, move."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

import terminal
from ground.errors import BadInput
from settings import load_settings

if TYPE_CHECKING:
    from cases.proof import Intact
    from cases.store import CaseStore

cases_app = typer.Typer(
    no_args_is_help=True, help="Cases: list, show, move, number, split, merge, evidence, report, export."
)

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@cases_app.command("list")
def cases_list(
    db: Db = None,
    status: Annotated[str | None, typer.Option(help="Only this status.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.")] = None,
    region: Annotated[str | None, typer.Option(help="Only regions whose code begins so.")] = None,
    change_class: Annotated[str | None, typer.Option("--class", help="Only this change class.")] = None,
    number: Annotated[str | None, typer.Option(help="Only numbers that begin so.")] = None,
    after: Annotated[int, typer.Option(min=0, max=terminal.LAST, help="Go on after this serial.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """Cases in the order they were opened."""
    from cases.asked import refuse_unknown
    from cases.show import case_row
    from cases.store import CaseFilter

    wanted = CaseFilter(
        status=status, verdict=verdict, region=region, change_class=change_class, number=number
    )
    page = _store(db).cases(wanted, after=after, limit=limit)
    refuse_unknown(page.total, status, verdict)
    more = f" Next page: --after {page.next_after}" if page.next_after else ""
    terminal.show(
        [case_row(case) for case in page.items], "Cases", json, f"{len(page.items)} of {page.total}.{more}"
    )


@cases_app.command("show")
def cases_show(case_id: str, db: Db = None, json: Json = False) -> None:
    """One case: its change, rule, facts, missing proof, history, and the moves that are open to it."""
    from cases.lineage import kin_of
    from cases.show import case_sheet, next_moves
    from cases.transfer import advice
    from cases.workflow import load_workflow

    store = _store(db)
    case, history = store.case(case_id), store.events(case_id)
    road = load_workflow()
    advised, onward = advice(case.facts, case.land, road.transfer), next_moves(case, road)
    sheet = case_sheet(case) | kin_of(store, case_id) | {"transfer": advised}
    is_late = any(e.written_later for e in history)
    rows: list[dict[str, Any]] = [
        {
            "at": e.at.isoformat(timespec="seconds"),
            "recorded": e.recorded.isoformat(timespec="seconds") if e.recorded else None,
            "workflow": e.workflow,
            "kind": e.kind, "actor": e.actor, "role": e.role,
            "from": e.from_status, "to": e.to_status, "reason": e.reason, "evidence": e.evidence,
        }
        for e in history
    ]  # fmt: skip
    if json:
        terminal.print_json(sheet | {"events": rows, "next": onward})
        return
    terminal.show([{"what": key, "value": value} for key, value in sheet.items()], f"Case {case_id}", False)
    hidden = {"workflow"} if is_late else {"workflow", "recorded"}
    shown = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
    terminal.show(shown, "History", False)
    terminal.show(onward, "Next: `cases move --to`", False)


@cases_app.command("move")
def cases_move(
    case_id: str,
    to: Annotated[str, typer.Option("--to", help="The status to move to, see workflow.toml.")],
    actor: Annotated[str, typer.Option("--actor", help="Name of the person who moves it.")],
    role: Annotated[str, typer.Option("--role", help="county, city, province or legal.")],
    evidence: Annotated[
        list[str] | None, typer.Option("--evidence", help="kind=reference; may be repeated.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of the case as you read it: refused if it moved since.")
    ] = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Move a case on its road, as a named person, with what is in hand."""
    from cases.show import case_row
    from cases.workflow import load_workflow

    store, given = _store(db), _given(evidence or [])
    case = store.move(
        case_id,
        to,
        load_workflow(),
        actor=actor,
        role=role,
        evidence=given,
        version=version,
        intact=reads_back(store),
    )
    terminal.show([case_row(case)], f"Moved to {to}", json)


@cases_app.command("supervise")
def cases_supervise(
    case_id: str,
    level: Annotated[str, typer.Option("--level", help="city or province.")],
    actor: Annotated[str, typer.Option("--actor", help="Name of the person who orders it.")],
    role: Annotated[str, typer.Option("--role", help="city or province.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence.")],
    release: Annotated[bool, typer.Option("--release", help="Take it off again.")] = False,
    db: Db = None,
    json: Json = False,
) -> None:
    """Put a case under supervision 挂牌督办, or take it off; it stays where it is on its road."""
    from cases.supervising import supervise

    store = _store(db)
    supervise(store, case_id, level=level, actor=actor, role=role, reason=reason, release=release)
    terminal.show([{"case": case_id, "level": level, "supervised": not release}], "Supervision", json)


@cases_app.command("supervised")
def cases_supervised(db: Db = None, json: Json = False) -> None:
    """Cases that people put under supervision; what clocks lifted is shown by `clocks list --level`."""
    from dataclasses import asdict

    from cases.supervising import supervised

    terminal.show([asdict(each) for each in supervised(_store(db))], "Under supervision", json)


def _store(db: str | None) -> "CaseStore":
    """The cases of this installation's region (TIANKAN_REGION)."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)


def _given(pairs: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for kind, reference in map(_pair, pairs):
        if kind in given:
            raise BadInput(
                f"--evidence: {kind} is given twice; write several in one, as {kind}='{given[kind]}; {reference}'"
            )
        given[kind] = reference
    return given


def reads_back(store: "CaseStore") -> "Intact":
    """Reads files of evidence back (TIANKAN_EVIDENCE); nothing is opened before one is asked for."""
    from evidence.files import open_files
    from evidence.places import place_of
    from evidence.verify import intact_in

    return intact_in(lambda: open_files(place_of(load_settings().evidence, store.engine.url)))


def _pair(text: str) -> tuple[str, str]:
    kind, equals, reference = text.partition("=")
    if not equals:
        raise BadInput(f"--evidence: {text!r} is not kind=reference; write for example photo=IMG_0412.jpg")
    return kind.strip(), reference.strip()
