"""Rulebooks as files: typos by file and key, the book of the day, the shipped books on situations judged by hand."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cadastre.facts import Fact, Facts
from cadastre.layers import load_catalogue
from cases.rules import Verdict, in_force, judge, load_rulebooks
from ground.errors import BadInput
from law import rulebooks_of

ROOT = Path(__file__).parent.parent
HEAD = 'title = "t"\njurisdiction = "j"\neffective_from = 2020-01-01\n'
FIRST = '[[rule]]\nid = "A"\nverdict = "lawful"\nbasis = "b"\nwhen = { permits_share = { min = 0.95 } }\n'
LAST = '[[rule]]\nid = "LAST"\nverdict = "suspected_violation"\nbasis = "b"\nwhen = {}\n'
BOOK = HEAD + FIRST + LAST

TYPOS = {
    "a key of the book": (("jurisdiction =", "jurisdicion ="), r"jurisdicion: is not a known key; .*jurisdiction"),
    "a key of a rule": (('basis = "b"', 'bassis = "b"'), r"rule\.0\.bassis: is not a known key; .*basis, group, id"),
    "a key of a condition": (("min =", "minimum ="), r"rule\.0\.when\.permits_share\.minimum: is not a known key"),
    "no date": (("effective_from = 2020-01-01\n", ""), r"effective_from: is missing; add it"),
    "a wrong date": (("2020-01-01", '"from 2020 on"'), r"effective_from: 'from 2020 on' is wrong"),
    "an unknown verdict": (('"lawful"', '"violation"'), r"rule\.0\.verdict: 'violation' is wrong: .*'lawful'"),
    "doubt as a verdict": (('"lawful"', '"doubt"'), r"rule\.0\.verdict: doubt is what missing facts give"),
    "an id twice": (('id = "A"', 'id = "LAST"'), r"rule id 'LAST' stands twice; every rule needs its own"),
    "an unreachable rule": (
        ("{ permits_share = { min = 0.95 } }", "{}"),
        r"rule 'A' always holds and hides those after it; move it to the end",
    ),
    "a last rule with conditions": (
        ("when = {}", "when = { permits_m2 = { min = 1 } }"),
        r"the last rule, 'LAST', must hold always: set when = \{\}",
    ),
    "a fact that nothing measures": (
        ("permits_share", "permits_fraction"),
        r"rule\.0\.when: fact 'permits_fraction' is unknown; write change_class, .*<layer>_<measure>",
    ),
    "min above max": (("min = 0.95", "min = 9, max = 2"), r"no fact lies between min 9\.0 and max 2\.0"),
    "nothing asked": (("{ min = 0.95 }", "{}"), r"permits_share: a condition has either min, .*or any_of"),
    "two things asked": (("min = 0.95", 'min = 1, any_of = ["x"]'), r"a condition has either min, .*or any_of"),
    "any of nothing": (("min = 0.95", "any_of = []"), r"permits_share\.any_of: \[\] is wrong: .*at least 1 item"),
    "not a number": (("min = 0.95", "min = nan"), r"permits_share\.min: nan is wrong: .*finite number"),
    "no end": (("min = 0.95", "max = inf"), r"permits_share\.max: inf is wrong: .*finite number"),
    "a word for a number": (("min = 0.95", 'min = "95 %"'), r"permits_share\.min: '95 %' is wrong"),
    "no rules": ((FIRST + LAST, ""), r"rule: is missing; add it"),
    "an empty list of rules": ((FIRST + LAST, "rule = []\n"), r"rule: \[\] is wrong: .*at least 1 item"),
    "no TOML": (("[[rule]]", "[[rule]"), r"is not valid TOML: .*line 4"),
}  # fmt: skip


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_is_named_by_file_and_key(tmp_path: Path, typo: str) -> None:
    (old, new), said = TYPOS[typo]
    assert old in BOOK
    path = tmp_path / "book.toml"
    path.write_text(BOOK.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=rf"book\.toml: (the table: )?(rule\.\d.*)?{said}"):
        load_rulebooks(path)


def test_a_book_without_typos_loads(tmp_path: Path) -> None:
    path = tmp_path / "book.toml"
    path.write_text(BOOK, encoding="utf-8")
    assert [rule.id for rule in load_rulebooks(path)[0].rules] == ["A", "LAST"]


def test_the_book_in_force_on_the_day_judges(tmp_path: Path) -> None:
    # Written in the wrong order of names: what counts is the day.
    (tmp_path / "a.toml").write_text(BOOK.replace("2020-01-01", "2024-07-01"), encoding="utf-8")
    (tmp_path / "b.toml").write_text(BOOK.replace("2020-01-01", "1999-01-01"), encoding="utf-8")
    books = load_rulebooks(tmp_path)
    days = [date(1998, 12, 31), date(1999, 1, 1), date(2024, 6, 30), date(2024, 7, 1), date(2099, 1, 1), None]
    begins = [book.effective_from.year if book else None for book in (in_force(books, day) for day in days)]
    assert begins == [None, 1999, 1999, 2024, 2024, 2024]


def test_two_books_of_one_day_and_no_book_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no rulebook \(\*\.toml\); pass --rules FILE or FOLDER"):
        load_rulebooks(tmp_path)
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(BOOK, encoding="utf-8")
    with pytest.raises(
        BadInput, match=r"two rulebooks take effect on one day; give each its own effective_from"
    ):
        load_rulebooks(tmp_path)
    with pytest.raises(BadInput, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        load_rulebooks(tmp_path / "none.toml")
    (tmp_path / "gbk.toml").write_bytes('title = "规则"'.encode("gbk"))
    with pytest.raises(BadInput, match=r"gbk\.toml: is not UTF-8 \(byte 9\); save it as UTF-8"):
        load_rulebooks(tmp_path / "gbk.toml")


CLEAN: dict[str, Fact] = {
    "change_area_m2": 5000.0, "approvals_share": 0.0, "registrations_share": 0.0, "facilities_share": 0.0,
    "temporary_use_share": 0.0, "basic_farmland_m2": 0.0, "protected_areas_share": 0.0, "redline_m2": 0.0,
}  # fmt: skip
"""A change of half a hectare on ordinary land that nothing explains."""
SUSPECTED = "suspected_violation"
SITUATIONS: list[tuple[dict[str, Fact], str, str]] = [
    ({}, SUSPECTED, "UNEXPLAINED"),
    ({"change_area_m2": 99.99}, "other", "SLIVER"),
    ({"change_area_m2": 100.0}, SUSPECTED, "UNEXPLAINED"),
    ({"change_area_m2": 60.0, "basic_farmland_m2": 60.0, "redline_m2": 60.0}, "other", "SLIVER"),
    ({"approvals_share": 0.95}, "lawful", "APPROVED"),
    ({"approvals_share": 0.949999}, SUSPECTED, "UNEXPLAINED"),
    ({"approvals_share": 1.0, "registrations_share": 1.0}, "lawful", "APPROVED"),
    ({"approvals_share": 1.0, "basic_farmland_m2": 5000.0}, "lawful", "APPROVED"),
    ({"approvals_share": 0.5, "registrations_share": 0.96}, "lawful", "REGISTERED"),
    ({"facilities_share": 0.95, "basic_farmland_m2": 99.0}, "facility", "FACILITY"),
    ({"temporary_use_share": 0.99}, "temporary", "TEMPORARY"),
    ({"facilities_share": 0.5, "temporary_use_share": 0.5}, SUSPECTED, "UNEXPLAINED"),  # halves do not add up
    ({"basic_farmland_m2": 100.0}, SUSPECTED, "BASIC-FARMLAND"),
    ({"basic_farmland_m2": 99.999}, SUSPECTED, "UNEXPLAINED"),
    ({"protected_areas_share": 0.01}, SUSPECTED, "PROTECTED-AREA"),
    ({"redline_m2": 100.0}, SUSPECTED, "REDLINE"),
    ({"basic_farmland_m2": 2000.0, "protected_areas_share": 1.0, "redline_m2": 5000.0}, SUSPECTED, "BASIC-FARMLAND"),
    # What is unknown: a register that is not in hand leaves every larger change in doubt.
    ({"approvals_share": None}, "doubt", "APPROVED"),
    ({"approvals_share": None, "change_area_m2": 50.0}, "other", "SLIVER"),
    ({"approvals_share": 1.0, "registrations_share": None}, "lawful", "APPROVED"),
    ({"registrations_share": None, "basic_farmland_m2": 5000.0}, "doubt", "REGISTERED"),
    ({"basic_farmland_m2": None, "redline_m2": 5000.0}, SUSPECTED, "REDLINE"),  # whatever the basic farmland
    ({"redline_m2": None}, SUSPECTED, "UNEXPLAINED"),  # suspected in any case
    ({"temporary_use_share": None, "facilities_share": 1.0}, "facility", "FACILITY"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "verdict", "rule"), SITUATIONS)
def test_the_national_book_on_situations_judged_by_hand(
    facts: dict[str, Fact], verdict: str, rule: str
) -> None:
    (book,) = load_rulebooks(rulebooks_of("cn"))
    judgement = judge(Facts(CLEAN | facts), book)
    assert (judgement.verdict, judgement.rule_id) == (verdict, rule)
    assert judgement.missing.keys() == {
        name for name, value in facts.items() if value is None and verdict == "doubt"
    }


FOREST: dict[str, Fact] = {
    "change_class": "vegetation_loss", "road_permits_share": 0.0, "compartments_share": 1.0, "protected_share": 0.0,
    "felling_permits_share": 0.0,
}  # fmt: skip
IN_THE_FOREST: list[tuple[dict[str, Fact], str, str]] = [
    ({}, SUSPECTED, "NO-PERMIT"),
    ({"change_class": "linear", "road_permits_share": 0.6}, "lawful", "ROAD-PERMIT"),
    ({"change_class": "linear", "road_permits_share": 0.59}, SUSPECTED, "NO-PERMIT"),
    ({"road_permits_share": 1.0}, SUSPECTED, "NO-PERMIT"),  # a clearing is no road, whatever permits one
    ({"compartments_share": 0.2}, "other", "NOT-FOREST"),
    ({"protected_share": 0.05, "felling_permits_share": 1.0}, SUSPECTED, "PROTECTED-AREA"),
    ({"felling_permits_share": 0.8}, "lawful", "FELLING-PERMIT"),
    ({"felling_permits_share": None}, "doubt", "FELLING-PERMIT"),  # it ran out between the scenes
    ({"road_permits_share": None}, SUSPECTED, "NO-PERMIT"),  # of no matter where there is no road
    ({"compartments_share": None}, "doubt", "NOT-FOREST"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "verdict", "rule"), IN_THE_FOREST)
def test_the_book_of_the_demonstration(facts: dict[str, Fact], verdict: str, rule: str) -> None:
    (book,) = load_rulebooks(ROOT / "demo" / "rulebook")
    judgement = judge(Facts(FOREST | facts), book)
    assert (judgement.verdict, judgement.rule_id) == (verdict, rule)


@pytest.mark.parametrize(
    ("rules", "layers"),
    [("law/cn/rulebook", "law/cn/layers.toml"), ("demo/rulebook", "demo/layers.toml")],
)
def test_every_fact_that_a_shipped_book_asks_for_is_measured_by_the_layers_beside_it(
    rules: str, layers: str
) -> None:
    catalogue = load_catalogue(ROOT / layers)
    measured = {f"{name}_{measure}" for name, layer in catalogue.items() for measure in layer.measures}
    asked: set[Any] = {
        name for book in load_rulebooks(ROOT / rules) for rule in book.rules for name in rule.when
    }
    assert {name for name in asked if not name.startswith("change_")} <= measured


def test_no_shipped_book_says_violation_or_leaves_suspicion_without_proof() -> None:
    books = [*load_rulebooks(rulebooks_of("cn")), *load_rulebooks(ROOT / "demo" / "rulebook")]
    for rule in (rule for book in books for rule in book.rules):
        assert rule.verdict in set(Verdict) - {Verdict.DOUBT}
        assert rule.basis
        assert rule.proof or rule.verdict is not Verdict.SUSPECTED_VIOLATION
