"""What the chain rests on: triggers, tables, the file itself; whoever takes them away is found, exit code 1."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from cases.store import open_store
from database import guards
from database.audit import audit
from database.engine import engine_of
from database.seals import SEALED
from tests.audit_world import county, unlock
from tests.cases_world import new_store, put, row_of_changes
from tests.test_cli import tiankan
from tests.test_migrations import old_database

Hand = Callable[[sqlite3.Connection], None]


def said(db: Path | str, **beside: str) -> tuple[int, str, str]:
    return tiankan("audit", "verify", "--db", str(db), **beside)


@pytest.fixture(scope="module")
def county_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A county in one file, with its evidence beside it."""
    folder = tmp_path_factory.mktemp("county")
    county(folder).engine.dispose()
    with sqlite3.connect(folder / "cases.db") as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    (folder / "evidence").rename(folder / "cases.evidence")
    return folder / "cases.db"


@pytest.fixture
def copy(county_file: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    shutil.copy(county_file, tmp_path / "cases.db")
    shutil.copytree(county_file.with_suffix(".evidence"), tmp_path / "cases.evidence")
    return tmp_path / "cases.db"


def by_hand(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def emptied(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        texts = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            connection.execute(f"DROP TRIGGER {name}")
        for table in (*SEALED, "seal", "head", "change_rtree", "feature_rtree"):
            connection.execute(f"DELETE FROM {table}")
        for (made,) in texts:
            connection.execute(made)
    connection.close()


@pytest.mark.sqlite
def test_a_county_of_which_nothing_was_taken_is_whole(copy: Path) -> None:
    code, out, _ = said(copy)
    assert (code, out.count("\n")) == (0, 1)
    assert guards.damage(engine_of(str(copy))) == []


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (
            ["DROP TRIGGER event_is_never_updated"],
            "no link: event: its trigger event_is_never_updated is gone",
        ),
        (
            [
                "DROP TRIGGER case_skips_nothing",
                "CREATE TRIGGER case_skips_nothing BEFORE UPDATE ON enforcement_case WHEN 0 BEGIN SELECT 1; END",
            ],
            "no link: enforcement_case: its trigger case_skips_nothing was rewritten",
        ),
        (["DROP TABLE head"], "cases.db: the table head is gone"),
        (["DROP TABLE seal"], "cases.db: the table seal is gone"),
        (["DROP TABLE event"], "cases.db: the table event is gone"),
        (["DROP TABLE event", "DROP TABLE seal", "DROP TABLE head"], "cases.db: the table seal is gone"),
        (["DROP TABLE alembic_version"], "cases.db: the table alembic_version is gone"),
        (["DELETE FROM alembic_version"], "cases.db: the table alembic_version is empty"),
        (["ALTER TABLE event RENAME COLUMN actor TO who"], "no such column: event.actor"),
        (["DROP TABLE change_rtree"], "change: its spatial index change_rtree is gone"),
    ],
)
def test_what_is_taken_away_is_named(copy: Path, statements: list[str], told: str) -> None:
    by_hand(copy, *statements)
    code, out, _ = said(copy)
    assert code == 1 and told in out, out
    assert out.splitlines()[-1].endswith(("fault", "faults"))


@pytest.mark.sqlite
def test_a_database_that_was_emptied_is_no_new_one(copy: Path) -> None:
    emptied(copy)
    code, out, _ = said(copy)
    assert code == 1
    with sqlite3.connect(copy) as connection:
        rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()[0]
    assert (
        f"event: its counter stands at {rows}, and there is no row, nor any link of the chain: all was deleted, or "
        "nothing was ever written to the end" in out
    )
    assert "no row of evidence names the file" in out
    by_hand(copy, "DELETE FROM sqlite_sequence")
    code, out, _ = said(copy)
    assert code == 1 and "no row of evidence names the file" in out
    shutil.rmtree(copy.with_suffix(".evidence"))
    assert said(copy)[0] == 0  # Nothing is left that could tell.


@pytest.mark.sqlite
@pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.03])
def test_a_file_that_was_cut_is_damaged(copy: Path, share: float) -> None:
    data = copy.read_bytes()
    copy.write_bytes(data[: int(len(data) * share)])
    code, out, err = said(copy)
    assert code == 1 and "cases.db: the file is damaged" in out and "Traceback" not in err, out + err


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "at", [0, 5, 100, 105, 4096, 4100, b"opened: suspected", b"CREATE TRIGGER case_skips"]
)
def test_flipped_bytes_are_found(copy: Path, at: int | bytes) -> None:
    data = bytearray(copy.read_bytes())
    at = at if isinstance(at, int) else data.index(at)
    data[at : at + 16] = bytes(byte ^ 0xFF for byte in data[at : at + 16])
    copy.write_bytes(data)
    code, out, err = said(copy)
    assert code == 1 and "fault" in out and "Traceback" not in err, out + err


