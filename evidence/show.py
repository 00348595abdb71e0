"""Evidence as rows for people: the same words on the terminal and through the API."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cases.store import CaseStore
from evidence.adding import SCHEME, Evidence, listed
from evidence.checks import failed
from evidence.rejudge import Rejudged
from evidence.sealed import FILE, makings
from ground.files import sha256


def evidence_rows(store: CaseStore, case_id: str) -> list[dict[str, Any]]:
    """A line for each file that was given for a case."""
    return [evidence_row(one) for one in listed(store, case_id)]


def evidence_row(one: Evidence) -> dict[str, Any]:
    """A line of a list; `usable` says whether a move may rest on it."""
    faults = failed(one.checks)
    usable = "yes" if not faults else "yes, despite it all" if one.despite else "no"
    return asdict(one) | {"reference": one.reference, "usable": usable}


def rejudged_row(found: Rejudged) -> dict[str, Any]:
    """A bundle judged again."""
    verdict = json.loads(found.found or found.written or "{}").get("verdict")
    return {
        "case": found.case_id, "verdict": verdict, "same": found.same, "note": found.note, "sha256": found.sha256,
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
