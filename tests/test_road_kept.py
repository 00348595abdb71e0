"""What the road keeps and allows besides: editions, versions, ways back from rectification and from the auditor."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cases.store import CaseFilter, CaseStore
from cases.workflow import WORKFLOW_TOML, load_workflow
from ground.errors import BadInput, IllegalMove
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.spots_world import WAY
from tests.test_cli import tiankan
from tests.test_road_rules import first, walk


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Two cases, suspected."""
    made = new_store(tmp_path)
    put(made, row_of_changes(2))
    return made


def test_two_editions_of_one_day_are_refused(tmp_path: Path) -> None:
    words = WORKFLOW_TOML.read_text(encoding="utf-8")
    for name in ("workflow.toml", "workflow-b.toml"):
        (tmp_path / name).write_text(words, encoding="utf-8")
    with pytest.raises(BadInput, match=r"effective_from 2023-12-01 is that of workflow(-b)?\.toml, too"):
        load_workflow(tmp_path / "workflow.toml")


def test_each_move_keeps_by_which_workflow_it_was_made(store: CaseStore) -> None:
    case = first(store)
    softer = ROAD.model_copy(update={"files": ["photo"]})
    store.move(case, "field_check", softer, actor="李伟", role="county")
    versions = [event.workflow for event in store.events(case)]
    assert versions == [None, softer.version] and softer.version != ROAD.version
    assert ROAD.version == load_workflow().version


def test_what_is_not_made_good_is_filed_and_the_auditor_gives_back(store: CaseStore) -> None:
    one, two = (case.id for case in store.cases(CaseFilter()).items)
    at = datetime(2026, 3, 4, 4, tzinfo=UTC)
    walk(store, one, [*WAY["violation"], ("rectification", "county", {"deadline": "2026-04-01"})], at)
    assert "photo" not in store.case(one).held
    with pytest.raises(IllegalMove, match="without photo"):
        walk(store, one, [("verification", "county", {"acceptance": "no. 2"})], at)
    walk(store, one, [("filed", "county", {"reason": "not made good by the day"})], at)
    walk(store, two, WAY["closed"][:8], at)
    assert store.case(two).status == "audited"
    walk(store, two, [("investigation", "legal", {"reason": "the party was not heard"})], at)
    assert "legal_audit" not in store.case(two).held
    with pytest.raises(IllegalMove, match="without legal_audit"):
        walk(store, two, [("audited", "legal", {})], at)
    walk(store, two, [("audited", "legal", {"legal_audit": "second opinion"})], at)


def test_evidence_of_one_kind_twice_is_not_lost(store: CaseStore) -> None:
    db = store.engine.url.render_as_string(hide_password=False)
    words = (
        "cases",
        "move",
        first(store),
        "--to",
        "field_check",
        "--actor",
        "李伟",
        "--role",
        "county",
        "--db",
        db,
    )
    code, _, err = tiankan(*words, "--evidence", "photo=a", "--evidence", "photo=b")
    assert (code, "photo is given twice; write several in one, as photo='a; b'" in err) == (2, True)
