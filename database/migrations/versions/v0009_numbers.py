"""Official numbers, and the lineage of cases: rows are added only; a case ends as split or merged for good."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ONCE = {"case_number": ("serial", "number", "case_id"), "lineage": ("serial",)}
"""Columns by which SQLite's REPLACE would take a row away unseen."""
WHOSE = {"case_number": "case_id", "lineage": "to_case"}
REPLACED = "'split', 'merged'"
ENDED = "a case that was split or merged has ended; its successors go on"
NOBODY = "a case ends as split or merged only where others took its place"
HAS_HEIRS = "EXISTS (SELECT 1 FROM lineage AS l WHERE l.from_case = NEW.id AND l.kind = NEW.status)"


def upgrade() -> None:
    """Tables, triggers, policies, and the last number of a county, which a township must not give again."""
    op.create_table(
        "case_number", _serial(), sa.Column("number", sa.String(64), nullable=False), _case("case_id"),
        sa.Column("county", sa.String(6), nullable=False), sa.Column("batch", sa.String(8), nullable=False),
        sa.Column("year", sa.Integer, nullable=False), sa.Column("place", sa.Integer, nullable=False),
        sa.Column("suffix", sa.String, nullable=False), sa.Column("at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("number"), sa.UniqueConstraint("case_id"),
        sa.ForeignKeyConstraint(["case_id"], ["enforcement_case.id"]), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("case_number_last_place", "case_number", ["county", "batch", "year", "place"])
    op.create_table(
        "lineage", _serial(), sa.Column("kind", sa.String, nullable=False), _case("from_case"), _case("to_case"),
        sa.Column("place", sa.Integer, nullable=False), sa.Column("at", sa.DateTime, nullable=False),
        sa.ForeignKeyConstraint(["from_case"], ["enforcement_case.id"]),
        sa.ForeignKeyConstraint(["to_case"], ["enforcement_case.id"]), sqlite_autoincrement=True,
    )  # fmt: skip
    for column in ("from_case", "to_case"):
        op.create_index(f"ix_lineage_{column}", "lineage", [column])
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _serial() -> sa.Column[int]:
    return sa.Column("serial", SERIAL, primary_key=True, autoincrement=True)


def _case(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(24), nullable=False)


def _sqlite() -> None:
    for table, keys in ONCE.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are added, never changed'); END"
        known = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})" for key in keys)
        op.execute(f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_replaced BEFORE INSERT ON {table} WHEN {known} {refuse}")
    before = "BEFORE UPDATE OF status ON enforcement_case"
    op.execute(
        f"CREATE TRIGGER case_ended_for_good {before} WHEN OLD.status IN ({REPLACED}) AND NEW.status <> OLD.status "
        f"BEGIN SELECT RAISE(ABORT, '{ENDED}'); END"
    )
    op.execute(
        f"CREATE TRIGGER case_leaves_heirs {before} WHEN NEW.status IN ({REPLACED}) AND NEW.status <> OLD.status "
        f"AND NOT {HAS_HEIRS} BEGIN SELECT RAISE(ABORT, '{NOBODY}'); END"
    )
    op.execute(
        f"CREATE TRIGGER case_begins_alive BEFORE INSERT ON enforcement_case WHEN NEW.status IN ({REPLACED}) "
        f"BEGIN SELECT RAISE(ABORT, '{NOBODY}'); END"
    )


def _postgres() -> None:
    for table, case in WHOSE.items():
        op.execute(
            f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_refuse()"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY {table}_in_region ON {table} "
            f"USING (EXISTS (SELECT FROM enforcement_case AS c WHERE c.id = {case}))"
        )
    op.execute(
        "CREATE FUNCTION tiankan_last_place(text, text, integer) RETURNS integer LANGUAGE sql STABLE "
        "SECURITY DEFINER SET search_path FROM CURRENT AS $$ SELECT coalesce(max(place), 0) FROM case_number "
        "WHERE county = $1 AND batch = $2 AND year = $3 $$"
    )
    op.execute(
        f"""CREATE FUNCTION tiankan_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.status IN ({REPLACED}) THEN
      RAISE EXCEPTION '{ENDED}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF {HAS_HEIRS} THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION '{NOBODY}' USING ERRCODE = 'integrity_constraint_violation';
END $$"""
    )
    # With conditions: a county's month of cases calls no function.
    op.execute(
        f"CREATE TRIGGER case_begins_alive BEFORE INSERT ON enforcement_case FOR EACH ROW "
        f"WHEN (NEW.status IN ({REPLACED})) EXECUTE FUNCTION tiankan_ended()"
    )
    op.execute(
        "CREATE TRIGGER case_ends BEFORE UPDATE OF status ON enforcement_case FOR EACH ROW WHEN ("
        f"NEW.status <> OLD.status AND (OLD.status IN ({REPLACED}) OR NEW.status IN ({REPLACED}))) "
        "EXECUTE FUNCTION tiankan_ended()"
    )
