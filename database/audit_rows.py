"""Rows held against the links that name them: what was altered, taken out, put in, or cannot even be read."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import shapely
from sqlalchemy import Table, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from database.audit_whose import Whose
from database.seal_tables import SealRow
from database.seals import SEALED, Sealed, content_of, digest_of, read
from database.tables import Base
from ground.errors import one_line

UNREADABLE = (ValueError, TypeError, OverflowError, shapely.errors.ShapelyError, DatabaseError)
"""What comes of a value that is of no kind its column may hold."""


@dataclass(frozen=True)
class Fault:
    """What is wrong in a sentence; `place`: the link where it shows, 0 where no link names it."""

    place: int
    text: str


@dataclass
class Links:
    """The seals of one table."""

    added: list[SealRow] = field(default_factory=list)
    altered: dict[str, list[SealRow]] = field(default_factory=lambda: defaultdict(list))
    """By serial or key, oldest first."""


def by_table(seals: Sequence[SealRow]) -> tuple[dict[str, Links], list[Fault]]:
    """The links of each table; and a fault for each that says what no honest one can, which is then left out."""
    links: dict[str, Links] = defaultdict(Links)
    keys: dict[tuple[str, str], int] = {}
    faults = []
    for seal in seals:
        sealed = SEALED.get(seal.what)
        why = _why_not(seal, sealed, keys)
        if sealed is None or why:
            faults.append(Fault(seal.place, f"link {seal.place} {why}"))
        elif seal.was:
            links[seal.what].altered[seal.key if sealed.key else str(seal.first)].append(seal)
        else:
            keys[seal.what, seal.key] = seal.place
            links[seal.what].added.append(seal)
    return links, faults


def _why_not(seal: SealRow, sealed: Sealed | None, keys: dict[tuple[str, str], int]) -> str:
    """What is wrong with a link by itself; empty where nothing is."""
    if sealed is None:
        return f"names a table {seal.what!r}"
    if not _is_sound(seal, sealed):
        return "holds what no link can"
    if seal.was and not sealed.altered:
        return (
            f"says that {seal.what} {seal.key or seal.first} was altered; rows of {seal.what} are only added"
        )
    if not seal.was and sealed.key and (seal.what, seal.key) in keys:
        first = keys[seal.what, seal.key]
        return f"seals {seal.what} of {sealed.key} {seal.key} once more, after link {first}"
    return ""


def _is_sound(seal: SealRow, sealed: Sealed) -> bool:
    """Whether a link is made as links are; SQLite takes any value into any column."""
    counts = (seal.rows,) if sealed.key else (seal.rows, seal.first, seal.last)
    if not all(isinstance(count, int) for count in counts) or not isinstance(seal.key, str):
        return False
    try:
        return len(bytes.fromhex(seal.content)) == 32 and len(bytes.fromhex(seal.was)) in (0, 32)
    except (ValueError, TypeError):
        return False


def row_faults(session: Session, sealed: Sealed, links: Links) -> Iterator[Fault]:
    """Rows against their seals."""
    try:
        yield from _rows(session, sealed, links)
    except UNREADABLE as error:
        key, why = first_unreadable(session, sealed.row, error)
        name = sealed.row.__tablename__
        yield Fault(_place_of(session, sealed, links, key), f"{name}: row {key} cannot be read ({why})")


def first_unreadable(session: Session, row: type[Base], error: Exception) -> tuple[Any, str]:
    """The primary key of the first row that cannot be read, and why; raises what was raised where all can."""
    table, key = _keyed(row)
    for one in session.scalars(select(key).order_by(key)).all():
        try:
            found = session.execute(select(table).where(key == one)).one()
            if table.name in SEALED:
                digest_of(row, dict(found._mapping))
        except UNREADABLE as wrong:
            return one, one_line(getattr(wrong, "orig", None) or wrong, 120)
    raise error


def _keyed(row: type[Base]) -> tuple[Table, Any]:
    table = row.__table__
    assert isinstance(table, Table)
    (key,) = table.primary_key.columns
    return table, key


def _place_of(session: Session, sealed: Sealed, links: Links, key: Any) -> int:
    """The last link that names a row; 0 where none does."""
    name = str(key)
    if sealed.key not in ("", "id"):
        table, own = _keyed(sealed.row)
        column = table.c[sealed.key]
        try:
            name = sealed.key_of({sealed.key: session.scalar(select(column).where(own == key))})
        except UNREADABLE:
            return 0
    elif sealed.key and "serial" in sealed.row.__table__.c:
        name = str(
            session.scalar(select(sealed.row.__table__.c.id).where(sealed.row.__table__.c.serial == key))
        )
    if links.altered.get(name):
        return links.altered[name][-1].place
    if sealed.key:
        return next((seal.place for seal in links.added if seal.key == name), 0)
    return next((seal.place for seal in links.added if (seal.first or 0) <= key <= (seal.last or 0)), 0)


def _rows(session: Session, sealed: Sealed, links: Links) -> Iterator[Fault]:
    """Rows against their seals."""
    name = sealed.row.__tablename__
    if sealed.key:
        yield from _by_key(session, sealed, links, name)
    else:
        yield from _by_serial(session, sealed, links, name)
    for ident, several in links.altered.items():
        for one, other in pairwise(several):
            if one.content != content_of(other.was):
                text = f"link {other.place} says that {name} {ident} was something else than link {one.place} left"
                yield Fault(other.place, text)


def _by_serial(session: Session, sealed: Sealed, links: Links, name: str) -> Iterator[Fault]:
    rows = iter(read(session, sealed.row))
    row = next(rows, None)
    for seal in sorted(links.added, key=lambda one: one.first or 0):
        digests, first, last = [], seal.first or 0, seal.last or 0
        whose = Whose(name)
        while row is not None and row["serial"] < first:
            yield _put_in(name, row)
            row = next(rows, None)
        while row is not None and row["serial"] <= last:
            said = yield from _as_added(sealed, links, name, row, str(row["serial"]))
            digests.append(said)
            whose.add(row)
            row = next(rows, None)
        which = f"row {first}" if first == last else f"rows {first} to {last}"
        yield from _held(seal, name, digests, which + whose.said())
    while row is not None:
        yield _put_in(name, row)
        row = next(rows, None)


def _put_in(name: str, row: dict[str, Any]) -> Fault:
    whose = Whose(name)
    whose.add(row)
    return Fault(0, f"{name}: row {row['serial']}{whose.said()} was put in: no link names it")


def _by_key(session: Session, sealed: Sealed, links: Links, name: str) -> Iterator[Fault]:
    seals = {seal.key: seal for seal in links.added}
    for key, rows in groupby(read(session, sealed.row), sealed.key_of):
        digests = []
        for row in rows:
            said = yield from _as_added(sealed, links, name, row, key)
            digests.append(said)
        seal = seals.pop(key, None)
        if seal is None:
            count = len(digests)
            said = "a row" if count == 1 else f"{count} rows"
            told = "was put in: no link names it" if count == 1 else "were put in: no link names them"
            yield Fault(0, f"{name}: {said} of {sealed.key} {key} {told}")
        else:
            yield from _held(seal, name, digests, f"{sealed.key} {key}")
    for key, seal in seals.items():
        yield from _held(seal, name, [], f"{sealed.key} {key}")


def _as_added(
    sealed: Sealed, links: Links, name: str, row: dict[str, Any], ident: str
) -> Generator[Fault, None, str]:
    """The digest that a row had when it was added; a fault if it is not what it was last altered to."""
    now = digest_of(sealed.row, row)
    altered = links.altered.get(ident)
    if not altered:
        return now
    if content_of(now) != altered[-1].content:
        whose = Whose(name)
        whose.add(row)
        text = f"{name} {ident}{whose.said()} is not as link {altered[-1].place} left it"
        yield Fault(altered[-1].place, text)
    return altered[0].was


def _held(seal: SealRow, name: str, digests: list[str], which: str) -> Iterator[Fault]:
    count = len(digests)
    if count != seal.rows:
        if seal.rows == 1 and not count:
            text = f"{name}: {which} is gone: link {seal.place} sealed it"
        else:
            there = f"there {'is' if count == 1 else 'are'} {count}"
            text = f"{name}: of {which} {there}, link {seal.place} sealed {seal.rows}"
        yield Fault(seal.place, text)
    elif content_of(*digests) != seal.content:
        what = "was altered" if seal.rows == 1 else "were altered or put into another order"
        them = "it" if seal.rows == 1 else "them"
        yield Fault(seal.place, f"{name}: {which} {what} since link {seal.place} sealed {them}")
