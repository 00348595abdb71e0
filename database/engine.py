"""The database behind any SQLAlchemy URL: opened, its tables made, its faults said in one sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from database.tables import Base
from ground.errors import BadInput, CannotWrite, one_line
from ground.files import cannot_write

WRITE_LOCK = "BEGIN IMMEDIATE"
"""SQLite's own begin: who writes waits for the other from here on, tables included."""


def open_database(url: str, create: bool) -> Engine:
    """An engine whose tables are there; a plain path means SQLite. With `create`, folder and tables are made.

    Raises:
        BadInput: the URL means nothing, the file is no database, or it belongs to another program.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        _prepare_file(engine, create)
    with faults(engine):
        present = set(inspect(engine).get_table_names())
        if not present and not create:
            raise BadInput(f"--db: {engine.url} holds no cases yet; fill it with `tiankan run`")
        if present and not present >= set(Base.metadata.tables):
            raise BadInput(f"--db: {engine.url} holds tables of another program; give a new file")
        if engine.dialect.name == "sqlite":
            # Only now that it is ours: the journal mode is written into the file.
            event.listen(engine, "connect", _tune_sqlite)
            engine.dispose()
        if not present:
            _make_tables(engine)
    return engine


def _make_tables(engine: Engine) -> None:
    """All tables or none: stopped half-way, they would look like another program's."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(WRITE_LOCK)
        Base.metadata.create_all(connection)


def _engine(url: str) -> Engine:
    shown = repr(url)
    try:
        if not url.strip() or "\0" in url:
            raise ValueError("it is empty" if not url.strip() else "it holds a null character")
        parsed = make_url(url) if "://" in url else URL.create("sqlite", database=url)
        shown = repr(str(parsed))  # without the password
        return create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise BadInput(
            f"--db: {shown} is not a database URL ({one_line(error, 120)}); write sqlite:///cases.db"
        ) from error


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
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def faults(engine: Engine) -> Iterator[None]:
    """What the database refuses leaves as one sentence."""
    try:
        yield
    except OperationalError as error:
        why = one_line(error.orig or error, 160)
        if "full" in why or "disk I/O" in why:
            raise CannotWrite(
                f"{engine.url}: nothing was saved ({why}); free some space, then run again"
            ) from error
        if "locked" in why:
            raise CannotWrite(
                f"{engine.url}: nothing was saved ({why}: somebody else is writing); run again in a minute"
            ) from error
        raise BadInput(
            f"{engine.url}: the database cannot be used ({why}); check its path, folder and rights"
        ) from error
    except IntegrityError as error:
        why = one_line(error.orig or error, 160)
        raise CannotWrite(
            f"{engine.url}: nothing was saved ({why}: somebody else wrote the same just now); run again"
        ) from error
    except DatabaseError as error:
        if "not a database" in str(error.orig):
            raise BadInput(f"{engine.url}: is not a database ({error.orig}); give a new file") from error
        raise


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Session]:
    """All or nothing; what `writes` waits its turn before it reads, so that two cannot clash half-way."""
    with faults(engine), Session(engine) as session, session.begin():
        if writes and engine.dialect.name == "sqlite":
            session.execute(text(WRITE_LOCK))
        yield session
