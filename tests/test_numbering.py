"""Official numbers: by hand, without gaps or doubles, for good; and where they are shown."""

import json
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cases.issuing import Issued, issue
from cases.store import CaseFilter, CaseStore
from ground.errors import BadInput, NotFound
from reports.case_data import case_data
from reports.table_rows import Wanted, case_table
from reports.words import Language
from tests.cases_world import GRID, ROAD, new_store, put, row_of_changes
from tests.splits_world import cases, is_whole
from tests.test_cli import tiankan


def numbered(folder: Path) -> CaseStore:
    """Two counties of three cases, one of them of the year before, a region that is no county's, one without days."""
    store = new_store(folder)
    for i, region in enumerate(("140105", "140106", "140105001", "140106", "1401", "")):
        put(store, row_of_changes(1, first=i), region=region)
    put(store, row_of_changes(1, first=6, after=pd.Timestamp("2020-09-01T03:00Z"),
                              before=pd.Timestamp("2020-05-01T03:00Z")), region="140106")  # fmt: skip
    put(store, row_of_changes(1, first=7, before=None, after=None), region="140105")
    return store


def test_serials_of_a_county_batch_and_year_by_hand(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    ids = [case.id for case in cases(store)]
    done = issue(store, "Q3")
    assert done == Issued(
        given=5,
        ranges=[
            ("140105Q32021000001", "140105Q32021000002"),
            ("140106Q32020000001", "140106Q32020000001"),
            ("140106Q32021000001", "140106Q32021000002"),
        ],
        without_county=[ids[4], ids[5]],
        without_year=[ids[7]],
    )
    assert [case.number for case in cases(store)] == [
        "140105Q32021000001", "140106Q32021000001", "140105Q32021000002", "140106Q32021000002", "", "",
        "140106Q32020000001", "",
    ]  # fmt: skip
    # Who says the year gives it to what has none; the tag of another batch begins anew.
    assert issue(store, "Q3").given == 0
    assert issue(store, "Q3", 2021).ranges == [("140105Q32021000003", "140105Q32021000003")]
    put(store, row_of_changes(1, first=8), region="140105")
    assert issue(store, "Q4").ranges == [("140105Q42021000001", "140105Q42021000001")]
    assert is_whole(store)


def test_a_region_alone(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    assert issue(store, "A", region="140106").given == 3
    town = store.scoped("140105001")
    assert issue(town, "A").ranges == [("140105A2021000001", "140105A2021000001")]
    # The rest of the county goes on after what the town gave, though each sees but its own.
    assert issue(store.scoped("140105"), "A").ranges == [("140105A2021000002", "140105A2021000002")]
    with pytest.raises(BadInput, match="lies outside of '140105001'"):
        issue(town, "A", region="1401")


@pytest.mark.parametrize("tag", ["", "q3", "Q_3", "批次", "Q23456789", "Q 3"])
def test_a_tag_that_no_number_holds(tmp_path: Path, tag: str) -> None:
    store = new_store(tmp_path)
    with pytest.raises(BadInput, match=r"--batch: .* is no tag of a batch; write one to eight of"):
        issue(store, tag)
    with pytest.raises(BadInput, match="--year: 26 is no year"):
        issue(store, "Q3", 26)


def test_many_at_once_leave_neither_gap_nor_double(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(30), region="140105")
    done: list[Issued] = []

    def work(first: int) -> None:
        put(store, row_of_changes(5, first=first), region="140105")
        done.append(issue(store, "Q3"))

    threads = [threading.Thread(target=work, args=(30 + 5 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.given for one in done) == 60
    assert sorted(case.number for case in cases(store)) == [f"140105Q32021{n:06d}" for n in range(1, 61)]
    assert is_whole(store)


def test_a_number_is_for_good(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    issue(store, "Q3")
    first, second = cases(store)[:2]
    for said in (
        f"UPDATE case_number SET number = 'x' WHERE case_id = '{first.id}'",
        "DELETE FROM case_number",
        "INSERT INTO case_number (number, case_id, county, batch, year, place, suffix, at) "
        f"SELECT number, '{cases(store)[4].id}', county, batch, year, place, suffix, at FROM case_number "
        f"WHERE case_id = '{second.id}'",
    ):
        with (
            store.engine.begin() as by_hand,
            pytest.raises(Exception, match=r"never changed|[Uu]nique|UNIQUE"),
        ):
            by_hand.execute(text(said))
    assert issubclass(IntegrityError, Exception) and cases(store)[0].number == first.number


def test_wherever_a_case_is_named_its_number_does(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    issue(store, "Q3")
    first = cases(store)[0]
    assert store.case(first.number) == first
    moved = store.move(first.number, "field_check", ROAD, actor="李伟", role="county")
    assert (moved.id, moved.number) == (first.id, first.number)
    assert [event.kind for event in store.events(first.number)] == ["opened", "numbered", "moved"]
    assert {event.case_id for event in store.events(first.number)} == {first.id}
    with pytest.raises(NotFound):
        store.scoped("140106").case(first.number)
    assert [c.id for c in store.cases(CaseFilter(number="140106Q32021")).items] == [
        cases(store)[i].id for i in (1, 3)
    ]
    assert store.cases(CaseFilter(number="%")).total == 0


def test_papers_and_tables_bear_it(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    stand_in = case_data(store, cases(store)[0].id, ROAD).said["case"]["number"]
    assert stand_in == "1401052021000001"
    issue(store, "Q3")
    assert case_data(store, "140105Q32021000001", ROAD).said["case"]["number"] == "140105Q32021000001"
    table = case_table(store, Wanted(region="140105"), GRID, Language.EN)
    assert table["number"].tolist() == ["140105Q32021000001", "140105Q32021000002", ""]


def test_the_verbs(tmp_path: Path) -> None:
    store = numbered(tmp_path)
    db = ("--db", store.engine.url.render_as_string(hide_password=False))
    code, out, _ = tiankan("cases", "number", "--batch", "Q3", "--json", *db)
    told: dict[str, Any] = json.loads(out)
    assert (code, told["given"], len(told["without_county"]), len(told["without_year"])) == (3, 5, 2, 1)
    code, out, _ = tiankan("cases", "number", "--batch", "Q3", *db)
    assert (
        code == 3 and "2 cases got no number, for the region is no county's" in out and "pass --year" in out
    )
    code, out, _ = tiankan("cases", "show", "140106Q32020000001", "--json", *db)
    assert (code, json.loads(out)["number"]) == (0, "140106Q32020000001")
    code, out, _ = tiankan("cases", "list", "--number", "140105Q3", "--json", *db)
    assert [case["number"] for case in json.loads(out)] == ["140105Q32021000001", "140105Q32021000002"]
    code, _, err = tiankan("cases", "number", "--batch", "q", *db)
    assert code == 2 and "is no tag of a batch" in err
