"""The ledger of cases and the road they go: nothing twice, nothing lost, nothing past the lock."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from cases import ledger
from cases.facts import Facts
from cases.rules import Judgement, Verdict
from cases.store import CaseFilter, CaseStore, open_store
from cases.workflow import LOCK, PENALTY, load_workflow
from detection import changes
from ground.errors import BadInput, IllegalMove, NotFound

UTM = CRS.from_epsg(32649)
EAST, NORTH = 600_000.0, 4_200_000.0
ROOT = Path(__file__).parent.parent


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A box in meters from the corner of the world."""
    return shapely.box(EAST + west, NORTH + south, EAST + east, NORTH + north)


def frame(
    *shapes: shapely.Polygon, before: str | None = "2020-05-01", after: str | None = "2021-05-01"
) -> Any:
    days = {
        "before": before and pd.Timestamp(before, tz="UTC"),
        "after": after and pd.Timestamp(after, tz="UTC"),
    }
    return changes.make(np.array(shapes), UTM, pair_id="0123456789abcdef", probability=0.9, **days)


def judged(change_frame: Any, verdict: Verdict = Verdict.SUSPECTED_VIOLATION) -> ledger.Entry:
    one = Judgement(
        verdict=verdict, rule_id="R", basis="b", seen={}, missing={}, proof="photo", rulebook="v1"
    )
    ids = change_frame["change_id"].tolist()
    return ledger.Entry(
        changes=change_frame, facts={i: Facts({"l_share": 0.0}) for i in ids}, judgements=dict.fromkeys(ids, one),
        regions=dict.fromkeys(ids, "140105"), layers={"layers.toml": "ab"}, scenes=[], pair={},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = open_store(str(tmp_path / "cases.db"))
    ledger.record(made, judged(frame(box(0, 0, 100, 100), box(200, 0, 260, 60))), load_workflow())
    return made


def test_recording_twice_adds_nothing_in_any_order(store: CaseStore) -> None:
    again = frame(box(200, 0, 260, 60), box(0, 0, 100, 100)).iloc[::-1]
    assert ledger.record(store, judged(again), load_workflow()) == ledger.Added(0, 0, 0)
    page = store.cases(CaseFilter())
    assert page.total == 2
    assert [e.kind for e in store.events(page.items[0].id)] == ["opened"]


def test_new_rules_add_a_judgement_and_move_nothing(store: CaseStore) -> None:
    entry = judged(frame(box(0, 0, 100, 100), box(200, 0, 260, 60)), Verdict.LAWFUL)
    newer = {i: replace(j, rulebook="v2") for i, j in entry.judgements.items()}
    assert ledger.record(store, replace(entry, judgements=newer), load_workflow()) == ledger.Added(0, 2, 0)
    case = store.cases(CaseFilter()).items[0]
    assert (case.verdict, case.status) == ("lawful", "suspected")
    assert [e.kind for e in store.events(case.id)] == ["opened", "judged"]


def test_a_fault_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_store(str(tmp_path / "half.db"))

    def fail(*_: Any) -> int:
        raise RuntimeError("power cut")

    monkeypatch.setattr(ledger, "_cases", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        ledger.record(made, judged(frame(box(0, 0, 100, 100))), load_workflow())
    assert made.changes().total == 0


@pytest.mark.parametrize("table", ["event", "judgement"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid"])
def test_history_cannot_be_rewritten(store: CaseStore, table: str, statement: str) -> None:
    with (
        pytest.raises(sa.exc.IntegrityError, match="rows are added, never changed"),
        store.engine.begin() as connection,
    ):
        connection.execute(sa.text(statement.format(table)))


def test_two_people_at_once_one_wins(store: CaseStore) -> None:
    case, results = store.cases(CaseFilter()).items[0].id, []
    start = threading.Barrier(6)

    def go(name: str) -> None:
        start.wait()
        try:
            store.move(case, "field_check", load_workflow(), actor=name, role="county")
            results.append("moved")
        except (IllegalMove, BadInput) as error:
            results.append(str(error))

    threads = [threading.Thread(target=go, args=(f"officer {i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("moved") == 1
    assert [e.kind for e in store.events(case)].count("moved") == 1
    assert store.case(case).version == 2


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sets(st.sampled_from(sorted(LOCK | {"photo", "reason"})))),
        max_size=25,
    )
)
def test_no_road_leads_past_the_lock(steps: list[tuple[int, set[str]]]) -> None:
    from cases.workflow import check_move

    road, status, held = load_workflow(), "suspected", dict[str, str]()
    for pick, brought in steps:
        held |= dict.fromkeys(brought, "Li Wei; Zhang San")
        onward = road.from_status(status)
        if not onward:
            break
        move = onward[pick % len(onward)]
        try:
            check_move(road, "c", status, move.to, actor="Li Wei", role=move.roles[0], held=held)
        except IllegalMove:
            continue
        status = move.to
        assert status not in PENALTY or set(held) >= LOCK


def test_machines_and_strangers_move_nothing(store: CaseStore) -> None:
    case = store.cases(CaseFilter()).items[0].id
    for actor, role in (("tiankan", "county"), ("  ", "county"), ("Li Wei", "province")):
        with pytest.raises(IllegalMove):
            store.move(case, "field_check", load_workflow(), actor=actor, role=role)
    with pytest.raises(IllegalMove, match="from here it can go to: field_check"):
        store.move(case, "decision", load_workflow(), actor="Li Wei", role="county")
    with pytest.raises(NotFound):
        store.move("nobody", "field_check", load_workflow(), actor="Li Wei", role="county")
    assert store.case(case).version == 1
