"""Statistics by actual use, what they print of unknown land, of no period and of whose clock."""

import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cases.ledger import record
from cases.rules import load_rulebooks
from cases.store import CaseStore
from reports.statistics import Statistics, statistics
from reports.statistics_files import statistics_page, write_statistics
from reports.statistics_sheet import AtLeast, heading_of, tables_of
from reports.words import Language, Words, load_words, moment
from tests.cases_world import ROAD, entry_of, new_store, row_of_changes
from tests.test_cli import tiankan
from tests.test_statistics import land, proved

AT = datetime(2026, 1, 1, 20, 30, 5, tzinfo=UTC)
INDUSTRY, TRANSPORT = "industry, mining, commerce 工矿商业", "transport 交通"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, list[str]]:
    """Four suspicions in two counties: industry twice, transport, of no use; the last without a ledger."""
    store, changes = new_store(tmp_path), row_of_changes(4)
    changes["area_m2"] = [10_000.0] * 4
    ids = changes["change_id"].tolist()
    ledgers = {
        ids[0]: land(10.0, 10_000.0),
        ids[1]: land(4.0, 10_000.0, unknown=2.0),
        ids[2]: land(0.0, 10_000.0),
    }
    uses = dict(zip(ids, [INDUSTRY, INDUSTRY, TRANSPORT, ""], strict=True))
    regions = dict(zip(ids, ["140105"] * 3 + ["140106"], strict=True))
    entry = entry_of(changes, land=ledgers, regions=regions)
    judgements = {one: replace(entry.judgements[one], group=use) for one, use in uses.items()}
    record(store, replace(entry, judgements=judgements), ROAD)
    return store, ids


def rows_of(table: str, found: Statistics, language: Language = Language.EN) -> list[list[Any]]:
    (one,) = [each for each in tables_of(found, Words(language)) if each.key == table]
    return one.rows


def test_suspicions_and_violations_by_use(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    proved(store, ids[0], "violation")
    proved(store, ids[2], "lawful")
    found = statistics(store, datetime.now(UTC))
    told = {
        (one.region, one.part, one.use): (one.number, one.monitored_mu, one.cultivated_mu, one.unknown_mu)
        for one in found.by_use
    }
    # What a person found lawful is of no use here; the whole tells of each use in both parts.
    assert told == {
        ("", "suspected", INDUSTRY): (1, 15.0, 4.0, 2.0), ("", "suspected", "unknown"): (1, 15.0, 0.0, 15.0),
        ("", "violation", INDUSTRY): (1, 15.0, 10.0, 0.0), ("", "violation", "unknown"): (0, 0.0, 0.0, 0.0),
        ("140105", "suspected", INDUSTRY): (1, 15.0, 4.0, 2.0), ("140105", "violation", INDUSTRY): (1, 15.0, 10.0, 0.0),
        ("140106", "suspected", "unknown"): (1, 15.0, 0.0, 15.0),
    }  # fmt: skip
    rows = rows_of("uses", found, Language.ZH)
    assert rows[0][:6] == ["全部", "疑似违法", "工矿商业", 1, 10_000.0, 15.0]
    assert rows[1][:7] == ["全部", "疑似违法", "未知", 1, 10_000.0, 15.0, "未知"]
    assert rows_of("uses", found)[0][2] == "industry, mining, commerce"


def test_every_group_of_the_rulebooks_has_words() -> None:
    books = [book for pack in (ROOT / "law").glob("*/rulebook") for book in load_rulebooks(pack)]
    assert {group for book in books for group in book.groups} - {*load_words()["use"]} == set()


def test_unknown_cultivated_land_is_never_printed_as_none(
    world: tuple[CaseStore, list[str]], tmp_path: Path
) -> None:
    store, ids = world
    proved(store, ids[3], "violation")
    found = statistics(store, datetime.now(UTC))
    cells = {(row[0], row[1].split(" ")[0]): row[5] for row in rows_of("figures", found)}
    assert cells["everywhere", "all"] == 14.0 and isinstance(cells["everywhere", "all"], AtLeast)
    assert f"{cells['everywhere', 'all']:,.2f}" == "≥ 14.00"
    assert (
        cells["everywhere", "violation"]
        == cells["140106", "violation"]
        == cells["140106", "all"]
        == "unknown"
    )
    # Known: none of it.
    assert (cells["everywhere", "lawful"], cells["140105", "violation"]) == (0.0, 0.0)
    assert not isinstance(cells["140105", "violation"], AtLeast)
    shares = {(row[0], row[2]): row[3:5] for row in rows_of("shares", found)}
    assert shares["140106", "plain"] == ["unknown", "unknown"]
    assert [f"{value:.2f}" for value in shares["140105", "plain"]] == ["0.00", "≥ 14.00"]
    early = replace(found, shares=[replace(found.shares[0], line=None)])
    assert rows_of("shares", early)[0][3:5] == ["unknown", "unknown"]
    write_statistics(found, tmp_path / "s.csv", Words(Language.EN))
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.reader(stream))
    said = "violation (said by a named person)"
    assert [
        "figures",
        "everywhere",
        said,
        "1",
        "10000.0",
        "15.0",
        "unknown",
        "1",
        "15.0",
        "0",
    ] in lines
    assert ["figures", "everywhere", "all", "4", "40000.0", "60.0", "14.0", "2", "17.0", "0"] in lines
    assert next(line[3] for line in lines if line[0] == "uses") == "industry, mining, commerce"
    write_statistics(found, tmp_path / "s.xlsx", Words(Language.ZH))
    sheet = openpyxl.load_workbook(tmp_path / "s.xlsx")["数量与面积"]
    assert [[*sheet.values][line][5] for line in (1, 3)] == [14, "未知"]
    page = statistics_page(found, Words(Language.ZH), AT)
    assert (page["tables"][0]["rows"][0][5], page["tables"][0]["rows"][2][5]) == ("≥ 14.00", "未知")
    # A column of numbers stays one where some of them are unknown.
    assert page["tables"][0]["right"] == [False, False, *[True] * 7]


