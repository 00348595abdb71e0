"""Verdicts that carry over and verdicts that do not, rebounds, and ground that was not seen; answers by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cases import places
from cases.ledger import Added
from cases.store import CaseFilter, CaseStore
from ground.errors import IllegalMove
from tests.cases_world import ROAD, book, new_store
from tests.spots_world import WAY, box, bring, seen

LAW = book(
    {"id": "APPROVED", "verdict": "lawful", "when": {"approvals_share": {"min": 0.99}}},
)
SCENES = [
    {
        "id": name, "name": name, "sensor": "gf-2", "acquired": datetime(2025, month, 1, 3, tzinfo=UTC), "gsd_m": 1.0,
        "href": f"{name}.tif", "west": 111.99, "south": 36.99, "east": 112.02, "north": 37.02,
    }
    for name, month in (("march", 3), ("april", 4), ("june", 6), ("july", 7))
]  # fmt: skip


def pair(before: str, after: str) -> dict[str, Any]:
    """What a run of two of these scenes says of them."""
    scenes = [scene for scene in SCENES if scene["name"] in (before, after)]
    made = {"id": f"{before}-{after}", "before_scene": before, "after_scene": after, "made": {}}
    return {"scenes": scenes, "pair": made}


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = new_store(tmp_path)
    seen(made, box(0, 0, 40))
    return made


def only(store: CaseStore) -> Any:
    (case,) = store.cases(CaseFilter()).items
    return case


def last(store: CaseStore) -> Any:
    return store.events(only(store).id)[-1]


@pytest.mark.parametrize("verdict", ["lawful", "rural_road", "pseudo_change"])
def test_a_verdict_holds_where_nothing_changed(store: CaseStore, verdict: str) -> None:
    bring(store, only(store).id, verdict)
    again = seen(store, box(6, 4, 40), pair_id="other", between=("03-01", "06-01"))
    assert again == Added(1, 1, 0, carried=1)
    assert (only(store).status, only(store).version) == (verdict, 6)
    assert (last(store).kind, last(store).from_status, last(store).to_status) == ("carried", verdict, verdict)
    assert f"{verdict} since 2025-05-01 by 王芳 holds: vegetation_loss" in last(store).reason
    assert places.totals(store)["visits_saved"] == 1


def test_what_grew_asks_for_a_new_look_with_nothing_in_hand(store: CaseStore) -> None:
    bring(store, only(store).id, "lawful")
    assert seen(store, box(0, 0, 80, 40), pair_id="other", between=("03-01", "06-01")) == Added(
        1, 1, 0, reopened=1
    )
    now = only(store)
    # 40 × 40 m more, less the tolerance of 10 m along the one side they share.
    assert (now.status, now.held, now.version, round(now.area_m2)) == ("suspected", {}, 7, 3200)
    assert (last(store).kind, last(store).from_status, last(store).to_status) == (
        "new_look",
        "lawful",
        "suspected",
    )
    assert "it grew by 1200 m² beyond what was known" in last(store).reason
    with pytest.raises(IllegalMove):
        store.move(now.id, "lawful", ROAD, actor="王芳", role="province", evidence={"document": "old"})
    # Looked at once more, the larger outline is what was judged.
    bring(store, now.id, "lawful", on="07-01")
    assert seen(store, box(5, 0, 80, 40), pair_id="third", between=("03-01", "08-01")).carried == 1


def test_a_building_on_ground_judged_as_bare_asks_for_a_new_look(store: CaseStore) -> None:
    bring(store, only(store).id, "lawful")
    more = {"pair_id": "other", "between": ("03-01", "06-01")}
    assert seen(store, box(0, 0, 39), kind="building_appeared", **more).reopened == 1
    assert "its class is building_appeared; what was judged is vegetation_loss" in last(store).reason
    # A vaguer word for what was judged is nothing new.
    bring(store, only(store).id, "lawful", on="07-01")
    assert (
        seen(store, box(0, 0, 38), kind="unclassified", pair_id="third", between=("03-01", "08-01")).carried
        == 1
    )


def test_a_document_that_has_ended_explains_nothing(store: CaseStore) -> None:
    bring(store, only(store).id, "lawful", valid_until="2025-06-30")
    assert seen(store, box(2, 0, 40), pair_id="june", between=("03-01", "06-30")).carried == 1
    assert seen(store, box(2, 2, 40), pair_id="july", between=("03-01", "07-01")).reopened == 1
    assert "its document held until 2025-06-30, this is of 2025-07-01" in last(store).reason


def with_approval(store: CaseStore, number: str | None, x: float, **more: Any) -> Added:
    """A batch whose facts say that an approval of this number covers most of the change."""
    from dataclasses import replace

    import pandas as pd

    from cases.ledger import record
    from tests.cases_world import entry_of, lonlat_changes
    from tests.spots_world import day

    days = {"before": pd.Timestamp(day("03-01")), "after": pd.Timestamp(day("06-01"))}
    entry = entry_of(lonlat_changes(box(x, 500, 40), change_class="linear", **days, **more), rulebook=LAW)
    facts = {
        change: replace(f, values=f.values | {"approvals_numbers": number, "approvals_share": 0.9})
        for change, f in entry.facts.items()
    }
    return record(store, replace(entry, facts=facts), ROAD)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("A-1", ""),
        ("A-1, B-2", ""),
        ("B-2", "A-1 of approvals is not in force on 2025-06-01"),
        ("", "A-1 of approvals is not in force on 2025-06-01"),
        (None, "approvals_numbers is unknown now, so A-1 cannot be shown to hold"),
    ],
)
def test_an_approval_of_the_cadastre_must_still_be_in_force(
    store: CaseStore, number: str | None, said: str
) -> None:
    assert with_approval(store, "A-1", 0, pair_id="one").cases == 1
    case = store.cases(CaseFilter()).items[-1]
    bring(store, case.id, "lawful")
    added = with_approval(store, number, 3, pair_id="two")
    assert (added.carried, added.reopened) == ((0, 1) if said else (1, 0))
    assert said in store.events(case.id)[-1].reason


def test_a_pseudo_change_vouches_for_no_later_change_and_not_for_ever(store: CaseStore) -> None:
    bring(store, only(store).id, "pseudo_change")
    # 92 days from May 1 end on August 1.
    assert seen(store, box(1, 0, 40), pair_id="a", between=("04-30", "08-01")).carried == 1
    assert seen(store, box(2, 0, 40), pair_id="b", between=("04-30", "08-02")).reopened == 1
    assert "holds for 92 days, until 2025-08-01" in last(store).reason
    bring(store, only(store).id, "pseudo_change", on="09-01")
    assert seen(store, box(3, 0, 40), pair_id="c", between=("09-02", "10-01")).reopened == 1
    assert "began after 2025-09-02; pseudo_change of 2025-09-01 says nothing of it" in last(store).reason


@pytest.mark.parametrize("verdict", ["signed_off", "closed"])
def test_a_violation_over_a_closed_case_is_a_rebound(store: CaseStore, verdict: str) -> None:
    bring(store, only(store).id, verdict)
    before = only(store).version
    assert seen(store, box(2, 0, 40), pair_id="other", between=("06-01", "07-01")) == Added(
        1, 1, 0, reopened=1
    )
    now = only(store)
    assert (now.status, now.held, now.version) == ("suspected", {}, before + 1)
    assert (last(store).kind, last(store).from_status, last(store).to_status) == (
        "rebound",
        verdict,
        "suspected",
    )
    assert f"seen on 2025-07-01, after it was {verdict} on 2025-05-01" in last(store).reason
    # No way on to a notice with what was in hand before.
    with pytest.raises(IllegalMove):
        store.move(now.id, "notice", ROAD, actor="王芳", role="county")


def test_an_old_change_seen_again_is_a_rebound_only_where_the_ground_was_given_back(tmp_path: Path) -> None:
    for verdict, outcome in (("signed_off", "rebound"), ("closed", "carried")):
        folder = tmp_path / verdict
        folder.mkdir()
        made = new_store(folder)
        seen(made, box(0, 0, 40))
        bring(made, only(made).id, verdict)
        seen(made, box(2, 0, 40), pair_id="late", between=("02-01", "04-15"))
        assert last(made).kind == "carried"
        seen(made, box(2, 1, 40), pair_id="across", between=("03-01", "06-01"))
        assert last(made).kind == outcome


def test_trees_over_a_signed_off_place_are_no_rebound(store: CaseStore) -> None:
    bring(store, only(store).id, "signed_off")
    seen(store, box(2, 0, 40), pair_id="other", between=("06-01", "07-01"), kind="vegetation_gain")
    assert (only(store).status, last(store).kind) == ("signed_off", "carried")


def test_a_far_larger_change_over_a_closed_case_opens_its_own_and_reopens_that_one(store: CaseStore) -> None:
    first = only(store).id
    bring(store, first, "signed_off")
    assert seen(store, box(-200, -200, 500), pair_id="other", between=("06-01", "07-01")).cases == 1
    assert store.case(first).status == "suspected"
    assert "it lies over it by 1600 m², in case-" in store.events(first)[-1].reason
    # The old case stands on its own change still.
    assert round(store.case(first).area_m2) == 1600


def test_later_maps_say_what_they_saw_of_a_watched_place(store: CaseStore) -> None:
    case = only(store)
    bring(store, case.id, "signed_off")
    run = pair("april", "june")
    far = box(900, 900, 40)

    def looks() -> list[tuple[Any, ...]]:
        return [(look["pair_id"], look["outcome"], look["seen"]) for look in places.spot(store, case.id)[2]]

    seen(store, far, pair_id="a", between=("03-01", "04-01"), **pair("march", "april"))
    assert looks() == []  # an earlier map
    seen(store, far, pair_id="b", between=("04-01", "06-01"), **run)
    assert looks() == [("april-june", "unknown", None)]
    seen(store, far, pair_id="b", between=("04-01", "06-01"), **run)
    assert len(looks()) == 1
    later = pair("june", "july")
    seen(
        store,
        far,
        pair_id="c",
        between=("06-01", "07-01"),
        observed=lambda shapes: [0.4] * len(shapes),
        **later,
    )
    assert looks()[1:] == [("june-july", "unseen", 0.4)]
    assert (
        places.spot(store, case.id)[2][1]["why"]
        == "the map shows 40% of it: what happened there was not seen"
    )
    across = pair("march", "july")
    seen(
        store,
        far,
        pair_id="d",
        between=("03-01", "07-01"),
        observed=lambda shapes: [1.0] * len(shapes),
        **across,
    )
    assert looks()[2:] == [("march-july", "unchanged", 1.0)]
    assert only_status(store, case.id) == "signed_off"
    more = pair("march", "june")
    seen(store, box(1, 0, 40), pair_id="march-june", between=("03-01", "06-01"), **more)
    assert looks()[3:] == [("march-june", "rebound", None)]
    assert only_status(store, case.id) == "suspected"


def only_status(store: CaseStore, case: str) -> str:
    return store.case(case).status


def test_who_read_the_case_before_it_came_back_is_told(store: CaseStore) -> None:
    bring(store, only(store).id, "lawful")
    read = only(store)
    seen(store, box(0, 0, 80, 40), pair_id="other", between=("03-01", "06-01"))
    with pytest.raises(
        IllegalMove, match=r"was moved to suspected by tiankan at .* \(you read version 6, it is at 7\)"
    ):
        store.move(read.id, "objection", ROAD, actor="李伟", role="county", version=read.version)


def test_nothing_brought_before_a_rebound_leads_to_a_penalty(store: CaseStore) -> None:
    """Every shortest way on from a reopened case needs the lock's evidence anew."""
    from cases.workflow import LOCK, PENALTY

    bring(store, only(store).id, "closed")
    seen(store, box(2, 0, 40), pair_id="other", between=("06-01", "07-01"))
    case = only(store).id
    for status, role, evidence in WAY["closed"]:
        given = {kind: text for kind, text in evidence.items() if kind not in LOCK}
        try:
            store.move(case, status, ROAD, actor="王芳", role=role, evidence=given)
        except IllegalMove as refused:
            assert "field_evidence" in str(refused)
            break
    assert only(store).status not in PENALTY | {"violation"}
