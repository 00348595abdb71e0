"""The database behind its URL: search by box on both, bulk writing, and what a server refuses, in one sentence each."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import errors
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from cases import ledger
from cases.store import CaseStore
from database import bulk
from database.cadastre_tables import FeatureRow, VintageRow
from database.engine import engine_of, open_database
from database.faults import faults
from database.geometry import meets
from database.tables import ChangeRow, JudgementRow, JudgingRow, RulebookRow
from ground.errors import BadInput, CannotWrite, Unreachable
from tests.cases_world import AFTER, ROAD, entry_of, lonlat_changes, new_store, put, row_of_changes

SERVER = os.environ.get("TIANKAN_TEST_DB", "")
on_postgis = pytest.mark.skipif(not SERVER, reason="TIANKAN_TEST_DB names no PostGIS")
AS_OF = ledger.datetime.fromisoformat("2026-01-02T03:04:05+00:00")
VINTAGE = {
    "serial": 1, "id": "v1", "layer": "approvals", "kind": "register", "valid_from": None, "known_from": AS_OF,
    "imported": AS_OF, "description": {}, "source": "a.gpkg", "sha256": {}, "crs": "", "covers": None,
    "features": 1, "report": {},
}  # fmt: skip
JUDGING = {
    "id": "j1", "as_of": AS_OF, "made": AS_OF, "crs": "EPSG:4547", "rulebooks": ["b1"], "catalogue": {},
    "layers": {}, "versions": {},
}  # fmt: skip
BOOK = {
    "id": "b1", "title": "t", "jurisdiction": "j", "effective_from": AS_OF.date(), "known_from": AS_OF, "content": {},
}  # fmt: skip


def feature(shape: shapely.Geometry, row: int = 1) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("number", "land_class", "attributes", "valid_from", "valid_to", "known_from", "original")
    )
    return {"vintage": 1, "row": row, "geometry": shape} | nothing


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return new_store(tmp_path)


LON = st.floats(-180, 180, width=64)
LAT = st.floats(-90, 90, width=64)


@settings(max_examples=15, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(LON, LAT, st.floats(1e-6, 1e-3), st.floats(1e-6, 1e-3)), max_size=12, unique=True
    ),
    asked=st.lists(st.tuples(LON, LAT, LON, LAT), min_size=1, max_size=4),
)
@example(boxes=[(0.0, -1e-216, 1e-3, 1e-4)], asked=[(0.0, -1.0, 0.0, -2.2250738585072014e-308)])
def test_search_by_box_is_exact_on_every_database(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[Any], asked: list[Any]
) -> None:
    store = new_store(tmp_path_factory.mktemp("boxes"))
    shapes = [shapely.box(x, y, min(x + w, 180), min(y + h, 90)) for x, y, w, h in boxes]
    bounds = [shape.bounds for shape in shapes]
    with store.transaction(writes=True) as session:
        bulk.add(session, VintageRow, [VINTAGE])
        bulk.add(session, FeatureRow, [feature(shape, i) for i, shape in enumerate(shapes)])
    # Edges of what is there, and one step beside them, which single precision cannot tell apart.
    asked = (
        asked
        + [(b[2], b[3], b[2], b[3]) for b in bounds]
        + [(b[2] + 1e-9, -90, 180, 90) for b in bounds if b[2] < 179]
    )
    for west, south, east, north in asked:
        south, north = sorted((south, north))
        box = (west, south, east, north)
        with store.transaction() as session:
            met = meets(FeatureRow, box, store.engine.dialect.name)
            found = set(session.scalars(select(FeatureRow.row).where(*met)))
        across = [
            b[0] <= east and b[2] >= west if west <= east else b[0] <= east or b[2] >= west for b in bounds
        ]
        wanted = {i for i, b in enumerate(bounds) if across[i] and b[1] <= north and b[3] >= south}
        assert found == wanted, box


def test_search_by_box_asks_the_index(store: CaseStore) -> None:
    put(store, row_of_changes(300))
    dialect = store.engine.dialect.name
    query = select(ChangeRow.id).where(*meets(ChangeRow, (100.5, 34, 100.6, 36), dialect))
    said = query.compile(store.engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    with store.engine.begin() as connection:
        plan = " ".join(str(row) for row in connection.exec_driver_sql(explain + str(said)))
    assert ("change_rtree VIRTUAL TABLE INDEX" if dialect == "sqlite" else "change_place") in plan


def test_the_index_follows_its_table(store: CaseStore) -> None:
    put(store, lonlat_changes((100, 35, 100.01, 35.01)))
    with store.engine.begin() as connection:
        moved = {"box": shapely.box(50, 10, 50.1, 10.1)}
        rows = ChangeRow.__table__.update().values(
            geometry=moved["box"], west=50, south=10, east=50.1, north=10.1
        )
        connection.execute(rows)
    assert store.changes(bbox=(99, 34, 101, 36)).items == []
    assert len(store.changes(bbox=(50.05, 10, 51, 11)).items) == 1


@pytest.mark.parametrize("table", ["vintage", "feature", "rulebook", "judging"])
@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_what_a_judging_rests_on_cannot_be_altered(store: CaseStore, table: str, statement: str) -> None:
    with store.transaction(writes=True) as session:
        bulk.add(session, VintageRow, [VINTAGE])
        bulk.add(session, FeatureRow, [feature(shapely.Point(1, 2))])
        bulk.add(session, RulebookRow, [BOOK])
        bulk.add(session, JudgingRow, [JUDGING])
    column = "row" if table == "feature" else "id"
    with (
        store.engine.begin() as by_hand,
        pytest.raises(IntegrityError, match="rows are added, never changed"),
    ):
        by_hand.execute(text(statement.format(table, column)))


@pytest.mark.sqlite
def test_a_vintage_is_not_replaced_by_its_id_either(store: CaseStore) -> None:
    with store.transaction(writes=True) as session:
        bulk.add(session, VintageRow, [VINTAGE])
    with store.engine.begin() as by_hand, pytest.raises(IntegrityError, match="never changed"):
        columns = ", ".join(name for name in VINTAGE if name != "serial")
        by_hand.execute(text(f"INSERT OR REPLACE INTO vintage ({columns}) SELECT {columns} FROM vintage"))


def test_a_judging_is_kept_once_with_its_rulebooks_and_land(store: CaseStore) -> None:
    frame = row_of_changes(2)
    first, second = frame["change_id"]
    entry = entry_of(frame, judging=JUDGING, rulebooks=[BOOK], land={first: {"0103": 1542.5}})
    assert ledger.record(store, entry, ROAD) == ledger.Added(2, 2, 2)
    later = AS_OF.replace(year=2030)
    again = entry_of(
        row_of_changes(3), judging=JUDGING | {"id": "j2"}, rulebooks=[BOOK | {"known_from": later}]
    )
    assert ledger.record(store, again, ROAD) == ledger.Added(1, 1, 1)
    with store.transaction() as session:
        assert [(b.id, b.known_from) for b in session.scalars(select(RulebookRow))] == [("b1", AS_OF)]
        assert sorted(session.scalars(select(JudgingRow.id))) == ["j1", "j2"]
        said = {j.change_id: (j.judging_id, j.land) for j in session.scalars(select(JudgementRow))}
    assert (said.pop(first), said.pop(second)) == (("j1", {"0103": 1542.5}), ("j1", None))
    assert list(said.values()) == [("j2", None)]


def test_bulk_rows_are_what_single_rows_are(store: CaseStore) -> None:
    shape = shapely.MultiPolygon([shapely.box(1, 2, 3, 4), shapely.box(5, 6, 7, 8, ccw=False)])
    odd = feature(shape) | {
        "attributes": {"name": "天看\t\\N\n'"},
        "number": "\\N",
        "original": b"\x00\xff",
        "land_class": "",
    }
    with store.transaction(writes=True) as session:
        bulk.add(session, VintageRow, [VINTAGE | {"covers": shape}])
        bulk.add(session, FeatureRow, [odd, odd | {"row": 2, "attributes": None}])
        session.add(FeatureRow(**odd | {"row": 3}))
    with store.transaction() as session:
        rows = list(session.scalars(select(FeatureRow).order_by(FeatureRow.serial)))
        kept = [{name: getattr(row, name) for name in odd} for row in rows]
        covers = session.scalars(select(VintageRow.covers)).one()
    assert kept == [odd, odd | {"row": 2, "attributes": None}, odd | {"row": 3}]
    assert covers.equals_exact(shape)
    assert AFTER


BAD_URLS = [
    ("postgresql+psycopg://u:hush@127.0.0.1:1/x", Unreachable, r"u:\*\*\*@127\.0\.0\.1:1/x: the server"),
    ("postgres://u:hush@127.0.0.1:1/x", Unreachable, "the server does not answer .*check host, port and database"),
    ("postgresql://127.0.0.1:1/x?password=hush", Unreachable, "the server does not answer"),
    ("mysql://u:hush@h/x", BadInput, "mysql is neither sqlite nor postgresql"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "kind", "said"), BAD_URLS)
def test_a_server_that_is_not_there_is_one_sentence(url: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as told:
        open_database(url, create=True)
    assert "hush" not in str(told.value)


REFUSED = [
    (errors.DiskFull("could not extend file"), CannotWrite, r"nothing was saved \(could not.*free some space"),
    (errors.SerializationFailure("could not serialize"), CannotWrite, "else is writing.*run again in a minute"),
    (errors.DeadlockDetected("deadlock"), CannotWrite, "somebody else is writing"),
    (errors.UniqueViolation("duplicate key"), CannotWrite, "somebody else wrote the same just now"),
    (errors.AdminShutdown("terminating connection"), Unreachable, "the server does not answer"),
    (errors.InsufficientPrivilege("permission denied"), BadInput, "this user may not do that"),
    (errors.InvalidPassword("no"), BadInput, "check user and password"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "said"), REFUSED)
def test_what_a_server_refuses_is_one_sentence(fault: Any, kind: type[Exception], said: str) -> None:
    engine = engine_of("postgresql://u:hush@h/x")
    error = engine.dialect.loaded_dbapi.Error
    with pytest.raises(kind, match=rf"^postgresql\+psycopg://u:\*\*\*@h/x: .*{said}"), faults(engine):
        raise DBAPIError.instance("SELECT 1", None, fault, error, dialect=engine.dialect)


@on_postgis
def test_a_wrong_password_is_said_and_not_shown() -> None:
    url = make_url(SERVER).set(password="wrong-word").render_as_string(hide_password=False)
    with pytest.raises(BadInput, match=r"the server did not let us in .*check user and password") as told:
        open_database(url, create=True)
    assert "wrong-word" not in str(told.value)


@on_postgis
def test_a_database_that_is_not_there_is_said() -> None:
    url = make_url(SERVER).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(Unreachable, match='database "nowhere" does not exist'):
        open_database(url, create=True)


@on_postgis
def test_postgis_that_may_not_be_added_is_asked_of_the_administrator() -> None:
    with engine_of(SERVER).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE bare_{os.getpid()}"))
    url = make_url(SERVER).set(database=f"bare_{os.getpid()}").render_as_string(hide_password=False)
    with pytest.raises(
        BadInput, match=r"has no PostGIS and it could not be added .*permission denied.*CREATE EXTENSION"
    ):
        open_database(url, create=True)
    with pytest.raises(BadInput, match="holds no cases yet"):
        open_database(url, create=False)


@on_postgis
def test_a_connection_that_the_server_ended_is_made_anew(store: CaseStore) -> None:
    put(store, row_of_changes(1))
    name = store.engine.url.database
    with engine_of(str(store.engine.url.render_as_string(hide_password=False))).connect() as other:
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n AND pid <> pg_backend_pid()"
            ),
            {"n": name},
        )
    assert store.is_alive()


@on_postgis
def test_a_fault_of_copy_is_one_sentence(store: CaseStore) -> None:
    put(store, row_of_changes(1))
    with (
        pytest.raises(CannotWrite, match=r"nothing was saved .*somebody else wrote the same"),
        store.transaction(writes=True) as session,
    ):
        bulk.add(session, JudgingRow, [JUDGING, JUDGING])
    with pytest.raises(CannotWrite, match="nothing was saved"), store.transaction(writes=True) as session:
        bulk.add(session, RulebookRow, [BOOK | {"title": None}])


def test_sqlite_outside_of_tiankan_can_read(tmp_path: Path) -> None:
    open_database(str(tmp_path / "a.db"), create=True)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT count(*) FROM feature").fetchone() == (0,)
