"""No status without a clock, be it with review or with other authorities; days that clocks cannot reckon with."""

from datetime import date, datetime
from pathlib import Path

import pytest
import shapely

from cadastre.layers import Layer
from cases import history
from cases.overdue import overdue
from cases.store import CaseFilter, CaseStore
from cases.ticking import lights, tick
from cases.workflow import load_workflow
from clocks.calendar import EARLIEST, LATEST, Due, Pause, as_day, calendar_of
from clocks.policy import IMAGERY
from clocks.running import RED, YELLOW, Moved, runs
from ground.errors import IllegalMove
from reports.statistics import statistics
from tests.cases_world import ROAD, new_store
from tests.registry_world import brought, written
from tests.spots_world import WAY, box, seen
from tests.test_cli import tiankan
from tests.test_clocks import CLOCKS, SHANGHAI, at, moved, run_of
from tests.test_ticking import moment, opened, told

DAY_ONE = moment("2024-03-04")


def test_every_stage_of_review_has_its_own_ten_days() -> None:
    moves = [
        moved("proven", "2024-03-04"),
        moved("city_review", "2024-03-18"),
        moved("province_review", "2024-03-20"),
    ]
    found = [
        run for run in runs([*moves, moved("violation", "2024-04-08")], CLOCKS) if run.rule.id == "review"
    ]
    assert [(run.due.day, run.stopped, run.was_late) for run in found] == [
        (date(2024, 3, 18), at("2024-03-18"), False), (date(2024, 4, 1), at("2024-03-20"), False),
        (date(2024, 4, 3), at("2024-04-08"), True),
    ]  # fmt: skip
    for end in ("returned", "lawful", "pseudo_change"):
        assert run_of("review", *moves, moved(end, "2024-03-21")).stopped == at("2024-03-21")
    objected = run_of("review", moved("violation", "2024-03-01"), moved("objection", "2024-03-04"))
    assert [(step.name, step.at) for step in objected.steps(at("2024-06-01"))] == [
        ("reminded", at("2024-03-15T00:00")), ("warned", at("2024-03-19T00:00")),
        ("lifted:city", at("2024-03-24T00:00")), ("lifted:province", at("2024-04-03T00:00")),
    ]  # fmt: skip


def test_what_was_handed_over_is_followed_up() -> None:
    for place in ("police", "discipline"):
        run = run_of("handed_over", moved(place, "2024-02-08"))
        assert (run.light(at("2024-04-08")), run.light(at("2024-04-09"))) == (YELLOW, RED)
        assert run.steps(at("2025-01-01"))[-1][:1] + run.steps(at("2025-01-01"))[-1][2:3] == (
            "lifted:province", at("2024-05-09T00:00"),
        )  # fmt: skip
        for end in ("investigation", "closed"):
            assert (
                run_of("handed_over", moved(place, "2024-02-08"), moved(end, "2024-03-01")).stopped
                is not None
            )


def test_no_status_on_the_road_is_without_a_clock() -> None:
    """Whatever status a case stands at, having come the shortest way, a clock runs; but for what was just verified."""
    road, ended = load_workflow(), {*CLOCKS.edition[0].ended}
    ways = {status: [status] for status in road.start.values()}
    for _ in road.statuses:
        for step in road.moves:
            for origin in [one for one in step.origins if one in ways and step.to not in ways]:
                ways[step.to] = [*ways[origin], step.to]
    assert {"police", "objection", "province_review", "court"} <= set(ways)
    for status, way in ways.items():
        if status not in ended:
            moves = [Moved(to, at("2024-03-04"), {}) for to in way]
            assert [run.rule.id for run in runs(moves, CLOCKS) if run.stopped is None], status


def test_a_day_beyond_reckoning_is_no_day() -> None:
    assert [
        as_day(text) for text in ("9999-12-31", "0001-01-01", "2201-01-01", "1899-12-31", "soon", "")
    ] == [None] * 6
    assert [as_day(text) for text in ("2200-12-31", " 1900-01-01 ")] == [LATEST, EARLIEST]
    for far in ("9999-12-31", "0001-01-01"):
        run = run_of("rectification", moved("rectification", "2024-03-04", deadline=far))
        assert run.due.day == date(2024, 4, 3)
        assert [step.name for step in run.steps(at("2024-06-01"))] == [
            "reminded", "warned", "lifted:city", "lifted:province",
        ]  # fmt: skip
    for seen_at in (datetime(1, 1, 1, tzinfo=SHANGHAI), datetime(9999, 12, 31, 23, tzinfo=SHANGHAI)):
        found = runs([Moved(IMAGERY, seen_at, {}), moved("suspected", "2024-03-04")], CLOCKS)
        assert "issued" not in {run.rule.id for run in found}


