"""One place, one case: what joins, what carries over, what reopens; answers by hand."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cases import history, ledger, places
from cases.ledger import Added
from cases.store import CaseFilter, CaseStore
from ground.errors import BadInput
from spots import plane
from spots.policy import load_policy
from tests.cases_world import ROAD, book, entry_of, lonlat_changes, new_store, put
from tests.spots_world import box, day, seen

STRICT = book(effective_from="2024-01-01")
"""All is suspected."""


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


def cases(store: CaseStore) -> list[Any]:
    return store.cases(CaseFilter(), limit=1000).items


def told(store: CaseStore, case: str) -> list[str]:
    return [event.kind for event in store.events(case)]


def partition(store: CaseStore) -> set[frozenset[str]]:
    """Which changes are together in a spot."""
    with store.transaction() as session:
        rows = session.execute(text("SELECT case_id, change_id FROM sighting")).all()
        founders = session.scalars(text("SELECT id FROM enforcement_case")).all()
    rows = [*rows, *((case, case.removeprefix("case-")) for case in founders)]
    by_spot: dict[str, set[str]] = {}
    for spot, change in rows:
        by_spot.setdefault(spot, set()).add(change)
    return {frozenset(each) for each in by_spot.values()}


def test_a_second_sensor_opens_no_second_case(store: CaseStore) -> None:
    assert seen(store, box(0, 0, 40), box(200, 0, 40)) == Added(2, 2, 2)
    # 10 m off: 30 × 40 m of 40 × 40 m are shared, 1200 of 2000 m² of both.
    assert seen(store, box(10, 0, 40), pair_id="other") == Added(1, 1, 0, joined=1)
    first, second = cases(store)
    by_change = {case.change_id: case.id for case in (first, second)}
    assert len(by_change) == 2
    joined = next(change for change in store.changes().items if change.pair_id == "other")
    assert joined.case_id in by_change.values()
    event = store.events(str(joined.case_id))[-1]
    assert (event.kind, event.from_status, event.to_status, event.actor) == (
        "joined",
        "suspected",
        "suspected",
        "tiankan",
    )
    assert "shares 1200 m²: 75% of it, 75% of what was seen before, 60% of both" in event.reason
    assert event.evidence == {"change": joined.id}
    assert places.totals(store) == {
        "spots": 2, "sightings": {"joined": 1, "opened": 2}, "visits_saved": 1, "visits_saved_share": 0.3333,
    }  # fmt: skip


def test_recording_again_adds_nothing(store: CaseStore) -> None:
    for _ in range(2):
        seen(store, box(0, 0, 40), box(200, 0, 40))
        again = seen(store, box(10, 0, 40), pair_id="other")
    assert again == Added(0, 0, 0)
    assert [told(store, case.id) for case in cases(store)].count(["opened", "joined"]) == 1


def test_neighbors_and_slivers_are_places_of_their_own(store: CaseStore) -> None:
    seen(store, box(0, 0, 40))
    # They touch; they share a strip of 10 of 40 m; one is a field of 400 m that holds the first at 1 % of it.
    assert seen(store, box(40, 0, 40), box(-30, 0, 40), box(-100, -100, 400), pair_id="other").cases == 3
    # A sliver of no width that a float can tell from none.
    assert seen(store, (112.0, 37.0, 112.0 + 1e-9, 37.0004), pair_id="third", rulebook=STRICT).cases == 1


def test_a_small_part_of_a_large_place_belongs_to_it(store: CaseStore) -> None:
    seen(store, box(0, 0, 400))
    # 1600 of 160000 m² are more than 50 times less: a house in a field is a place of its own.
    assert seen(store, box(100, 100, 60), box(300, 300, 40), pair_id="other") == Added(2, 2, 1, joined=1)


def test_a_bridge_joins_what_it_overlaps_most_and_names_the_other(store: CaseStore) -> None:
    seen(store, box(0, 0, 60), box(80, 0, 50))
    big, small = sorted(cases(store), key=lambda case: -case.area_m2)
    seen(store, box(0, 0, 130, 60), pair_id="bridge")
    assert told(store, big.id) == ["opened", "joined"]
    assert told(store, small.id) == ["opened"]
    reason = store.events(big.id)[-1].reason
    assert f"it bridges it with {small.id} (2500 m²)" in reason
    assert len(cases(store)) == 2


def test_what_asks_for_nobody_is_noted_and_opens_nothing(store: CaseStore) -> None:
    seen(store, box(0, 0, 40))
    # Under 100 m²: other, by the small book.
    assert seen(store, box(5, 5, 9), pair_id="other") == Added(1, 1, 0)
    assert places.totals(store)["sightings"] == {"noted": 1, "opened": 1}
    assert store.changes().items[1].case_id is None
    # Under a stricter law it asks for somebody: it joins then.
    assert seen(store, box(5, 5, 9), pair_id="other", rulebook=STRICT) == Added(0, 1, 0, joined=1)
    assert store.changes().items[1].case_id == cases(store)[0].id


def test_both_sides_of_the_antimeridian_are_one_place(store: CaseStore) -> None:
    # One outline crosses 180°, given as it lies in degrees: around the whole earth; the other lies beyond it.
    crossing = lonlat_changes((-179.9990, 10.0, 179.9995, 10.0004), pair_id="one")
    assert put(store, crossing).cases == 1
    beyond = lonlat_changes((-180.0, 10.0, -179.9990, 10.0004), pair_id="two")
    west = lonlat_changes((179.9980, 10.0, 179.9990, 10.0004), pair_id="three")
    assert put(store, beyond) == Added(1, 1, 0, joined=1)
    assert put(store, west).cases == 1
    middle = lonlat_changes((0.0, 10.0, 0.001, 10.0004), pair_id="four")
    assert put(store, middle).cases == 1


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
def test_any_order_of_batches_gives_the_same_spots(tmp_path: Path, order: tuple[int, ...]) -> None:
    batches = [
        [box(0, 0, 40), box(200, 0, 40), box(400, 0, 80)], [box(8, 5, 40), box(395, 5, 80)],
        [box(-6, 0, 44), box(205, 8, 38)], [box(600, 0, 30), box(402, -4, 82), box(2, -7, 36)],
    ]  # fmt: skip
    made = new_store(tmp_path)
    for number in order:
        seen(made, *batches[number], pair_id=f"pair{number}")
    assert sorted(map(len, partition(made))) == [1, 2, 3, 4]
    assert len(cases(made)) == 4
    assert places.totals(made)["visits_saved"] == 6


square = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(2, 6))


@settings(max_examples=40)
@given(st.lists(square, min_size=1, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_spots(drawn: list[tuple[int, int, int]], random: Any) -> None:
    from spots.joining import New, place

    shapes = [plane.shapely.box(*box(10 * x, 10 * y, 10 * side)) for x, y, side in drawn]
    news = [
        New(change_id=f"{i:016x}", shape=shape, area_m2=100.0 * side**2, needs=i % 5 != 0)
        for i, (shape, (_, _, side)) in enumerate(zip(shapes, drawn, strict=True))
    ]
    first = place(news, [], load_policy(day("06-01").date()))
    mixed = random.sample(news, len(news))
    assert place(mixed, [], load_policy(day("06-01").date())) == first


def test_a_fault_half_way_leaves_nothing(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen(store, box(0, 0, 40))

    def breaks(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(history, "append", breaks)
    with pytest.raises(RuntimeError):
        seen(store, box(10, 0, 40), pair_id="other")
    monkeypatch.undo()
    assert places.totals(store)["sightings"] == {"opened": 1}
    assert store.changes().total == 1


def test_sightings_are_never_altered(store: CaseStore) -> None:
    from sqlalchemy.exc import DatabaseError

    for pair in ("one", "two"):
        seen(store, box(0, 0, 40), pair_id=pair)
    for statement in ("UPDATE sighting SET outcome = 'noted'", "DELETE FROM sighting"):
        with (
            pytest.raises(DatabaseError, match="rows are added, never changed"),
            store.engine.begin() as connection,
        ):
            connection.execute(text(statement))


def test_thresholds_are_data(tmp_path: Path) -> None:
    words = (Path(ledger.__file__).parent.parent / "spots" / "spots.toml").read_text(encoding="utf-8")
    path = tmp_path / "spots.toml"
    path.write_text(
        words + words.replace("2023-12-01", "2025-07-01").replace("min_iou = 0.1", "min_iou = 0.3")
    )
    assert load_policy(day("06-01").date(), path).join.min_iou == 0.1
    assert load_policy(day("07-01").date(), path).join.min_iou == 0.3
    with pytest.raises(BadInput, match="no edition is effective on 2023-01-01"):
        load_policy(day("06-01").date().replace(year=2023, month=1, day=1), path)
    path.write_text(words.replace("min_iou", "min_uoi"))
    with pytest.raises(BadInput, match=r"edition.0.join.min_uoi: is not a known key"):
        load_policy(day("06-01").date(), path)
    path.write_text(words.replace('rebound   = ["closed"', 'rebound   = ["lawful", "closed"'))
    with pytest.raises(BadInput, match="'lawful' is watched for a rebound"):
        load_policy(day("06-01").date(), path)


def test_a_batch_of_many_is_one_query_by_index(store: CaseStore) -> None:
    from sqlalchemy import event

    grid = [box(100 * i, 100 * j, 40) for i in range(20) for j in range(20)]
    seen(store, *grid)
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
    assert (
        seen(
            store, *(box(100 * i + 8, 100 * j, 40) for i in range(20) for j in range(20)), pair_id="two"
        ).joined
        == 400
    )
    assert len(asked) < 60
    # Whether there is anything at all, then everything near any of them.
    assert sum("change_rtree" in each or "ST_MakeEnvelope" in each for each in asked) == 2


def test_what_one_run_says_is_the_same_json(store: CaseStore) -> None:
    seen(store, box(0, 0, 40))
    page = places.spots(store)
    assert (page.total, page.items[0].sightings, page.items[0].saved) == (1, 1, 0)
    assert json.dumps(places.totals(store), sort_keys=True)
    assert entry_of(lonlat_changes(box(0, 0, 40))).observed is None
    assert ROAD.start["doubt"] == "doubt"


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(-8, 8), st.integers(-8, 8)), max_size=5), max_size=6
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_of_jittered_batches_gives_the_same_spots(
    drawn: list[list[tuple[int, int, int]]], random: Any
) -> None:
    """Places 200 m apart of 40 to 90 m, up to 8 m off either way: joined batch after batch, in any order."""
    from spots.joining import New, Outline, place

    policy = load_policy(day("06-01").date())
    batches = []
    for number, sites in enumerate(drawn):
        batch = {}
        for site, dx, dy in sites:
            side = 40 + 10 * site
            shape = plane.shapely.box(*box(200 * site + dx, dy, side))
            batch[site] = New(change_id=f"{number:08x}{site:08x}", shape=shape, area_m2=side**2, needs=True)
        batches.append(list(batch.values()))

    def spots_of(order: list[list[New]]) -> set[frozenset[str]]:
        known: list[Outline] = []
        together: dict[str, set[str]] = {}
        for batch in order:
            by_id = {each.change_id: each for each in batch}
            for change, found in place(batch, known, policy).items():
                spot = str(found.spot_id)
                together.setdefault(spot, set()).add(change)
                one = by_id[change]
                known.append(Outline(spot_id=spot, change_id=change, shape=one.shape, area_m2=one.area_m2))
        return {frozenset(each) for each in together.values()}

    assert spots_of(random.sample(batches, len(batches))) == spots_of(batches)
    by_site: dict[str, set[str]] = {}
    for each in itertools.chain(*batches):
        by_site.setdefault(each.change_id[8:], set()).add(each.change_id)
    assert spots_of(batches) == {frozenset(each) for each in by_site.values()}


@pytest.mark.sqlite
def test_cases_of_before_are_spots_too(tmp_path: Path) -> None:
    from cases.store import open_store
    from tests.test_migrations import old_database

    made = open_store(str(old_database(tmp_path)))
    assert places.totals(made)["sightings"] == {"opened": 2}
    (first, _) = places.spots(made).items
    west, south, east, north = first.geometry.bounds
    again = lonlat_changes((west, south, east + 1e-5, north), pair_id="other")
    assert put(made, again) == Added(1, 1, 0, joined=1)
    assert told(made, first.id)[-1] == "joined"


def test_a_map_without_changes_is_recorded_too(store: CaseStore) -> None:
    assert put(store, lonlat_changes()) == Added(0, 0, 0)
    seen(store, box(0, 0, 40))
    assert put(store, lonlat_changes()) == Added(0, 0, 0)
