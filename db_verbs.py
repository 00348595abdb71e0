"""The verbs of who looks after a database: its version, its upgrade."""

from typing import Annotated

import typer

import terminal
from settings import load_settings

db_app = typer.Typer(no_args_is_help=True, help="Database: version, upgrade.")

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@db_app.command("version")
def db_version(db: Db = None, json: Json = False) -> None:
    """The revision of the database's tables, and the one this program needs."""
    from database.engine import revision

    at, needed = revision(db or load_settings().db)
    terminal.show([{"revision": at or "none", "needed": needed}], "Database", json)


@db_app.command("upgrade")
def db_upgrade(db: Db = None, json: Json = False) -> None:
    """Bring older tables to what this program needs, all or nothing; make a backup first."""
    from database.engine import revision, upgraded

    url = db or load_settings().db
    before = upgraded(url)
    after, needed = revision(url)
    terminal.show([{"was": before or "none", "revision": after, "needed": needed}], "Database", json)
