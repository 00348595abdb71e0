"""Tables of the hash chain: a seal for everything that is written, and heads of the chain signed from time to time."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from database.tables import Base, Serial


class SealRow(Base):
    """One link: rows that were added together, or one row that was altered. Never altered itself.

    Added rows lie between the serials `first` and `last`, or bear `key`; of an altered row `was` is its digest before.
    `content` is the sha256 over the digests of the rows. Two links cannot follow one: `previous` is unique.
    """

    __tablename__ = "seal"
    place: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=False)
    """From 1, without gaps."""
    at: Mapped[datetime]
    what: Mapped[str]
    """The table."""
    first: Mapped[int | None] = mapped_column(Serial)
    last: Mapped[int | None] = mapped_column(Serial)
    key: Mapped[str]
    was: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    content: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str | None] = mapped_column(String(64), ForeignKey("seal.digest"), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)


class HeadRow(Base):
    """The end of the chain as somebody signed it; copies kept elsewhere show what was cut off here."""

    __tablename__ = "head"
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    place: Mapped[int] = mapped_column(Serial)
    digest: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64))
    """The public key, Ed25519, in hexadecimal digits."""
    signature: Mapped[str] = mapped_column(String(128))
    made: Mapped[dict[str, Any]]
    """Versions of what signed it."""
