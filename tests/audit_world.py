"""A small county with everything that is sealed, and somebody who plants alterations in it with all locks taken off."""

import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases.issuing import issue
from cases.splitting import split
from cases.store import CaseFilter, CaseStore
from cases.ticking import tick
from database.audit import look
from database.heads import Head
from database.seal_tables import HeadRow, SealRow
from database.seals import SEALED
from database.tables import Base
from evidence.adding import Given, add
from evidence.files import open_files
from evidence.limits import load_limits
from evidence.verify import faults
from tests.cases_world import ROAD, new_store, put, row_of_changes
from tests.registry_world import brought, half, layer, written
from tests.spots_world import bring
from tests.test_ledger import PAIR, SCENES

WATCHED = [*SEALED, "seal", "head"]


class Planted(NamedTuple):
    """What was done, by kind and in a sentence."""

    kind: str
    what: str


def county(folder: Path) -> CaseStore:
    """Two runs, one judged anew, a layer, cases moved, numbered and cut by people, a later map, a tick."""
    store = new_store(folder)
    written(folder, "a.gpkg", [half(True), half(False)], no=["A", "B"])
    brought(store, folder, layer("a.gpkg"), "2021-09-10")
    put(store, row_of_changes(5), scenes=SCENES, pair=PAIR)
    put(store, row_of_changes(4, first=10))
    put(store, row_of_changes(5, change_class="linear"), scenes=SCENES, pair=PAIR)
    (folder / "lease.txt").write_text("lease 7")
    paper = Given(kind="document", path=folder / "lease.txt", actor="李伟", role="county")
    first = store.cases(CaseFilter()).items[0].id
    add(store, open_files(str(folder / "evidence")), first, paper, ROAD, load_limits())
    (folder / "plan.txt").write_text("plan 9")
    plan = Given(kind="document", path=folder / "plan.txt", actor="李伟", role="county")
    add(store, open_files(str(folder / "evidence")), first, plan, ROAD, load_limits())
    bring(store, store.cases(CaseFilter()).items[-1].id, "lawful")
    put(store, row_of_changes(4, first=10, pair_id="later"))
    bring(store, store.cases(CaseFilter()).items[3].id, "returned")
    issue(store, "Q3")
    cut = store.cases(CaseFilter()).items[4]
    west, south, east, north = cut.bbox
    middle = (west + east) / 2
    parts = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    split(store, cut.id, parts, ROAD, actor="李伟", role="county", reason="two owners")
    tick(store)
    for case in store.cases(CaseFilter()).items[:3]:
        store.move(case.id, "field_check", ROAD, actor="李伟", role="county")
        store.move(
            case.id,
            "proven",
            ROAD,
            actor="李伟",
            role="county",
            evidence={"photo": "p.jpg", "field_evidence": "f"},
        )
    return store


def unlock(connection: Connection) -> None:
    """Takes every trigger and reference off, as one can who owns the database."""
    if connection.dialect.name == "postgresql":
        owned = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f'"
        for table, name in connection.execute(text(owned)).all():
            connection.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))
        for table in WATCHED:
            connection.execute(text(f'ALTER TABLE "{table}" DISABLE TRIGGER USER'))
        return
    names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    for name in names:
        connection.execute(text(f'DROP TRIGGER "{name}"'))


def planted(connection: Connection, dice: random.Random, evidence: Path) -> Planted:
    """One alteration at random, of rows, of the files of evidence or of the chain's end."""
    kind = dice.choices(["row", "file", "end"], [6, 2, 1])[0]
    if kind == "file":
        return _file(evidence, dice)
    if kind == "end":
        return _cut_off(connection, dice)
    table = Base.metadata.tables[dice.choice([name for name in WATCHED if _count(connection, name)])]
    how = dice.choice([_altered, _altered, _altered, _removed, _put_in, _swapped])
    try:
        with connection.begin_nested():
            return Planted(KINDS[how], how(connection, table, dice))
    except IntegrityError:  # A row that no database takes twice.
        return Planted(KINDS[_removed], _removed(connection, table, dice))


def found(store: CaseStore, connection: Connection, heads: list[Head], evidence: Path) -> list[str]:
    """What is told of it: of the chain with heads kept elsewhere, and of the files."""
    with Session(bind=connection) as session:
        told = [fault.text for fault in look(session, heads).faults]
    return told + [fault.text for fault in faults(store, open_files(str(evidence)))]


def _file(evidence: Path, dice: random.Random) -> Planted:
    """A file of evidence that was altered, removed, swapped with another, replaced by a link, or added."""
    files = sorted(path for path in evidence.rglob("*") if path.is_file())
    one, other = dice.sample(files, 2)
    kind = dice.choice(["altered", "removed", "swapped", "linked", "added"])
    was, also = one.read_bytes(), other.read_bytes()
    for path in (one, other):
        path.chmod(0o600)
    if kind == "altered":
        at = dice.randrange(len(was))
        one.write_bytes(was[:at] + bytes([was[at] ^ dice.randrange(1, 256)]) + was[at + 1 :])
    elif kind == "removed":
        one.unlink()
    elif kind == "swapped":
        one.write_bytes(also)
        other.write_bytes(was)
    elif kind == "linked":
        away = evidence.parent / f"{evidence.name}-away"
        away.write_bytes(was)
        one.unlink()
        one.symlink_to(away)
    else:
        digest = hashlib.sha256(was + b"x").hexdigest()
        (evidence / digest[:2]).mkdir(exist_ok=True)
        (evidence / digest[:2] / digest).write_bytes(was + b"x")
    return Planted(f"file {kind}", f"{one.name[:16]}…: {kind}")


