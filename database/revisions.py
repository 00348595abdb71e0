"""Revisions of the tables: which one a database is at, and the way up to the newest, in one transaction."""

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from database import scope
from ground.errors import BadInput, one_line

HEAD = "0013"
"""The revision that this code needs."""
FIRST = "0001"
FIRST_TABLES = {"scene", "pair", "change", "judgement", "enforcement_case", "event"}
"""What databases hold that were made before there were revisions."""
NEW = ""
"""The revision of a database in which nothing is."""
WRITE_LOCK = "BEGIN IMMEDIATE"
"""SQLite's own begin: who writes waits for the other from here on, tables included."""
UPGRADE_LOCK, RECORD_LOCK = 7_426_001, 7_426_002
"""PostgreSQL's advisory locks of this program: who changes tables; who adds changes and cases."""
_OF_POSTGIS = {"spatial_ref_sys"}

log = logging.getLogger(__name__)


def revision_of(connection: Connection, shown: str) -> str:
    """The revision a database is at; NEW where it is empty.

    Raises:
        BadInput: its tables are another program's, or a newer Tiankan's.
    """
    present = set(inspect(connection).get_table_names()) - _OF_POSTGIS
    if not present:
        return NEW
    if "alembic_version" not in present:
        if present >= FIRST_TABLES:
            return FIRST
        raise BadInput(f"--db: {shown} holds tables of another program; give a new file")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not present >= FIRST_TABLES or found is None:
        raise BadInput(f"--db: {shown} holds tables of another program; give a new file")
    if found > HEAD:
        raise BadInput(
            f"--db: {shown} was written by a newer Tiankan (revision {found}, this one knows {HEAD}); "
            "install that one"
        )
    return str(found)


def upgrade(engine: Engine, shown: str) -> tuple[str, str]:
    """Brings a database to HEAD, all or nothing: stopped half-way, it is as it was. The revisions before and after."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(WRITE_LOCK)
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            _need_postgis(connection, shown)
        # Once more, now that nobody else can be at it.
        found = revision_of(connection, shown)
        if found != HEAD:
            _run(connection, found)
            if found != NEW:
                _seal(connection, found)
            log.info("%s: revision %s is now %s", shown, found or "none", HEAD)
        if engine.dialect.name == "postgresql":
            scope.prepare(connection)
    return found, HEAD


def _run(connection: Connection, found: str) -> None:
    # Only where something is to be done: a served or read database never waits for alembic's import.
    from alembic import command

    config = alembic_config(connection)
    if found == FIRST and "alembic_version" not in inspect(connection).get_table_names():
        command.stamp(config, FIRST)
    command.upgrade(config, HEAD)


def _seal(connection: Connection, found: str) -> None:
    """What was written before its table came into the hash chain is sealed as it stands."""
    from database.seals import seal_all

    with Session(bind=connection) as session:
        seal_all(session, found)
        session.flush()


def alembic_config(connection: Connection | None = None) -> Any:
    """Alembic's configuration without its file."""
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _need_postgis(connection: Connection, shown: str) -> None:
    if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'postgis'")).scalar():
        return
    try:
        connection.execute(text("CREATE EXTENSION postgis"))
    except DBAPIError as error:
        why = one_line(error.orig or error, 120)
        raise BadInput(
            f"--db: {shown} has no PostGIS and it could not be added ({why}); let the server's administrator install "
            "PostGIS and say CREATE EXTENSION postgis in this database"
        ) from error
