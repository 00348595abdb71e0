"""The hash chain: what is added or altered is sealed in its own transaction, and what was sealed is found again.

A seal names rows and holds the digest of
the seal before it: nothing can be altered, taken out, put in or put elsewhere without a seal that no longer fits.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from database import bulk
from database.cadastre_tables import FeatureRow, VintageRow
from database.clock_tables import NoticeRow, TickRow
from database.digests import ENCODER, digests_of, plain
from database.engine import alone
from database.evidence_tables import EvidenceRow
from database.numbering_tables import LineageRow, NumberRow
from database.seal_tables import SealRow
from database.spot_tables import LookRow, SightingRow
from database.tables import (
    Base,
    CaseRow,
    ChangeRow,
    EventRow,
    JudgementRow,
    JudgingRow,
    PairRow,
    RulebookRow,
    SceneRow,
)


@dataclass(frozen=True)
class Sealed:
    """How rows of a table are named in a seal: by their serials, or by what stands in the column `key`.

    `leaves_out`: columns that follow from other rows.
    """

    row: type[Base]
    key: str = ""
    leaves_out: frozenset[str] = field(default=frozenset())
    altered: bool = False
    """Whether rows may be altered; of all others a link that says so is a forgery."""
    since: str = "0004"
    """The revision that brought the table into the chain."""

    def key_of(self, row: dict[str, Any]) -> str:
        """What a seal calls a row by; "" where it goes by serials."""
        return _text(row[self.key]) if self.key else ""


SEALED = {
    each.row.__tablename__: each
    for each in (
        Sealed(SceneRow, "id", altered=True),
        Sealed(PairRow, "id", altered=True),
        Sealed(ChangeRow, leaves_out=frozenset({"judgement_id"}), altered=True),
        Sealed(JudgementRow, "judged"),
        Sealed(CaseRow, altered=True),
        Sealed(EventRow),
        Sealed(EvidenceRow, since="0006"),
        Sealed(RulebookRow, "id"),
        Sealed(JudgingRow, "id"),
        Sealed(VintageRow, "id"),
        Sealed(FeatureRow, "vintage"),
        Sealed(SightingRow, since="0007"),
        Sealed(LookRow, since="0007"),
        Sealed(TickRow, since="0008"),
        Sealed(NoticeRow, since="0008"),
        Sealed(NumberRow, since="0009"),
        Sealed(LineageRow, since="0009"),
    )
}
"""Every table that the chain watches."""
NO_DIGEST = ""
FEW = 1000
"""Rows for which no thread is begun."""
FIELDS = ("place", "at", "what", "first", "last", "key", "was", "rows", "content", "previous")
"""What the digest of a seal is made of."""


def digest_of(row: type[Base], values: dict[str, Any]) -> str:
    """The digest of a row (see `digests_of`)."""
    return digests_of(row, [values], SEALED[row.__tablename__].leaves_out)[0]


def content_of(*digests: str) -> str:
    """What a seal holds of rows: the sha256 over their digests."""
    return hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest()


def add(session: Session, row: type[Base], rows: Sequence[dict[str, Any]], key: Any = "") -> None:
    """Adds rows and seals them, in their order; `key` is what all of them bear in their key column."""
    if len(rows) < FEW:
        bulk.add(session, row, rows)
        added(session, row, rows, key)
        return
    # The drivers wait outside of Python's lock for the database: digests are made meanwhile.
    with ThreadPoolExecutor(1) as pool:
        content = pool.submit(_content, row, rows)
        bulk.add(session, row, rows)
        _seal(session, row, len(rows), key, content.result())


def added(session: Session, row: type[Base], rows: Sequence[dict[str, Any]], key: Any = "") -> None:
    """Seals rows just added by `bulk.add`, in their order."""
    if rows:
        _seal(session, row, len(rows), key, _content(row, rows))


def _content(row: type[Base], rows: Sequence[dict[str, Any]]) -> str:
    sealed = SEALED[row.__tablename__]
    return content_of(*digests_of(row, _in_order(sealed, rows), sealed.leaves_out))


def _seal(session: Session, row: type[Base], count: int, key: Any, content: str) -> None:
    first = last = None
    if not SEALED[row.__tablename__].key:
        serial = row.__table__.c.serial
        new = select(serial).order_by(serial.desc()).limit(count).subquery()
        first, last = session.execute(select(func.min(new.c.serial), func.max(new.c.serial))).one()
    _append(session, [_link(row, first, last, _text(key), NO_DIGEST, count, content)])


def found(session: Session, row: type[Base], name: str) -> None:
    """Seals a row as it stands in the database, under its id."""
    added(session, row, list(read(session, row, row.__table__.c.id == name)), name)


class Pile:
    """Rows that come by and by under one key; sealed when all of them are in."""

    def __init__(self, row: type[Base], key: Any) -> None:
        self.row, self.key, self.rows, self._total = row, key, 0, hashlib.sha256()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """More rows, in the order in which they are added."""
        digests = digests_of(self.row, rows, SEALED[self.row.__tablename__].leaves_out)
        self._total.update(bytes.fromhex("".join(digests)))
        self.rows += len(rows)

    def seal(self, session: Session, first: int | None = None, last: int | None = None) -> None:
        """Seals them; a pile of none is sealed too."""
        content = self._total.hexdigest()
        _append(session, [_link(self.row, first, last, _text(self.key), NO_DIGEST, self.rows, content)])


@contextmanager
def altering(session: Session, row: type[Base], ids: Iterable[str]) -> Iterator[None]:
    """Seals every row of these ids that the block alters or adds."""
    names = list(dict.fromkeys(ids))
    before = _digests(session, row, names)
    yield
    session.flush()
    links = []
    for name, (serial, now) in _digests(session, row, names).items():
        was = before[name][1] if name in before else NO_DIGEST
        if was != now:
            key = name if SEALED[row.__tablename__].key else ""
            links.append(_link(row, serial, serial, key, was, 0 if was else 1, content_of(now)))
    _append(session, links)


def seal_digest(seal: Any) -> str:
    """The digest that a SealRow must have."""
    return _digest_of_link({name: getattr(seal, name) for name in FIELDS})


def _digest_of_link(link: dict[str, Any]) -> str:
    return hashlib.sha256(ENCODER.encode([link[name] for name in FIELDS]).encode()).hexdigest()


def seal_all(session: Session, since: str) -> None:
    """Seals every row, as it stands, of the tables that came into the chain after a revision."""
    for sealed in (each for each in SEALED.values() if each.since > since):
        for key, rows in groupby(read(session, sealed.row), sealed.key_of):
            pile, first, last = Pile(sealed.row, key), None, None
            for row in rows:
                last = row.get("serial")
                first = first or last
                pile.add([row])
            named = (None, None) if sealed.key else (first, last)
            pile.seal(session, *named)


def last_seal(session: Session) -> SealRow | None:
    """The end of the chain."""
    return session.scalar(select(SealRow).order_by(SealRow.place.desc()).limit(1))


def read(session: Session, row: type[Base], *wanted: Any) -> Iterator[dict[str, Any]]:
    """Rows as plain data, in the order in which they are sealed; a county's at a time."""
    sealed, table = SEALED[row.__tablename__], row.__table__
    order = [table.c[name] for name in _order(sealed)]
    query: Select[Any] = select(table).where(*wanted).order_by(*order).execution_options(yield_per=5000)
    for each in session.execute(query):
        yield dict(each._mapping)


