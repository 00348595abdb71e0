"""A database where nothing may be written: what reads does, what writes says so."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cases.store import CaseStore, open_store
from database import engine
from database.audit import audit
from ground.errors import BadInput
from tests.cases_world import ROAD, put, row_of_changes
from tests.test_cli import tiankan

pytestmark = pytest.mark.sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A case in a file whose name an address would read otherwise, in a folder of its own."""
    folder = tmp_path / "a b#山%20?"
    folder.mkdir()
    store = open_store(str(folder / "cases.db"))
    put(store, row_of_changes(1))
    store.engine.dispose()
    assert [one.name for one in folder.iterdir()] == ["cases.db"]
    return folder / "cases.db"


@pytest.fixture
def _closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may not be written, also to root, who runs tests."""
    may = os.access

    def access(place: Any, mode: int, **more: Any) -> bool:
        return may(place, mode, **more) and not (Path(place) == path.parent and mode & os.W_OK)

    monkeypatch.setattr(os, "access", access)


def first(path: Path) -> str:
    with sqlite3.connect(path) as by_hand:
        return str(by_hand.execute("SELECT id FROM enforcement_case").fetchone()[0])


def test_the_address(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine._only_to_read(str(path)) == ""
    monkeypatch.setattr(os, "access", lambda *_: False)
    address = f"{path.as_uri()}?mode=ro&immutable=1"
    assert engine._only_to_read(str(path)) == address and "%23" in address and "%3F" in address
    # What is not in the file yet must be read, too.
    path.with_name("cases.db-wal").write_bytes(b"x")
    assert engine._only_to_read(str(path)) == f"{path.as_uri()}?mode=ro"
    assert engine._only_to_read(":memory:") == engine._only_to_read(None) == ""
    assert engine._only_to_read(str(path.with_name("none.db"))) == ""


@pytest.mark.usefixtures("_closed")
def test_what_reads_reads_and_lays_nothing_beside_it(path: Path) -> None:
    before = path.read_bytes()
    for words in (("cases", "list"), ("cases", "show", first(path)), ("spots", "list"), ("clocks", "list"),
                  ("stats",), ("cases", "supervised"), ("db", "version")):  # fmt: skip
        code, _, err = tiankan(*words, "--db", path, "--json")
        assert (code, err) == (0, "")
    assert audit(str(path)).faults == []
    assert [one.name for one in path.parent.iterdir()] == ["cases.db"] and path.read_bytes() == before


@pytest.mark.usefixtures("_closed")
def test_what_writes_says_what_is_wrong(path: Path) -> None:
    before = path.read_bytes()
    store: CaseStore = open_store(str(path), create=False)
    with pytest.raises(BadInput, match=r"cannot be used .*readonly.*; check its path, folder and rights"):
        store.move(first(path), "field_check", ROAD, actor="李伟", role="county")
    assert path.read_bytes() == before
    assert store.engine.url.database == str(path)
