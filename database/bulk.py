"""Many rows at once: PostgreSQL's COPY, SQLite's executemany, both inside the session's transaction."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ARRAY, JSON, ColumnElement, Dialect, String, Table, any_, func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from database.geometry import LonLat
from database.tables import Base

Rows = Sequence[dict[str, Any]]
NUMPY = orjson.OPT_SERIALIZE_NUMPY
BLOCK = 4096
"""Rows prepared at a time."""


def among(session: Session, column: Any, ids: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column of text is one of any number of ids, which travel as one value."""
    if _is_postgres(session):
        return column == any_(literal(list(ids), ARRAY(String)))  # type: ignore[no-any-return]
    listed = func.json_each(json.dumps(list(ids))).table_valued("value")
    return column.in_(select(listed.c.value))  # type: ignore[no-any-return]


def add(session: Session, row: type[Base], rows: Rows) -> None:
    """Adds rows, given as dicts that all have the same keys; serials follow their order. No defaults are filled in.

    Where row-level security binds this user COPY may not write: it goes into a table of the transaction first.
    """
    if not rows:
        return
    table, names = _table(row), list(rows[0])
    listed = _listed(names)
    if _is_postgres(session):
        if not session.scalar(select(func.row_security_active(table.name))):
            _copy(session, table, names, rows, table.name)
            return
        _incoming(session, table, names, rows)
        session.execute(text(f'INSERT INTO "{table.name}" ({listed}) SELECT {listed} FROM incoming'))
        session.execute(text("DROP TABLE incoming"))
        return
    marks = ", ".join("?" * len(names))
    insert = f'INSERT INTO "{table.name}" ({listed}) VALUES ({marks})'
    session.connection().exec_driver_sql(insert, _prepared(session, table, names, rows))


def alter(session: Session, row: type[Base], key: str, rows: Rows) -> None:
    """Sets the columns of rows that are there, found by `key`, given as dicts that all have the same keys."""
    if not rows:
        return
    table, names = _table(row), [name for name in rows[0] if name != key]
    if _is_postgres(session):
        _incoming(session, table, [*names, key], rows)
        sets = ", ".join(f'"{name}" = incoming."{name}"' for name in names)
        same = f'"{table.name}"."{key}" = incoming."{key}"'
        session.execute(text(f'UPDATE "{table.name}" SET {sets} FROM incoming WHERE {same}'))
        session.execute(text("DROP TABLE incoming"))
        return
    sets = ", ".join(f'"{name}" = ?' for name in names)
    update = f'UPDATE "{table.name}" SET {sets} WHERE "{key}" = ?'
    session.connection().exec_driver_sql(update, _prepared(session, table, [*names, key], rows))


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _table(row: type[Base]) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _prepared(session: Session, table: Table, names: list[str], rows: Rows) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them, column by column: what recurs in a column is turned once."""
    dialect = session.connection().dialect
    return list(
        zip(
            *(_turned(table.c[name].type, dialect, [row[name] for row in rows]) for name in names),
            strict=True,
        )
    )


def _turned(kind: Any, dialect: Dialect, values: list[Any]) -> list[Any]:
    """A column as the driver takes it: JSON as text, for SQLAlchemy's encoder takes five times as long."""
    if isinstance(kind, LonLat):
        return kind.bind_all(dialect, values)
    if isinstance(kind, JSON):
        nothing = None if kind.none_as_null else "null"
        return _once(
            lambda value: nothing if value is None else orjson.dumps(value, None, NUMPY).decode(), values
        )
    process: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else _once(process, values)


def _once(turn: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Days and moments by what they say, empty things by their kind, all else by which object it is."""
    known: dict[Any, Any] = {}
    turned = []
    for value in values:
        name = value if isinstance(value, date) else id(value) if value else type(value)
        if name not in known:
            known[name] = turn(value)
        turned.append(known[name])
    return turned


def _incoming(session: Session, table: Table, names: list[str], rows: Rows) -> None:
    """The rows into `incoming`, a table of this transaction."""
    made = f'CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {_listed(names)} FROM "{table.name}" WITH NO DATA'
    session.execute(text(made))
    _copy(session, table, names, rows, "incoming")


def _copy(session: Session, table: Table, names: list[str], rows: Rows, into: str) -> None:
    connection = session.connection()
    driver, error_of = connection.connection.driver_connection, connection.dialect.loaded_dbapi.Error
    assert driver is not None
    try:
        with driver.cursor() as cursor, cursor.copy(f'COPY "{into}" ({_listed(names)}) FROM STDIN') as copy:
            # The server takes in one block while the next is prepared here.
            for start in range(0, len(rows), BLOCK):
                for each in _prepared(session, table, names, rows[start : start + BLOCK]):
                    copy.write_row(each)
    except error_of as error:
        # SQLAlchemy names only what passed through its own cursor.
        raise DBAPIError.instance("COPY", None, error, error_of, dialect=connection.dialect) from error
