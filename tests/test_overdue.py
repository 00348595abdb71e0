"""How many are overdue by each clock: the same that the lights of every case show, whatever happened to it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cadastre.layers import Layer
from cases import history
from cases.overdue import ANY, Late, overdue, titles
from cases.store import CaseFilter, CaseStore
from cases.ticking import lights
from cases.workflow import load_workflow
from clocks.policy import CLOCKS_TOML
from reports.statistics import statistics
from reports.statistics_sheet import tables_of
from reports.words import Language, Words
from tests.cases_world import lonlat_changes, new_store, put
from tests.drawn import drawn
from tests.registry_world import brought, written
from tests.splits_world import cases, county, cut
from tests.test_ticking import moment, move, opened

STATUSES = sorted(set(load_workflow().statuses) - {"split", "merged"})
DAY = timedelta(days=1)


def counted(
    store: CaseStore, now: datetime, region: str = "", digits: int = 6, path: Path = CLOCKS_TOML
) -> list[Late]:
    """The same, case by case."""
    red = [each for each in lights(store, now, region=region or None, path=path) if each.light == "red"]
    counts = Counter((each.region[:digits], each.clock) for each in red)
    counts.update((part, ANY) for part in {each.case_id: each.region[:digits] for each in red}.values())
    return [Late(region=part, clock=clock, number=n) for (part, clock), n in sorted(counts.items())]


def test_a_small_county_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path)
    first, second, _ = opened(store, 3, "2024-03-04", monkeypatch)
    move(store, first, "field_check", "2024-03-04")
    move(store, second, "field_check", "2024-03-05")
    # Friday 8 March: `assigned` was due on the 4th, first check and feedback on the 7th.
    assert overdue(store, moment("2024-03-08")) == [
        Late(region="140105", clock="any", number=3),
        Late(region="140105", clock="assigned", number=1),
        Late(region="140105", clock="feedback", number=1),
        Late(region="140105", clock="first_check", number=3),
    ]
    assert overdue(store, moment("2024-03-04")) == []
    assert overdue(store, moment("2024-03-08"), "41") == []
    (two, *_) = overdue(store, moment("2024-03-08"), digits=2)
    assert (two.region, two.number) == ("14", 3)
    assert [*titles(moment("2024-03-08"))][:2] == ["assigned", "first_check"]


@settings(max_examples=25, deadline=None)
@given(
    walks=st.lists(
        st.lists(
            st.tuples(st.sampled_from(STATUSES), st.integers(-2, 20), st.sampled_from(["", "2024-05-05", "no day"]))
        ),
        min_size=1, max_size=5,
    ),
    asked=st.integers(0, 150), second=st.integers(0, 60),
)  # fmt: skip
def test_it_is_the_count_of_the_red_lights(
    tmp_path_factory: pytest.TempPathFactory,
    walks: list[list[tuple[str, int, str]]],
    asked: int,
    second: int,
) -> None:
    folder = tmp_path_factory.mktemp("overdue")
    store, begin = new_store(folder), datetime(2024, 2, 7, 15, 30, tzinfo=UTC)
    path = folder / "clocks.toml"
    text = CLOCKS_TOML.read_text(encoding="utf-8")
    later = text.replace("2021-07-15", f"{begin.date() + second * DAY}").replace("count  = 3", "count  = 5")
    path.write_text(text + later.replace("Asia/Shanghai", "America/Sao_Paulo"), encoding="utf-8")
    for i, region in enumerate(["140105", "140106001", "41", "140105", ""][: len(walks)]):
        put(store, lonlat_changes((100 + i, 35, 100.001 + i, 35.001)), region=region)
    events = []
    for case, walk in zip(store.cases(CaseFilter(), limit=9).items, walks, strict=True):
        at, stands = begin, case.status
        for to, days, deadline in walk:
            at += days * DAY
            brought = {"deadline": deadline} if deadline else {}
            events.append(history.event(case.id, at, "moved", "", origin=stands, to=to, evidence=brought))
            stands = to
    with store.transaction(writes=True) as session, drawn(session):
        history.append(session, events)
    now = begin + asked * DAY
    for region, digits in (("", 6), ("14", 4)):
        assert overdue(store, now, region, digits, path) == counted(store, now, region, digits, path)


def test_parts_and_places_in_a_disaster_are_counted_as_their_clocks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)
    made = opened(store, 3, "2024-03-04", monkeypatch)
    area = shapely.box(99.999, 34.999, 100.002, 35.002)
    written(
        tmp_path,
        "floods.gpkg",
        [area],
        crs="EPSG:4326",
        no=["F1"],
        since=["2024-03-05"],
        until=["2024-03-07"],
    )
    described = Layer.model_validate(
        {
            "title": "Disasters", "path": "floods.gpkg", "coverage": "everywhere", "measures": ["share", "numbers"],
            "columns": {"number": "no", "valid_from": "since", "valid_to": "until"},
        }
    )  # fmt: skip
    brought(store, tmp_path, described, "2024-03-05", name="disaster_events")
    (inside,) = (case.id for case in store.cases(CaseFilter(bbox=area.bounds), limit=9).items)
    assert inside in made
    for day in ("2024-03-06", "2024-03-08", "2024-03-20"):
        assert overdue(store, moment(day)) == counted(store, moment(day))
    numbers = {each.clock: each.number for each in overdue(store, moment("2024-03-08"))}
    assert (numbers["first_check"], numbers["assigned"]) == (2, 3)


def test_the_parts_of_a_split_go_on_from_the_whole(tmp_path: Path) -> None:
    store = county(tmp_path)
    (whole,) = cases(store)
    begun = whole.opened
    later = begun + 30 * DAY
    numbers = overdue(store, later)
    cut(store, whole.id)
    assert counted(store, later) == overdue(store, later)
    assert {each.clock: each.number for each in overdue(store, later)} == {
        each.clock: 3 * each.number for each in numbers
    }
    # As it was known before the cut.
    assert overdue(store, begun) == []


def test_statistics_tell_of_it_for_the_region_and_its_counties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path)
    opened(store, 2, "2024-03-04", monkeypatch)
    put(store, lonlat_changes((101, 36, 101.001, 36.001)), region="140106001")
    found = statistics(store, moment("2024-03-08"), "14", first=date(2021, 8, 1))
    numbers = {(one.region, one.clock): one.number for one in found.overdue}
    # The third was opened today.
    assert (numbers["14", ANY], numbers["14", "assigned"], numbers["14", "grave"]) == (2, 2, 0)
    assert (numbers["140105", ANY], ("140106", ANY) in numbers) == (2, False)
    later = statistics(store, datetime.now(UTC) + 400 * DAY, "140106001", last=date(2000, 1, 1))
    assert {(one.region, one.number) for one in later.overdue if one.clock == "settled"} == {("140106001", 1)}
    tables = {table.key: table for table in tables_of(found, Words(Language.EN))}
    assert tables["overdue"].rows[:2] == [
        ["14", "by one clock at least", 2], ["14", "13710: studied and assigned the same day", 2],
    ]  # fmt: skip
    assert ["14", "至少一项超期", 2] in tables_of(found, Words(Language.ZH))[-1].rows
