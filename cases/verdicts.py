"""Verdicts as text: a line of JSON a change, the same to the last byte whenever the same is said of the same facts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cadastre.facts import Facts
from cases.rules import Judgement
from database.tables import JudgementRow

SAID = ("verdict", "rule_id", "basis", "rulebook", "facts", "seen", "missing", "proof", "group", "settles")
"""What a judgement says, and a line holds beside the change's id."""


def line(change_id: str, said: Mapping[str, Any]) -> str:
    """One change; keys sorted, no spaces, letters as they are."""
    whole = {"change_id": change_id, **{name: said[name] for name in SAID}}
    return json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def of_row(row: JudgementRow) -> str:
    """The line of a judgement as it was written down."""
    return line(row.change_id, {name: getattr(row, name) for name in SAID})


def of_judgement(change_id: str, judgement: Judgement, facts: Facts) -> str:
    """The line of a judgement just made."""
    said = {name: getattr(judgement, name) for name in SAID if name != "facts"}
    return line(change_id, said | {"verdict": str(judgement.verdict), "facts": facts.values})


def text(lines: Iterable[str]) -> str:
    """All lines, by change_id, each ended."""
    return "".join(f"{one}\n" for one in sorted(lines))
