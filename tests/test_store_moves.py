"""One case moved: its event beside it, its evidence in hand as long as it lasts, nothing left of a refusal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cases.store import CaseFilter, CaseStore
from ground.errors import IllegalMove
from tests.cases_world import ROAD, new_store, put, row_of_changes


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Three cases, suspected."""
    made = new_store(tmp_path)
    put(made, row_of_changes(3))
    return made


def ids(store: CaseStore, **wanted: Any) -> list[str]:
    return [case.id for case in store.cases(CaseFilter(**wanted)).items]


def test_a_move_is_kept_with_its_event(store: CaseStore) -> None:
    key = ids(store)[1]
    at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    moved = store.move(key, "field_check", ROAD, actor=" 李伟 ", role="county", at=at)
    assert (moved.status, moved.version, moved.held) == ("field_check", 2, {})
    proof = {"photo": "IMG_0412.jpg", "field_evidence": "record 7"}
    moved = store.move(key, "proven", ROAD, actor="张敏", role="county", evidence=proof)
    assert (moved.status, moved.version, moved.held) == ("proven", 3, proof)
    assert store.case(key) == moved
    opened, first, second = store.events(key)
    assert (opened.kind, opened.actor, opened.role, opened.to_status) == (
        "opened",
        "tiankan",
        "machine",
        "suspected",
    )
    assert (first.at, first.actor, first.from_status, first.to_status) == (
        at,
        "李伟",
        "suspected",
        "field_check",
    )
    assert (second.evidence, second.reason) == (proof, "")
    assert opened.serial < first.serial < second.serial


def test_evidence_stays_in_hand_and_a_reason_is_told(store: CaseStore) -> None:
    key = ids(store)[0]
    proof = {"photo": "a.jpg", "field_evidence": "record 7"}
    for to, role, evidence in (
        ("field_check", "county", {}), ("proven", "county", proof), ("city_review", "city", {}),
        ("returned", "city", {"reason": "photo shows another field"}), ("field_check", "county", {}),
    ):  # fmt: skip
        store.move(key, to, ROAD, actor="李伟", role=role, evidence=evidence)
    with pytest.raises(IllegalMove, match="without field_evidence"):
        store.move(key, "proven", ROAD, actor="李伟", role="county", evidence={"photo": "b.jpg"})
    store.move(key, "proven", ROAD, actor="李伟", role="county", evidence=proof | {"photo": "b.jpg"})
    store.move(key, "city_review", ROAD, actor="王芳", role="city")
    with pytest.raises(IllegalMove, match="without reason"):  # yesterday's is no reason today
        store.move(key, "returned", ROAD, actor="王芳", role="city")
    with pytest.raises(IllegalMove, match="given by role legal only"):
        store.move(key, "province_review", ROAD, actor="王芳", role="city", evidence={"legal_audit": "fine"})
    assert store.case(key).held == {
        "photo": "b.jpg", "field_evidence": "record 7", "reason": "photo shows another field",
    }  # fmt: skip
    assert [event.reason for event in store.events(key)][4] == "photo shows another field"
    assert store.events(key)[2].evidence == proof  # history keeps the first photo


def test_a_refused_move_leaves_no_trace(store: CaseStore) -> None:
    key = ids(store)[0]
    before = store.case(key)
    for to, role, evidence in (
        ("decision", "county", {}),
        ("field_check", "city", {}),
        ("field_check", "county", {"x": "y"}),
    ):
        with pytest.raises(IllegalMove):
            store.move(key, to, ROAD, actor="李伟", role=role, evidence=evidence)
    assert store.case(key) == before
    assert len(store.events(key)) == 1


def test_who_read_an_older_version_is_told_who_moved_it(store: CaseStore) -> None:
    key = ids(store)[0]
    at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    read = store.case(key).version
    store.move(key, "field_check", ROAD, actor="张敏", role="county", at=at, version=read)
    said = (
        rf"case {key} was moved to field_check by 张敏 at 2026-03-04T05:06:00\+00:00 "
        r"\(you read version 1, it is at 2\); read it again"
    )
    proof = {"photo": "a.jpg", "field_evidence": "record 7"}
    with pytest.raises(IllegalMove, match=said):
        store.move(key, "proven", ROAD, actor="李伟", role="county", evidence=proof, version=read)
    assert len(store.events(key)) == 2
    assert (
        store.move(key, "proven", ROAD, actor="李伟", role="county", evidence=proof, version=2).version == 3
    )
    with pytest.raises(IllegalMove, match=r"moved by nobody yet \(you read version 7, it is at 1\)"):
        store.move(ids(store)[1], "field_check", ROAD, actor="李伟", role="county", version=7)
