"""Tables of spots: what was seen or reported of the place of a case, and how later change maps looked at it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from database.geometry import LonLat
from database.tables import Base, Serial


class SightingRow(Base):
    """A change or a report that joined the spot of a case, and what came of it. Never altered.

    The change that opened a case has none: the case itself tells of it.
    """

    __tablename__ = "sighting"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    """Hash of what was seen or said: telling it again adds nothing."""
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    change_id: Mapped[str | None] = mapped_column(ForeignKey("change.id"), index=True)
    """None for a report that joined a case which was there."""
    source: Mapped[str]
    at: Mapped[datetime | None]
    """When it was seen: the later scene's day, or what the report says."""
    recorded: Mapped[datetime]
    version: Mapped[int]
    """Of the case at that moment: what was known before the case came to where it is has a smaller one."""
    outcome: Mapped[str]
    """joined, carried, new_look, rebound, noted: of no need for a person; opened: a report did."""
    place: Mapped[Any | None] = mapped_column(LonLat)
    """The point of a report; a change has its outline."""
    accuracy_m: Mapped[float | None]
    who: Mapped[str]
    photo: Mapped[str]
    note: Mapped[str]
    why: Mapped[str]
    """Why it joined this one, and of which others it could have been."""


class LookRow(Base):
    """A later change map over a spot under watch: what it showed, or that it did not see the ground. Never altered."""

    __tablename__ = "look"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    pair_id: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime | None]
    recorded: Mapped[datetime]
    outcome: Mapped[str]
    """rebound, new_look, carried, changed, unchanged, unseen, unknown."""
    seen: Mapped[float | None]
    """Share of the spot's outline that both scenes show; None where nobody said."""
    why: Mapped[str]
