"""Cases as rows and sheets for people: the same words on the terminal and through the API."""

from typing import Any

from cases.records import Case
from cases.workflow import Workflow

M2_PER_MU = 2000 / 3
"""Square metres in one 亩."""


def mu(area_m2: float) -> float:
    """亩, with the two decimals of the area ledger."""
    return round(area_m2 / M2_PER_MU, 2)


def case_row(case: Case) -> dict[str, Any]:
    """A line of a list."""
    return {
        "serial": case.serial,
        "id": case.id,
        "number": case.number,
        "status": case.status,
        "verdict": case.verdict,
        "rule": case.rule_id,
        "change_class": case.change_class,
        "area_m2": round(case.area_m2, 2),
        "area_mu": mu(case.area_m2),
        "region": case.region,
        "missing": case.missing,
        "proof": case.proof,
    }


def case_sheet(case: Case) -> dict[str, Any]:
    """All that is known of a case, without its history and geometry."""
    return case_row(case) | {
        "basis": case.basis,
        "seen": case.seen,
        "facts": case.facts,
        "held": case.held,
        "change_id": case.change_id,
        "before": case.before,
        "after": case.after,
        "bbox": list(case.bbox),
        "opened": case.opened,
        "rulebook": case.rulebook,
        "version": case.version,
    }


def next_moves(case: Case, workflow: Workflow) -> list[dict[str, Any]]:
    """The moves that are open to a case: by which roles, what each still lacks, and for which clock it waits.

    What must come with the move itself (a reason, a document) is lacking whatever was brought before.
    """
    lasting = {kind for kind, text in case.held.items() if text and kind not in workflow.fresh}
    return [
        {
            "to": move.to,
            "roles": move.roles,
            "needs": move.needs,
            "lacking": [kind for kind in move.needs if kind not in lasting],
            "waits_for": move.wait.clock if move.wait else "",
        }
        for move in workflow.from_status(case.status)
    ]
