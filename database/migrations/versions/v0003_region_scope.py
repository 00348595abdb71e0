"""Row-level security by region on PostgreSQL: who is not the owner sees the rows of `tiankan.region` only."""

from alembic import op

revision = "0003"
down_revision = "0002"

WITHIN = {
    "change": "region ~>=~ tiankan_region() AND region ~<~ (tiankan_region() || chr(1114111))",
    "judgement": "EXISTS (SELECT FROM change WHERE change.id = change_id)",
    "enforcement_case": "EXISTS (SELECT FROM change WHERE change.id = change_id)",
    "event": "EXISTS (SELECT FROM enforcement_case AS c WHERE c.id = case_id)",
}
"""A code and all that begin with it, by bytes, so that an index finds them; what hangs on a change follows it."""


def upgrade() -> None:
    """Policies; where the setting is missing nothing is seen. SQLite has no users: there the store filters."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(
        "CREATE FUNCTION tiankan_region() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE "
        "AS $$ SELECT current_setting('tiankan.region', true) $$"
    )
    op.execute("CREATE INDEX change_in_region ON change (region text_pattern_ops)")
    for table, within in WITHIN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_in_region ON {table} USING ({within})")
