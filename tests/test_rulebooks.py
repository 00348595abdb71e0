"""Rulebooks as files: typos by file and key, the book of the day, the shipped books on situations judged by hand."""

from datetime import date
from pathlib import Path

import pytest

from cadastre.facts import Fact, Facts
from cadastre.layers import load_catalogue
from cases.rules import in_force, judge, load_rulebooks
from ground.errors import BadInput
from law import PACKS, rulebooks_of

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


SUSPECTED = "suspected_violation"
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


def test_every_fact_that_the_book_of_the_demonstration_asks_for_is_measured_by_the_layers_beside_it() -> None:
    catalogue = load_catalogue(ROOT / "demo" / "layers.toml")
    measured = {f"{name}_{measure}" for name, layer in catalogue.items() for measure in layer.measures}
    (book,) = load_rulebooks(ROOT / "demo" / "rulebook")
    asked = {name for rule in book.rules for name in rule.when}
    assert {name for name in asked if not name.startswith("change_")} <= measured
    assert all(rule.basis for rule in book.rules)


def test_rulebooks_are_those_of_a_pack_or_of_a_path(tmp_path: Path) -> None:
    assert rulebooks_of("cn") == PACKS / "cn" / "rulebook"
    assert rulebooks_of(PACKS / "cn") == PACKS / "cn" / "rulebook"
    (tmp_path / "mine.toml").write_text(BOOK, encoding="utf-8")
    assert rulebooks_of(tmp_path) == tmp_path
    assert rulebooks_of(tmp_path / "mine.toml") == tmp_path / "mine.toml"
    with pytest.raises(BadInput, match=r"xx: is neither a pack \(.*cn\) nor a file or folder of rulebooks"):
        rulebooks_of("xx")
