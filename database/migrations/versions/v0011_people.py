"""Two officers are two people, in the database too, and the legal auditor is none of them."""

from alembic import op

revision = "0011"
down_revision = "0010"

PENALTY = "'notice', 'hearing', 'decision', 'served', 'court', 'executed'"
REFUSED = "two_officers are two people, and who audited the case is none of them"
SIGNS = " .,-_()'\"·　（）。，"
"""What tells no two names apart; the code knows more of it (see cases/people.py)."""
REOPENED = (
    "SELECT max(r.serial) FROM event AS r WHERE r.case_id = NEW.id AND r.kind IN ('new_look', 'rebound')"
)
AUDITORS = (
    "FROM event AS e WHERE e.case_id = NEW.id AND e.kind = 'moved' AND e.to_status = 'audited' AND e.role = 'legal' "
    f"AND e.serial > coalesce(({REOPENED}), 0)"
)
"""The moves by which the case was audited since it was reopened."""


def upgrade() -> None:
    """A trigger more in the words of each database."""
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _plain(name: str) -> str:
    """A name without signs, in SQLite's words."""
    said = f"lower({name})"
    for sign in SIGNS:
        said = f"replace({said}, '{sign * 2 if sign == chr(39) else sign}', '')"
    return said


def _sqlite() -> None:
    text = "replace(replace(coalesce(json_extract(NEW.held, '$.two_officers'), ''), '\"', ''), '；', ';')"
    # Backslashes and control characters are no part of a name, but would be of JSON.
    clean = f"replace({text}, char(92), '')"
    for code in (9, 10, 13):
        clean = f"replace({clean}, char({code}), ' ')"
    names = f"json_each('[\"' || replace({clean}, ';', '\",\"') || '\"]') AS name"
    two = f"(SELECT count(DISTINCT {_plain('name.value')}) FROM {names} WHERE {_plain('name.value')} <> '') >= 2"
    apart = (
        f"EXISTS (SELECT 1 {AUDITORS}) AND NOT EXISTS "
        f"(SELECT 1 {AUDITORS} AND {_plain('e.actor')} IN (SELECT {_plain('name.value')} FROM {names}))"
    )
    op.execute(
        "CREATE TRIGGER case_has_two_people BEFORE UPDATE OF status, held ON enforcement_case "
        f"WHEN NEW.status IN ({PENALTY}) AND NOT ({two} AND {apart}) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    )


def _postgres() -> None:
    signs = SIGNS.replace("'", "''")
    op.execute(
        f"""CREATE FUNCTION tiankan_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE names text[];
BEGIN
  SELECT array_agg(DISTINCT said) INTO names FROM (
    SELECT translate(lower(name), '{signs}' || chr(9) || chr(10) || chr(13), '') AS said
      FROM regexp_split_to_table(coalesce(NEW.held::jsonb ->> 'two_officers', ''), '[;；]') AS name
  ) AS each WHERE said <> '';
  IF coalesce(array_length(names, 1), 0) < 2 OR NOT EXISTS (SELECT 1 {AUDITORS}) OR EXISTS (
    SELECT 1 {AUDITORS} AND translate(lower(e.actor), '{signs}', '') = ANY (names)
  ) THEN
    RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$"""
    )
    op.execute(
        "CREATE TRIGGER case_has_two_people BEFORE UPDATE OF status, held ON enforcement_case FOR EACH ROW "
        f"WHEN (NEW.status IN ({PENALTY})) EXECUTE FUNCTION tiankan_people()"
    )
