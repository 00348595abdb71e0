"""The hash chain with its signed heads, and the clue–penalty lock in the words of each database."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SEAL = sa.String(64)
ADDED_ONLY = {"seal": "place", "head": "serial"}
PENALTY = "'notice', 'hearing', 'decision', 'served', 'court', 'executed'"
SAID_BY_A_PERSON = f"'violation', {PENALTY}"
LOCK = ("field_evidence", "two_officers", "legal_audit")
REFUSED = "a clue is no proof: field_evidence, two_officers and legal_audit are not in hand"
SAID = "a case begins where the machine may leave it; only a named person says more"
SKIPPED = "a case reaches a penalty from its legal audit only"
AUDITED = (
    "EXISTS (SELECT 1 FROM event AS e WHERE e.case_id = NEW.id AND e.to_status = 'audited' AND e.role = 'legal') "
    "AND EXISTS (SELECT 1 FROM event AS e WHERE e.case_id = NEW.id AND e.to_status = 'proven')"
)
"""What the history must tell before a notice."""
BEFORE = {
    "notice": "'audited', 'notice'",
    "hearing": "'notice', 'hearing'",
    "decision": "'notice', 'hearing', 'decision'",
    "served": "'decision', 'served'",
    "court": "'served', 'court'",
    "executed": "'served', 'court', 'executed'",
}
"""What a case must have been before; itself, where other columns are written."""


def upgrade() -> None:
    """Tables, then triggers. What is in the database already is sealed by `tiankan audit seal`."""
    op.create_table(
        "seal", sa.Column("place", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime, nullable=False), sa.Column("what", sa.String, nullable=False),
        sa.Column("first", SERIAL), sa.Column("last", SERIAL), sa.Column("key", sa.String, nullable=False),
        sa.Column("was", SEAL, nullable=False), sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("content", SEAL, nullable=False), sa.Column("previous", SEAL),
        sa.Column("digest", SEAL, nullable=False),
        sa.UniqueConstraint("previous"), sa.UniqueConstraint("digest"),
        sa.ForeignKeyConstraint(["previous"], ["seal.digest"]),
    )  # fmt: skip
    op.create_table(
        "head", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False), sa.Column("place", SERIAL, nullable=False),
        sa.Column("digest", SEAL, nullable=False), sa.Column("key", SEAL, nullable=False),
        sa.Column("signature", sa.String(128), nullable=False), sa.Column("made", sa.JSON, nullable=False),
    )  # fmt: skip
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _skipped() -> str:
    ways = [f"(NEW.status = '{to}' AND OLD.status NOT IN ({was}))" for to, was in BEFORE.items()]
    return " OR ".join([*ways, f"(NEW.status = 'notice' AND NOT ({AUDITED}))"])


def _sqlite() -> None:
    for table, key in ADDED_ONLY.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table}: rows are added, never changed'); END"
        known = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
        op.execute(f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_is_never_replaced BEFORE INSERT ON {table} WHEN {known} {refuse}")
    names = "replace(coalesce(json_extract(NEW.held, '$.two_officers'), ''), '；', ';')"
    one = f"trim(substr({names}, 1, instr({names}, ';') - 1))"
    other = f"trim(substr({names}, instr({names}, ';') + 1), ' ;')"
    two = f"instr({names}, ';') > 1 AND {one} <> '' AND {other} <> '' AND lower({one}) <> lower({other})"
    held = " AND ".join(f"trim(coalesce(json_extract(NEW.held, '$.{kind}'), '')) <> ''" for kind in LOCK)
    for moment in ("INSERT", "UPDATE OF status, held"):
        op.execute(
            f"CREATE TRIGGER case_lock_on_{moment.split()[0].lower()} BEFORE {moment} ON enforcement_case "
            f"WHEN NEW.status IN ({PENALTY}) AND NOT ({held} AND {two}) "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        )
    op.execute(
        "CREATE TRIGGER case_begins_low BEFORE INSERT ON enforcement_case "
        f"WHEN NEW.status IN ({SAID_BY_A_PERSON}) BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
    )
    skipped = _skipped()
    op.execute(
        "CREATE TRIGGER case_skips_nothing BEFORE UPDATE OF status ON enforcement_case "
        f"WHEN {skipped} BEGIN SELECT RAISE(ABORT, '{SKIPPED}'); END"
    )


def _postgres() -> None:
    for table in ADDED_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_refuse()"
        )
    held = " AND ".join(f"btrim(coalesce(NEW.held::jsonb ->> '{kind}', '')) <> ''" for kind in LOCK)
    skipped = _skipped()
    op.execute(
        f"""CREATE FUNCTION tiankan_lock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE names integer;
BEGIN
  IF TG_OP = 'INSERT' AND NEW.status IN ({SAID_BY_A_PERSON}) THEN
    RAISE EXCEPTION '{SAID}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.status IN ({PENALTY}) THEN
    SELECT count(DISTINCT lower(btrim(name))) INTO names
      FROM regexp_split_to_table(coalesce(NEW.held::jsonb ->> 'two_officers', ''), '[;；]') AS name
      WHERE btrim(name) <> '';
    IF NOT ({held}) OR names < 2 THEN
      RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  IF TG_OP = 'UPDATE' AND ({skipped}) THEN
    RAISE EXCEPTION '{SKIPPED}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$"""
    )
    op.execute(
        "CREATE TRIGGER case_lock BEFORE INSERT OR UPDATE OF status, held ON enforcement_case "
        "FOR EACH ROW EXECUTE FUNCTION tiankan_lock()"
    )
