"""The verbs of the hash chain: audit verify, sign, key."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import terminal
from ground.errors import TiankanError
from settings import load_settings

audit_app = typer.Typer(no_args_is_help=True, help="The hash chain: verify, sign, key.")

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@audit_app.command("verify")
def audit_verify(
    db: Db = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option("--heads", help="Heads kept elsewhere, as `audit sign --out` wrote them."),
    ] = None,
    key: Annotated[
        str, typer.Option("--key", help="The public key that must have signed, as `audit key` printed it.")
    ] = "",
    json: Json = False,
) -> None:
    """Whether anything was altered, removed or put in: exit code 0 on a whole chain, 1 naming the first broken link."""
    from database.audit import audit

    settings = load_settings()
    told = audit(db or settings.db, heads or [], key)
    try:
        files = list(_files(db or settings.db, settings.evidence)) if told.is_readable else []
    except TiankanError as error:
        if not told.faults:
            raise
        files = [f"the files of evidence were not looked at: {error}"]
    if json:
        terminal.print_json(asdict(told) | {"files": files})
    else:
        for fault in told.faults[: terminal.MOST_LINES]:
            terminal.say(f"{f'link {fault.place}' if fault.place else 'no link'}: {fault.text}")
        more = len(told.faults) - terminal.MOST_LINES
        if more > 0:
            terminal.say(f"{more} more: --json.")
        heads_said = f"{_many(told.heads, 'signed head')}, the last at {told.signed}"
        signed = heads_said if told.heads else "no signed head"
        for text in files:
            terminal.say(text)
        count = len(told.faults) + len(files)
        said = f"{_many(told.links, 'link')}, {_many(told.rows, 'row')}, {signed}"
        terminal.say(f"{said}: {_many(count, 'fault') if count else 'no faults'}")
    if told.faults or files:
        raise typer.Exit(1)


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _files(db: str, evidence: str) -> Iterator[str]:
    """What is wrong with the files of evidence; nothing is asked of a store of which neither row nor folder tells."""
    from cases.store import open_store
    from evidence.files import open_files
    from evidence.places import is_known, place_of
    from evidence.verify import any_rows, faults

    store = open_store(db, create=False)
    url = store.engine.url
    beside = is_known(evidence, url) and Path(place_of(evidence, url)).is_dir()
    if any_rows(store) or evidence or beside:
        yield from (fault.text for fault in faults(store, open_files(place_of(evidence, url))))


@audit_app.command("sign")
def audit_sign(
    key: Annotated[Path, typer.Option("--key", help="The private key, see `audit key`.")],
    db: Db = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A file to which the head is added; keep it on another machine."),
    ] = None,
    json: Json = False,
) -> None:
    """Sign the end of the chain, so that what is cut off later is missed."""
    from database.audit import sign_and_keep

    done = sign_and_keep(db or load_settings().db, key, out)
    kept = f"; added to {out}" if done.is_added else ""
    if json:
        terminal.print_json(asdict(done.head) if done.head and done.is_new else None)
    elif done.head and done.is_new:
        terminal.say(f"Link {done.head.place} signed: {done.head.digest} by key {done.head.key}{kept}")
    elif done.head and kept:
        terminal.say(
            f"Nothing was written since link {done.head.place} was signed at {done.head.at:%Y-%m-%d %H:%M} UTC; "
            f"that head was added to {out}."
        )
    else:
        terminal.say("Nothing was written since the last head; nothing to sign.")


@audit_app.command("key")
def audit_key(
    to: Annotated[Path, typer.Option("--to", help="File of the new private key.")],
    json: Json = False,
) -> None:
    """Make a key to sign heads with; keep it where the database's administrators cannot read it."""
    from database.heads import new_key

    public = new_key(to)
    if json:
        terminal.print_json({"private": str(to), "public": public})
    else:
        terminal.say(f"Private key in {to}; public key {public}")
