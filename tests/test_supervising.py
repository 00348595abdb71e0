"""Supervision 挂牌督办: each level by itself, and it goes on with what takes the place of a case."""

from pathlib import Path

import pytest

from cases.store import CaseStore
from cases.supervising import supervise, supervised
from ground.errors import IllegalMove
from reports.retold import retold
from reports.words import Language, Words
from tests.cases_world import rect
from tests.splits_world import THIRDS, TO_REVIEW, cases, county, cut, is_whole, join, walk


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return county(tmp_path, *THIRDS[1:])


def order(store: CaseStore, case_id: str, level: str, role: str = "", **more: bool) -> None:
    actor = {"city": "刘洋", "province": "陈静"}[role or level]
    supervise(store, case_id, level=level, actor=actor, role=role or level, reason=f"r {level}", **more)


def levels(store: CaseStore) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in supervised(store):
        found.setdefault(one.case_id, []).append(one.level)
    return {case: sorted(each) for case, each in found.items()}


def test_a_city_takes_its_own_supervision_off_and_no_other(store: CaseStore) -> None:
    case = cases(store)[0].id
    order(store, case, "province")
    order(store, case, "city")
    assert levels(store) == {case: ["city", "province"]}
    order(store, case, "city", release=True)
    assert levels(store) == {case: ["province"]}
    with pytest.raises(IllegalMove, match="may not put it under supervision at level 'province'"):
        order(store, case, "province", role="city", release=True)
    with pytest.raises(IllegalMove, match="is not under supervision of the city"):
        order(store, case, "city", release=True)
    order(store, case, "province", release=True)
    assert levels(store) == {}


def test_parts_and_the_whole_are_supervised_as_what_they_came_from(store: CaseStore) -> None:
    first, second = (case.id for case in cases(store))
    order(store, second, "city")
    order(store, first, "city")
    order(store, first, "province")
    since = {(one.case_id, one.level): one.since for one in supervised(store)}
    whole = join(store, first, second).whole
    assert levels(store) == {whole.id: ["city", "province"]}
    assert {(one.level, one.since, one.actor, one.reason) for one in supervised(store)} == {
        ("city", since[second, "city"], "刘洋", "r city"), ("province", since[first, "province"], "陈静", "r province"),
    }  # fmt: skip
    parts = cut(store, whole.id, rect(60, 0, 80, 100), rect(80, 0, 200, 100)).parts
    assert levels(store) == {part.id: ["city", "province"] for part in parts}
    assert {one.since for one in supervised(store)} == {since[second, "city"], since[first, "province"]}
    event = next(e for e in store.events(parts[0].id) if e.evidence.get("level") == "city")
    day = f"{since[second, 'city']:%Y-%m-%d %H:%M}"
    assert event.reason == f"goes on from {whole.id}, ordered by 刘洋 at {day} UTC · r city"
    assert retold(event, Words(Language.ZH)) == f"承接 {whole.id}：由 刘洋 于 {day} UTC 挂牌督办 · r city"
    assert event.from_status == event.to_status == parts[0].status and event.actor == "tiankan"
    order(store, parts[0].id, "city", release=True)
    assert levels(store) == {parts[0].id: ["province"], parts[1].id: ["city", "province"]}
    for release in (False, True):
        with pytest.raises(IllegalMove, match="was split by 王芳"):
            order(store, whole.id, "city", release=release)
    assert is_whole(store)


def test_what_has_ended_is_not_put_under_supervision(store: CaseStore) -> None:
    case, other = (one.id for one in cases(store))
    order(store, case, "city")
    end = (
        ("violation", "province", {"reason": "r"}), ("rectification", "county", {}),
        ("verification", "county", {"photo": "q.jpg", "acceptance": "a"}),
        ("signed_off", "city", {"acceptance": "a", "later_scene": "s"}),
    )  # fmt: skip
    for one in (case, other):
        walk(store, one, *TO_REVIEW, *end)
    with pytest.raises(IllegalMove, match="is at signed_off, its road has ended; only what is on its road"):
        order(store, other, "city")
    order(store, case, "city", release=True)
    assert levels(store) == {}
