"""Spots, sightings and looks; each case that is there becomes a spot of its own. None of them is ever altered."""

import sqlalchemy as sa
from alembic import op

from database.geometry import LonLat

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ADDED_ONLY = {"spot": ("serial", "id"), "sighting": ("serial", "id"), "look": ("serial",)}
WITHIN = {
    "spot": "EXISTS (SELECT FROM change WHERE change.id = change_id)",
    "sighting": "EXISTS (SELECT FROM spot WHERE spot.id = spot_id)",
    "look": "EXISTS (SELECT FROM spot WHERE spot.id = spot_id)",
}
"""What hangs on a change is seen by who sees the change (see v0003_region_scope)."""


def upgrade() -> None:
    """Tables, what is there already, then triggers and policies in the words of each database."""
    _tables()
    op.execute(
        "INSERT INTO spot (id, change_id, case_id, opened) "
        "SELECT 'spot-' || change_id, change_id, id, opened FROM enforcement_case ORDER BY serial"
    )
    op.execute(
        "INSERT INTO sighting (id, spot_id, change_id, source, at, recorded, version, outcome, who, photo, note, why) "
        "SELECT k.change_id, 'spot-' || k.change_id, k.change_id, 'imagery', c.after, k.opened, 1, 'opened', "
        "'tiankan', '', '', 'opened before spots were kept' FROM enforcement_case k "
        "JOIN change c ON c.id = k.change_id ORDER BY k.serial"
    )
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
        "spot", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(24), nullable=False), _key("change_id", 16, "change.id"),
        _key("case_id", 24, "enforcement_case.id"), _moment("opened"), sa.UniqueConstraint("id"),
        sa.UniqueConstraint("case_id"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "sighting", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False), _key("spot_id", 24, "spot.id"),
        _key("change_id", 16, "change.id", nullable=True), *_texts("source"), _moment("at", nullable=True),
        _moment("recorded"), sa.Column("version", sa.Integer, nullable=False), *_texts("outcome"),
        sa.Column("place", LonLat), sa.Column("accuracy_m", sa.Double), *_texts("who", "photo", "note", "why"),
        sa.UniqueConstraint("id"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "look", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True), _key("spot_id", 24, "spot.id"),
        sa.Column("pair_id", sa.String(16), nullable=False), _moment("at", nullable=True), _moment("recorded"),
        *_texts("outcome"), sa.Column("seen", sa.Double), *_texts("why"), sqlite_autoincrement=True,
    )  # fmt: skip
    for table, column in (
        ("sighting", "spot_id"), ("sighting", "change_id"), ("look", "spot_id"),
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
    for table, within in WITHIN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_in_region ON {table} USING ({within})")
