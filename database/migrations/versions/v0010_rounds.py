"""A case that was reopened reaches a notice by a field check and a legal audit of its own, not by those before."""

from alembic import op

revision = "0010"
down_revision = "0009"

REFUSED = "a case that was reopened is proven and audited anew before a notice"
REOPENED = "r.case_id = NEW.id AND r.kind IN ('new_look', 'rebound')"
SINCE = f"coalesce((SELECT max(r.serial) FROM event AS r WHERE {REOPENED}), 0)"
"""Serial of the event that reopened it last."""
ANEW = (
    f"EXISTS (SELECT 1 FROM event AS e WHERE e.case_id = NEW.id AND e.serial > {SINCE} AND e.to_status = 'audited' "
    "AND e.role = 'legal') "
    f"AND EXISTS (SELECT 1 FROM event AS e WHERE e.case_id = NEW.id AND e.serial > {SINCE} AND e.to_status = 'proven')"
)


def upgrade() -> None:
    """A trigger more in the words of each database."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER case_is_audited_anew BEFORE UPDATE OF status ON enforcement_case "
            f"WHEN NEW.status = 'notice' AND OLD.status <> 'notice' AND NOT ({ANEW}) "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        )
        return
    op.execute(
        f"""CREATE FUNCTION tiankan_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT ({ANEW}) THEN
    RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$"""
    )
    op.execute(
        "CREATE TRIGGER case_is_audited_anew BEFORE UPDATE OF status ON enforcement_case FOR EACH ROW "
        "WHEN (NEW.status = 'notice' AND OLD.status <> 'notice') EXECUTE FUNCTION tiankan_anew()"
    )
