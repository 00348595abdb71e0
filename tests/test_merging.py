"""Cases joined to one: outline, land, evidence and status by hand; and that what is cut and joined is as it was."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cases.issuing import issue
from cases.replay import replay
from cases.store import CaseStore
from evidence.adding import Given, add, listed
from ground.crs import LONLAT
from ground.errors import BadInput, IllegalMove
from tests.cases_world import ROAD, changes_of, new_store, put, rect
from tests.evidence_world import LIMITS, files_in
from tests.registry_world import day
from tests.splits_world import (
    MU_M2,
    SQUARE,
    TO_REVIEW,
    cases,
    county,
    cut,
    is_whole,
    join,
    walk,
)
from tests.test_splitting import everything, land_of

WEST, EAST = rect(0, 0, 60, 100), rect(60, 0, 200, 100)


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """The square as two changes side by side; the western one is permitted, so a case is opened by hand of the law."""
    return county(tmp_path, rect(50, 0, 110, 100), rect(110, 0, 200, 100))


def test_two_halves_are_one_place(store: CaseStore) -> None:
    issue(store, "Q3")
    large, small = cases(store)
    done = join(store, small.number, large.id)
    assert done.whole.area_m2 == pytest.approx(15000, abs=0.01)
    assert (done.whole.status, done.whole.version, done.whole.region) == ("suspected", 1, "140105")
    assert done.whole.number == "140105Q32021000003"
    assert [(part.id, part.status, part.number) for part in done.parts] == [
        (small.id, "merged", "140105Q32021000002"), (large.id, "merged", "140105Q32021000001"),
    ]  # fmt: skip
    (land,) = land_of(store, done.whole.id)
    assert (land["group_mu"]["construction"], land["area_m2"]) == (22.5, pytest.approx(15000, abs=0.01))
    assert store.events(small.id)[-1].reason == f"two owners · joined to {done.whole.id} (140105Q32021000003)"
    (first,) = store.events(done.whole.id)
    assert first.reason == (
        f"two owners · joined from {small.id} (140105Q32021000002), {large.id} (140105Q32021000001)"
    )
    with pytest.raises(IllegalMove, match=r"was merged by 王芳 at .* already, into case-"):
        join(store, small.id, large.id)
    with pytest.raises(IllegalMove, match="was merged by 王芳"):
        cut(store, small.id, *degrees_of(small))
    assert replay(store, day("2021-10-01")).differing == []
    assert is_whole(store)


def degrees_of(case: Any) -> list[Any]:
    return [case.geometry, case.geometry]


@pytest.mark.parametrize(("one", "other"), [(0, 0), (1, 0), (2, 4), (3, 4), (4, 4), (4, 2)])
def test_it_begins_where_the_least_advanced_stands(store: CaseStore, one: int, other: int) -> None:
    first, second = cases(store)
    stood = [walk(store, case.id, *TO_REVIEW[:n]) for case, n in ((first, one), (second, other))]
    done = join(store, first.id, second.id)
    assert done.whole.status == stood[one > other].status
    both = min(one, other) >= 2
    assert done.whole.held == ({"photo": "p.jpg", "field_evidence": "f 7"} if both else {})
    told = [event.to_status for event in store.events(done.whole.id)]
    assert told == (["proven", done.whole.status] if min(one, other) > 2 else [done.whole.status])
    rest = TO_REVIEW[min(one, other) :]
    assert walk(store, done.whole.id, *rest, ("violation", "province", {"reason": "r"})).status == "violation"


def test_what_differs_in_hand(store: CaseStore) -> None:
    first, second = (case.id for case in cases(store))
    for case, photo, who in ((first, "a.jpg", "李伟;王芳"), (second, "b.jpg", "张敏;赵敏")):
        held = {"photo": photo, "field_evidence": "f", "two_officers": who}
        walk(store, case, TO_REVIEW[0], ("proven", "county", held))
    # Two who went to one part did not go to the other.
    assert join(store, first, second).whole.held == {"photo": "a.jpg; b.jpg", "field_evidence": "f"}


def test_files_go_with_the_case(store: CaseStore, tmp_path: Path) -> None:
    files, paper = files_in(tmp_path), tmp_path / "lease.txt"
    paper.write_text("lease 7")
    first, second = (case.id for case in cases(store))
    given = Given(kind="document", path=paper, actor="李伟", role="county", note="of 1998")
    held = add(store, files, first, given, ROAD, LIMITS).evidence
    whole = join(store, first, second).whole
    (kept,) = listed(store, whole.id)
    assert (kept.sha256, kept.given_by, kept.note, kept.at) == (
        held.sha256, "李伟", f"of 1998; given for {first}", held.at,
    )  # fmt: skip
    parts = cut(store, whole.id, rect(50, 0, 110, 100), rect(110, 0, 200, 100)).parts
    assert [len(listed(store, part.id)) for part in parts] == [1, 1]
    assert is_whole(store)


def test_what_is_no_merge_is_refused(tmp_path: Path) -> None:
    store = county(tmp_path, rect(100, 0, 150, 100), rect(160, 0, 190, 100), rect(200.5, 0, 220, 100))
    ids = [case.id for case in cases(store)]
    before = everything(store)
    one, twice, none = "one case is", "2 names of one case are", "0 names of 0 cases are"
    for named, said in ((ids[:1], one), ([ids[0], ids[0]], twice), ([], none)):
        with pytest.raises(BadInput, match=f"^{said} no merge; name two or more, each once$"):
            join(store, *named)
    with pytest.raises(BadInput, match=f"case {ids[2]} lies 50.5 m from the others; .* within 10 m"):
        join(store, ids[0], ids[2])
    with pytest.raises(BadInput, match=f"case {ids[2]} lies 10.5 m from the others"):
        join(store, *ids)
    with pytest.raises(IllegalMove, match="may not be merged by role 'city'"):
        join(store, *ids[:2], role="city")
    assert everything(store) == before
    done = join(store, *ids[:2])
    assert done.whole.area_m2 == pytest.approx(8000, abs=0.01) and done.whole.number == ""
    assert done.whole.geometry.geom_type == "MultiPolygon"
    assert replay(store, day("2021-10-01")).differing == []


def test_counties_are_not_joined_and_a_violation_is_left_alone(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for shape, region in ((WEST, "140105"), (EAST, "140106")):
        put(store, changes_of(shape, crs=LONLAT), region=region)
    first, second = (case.id for case in cases(store))
    with pytest.raises(BadInput, match=r"of several counties are not merged: .* in 140105, .* in 140106"):
        join(store, first, second)
    walk(store, second, *TO_REVIEW, ("violation", "province", {"reason": "r"}))
    with pytest.raises(IllegalMove, match="is at violation and can no longer be merged"):
        join(store, first, second)


def test_towns_of_a_county_are_joined_and_their_land_counts_once(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for shape, region in ((rect(0, 0, 120, 100), "140105001"), (rect(60, 0, 200, 100), "140105002")):
        put(store, changes_of(shape, crs=LONLAT), region=region)
    issue(store, "Q3")
    one, other = cases(store)
    done = join(store, one.id, other.id)
    assert (done.whole.region, done.whole.number) == ("140105", "140105Q32021000003")
    assert done.whole.area_m2 == pytest.approx(20000, abs=0.01)
    assert done.whole.verdict == "doubt" and "it was joined from cases" in done.whole.missing["layers"]
    assert land_of(store, done.whole.id) == [None]


def test_a_town_gives_the_next_number_of_its_county(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    shapes = (rect(0, 0, 50, 50), rect(50, 0, 90, 50), rect(500, 0, 530, 50))
    for shape, region in zip(shapes, ("140105001", "140105001", "140105002"), strict=True):
        put(store, changes_of(shape, crs=LONLAT), region=region)
    issue(store, "Q3")
    own = store.scoped("140105001")
    done = join(own, *(case.id for case in cases(own)))
    assert done.whole.number == "140105Q32021000004"
    assert is_whole(store)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dice=st.randoms(use_true_random=False), count=st.integers(2, 5), back=st.booleans())
def test_cut_anyhow_and_joined_again_it_is_as_it_was(
    tmp_path: Path, dice: Any, count: int, back: bool
) -> None:
    store = county(Path(tempfile.mkdtemp(dir=tmp_path)))
    issue(store, "Q3")
    (whole,) = cases(store)
    parts = [SQUARE]
    while len(parts) < count:
        largest = max(parts, key=lambda one: float(one.area))
        x, y = largest.representative_point().coords[0]
        dx, dy = dice.uniform(-900, 900), dice.uniform(-900, 900)
        line = shapely.LineString([(x - dx, y - dy), (x + dx, y + dy)])
        cuts = [one for one in shapely.get_parts(shapely.ops.split(largest, line)) if one.area > 50]
        if len(cuts) < 2:
            break
        parts = [one for one in parts if one is not largest] + cuts
    if len(parts) < 2:
        return
    done = cut(store, whole.id, *parts)
    (before,) = land_of(store, whole.id)
    own = land_of(store, *(part.id for part in done.parts))
    for name in before["group_mu"]:
        assert sum(one["group_mu"][name] for one in own) == pytest.approx(before["group_mu"][name], abs=1e-9)
    ids = [part.id for part in done.parts]
    again = join(store, *(ids[::-1] if back else ids)).whole
    assert again.area_m2 == pytest.approx(whole.area_m2, abs=MU_M2 / 100)
    difference = shapely.symmetric_difference(
        *shapely.transform([again.geometry, whole.geometry], lambda a: a * 1e5)
    )
    assert difference.area < MU_M2 / 100  # more than square metres: a degree has at most 1.12e5 m
    (after,) = land_of(store, again.id)
    assert (after["class_m2"], after["group_mu"]) == (before["class_m2"], before["group_mu"])
    assert again.number == "140105Q32021000002"
    with store.transaction() as session:
        left = session.execute(
            text("SELECT count(*) FROM enforcement_case WHERE status = 'suspected'")
        ).scalar()
    assert left == 1 and is_whole(store)
