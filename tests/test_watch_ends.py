"""Wherever a road ends, the place stays under watch: what is built there later is looked at anew."""

from datetime import date
from pathlib import Path

import pytest

from cases.store import CaseFilter
from cases.workflow import REPLACED
from spots.policy import load_policy
from tests.cases_world import AUDITOR, ROAD, new_store
from tests.spots_world import WAY, box, day, seen

WHY = {"reason": "the party is dead", "document": "decision 8"}
ENDS = {
    "withdrawn": [*WAY["closed"][:7], ("withdrawn", "legal", WHY | {"legal_audit": "agreed"})],
    "not_filed": [*WAY["violation"], ("not_filed", "county", WHY)],
}


def test_no_road_ends_out_of_sight() -> None:
    ends = {status for status in ROAD.statuses if not ROAD.from_status(status)} - set(REPLACED)
    assert ends <= set(load_policy(date(2026, 1, 1)).watch.rebound)


@pytest.mark.parametrize("end", sorted(ENDS))
def test_what_is_built_over_a_dropped_case_reopens_it(tmp_path: Path, end: str) -> None:
    store = new_store(tmp_path)
    seen(store, box(0, 0, 40))
    case = store.cases(CaseFilter()).items[0].id
    for to, role, evidence in ENDS[end]:
        actor = AUDITOR if role == "legal" else "王芳"
        store.move(case, to, ROAD, actor=actor, role=role, evidence=evidence, at=day("05-01"))
    seen(store, box(0, 0, 40), pair_id="again", between=("03-01", "06-15"))
    assert (store.case(case).status, store.events(case)[-1].kind) == (end, "carried")
    seen(store, box(0, 0, 60), pair_id="later", between=("08-15", "09-15"), kind="building_appeared")
    now = store.case(case)
    assert (now.status, now.held, store.events(case)[-1].kind) == ("suspected", {}, "rebound")
