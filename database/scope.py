"""Region scope on PostgreSQL: a role that row-level security binds, taken on for one transaction."""

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from database import (  # noqa: F401  (their tables, too)
    cadastre_tables,
    clock_tables,
    evidence_tables,
    numbering_tables,
    seal_tables,
    spot_tables,
)
from database.tables import Base
from ground.errors import BadInput

ROLE = "tiankan_scoped"
"""Without login; sees the region of `tiankan.region` only; works on its cases, and may do nothing else."""
GRANTS = (
    "SELECT ON {tables}",
    "UPDATE ON enforcement_case",
    "INSERT ON event, evidence, seal",
    "INSERT ON change, judgement, enforcement_case, sighting",
    "USAGE ON SEQUENCE event_serial_seq, evidence_serial_seq",
    "INSERT ON judging, case_number, lineage",
    "USAGE ON SEQUENCE change_serial_seq, enforcement_case_serial_seq, sighting_serial_seq",
    "USAGE ON SEQUENCE case_number_serial_seq, lineage_serial_seq",
    "USAGE ON SCHEMA {schema}",
)


def prepare(connection: Connection) -> None:
    """The role, if this user may make it, and what it may do.

    The owner of the tables is not bound: else PostGIS's operators, which PostgreSQL does not trust with rows that
    may not be seen, would find nothing by index.
    """
    makes = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
    if not _exists(connection) and connection.execute(text(makes)).scalar():
        connection.execute(text(f"CREATE ROLE {ROLE} NOLOGIN"))
        connection.execute(text(f"GRANT {ROLE} TO CURRENT_USER"))
    if _exists(connection):
        schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
        tables = ", ".join(sorted(Base.metadata.tables))
        for grant in GRANTS:
            connection.execute(text(f"GRANT {grant.format(schema=schema, tables=tables)} TO {ROLE}"))


def enter(session: Session, region: str, shown: str) -> None:
    """From here to its end the transaction sees this region only, whatever it asks.

    Raises:
        BadInput: the role is not there, or not lent to this user.
    """
    member = text("SELECT pg_has_role(r.oid, 'MEMBER') FROM pg_roles r WHERE r.rolname = :role")
    if not session.execute(member, {"role": ROLE}).scalar():
        raise BadInput(
            f"--db: {shown} has no role {ROLE}, without which a region cannot be kept apart; let the server's "
            f"administrator say CREATE ROLE {ROLE}; GRANT {ROLE} TO this user; then run `./tiankan db upgrade`"
        )
    session.execute(text("SELECT set_config('tiankan.region', :region, true)"), {"region": region})
    session.execute(text(f"SET LOCAL ROLE {ROLE}"))


def _exists(connection: Connection) -> bool:
    return (
        connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": ROLE}).scalar() == 1
    )
