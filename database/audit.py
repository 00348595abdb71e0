"""Whether the hash chain still holds: every link, every row it names, every row there is, every signed head."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from database import guards
from database.audit_derived import derived_faults
from database.audit_history import history_faults
from database.audit_rows import UNREADABLE, Fault, by_table, first_unreadable, row_faults
from database.engine import engine_of, open_database, transaction
from database.heads import Head, check_key, load_key, newest_of, read_heads, sign, stored
from database.revisions import HEAD
from database.seal_tables import HeadRow, SealRow
from database.seals import SEALED, seal_digest
from ground.errors import one_line
from ground.files import cannot_write


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What was looked at, and what is wrong, the first broken link first."""

    links: int
    rows: int
    heads: int
    signed: str
    faults: list[Fault]
    is_readable: bool = True
    """Whether the database could be read as far as its chain."""


def audit(db: str, heads: Sequence[Path] = (), key: str = "") -> Audited:
    """The chain of a database, with heads kept elsewhere; `key`: the public key of which a head must be there.

    Raises:
        BadInput: no such database, a file holds no heads, or the key is none.
    """
    if key:
        check_key(key)
    kept = [head for path in heads for head in read_heads(path)]
    engine = engine_of(db)
    broken = guards.damage(engine)
    engine.dispose()
    if broken:
        return _unusable(broken)
    with transaction(open_database(db, create=False), writes=False) as session:
        try:
            guarded = [Fault(0, text) for text in guards.guard_faults(session)]
            told = look(session, kept, key)
        except UNREADABLE as error:
            if not guards.is_damage(error):
                raise
            why = one_line(getattr(error, "orig", None) or error, 120)
            return _unusable([f"the database cannot be read ({why})"])
    return replace(told, faults=[*told.faults, *guarded])


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The newest head of a key, if there is any; whether it was signed just now, and added to the file just now."""

    head: Head | None
    is_new: bool
    is_added: bool


def sign_head(db: str, key: Path, out: Path | None) -> Head | None:
    """Signs the end of the chain, and adds the head to a file; where nothing is new, the newest of this key.

    Raises:
        BadInput: no such database or key; the file cannot be written.
    """
    done = sign_and_keep(db, key, out)
    return done.head if done.is_new else None


def sign_and_keep(db: str, key: Path, out: Path | None) -> Signed:
    """The same, telling what was done.

    The head is in the database first: one that stood in the file alone, for somebody was killed between the two, would
    be missed in the database for ever. What the file lacks the next signing adds.

    Raises:
        BadInput: no such database or key; the file holds something else than heads, or cannot be written.
    """
    private = load_key(key)
    if out and out.exists() and (not out.is_file() or out.stat().st_size):
        read_heads(out)
    with transaction(open_database(db, create=False), writes=True) as session:
        head = sign(session, private, {"revision": HEAD})
        kept, is_added = head or newest_of(session, private), False
    if kept and out:
        try:
            is_added = _keep(kept, out)
        except OSError as error:
            raise cannot_write(out, error) from error
    return Signed(head=kept, is_new=head is not None, is_added=is_added)


def _keep(head: Head, out: Path) -> bool:
    """Adds a head to a file; False where the file holds it."""
    if out.exists() and head.line() in out.read_text(encoding="utf-8", errors="replace").splitlines():
        return False
    with out.open("a", encoding="utf-8") as file:
        file.write(head.line() + "\n")
    return True


def look(session: Session, heads: Sequence[Head] = (), key: str = "") -> Audited:
    """All that there is to say of the chain; `heads` were kept outside of this database, `key` is who must have signed.

    Heads of other keys are held against the chain, but do not count.
    """
    try:
        seals = list(session.scalars(select(SealRow).order_by(SealRow.place)))
    except UNREADABLE as error:
        return _unreadable(*first_unreadable(session, SealRow, error))
    here, found = _stored(session)
    all_heads = [*here, *(head for head in heads if head not in here)]
    found += [*_chain(seals), *_heads(seals, all_heads), *_missing(here, heads)]
    counted = [head for head in all_heads if head.key == key.lower()] if key else all_heads
    if key and not counted:
        found.append(Fault(0, f"no head is of key {key}: nothing shows that the chain was not made anew"))
    links, forged = by_table(seals)
    found += forged
    for name, sealed in SEALED.items():
        found += row_faults(session, sealed, links[name])
    found += derived_faults(session, seals)
    found += _as_far(history_faults(session, seals))
    return Audited(
        links=len(seals),
        rows=sum(seal.rows for seal in seals if isinstance(seal.rows, int)),
        heads=len(counted),
        signed=_when(max(head.at for head in counted)) if counted else "",
        faults=sorted(found, key=lambda fault: fault.place or len(seals) + 1),
    )


def _as_far(found: Iterator[Fault]) -> Iterator[Fault]:
    """Faults until something cannot be read, which is told where rows are held against their seals."""
    try:
        yield from found
    except UNREADABLE:
        return


def _unusable(why: Sequence[str]) -> Audited:
    """A database in which no chain can be looked for."""
    faults = [Fault(0, text) for text in why]
    return Audited(links=0, rows=0, heads=0, signed="", faults=faults, is_readable=False)


def _unreadable(place: int, why: str) -> Audited:
    """A chain that cannot be followed beyond a link."""
    fault = Fault(place, f"link {place} cannot be read ({why})")
    return Audited(links=0, rows=0, heads=0, signed="", faults=[fault])


def _stored(session: Session) -> tuple[list[Head], list[Fault]]:
    """The heads in the database; a fault where one cannot be read."""
    try:
        return list(stored(session)), []
    except UNREADABLE as error:
        serial, why = first_unreadable(session, HeadRow, error)
        return [], [Fault(0, f"head: row {serial} cannot be read ({why})")]


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
            place = head.place if isinstance(head.place, int) else 0
            yield Fault(place, f"the head signed at {_when(head.at)} does not bear its signature")
        elif head.place not in at:
            gone = f"the chain was cut off: {_when(head.at)} link {head.place} was signed, now it ends at {len(seals)}"
            yield Fault(min(head.place, len(seals) + 1), gone)
        elif at[head.place] != head.digest:
            yield Fault(head.place, f"link {head.place} is not the one that was signed {_when(head.at)}")


def _missing(here: Sequence[Head], heads: Sequence[Head]) -> Iterator[Fault]:
    for head in heads:
        if head not in here:
            yield Fault(head.place, f"the head signed at {_when(head.at)} is no longer in the database")


def _when(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
