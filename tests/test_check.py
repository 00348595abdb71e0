"""Checking rulebooks: what can never fire, what hides what, what nothing measures; each fault is one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cadastre.facts import Facts
from cases.check import Checked, _reachable, check
from cases.rules import judge
from cli import app
from law import packs
from tests.cases_world import book

HEAD = 'title = "t"\njurisdiction = "j"\neffective_from = 2020-01-01\n'
LAST = '[[rule]]\nid = "LAST"\nverdict = "suspected_violation"\nbasis = "b"\nwhen = {}\n'
LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
coverage = "everywhere"
measures = ["share", "numbers", "dominant"]
columns = { land_class = "DLBM" }
"""


def rule(name: str, when: str, verdict: str = "lawful") -> str:
    return f'[[rule]]\nid = "{name}"\nverdict = "{verdict}"\nbasis = "b"\nwhen = {{ {when} }}\n'


def found(tmp_path: Path, text: str, head: str = HEAD, **files: str) -> Checked:
    folder = tmp_path / "rulebook"
    folder.mkdir()
    (folder / "book.toml").write_text(head + text + LAST, encoding="utf-8")
    (tmp_path / "layers.toml").write_text(LAYERS)
    for name, content in files.items():
        (tmp_path / f"{name}.toml").write_text(content, encoding="utf-8")
    return check(folder, tmp_path / "layers.toml", tmp_path)


