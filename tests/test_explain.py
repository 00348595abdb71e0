"""Explaining a stored judgement and asking what another book would say: four boxes, answers by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cases.conditions import Condition
from cases.explain import explain, in_words
from cases.rules import Rulebook
from cases.store import CaseStore
from cases.whatif import what_if
from cli import app
from ground.errors import BadInput, NotFound
from tests.cases_world import SMALL_BOOK, book, new_store, put, row_of_changes

AREA_M2 = 10_000.0
CLASSES = ["vegetation_loss", "vegetation_gain", "linear", "linear"]
OTHER_BOOK = book(
    {
        "id": "ROAD", "verdict": "rural_road",
        "when": {"change_class": {"any_of": ["linear"]}, "roads_share": {"below": 0.5, "source": "s"}},
    },
    {"id": "GREEN", "verdict": "other", "when": {"change_class": {"any_of": ["vegetation_gain"]}}},
)  # fmt: skip
"""Vegetation gain: other. Lines: doubt, for nobody measured roads."""


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, list[str]]:
    """Four changes, the last a sliver: suspected, doubt, suspected, other."""
    store = new_store(tmp_path)
    areas = [AREA_M2, AREA_M2, AREA_M2, 60.0]
    changes = row_of_changes(4)
    changes["change_class"], changes["area_m2"] = CLASSES, areas
    put(store, changes)
    return store, changes["change_id"].tolist()


def _inline(condition: Condition) -> str:
    given = condition.model_dump(exclude_defaults=True, mode="json")
    return f"{{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in given.items())} }}"


def written(folder: Path, rulebook: Rulebook) -> Path:
    """A rulebook as a file, by hand as TOML has no writer."""
    lines = [f'title = "{rulebook.title}"\njurisdiction = "j"\neffective_from = {rulebook.effective_from}']
    for rule in rulebook.rules:
        asked = ", ".join(f"{name} = {_inline(condition)}" for name, condition in rule.when.items())
        lines.append(
            f'[[rule]]\nid = "{rule.id}"\nverdict = "{rule.verdict}"\nbasis = "b"\nwhen = {{ {asked} }}'
        )
    path = folder / "other.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_every_rule_is_walked_and_the_deciding_one_marked(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    told = explain(store, ids[1], [SMALL_BOOK])
    assert (told.verdict, told.rule, told.says_now) == ("doubt", "APPROVED", "")
    assert [(s.rule, s.state, s.is_deciding) for s in told.steps] == [
        ("SLIVER", "fails", False), ("APPROVED", "unknown", True), ("LAST", "holds", False),
    ]  # fmt: skip
    asked = {one.fact: (one.asked, one.value, one.answer, one.why) for one in told.steps[1].asked}
    assert asked["change_class"] == ("one of vegetation_gain", "vegetation_gain", "holds", "")
    assert asked["approvals_share"] == (
        "≥ 0.95", None, "unknown", "no layer in layers.toml measures it",
    )  # fmt: skip
    sliver = explain(store, ids[3], [SMALL_BOOK])
    assert [(s.state, s.is_deciding) for s in sliver.steps] == [
        ("holds", True), ("not tried", False), ("not tried", False),
    ]  # fmt: skip


def test_another_book_than_that_of_then_is_said(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    told = explain(store, ids[2], [OTHER_BOOK])
    assert (told.verdict, told.rule, told.from_store) == ("suspected_violation", "LAST", False)
    assert told.says_now == "doubt by ROAD"
    assert told.steps[0].asked[1].why == "it was never measured"


def test_what_is_not_there_is_named(world: tuple[CaseStore, list[str]], tmp_path: Path) -> None:
    store, ids = world
    with pytest.raises(NotFound, match="change 'nowhere' is not in the database"):
        explain(store, "nowhere", [SMALL_BOOK])
    with pytest.raises(NotFound, match="no rulebook was in force on 2021-09-01; pass --rules"):
        explain(store, ids[0], [book(effective_from="2030-01-01")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no judged change; run `tiankan judge` first"):
        what_if(new_store(tmp_path / "empty"), [SMALL_BOOK])


def test_the_same_book_turns_nothing(world: tuple[CaseStore, list[str]]) -> None:
    told = what_if(world[0], [SMALL_BOOK])
    assert (told.changes, told.turns, told.turned_m2, told.persons) == (4, [], 0.0, (3, 3))


def test_another_book_turns_verdicts_with_their_areas(world: tuple[CaseStore, list[str]]) -> None:
    store, ids = world
    told = what_if(store, [OTHER_BOOK])
    # 10,000 m² are 15 mu; vegetation loss stays suspected; the sliver becomes a line in doubt.
    two = [
        (ids[1], "doubt", "other", "GREEN", 15.0),
        (ids[2], "suspected_violation", "doubt", "ROAD", 15.0),
    ]
    found = [(t.change_id, t.was, t.becomes, t.becomes_rule, t.area_mu) for t in told.turns]
    assert found == [*sorted(two), (ids[3], "other", "doubt", "ROAD", 0.09)]
    assert (told.turned_m2, told.turned_mu, told.persons) == (20_060.0, 30.09, (3, 3))
    assert {(f["was"], f["becomes"]): (f["changes"], f["area_m2"], f["area_mu"]) for f in told.flows} == {
        ("suspected_violation", "suspected_violation"): (1, 10_000.0, 15.0),
        ("doubt", "other"): (1, 10_000.0, 15.0),
        ("suspected_violation", "doubt"): (1, 10_000.0, 15.0),
        ("other", "doubt"): (1, 60.0, 0.09),
    }
    assert told.never_measured == {"roads_share": 4}


def run(*words: Any) -> Any:
    done = CliRunner().invoke(app, ["rules", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_verbs_say_it_as_text_and_as_json(world: tuple[CaseStore, list[str]], tmp_path: Path) -> None:
    store, ids = world
    db, other = store.engine.url.render_as_string(hide_password=False), written(tmp_path, OTHER_BOOK)
    told = json.loads(run("whatif", other, "--db", db, "--json"))
    assert (told["turned_mu"], len(told["turns"])) == (30.09, 3)
    assert "3 of 4 changes would get another verdict: 30.09 亩, 20,060.00 m²." in run(
        "whatif", other, "--db", db
    )
    said = json.loads(run("explain", ids[2], "--db", db, "--rules", other, "--json"))
    assert [step["state"] for step in said["steps"]] == ["unknown", "fails", "holds"]
    text = run("explain", ids[2], "--db", db, "--rules", other)
    assert "roads_share < 0.5: unknown (it was never measured)" in " ".join(text.split())
    assert "Note: this book alone says doubt by ROAD of the same facts." in text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"min": 2, "max": 8}, "≥ 2 and ≤ 8"),
        ({"above": 1333.333}, "> 1333.333"),
        ({"starts_with": ["01", "02"], "none_of": ["0102"]}, "none of 0102 and begins with 01, 02"),
    ],
)
def test_conditions_in_words(asked: dict[str, Any], words: str) -> None:
    assert in_words(Condition(**asked)) == words
