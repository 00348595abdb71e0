"""A misspelt status or verdict is refused by name; one that is known and that no case has is an empty list."""

import json
from pathlib import Path

import pytest

from cases.store import CaseFilter
from tests.cases_world import AUDITOR, ROAD, new_store, put, row_of_changes
from tests.spots_world import WAY
from tests.test_cli import tiankan


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("cases", "list", "--status", "suspectd"),
            "--status: 'suspectd' is unknown; use one of suspected, ",
        ),
        (("cases", "list", "--verdict", "violation"), "--verdict: 'violation' is unknown; use one of "),
        (("spots", "list", "--status", "x"), "--status: 'x' is unknown"),
        (("cases", "export", "--status", "x", "--to", "t.csv"), "--status: 'x' is unknown"),
    ],
)
def test_a_word_that_nothing_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    monkeypatch.chdir(tmp_path)
    db = store.engine.url.render_as_string(hide_password=False)
    code, out, err = tiankan(*words, "--db", db)
    assert (code, out, said in err) == (2, "", True)
    assert not (tmp_path / "t.csv").exists()
    code, out, _ = tiankan("cases", "list", "--status", "split", "--verdict", "lawful", "--json", "--db", db)
    assert (code, json.loads(out)) == (0, [])


def test_show_tells_what_may_be_done_next(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    case = store.cases(CaseFilter()).items[0].id
    db = ("--db", store.engine.url.render_as_string(hide_password=False))
    step = {"to": "field_check", "roles": ["county"], "needs": [], "lacking": [], "waits_for": ""}
    assert json.loads(tiankan("cases", "show", case, "--json", *db)[1])["next"] == [step]
    for to, role, evidence in WAY["closed"][:9]:
        actor = AUDITOR if role == "legal" else "李伟"
        store.move(case, to, ROAD, actor=actor, role=role, evidence=evidence)
    found = {
        each["to"]: each for each in json.loads(tiankan("cases", "show", case, "--json", *db)[1])["next"]
    }
    assert [*found] == ["withdrawn", "hearing", "decision"]
    assert (found["decision"]["lacking"], found["decision"]["waits_for"]) == ([], "defence")
    # Reason and document come with the move.
    assert (found["withdrawn"]["roles"], found["withdrawn"]["lacking"]) == (["legal"], ["reason", "document"])
    assert "cases move --to" in tiankan("cases", "show", case, *db)[1]
