"""The golden table of every shipped pack: each situation gets the verdict that was written down by hand."""

from datetime import date
from pathlib import Path

import pytest

from cadastre.facts import Facts
from cadastre.layers import load_catalogue
from cases.golden import Golden, Situation, days, differences, judged, load_golden
from cases.rulebook import FACTS_OF_CHANGE, in_force, load_rulebooks
from cases.rules import judge
from ground.errors import BadInput
from law import PACKS, packs, rulebooks_of

TABLES = {name: load_golden(PACKS / name / "golden.toml") for name in packs()}
BOOKS = {name: load_rulebooks(rulebooks_of(name)) for name in packs()}
LEAST = {"cn": 60, "br": 30}
SITUATIONS = [
    pytest.param(name, one, on, id=f"{name} {on}: {one.story}")
    for name, table in TABLES.items()
    for one in table.situation
    for on in days(table, one)
]


@pytest.mark.parametrize(("pack", "one", "on"), SITUATIONS)
def test_the_book_says_what_was_written_down_by_hand(pack: str, one: Situation, on: date) -> None:
    said = judged(TABLES[pack], one, BOOKS[pack], on)
    assert (said.verdict, said.rule_id, sorted(said.missing)) == (one.verdict, one.rule, sorted(one.missing))
    if one.settles is not None:
        assert [proof["proof"] for proof in said.settles] == one.settles
        assert said.proof == said.settles[0]["text"]


@pytest.mark.parametrize("pack", packs())
def test_every_rule_of_every_book_has_a_situation_in_which_it_decides(pack: str) -> None:
    table = TABLES[pack]
    assert len(table.situation) >= LEAST.get(pack, 1)
    told = {
        (book.version, one.rule)
        for one in table.situation
        if not one.missing
        for on in days(table, one)
        if (book := in_force(BOOKS[pack], on))
    }
    assert {(book.version, rule.id) for book in BOOKS[pack] for rule in book.rules} <= told
    stories = [one.story for one in table.situation]
    assert len(set(stories)) == len(stories)


@pytest.mark.parametrize("pack", packs())
def test_a_table_knows_the_facts_of_its_books_and_no_others(pack: str) -> None:
    asked = {name for book in BOOKS[pack] for rule in book.rules for name in rule.when}
    assert set(TABLES[pack].clean) >= asked
    for one in TABLES[pack].situation:
        assert {*one.facts, *one.unknown} <= set(TABLES[pack].clean), one.story


@pytest.mark.parametrize("pack", packs())
def test_the_layers_of_a_pack_measure_all_that_its_books_ask(pack: str) -> None:
    catalogue = load_catalogue(PACKS / pack / "layers.toml")
    measured = {f"{name}_{measure}" for name, layer in catalogue.items() for measure in layer.measures}
    asked = {name for book in BOOKS[pack] for rule in book.rules for name in rule.when}
    assert asked - set(FACTS_OF_CHANGE) <= measured


@pytest.mark.parametrize("pack", packs())
def test_every_threshold_has_a_source_and_every_suspicion_a_proof(pack: str) -> None:
    for rule in (rule for book in BOOKS[pack] for rule in book.rules):
        assert rule.basis
        assert rule.proof or rule.verdict != "suspected_violation"
        assert all(condition.source for condition in rule.when.values()), rule.id


@pytest.mark.parametrize("pack", packs())
def test_whatever_single_fact_is_unknown_some_proof_is_named(pack: str) -> None:
    table = TABLES[pack]
    book = BOOKS[pack][-1]
    for one in table.situation:
        for name in table.clean:
            said = judge(Facts({**table.clean, **one.facts, name: None}), book)
            if said.verdict == "doubt":
                assert said.settles, (one.story, name)
                minutes = [float(proof["minutes"]) for proof in said.settles]
                assert minutes == sorted(minutes)


def test_a_difference_is_one_sentence() -> None:
    table = TABLES["cn"]
    assert differences(table, BOOKS["cn"]) == []
    wrong = table.situation[0].model_copy(update={"verdict": "lawful", "rule": "APPROVED"})
    altered = Golden(on=table.on, clean=table.clean, situation=[wrong])
    assert differences(altered, BOOKS["cn"]) == [
        f"{wrong.story} (2021-09-01): suspected_violation by SUSPECTED-BARE, not lawful by APPROVED"
    ]


def test_a_typo_in_a_table_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "golden.toml"
    path.write_text('on = 2020-01-01\n[clean]\n[[situation]]\nstory = "s"\nverdct = "lawful"\nrule = "A"\n')
    with pytest.raises(BadInput, match=r"golden\.toml: situation\.0\.verdct: is not a known key; .*verdict"):
        load_golden(path)