def test_a_pause_beyond_reckoning_has_no_end_and_began_in_1900() -> None:
    for last in (date(9999, 12, 31), date(2201, 1, 1)):
        assert Pause(date(2024, 3, 5), last, "F") == Pause(date(2024, 3, 5), None, "F")
    assert Pause(date(1, 1, 1), date(2024, 3, 7), "F").first == EARLIEST
    cn, old = calendar_of("CN"), Pause(date(1, 1, 1), date(2024, 3, 7), "F")
    assert cn.due(date(2024, 3, 4), "days", 3, rolls=False, pauses=[old]) == Due(date(2024, 3, 10), False)
    run = run_of("first_check", moved("suspected", "2024-03-04"), pauses=[old])
    assert [step.name for step in run.steps(at("2024-03-20"))][:3] == ["suspended:F", "reminded", "warned"]
    # Its reminder would lie before 1900: nobody is reminded before the clock started.
    given = run_of("rectification", moved("rectification", "2024-03-04", deadline="2024-03-08"), pauses=[old])
    assert [step.name for step in given.steps(at("2024-03-10"))] == ["suspended:F", "warned"]
    # Long, but with an end: the days after it count.
    long = Pause(date(2024, 3, 5), date(2150, 1, 1), "F")
    for unit, count, last in (
        ("days", 3, "2150-01-04"),
        ("months", 1, "2150-02-01"),
        ("same_day", 0, "2024-03-04"),
    ):
        due = cn.due(date(2024, 3, 4), unit, count, rolls=False, pauses=[long])  # type: ignore[arg-type]
        assert due.day == date.fromisoformat(last)


@pytest.mark.parametrize("far", ["9999-12-31", "0001-01-01"])
def test_one_deadline_stops_nobody_s_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far: str) -> None:
    store = new_store(tmp_path)
    odd, _ = opened(store, 2, "2024-03-04", monkeypatch)
    event = history.event(
        odd, DAY_ONE, "moved", "", origin="suspected", to="rectification", evidence={"deadline": far}
    )
    with store.transaction(writes=True) as session:
        history.append(session, [event])
    assert tick(store, moment("2024-04-10")).cases == 2
    assert "warned" in told(store, odd)
    (light,) = [one for one in lights(store, moment("2024-04-10")) if one.clock == "rectification"]
    assert (light.due, light.light) == (date(2024, 4, 3), "red")
    assert {one.clock: one.number for one in overdue(store, moment("2024-04-10"))}["rectification"] == 1
    late = {
        one.clock: one.number for one in statistics(store, moment("2024-04-10")).overdue if not one.region
    }
    assert late["rectification"] == 1
    db = store.engine.url.render_as_string(hide_password=False)
    assert tiankan("clocks", "list", "--db", db)[0] == tiankan("clocks", "show", odd, "--db", db)[0] == 0


def flood(store: CaseStore, folder: Path, area: shapely.Polygon, since: str, until: str) -> None:
    """A disaster brought to the registry before anything of these tests."""
    columns = {"no": ["F1"], "since": [since], "until": [until]}
    written(folder, "floods.gpkg", [area], crs="EPSG:4326", **columns)
    described = Layer.model_validate(
        {
            "title": "Disasters", "path": "floods.gpkg", "coverage": "everywhere", "measures": ["share", "numbers"],
            "columns": {"number": "no", "valid_from": "since", "valid_to": "until"},
        }
    )  # fmt: skip
    brought(store, folder, described, "2024-01-05", name="disaster_events")


def test_a_disaster_of_no_end_stops_its_own_clocks_and_no_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)
    opened(store, 2, "2024-03-04", monkeypatch)
    area = shapely.box(99.999, 34.999, 100.002, 35.002)
    inside = store.cases(CaseFilter(bbox=area.bounds)).items[0].id
    flood(store, tmp_path, area, "1800-01-01", "9999-12-31")
    done = tick(store, moment("2024-03-12"))
    assert (done.cases, told(store, inside).count("suspended")) == (2, 5)
    found = {(one.case_id == inside, one.clock): one for one in lights(store, moment("2024-03-12"))}
    assert (found[True, "first_check"].light, found[True, "first_check"].due) == ("suspended", None)
    assert found[False, "first_check"].light == "red"
    late = {
        one.clock: one.number for one in statistics(store, moment("2024-03-12")).overdue if not one.region
    }
    assert late["first_check"] == 1


def test_a_decision_waits_where_a_disaster_has_no_end(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    seen(store, box(0, 0, 100))
    (case,) = store.cases(CaseFilter()).items
    flood(store, tmp_path, shapely.box(*case.bbox), "2024-02-01", "9999-12-31")
    for to, role, brought_now in WAY["closed"]:
        if to == "decision":
            break
        actor = "陈法" if role == "legal" else "王芳"
        store.move(case.id, to, ROAD, actor=actor, role=role, evidence=brought_now)
    with pytest.raises(IllegalMove, match="runs and stands still"):
        store.move(case.id, "decision", ROAD, actor="王芳", role="county", evidence={})
