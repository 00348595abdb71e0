"""Clocks of cases in a database: what a tick says and says once, disasters, moments of the past, the verbs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from cadastre.layers import Layer
from cases import history, ticking
from cases.store import CaseFilter, CaseStore
from cases.ticking import lights, summary, tick
from database.audit import audit, look
from ground.errors import BadInput, NotFound
from tests.cases_world import ROAD, lonlat_changes, new_store, put, row_of_changes
from tests.registry_world import brought, written
from tests.test_cli import tiankan

PHOTO = {"photo": "p", "field_evidence": "f"}


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def moment(day: str) -> datetime:
    """Noon in Shanxi."""
    return datetime.fromisoformat(f"{day}T04:00:00+00:00").astimezone(UTC)


def opened(store: CaseStore, count: int, on: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> list[str]:
    """Cases as a run of that day opened them: suspected."""
    from cases import ledger

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            del tz
            return moment(on)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "datetime", Then)
        before = {case.id for case in store.cases(CaseFilter(), limit=1000).items}
        put(store, row_of_changes(count, **more))
    return [case.id for case in store.cases(CaseFilter(), limit=1000).items if case.id not in before]


def move(store: CaseStore, case: str, to: str, on: str, role: str = "county", **evidence: str) -> None:
    store.move(case, to, ROAD, actor="李伟", role=role, evidence=evidence, at=moment(on))


def told(store: CaseStore, case: str) -> list[str]:
    return [event.kind for event in store.events(case)]


def test_a_tick_says_what_is_due_and_says_it_once(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    late, quick = opened(store, 2, "2024-03-04", monkeypatch)
    move(store, quick, "field_check", "2024-03-04")
    move(store, quick, "proven", "2024-03-05", **PHOTO)
    assert tick(store, moment("2024-03-05")).notices == {"warned": 1}  # assigned: the same day
    done = tick(store, moment("2024-03-08"))
    # First check: reminded of the 7th, warned on the 8th; feedback warned on the 8th.
    assert done.notices == {"reminded": 1, "warned": 2}
    assert tick(store, moment("2024-03-08")).notices == {}
    assert told(store, late) == ["opened", "warned", "reminded", "warned", "warned"]
    assert told(store, quick) == ["opened", "moved", "moved"]
    event = store.events(late)[-1]
    assert (event.actor, event.role, event.from_status, event.to_status) == (
        "tiankan", "machine", "suspected", "suspected",
    )  # fmt: skip
    assert [e.reason for e in store.events(late)[2:3]] == [
        "首次外业核查 first field check: is due on 2024-03-07"
    ]
    tick(store, moment("2024-03-11"))
    (lifted,) = [event for event in store.events(late) if event.kind == "lifted"]
    assert lifted.evidence == {"clock": "first_check", "level": "city"}
    assert lifted.reason == "首次外业核查 first field check: was due on 2024-03-07, lifted to the city"
    assert audit(store.engine.url.render_as_string(hide_password=False)).faults == []


def test_no_clock_is_moved_back(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store, 1, "2024-03-04", monkeypatch)
    tick(store, moment("2024-03-08"))
    with pytest.raises(BadInput, match="lies before the last tick, 2024-03-08T04:00:00"):
        tick(store, moment("2024-03-07"))
    with pytest.raises(BadInput, match="lies in the future"):
        tick(store, datetime(2999, 1, 1, tzinfo=UTC))
    with pytest.raises(BadInput, match="clocks tick for every region"):
        tick(store.scoped("14"), moment("2024-03-09"))
    with store.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM tick")).scalar_one() == 1


def test_killed_half_way_it_said_nothing(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)

    def breaks(*_: Any) -> None:
        raise RuntimeError("half-way")

    with monkeypatch.context() as patch:
        patch.setattr(history, "append", breaks)
        with pytest.raises(RuntimeError):
            tick(store, moment("2024-03-08"))
    assert told(store, case) == ["opened"]
    assert tick(store, moment("2024-03-08")).notices == {"reminded": 1, "warned": 3}


def test_notices_and_ticks_are_never_altered(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(store, 1, "2024-03-04", monkeypatch)
    tick(store, moment("2024-03-08"))
    for statement in ("UPDATE notice SET clock = 'x'", "DELETE FROM notice", "UPDATE tick SET notices = 0"):
        with pytest.raises(DatabaseError, match="added, never changed"), store.engine.begin() as by_hand:
            by_hand.execute(text(statement))


@settings(max_examples=12, deadline=None)
@given(days=st.lists(st.integers(0, 60), max_size=5))
def test_many_ticks_say_what_one_late_tick_says(
    tmp_path_factory: pytest.TempPathFactory, days: list[int]
) -> None:
    said = []
    with pytest.MonkeyPatch.context() as patch:
        for ticks in ([*sorted(days), 60], [60]):
            made = new_store(tmp_path_factory.mktemp("ticks"))
            cases = opened(made, 3, "2024-03-04", patch)
            move(made, cases[0], "field_check", "2024-03-06")
            move(made, cases[0], "proven", "2024-03-15", **PHOTO)
            for day in ticks:
                tick(made, moment(f"2024-{3 + (3 + day) // 30:02d}-{1 + (3 + day) % 30:02d}"))
            with made.transaction() as session:
                rows = session.execute(
                    text("SELECT id, case_id, clock, step, due, at FROM notice ORDER BY id")
                ).all()
            said.append(rows)
    assert said[0] == said[1] and len(said[0]) > 10


def test_a_disaster_stops_the_clocks_inside_it(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = opened(store, 2, "2024-03-04", monkeypatch)
    area = shapely.box(99.999, 34.999, 100.002, 35.002)
    inside = store.cases(CaseFilter(bbox=area.bounds)).items[0].id
    (outside,) = set(both) - {inside}
    columns = {"no": ["F1", "F2"], "since": ["2024-03-05", None], "until": ["2024-03-07", None]}
    written(
        tmp_path,
        "floods.gpkg",
        [area, shapely.box(100.009, 34.999, 100.012, 35.002)],
        crs="EPSG:4326",
        **columns,
    )
    described = Layer.model_validate(
        {
            "title": "Disasters", "path": "floods.gpkg", "coverage": "everywhere", "measures": ["share", "numbers"],
            "columns": {"number": "no", "valid_from": "since", "valid_to": "until"},
        }
    )  # fmt: skip
    brought(store, tmp_path, described, "2024-03-05", name="disaster_events")
    by_case = {(each.case_id, each.clock): each for each in lights(store, moment("2024-03-06"))}
    assert by_case[inside, "first_check"].light == "suspended"
    assert by_case[outside, "first_check"].light == "yellow"
    done = tick(store, moment("2024-03-08"))
    assert done.undated == ["F2"]
    by_case = {(each.case_id, each.clock): each for each in lights(store, moment("2024-03-08"))}
    # Friday the 8th, Monday and Tuesday.
    assert str(by_case[inside, "first_check"].due) == "2024-03-12"
    assert (by_case[inside, "first_check"].light, by_case[outside, "first_check"].light) == ("yellow", "red")
    assert told(store, inside).count("suspended") == 5  # also `assigned`, overdue since the 5th
    (event,) = [
        e for e in store.events(inside) if e.kind == "suspended" and e.evidence["clock"] == "first_check"
    ]
    assert event.reason.endswith("stands still since 2024-03-05: the place lies in disaster F1")
    # Before anybody knew of it, nothing stood still.
    running = [each for each in lights(store, moment("2024-03-04")) if each.clock != "issued"]
    assert {each.light for each in running} == {"yellow"}


def test_a_past_moment_and_regions(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (here,) = opened(store, 1, "2024-03-04", monkeypatch)
    put(store, lonlat_changes((101.0, 36.0, 101.001, 36.001)), region="41")
    move(store, here, "field_check", "2024-03-05")
    move(store, here, "proven", "2024-03-06", **PHOTO)
    past = {each.clock: each for each in lights(store, moment("2024-03-05"), case_id=here)}
    assert (past["first_check"].light, past["first_check"].stopped, past["filing"].light) == (
        "yellow",
        None,
        "blue",
    )
    now = {each.clock: each for each in lights(store, moment("2024-03-20"), case_id=here)}
    assert (now["first_check"].light, now["assigned"].light, now["assigned"].is_late) == (
        "green",
        "green",
        True,
    )
    assert now["settled"].light == "red"
    assert {each.case_id for each in lights(store, moment("2024-03-20"), region="14")} == {here}
    assert {each.region for each in lights(store.scoped("41"))} == {"41"}
    with pytest.raises(NotFound, match="was not open at 2024-03-01"):
        lights(store, moment("2024-03-01"), case_id=here)
    (row,) = [r for r in summary(lights(store, moment("2024-03-20"), region="14")) if r["clock"] == "settled"]
    assert row == {
        "region": "140105", "clock": "settled", "yellow": 0, "red": 1, "green": 0, "suspended": 0, "late": 1,
        "lifted": 0,
    }  # fmt: skip


def test_what_has_ended_is_looked_at_once_more(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)
    tick(store, moment("2024-03-04"))
    move(store, case, "field_check", "2024-03-11")
    for to, role in (("proven", "county"), ("city_review", "city"), ("province_review", "city")):
        move(store, case, to, "2024-03-12", role, **(PHOTO if to == "proven" else {}))
    move(store, case, "lawful", "2024-03-12", "province", document="d")
    # It was late before it was settled: that is said; nothing after it.
    first = tick(store, moment("2024-06-01"))
    assert first.cases == 1 and first.notices == {"lifted": 1, "reminded": 2, "warned": 4}
    again = tick(store, moment("2024-06-02"))
    assert (again.cases, again.notices) == (0, {})


def test_the_verbs(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)
    db = store.engine.url.render_as_string(hide_password=False)
    code, out, _ = tiankan("clocks", "tick", "--now", "2024-03-12", "--db", db, "--json")
    assert (code, json.loads(out)["notices"]) == (0, {"lifted": 1, "reminded": 2, "warned": 4})
    code, out, _ = tiankan("clocks", "list", "--now", "2024-03-12", "--light", "red", "--db", db, "--json")
    rows = json.loads(out)
    assert (code, [(row["clock"], row["level"]) for row in rows]) == (
        0, [("assigned", ""), ("first_check", "city"), ("feedback", ""), ("settled", "")],
    )  # fmt: skip
    code, out, _ = tiankan("clocks", "show", case, "--db", db, "--json")
    assert {row["light"] for row in json.loads(out) if row["clock"] != "issued"} == {"blue", "red"}
    (issued,) = [row for row in json.loads(out) if row["clock"] == "issued"]
    assert (issued["light"], issued["started"][:10], issued["due"]) == ("green", "2021-09-01", "2021-09-15")
    assert issued["late"]
    assert tiankan("clocks", "list", "--summary", "--db", db)[0] == 0
    code, _, err = tiankan("clocks", "list", "--light", "purple", "--db", db)
    assert (code, "--light: 'purple' is unknown; use one of blue, yellow" in err) == (2, True)
    code, _, err = tiankan("clocks", "list", "--clock", "nope", "--db", db)
    assert (code, "--clock: 'nope' is unknown; use one of issued, assigned, first_check" in err) == (2, True)
    code, _, err = tiankan("clocks", "tick", "--now", "2024-03-01", "--db", db)
    assert (code, "lies before the last tick" in err, "Traceback" in err) == (2, True, False)
    assert ticking.CLOCKS_TOML.is_file()


def test_a_tick_of_a_past_moment_leaves_cases_where_they_stand(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case,) = opened(store, 1, "2024-03-04", monkeypatch)
    move(store, case, "field_check", "2024-03-06")
    move(store, case, "proven", "2024-03-07", **PHOTO)
    assert tick(store, moment("2024-03-05")).notices == {"warned": 1}
    assert [(e.kind, e.to_status) for e in store.events(case)][-1] == ("warned", "proven")
    with store.transaction() as session:
        assert look(session, []).faults == []
