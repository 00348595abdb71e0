"""Vintages, features, rulebooks and judgings; spatial indexes; rows that neither database lets anybody alter."""

import sqlalchemy as sa
from alembic import op

from database.geometry import LonLat

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ADDED_ONLY = ("event", "judgement", "vintage", "feature", "rulebook", "judging")
CLOSED = {"vintage": "WHEN OLD.features >= 0"}
"""A vintage counts its features when all of them are in; until then, in its own transaction, they are -1."""
BOX = ("west", "east", "south", "north")


def upgrade() -> None:
    """Tables, then what SQLAlchemy cannot say: indexes and triggers in the words of each database."""
    _registry()
    _judgings()
    # The spatial index finds by box; these two only made writing slower.
    op.drop_index("ix_change_west", "change")
    op.drop_index("change_box", "change")
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=nullable) for name in names]


def _moments(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.DateTime, nullable=False) for name in names]


def _days(*names: str, nullable: bool = True) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Date, nullable=nullable) for name in names]


def _jsons(*names: str, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.JSON, nullable=nullable) for name in names]


def _registry() -> None:
    op.create_table(
        "vintage", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False), *_texts("layer", "kind"), *_days("valid_from"),
        *_moments("known_from", "imported"), *_jsons("description"), *_texts("source"), *_jsons("sha256"),
        *_texts("crs"), sa.Column("covers", LonLat), sa.Column("features", sa.Integer, nullable=False),
        *_jsons("report"), sa.UniqueConstraint("id"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_vintage_layer", "vintage", ["layer"])
    op.create_table(
        "feature", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("vintage", SERIAL, nullable=False), sa.Column("row", sa.Integer, nullable=False),
        *_texts("number", "land_class", nullable=True), *_jsons("attributes", nullable=True),
        *_days("valid_from", "valid_to", "known_from"), sa.Column("geometry", LonLat, nullable=False),
        sa.Column("original", sa.LargeBinary), sa.ForeignKeyConstraint(["vintage"], ["vintage.serial"]),
    )  # fmt: skip
    op.create_index("ix_feature_vintage", "feature", ["vintage"])


def _judgings() -> None:
    op.create_table(
        "rulebook", sa.Column("id", sa.String(16), primary_key=True), *_texts("title", "jurisdiction"),
        *_days("effective_from", nullable=False), *_moments("known_from"), *_jsons("content"),
    )  # fmt: skip
    op.create_table(
        "judging", sa.Column("id", sa.String(16), primary_key=True), *_moments("as_of", "made"), *_texts("crs"),
        *_jsons("rulebooks", "catalogue", "layers", "versions"),
    )  # fmt: skip
    op.create_index("ix_judging_as_of", "judging", ["as_of"])
    op.execute("ALTER TABLE judgement ADD COLUMN land JSON")
    op.execute("ALTER TABLE judgement ADD COLUMN content VARCHAR(16)")
    op.execute('ALTER TABLE judgement ADD COLUMN "group" VARCHAR')
    op.execute("ALTER TABLE judgement ADD COLUMN settles JSON")
    # In SQL, for alembic adds the reference by a second statement, which SQLite has not.
    op.execute("ALTER TABLE judgement ADD COLUMN judging_id VARCHAR(16) REFERENCES judging (id)")
    op.create_index("ix_judgement_judging_id", "judgement", ["judging_id"])


def _sqlite() -> None:
    keys = {"vintage": ("serial", "id"), "feature": ("serial",), "rulebook": ("id",), "judging": ("id",)}
    for table, names in keys.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are added, never changed'); END"
        known = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})" for key in names)
        update = f"BEFORE UPDATE ON {table} {CLOSED.get(table, '')}"
        op.execute(f"CREATE TRIGGER {table}_is_never_updated {update} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_replaced BEFORE INSERT ON {table} WHEN {known} {refuse}")
    edges = ", ".join(BOX)
    for table in ("change", "feature"):
        op.execute(f"CREATE VIRTUAL TABLE {table}_rtree USING rtree(serial, {edges})")
    op.execute(f"INSERT INTO change_rtree SELECT serial, {edges} FROM change")
    row = f"INSERT INTO change_rtree VALUES (NEW.serial, {', '.join(f'NEW.{edge}' for edge in BOX)})"
    gone = "DELETE FROM change_rtree WHERE serial = OLD.serial"
    op.execute(f"CREATE TRIGGER change_is_placed AFTER INSERT ON change BEGIN {row}; END")
    op.execute(
        f"CREATE TRIGGER change_is_moved AFTER UPDATE OF serial, {edges} ON change BEGIN {gone}; {row}; END"
    )
    op.execute(f"CREATE TRIGGER change_is_removed AFTER DELETE ON change BEGIN {gone}; END")
    measured = ", ".join(f"{f}(NEW.geometry)" for f in ("ST_XMin", "ST_XMax", "ST_YMin", "ST_YMax"))
    op.execute(
        "CREATE TRIGGER feature_is_placed AFTER INSERT ON feature "
        f"BEGIN INSERT INTO feature_rtree VALUES (NEW.serial, {measured}); END"
    )


def _postgres() -> None:
    for table in ("change", "feature"):
        op.execute(f"CREATE INDEX {table}_place ON {table} USING gist (geometry)")
    op.execute(
        "CREATE FUNCTION tiankan_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '%: rows are added, never changed', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in ADDED_ONLY:
        when = CLOSED.get(table)
        events = "DELETE OR TRUNCATE" if when else "UPDATE OR DELETE OR TRUNCATE"
        op.execute(
            f"CREATE TRIGGER {table}_is_never_changed BEFORE {events} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_refuse()"
        )
        if when:
            op.execute(
                f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} "
                f"FOR EACH ROW {when.replace('WHEN ', 'WHEN (')}) EXECUTE FUNCTION tiankan_refuse()"
            )
