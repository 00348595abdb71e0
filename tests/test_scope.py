"""Everyone sees only their own region: in every read and move, and on PostgreSQL in any query at all."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

import cli
from api.app import create_app
from cases.store import CaseFilter, CaseStore, open_store
from database.engine import transaction
from ground.errors import BadInput, NotFound
from tests.cases_world import ROAD, new_store, put, row_of_changes

REGIONS = ("140105", "140106", "1402", "14010", "41", "", "140105001")
"""One change each, in this order, from west to east."""
SEEN = {
    "14": "12347",
    "1401": "1247",
    "140105": "17",
    "140105001": "7",
    "4": "5",
    "15": "",
    "%": "",
    "14010_": "",
}
on_postgis = pytest.mark.skipif(
    "TIANKAN_TEST_DB" not in os.environ, reason="SQLite has no row-level security"
)


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = new_store(tmp_path)
    for i, region in enumerate(REGIONS):
        put(made, row_of_changes(1, first=i), region=region)
    return made


def serials(items: list[Any]) -> str:
    return "".join(str(item.serial) for item in items)


@pytest.mark.parametrize(("region", "seen"), SEEN.items())
def test_reads_end_at_the_border(store: CaseStore, region: str, seen: str) -> None:
    own = store.scoped(region)
    page = own.cases(CaseFilter())
    assert (serials(page.items), page.total) == (seen, len(seen))
    changes = own.changes()
    assert (serials(changes.items), changes.total) == (seen, len(seen))
    assert serials(own.changes(bbox=(99, 34, 101, 36)).items) == seen
    assert serials(own.cases(CaseFilter(bbox=(99, 34, 100.035, 36))).items) == "".join(
        sorted({*seen} & {*"1234"})
    )
    assert store.cases(CaseFilter()).total == store.changes().total == 7


def test_a_filter_by_region_cannot_reach_beyond_it(store: CaseStore) -> None:
    own = store.scoped("140105")
    assert serials(own.cases(CaseFilter(region="14")).items) == "17"
    assert own.cases(CaseFilter(region="41")).total == 0
    assert serials(own.scoped("140105001").cases(CaseFilter()).items) == "7"
    for beyond in ("14", "", "41"):
        with pytest.raises(BadInput, match="lies outside of '140105'; ask for one that begins with it"):
            own.scoped(beyond)


def test_a_case_of_another_region_is_not_found(store: CaseStore) -> None:
    mine, other = (store.cases(CaseFilter(region=region)).items[0].id for region in ("140105", "41"))
    own = store.scoped("1401")
    for ask in (
        own.case,
        own.events,
        lambda key: own.move(key, "field_check", ROAD, actor="李伟", role="county"),
    ):
        with pytest.raises(NotFound, match=f"no case has the id '{other}'"):
            ask(other)
    assert store.case(other).version == 1
    moved = own.move(mine, "field_check", ROAD, actor="李伟", role="county")
    assert (moved.status, len(own.events(mine)), own.case(mine).version) == ("field_check", 2, 2)


def test_the_web_is_as_narrow_as_its_store(store: CaseStore) -> None:
    client = TestClient(create_app(store.scoped("140105")))
    other = store.cases(CaseFilter(region="41")).items[0].id
    assert client.get(f"/cases/{other}").status_code == 404
    move = {"to": "field_check", "actor": "李伟", "role": "county"}
    assert client.post(f"/cases/{other}/moves", json=move).status_code == 404
    assert client.get("/changes").json()["numberMatched"] == client.get("/cases").json()["total"] == 2
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_run_is_not_recorded_through_a_scope(store: CaseStore) -> None:
    with pytest.raises(BadInput, match="not by region '14' alone"):
        put(store.scoped("14"), row_of_changes(1, first=9))


def test_the_setting_narrows_the_verbs(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "cases.db"))
    for i, region in enumerate(("140105", "41")):
        put(store, row_of_changes(1, first=i), region=region)
    asked = ["cases", "list", "--json", "--db", str(tmp_path / "cases.db")]
    run = CliRunner().invoke(cli.app, asked, env={"TIANKAN_REGION": "14"})
    assert [case["region"] for case in json.loads(run.stdout)] == ["140105"]
    assert len(json.loads(CliRunner().invoke(cli.app, asked).stdout)) == 2


@on_postgis
@pytest.mark.parametrize(("region", "seen"), SEEN.items())
def test_a_query_that_forgets_the_region_leaks_nothing(store: CaseStore, region: str, seen: str) -> None:
    with transaction(store.engine, writes=True, region=region) as session:
        for table in ("change", "judgement", "enforcement_case", "event"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar() == len(seen), table
        found = session.execute(text("SELECT serial FROM change ORDER BY 1")).scalars()
        assert "".join(map(str, found)) == seen
        changed = session.execute(text("UPDATE enforcement_case SET version = version + 1"))
        assert changed.rowcount == len(seen)  # type: ignore[attr-defined]


@on_postgis
def test_a_transaction_with_no_region_set_sees_nothing_and_may_add_no_change(store: CaseStore) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE tiankan_scoped"))
        assert connection.execute(text("SELECT count(*) FROM event")).scalar() == 0
        with pytest.raises(ProgrammingError, match="permission denied"), connection.begin_nested():
            connection.execute(text("DELETE FROM change"))
    # The next transaction on the same connection is bound by nothing of it.
    assert store.cases(CaseFilter()).total == 7


@on_postgis
def test_without_the_role_a_scope_is_refused_rather_than_weaker(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.scope.ROLE", "tiankan_nobody")
    with pytest.raises(
        BadInput, match="has no role tiankan_nobody, without which a region cannot be kept apart"
    ):
        store.scoped("14").cases(CaseFilter())


@on_postgis
def test_a_region_is_found_by_index_under_the_policy(store: CaseStore) -> None:
    with transaction(store.engine, writes=True, region="1401") as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(session.scalars(text("EXPLAIN SELECT count(*) FROM change")))
    assert "change_in_region" in plan
