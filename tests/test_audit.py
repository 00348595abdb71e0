"""The hash chain: whole after honest work, broken by every alteration, removal, insertion and truncation."""

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases.store import CaseFilter, CaseStore, open_store
from database.audit import Audited, audit, look, sign_head
from database.heads import Head, load_key, new_key, read_heads, sign, stored
from database.revisions import WRITE_LOCK
from database.seals import SEALED
from evidence.files import open_files
from evidence.verify import faults
from ground.errors import BadInput
from tests.audit_world import county, found, planted, tables_of, unlock
from tests.cases_world import ROAD, put, row_of_changes
from tests.test_cli import tiankan
from tests.test_migrations import old_database

NOT_SEALED = {"seal", "head", "alembic_version", "spatial_ref_sys"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the county's files lie."""
    return tmp_path_factory.mktemp("county")


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[CaseStore, list[Head]]:
    """A county of which nobody altered anything, and its signed head."""
    store = county(folder)
    new_key(folder / "k.pem")
    with store.transaction(writes=True) as session:
        sign(session, load_key(folder / "k.pem"), {})
    with store.transaction() as session:
        return store, list(stored(session))


@pytest.fixture(scope="module")
def evidence(whole: tuple[CaseStore, list[Head]], folder: Path) -> Path:
    """The county's files of evidence, whole."""
    assert list(faults(whole[0], open_files(str(folder / "evidence")))) == []
    return folder / "evidence"


@pytest.fixture
def tampering(whole: tuple[CaseStore, list[Head]]) -> Iterator[Connection]:
    """A transaction in which every lock is off and which leaves nothing behind."""
    store, _ = whole
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(WRITE_LOCK)
        unlock(connection)
        yield connection
        connection.rollback()


def seen(connection: Connection, heads: list[Head]) -> Audited:
    with Session(bind=connection) as session:
        return look(session, heads)


def test_an_honest_county_is_whole_and_every_table_is_watched(whole: tuple[CaseStore, list[Head]]) -> None:
    store, heads = whole
    with store.transaction() as session:
        told = look(session, heads)
        tables = tables_of(session.connection())
        counted = {
            name: session.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in SEALED
        }
    assert told.faults == []
    assert told.rows == sum(counted.values())
    assert min(counted.values()) > 0 or {n for n, c in counted.items() if not c} == {"rulebook", "judging"}
    assert {name for name in tables if "_rtree" not in name} - NOT_SEALED == set(SEALED)


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_altered_is_found(
    whole: tuple[CaseStore, list[Head]],
    evidence: Path,
    tampering: Connection,
    seed: int,
    tmp_path: Path,
) -> None:
    store, heads = whole
    shutil.copytree(evidence, tmp_path / "evidence")
    kind, what = planted(tampering, random.Random(seed), tmp_path / "evidence")
    told = found(store, tampering, heads, tmp_path / "evidence")
    assert told, what
    assert kind != "chain cut off" or any(text.startswith("the chain was cut off: ") for text in told), told


def test_the_first_broken_link_is_named(tampering: Connection) -> None:
    tampering.execute(text("UPDATE event SET actor = '赵六' WHERE kind = 'moved' AND to_status = 'proven'"))
    fault = seen(tampering, []).faults[0]
    place = tampering.execute(
        text("SELECT min(place) FROM seal WHERE what = 'event' AND first >= "
             "(SELECT min(serial) FROM event WHERE to_status = 'proven')")
    ).scalar_one()  # fmt: skip
    assert fault.place == place
    assert fault.text.startswith("event: row ") and "was altered since link" in fault.text


def test_what_is_cut_off_is_missed_by_a_head_kept_elsewhere(
    whole: tuple[CaseStore, list[Head]], tampering: Connection
) -> None:
    """The last move is taken back without a trace: its event, its seals, the case as it was, the head."""
    heads = whole[1]
    last = tampering.execute(text("SELECT * FROM event ORDER BY serial DESC LIMIT 1")).mappings().one()
    end = tampering.execute(text("SELECT max(place) FROM seal")).scalar_one()
    tampering.execute(text("DELETE FROM event WHERE serial = :s"), {"s": last["serial"]})
    tampering.execute(text("DELETE FROM seal WHERE place > :p"), {"p": end - 2})
    tampering.execute(text("DELETE FROM head"))
    was = "UPDATE enforcement_case SET status = :s, held = '{}', version = version - 1 WHERE id = :c"
    tampering.execute(text(was), {"s": last["from_status"], "c": last["case_id"]})
    assert seen(tampering, []).faults == []
    told = [fault.text for fault in seen(tampering, heads).faults]
    assert any(text.startswith(f"the chain was cut off: {heads[0].at:%Y-%m-%d}") for text in told), told


def test_a_head_is_genuine_or_not(whole: tuple[CaseStore, list[Head]], tmp_path: Path) -> None:
    head = whole[1][0]
    assert head.is_genuine
    forged = Head(**{**vars(head), "place": head.place - 1})
    assert not forged.is_genuine
    path = tmp_path / "heads.jsonl"
    path.write_text(head.line() + "\n")
    assert read_heads(path) == [head]
    path.write_text(head.line() + "\n{}\n")
    with pytest.raises(BadInput, match="line 2 is no head"):
        read_heads(path)
    with pytest.raises(BadInput, match="there is a file already"):
        new_key(path)
    with pytest.raises(BadInput, match="is no private key"):
        load_key(path)


def test_links_neither_change_nor_fork(whole: tuple[CaseStore, list[Head]]) -> None:
    store, _ = whole
    columns = "at, what, first, last, key, was, rows, content"
    for statement in (
        "UPDATE seal SET rows = 0",
        "DELETE FROM seal",
        "DELETE FROM head",
        f"INSERT INTO seal (place, {columns}, previous, digest) "
        f"SELECT 10000, {columns}, previous, 'd' FROM seal WHERE place = 3",
    ):
        with store.engine.begin() as by_hand, pytest.raises(IntegrityError):
            by_hand.execute(text(statement))


def test_an_old_database_is_sealed_as_it_stands(tmp_path: Path) -> None:
    path = old_database(tmp_path)
    open_store(str(path))
    told = audit(str(path))
    assert told.faults == [] and told.rows == 14
    with sqlite3.connect(path) as by_hand:
        by_hand.execute("UPDATE change SET area_m2 = area_m2 + 1 WHERE serial = 1")
    assert [fault.text.split(":")[0] for fault in audit(str(path)).faults] == ["change"]


def test_the_verbs(tmp_path: Path) -> None:
    store = county(tmp_path)
    db, beside = (
        store.engine.url.render_as_string(hide_password=False),
        {"TIANKAN_EVIDENCE": str(tmp_path / "evidence")},
    )
    code, out, _ = tiankan("audit", "verify", "--db", db, **beside)
    assert code == 0 and "no signed head: no faults" in out
    assert tiankan("audit", "key", "--to", tmp_path / "k.pem")[0] == 0
    assert (tmp_path / "k.pem").stat().st_mode & 0o077 == 0
    head = tmp_path / "heads.jsonl"
    code, out, _ = tiankan("audit", "sign", "--key", tmp_path / "k.pem", "--db", db, "--out", head, "--json")
    assert code == 0 and json.loads(out)["place"] > 10
    assert (
        "nothing to sign"
        in tiankan("audit", "sign", "--key", tmp_path / "k.pem", "--db", db, "--out", head)[1]
    )
    again = ("audit", "sign", "--key", tmp_path / "k.pem", "--db", db, "--out", tmp_path / "copy.jsonl")
    assert tiankan(*again)[0] == 0 and (tmp_path / "copy.jsonl").read_text() == head.read_text()
    put(store, row_of_changes(2, first=50))
    case = store.cases(CaseFilter()).items[-1]
    store.move(case.id, "field_check", ROAD, actor="李伟", role="county")
    assert sign_head(db, tmp_path / "k.pem", head) is not None
    code, out, _ = tiankan("audit", "verify", "--db", db, "--heads", head, "--json", **beside)
    told = json.loads(out)
    assert (code, told["heads"], told["faults"]) == (0, 2, [])
    with store.engine.begin() as by_hand:
        unlock(by_hand)
        by_hand.execute(text("UPDATE enforcement_case SET version = 99 WHERE serial = 1"))
    code, out, _ = tiankan("audit", "verify", "--db", db, "--heads", head, **beside)
    assert code == 1 and "enforcement_case" in out.splitlines()[0]


def test_a_file_that_somebody_altered_is_named(tmp_path: Path) -> None:
    store = county(tmp_path)
    db, beside = (
        store.engine.url.render_as_string(hide_password=False),
        {"TIANKAN_EVIDENCE": str(tmp_path / "evidence")},
    )
    (file,) = [p for p in (tmp_path / "evidence").rglob("*") if p.is_file() and p.read_text() == "lease 7"]
    file.chmod(0o600)
    file.write_text("lease 8")
    code, out, _ = tiankan("audit", "verify", "--db", db, **beside)
    assert code == 1 and "lease.txt" in out and "no signed head: 1 fault\n" in out
