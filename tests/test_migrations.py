"""Revisions of the tables: the models' own schema on both databases, an old database upgraded with nothing lost."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from typer.testing import CliRunner

import cli
from cases.store import CaseFilter, open_store
from database import cadastre_tables
from database.engine import engine_of, open_database, revision
from database.geometry import LonLat
from database.revisions import HEAD, alembic_config
from database.tables import Base
from ground.errors import BadInput
from tests.cases_world import ROAD, lonlat_changes, new_store, put, row_of_changes

OLD = (Path(__file__).parent / "old_cases.sql").read_text(encoding="utf-8")
"""A database of before there were revisions: three changes, two cases, one of them moved."""
OURS_ALONE = (
    "_place",
    "_in_region",
    "_rtree",
    "_rtree_node",
    "_rtree_parent",
    "_rtree_rowid",
    "alembic_version",
    "spatial_ref_sys",
)
"""Ends of names that migrations make and no model describes."""


def old_database(folder: Path, more: str = "") -> Path:
    path = folder / "old.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD + more)
    return path


def contents(path: Path, tables: list[str]) -> dict[str, Any]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return {
            t: [dict(row) for row in connection.execute(f"SELECT * FROM {t} ORDER BY rowid")] for t in tables
        }


def named(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def differences(engine: Engine) -> list[Any]:
    def ours(_item: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        return not (reflected and kind in {"table", "index"} and (name or "").endswith(OURS_ALONE))

    ischema_names["geometry"] = lambda *_: LonLat()  # type: ignore[assignment]
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_what_the_revisions_make_is_what_the_models_say(tmp_path: Path) -> None:
    assert cadastre_tables.FeatureRow.__tablename__ in Base.metadata.tables
    assert differences(new_store(tmp_path).engine) == []


def test_the_newest_revision_is_the_one_the_code_needs() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


def test_an_old_database_is_upgraded_and_nothing_is_lost(tmp_path: Path) -> None:
    path = old_database(tmp_path)
    tables = ["scene", "pair", "change", "judgement", "enforcement_case", "event"]
    before = contents(path, tables)
    assert revision(str(path)) == ("0001", HEAD)
    store = open_store(str(path))
    assert revision(str(path)) == (HEAD, HEAD)
    after = contents(path, tables)
    for row in after["judgement"]:
        assert {row.pop(name) for name in ("land", "content", "judging_id", "group", "settles", "why")} == {
            None
        }
    assert {row.pop(name) for row in after["event"] for name in ("recorded", "workflow")} == {None}
    assert after == before
    assert differences(store.engine) == []
    first, second = store.cases(CaseFilter()).items
    assert (first.status, first.version, second.status) == ("field_check", 2, "doubt")
    assert [e.actor for e in store.events(first.id)] == ["tiankan", "tiankan", "李伟"][1:]
    # Its changes are in the new index, and life goes on.
    assert [c.id for c in store.changes(bbox=(100.0105, 34, 100.0106, 36)).items] == [second.change_id]
    store.move(second.id, "field_check", ROAD, actor="张敏", role="county")
    assert put(store, row_of_changes(2, first=7)).cases == 2


def test_an_upgraded_database_has_all_that_a_new_one_has(tmp_path: Path) -> None:
    path = old_database(tmp_path)
    open_store(str(path))
    open_store(str(tmp_path / "new.db"))
    assert named(path) == named(tmp_path / "new.db")


def test_who_only_reads_is_told_how_to_upgrade(tmp_path: Path) -> None:
    path = old_database(tmp_path)
    before = path.read_bytes()
    said = rf"older Tiankan \(revision 0001, this one needs {HEAD}\); make a backup, then run `./tiankan db upgrade "
    with pytest.raises(BadInput, match=said):
        open_store(str(path), create=False)
    assert path.read_bytes() == before
    run = CliRunner().invoke(cli.app, ["db", "version", "--db", str(path), "--json"])
    assert json.loads(run.stdout) == [{"revision": "0001", "needed": HEAD}]
    run = CliRunner().invoke(cli.app, ["db", "upgrade", "--db", str(path), "--json"])
    assert json.loads(run.stdout) == [{"was": "0001", "revision": HEAD, "needed": HEAD}]
    assert open_store(str(path), create=False).cases(CaseFilter()).total == 2


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    url = store.engine.url.render_as_string(hide_password=False)
    for create in (True, False):
        with pytest.raises(BadInput, match=rf"a newer Tiankan \(revision 9999, this one knows {HEAD}\)"):
            open_database(url, create)


def test_another_programs_revisions_are_not_ours(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE invoice (id INTEGER);"
        )
    with pytest.raises(BadInput, match="holds tables of another program"):
        open_store(str(tmp_path / "other.db"))


@pytest.mark.parametrize(
    "last_words", ["CREATE TABLE alembic_version", "CREATE TABLE judging", "feature_rtree"]
)
def test_an_upgrade_stopped_half_way_changes_nothing(tmp_path: Path, last_words: str) -> None:
    path = old_database(tmp_path)
    before = named(path)

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if last_words in statement:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_store(str(path))
    finally:
        event.remove(Engine, "before_cursor_execute", stop)
    assert named(path) == before
    assert open_store(str(path)).cases(CaseFilter()).total == 2


def test_tables_are_made_on_an_empty_database_of_either_kind(tmp_path: Path) -> None:
    url = new_store(tmp_path).engine.url.render_as_string(hide_password=False)
    engine = engine_of(url)
    present = set(inspect(engine).get_table_names())
    assert set(Base.metadata.tables) | {"alembic_version"} <= present


def test_plain_sqlite_reads_the_file_too(tmp_path: Path) -> None:
    open_store(str(tmp_path / "a.db"))
    put(open_store(str(tmp_path / "a.db")), lonlat_changes((100, 35, 100.01, 35.01)))
    with create_engine(f"sqlite:///{tmp_path / 'a.db'}").connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM change_rtree")).scalar() == 1
