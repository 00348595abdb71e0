"""Scenes, pairs, changes, judgements, cases and events, as the first release made them without migrations."""

import sqlalchemy as sa
from alembic import op

from database.geometry import LonLat

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """All tables; a SQLite database of that time is stamped with this revision instead."""
    _imagery()
    _changes()
    _cases()
    if op.get_bind().dialect.name == "sqlite":
        for table, key in (("judgement", "id"), ("event", "serial")):
            _refuse(table, key)


def _id(name: str = "id", length: int = 16, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, primary_key=primary_key)


def _serial() -> sa.Column[int]:
    return sa.Column("serial", SERIAL, primary_key=True, autoincrement=True)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double, nullable=nullable) for name in names]


def _jsons(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.JSON, nullable=False) for name in names]


def _imagery() -> None:
    op.create_table(
        "scene", _id(primary_key=True), *_texts("name", "sensor"), sa.Column("acquired", sa.DateTime),
        *_numbers("gsd_m"), *_texts("href"), *_numbers("west", "south", "east", "north"),
    )  # fmt: skip
    op.create_table(
        "pair", _id(primary_key=True), _id("before_scene"), _id("after_scene"), *_jsons("made"),
        sa.ForeignKeyConstraint(["before_scene"], ["scene.id"]), sa.ForeignKeyConstraint(["after_scene"], ["scene.id"]),
    )  # fmt: skip


def _changes() -> None:
    op.create_table(
        "change", _serial(), _id(), _id("pair_id"), sa.Column("before", sa.DateTime), sa.Column("after", sa.DateTime),
        *_texts("change_class"), *_numbers("probability", "ndvi_change", nullable=True),
        *_numbers("area_m2", "width_m"), *_texts("region"), sa.Column("geometry", LonLat, nullable=False),
        sa.Column("west", sa.Float, nullable=False), *_numbers("south", "east", "north"),
        sa.Column("judgement_id", sa.String(16)), sa.UniqueConstraint("id"), sqlite_autoincrement=True,
    )  # fmt: skip
    for column in ("pair_id", "change_class", "region", "west"):
        op.create_index(f"ix_change_{column}", "change", [column])
    op.create_index("change_box", "change", ["west", "east", "south", "north"])
    op.create_table(
        "judgement", _id(primary_key=True), _id("change_id"), sa.Column("judged", sa.DateTime, nullable=False),
        *_texts("verdict", "rule_id", "basis", "rulebook"), *_jsons("facts", "seen", "missing"), *_texts("proof"),
        *_jsons("layers"), sa.ForeignKeyConstraint(["change_id"], ["change.id"]),
    )  # fmt: skip
    op.create_index("ix_judgement_change_id", "judgement", ["change_id"])


def _cases() -> None:
    op.create_table(
        "enforcement_case", _serial(), _id(length=24), _id("change_id"), _id("judgement_id"), *_texts("status"),
        sa.Column("opened", sa.DateTime, nullable=False), *_jsons("held"),
        sa.Column("version", sa.Integer, nullable=False), sa.UniqueConstraint("id"), sa.UniqueConstraint("change_id"),
        sa.ForeignKeyConstraint(["change_id"], ["change.id"]),
        sa.ForeignKeyConstraint(["judgement_id"], ["judgement.id"]), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_enforcement_case_status", "enforcement_case", ["status"])
    op.create_table(
        "event", _serial(), _id("case_id", 24), sa.Column("at", sa.DateTime, nullable=False),
        *_texts("kind", "actor", "role", "from_status", "to_status", "reason"), *_jsons("evidence"),
        sa.ForeignKeyConstraint(["case_id"], ["enforcement_case.id"]), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_event_case_id", "event", ["case_id"])


def _refuse(table: str, key: str) -> None:
    """Triggers against UPDATE, DELETE, and the REPLACE that would do either unseen."""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are added, never changed'); END"
    known = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
    op.execute(f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_is_never_replaced BEFORE INSERT ON {table} WHEN {known} {refuse}")
