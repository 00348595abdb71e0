"""Somebody who owns the database and knows how links are made: what they append, swap or spoil is found."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from cases.store import CaseStore
from database import seals
from database.audit import audit, look
from database.cadastre_tables import FeatureRow
from database.heads import Head, load_key, new_key, read_heads, sign, stored
from database.revisions import WRITE_LOCK
from database.tables import CaseRow, EventRow, JudgementRow
from ground.errors import BadInput
from tests.audit_world import county, unlock
from tests.registry_world import brought, half, layer, written
from tests.test_cli import tiankan


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseStore, list[Head]]:
    """A county with two vintages of a layer, and the head that was kept elsewhere."""
    folder = tmp_path_factory.mktemp("county")
    store = county(folder)
    written(folder, "b.gpkg", [half(False), half(True)], no=["C", "D"])
    brought(store, folder, layer("b.gpkg"), "2022-09-10")
    new_key(folder / "k.pem")
    with store.transaction(writes=True) as session:
        sign(session, load_key(folder / "k.pem"), {})
    with store.transaction() as session:
        return store, list(stored(session))


@pytest.fixture
def forging(whole: tuple[CaseStore, list[Head]]) -> Iterator[Session]:
    """A transaction in which every lock is off and which leaves nothing behind."""
    with whole[0].engine.connect() as connection:
        if whole[0].engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(WRITE_LOCK)
        unlock(connection)
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            yield session
        connection.rollback()


def told(session: Session, heads: list[Head]) -> list[str]:
    session.flush()
    session.expunge_all()
    faults = look(session, heads).faults
    places = [fault.place for fault in faults if fault.place]
    assert places == sorted(places)
    return [fault.text for fault in faults]


def event_sealed_as_altered(session: Session) -> None:
    serial = session.execute(text("SELECT min(serial) FROM event WHERE to_status = 'proven'")).scalar_one()
    here = EventRow.__table__.c.serial == serial
    (row,) = seals.read(session, EventRow, here)
    was = seals.digest_of(EventRow, row)
    session.execute(text("UPDATE event SET actor = '赵六' WHERE serial = :s"), {"s": serial})
    (row,) = seals.read(session, EventRow, here)
    now = seals.content_of(seals.digest_of(EventRow, row))
    seals._append(session, [seals._link(EventRow, serial, serial, "", was, 0, now)])


def judgement_sealed_again(session: Session) -> None:
    session.execute(text("UPDATE judgement SET verdict = 'lawful'"))
    judged = session.query(JudgementRow).first().judged  # type: ignore[union-attr]
    rows = list(seals.read(session, JudgementRow, JudgementRow.__table__.c.judged == judged))
    seals.added(session, JudgementRow, rows, judged)


def feature_sealed_again(session: Session) -> None:
    session.execute(text("UPDATE feature SET number = 'FORGED' WHERE serial = 1"))
    rows = list(seals.read(session, FeatureRow, FeatureRow.__table__.c.vintage == 1))
    seals.added(session, FeatureRow, rows, 1)


def vintages_swapped(session: Session) -> None:
    for was, now in ((1, 999), (2, 1), (999, 2)):
        session.execute(text("UPDATE vintage SET serial = :n WHERE serial = :w"), {"n": now, "w": was})


def case_moved_without_a_line(session: Session) -> None:
    case = session.query(CaseRow).where(CaseRow.status == "proven").first()
    with seals.altering(session, CaseRow, [case.id]):  # type: ignore[union-attr]
        case.status = "audited"  # type: ignore[union-attr]


def link_of_no_table(session: Session) -> None:
    link = {
        "what": "nothing",
        "first": 1,
        "last": 1,
        "key": "",
        "was": "ab" * 32,
        "rows": 0,
        "content": "cd" * 32,
    }
    seals._append(session, [link])


def link_of_no_digest(session: Session) -> None:
    link = {
        "what": "event",
        "first": 1,
        "last": 1,
        "key": "",
        "was": "no digest",
        "rows": 0,
        "content": "nor this",
    }
    seals._append(session, [link])


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (event_sealed_as_altered, "was altered; rows of event are only added"),
        (judgement_sealed_again, "once more, after link"),
        (feature_sealed_again, "seals feature of vintage 1 once more, after link"),
        (vintages_swapped, "bears the serial 2, link"),
        (case_moved_without_a_line, "stands at audited, but its history ends at proven"),
        (link_of_no_table, "names a table 'nothing'"),
        (link_of_no_digest, "holds what no link can"),
    ],
)
def test_what_a_forger_appends_is_found(
    whole: tuple[CaseStore, list[Head]], forging: Session, forge: Callable[[Session], None], said: str
) -> None:
    assert told(forging, whole[1]) == []
    forge(forging)
    found = told(forging, whole[1])
    assert any(said in one for one in found), found


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM feature_rtree WHERE serial = 1", "feature: row 1 is not where feature_rtree"),
        (
            "UPDATE change_rtree SET west = 9, east = 10 WHERE serial = 1",
            "change: row 1 is not where change_rtree",
        ),
        ("UPDATE pair SET made = '{'", "pair: row pair cannot be read (Expecting property name"),
        (
            "UPDATE change SET geometry = x'00' WHERE serial = 1",
            "change: row 1 cannot be read (ParseException",
        ),
        (
            "UPDATE enforcement_case SET opened = 'x' WHERE serial = 1",
            "enforcement_case: row 1 cannot be read",
        ),
        ("UPDATE judgement SET judged = 'x'", "cannot be read (Invalid isoformat string: 'x')"),
        ("UPDATE seal SET at = 'x' WHERE place = 3", "link 3 cannot be read (Invalid isoformat"),
        ("UPDATE seal SET rows = 'x' WHERE place = 3", "link 3 was altered"),
        ("UPDATE head SET made = '{'", "head: row 1 cannot be read"),
        ("UPDATE head SET place = 'x'", "does not bear its signature"),
    ],
)
def test_what_cannot_be_read_is_named(
    whole: tuple[CaseStore, list[Head]], forging: Session, statement: str, said: str
) -> None:
    forging.execute(text(statement))
    found = told(forging, whole[1])
    assert any(said in one for one in found), found


def test_a_chain_made_anew_bears_no_head_of_the_key(
    whole: tuple[CaseStore, list[Head]], forging: Session, tmp_path: Path
) -> None:
    """Everything is sealed once more after an alteration, and signed by the forger."""
    key = whole[1][0].key
    assert look(forging, [], key).faults == []
    for statement in ("UPDATE event SET actor = '赵六'", "DELETE FROM seal", "DELETE FROM head"):
        forging.execute(text(statement))
    seals.seal_all(forging, "")
    new_key(tmp_path / "forger.pem")
    sign(forging, load_key(tmp_path / "forger.pem"), {})
    assert (look(forging, []).faults, look(forging, []).heads) == ([], 1)  # Who knows no key is told nothing.
    found = look(forging, [], key)
    assert found.heads == 0 and found.faults[0].text.startswith(f"no head is of key {key}")
    with pytest.raises(BadInput, match="'abc' is no public key; give the 64 hexadecimal digits"):
        audit("none.db", key="abc")


def test_a_file_without_heads_shows_nothing(tmp_path: Path, whole: tuple[CaseStore, list[Head]]) -> None:
    path, line = tmp_path / "heads.jsonl", whole[1][0].line()
    path.write_text("")
    with pytest.raises(BadInput, match="holds no head, so nothing can be held against it"):
        read_heads(path)
    for was, now in (('"place": ', '"place": "1", "p": '), ("+00:00", ""), ('"made": {}', '"made": 3')):
        path.write_text(line.replace(was, now))
        with pytest.raises(BadInput, match="line 1 is no head"):
            read_heads(path)


def test_a_broken_chain_is_told_even_where_the_files_are_out_of_reach(tmp_path: Path) -> None:
    store = county(tmp_path)
    db = store.engine.url.render_as_string(hide_password=False)
    with store.engine.begin() as by_hand:
        by_hand.execute(text("UPDATE enforcement_case SET version = 99 WHERE serial = 1"))
    code, out, _ = tiankan("audit", "verify", "--db", db, TIANKAN_EVIDENCE="s3://")
    assert code == 1 and "enforcement_case" in out.splitlines()[0] and "were not looked at" in out
