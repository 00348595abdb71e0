"""Evidence as rows for people: the same words on the terminal and through the API."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cases.proof import unproven
from cases.store import CaseStore
from cases.weighed import SCHEME, Weighed, weighed
from cases.workflow import load_workflow
from evidence.adding import Evidence, listed
from evidence.rejudge import Rejudged
from evidence.sealed import FILE, makings
from ground.files import sha256


def evidence_rows(store: CaseStore, case_id: str) -> list[dict[str, Any]]:
    """A line for each file that was given for a case.

    Raises:
        NotFound: there is no such case.
    """
    files = listed(store, case_id)
    key = store.case(case_id).id
    with store.transaction() as session:
        found = {one.row.serial: one for one in weighed(session, key, load_workflow())}
        return [evidence_row(one, found.get(one.serial)) for one in files]


def evidence_row(one: Evidence, known: Weighed | None = None) -> dict[str, Any]:
    """A line of a list; `usable` says whether a move may rest on it, `why_not` what it lacks."""
    why = unproven(one.case_id, one)
    usable = "no" if why else "yes, despite it all" if one.despite else "yes"
    if known is not None and known.struck is not None:
        usable = f"no, given before the case was {known.since}"
    return asdict(one) | {"reference": one.reference, "usable": usable, "why_not": why or ""}


def rejudged_row(found: Rejudged) -> dict[str, Any]:
    """A bundle judged again."""
    verdict = json.loads(found.found or found.written or "{}").get("verdict")
    return {
        "case": found.case_id, "verdict": verdict, "same": found.same, "note": found.note,
        # Of one that was altered its manifest says a sum, which is none of it.
        "sha256": None if found.altered else found.sha256,
        "head": found.head,
        "altered": found.altered, "written": found.written, "found": found.found,
    }  # fmt: skip


def making_rows(store: CaseStore, found: Rejudged, file: Path) -> list[dict[str, Any]]:
    """When and by whom a bundle of this sum was made; `same_file`: whether it is that very zip, not packed anew.

    Raises:
        NotFound: there is no such case.
    """
    digest = SCHEME + sha256(file)
    if found.altered:
        return []
    return [
        {
            "event": event.serial, "at": event.at.isoformat(timespec="seconds"), "actor": event.actor,
            "role": event.role, "same_file": event.evidence.get(FILE) == digest,
        }
        for event in makings(store, found.case_id, found.sha256)
    ]  # fmt: skip