def _cut_off(connection: Connection, dice: random.Random) -> Planted:
    """The last links taken off with the rows that they added, and all heads."""
    links = connection.execute(SealRow.__table__.select().order_by(SealRow.place.desc())).mappings().all()
    many = dice.randrange(1, min(30, len(links)))
    for link in links[:many]:
        table, sealed = Base.metadata.tables[link["what"]], SEALED[link["what"]]
        if link["was"]:
            continue  # The row stays as it was altered to.
        if not sealed.key:
            mine = table.c.serial.between(link["first"], link["last"])
            connection.execute(table.delete().where(mine))
            continue
        (own,) = table.primary_key.columns
        keys = [
            row[own.name]
            for row in connection.execute(table.select()).mappings()
            if sealed.key_of(dict(row)) == link["key"]
        ]
        connection.execute(table.delete().where(own.in_(keys)))
    connection.execute(SealRow.__table__.delete().where(SealRow.place > links[many]["place"]))
    connection.execute(HeadRow.__table__.delete())
    return Planted("chain cut off", f"the last {many} links and their rows were taken off")


def _count(connection: Connection, name: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one())


def _row(connection: Connection, table: Table, dice: random.Random) -> dict[str, Any]:
    rows = connection.execute(table.select().order_by(*table.primary_key.columns)).mappings().all()
    return dict(dice.choice(rows))


def _this(table: Table, row: dict[str, Any]) -> Any:
    (key,) = table.primary_key.columns
    return key == row[key.name]


def _altered(connection: Connection, table: Table, dice: random.Random) -> str:
    row = _row(connection, table, dice)
    column = dice.choice([c for c in table.columns if not c.primary_key])
    value = _other(row[column.name], type(column.type).__name__)
    connection.execute(table.update().where(_this(table, row)).values({column.name: value}))
    return f"{table.name}.{column.name}: {str(row[column.name])[:40]!r} became {str(value)[:40]!r}"


def _other(value: Any, kind: str) -> Any:
    if value is None:
        moment = datetime(2020, 1, 1, tzinfo=UTC)
        return {
            "Float": 1.5, "Double": 1.5, "Serial": 7, "BigInteger": 7, "LargeBinary": b"x", "JSON": {"x": 1},
            "Date": moment.date(), "LonLat": shapely.Point(1, 2), "Utc": moment,
        }.get(kind, "x")  # fmt: skip
    if isinstance(value, str):
        return (
            value + "x" if len(value) not in (16, 64, 128) else ("0" if value[0] != "0" else "1") + value[1:]
        )
    if isinstance(value, dict):
        return json.loads(json.dumps(value)) | {"x": 1}
    if isinstance(value, list):
        return [*value, 1]
    if isinstance(value, bytes):
        return value + b"x"
    if isinstance(value, shapely.Geometry):
        return shapely.transform(value, lambda xy: xy + 1e-9)
    if isinstance(value, int | float):
        return value + 1
    return value.replace(year=value.year + 1)


def _removed(connection: Connection, table: Table, dice: random.Random) -> str:
    row = _row(connection, table, dice)
    connection.execute(table.delete().where(_this(table, row)))
    return f"{table.name}: a row was removed"


def _put_in(connection: Connection, table: Table, dice: random.Random) -> str:
    row = _row(connection, table, dice)
    for column in table.columns:
        if column.primary_key or column.unique or column.name in ("id", "digest", "previous"):
            kept = row[column.name]
            row[column.name] = kept + 1000 if isinstance(kept, int) else str(kept)[::-1] + "z"
    widths = {c.name: c.type.length for c in table.columns if getattr(c.type, "length", None)}
    row = {name: value[-widths[name] :] if name in widths and value else value for name, value in row.items()}
    connection.execute(table.insert().values(row))
    return f"{table.name}: a row was put in"


def _swapped(connection: Connection, table: Table, dice: random.Random) -> str:
    (key,) = table.primary_key.columns
    rows = connection.execute(table.select().order_by(key)).mappings().all()
    if len(rows) < 2:
        return _removed(connection, table, dice)
    one, other = dice.sample(rows, 2)
    away = 10**6 if isinstance(one[key.name], int) else "away"
    for was, now in ((one[key.name], away), (other[key.name], one[key.name]), (away, other[key.name])):
        connection.execute(table.update().where(key == was).values({key.name: now}))
    return f"{table.name}: two rows changed places"


KINDS: dict[Callable[[Connection, Table, random.Random], str], str] = {
    _altered: "row altered", _removed: "row removed", _put_in: "row put in", _swapped: "rows swapped",
}  # fmt: skip


def tables_of(connection: Connection) -> set[str]:
    """Every table there is."""
    return set(inspect(connection).get_table_names())
