"""Whose a row is: its case, and of a line of history what it tells and by whom; so that a fault can be looked up."""

from typing import Any

from database.evidence_tables import EvidenceRow
from database.tables import CaseRow, EventRow

SAID = {
    EventRow.__tablename__: "{kind} by {actor}, {case_id}",
    EvidenceRow.__tablename__: "{kind} {name}, {case_id}",
    CaseRow.__tablename__: "{id}",
}
MOST = 3
"""Rows of one link that are named."""


class Whose:
    """The rows under one link, the first of them named."""

    def __init__(self, table: str) -> None:
        self._said, self._named, self._more = SAID.get(table, ""), list[str](), 0

    def add(self, row: dict[str, Any]) -> None:
        """One more."""
        if len(self._named) == MOST:
            self._more += 1
        elif self._said:
            self._named.append(self._said.format_map(row))

    def said(self) -> str:
        """In brackets; empty where rows of this table are not told by a case."""
        if not self._named:
            return ""
        more = f"; and {self._more} more" if self._more else ""
        return f" ({'; '.join(self._named)}{more})"
