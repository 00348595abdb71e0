"""Of an event, when it was written down: who dates a move back is seen to."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Empty in rows that were there: of them it is not known, and their seals stay as they are."""
    op.add_column("event", sa.Column("recorded", sa.DateTime, nullable=True))