SHARE = 'permits_share = { min = 0.9, source = "s" }'
ERRORS = {
    "a share over 1": (
        rule("A", "permits_share = { min = 1.2 }"),
        "rule 'A': permits_share: it lies between 0 and 1, where the condition never holds; mend its bounds or texts",
    ),
    "a share of less than nothing": (rule("A", "permits_share = { below = 0 }"), "where the condition never holds"),
    "contradictory bounds": (
        rule("A", "permits_share = { min = 0.9, max = 0.1 }"),
        "rule.0.when.permits_share: no fact lies between min 0.9 and max 0.1",
    ),
    "strict bounds that touch": (
        rule("A", "permits_share = { above = 0.9, max = 0.9 }"),
        "no number lies within these bounds; mend min, max, above or below",
    ),
    "an unknown class": (
        rule("A", 'change_class = { any_of = ["road"] }'),
        "rule 'A': change_class: class 'road' is unknown; use unclassified, linear,",
    ),
    "a layer that is not there": (
        rule("A", "permit_share = { min = 0.9 }"),
        "rule 'A': permit_share: there is no layer 'permit' in layers.toml; add it, or use permits",
    ),
    "a measure that the layer has not": (
        rule("A", "permits_m2 = { min = 1 }"),
        "rule 'A': permits_m2: layer 'permits' does not measure it; add it to its measures (share, numbers, dominant)",
    ),
    "a number asked of a text": (
        rule("A", "permits_dominant = { min = 1 }"),
        "permits_dominant: it is a text, and a number is asked of it; use any_of, none_of or starts_with",
    ),
    "an earlier rule that is weaker": (
        rule("A", "permits_share = { min = 0.5 }") + rule("B", SHARE, "other"),
        "rule 'B' can never decide: 'A', tried before it, holds wherever it does; move it up, or mend either",
    ),
    "an earlier rule that asks less": (
        rule("A", SHARE) + rule("B", f"{SHARE}, change_area_m2 = {{ min = 5 }}", "other"),
        "rule 'B' can never decide: 'A', tried before it",
    ),
    "texts that begin so": (
        rule("A", 'permits_dominant = { starts_with = ["0"] }')
        + rule("B", 'permits_dominant = { any_of = ["01", "02"] }', "other"),
        "rule 'B' can never decide: 'A', tried before it",
    ),
    "two that together leave nothing": (
        rule("A", "permits_share = { min = 0.5 }") + rule("B", "permits_share = { below = 0.5 }", "other"),
        "rule 'LAST' can never decide: the rules tried before it, taken together, hold wherever it does",
    ),
    "a share in percent, so that it always holds": (
        rule("A", 'permits_share = { below = 95 }, change_class = { any_of = ["linear"], source = "s" }'),
        "permits_share: it lies between 0 and 1, where the condition always holds, so it asks nothing",
    ),
    "the beginning of no class": (
        rule("A", 'change_class = { starts_with = ["vegetatoin"] }'),
        "change_class: class 'vegetatoin' is unknown; use unclassified, linear,",
    ),
    "a number in quotes": (rule("A", 'permits_share = { min = "0.9" }'), "permits_share.min"),
    "true for a number": (rule("A", "permits_share = { min = true }"), "permits_share.min"),
    "texts that shut each other out": (
        rule("A", 'permits_dominant = { any_of = ["01"], none_of = ["01"] }'),
        "permits_dominant: whatever its text, the condition never holds",
    ),
    "a land class that nobody knows": (
        rule("A", 'permits_dominant = { starts_with = ["77"] }'),
        "permits_dominant: land class '77' is not in land_classes.toml; mend it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", ERRORS)
def test_a_rule_that_says_what_nobody_meant_is_an_error(fault: str, tmp_path: Path) -> None:
    text, said = ERRORS[fault]
    checked = found(tmp_path, text, land_classes='farmland = ["01", "02"]')
    errors = checked.texts(errors=True)
    assert any(said in error for error in errors), errors
    assert len(errors) == 1
    assert errors[0].startswith(str(tmp_path / "rulebook" / "book.toml: "))
    assert "\n" not in errors[0]


def test_what_is_in_order_gives_nothing(tmp_path: Path) -> None:
    checked = found(
        tmp_path, rule("A", SHARE) + rule("B", 'permits_share = { min = 0.5, source = "s" }', "other")
    )
    assert checked.findings == []


def test_warnings_name_what_was_left_unsaid(tmp_path: Path) -> None:
    proofs = (
        '[proof.letter]\ntext = "t"\nminutes = 5\nsettles = ["permits", "leases"]\n'
        '[proof.lease]\ntext = "t"\nminutes = 5\nsettles = ["leases_share"]\n'
    )
    head = HEAD + 'groups = ["roads"]\n'
    checked = found(tmp_path, proofs + rule("A", f"{SHARE}, change_area_m2 = {{ max = 9 }}"), head)
    assert checked.texts(errors=True) == []
    assert [text.split("book.toml: ")[1] for text in checked.texts(errors=False)] == [
        "rule 'A': no source for change_area_m2; write where it stands: source = \"…\"",
        "proof 'letter' settles 'leases', which no rule asks for; remove it",
        "proof 'lease' settles 'leases_share', which no rule asks for; remove it",
        "no proof settles 'change_area_m2': a doubt about it cannot name one; add it to a proof's settles",
        "group 'roads' has no rule; remove it",
    ]


def test_two_books_of_one_day_and_of_two_countries_are_named(tmp_path: Path) -> None:
    for name, place in (("a", "j"), ("b", "k")):
        (tmp_path / f"{name}.toml").write_text(HEAD.replace('"j"', f'"{place}"') + LAST)
    errors = check(tmp_path, None).texts(errors=True)
    assert errors == [
        f"{tmp_path / 'b.toml'}: takes effect on 2020-01-01, as a.toml does; give each its own day",
        f"{tmp_path / 'b.toml'}: is of 'k', a.toml of 'j'; keep them in folders apart",
    ]


def test_a_golden_situation_that_comes_out_otherwise_is_an_error(tmp_path: Path) -> None:
    golden = (
        "on = 2020-06-01\n[clean]\npermits_share = 0.0\n"
        '[[situation]]\nstory = "A permit for all"\nfacts = { permits_share = 1.0 }\n'
        'verdict = "other"\nrule = "LAST"\n'
    )
    checked = found(tmp_path, rule("A", SHARE), golden=golden)
    assert checked.texts(errors=True) == [
        f"{tmp_path / 'golden.toml'}: A permit for all (2020-06-01): lawful by A, not other by LAST"
    ]


@pytest.mark.parametrize("pack", packs())
def test_the_shipped_packs_are_without_error_or_warning(pack: str) -> None:
    done = CliRunner().invoke(app, ["rules", "check", pack, "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["errors"], told["warnings"]) == (0, [], [])
    assert told["books"]


def test_errors_leave_with_code_2(tmp_path: Path) -> None:
    (tmp_path / "book.toml").write_text(HEAD + rule("A", "permits_share = { mini = 1 }") + LAST)
    done = CliRunner().invoke(app, ["rules", "check", str(tmp_path)])
    assert done.exit_code == 2
    assert "rule.0.when.permits_share.mini: is not a known key" in done.stdout
    assert "1 errors, 1 warnings" in done.stdout


NAMES = ("a_share", "b_share")
ASKED = st.sampled_from(
    [{"min": 0.5}, {"max": 0.5}, {"above": 0.5}, {"below": 0.5}, {"min": 0.5, "max": 0.5}]
)


@settings(max_examples=200, deadline=None)
@given(whens=st.lists(st.dictionaries(st.sampled_from(NAMES), ASKED, min_size=1), max_size=5))
def test_a_rule_is_called_hidden_if_and_only_if_no_facts_reach_it(whens: list[dict[str, Any]]) -> None:
    rulebook = book(*({"id": f"R{i}", "verdict": "lawful", "when": when} for i, when in enumerate(whens)))
    reached = {
        judge(Facts({"a_share": a, "b_share": b}), rulebook).rule_id
        for a in (0.0, 0.5, 1.0)
        for b in (0.0, 0.5, 1.0)
    }
    for place, one in enumerate(rulebook.rules):
        assert _reachable(rulebook.decisions, place) == (one.id in reached)
