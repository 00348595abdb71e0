"""Whether the hash chain still holds: every link, every row it names, every row there is, every signed head."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from database.engine import open_database, transaction
from database.heads import Head, load_key, read_heads, sign, stored
from database.revisions import HEAD
from database.seal_tables import SealRow
from database.seals import SEALED, Sealed, content_of, digest_of, read, seal_digest
from database.tables import ChangeRow, JudgementRow
from ground.files import cannot_write


@dataclass(frozen=True)
class Fault:
    """What is wrong in a sentence; `place`: the link where it shows, 0 where no link names it."""

    place: int
    text: str


@dataclass
class _Links:
    """The seals of one table."""

    added: list[SealRow] = field(default_factory=list)
    altered: dict[str, list[SealRow]] = field(default_factory=lambda: defaultdict(list))
    """By serial or key, oldest first."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What was looked at, and what is wrong, the first broken link first."""

    links: int
    rows: int
    heads: int
    signed: str
    faults: list[Fault]


def audit(db: str, heads: Sequence[Path] = ()) -> Audited:
    """The chain of a database, with heads kept elsewhere.

    Raises:
        BadInput: no such database, or a file holds no heads.
    """
    kept = [head for path in heads for head in read_heads(path)]
    with transaction(open_database(db, create=False), writes=False) as session:
        return look(session, kept)


def sign_head(db: str, key: Path, out: Path | None) -> Head | None:
    """Signs the end of the chain, and adds the head to a file.

    Raises:
        BadInput: no such database or key; the file cannot be written.
    """
    private = load_key(key)
    with transaction(open_database(db, create=False), writes=True) as session:
        head = sign(session, private, {"revision": HEAD})
        if head and out:
            try:
                with out.open("a", encoding="utf-8") as file:
                    file.write(head.line() + "\n")
            except OSError as error:
                raise cannot_write(out, error) from error
    return head


def look(session: Session, heads: Sequence[Head] = ()) -> Audited:
    """All that there is to say of the chain; `heads` were kept outside of this database."""
    seals = list(session.scalars(select(SealRow).order_by(SealRow.place)))
    here = list(stored(session))
    all_heads = [*here, *(head for head in heads if head not in here)]
    found = [*_chain(seals), *_heads(seals, all_heads), *_missing(here, heads)]
    links: dict[str, _Links] = defaultdict(_Links)
    for seal in seals:
        if seal.was:
            links[seal.what].altered[str(seal.first) if seal.first is not None else seal.key].append(seal)
        else:
            links[seal.what].added.append(seal)
    for name in links.keys() - SEALED.keys():
        found += [
            Fault(seal.place, f"link {seal.place} names a table {name!r}") for seal in links[name].added
        ]
    for name, sealed in SEALED.items():
        found += _rows(session, sealed, links[name])
    found += _latest(session)
    return Audited(
        links=len(seals),
        rows=sum(seal.rows for seal in seals),
        heads=len(all_heads),
        signed=_when(max(head.at for head in all_heads)) if all_heads else "",
        faults=sorted(found, key=lambda fault: fault.place or len(seals) + 1),
    )


def _chain(seals: list[SealRow]) -> Iterator[Fault]:
    previous, place = None, 0
    for seal in seals:
        place += 1
        if seal.place != place:
            yield Fault(place, f"link {place} is gone: after {place - 1} comes {seal.place}")
            place = seal.place
        elif seal.previous != previous:
            yield Fault(place, f"link {place} does not follow link {place - 1}")
        if seal_digest(seal) != seal.digest:
            yield Fault(place, f"link {place} was altered")
        previous = seal.digest


def _heads(seals: list[SealRow], heads: Sequence[Head]) -> Iterator[Fault]:
    at = {seal.place: seal.digest for seal in seals}
    for head in heads:
        if not head.is_genuine:
            yield Fault(head.place, f"the head signed at {_when(head.at)} does not bear its signature")
        elif head.place not in at:
            gone = f"the chain was cut off: {_when(head.at)} link {head.place} was signed, now it ends at {len(seals)}"
            yield Fault(min(head.place, len(seals) + 1), gone)
        elif at[head.place] != head.digest:
            yield Fault(head.place, f"link {head.place} is not the one that was signed {_when(head.at)}")


