"""The main road of a case as the clue–penalty lock holds to it: in code, in workflow.toml's loader, in the audit."""

from collections.abc import Mapping

PENALTY = frozenset({"notice", "hearing", "decision", "served", "court", "executed"})
BEFORE: Mapping[str, frozenset[str]] = {
    "proven": frozenset({"field_check"}),
    "city_review": frozenset({"proven", "objection"}),
    "province_review": frozenset({"city_review"}),
    "violation": frozenset({"province_review"}),
    "filed": frozenset({"violation", "stop_order", "rectification", "verification", "police", "discipline"}),
    "investigation": frozenset({"filed", "police", "discipline"}),
    "audited": frozenset({"investigation"}),
    "notice": frozenset({"audited"}),
    "hearing": frozenset({"notice"}),
    "decision": frozenset({"notice", "hearing"}),
    "served": frozenset({"decision"}),
    "court": frozenset({"served"}),
    "executed": frozenset({"served", "court"}),
}
"""By status, what a case must have been right before."""
LOCK = frozenset({"field_evidence", "two_officers", "legal_audit"})
"""The clue–penalty lock: what must be in hand before anything of PENALTY."""
AUDITOR = "legal"
"""Whose audit counts; the database knows the role by this name."""
