"""Places that people reported: counted by themselves, in no area and no share, until somebody has drawn them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.store import CaseStore
from ground.crs import LONLAT
from reports.case_data import case_data
from reports.case_pdf import chips_of
from reports.case_sheet import sheet_of
from reports.statistics import Figure, statistics
from reports.statistics_sheet import tables_of
from reports.table_rows import Wanted, case_table
from reports.words import Language, Words
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.test_statistics import land, proved


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, list[str]]:
    """Two changes of 10,000 m², one of them a place that somebody reported: what stands for it is no outline."""
    store, changes = new_store(tmp_path), row_of_changes(3)
    changes["change_class"], changes["area_m2"] = (
        ["building_appeared", "reported", "reported"],
        [10_000.0] * 3,
    )
    ids = changes["change_id"].tolist()
    put(store, changes, land={ids[0]: land(10.0, 10_000.0)})
    return store, ids


def whole(figures: list[Figure], part: str) -> tuple[int, int, float, float, float]:
    (one,) = [one for one in figures if (one.part, one.region) == (part, "")]
    return one.number, one.reported, one.monitored_mu, one.cultivated_mu, one.unknown_mu


def test_they_are_counted_by_themselves_and_have_no_area(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[1], "violation")
    found = statistics(store, datetime.now(UTC))
    assert whole(found.figures, "all") == (1, 2, 15.0, 10.0, 0.0)
    assert whole(found.figures, "suspected") == (1, 1, 15.0, 10.0, 0.0)
    assert whole(found.figures, "violation") == (0, 1, 0.0, 0.0, 0.0)
    assert whole(found.by_class, "reported") == (0, 2, 0.0, 0.0, 0.0)
    assert whole(found.review, "passed") == (0, 1, 0.0, 0.0, 0.0)
    (rectified,) = [one for one in found.rectification if not one.region]
    assert (rectified.number, rectified.reported, rectified.violating_mu, rectified.share) == (
        0,
        1,
        0.0,
        None,
    )


def test_a_share_leaves_them_out_and_says_so(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[0], "violation")
    found = statistics(store, datetime.now(UTC))
    plain = next(one for one in found.shares if one.figure == "plain")
    assert (plain.over_mu, plain.under_mu, plain.open_mu, plain.share, plain.reported) == (
        10.0,
        10.0,
        0.0,
        1.0,
        2,
    )
    table = next(one for one in tables_of(found, Words(Language.EN)) if one.key == "shares")
    assert table.rows[0][-1] == "2 reported cases without an outline are not counted"


def test_tables_and_the_paper_say_no_area(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    frame = case_table(store, Wanted(), LONLAT, Language.EN)
    assert frame["area_m2"].isna().tolist() == [False, True, True]
    assert frame["area_mu"].isna().tolist() == [False, True, True]
    data = case_data(store, f"case-{ids[1]}", ROAD)
    made = sheet_of(data, chips_of(data.outline, data.scenes), [], Words(Language.EN), {})
    assert dict(made["overview"])["Monitored area"].startswith("unknown: a place was reported")
    assert "outline: a place was reported, nobody has drawn it yet" in made["lacking"]
    assert dict(made["overview"])["Change class"] == "reported, no outline drawn yet"