def _missing(here: Sequence[Head], heads: Sequence[Head]) -> Iterator[Fault]:
    for head in heads:
        if head not in here:
            yield Fault(head.place, f"the head signed at {_when(head.at)} is no longer in the database")


def _rows(session: Session, sealed: Sealed, links: _Links) -> Iterator[Fault]:
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


def _by_serial(session: Session, sealed: Sealed, links: _Links, name: str) -> Iterator[Fault]:
    rows = iter(read(session, sealed.row))
    row = next(rows, None)
    for seal in sorted(links.added, key=lambda one: one.first or 0):
        digests, first, last = [], seal.first or 0, seal.last or 0
        while row is not None and row["serial"] < first:
            yield Fault(0, f"{name}: row {row['serial']} was put in: no link names it")
            row = next(rows, None)
        while row is not None and row["serial"] <= last:
            said = yield from _as_added(sealed, links, name, row, str(row["serial"]))
            digests.append(said)
            row = next(rows, None)
        yield from _held(seal, name, digests, f"rows {first} to {last}")
    while row is not None:
        yield Fault(0, f"{name}: row {row['serial']} was put in: no link names it")
        row = next(rows, None)


def _by_key(session: Session, sealed: Sealed, links: _Links, name: str) -> Iterator[Fault]:
    seals = {seal.key: seal for seal in links.added}
    for key, rows in groupby(read(session, sealed.row), sealed.key_of):
        digests = []
        for row in rows:
            said = yield from _as_added(sealed, links, name, row, key)
            digests.append(said)
        seal = seals.pop(key, None)
        if seal is None:
            yield Fault(
                0, f"{name}: {len(digests)} rows of {sealed.key} {key} were put in: no link names them"
            )
        else:
            yield from _held(seal, name, digests, f"{sealed.key} {key}")
    for key, seal in seals.items():
        yield from _held(seal, name, [], f"{sealed.key} {key}")


def _as_added(
    sealed: Sealed, links: _Links, name: str, row: dict[str, Any], ident: str
) -> Generator[Fault, None, str]:
    """The digest that a row had when it was added; a fault if it is not what it was last altered to."""
    now = digest_of(sealed.row, row)
    altered = links.altered.get(ident)
    if not altered:
        return now
    if content_of(now) != altered[-1].content:
        yield Fault(altered[-1].place, f"{name} {ident} is not as link {altered[-1].place} left it")
    return altered[0].was


def _held(seal: SealRow, name: str, digests: list[str], which: str) -> Iterator[Fault]:
    if len(digests) != seal.rows:
        text = f"{name}: {which} are {len(digests)}, link {seal.place} sealed {seal.rows}"
        yield Fault(seal.place, text)
    elif content_of(*digests) != seal.content:
        what = "was altered" if seal.rows == 1 else "were altered or put into another order"
        yield Fault(seal.place, f"{name}: {which} {what} since link {seal.place} sealed them")


def _latest(session: Session) -> Iterator[Fault]:
    """Changes that do not point to the last judgement on them: the one column that no seal holds."""
    last, newer = aliased(JudgementRow), aliased(JudgementRow)
    query = (
        select(ChangeRow.serial)
        .outerjoin(last, (last.id == ChangeRow.judgement_id) & (last.change_id == ChangeRow.id))
        .where(
            (last.id.is_(None) & ChangeRow.judgement_id.is_not(None))
            | (last.id.is_(None) & exists().where(newer.change_id == ChangeRow.id))
            | exists().where((newer.change_id == ChangeRow.id) & (newer.judged > last.judged))
        )
    )
    for serial in session.scalars(query):
        yield Fault(0, f"change: row {serial} does not point to the last judgement on it")


def _when(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