@pytest.mark.sqlite
def test_the_verb_prints_it(world: tuple[CaseStore, list[str]], tmp_path: Path) -> None:
    assert len(world[1]) == 4
    db = ("--db", tmp_path / "cases.db", "--lang", "en")
    out = tiankan("stats", *db)[1]
    assert "≥ 14.00" in out and "By actual use" in out
    said = json.loads(tiankan("stats", *db, "--json")[1])
    assert (said["figures"][0]["cultivated_mu"], said["figures"][0]["unknown_mu"]) == (14.0, 17.0)
    assert said["by_use"][0]["use"] == INDUSTRY


def test_a_period_that_is_not_asked_for_is_said_so(tmp_path: Path) -> None:
    found = statistics(new_store(tmp_path), datetime.now(UTC))
    day = date(2025, 1, 1)
    asked = [(None, None), (day, None), (None, day), (day, date(2025, 12, 31))]
    said = {
        language: [
            heading_of(replace(found, first=first, last=last), Words(language))[1][1] for first, last in asked
        ]
        for language in Language
    }
    assert said == {
        Language.ZH: ["不限", "2025-01-01 起", "至 2025-01-01", "2025-01-01 – 2025-12-31"],
        Language.EN: ["any day", "from 2025-01-01", "until 2025-01-01", "2025-01-01 – 2025-12-31"],
    }


def test_times_are_the_county_s_for_a_chinese_reader(tmp_path: Path) -> None:
    assert moment(AT, Words(Language.ZH)) == "2026-01-02 04:30 北京时间"
    assert moment(AT, Words(Language.EN)) == "2026-01-01 20:30 UTC"
    assert moment(datetime(9999, 12, 31, 23, tzinfo=UTC), Words(Language.ZH)) == "9999-12-31 23:00 UTC"
    found = replace(statistics(new_store(tmp_path), AT), as_of=AT)
    assert heading_of(found, Words(Language.ZH))[2] == ("统计时点", "2026-01-02 04:30:05 北京时间")
    assert heading_of(found, Words(Language.EN))[2] == ("As known at", "2026-01-01 20:30:05 UTC")
    assert statistics_page(found, Words(Language.ZH), AT)["made"] == "2026-01-02 04:30 北京时间"