def _order(sealed: Sealed) -> tuple[str, ...]:
    if not sealed.key:
        return ("serial",)
    return (sealed.key, "serial" if "serial" in sealed.row.__table__.c else "id")


def _in_order(sealed: Sealed, rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Rows without serials are sealed in the order of their ids, in which they are found again."""
    if not sealed.key or "serial" in sealed.row.__table__.c:
        return rows
    return sorted(rows, key=lambda each: str(each["id"]))


def _digests(session: Session, row: type[Base], ids: list[str]) -> dict[str, tuple[int | None, str]]:
    found = read(session, row, bulk.among(session, row.__table__.c.id, ids))
    has_serial = not SEALED[row.__tablename__].key
    return {each["id"]: (each["serial"] if has_serial else None, digest_of(row, each)) for each in found}


def _link(
    row: type[Base], first: int | None, last: int | None, key: str, was: str, rows: int, content: str
) -> dict[str, Any]:
    names = {"what": row.__tablename__, "first": first, "last": last, "key": key}
    return names | {"was": was, "rows": rows, "content": content}


def _append(session: Session, links: list[dict[str, Any]]) -> None:
    if not links:
        return
    alone(session)
    end = last_seal(session)
    place, previous = (end.place, end.digest) if end else (0, None)
    at, rows = datetime.now(UTC), []
    for link in links:
        place += 1
        row = {"place": place, "at": at, **link, "previous": previous}
        previous = _digest_of_link(row)
        rows.append(row | {"digest": previous})
    bulk.add(session, SealRow, rows)


def _text(key: Any) -> str:
    return plain(key) if isinstance(key, datetime) else str(key)
