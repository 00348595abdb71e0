"""What a run writes: all or nothing, once; a new law adds judgements and moves no case."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cases import history, ledger
from cases.ledger import Added
from cases.rules import Verdict
from cases.store import CaseFilter, CaseStore, open_store
from tests.cases_world import (
    AFTER,
    ROAD,
    SMALL_BOOK,
    book,
    entry_of,
    lonlat_changes,
    new_store,
    put,
    row_of_changes,
)

TABLES = ("scene", "pair", "change", "judgement", "enforcement_case", "event")
SCENES = [
    {
        "id": name, "name": name, "sensor": "sentinel-2", "acquired": None, "gsd_m": 10.0, "href": f"{name}.tif",
        "west": 100.0, "south": 35.0, "east": 101.0, "north": 36.0,
    }
    for name in ("one", "two")
]  # fmt: skip
PAIR = {"id": "pair", "before_scene": "one", "after_scene": "two", "made": {"detector": "irmad"}}
LENIENT = book(
    {"id": "FREE", "verdict": "lawful", "when": {"change_area_m2": {"min": 0}}}, effective_from="2024-01-01"
)
STRICT = book(effective_from="2024-01-01")


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def counts(store: CaseStore) -> list[int]:
    with store.transaction() as session:
        return [session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def everything(store: CaseStore) -> list[list[Any]]:
    with store.transaction() as session:
        return [session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all() for table in TABLES]


def mixed() -> Any:
    """A hectare and more of loss, one of gain, and a sliver of some 80 m²: suspected, doubt, other."""
    boxes = [(100, 35, 100.002, 35.001), (100.01, 35, 100.011, 35.001), (100.02, 35, 100.0201, 35.00008)]
    return lonlat_changes(*boxes, change_class=["vegetation_loss", "vegetation_gain", "unclassified"])


def test_one_run_fills_every_table(store: CaseStore) -> None:
    entry = entry_of(mixed(), scenes=SCENES, pair=PAIR)
    assert ledger.record(store, entry, ROAD) == Added(changes=3, judgements=3, cases=2)
    assert counts(store) == [2, 1, 3, 3, 2, 2]
    suspected, doubt = store.cases(CaseFilter()).items
    assert (suspected.verdict, suspected.rule_id, suspected.status) == (
        "suspected_violation",
        "LAST",
        "suspected",
    )
    assert (doubt.verdict, doubt.rule_id, doubt.status) == ("doubt", "APPROVED", "doubt")
    assert doubt.missing == {"approvals_share": "no layer in layers.toml measures it"}
    assert (doubt.proof, doubt.basis, doubt.rulebook) == (
        "number of the approval",
        "basis of APPROVED",
        SMALL_BOOK.version,
    )
    assert doubt.seen == {"change_area_m2": doubt.facts["change_area_m2"], "change_class": "vegetation_gain"}
    assert suspected.bbox == pytest.approx((100, 35, 100.002, 35.001))
    assert suspected.after is not None
    assert suspected.after.isoformat() == AFTER.replace("Z", "+00:00")
    assert suspected.id == f"case-{suspected.change_id}"
    assert [scene.id for scene in store.scenes()] == ["one", "two"]
    assert store.pairs() == [{"id": "pair", "before_scene": "one", "after_scene": "two"}]
    assert [c.verdict for c in store.changes().items] == ["suspected_violation", "doubt", "other"]
    assert store.changes().items[2].case_id is None


def test_the_same_run_again_adds_nothing_at_all(store: CaseStore) -> None:
    entry = entry_of(mixed(), scenes=SCENES, pair=PAIR)
    ledger.record(store, entry, ROAD)
    before = everything(store)
    assert ledger.record(store, entry, ROAD) == Added(0, 0, 0)
    assert everything(store) == before


def test_the_order_of_rows_changes_no_id(tmp_path: Path) -> None:
    one, other = open_store(str(tmp_path / "1.db")), open_store(str(tmp_path / "2.db"))
    frame = row_of_changes(20)
    put(one, frame)
    put(other, frame.iloc[::-1].reset_index(drop=True))
    for kind in ("change_id", "id"):
        ids = [{getattr(case, kind) for case in store.cases(CaseFilter()).items} for store in (one, other)]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 20
    assert put(one, frame.sample(frac=1, random_state=1).reset_index(drop=True)) == Added(0, 0, 0)
    with one.transaction() as a, other.transaction() as b:
        judged = [set(session.scalars(text("SELECT id FROM judgement"))) for session in (a, b)]
    assert judged[0] == judged[1]


def test_a_new_law_adds_judgements_and_a_line_and_moves_no_case(store: CaseStore) -> None:
    put(store, mixed())
    suspected, doubt = (case.id for case in store.cases(CaseFilter()).items)
    store.move(suspected, "field_check", ROAD, actor="李伟", role="county")
    assert put(store, mixed(), rulebook=LENIENT) == Added(changes=0, judgements=3, cases=0)
    now = store.case(suspected)
    assert (now.status, now.version) == ("field_check", 2)
    assert (now.verdict, now.rule_id, now.rulebook) == ("lawful", "FREE", LENIENT.version)
    assert store.case(doubt).status == "doubt"
    last = store.events(suspected)[-1]
    assert (last.kind, last.actor, last.role) == ("judged", "tiankan", "machine")
    assert (last.from_status, last.to_status) == ("field_check", "field_check")
    assert last.reason == "judged again: lawful by rule FREE"
    # Back to the old law: it is said again, so that each day's verdicts can be found; saying it twice adds nothing.
    assert put(store, mixed()) == Added(0, 3, 0)
    assert put(store, mixed()) == Added(0, 0, 0)
    assert store.case(suspected).rule_id == "LAST"
    assert [event.kind for event in store.events(suspected)] == ["opened", "moved", "judged", "judged"]
    assert counts(store)[2:] == [3, 9, 2, 2 + 1 + 2 + 2]


def test_a_stricter_law_opens_the_case_that_was_none(store: CaseStore) -> None:
    put(store, mixed())
    assert put(store, mixed(), rulebook=STRICT) == Added(changes=0, judgements=3, cases=1)
    assert [case.serial for case in store.cases(CaseFilter()).items] == [1, 2, 3]
    assert {case.verdict for case in store.cases(CaseFilter()).items} == {"suspected_violation"}


def test_new_facts_are_a_new_judgement(store: CaseStore) -> None:
    entry = entry_of(mixed())
    ledger.record(store, entry, ROAD)
    change = entry.changes["change_id"].iloc[0]
    known = replace(entry.facts[change], values=entry.facts[change].values | {"roads_m2": 12.5})
    again = replace(entry, facts=entry.facts | {change: known})
    assert ledger.record(store, again, ROAD) == Added(changes=0, judgements=1, cases=0)
    assert store.case(f"case-{change}").facts["roads_m2"] == 12.5


def test_dates_and_class_that_are_known_only_later_are_taken_over(store: CaseStore) -> None:
    box = (100, 35, 100.002, 35.001)
    put(store, lonlat_changes(box, before=None, after=None))
    (case,) = store.cases(CaseFilter()).items
    assert (case.before, case.after, case.change_class) == (None, None, "unclassified")
    assert (
        put(store, lonlat_changes(box, change_class="linear")).changes == 0
    )  # the same outline, the same change
    now = store.case(case.id)
    assert (now.change_class, now.after.isoformat() if now.after else "") == (
        "linear",
        AFTER.replace("Z", "+00:00"),
    )


def test_a_run_without_region_does_not_take_it_away(store: CaseStore) -> None:
    put(store, mixed(), region="140105")
    put(store, mixed(), region="")
    assert {case.region for case in store.cases(CaseFilter()).items} == {"140105"}
    put(store, mixed(), region="140106")
    assert {case.region for case in store.cases(CaseFilter()).items} == {"140106"}


def test_a_machine_opens_at_suspected_or_doubt_only(store: CaseStore) -> None:
    put(store, mixed())
    put(store, mixed(), rulebook=STRICT)
    assert {case.status for case in store.cases(CaseFilter()).items} <= {"suspected", "doubt"}
    with store.transaction() as session:
        said = set(session.scalars(text("SELECT verdict FROM judgement")))
    assert said <= {verdict.value for verdict in Verdict}
    assert "violation" not in said


@pytest.mark.parametrize("step", ["_changes", "_judgements", "_judged_again", "event"])
@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_fault_half_way_leaves_nothing(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch, step: str, fault: type[BaseException]
) -> None:
    room = history if step == "event" else ledger
    real, calls = getattr(room, step), iter(range(100))

    def breaks(*given: Any, **more: Any) -> Any:
        done = real(*given, **more)
        # The events of a run are many: break at the second.
        if step != "event" or next(calls) == 1:
            raise fault("half-way")
        return done

    monkeypatch.setattr(room, step, breaks)
    with pytest.raises(fault):
        ledger.record(store, entry_of(mixed(), scenes=SCENES, pair=PAIR), ROAD)
    assert counts(store) == [0] * 6
    monkeypatch.undo()
    assert ledger.record(store, entry_of(mixed(), scenes=SCENES, pair=PAIR), ROAD) == Added(3, 3, 2)


def test_a_fault_in_a_move_leaves_the_case_where_it_was(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, mixed())
    key = store.cases(CaseFilter()).items[0].id
    before = everything(store)

    def breaks(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(history, "append", breaks)
    with pytest.raises(RuntimeError, match="half-way"):
        store.move(key, "field_check", ROAD, actor="李伟", role="county")
    monkeypatch.undo()
    assert everything(store) == before


def test_two_who_record_one_run_at_once(store: CaseStore) -> None:
    frame, added = row_of_changes(40), []
    threads = [threading.Thread(target=lambda: added.append(put(store, frame))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added, key=lambda a: a.changes) == [Added(0, 0, 0)] * 3 + [Added(40, 40, 40)]
    assert counts(store)[2:] == [40, 40, 40, 40]


def test_a_county_of_five_thousand_changes(store: CaseStore, record_property: Any) -> None:
    entry = entry_of(row_of_changes(5000))
    start = time.perf_counter()
    assert ledger.record(store, entry, ROAD) == Added(5000, 5000, 5000)
    record_property("seconds_to_record_5000", round(time.perf_counter() - start, 2))
    start = time.perf_counter()
    assert ledger.record(store, entry, ROAD) == Added(0, 0, 0)
    record_property("seconds_to_record_5000_again", round(time.perf_counter() - start, 2))
    page = store.cases(CaseFilter(), after=4990)
    assert (page.total, [case.serial for case in page.items]) == (5000, list(range(4991, 5001)))
