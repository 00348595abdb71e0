"""The store: what it refuses to open, two people at once, a full disk, and rows that nobody can alter."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

import cases.store
from cases.store import CaseFilter, CaseStore, open_store
from database.engine import transaction
from ground.errors import BadInput, CannotWrite, IllegalMove, NotFound
from tests.cases_world import ROAD, new_store, put, row_of_changes


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Three cases, suspected."""
    made = new_store(tmp_path)
    put(made, row_of_changes(3))
    return made


def ids(store: CaseStore, **wanted: Any) -> list[str]:
    return [case.id for case in store.cases(CaseFilter(**wanted)).items]


def rows(store: CaseStore, table: str) -> int:
    with store.transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """What each task gave or raised, all of them begun together."""
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        gate.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        ends = [pool.submit(run, task) for task in tasks]
    return [end.exception() or end.result() for end in ends]


def test_a_new_database_gets_its_folder_and_tables_and_an_old_one_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "案件 a?b%20.db"
    put(open_store(str(path)), row_of_changes(2))
    assert path.is_file()
    assert len(ids(open_store(str(path), create=False))) == 2
    assert len(ids(open_store(str(path)))) == 2


def test_tables_are_made_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE event" in statement:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_store(str(path))
    finally:
        event.remove(Engine, "before_cursor_execute", stop)
    # Half of the tables would look like another program's, for ever.
    assert put(open_store(str(path)), row_of_changes(1)).cases == 1


def test_several_who_open_a_new_database_at_once(tmp_path: Path) -> None:
    ends = at_once(*[partial(open_store, str(tmp_path / "cases.db"))] * 4)
    stores = [end for end in ends if isinstance(end, CaseStore)]
    assert stores
    assert all(store.cases(CaseFilter()).total == 0 for store in stores)
    # The one thing that may keep one of them out, hardly ever, is another who is just about to make the file.
    assert all("locked" in str(end) for end in ends if not isinstance(end, CaseStore))


def _other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoice (id INTEGER)")


def _picture(path: Path) -> None:
    path.write_bytes(b"GIF89a, and certainly no database" * 40)


def _nothing(_path: Path) -> None:
    """Leaves the folder empty."""


BAD_FILES: list[tuple[Callable[[Path], Any], bool, str]] = [
    (_picture, True, r"is not a database .*; give a new file"),
    (_picture, False, r"is not a database .*; give a new file"),
    (_other_program, True, r"cases\.db holds tables of another program; give a new file"),
    (_other_program, False, r"cases\.db holds tables of another program; give a new file"),
    (Path.touch, False, r"cases\.db holds no cases yet; fill it with `tiankan run`"),
    (_nothing, False, r"there is no database .*cases\.db; make it with `tiankan run`"),
    (Path.mkdir, True, r"unable to open database file.*; check its path, folder and rights"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "create", "said"), BAD_FILES)
def test_what_is_no_database_of_ours_is_refused(
    tmp_path: Path, make: Callable[[Path], Any], create: bool, said: str
) -> None:
    path = tmp_path / "cases.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(BadInput, match=said):
        open_store(str(path), create=create)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", r"'' is not a database URL \(it is empty\); write sqlite:///cases\.db"),
        ("://", "is not a database URL"),
        ("klingon://x/y", "is not a database URL .*klingon"),
        ("postgresql://host:port/db", "is not a database URL .*'port'"),
        ("sqlite:///a\0b", "is not a database URL"),
    ],
)
def test_a_url_that_means_nothing_is_refused(url: str, said: str) -> None:
    with pytest.raises(BadInput, match=f"--db: .*{said}"):
        open_store(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(BadInput, match=r"--db: .*user:\*\*\*@host") as told:
        open_store("klingon://user:qapla@host/db")
    assert "qapla" not in str(told.value)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match=r"could not be written .*choose another folder"):
        open_store(str(tmp_path / "file" / "cases.db"))


def test_unknown_ids_are_named(store: CaseStore) -> None:
    for ask in (store.case, store.events, lambda key: store.move(key, "x", ROAD, actor="a", role="county")):
        with pytest.raises(NotFound, match="no case has the id 'case-0'; `tiankan cases list` shows them"):
            ask("case-0")
    with pytest.raises(NotFound, match="no scene has the id 's'"):
        store.scene("s")
    assert store.is_alive()


