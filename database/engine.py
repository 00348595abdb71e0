"""The database behind a URL, SQLite or PostGIS: opened, its tables at the newest revision, in transactions."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

from database import scope
from database.faults import faults, shown
from database.geometry import teach_sqlite
from database.revisions import HEAD, NEW, RECORD_LOCK, WRITE_LOCK, revision_of, upgrade
from ground.errors import BadInput, one_line
from ground.files import cannot_write

POSTGRES = "postgresql+psycopg"
CONNECT_S = 10
"""Seconds to wait for a server that does not answer."""
CACHE = "cache_size=-65536"
"""KiB of a SQLite file that a connection keeps at hand: a county's indexes, of which 2 MiB are too few."""


def open_database(url: str, create: bool) -> Engine:
    """An engine whose tables are at the newest revision; a plain path means SQLite.

    With `create`, folder and tables are made, older tables upgraded.

    Raises:
        BadInput: the URL means nothing; the file is no database; it is another program's, an older Tiankan's
            (without `create`) or a newer one's.
        Unreachable: no server answers.
    """
    engine = engine_of(url)
    if engine.dialect.name == "sqlite":
        _prepare_file(engine, create)
    name = shown(engine.url)
    with faults(engine):
        with engine.connect() as connection:
            found = revision_of(connection, name)
        if found == NEW and not create:
            raise BadInput(f"--db: {name} holds no cases yet; fill it with `tiankan run`")
        if found != HEAD and not create:
            raise BadInput(
                f"--db: {name} was written by an older Tiankan (revision {found}, this one needs {HEAD}); "
                f"make a backup, then run `./tiankan db upgrade --db {name}`"
            )
        if engine.dialect.name == "sqlite":
            # Only now that it is ours: the journal mode is written into the file.
            event.listen(engine, "connect", _tune_sqlite)
            engine.dispose()
        if found != HEAD:
            upgrade(engine, name)
    return engine


def revision(url: str) -> tuple[str, str]:
    """The revision a database is at (empty where it holds nothing), and the one this code needs.

    Raises:
        BadInput: there is no database, or not one of ours.
    """
    engine = engine_of(url)
    if engine.dialect.name == "sqlite":
        _prepare_file(engine, create=False)
    with faults(engine), engine.connect() as connection:
        return revision_of(connection, shown(engine.url)), HEAD


def upgraded(url: str) -> str:
    """Brings a database that is there to the newest revision; the one it was at."""
    revision(url)
    engine = engine_of(url)
    with faults(engine):
        before, _ = upgrade(engine, shown(engine.url))
    return before


def engine_of(url: str) -> Engine:
    """An engine that has not connected yet.

    Raises:
        BadInput: the URL means nothing, or a database that is neither SQLite nor PostgreSQL.
    """
    name = repr(url)
    try:
        if not url.strip() or "\0" in url:
            raise ValueError("it is empty" if not url.strip() else "it holds a null character")
        parsed = make_url(url) if "://" in url else URL.create("sqlite", database=url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername=POSTGRES)
        name = repr(shown(parsed))  # without the password
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed)
            if address := _only_to_read(parsed.database):
                event.listen(engine, "do_connect", partial(_open_to_read, address))
            event.listen(engine, "connect", teach_sqlite)
            return engine
        if parsed.drivername == POSTGRES:
            wait = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_S}
            return create_engine(parsed, pool_pre_ping=True, connect_args=wait)
        raise ValueError(f"{parsed.drivername} is neither sqlite nor postgresql")
    except ModuleNotFoundError as error:
        raise BadInput(
            f"--db: {name} needs {error.name}, which is not installed; pip install 'tiankan[postgis]'"
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise BadInput(
            f"--db: {name} is not a database URL ({one_line(error, 120)}); write sqlite:///cases.db"
        ) from error


def _only_to_read(name: str | None) -> str:
    """The address of a SQLite file in a folder that may not be written, "" of any other.

    SQLite lays files beside one before it reads it, unless it is told that nothing changes it. What somebody wrote and
    is not in the file itself yet is in such a file, `-wal`: then it is not told so, and reads both.
    """
    path = Path(name) if name and name != ":memory:" and not name.startswith("file:") else None
    if path is None or not path.is_file() or os.access(path.absolute().parent, os.W_OK):
        return ""
    beside = path.with_name(f"{path.name}-wal")
    is_whole = not beside.is_file() or beside.stat().st_size == 0
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_whole else ''}"


def _open_to_read(address: str, _dialect: Any, _record: Any, _given: Any, more: dict[str, Any]) -> Any:
    return sqlite3.connect(address, **(more | {"uri": True}))


def _prepare_file(engine: Engine, create: bool) -> None:
    name = engine.url.database
    if not name or name == ":memory:":
        return
    path = Path(name)
    if not create and not path.is_file():
        raise BadInput(f"--db: there is no database {path}; make it with `tiankan run` or `tiankan judge`")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def _tune_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", CACHE):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def transaction(engine: Engine, *, writes: bool, region: str = "") -> Iterator[Session]:
    """All or nothing; PostgreSQL shows no change or case outside of `region`, whatever is asked.

    On SQLite what `writes` waits its turn before it reads, so that two cannot clash half-way.

    What only reads sees one moment of the database, on PostgreSQL as on SQLite.
    """
    postgres = engine.dialect.name == "postgresql"
    if postgres and not writes:
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with faults(engine), Session(engine) as session, session.begin():
        if writes and not postgres:
            session.execute(text(WRITE_LOCK))
        if region and postgres:
            scope.enter(session, region, shown(engine.url))
        yield session


def alone(session: Session) -> None:
    """Waits until nobody else adds changes and cases: serials then come into sight in their order, on which pages rest.

    SQLite has one writer anyway; on PostgreSQL those who move cases need not wait.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RECORD_LOCK})
