"""Ticks of the clocks and the notices they gave; none of them is ever altered."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ADDED_ONLY = {"tick": ("serial",), "notice": ("serial", "id")}
WITHIN = "EXISTS (SELECT FROM enforcement_case WHERE enforcement_case.id = case_id)"
"""A notice is seen by who sees its case; ticks are of no region."""


def upgrade() -> None:
    """Tables, then triggers and the policy in the words of each database."""
    serial = ("serial", SERIAL)
    op.create_table(
        "tick", sa.Column(*serial, primary_key=True, autoincrement=True), sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("event", SERIAL, nullable=False), sa.Column("notices", sa.Integer, nullable=False),
        sa.Column("rules", sa.String(64), nullable=False), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "notice", sa.Column(*serial, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("case_id", sa.String(24), sa.ForeignKey("enforcement_case.id"), nullable=False),
        sa.Column("clock", sa.String, nullable=False), sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("step", sa.String, nullable=False), sa.Column("level", sa.String, nullable=False),
        sa.Column("due", sa.Date), sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("recorded", sa.DateTime, nullable=False), sa.UniqueConstraint("id"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_notice_case_id", "notice", ["case_id"])
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


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
    op.execute("ALTER TABLE notice ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY notice_in_region ON notice USING ({WITHIN})")
