"""What the chain rests on: a file that is whole, every table and every trigger in its place, nothing emptied."""

import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, func, inspect, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from database.engine import engine_of
from database.faults import faults, shown
from database.geometry import RTREES
from database.revisions import HEAD, upgrade
from database.seal_tables import HeadRow, SealRow
from database.seals import SEALED
from database.tables import Base
from ground.errors import one_line

CASES, VERSION, SEAL = "enforcement_case", "alembic_version", "seal"
MAGIC, MARK, CHUNK = b"SQLite format 3\0", b"enforcement_case", 1 << 20
MOST = 5
"""Faults of a file that are told."""
NEVER_CHANGED = (
    "case_number", "event", "evidence", "feature", "head", "judgement", "judging", "lineage", "look", "notice",
    "rulebook", "seal", "sighting", "tick", "vintage",
)  # fmt: skip
POSTGRES_TRIGGERS = {(table, f"{table}_is_never_changed") for table in NEVER_CHANGED} | {
    ("vintage", "vintage_is_never_updated"),
    ("event", "event_tells_a_step"),
    (CASES, "case_begins_alive"),
    (CASES, "case_begins_before_a_person"),
    (CASES, "case_ends"),
    (CASES, "case_goes_step_by_step"),
    (CASES, "case_has_two_people"),
    (CASES, "case_is_audited_anew"),
    (CASES, "case_is_never_deleted"),
    (CASES, "case_keeps_its_name"),
    (CASES, "case_lock"),
    (CASES, "case_stays_on_its_change"),
}
"""(table, trigger) as the migrations make them on PostgreSQL; SQLite's are read from a database made anew in memory."""
TRIGGERS_THERE = text(
    "SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n "
    "ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND n.nspname = current_schema()"
)
"""Those that are at work."""


def damage(engine: Engine) -> list[str]:
    """What keeps a database of ours from being read at all; nothing where it is whole, or was never ours.

    Raises:
        Unreachable, BadInput: no server answers.
    """
    name, path = shown(engine.url), engine.url.database or ""
    if engine.dialect.name == "sqlite" and not Path(path).is_file():
        return []
    try:
        with engine.connect() as connection:
            names = set(inspect(connection).get_table_names())
            if not _is_ours(names):
                return []
            found = _spoiled(engine) if engine.dialect.name == "sqlite" else []
            gone = _gone(names, _revision(engine) if VERSION in names else None)
            return [f"{name}: {why}" for why in [*found, *gone]]
    except (DatabaseError, UnicodeDecodeError) as error:
        if engine.dialect.name == "sqlite" and is_damage(error):
            return [f"{name}: the file is damaged ({_why(error)})"] if _was_ours(Path(path)) else []
        with faults(engine):
            raise


def is_damage(error: Exception) -> bool:
    """Whether this comes of what was done to a database, not of a server, a lock or a right that is lacking."""
    if not isinstance(error, DatabaseError):
        return True
    if isinstance(error.orig, sqlite3.DatabaseError):
        name = getattr(error.orig, "sqlite_errorname", "")
        return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or any(
            word in str(error.orig) for word in ("no such", "Could not decode")
        )
    code = getattr(error.orig, "sqlstate", None) or ""
    return code != "42501" and code[:2] in ("42", "XX")


def guard_faults(session: Session) -> Iterator[str]:
    """Triggers that do not guard any more; a database that was used, in which there is nothing."""
    if session.get_bind().dialect.name == "sqlite":
        yield from _triggers_of_sqlite(session)
    else:
        there = {(table, name) for table, name in session.execute(TRIGGERS_THERE)}
        for table, name in sorted(POSTGRES_TRIGGERS - there):
            yield f"{table}: its trigger {name} is gone or does not work: rows could be changed unseen"
    yield from _emptied(session)


def _is_ours(names: set[str]) -> bool:
    return CASES in names or len(names & Base.metadata.tables.keys()) > 2


def _revision(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SELECT max(version_num) FROM {VERSION}")).scalar() or "")


def _gone(names: set[str], revision: str | None) -> Iterator[str]:
    """Tables that must be there; of an older revision's nothing is asked, it is to be upgraded first."""
    if revision is None and SEAL in names:
        yield f"the table {VERSION} is gone"
    if revision == "":
        yield f"the table {VERSION} is empty"
    if revision == HEAD:
        for table in sorted(Base.metadata.tables.keys() - names):
            yield f"the table {table} is gone"


def _spoiled(engine: Engine) -> Iterator[str]:
    with engine.connect() as connection:
        # All of what the tables are made of is read once, so that what cannot be is told here.
        connection.exec_driver_sql("SELECT * FROM sqlite_master").all()
        for (said,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST})"):
            if said != "ok":
                yield f"the file is damaged ({one_line(said, 120)})"


def _was_ours(path: Path) -> bool:
    """Whether what cannot be read began as a database, of whomever, or holds the name of a table of ours."""
    with path.open("rb") as file:
        last = head = file.read(CHUNK)
        if head.startswith(MAGIC):
            return True
        while last:
            if MARK in last and b"\0" in head:
                return True
            more = file.read(CHUNK)
            last = last[-len(MARK) :] + more if more else b""
    return False


def _why(error: Exception) -> str:
    return one_line(getattr(error, "orig", None) or error, 120)


@cache
def _made() -> dict[str, tuple[str, str]]:
    """By name, table and text of every trigger that the migrations make on SQLite."""
    engine = engine_of("sqlite://")
    upgrade(engine, "memory")
    with Session(engine) as session:
        found = _triggers(session)
    engine.dispose()
    return found


def _triggers(session: Session) -> dict[str, tuple[str, str]]:
    query = text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
    return {name: (table, " ".join(said.split())) for name, table, said in session.execute(query)}


def _triggers_of_sqlite(session: Session) -> Iterator[str]:
    there = _triggers(session)
    for name, (table, said) in sorted(_made().items()):
        if name not in there:
            yield f"{table}: its trigger {name} is gone: rows could be changed unseen"
        elif there[name] != (table, said):
            yield f"{table}: its trigger {name} was rewritten: rows could be changed unseen"
    present = set(session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")))
    for name, tree in RTREES.items():
        if tree not in present:
            yield f"{name}: its spatial index {tree} is gone: nothing is found by place"


def _emptied(session: Session) -> Iterator[str]:
    """All of it deleted, of which the counters of serials still tell; PostgreSQL's tell also of a write that failed."""
    tables = [each.row.__table__ for each in SEALED.values()]
    for table in (SealRow.__table__, HeadRow.__table__, *tables):
        if session.scalar(select(func.count()).select_from(select(table).limit(1).subquery())):
            return
    if session.get_bind().dialect.name == "sqlite":
        counters = text("SELECT name, seq FROM sqlite_sequence WHERE seq > 0")
    else:
        counters = text(
            "SELECT replace(sequencename, '_serial_seq', ''), last_value FROM pg_sequences "
            "WHERE schemaname = current_schema() AND last_value IS NOT NULL"
        )
    for name, last in session.execute(counters):
        if name in SEALED:
            yield (
                f"{name}: its counter stands at {last}, and there is no row, nor any link of the chain: all was "
                "deleted, or nothing was ever written to the end"
            )
