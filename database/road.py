"""The part of a road on which the lock rests: held to by the database, the loader of workflow.toml and the audit."""

from collections.abc import Mapping

LOCK = frozenset({"field_evidence", "two_officers", "legal_audit"})
"""The clue–penalty lock: what must be in hand before anything of PENALTY."""
MACHINE, MACHINE_ROLE = "tiankan", "machine"
"""Actor and role of what the software does by itself. It may open and judge; it has no moves."""
AUDITOR = "legal"
"""Whose audit counts."""
PENALTY = frozenset({"notice", "hearing", "decision", "served", "court", "executed"})
BEFORE: Mapping[str, frozenset[str]] = {
    to: frozenset(was.split())
    for to, was in {
        "proven": "field_check",
        "city_review": "proven objection",
        "province_review": "city_review",
        "violation": "province_review",
        "filed": "violation stop_order rectification verification police discipline",
        "investigation": "filed audited",
        "audited": "investigation",
        "notice": "audited",
        "hearing": "notice",
        "decision": "notice hearing",
        "served": "decision",
        "court": "served",
        "executed": "served court",
    }.items()
}
"""By status what a case must have been right before: to a penalty there is no other way."""
PARTS = frozenset({"proven", "city_review", "province_review"})
"""Of these, where a part of a split or a merged case may begin: it stands where what it came from stood."""
BEYOND = frozenset(
    {
        "violation", "stop_order", "filed", "not_filed", "investigation", "audited", "closed", "withdrawn",
        "rectification", "verification", "signed_off", "police", "discipline", *PENALTY,
    }
)  # fmt: skip
"""Where no case begins: only a named person brings one there."""
REOPENED = ("new_look", "rebound")
"""Kinds of events that lead a case back to where it began."""
SPLIT, MERGED = "split", "merged"
REPLACED = (SPLIT, MERGED)
"""Where a case ends whose place others took; the kinds of the events that say so."""
