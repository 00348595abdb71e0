"""What of its evidence a case lacks at its status: as workflow.toml needs it next, from moves and from files given."""

from collections.abc import Sequence
from typing import Any

from cases.proof import REFERENCE
from cases.workflow import LOCK, PENALTY, Workflow
from ground.errors import IllegalMove
from reports.exhibits import READABLE, Exhibit

FIELD = ("photo", "field_evidence")
"""Without these no report of a case is complete."""


def needed(workflow: Workflow, status: str) -> list[str]:
    """Kinds of evidence that a complete file holds at this status: the field's, the lock's, and the next moves'."""
    onward = workflow.from_status(status)
    found = {need for move in onward for need in move.needs} - set(workflow.fresh)
    # Who stands beyond the lock must have passed it; who may pass it next lacks it as well.
    beyond = LOCK if status in PENALTY else set()
    wanted = {*FIELD, *found, *beyond}
    return [kind for kind in workflow.evidence if kind in wanted]


def lacking_kinds(said: dict[str, Any], exhibits: Sequence[Exhibit]) -> list[str]:
    """Of the kinds that are needed those that are not in hand: neither brought by a move nor given as a sound file."""
    return [kind for kind in said["needed"] if not _is_in_hand(kind, said, exhibits)]


def _is_in_hand(kind: str, said: dict[str, Any], exhibits: Sequence[Exhibit]) -> bool:
    sound = {one.given.serial for one in exhibits if one.given.kind == kind and one.is_usable}
    held = said["held"].get(kind) or ""
    # A move may have rested on a file that was altered since, or is gone.
    named = {f"sha256:{digest.lower()}" for digest in REFERENCE.findall(held)}
    spoiled = {one.given.reference for one in exhibits if one.state not in READABLE}
    if held.strip() and not named & spoiled:
        return True
    return bool(sound & set(said["standing"].get(kind, [])))


def check_complete(
    case_id: str, said: dict[str, Any], exhibits: Sequence[Exhibit], workflow: Workflow
) -> None:
    """Nothing, if the file holds all that its status needs.

    Raises:
        IllegalMove: and what is missing.
    """
    lacking = lacking_kinds(said, exhibits)
    if not lacking:
        return
    spoiled = {one.given.kind: one for one in exhibits if one.state not in READABLE}
    parts = [
        f"{kind} ({workflow.evidence[kind]}"
        + (f"; its file {spoiled[kind].given.name} is {spoiled[kind].state})" if kind in spoiled else ")")
        for kind in lacking
    ]
    raise IllegalMove(
        f"case {case_id} at {said['case']['status']}: its report is not complete without {', '.join(parts)}; give it "
        f"with `tiankan cases evidence {case_id} --add FILE`, or print it as it stands with --draft"
    )
