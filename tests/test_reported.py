"""Reports by people: into the spot that is there, or one of their own; what imagery then makes of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cases import places
from cases.reported import Answer, Report, report
from cases.store import CaseFilter, CaseStore
from ground.clock import end_of
from ground.errors import BadInput, IllegalMove
from spots import plane
from tests.cases_world import ROAD, new_store, rect
from tests.splits_world import cut, join
from tests.spots_world import at, box, bring, day, seen
from tests.test_cli import tiankan


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def tell(store: CaseStore, x: float, y: float, **more: Any) -> Answer:
    lon, lat = at(x, y)
    said = Report(
        source="hotline",
        lon=lon,
        lat=lat,
        accuracy_m=20.0,
        at=day("06-01"),
        who="赵敏",
        note="a shed goes up",
    )
    return report(store, replace(said, **more), ROAD)


def test_a_report_where_nothing_was_known_opens_a_case_in_doubt(store: CaseStore) -> None:
    answer = tell(store, 0, 0, region="140105", photo="IMG_1.jpg")
    (case,) = store.cases(CaseFilter()).items
    assert (answer.case_id, answer.outcome, answer.is_new) == (case.id, "opened", True)
    assert (case.status, case.verdict, case.rule_id, case.change_class) == (
        "doubt",
        "doubt",
        "REPORTED",
        "reported",
    )
    assert case.region == "140105"
    # The outline of 32 corners at 20 m; its area is no fact.
    # Half of 32 · sin(360° / 32) · 20² m².
    assert case.area_m2 == pytest.approx(1248.6, abs=3)
    assert case.facts["change_area_m2"] is None
    (event,) = store.events(case.id)
    assert (event.kind, event.actor, event.role, event.to_status) == ("opened", "赵敏", "hotline", "doubt")
    assert event.evidence["photo"] == "IMG_1.jpg"
    again = tell(store, 0, 0, region="140105", photo="IMG_1.jpg")
    assert (again.is_new, again.case_id) == (False, answer.case_id)
    assert len(store.events(case.id)) == 1


def test_a_report_in_or_near_an_outline_joins_it(store: CaseStore) -> None:
    seen(store, box(0, 0, 40), box(200, 0, 40))
    inside, near, far = (
        tell(store, 20, 20),
        tell(store, 70, 20, note="beside"),
        tell(store, 80, 20, note="far"),
    )
    assert (inside.outcome, inside.why) == ("joined", "its point lies inside; the case is at suspected")
    assert (near.outcome, near.why) == (
        "joined",
        "its point lies 30 m from the outline; the case is at suspected",
    )
    assert far.outcome == "opened"
    assert len(store.cases(CaseFilter()).items) == 3
    assert places.totals(store)["visits_saved"] == 2
    # However vague, a report joins nothing farther than 115 m; nor the other place here.
    assert tell(store, 120, 400, accuracy_m=5000.0, note="somewhere").outcome == "opened"


def test_imagery_joins_a_report_and_the_case_stands_on_it(store: CaseStore) -> None:
    answer = tell(store, 20, 20, region="140105")
    added = seen(store, box(0, 0, 40), box(60, 0, 40))
    assert (added.cases, added.joined) == (1, 1)
    case = store.case(answer.case_id)
    assert (case.change_class, case.verdict, case.status, round(case.area_m2)) == (
        "vegetation_loss", "suspected_violation", "doubt", 1600,
    )  # fmt: skip
    assert "the case now stands on it" in store.events(case.id)[-1].reason
    assert seen(store, box(0, 0, 40), box(60, 0, 40)).judgements == 0
    assert seen(store, box(5, 0, 40), pair_id="other").joined == 1


def test_many_changes_in_a_vague_report_are_not_one_place(store: CaseStore) -> None:
    tell(store, 100, 100, accuracy_m=1000.0)
    added = seen(store, *(box(60 * i, 100, 40) for i in range(4)))
    assert (added.cases, added.joined) == (3, 1)


def test_what_was_judged_is_not_visited_for_a_report_of_before(store: CaseStore) -> None:
    seen(store, box(0, 0, 40))
    (case,) = store.cases(CaseFilter()).items
    bring(store, case.id, "lawful")
    assert tell(store, 20, 20).outcome == "carried"
    assert tell(store, 20, 20, at=day("08-05")).outcome == "new_look"
    assert store.case(case.id).status == "doubt"


@pytest.mark.parametrize(
    ("verdict", "on", "outcome"),
    [
        ("pseudo_change", "04-30", "carried"), ("pseudo_change", "05-02", "new_look"),
        ("signed_off", "04-30", "carried"), ("signed_off", "05-02", "new_look"), ("closed", "05-02", "new_look"),
        ("rural_road", "05-02", "carried"),
    ],
)  # fmt: skip
def test_a_report_after_the_verdict(store: CaseStore, verdict: str, on: str, outcome: str) -> None:
    seen(store, box(0, 0, 40))
    (case,) = store.cases(CaseFilter()).items
    bring(store, case.id, verdict)
    answer = tell(store, 20, 20, at=day(on))
    assert answer.outcome == outcome
    now = store.case(case.id)
    assert (now.status, now.held == {}) == (("doubt", True) if outcome == "new_look" else (verdict, False))
    assert store.events(case.id)[-1].kind == outcome


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"source": "gossip"}, "--source: 'gossip' is unknown; use one of hotline, patrol"),
        ({"lon": 181.0}, "--lon: 181.0 is no place"), ({"lat": float("nan")}, "--lat: nan is no place"),
        ({"accuracy_m": 0.0}, "--accuracy-m: 0.0 is no accuracy"),
        ({"who": " Tiankan "}, "--actor: a report is made by"),
        ({"note": "\u200b"}, "--note: is empty"), ({"photo": "a\0b"}, "--photo: holds a null character"),
        ({"at": datetime.now(UTC) + timedelta(days=1)}, "lies in the future"),
    ],
)  # fmt: skip
def test_bad_reports_are_refused(store: CaseStore, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        tell(store, 0, 0, **wrong)
    assert places.totals(store)["spots"] == 0


def test_a_county_reports_in_its_own_region(store: CaseStore) -> None:
    seen(store, box(0, 0, 40), region="41")
    own = store.scoped("140105")
    answer = tell(own, 20, 20)
    # It does not see the other's spot, and opens one of its own.
    assert answer.outcome == "opened"
    assert own.case(answer.case_id).region == "140105"
    assert (places.spots(own).total, places.spots(store).total) == (1, 2)
    assert places.totals(own)["sightings"] == {"opened": 1}
    assert tell(own, 21, 20, note="again").outcome == "joined"
    with pytest.raises(BadInput, match="--region: '14' lies outside of '140105'"):
        tell(own, 500, 500, region="14")


def test_what_lies_on_the_far_side_of_the_earth_is_not_here(store: CaseStore) -> None:
    words = Report(
        source="hotline", lon=180.0, lat=0.0, accuracy_m=20.0, at=day("06-01"), who="赵敏", note="a shed"
    )
    far = report(store, words, ROAD)
    here = report(store, replace(words, lon=0.0), ROAD)
    assert (far.outcome, here.outcome, here.why) == ("opened", "opened", "no spot was known near it")
    # The other side of the same meridian is the same place.
    assert report(store, replace(words, lon=-180.0), ROAD).why.startswith("its point lies inside")
    circle = plane.unwrapped([plane.circle(180.0, 0.0, 20.0)])
    assert plane.distances_m(180.0, 0.0, circle)[0] == plane.distances_m(-180.0, 0.0, circle)[0] == 0
    assert plane.distances_m(0.0, 0.0, circle)[0] > 2e7
    assert plane.distances_m(179.9, 0.0, circle)[0] == pytest.approx(11132 - 20, abs=1)
    assert plane.distances_m(-179.9, 0.0, circle)[0] == pytest.approx(11132 - 20, abs=1)


def test_today_told_again_is_one_sighting(store: CaseStore) -> None:
    lon, lat = at(0, 0)
    words = ("spots", "report", "--source", "hotline", "--lon", lon, "--lat", lat, "--actor", "赵敏", "--note", "n",
             "--db", store.engine.url.render_as_string(hide_password=False), "--json")  # fmt: skip
    today = datetime.now(UTC).date().isoformat()
    for told in (today, "2025-06-01", "2025-06-01T09:00:00Z"):
        first, again = (json.loads(tiankan(*words, "--at", told)[1])[0] for _ in range(2))
        assert (first["is_new"], again["is_new"], again["case"]) == (True, False, first["case"])
    # The day as it was kept before days were: its end.
    said = Report(
        source="hotline",
        lon=lon,
        lat=lat,
        accuracy_m=30.0,
        at=end_of("2025-06-01", "--at"),
        who="赵敏",
        note="n",
    )
    assert not report(store, said, ROAD).is_new


def test_the_circle_of_a_report_is_neither_cut_nor_joined(store: CaseStore) -> None:
    seen(store, box(0, 0, 40))
    (drawn,) = store.cases(CaseFilter()).items
    case = tell(store, 42, 120, accuracy_m=40.0).case_id
    assert case != drawn.id
    with pytest.raises(
        IllegalMove, match=f"case {case} stands on a report, .* so it is not merged; wait for imag"
    ):
        join(store, drawn.id, case)
    with pytest.raises(IllegalMove, match="nobody has drawn its outline yet, so it is not split"):
        cut(store, case, rect(0, 0, 1, 1), rect(1, 0, 2, 1))
    # Imagery came: it is a case like any other.
    seen(store, box(42, 30, 40, 60), pair_id="later")
    assert store.case(case).change_class == "vegetation_loss"
    whole = join(store, *(one.id for one in store.cases(CaseFilter()).items if one.status != "merged"))
    assert whole.whole.area_m2 == pytest.approx(4000, abs=1)


def test_a_report_at_the_antimeridian(store: CaseStore) -> None:
    first = tell(store, 0, 0, lon=179.9999, lat=10.0)
    assert tell(store, 0, 0, lon=-179.9999, lat=10.0, note="the other side").case_id == first.case_id


@pytest.mark.sqlite
def test_the_verbs(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    seen(store, box(0, 0, 40))
    db, (lon, lat) = str(tmp_path / "cases.db"), at(20, 20)
    asked = [
        "spots",
        "report",
        "--db",
        db,
        "--source",
        "citizen",
        "--lon",
        lon,
        "--lat",
        lat,
        "--accuracy-m",
        15,
    ]
    asked += ["--at", "2025-06-01T08:00:00Z", "--actor", "钱勇", "--note", "dumping", "--json"]
    code, out, _ = tiankan(*asked)
    (row,) = json.loads(out)
    assert (code, row["outcome"], row["is_new"]) == (0, "joined", True)
    code, out, _ = tiankan("spots", "list", "--db", db, "--json")
    listed = json.loads(out)
    assert (code, listed["total"], listed["totals"]["visits_saved"]) == (0, 1, 1)
    code, out, _ = tiankan("spots", "show", row["case"], "--db", db, "--json")
    shown = json.loads(out)
    assert [one["source"] for one in shown["seen"]] == ["imagery", "citizen"]
    assert shown["seen"][1]["place"] == [lon, lat]
    for words in (["spots", "list", "--db", db], ["spots", "show", row["case"], "--db", db]):
        assert tiankan(*words)[0] == 0
    code, _, err = tiankan("spots", "show", "case-x", "--db", db)
    assert (code, "no spot has the id 'case-x'" in err) == (2, True)
    for wrong in ("1,2", "nan,1,2,3"):
        code, _, err = tiankan("spots", "list", "--db", db, "--bbox", wrong)
        assert (code, f"--bbox: {wrong!r} is not west,south,east,north" in err) == (2, True)
