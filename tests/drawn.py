"""Histories that are drawn, not walked: for the block the database takes them, as it does from nobody else."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

STEPS = {"event_tells_a_step": "event", "case_goes_step_by_step": "enforcement_case"}
"""Triggers that hold every line and every status to the step before."""


@contextmanager
def drawn(session: Session) -> Iterator[None]:
    """Without these triggers until the block ends, in the transaction of the session."""
    if session.get_bind().dialect.name == "postgresql":
        for name, table in STEPS.items():
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {name}"))
        yield
        for name, table in STEPS.items():
            session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {name}"))
        return
    made = []
    for name in STEPS:
        found = session.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name})
        made.append(str(found))
        session.execute(text(f"DROP TRIGGER {name}"))
    yield
    for one in made:
        session.execute(text(one.replace(":", "\\:")))
