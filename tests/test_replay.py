"""What was said on a day stays what was said, whatever is judged later; and is found again, measured anew."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

import cli
import pipeline
from cadastre.facts import Facts
from cases import ledger
from cases.explain import explain
from cases.measuring import NOT_ASKED
from cases.reasons import facts_of, kept
from cases.replay import Replayed, replay
from cases.rules import load_rulebooks
from cases.store import CaseStore, open_store
from cases.whatif import what_if
from database.tables import JudgementRow, JudgingRow
from detection import changes as change_frame
from ground.errors import BadInput, NotFound
from tests.cases_world import changes_of, new_url, rect
from tests.registry_world import CHANGE, brought, day, half, layer, written

BOOK = """
title = "Test"
jurisdiction = "XX"
effective_from = 2000-01-01
rule = [
  { id = "PERMITTED", verdict = "lawful", basis = "law", when = { permits_share = { min = 0.75 } } },
  { id = "REST", verdict = "suspected_violation", basis = "law", when = {} },
]
"""
LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
columns = { number = "no" }
coverage = "everywhere"
measures = ["share", "numbers"]
"""
LENIENT = BOOK.replace("0.75", "0.25")


class County:
    """A change, half of it permitted since 2021-01-10; a database and a rulebook."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, new_url(folder)
        self.store: CaseStore = open_store(self.url)
        self.law(BOOK)
        self.changes(changes_of(CHANGE))

    def law(self, book: str) -> None:
        (self.folder / "book.toml").write_text(book)

    def changes(self, frame: Any) -> None:
        change_frame.write(frame, self.folder / "changes.gpkg", {})

    def permits(self, known: str, *shapes: Any, **more: Any) -> None:
        written(self.folder, "permits.gpkg", shapes, no=[f"P{i}" for i in range(len(shapes))])
        brought(self.store, self.folder, layer("permits.gpkg", **more), known)

    def judge(self, as_of: str, **more: Any) -> list[str]:
        found = pipeline.judge_changes(
            self.folder / "changes.gpkg", more.get("layers"), self.url, self.folder / "book.toml",
            region=more.get("region", ""), as_of=day(as_of),
        )  # fmt: skip
        return [str(said.verdict) for said in found.judgements.values()]

    def replay(self, as_of: str, region: str = "") -> Replayed:
        return replay(CaseStore(self.store.engine, region), day(as_of))

    def said(self, as_of: str) -> list[str]:
        found = self.replay(as_of)
        assert found.differing == [] and found.not_measured == 0
        return [json.loads(line)["verdict"] for line in found.lines]

    def count(self, row: Any) -> int:
        with self.store.transaction() as session:
            return session.scalar(select(func.count()).select_from(row)) or 0


@pytest.fixture
def county(tmp_path: Path) -> County:
    made = County(tmp_path)
    made.permits("2021-01-10", half(True))
    return made


class _Clock(datetime):
    today_is = "2021-01-01"

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.fromisoformat(f"{cls.today_is}T12:00:00").replace(tzinfo=tz or UTC)


def on(monkeypatch: pytest.MonkeyPatch, today: str) -> None:
    """What is recorded is recorded on this day."""
    monkeypatch.setattr(_Clock, "today_is", today)
    monkeypatch.setattr(ledger, "datetime", _Clock)


def test_a_judging_made_later_for_an_earlier_day_rewrites_no_other_day(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, "2021-10-01")
    assert county.judge("2021-10-01") == ["suspected_violation"]
    first = county.replay("2021-12-31")
    monkeypatch.undo()
    county.law(LENIENT)
    assert county.judge("2021-12-01") == ["lawful"]
    assert county.replay("2021-12-31") == first
    assert county.said("2021-11-30") == ["suspected_violation"]
    assert county.said("2021-12-01") == ["lawful"]
    assert county.said(datetime.now(UTC).date().isoformat()) == ["lawful"]


def test_a_day_on_which_and_for_which_nothing_was_said_is_told_so(county: County) -> None:
    county.judge("2021-10-01")
    with pytest.raises(BadInput, match=r"nothing was judged by 2021-12-31 .* the newest 2021-10-01"):
        county.replay("2021-12-31")
    assert county.said("2021-10-01") == ["suspected_violation"]


def test_a_judging_that_said_nothing_new_holds_its_day_too(county: County) -> None:
    county.permits("2021-03-01", half(True), half(False))
    county.permits("2021-05-01", half(True))
    assert [county.judge(as_of) for as_of in ("2021-02-01", "2021-06-01")] == [["suspected_violation"]] * 2
    assert (county.count(JudgementRow), county.count(JudgingRow)) == (1, 2)
    with pytest.raises(BadInput, match="was judged as of 2021-06-01"):
        county.judge("2021-04-01")
    assert county.said("2021-06-01") == county.said("2021-02-01") == ["suspected_violation"]
    assert county.judge("2021-06-01") == ["suspected_violation"]
    assert (county.count(JudgementRow), county.count(JudgingRow)) == (1, 2)


def test_changes_that_no_later_judging_held_may_be_judged_as_of_before(county: County) -> None:
    county.judge("2021-06-01")
    county.changes(changes_of(rect(500, 0, 600, 100), rect(800, 0, 900, 100)))
    county.judge("2021-04-01")
    assert len(county.replay("2021-04-01").lines) == 2
    assert len(county.replay("2021-06-01").lines) == 1
    with county.store.transaction() as session:
        held = session.scalars(select(JudgingRow.changes).order_by(JudgingRow.as_of)).all()
    assert held == [[[2, 3]], [[1, 1]]]


def test_two_books_on_one_day_are_two_judgings(county: County) -> None:
    for book, verdict in ((BOOK, "suspected_violation"), (LENIENT, "lawful"), (BOOK, "suspected_violation")):
        county.law(book)
        assert county.judge("2021-10-01") == [verdict]
        assert county.said("2021-10-01") == [verdict]
    assert (county.count(JudgementRow), county.count(JudgingRow)) == (3, 3)
    # The same once more is nothing new.
    county.judge("2021-10-01")
    assert (county.count(JudgementRow), county.count(JudgingRow)) == (3, 3)


@pytest.mark.parametrize("edited", ["[permits]\ntypo = 1\n", "not = = toml", "\xff"])
def test_an_edited_layers_toml_leaves_the_facts_as_they_were_written(county: County, edited: str) -> None:
    layers = county.folder / "layers.toml"
    layers.write_text(LAYERS)
    assert county.judge("2021-10-01", layers=layers) == ["suspected_violation"]
    assert county.said("2021-10-01") == ["suspected_violation"]
    layers.write_text(edited, encoding="latin-1")
    found = county.replay("2021-10-01")
    assert (len(found.lines), found.differing, found.not_measured) == (1, [], 1)


def test_dates_of_what_lies_elsewhere_say_nothing_of_a_change(county: County) -> None:
    here, there = rect(0, 0, 100, 100), rect(8000, 0, 8100, 100)
    written(
        county.folder,
        "dated.gpkg",
        [here, rect(8000, 0, 8050, 100)],
        no=["A", "B"],
        until=[None, "2030-01-01"],
    )
    register = layer("dated.gpkg", columns={"number": "no", "valid_to": "until"})
    brought(county.store, county.folder, register, "2021-01-10")
    no_days = {"before": None, "after": None}
    county.changes(changes_of(here, there, **no_days))
    assert county.judge("2021-10-01") == ["lawful", "doubt"]
    # Alone, the first is judged as it was beside the other: nothing is new, and the day is found again.
    county.changes(changes_of(here, **no_days))
    assert county.judge("2021-12-01") == ["lawful"]
    assert county.count(JudgementRow) == 2
    assert county.said("2021-12-01") == ["lawful"]
    assert sorted(county.said("2021-10-01")) == ["doubt", "lawful"]


def test_what_if_says_what_was_never_measured_and_why_a_fact_is_unknown(county: County) -> None:
    folder = county.folder
    written(folder, "roads.gpkg", [rect(5000, 5000, 5100, 5100)], no=["R"])
    brought(county.store, folder, layer("roads.gpkg", coverage="bounds"), "2021-01-10", name="roads")
    assert county.judge("2021-10-01") == ["suspected_violation"]
    for fact, why in (
        ("change_centre_width_m", "no rule comes to ask for it, so it was not measured"),
        ("roads_share", "layer roads does not cover the whole change"),
    ):
        (folder / "other.toml").write_text(BOOK.replace("permits_share", fact))
        told = what_if(county.store, load_rulebooks(folder / "other.toml"))
        (turn,) = told.turns
        assert (turn.becomes, turn.missing) == ("doubt", {fact: why})
        assert told.never_measured == ({fact: 1} if "width" in fact else {})
    with county.store.transaction() as session:
        (why,) = session.scalars(select(JudgementRow.why)).all()
    assert why["layer * does not cover the whole change"] == ["roads"]


def test_reasons_are_kept_in_few_bytes_and_come_back_whole() -> None:
    outside, depends = "layer {} does not cover the whole change", "layer a: it depends on the day"
    why = {
        "change_ndvi": "the change has no ndvi_change", "a_m2": depends, "a_numbers": outside.format("a"),
        "b_m2": outside.format("b"), "b_share": outside.format("b"), "b_c_m2": outside.format("b_c"),
        "e_m2": "layer e is not in hand", "change_centre_width_m": NOT_ASKED, "change_centre_width_max_m": NOT_ASKED,
    }  # fmt: skip
    facts = Facts(dict.fromkeys(why) | {"a_share": 1.0}, why)
    assert kept(facts) == {
        depends: ["a_m2"], outside.format("a"): ["a_numbers"],
        "layer * does not cover the whole change": ["b", "b_c"], "layer * is not in hand": ["e"],
    }  # fmt: skip
    assert facts_of(facts.values, kept(facts), {}).why == why
    assert kept(Facts({}, {})) is None


def test_replay_what_if_and_explain_see_their_region_alone(county: County) -> None:
    ids = []
    for region, shape in (("140105", CHANGE), ("41", rect(500, 0, 600, 100))):
        frame = changes_of(shape)
        ids.append(frame["change_id"].iloc[0])
        county.changes(frame)
        county.judge("2021-10-01", region=region)
    for region, seen in (("14", ids[:1]), ("41", ids[1:]), ("", ids)):
        scoped = county.store.scoped(region)
        replayed = replay(scoped, day("2021-10-01"))
        assert (len(replayed.lines), replayed.differing) == (len(seen), [])
        assert {json.loads(line)["change_id"] for line in replayed.lines} == set(seen)
        books = load_rulebooks(county.folder / "book.toml")
        assert what_if(scoped, books).changes == len(seen)
        for change in ids:
            if change in seen:
                assert explain(scoped, change, books).rule == "REST"
            else:
                with pytest.raises(NotFound, match="is not in the database"):
                    explain(scoped, change, books)
    with pytest.raises(BadInput, match="nothing was judged"):
        county.replay("2021-10-01", region="99")


@pytest.mark.parametrize(
    "verb", [["replay", "--as-of", "2021-10-01"], ["whatif", "{book}"], ["explain", "{change}"]]
)
def test_the_verbs_of_rules_see_the_installation_s_region(county: County, verb: list[str]) -> None:
    frame = changes_of(CHANGE)
    county.judge("2021-10-01", region="140105")
    names = {"book": county.folder / "book.toml", "change": frame["change_id"].iloc[0]}
    asked = ["rules", *(word.format(**names) for word in verb), "--db", county.url, "--json"]
    mine, theirs = (CliRunner().invoke(cli.app, asked, env={"TIANKAN_REGION": r}) for r in ("14", "41"))
    assert mine.exit_code == 0, mine.output
    assert isinstance(theirs.exception, BadInput | NotFound)
