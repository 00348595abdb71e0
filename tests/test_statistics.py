"""Statistics: every figure of a small county by hand, the same on any past day, unknown never no."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from cases.store import CaseStore
from ground.errors import BadInput
from reports.shares import REACHED, UNKNOWN
from reports.statistics import Figure, Statistics, statistics
from reports.statistics_files import write_statistics
from reports.statistics_sheet import tables_of
from reports.words import Language, Words
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.reports_world import PHOTO
from tests.test_cli import refusal, tiankan

MU = 2000 / 3
CLASSES = ["building_appeared"] * 4 + ["vegetation_gain", "building_appeared"]
AREAS = [6000.0, 3000.0, 1000.0, 2000.0, 4000.0, 60.0]
"""Four suspected violations, a doubt, a sliver that is other."""
CULTIVATED = [6.0, 3.0, 1.5, 0.0, 6.0, 0.0]


def land(cultivated: float, area_m2: float, unknown: float = 0.0) -> dict[str, Any]:
    rest = round(area_m2 / MU, 2) - cultivated - unknown
    return {
        "area_m2": area_m2,
        "group_mu": {"cultivated": cultivated, "construction": rest, "unclassified": unknown},
    }


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, list[str]]:
    """Three changes of county 140105 and three of 140106 with their ledgers; one is of 2025."""
    store, changes = new_store(tmp_path), row_of_changes(6)
    changes["change_class"], changes["area_m2"] = CLASSES, AREAS
    changes["after"] = pd.to_datetime(["2024-06-01"] * 5 + ["2025-06-01"], utc=True).as_unit("ms")
    ids = changes["change_id"].tolist()
    ledgers = {one: land(tilled, area) for one, tilled, area in zip(ids, CULTIVATED, AREAS, strict=True)}
    regions = dict(zip(ids, ["140105001"] * 2 + ["140105002"] + ["140106"] * 3, strict=True))
    put(store, changes, land=ledgers, regions=regions)
    return store, ids


def proved(store: CaseStore, change: str, *end: str) -> None:
    """A case moved to the end of its review and beyond."""
    road: list[tuple[str, str, dict[str, str]]] = [
        ("field_check", "county", {}), ("proven", "county", PHOTO), ("city_review", "city", {}),
        ("province_review", "city", {}),
    ]  # fmt: skip
    more = {
        "violation": ("province", {"reason": "r"}), "lawful": ("province", {"document": "d"}),
        "rectification": ("county", {}),
        "verification": ("county", {"photo": "q", "acceptance": "a"}),
        "signed_off": ("city", {"acceptance": "a", "later_scene": "s"}),
        "objection": ("county", {"reason": "r"}),
    }  # fmt: skip
    for to, role, brought in [*road, *((one, *more[one]) for one in end)]:
        store.move(f"case-{change}", to, ROAD, actor="王小明", role=role, evidence=brought)


def now() -> datetime:
    return datetime.now(UTC)


def figure(found: Statistics, part: str, region: str = "") -> Figure:
    (one,) = [one for one in found.figures if (one.part, one.region) == (part, region)]
    return one


def test_numbers_and_areas_by_hand(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[0], "violation")
    proved(store, ids[1], "lawful")
    found = statistics(store, now())
    numbers = {
        one.part: (one.number, one.monitored_mu, one.cultivated_mu) for one in found.figures if not one.region
    }
    assert numbers == {
        "all": (6, 24.09, 16.5),
        "suspected": (2, 4.5, 1.5),
        "violation": (1, 9.0, 6.0),
        "lawful": (1, 4.5, 3.0),
        "other": (1, 0.09, 0.0),
        "pseudo_change": (0, 0.0, 0.0),
        "doubt": (1, 6.0, 6.0),
    }
    assert figure(found, "all", "140105").number == 3
    assert figure(found, "suspected", "140106").monitored_m2 == 2000.0
    review = {one.part: one.number for one in found.review if not one.region}
    assert review == {"passed": 2, "not_yet": 3, "pending": 0, "returned": 0}
    by_class = {one.part: one.number for one in found.by_class if not one.region}
    assert by_class == {"building_appeared": 5, "vegetation_gain": 1}


def test_shares_by_hand(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[0], "violation")
    proved(store, ids[1], "violation", "rectification", "verification", "signed_off")
    # 140105 in 2024: violations of 6 and 3 亩 and a suspicion of 1.5 亩, all cultivated.
    shares = {(one.region, one.year, one.figure): one for one in statistics(store, now()).shares}
    plain, deducted, confirmed = (shares["140105", 2024, name] for name in ("plain", "deducted", "confirmed"))
    assert (plain.over_mu, plain.under_mu, plain.share) == (9.0, 10.5, pytest.approx(9 / 10.5))
    assert (deducted.over_mu, deducted.under_mu, deducted.share) == (6.0, 10.5, pytest.approx(6 / 10.5))
    assert confirmed.share == 1.0
    assert {plain.against, deducted.against, confirmed.against} == {REACHED}
    # 140106: the only suspicion takes no cultivated land, the doubt of 6 亩 is in neither part.
    other = shares["140106", 2024, "plain"]
    assert (other.share, other.why, other.doubt_mu, other.against) == (
        None,
        "nothing_cultivated",
        6.0,
        UNKNOWN,
    )
    found = statistics(store, now())
    assert [(one.region, one.violating_mu, one.unrectified_mu, one.share) for one in found.rectification] == [
        ("", 13.5, 9.0, pytest.approx(2 / 3)),
        ("140105", 13.5, 9.0, pytest.approx(2 / 3)),
        ("140106", 0.0, 0.0, None),
    ]


def test_a_finding_under_objection_is_no_finding(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[0], "violation", "objection")
    found = statistics(store, now())
    assert (figure(found, "violation").number, figure(found, "suspected").number) == (0, 4)
    assert {one.part: one.number for one in found.review if not one.region}["pending"] == 1


def test_any_past_day_is_found_again(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    moments, told = [now()], [statistics(store, now())]
    for step in range(3):
        if step == 0:
            proved(store, ids[0], "violation")
        elif step == 1:
            proved(store, ids[2], "lawful")
        else:
            # Judged anew: of another class, on another day, on other land, and no longer a suspicion.
            again = row_of_changes(6)
            again["change_class"], again["area_m2"] = ["vegetation_gain"] * 6, AREAS
            again["after"] = pd.to_datetime(["2026-01-01"] * 6, utc=True).as_unit("ms")
            put(
                store,
                again,
                land={one: land(0.0, area) for one, area in zip(ids, AREAS, strict=True)},
                region="140105001",
            )
        moments.append(now())
        told.append(statistics(store, moments[-1]))
    for moment, once in zip(moments[1:3], told[1:3], strict=True):
        found = statistics(store, moment)
        # Judgements of before judgings know of no day, and regions are as they are stored.
        assert [one for one in found.figures if not one.region] == [
            one for one in once.figures if not one.region
        ]
        assert [one for one in found.by_class if not one.region] == [
            one for one in once.by_class if not one.region
        ]
    assert statistics(store, moments[-1]).figures == told[-1].figures
    # All but a violation, a lawful one and the sliver.
    assert figure(told[-1], "doubt").number == 3
    assert figure(statistics(store, moments[0] - timedelta(days=1)), "all").number == 0


def test_periods_and_regions(world: tuple[CaseStore, list[str]]) -> None:
    store, _ = world
    late = statistics(store, now(), first=date(2025, 1, 1), last=date(2025, 6, 1))
    assert (figure(late, "all").number, figure(late, "other").number) == (1, 1)
    assert {one.year for one in late.shares} == {2025}
    assert figure(statistics(store, now(), last=date(2024, 5, 31)), "all").number == 0
    town = statistics(store, now(), "140105001")
    assert figure(town, "all", "140105001").number == 2
    # Its share is its county's: 6 + 3 + 1.5 亩.
    assert {(one.region, one.under_mu) for one in town.shares} == {("140105", 10.5)}
    with pytest.raises(BadInput, match="lies outside"):
        statistics(store.scoped("140105"), now(), "140106")
    with pytest.raises(BadInput, match="period: 2025-01-02 to 2025-01-01 ends before it begins"):
        statistics(store, now(), first=date(2025, 1, 2), last=date(2025, 1, 1))
    seen = statistics(store.scoped("140105001"), now())
    assert {(one.share, one.why) for one in seen.shares} == {(None, "part_seen")}
    assert figure(seen, "all", "140105001").number == 2


def test_undated_changes_belong_to_no_period(tmp_path: Path) -> None:
    store, changes = new_store(tmp_path), row_of_changes(2)
    changes["after"] = pd.to_datetime(pd.Series([None, "2024-06-01"]), utc=True).dt.as_unit("ms")
    put(store, changes)
    assert figure(statistics(store, now()), "all").number == 2
    found = statistics(store, now(), first=date(2000, 1, 1))
    assert (figure(found, "all").number, found.undated) == (1, 1)


def test_a_share_of_no_known_county_is_not_everywhere_s(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1), region="")
    tables = tables_of(statistics(store, now()), Words(Language.EN))
    (shares,) = [table for table in tables if table.key == "shares"]
    assert {row[0] for row in shares.rows} == {"unknown"}


def test_unknown_land_is_never_no(tmp_path: Path) -> None:
    store, changes = new_store(tmp_path), row_of_changes(3)
    changes["area_m2"] = [10_000.0, 10_000.0, 10_000.0]
    ids = changes["change_id"].tolist()
    put(store, changes, land={ids[0]: land(10.0, 10_000.0), ids[1]: land(8.0, 10_000.0, unknown=2.0)})
    everything = figure(statistics(store, now()), "all")
    assert (everything.cultivated_mu, everything.unknown_number, everything.unknown_mu) == (18.0, 2, 17.0)
    proved(store, ids[0], "violation")
    plain = next(one for one in statistics(store, now()).shares if one.figure == "plain")
    # 10 of 18 to 35 亩: over the line whatever the 17 亩 are.
    assert (plain.share, plain.why, plain.against) == (None, "land_unknown", REACHED)
    assert (plain.least, plain.most) == (pytest.approx(10 / 35), pytest.approx(10 / 18))


def test_files_hold_the_figures(world: tuple[CaseStore, list[str]], tmp_path: Path) -> None:
    found = statistics(world[0], now())
    write_statistics(found, tmp_path / "s.xlsx", Words(Language.ZH))
    sheet = openpyxl.load_workbook(tmp_path / "s.xlsx")["数量与面积"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][:6] == ("行政区", "分项", "个数", "监测面积（m²）", "监测面积（亩）", "耕地面积（亩）")
    assert rows[1] == ("全部", "全部", 6, 16060, 24.09, 16.5, 0, 0, 0)
    write_statistics(found, tmp_path / "s.csv", Words(Language.EN))
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.reader(stream))
    assert ["figures", "everywhere", "all", "6", "16060.0", "24.09", "16.5", "0", "0.0", "0"] in lines
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for name in ("a.pdf", "b.pdf"):
        write_statistics(found, tmp_path / name, Words(Language.ZH), at)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    with pytest.raises(BadInput, match=r"end it with \.xlsx, \.csv, \.pdf"):
        write_statistics(found, tmp_path / "s.doc", Words(Language.ZH))


def test_a_region_that_looks_like_a_formula_is_a_text(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1), region="=1+1")
    write_statistics(statistics(store, now(), "=1+"), tmp_path / "s.xlsx", Words(Language.EN))
    cells = [cell for sheet in openpyxl.load_workbook(tmp_path / "s.xlsx") for row in sheet for cell in row]
    assert {cell.data_type for cell in cells if str(cell.value).startswith("=")} == {"s"}


@pytest.mark.sqlite
@pytest.mark.usefixtures("world")
def test_the_verb(tmp_path: Path) -> None:
    words = ("stats", "--db", tmp_path / "cases.db")
    code, out, _ = tiankan(*words, "--region", "140106", "--json", "--to", tmp_path / "s.pdf")
    said = json.loads(out)
    assert (code, said["region"], said["figures"][0]["number"]) == (0, "140106", 3)
    assert (tmp_path / "s.pdf").read_bytes()[:5] == b"%PDF-"
    code, out, _ = tiankan(*words, "--as-of", "2020-01-01", "--json")
    assert json.loads(out)["figures"][0]["number"] == 0
    assert tiankan(*words)[0] == 0
    assert "--from: '2024' is not a day" in refusal(*words, "--from", "2024")
    assert "lies in the future" in refusal(*words, "--as-of", "2999-01-01")
    for early in ("0001-01-01", "0001-01-01T00:00:00+14:00"):
        assert "lies before the year 1900" in refusal(*words, "--as-of", early)
