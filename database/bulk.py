"""Many rows at once: PostgreSQL's COPY, SQLite's executemany, both inside the session's transaction."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, Table, any_, bindparam, func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from database.tables import Base

Rows = Sequence[dict[str, Any]]


def among(session: Session, column: Any, ids: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column of text is one of any number of ids, which travel as one value."""
    if _is_postgres(session):
        return column == any_(literal(list(ids), ARRAY(String)))  # type: ignore[no-any-return]
    listed = func.json_each(json.dumps(list(ids))).table_valued("value")
    return column.in_(select(listed.c.value))  # type: ignore[no-any-return]


def add(session: Session, row: type[Base], rows: Rows) -> None:
    """Adds rows, given as dicts that all have the same keys; serials follow their order.

    COPY goes into a table for the time of the transaction first: into one with row-level security it may not.
    """
    if not rows:
        return
    table, names = _table(row), list(rows[0])
    if not _is_postgres(session):
        session.connection().execute(table.insert(), rows)
        return
    _copy(session, table, names, rows)
    listed = _listed(names)
    session.execute(text(f'INSERT INTO "{table.name}" ({listed}) SELECT {listed} FROM incoming'))
    session.execute(text("DROP TABLE incoming"))


def alter(session: Session, row: type[Base], key: str, rows: Rows) -> None:
    """Sets the columns of rows that are there, found by `key`, given as dicts that all have the same keys."""
    if not rows:
        return
    table, names = _table(row), list(rows[0])
    changed = [name for name in names if name != key]
    if not _is_postgres(session):
        named = table.c[key] == bindparam("_key")
        values: dict[str, Any] = {name: bindparam(f"_{name}") for name in changed}
        given = [{"_key": each[key]} | {f"_{name}": each[name] for name in changed} for each in rows]
        session.connection().execute(table.update().where(named).values(values), given)
        return
    _copy(session, table, names, rows)
    sets = ", ".join(f'"{name}" = incoming."{name}"' for name in changed)
    session.execute(
        text(
            f'UPDATE "{table.name}" SET {sets} FROM incoming WHERE "{table.name}"."{key}" = incoming."{key}"'
        )
    )
    session.execute(text("DROP TABLE incoming"))


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _table(row: type[Base]) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _copy(session: Session, table: Table, names: list[str], rows: Rows) -> None:
    """The rows into `incoming`, a table of this transaction."""
    listed = _listed(names)
    session.execute(
        text(f'CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {listed} FROM "{table.name}" WITH NO DATA')
    )
    connection = session.connection()
    dialect = connection.dialect
    prepared = []
    for name in names:
        process: Callable[[Any], Any] | None = (
            table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        )
        column = [each[name] for each in rows]
        prepared.append(column if process is None else [process(value) for value in column])
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY incoming ({listed}) FROM STDIN") as copy:
            for each in zip(*prepared, strict=True):
                copy.write_row(each)
    except dialect.loaded_dbapi.Error as error:
        # SQLAlchemy names only what passed through its own cursor.
        raise DBAPIError.instance("COPY", None, error, dialect.loaded_dbapi.Error, dialect=dialect) from error
