"""Tables of clocks: when they were looked at, and what was said of each then. Never altered."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from database.tables import Base, Serial


class TickRow(Base):
    """One look at all clocks. `at`: the moment of which it told; the next one may not be of an earlier one."""

    __tablename__ = "tick"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    event: Mapped[int] = mapped_column(Serial)
    """Serial of the last event that it took into account."""
    notices: Mapped[int]
    """How many it added."""
    rules: Mapped[str] = mapped_column(String(64))
    """sha256 of the clocks.toml."""


class NoticeRow(Base):
    """What was due to be said of one running of a clock: a reminder, a warning, a lifting, a suspension. Said once."""

    __tablename__ = "notice"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    """Hash of case, clock, start, step and deadline: telling it again adds nothing."""
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    clock: Mapped[str]
    started: Mapped[datetime]
    step: Mapped[str]
    """reminded, warned, lifted:LEVEL or suspended:EVENT."""
    level: Mapped[str]
    """city or province, to whom it was lifted; "" of the others."""
    due: Mapped[date | None]
    """The last day of the clock, as known then."""
    at: Mapped[datetime]
    """Since when it was due to be said."""
    recorded: Mapped[datetime]
    """The tick that said it."""
