"""The clue–penalty lock in the database itself: whoever writes there by hand reaches no penalty on a clue."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cases.store import CaseFilter, CaseStore
from cases.workflow import AUDITED, BEFORE, LOCK, PENALTY
from database.road import BEYOND, PARTS
from ground.errors import IllegalMove
from tests.cases_world import AUDITOR, ROAD, lonlat_changes, new_store, put, row_of_changes
from tests.spots_world import box, bring, seen

FULL = {"field_evidence": "f", "two_officers": "李伟;张敏", "legal_audit": "l", "photo": "p"}
HELD: list[dict[str, Any]] = [
    {},
    {k: v for k, v in FULL.items() if k != "legal_audit"},
    {k: v for k, v in FULL.items() if k != "field_evidence"},
    FULL | {"field_evidence": "  "},
    FULL | {"two_officers": "李伟"},
    FULL | {"two_officers": "李伟;"},
    FULL | {"two_officers": "李伟; 李伟"},
    FULL | {"two_officers": "Li Wei；li wei"},
    FULL | {"legal_audit": None},
    FULL | {"two_officers": "李伟;李伟;李伟"},
    FULL | {"two_officers": "李伟; 李 伟。"},
    FULL | {"two_officers": '李伟";"李伟'},
    FULL | {"two_officers": f"李伟; {AUDITOR}"},
]
ROAD_TO_AUDIT = [
    ("field_check", "county", {}),
    ("proven", "county", {"photo": "p", "field_evidence": "f"}),
    ("city_review", "city", {}),
    ("province_review", "city", {}),
    ("violation", "province", {"reason": "r"}),
    ("filed", "county", {}),
    ("investigation", "county", {"two_officers": "李伟;张敏"}),
]
AUDIT = ("audited", "legal", {"legal_audit": "l"})


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = new_store(tmp_path)
    put(made, row_of_changes(3))
    return made


def first(store: CaseStore) -> str:
    return store.cases(CaseFilter()).items[0].id


def walk(store: CaseStore, case: str, *steps: tuple[str, str, dict[str, str]]) -> None:
    for to, role, evidence in steps:
        actor = AUDITOR if role == "legal" else "王芳"
        store.move(case, to, ROAD, actor=actor, role=role, evidence=evidence)


def written(store: CaseStore, case: str, status: str, held: dict[str, Any]) -> bool:
    """Whether the database takes it from somebody who writes by hand."""
    try:
        with store.engine.begin() as by_hand:
            by_hand.execute(
                text("UPDATE enforcement_case SET status = :s, held = :h WHERE id = :c"),
                {"s": status, "h": json.dumps(held), "c": case},
            )
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize("status", sorted(PENALTY))
def test_no_hand_writes_a_clue_into_a_penalty(store: CaseStore, status: str) -> None:
    case = first(store)
    assert not any(written(store, case, status, held) for held in [*HELD, FULL])
    walk(store, case, *ROAD_TO_AUDIT)
    assert not any(written(store, case, status, held) for held in [*HELD, FULL])
    assert store.case(case).status == "investigation"


def test_after_the_audit_the_evidence_must_still_be_in_hand(store: CaseStore) -> None:
    case = first(store)
    walk(store, case, *ROAD_TO_AUDIT, AUDIT)
    assert not any(written(store, case, "notice", held) for held in HELD)
    assert not any(written(store, case, to, FULL) for to in sorted(PENALTY - {"notice"}))
    walk(store, case, ("notice", "county", {}))
    # Nor is it taken away once the notice is out.
    assert not any(written(store, case, "notice", held) for held in HELD)
    assert written(store, case, "decision", FULL)


def told_by_hand(store: CaseStore, case: str, origin: str, to: str, role: str, kind: str = "moved") -> bool:
    """Whether the database takes a line of history from somebody who writes by hand."""
    insert = (
        "INSERT INTO event (case_id, at, kind, actor, role, from_status, to_status, reason, evidence) "
        "VALUES (:c, '2026-11-01', :k, '赵六', :r, :o, :t, '', '{}')"
    )
    try:
        with store.engine.begin() as by_hand:
            by_hand.execute(text(insert), {"c": case, "k": kind, "r": role, "o": origin, "t": to})
    except IntegrityError:
        return False
    return True


def test_a_history_written_by_hand_skips_no_step(store: CaseStore) -> None:
    case = first(store)
    # As a clue, it was neither proven nor audited, whatever kind of line says so.
    for kind in ("moved", "opened", "evidence", "split", "new_look", "numbered"):
        assert not told_by_hand(store, case, "suspected", "proven", "county", kind)
        assert not told_by_hand(store, case, "investigation", "audited", "legal", kind)
        assert not told_by_hand(store, case, "audited", "audited", "legal", kind)
    assert not written(store, case, "audited", FULL) and not written(store, case, "investigation", FULL)
    walk(store, case, *ROAD_TO_AUDIT)
    # A step without its line: the next one is none.
    assert written(store, case, "audited", FULL)
    assert not told_by_hand(store, case, "suspected", "audited", "legal")
    # Nor does a line that leads nowhere stand for it.
    assert not told_by_hand(store, case, "audited", "audited", "legal", "evidence")
    assert not told_by_hand(store, case, "investigation", "audited", "machine")
    assert not written(store, case, "notice", FULL)


def test_a_case_keeps_its_name_its_change_and_itself(store: CaseStore) -> None:
    case, other = (one.id for one in store.cases(CaseFilter()).items[:2])
    put(store, lonlat_changes((101, 35, 101.00001, 35.00001), pair_id="small"))  # No case of its own.
    free = "(SELECT min(id) FROM change WHERE id NOT IN (SELECT change_id FROM enforcement_case))"
    walk(store, case, *ROAD_TO_AUDIT, AUDIT)
    for statement in (
        f"UPDATE enforcement_case SET change_id = {free} WHERE id = '{case}'",
        f"UPDATE enforcement_case SET id = 'case-x' WHERE id = '{other}'",
        f"UPDATE enforcement_case SET serial = serial + 100 WHERE id = '{other}'",
        f"UPDATE enforcement_case SET opened = '2020-01-01' WHERE id = '{other}'",
        f"DELETE FROM enforcement_case WHERE id = '{other}'",
    ):
        with pytest.raises(IntegrityError, match=r"keeps its id|about one change|cases are kept|violates"):
            with store.engine.begin() as by_hand:
                by_hand.execute(text(statement))
    assert [one.id for one in store.cases(CaseFilter()).items[:2]] == [case, other]


def test_an_audit_that_only_a_hand_wrote_is_none(store: CaseStore) -> None:
    case = first(store)
    walk(store, case, *ROAD_TO_AUDIT)
    assert written(store, case, "audited", FULL)  # No penalty yet; the chain tells of it.
    assert not written(store, case, "notice", FULL)


def test_the_first_round_is_no_proof_for_the_second(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    seen(store, box(0, 0, 40))
    case = first(store)
    bring(store, case, "closed")
    seen(store, box(0, 0, 40), pair_id="later", between=("05-15", "06-15"))
    assert [event.kind for event in store.events(case)][-1] == "rebound"
    assert not written(store, case, "audited", FULL)
    assert not written(store, case, "notice", FULL)


@pytest.mark.parametrize("status", sorted(BEYOND))
def test_no_case_begins_where_only_a_person_may_bring_it(store: CaseStore, status: str) -> None:
    insert = (
        "INSERT INTO enforcement_case (id, change_id, judgement_id, status, opened, held, version) "
        "SELECT 'case-x', (SELECT min(id) FROM change WHERE id NOT IN (SELECT change_id FROM enforcement_case)), "
        "judgement_id, :s, opened, :h, 1 FROM enforcement_case WHERE id = :c"
    )
    put(store, lonlat_changes((101, 35, 101.00001, 35.00001), pair_id="small"))  # No case of its own.
    with (
        store.engine.begin() as by_hand,
        pytest.raises(IntegrityError, match=r"a case begins where|a clue is no proof"),
    ):
        by_hand.execute(text(insert), {"s": status, "h": json.dumps(FULL), "c": first(store)})


@pytest.mark.parametrize("seed", range(4))
def test_whoever_tries_whatever_in_any_order(store: CaseStore, seed: int) -> None:
    """Moves by people and writes by hand, at random: a case in a penalty has gone the whole road."""
    dice, case = random.Random(seed), first(store)
    steps = {to: (to, role, evidence) for to, role, evidence in [*ROAD_TO_AUDIT, AUDIT]}
    passed: set[str] = set()
    for _ in range(120):
        status = store.case(case).status
        if dice.random() < 0.6:
            onward = [m.to for m in ROAD.from_status(status)]
            to, role, evidence = steps.get(
                dice.choice(onward or ["filed"]), (dice.choice(ROAD.statuses), "county", {})
            )
            try:
                walk(store, case, (to, role, evidence if dice.random() < 0.8 else {}))
                passed.add(to)
            except IllegalMove:
                pass
        else:
            written(store, case, dice.choice(ROAD.statuses), dice.choice([*HELD, FULL]))
        now = store.case(case)
        if now.status in PENALTY:
            assert {"proven", "audited"} <= passed
            assert all(str(now.held.get(kind) or "").strip() for kind in LOCK)


def test_the_words_of_the_database_are_those_of_the_code() -> None:
    from database.migrations.versions import v0004_seals, v0013_road

    first = {to: set(was.replace("'", "").split(", ")) - {to} for to, was in v0004_seals.BEFORE.items()}
    assert first == {to: set(BEFORE[to]) for to in PENALTY}
    assert set(v0004_seals.PENALTY.replace("'", "").split(", ")) == PENALTY
    told = {to: set(was.replace("'", "").split(", ")) for to, was in v0013_road.BEFORE.items()}
    assert told == {to: set(was) for to, was in BEFORE.items()}
    for words, ours in (
        (v0013_road.BEYOND, BEYOND),
        (v0013_road.PARTS, PARTS),
        (v0013_road.AUDITED, AUDITED),
    ):
        assert set(words.replace("'", "").split(", ")) == set(ours)
