"""The road to a penalty step by step, in the database too: each with its line of history; by which workflow, kept."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

BEFORE = {
    "proven": "'field_check'",
    "city_review": "'proven', 'objection'",
    "province_review": "'city_review'",
    "violation": "'province_review'",
    "filed": "'violation', 'stop_order', 'rectification', 'verification', 'police', 'discipline'",
    "investigation": "'filed', 'audited'",
    "audited": "'investigation'",
    "notice": "'audited'",
    "hearing": "'notice'",
    "decision": "'notice', 'hearing'",
    "served": "'decision'",
    "court": "'served'",
    "executed": "'served', 'court'",
}
"""By status what a case must have been right before."""
ON_IT = ", ".join(f"'{status}'" for status in BEFORE)
PARTS = "'proven', 'city_review', 'province_review'"
BEYOND = (
    "'violation', 'stop_order', 'filed', 'not_filed', 'investigation', 'audited', 'closed', 'withdrawn', "
    "'rectification', 'verification', 'signed_off', 'police', 'discipline', 'notice', 'hearing', 'decision', 'served', "
    "'court', 'executed'"
)
AUDITED = "'audited', 'notice', 'hearing', 'decision', 'served', 'court', 'executed'"
SKIPPED = "a case goes its road step by step, each step with its line of history"
UNTOLD = "a line of history tells of a step that the case has made, by a named person"
LOW = "a case begins where the machine may leave it; only a named person says more"
SAME = "a case keeps its id, its serial and the day on which it was opened"
MOVED = "what was audited is about one change and stays there"
KEPT = "cases are kept, whatever becomes of them"
LAST = (
    "(SELECT e.to_status FROM event AS e WHERE e.case_id = {case} AND e.from_status <> e.to_status "
    "ORDER BY e.serial + 0 DESC LIMIT 1)"
)
"""Where the history of a case ends; a line that leads nowhere is no step, whoever wrote it.

`+ 0`: by the index on the case, or PostgreSQL goes through the lines of all cases from the last one back.
"""
WATCHED = (
    f"((NEW.from_status <> NEW.to_status AND NEW.to_status IN ({ON_IT})) "
    "OR (NEW.from_status = NEW.to_status AND NEW.to_status IN ('proven', 'audited')))"
)
"""Lines by which a case comes on, and lines that the lock could take for a field check or an audit."""


def _arrow(origin: str, to: str) -> str:
    """Whether a step is one of the road."""
    return "(" + " OR ".join(f"({to} = '{end}' AND {origin} IN ({was}))" for end, was in BEFORE.items()) + ")"


STEP = f"{_arrow('OLD.status', 'NEW.status')} AND {LAST.format(case='NEW.id')} = OLD.status"
STANDS = "EXISTS (SELECT 1 FROM enforcement_case AS c WHERE c.id = NEW.case_id AND c.status = NEW.to_status)"
TOLD = (
    f"(NEW.from_status = NEW.to_status AND {LAST.format(case='NEW.case_id')} = NEW.to_status) "
    f"OR (NEW.kind = 'moved' AND NEW.role <> 'machine' AND NEW.actor <> '' AND {STANDS} "
    f"AND {LAST.format(case='NEW.case_id')} = NEW.from_status "
    f"AND {_arrow('NEW.from_status', 'NEW.to_status')}) OR (NEW.kind IN ('split', 'merged') "
    f"AND NEW.to_status IN ({PARTS}) "
    "AND EXISTS (SELECT 1 FROM lineage AS l WHERE l.to_case = NEW.case_id AND l.kind = NEW.kind))"
)
"""Of a line: the case came there before and stays, or comes there by this step; or is cut or joined from others."""


def upgrade() -> None:
    """Of rows that were there it is not known by which workflow they moved."""
    op.add_column("event", sa.Column("workflow", sa.String(16), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _sqlite() -> None:
    known = "id = NEW.id OR serial = NEW.serial OR change_id = NEW.change_id"
    for name, when, condition, said in (
        ("case_goes_step_by_step", "BEFORE UPDATE OF status ON enforcement_case",
         f"NEW.status <> OLD.status AND NEW.status IN ({ON_IT}) AND NOT coalesce({STEP}, 0)", SKIPPED),
        ("event_tells_a_step", "BEFORE INSERT ON event",
         f"{WATCHED} AND NOT coalesce({TOLD}, 0)", UNTOLD),
        ("case_begins_before_a_person", "BEFORE INSERT ON enforcement_case", f"NEW.status IN ({BEYOND})", LOW),
        ("case_keeps_its_name", "BEFORE UPDATE OF id, serial, opened ON enforcement_case",
         "NEW.id <> OLD.id OR NEW.serial <> OLD.serial OR NEW.opened <> OLD.opened", SAME),
        ("case_stays_on_its_change", "BEFORE UPDATE OF change_id ON enforcement_case",
         f"NEW.change_id <> OLD.change_id AND NEW.status IN ({AUDITED})", MOVED),
        ("case_is_never_deleted", "BEFORE DELETE ON enforcement_case", "1", KEPT),
        ("case_is_never_replaced", "BEFORE INSERT ON enforcement_case",
         f"EXISTS (SELECT 1 FROM enforcement_case WHERE {known})", KEPT),
    ):  # fmt: skip
        op.execute(f"CREATE TRIGGER {name} {when} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{said}'); END")


def _postgres() -> None:
    _function("tiankan_step", f"NOT coalesce({STEP}, false)", SKIPPED)
    _function("tiankan_told", f"NOT coalesce({TOLD}, false)", UNTOLD)
    for name, said in (("tiankan_low", LOW), ("tiankan_same", SAME), ("tiankan_moved", MOVED)):
        _function(name, "true", said)
    _function("tiankan_kept", "true", KEPT)
    for name, when, condition, function in (
        ("case_goes_step_by_step", "BEFORE UPDATE OF status ON enforcement_case",
         f"NEW.status <> OLD.status AND NEW.status IN ({ON_IT})", "tiankan_step"),
        ("event_tells_a_step", "BEFORE INSERT ON event", WATCHED, "tiankan_told"),
        ("case_begins_before_a_person", "BEFORE INSERT ON enforcement_case",
         f"NEW.status IN ({BEYOND})", "tiankan_low"),
        ("case_keeps_its_name", "BEFORE UPDATE OF id, serial, opened ON enforcement_case",
         "NEW.id <> OLD.id OR NEW.serial <> OLD.serial OR NEW.opened <> OLD.opened", "tiankan_same"),
        ("case_stays_on_its_change", "BEFORE UPDATE OF change_id ON enforcement_case",
         f"NEW.change_id <> OLD.change_id AND NEW.status IN ({AUDITED})", "tiankan_moved"),
    ):  # fmt: skip
        op.execute(
            f"CREATE TRIGGER {name} {when} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {function}()"
        )
    op.execute(
        "CREATE TRIGGER case_is_never_deleted BEFORE DELETE OR TRUNCATE ON enforcement_case "
        "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_kept()"
    )


def _function(name: str, refused: str, said: str) -> None:
    op.execute(
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {refused} THEN
    RAISE EXCEPTION '{said}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$"""
    )