@pytest.mark.sqlite
def test_what_never_was_ours_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.db").write_bytes(b"")
    (tmp_path / "garbage.db").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "words.db").write_text("CREATE TABLE enforcement_case (id);" * 99)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE event (id)")
        connection.execute("CREATE TABLE alembic_version (version_num)")
    old = old_database(tmp_path)
    for name, told in (
        ("empty.db", "holds no cases yet"),
        ("garbage.db", "is not a database"),
        ("words.db", "is not a database"),
        ("other.db", "tables of another program"),
        ("none.db", "there is no database"),
        (old.name, "was written by an older Tiankan (revision 0001"),
    ):
        code, _, err = said(tmp_path / name)
        assert code == 2 and told in err, (name, err)


@pytest.mark.sqlite
def test_an_upgraded_database_has_the_triggers_of_a_new_one(tmp_path: Path) -> None:
    path = old_database(tmp_path)
    open_store(str(path))
    assert audit(str(path)).faults == []


@pytest.mark.sqlite
def test_a_file_of_evidence_that_became_a_link_is_named(copy: Path) -> None:
    file = next(path for path in copy.with_suffix(".evidence").rglob("*") if path.is_file())
    away = copy.parent / "away"
    file.rename(away)
    file.symlink_to(away)
    code, out, _ = said(copy)
    assert code == 1 and f"its file was replaced by a symbolic link to {away}" in out
    file.unlink()
    file.mkdir()
    assert "its file was replaced by something that is no file" in said(copy)[1]
    file.rmdir()
    away.rename(file)
    folder = file.parent
    folder.rename(copy.parent / "shard")
    folder.symlink_to(copy.parent / "shard")
    assert f"its folder was replaced by a symbolic link to {copy.parent / 'shard'}" in said(copy)[1]


def test_the_triggers_are_those_that_the_migrations_make(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    url = store.engine.url.render_as_string(hide_password=False)
    assert audit(url).faults == []
    if store.engine.dialect.name != "postgresql":
        return
    with store.transaction() as session:
        there = {(table, name) for table, name in session.execute(guards.TRIGGERS_THERE)}
    assert there == guards.POSTGRES_TRIGGERS


def test_triggers_that_were_put_out_of_work_are_named(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(1))
    with store.engine.begin() as connection:
        unlock(connection)
    found = [fault.text for fault in audit(store.engine.url.render_as_string(hide_password=False)).faults]
    word = "is gone" if store.engine.dialect.name == "sqlite" else "is gone or does not work"
    tables = {one.split(":")[0] for one in found}
    assert all(word in one for one in found) and {"seal", "event", "enforcement_case"} <= tables


def test_rows_and_links_that_were_all_deleted_are_missed(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(3))
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        unlock(connection)
        for table in (*SEALED, "seal", "head"):
            connection.execute(text(f'DELETE FROM "{table}"'))
        connection.commit()
    found = [fault.text for fault in audit(store.engine.url.render_as_string(hide_password=False)).faults]
    assert any(one.startswith("event: its counter stands at 3, and there is no row") for one in found)
