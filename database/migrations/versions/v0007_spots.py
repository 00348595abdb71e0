"""Sightings of the spots of cases and looks of later change maps; none of them is ever altered."""

import sqlalchemy as sa
from alembic import op

from database.geometry import LonLat

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ADDED_ONLY = {"sighting": ("serial", "id"), "look": ("serial",)}
WITHIN = "EXISTS (SELECT FROM enforcement_case WHERE enforcement_case.id = case_id)"
"""What hangs on a change is seen by who sees the change (see v0003_region_scope)."""


def upgrade() -> None:
    """Tables, then triggers and policies in the words of each database."""
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _key(name: str, length: int, references: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), sa.ForeignKey(references), nullable=nullable)


def _moment(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime, nullable=nullable)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _tables() -> None:
    op.create_table(
        "sighting", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False), _key("case_id", 24, "enforcement_case.id"),
        _key("change_id", 16, "change.id", nullable=True), *_texts("source"), _moment("at", nullable=True),
        _moment("recorded"), sa.Column("version", sa.Integer, nullable=False), *_texts("outcome"),
        sa.Column("place", LonLat), sa.Column("accuracy_m", sa.Double), *_texts("who", "photo", "note", "why"),
        sa.UniqueConstraint("id"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "look", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        _key("case_id", 24, "enforcement_case.id"), sa.Column("pair_id", sa.String(16), nullable=False),
        _moment("at", nullable=True), _moment("recorded"), *_texts("outcome"), sa.Column("seen", sa.Double),
        *_texts("why"), sqlite_autoincrement=True,
    )  # fmt: skip
    for table, column in (
        ("sighting", "case_id"), ("sighting", "change_id"), ("look", "case_id"),
    ):  # fmt: skip
        op.create_index(f"ix_{table}_{column}", table, [column])


def _sqlite() -> None:
    for table, keys in ADDED_ONLY.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are added, never changed'); END"
        known = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})" for key in keys)
        op.execute(f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_replaced BEFORE INSERT ON {table} WHEN {known} {refuse}")


def _postgres() -> None:
    for table in ADDED_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_refuse()"
        )
    for table in ADDED_ONLY:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_in_region ON {table} USING ({WITHIN})")
