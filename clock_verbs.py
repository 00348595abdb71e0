"""The verbs of clocks: tick, list, show."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import terminal
from ground.errors import BadInput
from settings import Settings, load_settings

if TYPE_CHECKING:
    from cases.store import CaseStore
    from database.heads import Head

clocks_app = typer.Typer(no_args_is_help=True, help="Clocks of cases: tick, list, show.")

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Now = Annotated[
    str | None, typer.Option("--now", help="As of this moment, as 2026-03-01 or 2026-03-01T09:00:00+08:00.")
]


@clocks_app.command("tick")
def clocks_tick(now: Now = None, db: Db = None, json: Json = False) -> None:
    """Remind, warn and lift what is due; said once each, so tick as often as you like."""
    from cases.ticking import tick

    settings = load_settings()
    _check_key(settings)
    done = tick(_store(db), _moment(now))
    head = _signed(db, settings)
    row = {"at": done.at, "cases": done.cases, **done.notices}
    if json:
        signed = {"signed": asdict(head) if head else None} if settings.audit_key else {}
        terminal.print_json(asdict(done) | signed)
        return
    left = [f"No valid_from, stops no clock: disaster {', '.join(done.undated)}."] if done.undated else []
    left += [done.ahead] if done.ahead else []
    left += [f"Link {head.place} signed."] if head else []
    terminal.show([row], "Ticked", False, "\n".join(left))


@clocks_app.command("list")
def clocks_list(
    light: Annotated[str | None, typer.Option(help="Only yellow, red, green or suspended.")] = None,
    clock: Annotated[str | None, typer.Option(help="Only this clock, by its id in clocks.toml.")] = None,
    region: Annotated[str | None, typer.Option(help="Only regions whose code begins so.")] = None,
    level: Annotated[
        str | None, typer.Option(help="Only what was lifted to city or province 挂牌督办.")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Count them by region and clock.")] = False,
    now: Now = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Clocks that have started, those that are due first on top."""
    from cases import ticking
    from clocks.policy import LEVELS, ids_of, load_clocks
    from clocks.running import LIGHTS

    _one_of("--light", light, LIGHTS)
    _one_of("--level", level, LEVELS)
    _one_of("--clock", clock, ids_of(load_clocks()))
    found = [
        each
        for each in ticking.lights(_store(db), _moment(now), region=region)
        if light in (None, each.light) and clock in (None, each.clock) and level in (None, each.level)
    ]
    if summary:
        terminal.show(ticking.summary(found), "Clocks by region", json)
        return
    found.sort(key=lambda each: (each.due is None, each.due, each.case_id))
    terminal.show([_row(each) for each in found], "Clocks", json, f"{len(found)} clocks.")


@clocks_app.command("show")
def clocks_show(case_id: str, now: Now = None, db: Db = None, json: Json = False) -> None:
    """All clocks of one case, also those that have not started."""
    from cases.ticking import lights

    found = lights(_store(db), _moment(now), case_id=case_id)
    terminal.show([_row(each) for each in found], f"Clocks of {case_id}", json)


def _check_key(settings: Settings) -> None:
    """Nothing, if there is a key that can be read or none is asked for: before the tick, for afterwards it is done.

    Raises:
        BadInput: it cannot be read, or heads are to be kept without a key.
    """
    from database.heads import load_key

    if settings.audit_key:
        load_key(Path(settings.audit_key))
    elif settings.audit_heads:
        raise BadInput(
            "TIANKAN_AUDIT_HEADS is set without TIANKAN_AUDIT_KEY, so nothing would be signed; set both or none"
        )


def _signed(db: str | None, settings: Settings) -> "Head | None":
    """The end of the chain signed after the tick, where this installation has a key."""
    from database.audit import sign_and_keep

    if not settings.audit_key:
        return None
    out = Path(settings.audit_heads) if settings.audit_heads else None
    return sign_and_keep(db or settings.db, Path(settings.audit_key), out).head


def _row(each: Any) -> dict[str, Any]:
    names = ("case_id", "region", "status", "clock", "title", "light", "started", "due", "stopped", "level")
    row = {name: getattr(each, name) for name in names}
    return row | {"late": each.is_late, "provisional": each.is_provisional}


def _one_of(option: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise BadInput(f"{option}: {value!r} is unknown; use one of {', '.join(allowed)}")


def _moment(text: str | None) -> datetime | None:
    from cases.days import end_of_day_here

    return end_of_day_here(text, "--now") if text else None


def _store(db: str | None) -> "CaseStore":
    """The cases of this installation's region (TIANKAN_REGION)."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)
