"""Of a judging, which changes it judged; of a judgement, why facts are unknown."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Empty in rows that were there: of them it is not known."""
    op.add_column("judging", sa.Column("changes", sa.JSON, nullable=True))
    op.add_column("judgement", sa.Column("why", sa.JSON, nullable=True))