def test_two_who_move_one_case_at_once(store: CaseStore) -> None:
    names = [f"officer {i}" for i in range(6)]
    for key in ids(store):
        move = partial(store.move, key, "field_check", ROAD, role="county")
        ends = at_once(*(partial(move, actor=name) for name in names))
        won = [name for name, end in zip(names, ends, strict=True) if not isinstance(end, Exception)]
        lost = [end for end in ends if isinstance(end, Exception)]
        assert len(won) == 1
        assert all(isinstance(end, IllegalMove) for end in lost)
        assert [event.actor for event in store.events(key)] == ["tiankan", won[0]]
        assert store.case(key).version == 2


def test_a_database_that_does_not_queue_its_writers_lets_one_move_win(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ids(store)[0]
    # SQLite queues who says that he writes; on PostgreSQL the store waits its turn.
    writes = store.engine.dialect.name == "postgresql"
    monkeypatch.setattr(CaseStore, "transaction", lambda self, **_: transaction(self.engine, writes=writes))
    real, others = cases.store.check_move, iter(["张敏"])

    def overtaken(*given: Any, **more: Any) -> Any:
        step = real(*given, **more)
        for name in others:
            store.move(key, "field_check", ROAD, actor=name, role="county")
        return step

    monkeypatch.setattr(cases.store, "check_move", overtaken)
    with pytest.raises(
        IllegalMove, match=r"was moved to field_check by 张敏 at 20.* \(just now\); read it again"
    ):
        store.move(key, "field_check", ROAD, actor="李伟", role="county")
    assert [event.actor for event in store.events(key)] == ["tiankan", "张敏"]


def test_moves_of_several_cases_at_once_all_count(store: CaseStore) -> None:
    tasks = (partial(store.move, key, "field_check", ROAD, actor="李伟", role="county") for key in ids(store))
    assert [end.status for end in at_once(*tasks)] == ["field_check"] * 3
    assert len(ids(store, status="field_check")) == 3


@pytest.mark.parametrize("table", ["event", "judgement"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET {column} = 'x'",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE {column} <> 'x'",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "TRUNCATE {table} CASCADE",
    ],
)
def test_history_cannot_be_rewritten_even_by_hand(store: CaseStore, table: str, statement: str) -> None:
    elsewhere = "TRUNCATE" if store.engine.dialect.name == "sqlite" else "OR REPLACE"
    if elsewhere in statement:
        pytest.skip("a statement of the other database")
    column = {"event": "actor", "judgement": "verdict"}[table]
    before = rows(store, table)
    with (
        store.engine.begin() as by_hand,
        pytest.raises(IntegrityError, match=f"{table}: rows are added, never changed"),
    ):
        by_hand.execute(text(statement.format(table=table, column=column)))
    assert rows(store, table) == before == 3


def test_rows_that_point_nowhere_are_refused(store: CaseStore) -> None:
    with store.engine.begin() as connection, pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        connection.execute(
            text(
                "INSERT INTO event VALUES (99, 'case-0', '2026-01-01', 'm', 'a', 'r', 'x', 'y', '', '{}', NULL, NULL)"
            )
        )


@pytest.mark.sqlite
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, row_of_changes(2))
    pages = sqlite3.connect(tmp_path / "cases.db").execute("PRAGMA page_count").fetchone()[0]
    event.listen(store.engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count={pages + 3}"))
    store.engine.dispose()
    with pytest.raises(
        CannotWrite, match=r"nothing was saved \(database or disk is full\); free some space, then run"
    ):
        put(store, row_of_changes(300, first=50))
    assert [rows(store, t) for t in ("change", "judgement", "enforcement_case", "event")] == [2] * 4


@pytest.mark.sqlite
def test_a_database_that_another_holds_for_too_long_is_one_sentence(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    event.listen(store.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=50"))
    store.engine.dispose()
    holder = sqlite3.connect(tmp_path / "cases.db")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        CannotWrite, match=r"nothing was saved \(.*locked: somebody else is writing\); run again"
    ):
        put(store, row_of_changes(1))
    assert store.is_alive()  # who only reads is not in the way
    holder.rollback()
    assert put(store, row_of_changes(1)).cases == 1
