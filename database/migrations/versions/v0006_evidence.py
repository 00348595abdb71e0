"""Evidence: files given for cases, by hash; rows are added only, and seen in their case's region only."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """The table, its triggers, its policy."""
    op.create_table(
        "evidence", sa.Column("serial", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(16), nullable=False), sa.Column("case_id", sa.String(24), nullable=False),
        *_texts("kind"), sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False), *_texts("name", "media_type", "given_by", "role"),
        sa.Column("at", sa.DateTime, nullable=False), sa.Column("taken", sa.DateTime),
        *(sa.Column(name, sa.Double) for name in ("lon", "lat", "azimuth")), *_texts("device"),
        sa.Column("checks", sa.JSON, nullable=False), *_texts("note", "despite"), sa.UniqueConstraint("id"),
        sa.ForeignKeyConstraint(["case_id"], ["enforcement_case.id"]), sqlite_autoincrement=True,
    )  # fmt: skip
    for column in ("case_id", "sha256"):
        op.create_index(f"ix_evidence_{column}", "evidence", [column])
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'evidence: rows are added, never changed'); END"
    known = " OR ".join(
        f"EXISTS (SELECT 1 FROM evidence WHERE {key} = NEW.{key})" for key in ("serial", "id")
    )
    op.execute(f"CREATE TRIGGER evidence_is_never_updated BEFORE UPDATE ON evidence {refuse}")
    op.execute(f"CREATE TRIGGER evidence_is_never_deleted BEFORE DELETE ON evidence {refuse}")
    op.execute(f"CREATE TRIGGER evidence_is_never_replaced BEFORE INSERT ON evidence WHEN {known} {refuse}")


def _postgres() -> None:
    op.execute(
        "CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence "
        "FOR EACH STATEMENT EXECUTE FUNCTION tiankan_refuse()"
    )
    op.execute("ALTER TABLE evidence ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY evidence_in_region ON evidence "
        "USING (EXISTS (SELECT FROM enforcement_case AS c WHERE c.id = case_id))"
    )
