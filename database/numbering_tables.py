"""Tables of official numbers of cases, and of which case was cut into or joined to which. Never altered."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from database.tables import Base, Serial


class NumberRow(Base):
    """监测图斑编号 of a case: a number is given once, and a case gets one."""

    __tablename__ = "case_number"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    number: Mapped[str] = mapped_column(String(64), unique=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), unique=True)
    county: Mapped[str] = mapped_column(String(6))
    batch: Mapped[str] = mapped_column(String(8))
    year: Mapped[int]
    place: Mapped[int]
    """The serial inside county, batch and year; of a part that of what it was cut from."""
    suffix: Mapped[str]
    """_1 of the first part, _1_2 of its second; "" of a whole."""
    at: Mapped[datetime]


class LineageRow(Base):
    """A case that ended because others took its place, and one of these."""

    __tablename__ = "lineage"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    kind: Mapped[str]
    """split or merged: the status at which `from_case` ended."""
    from_case: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    to_case: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    place: Mapped[int]
    """Which part of a split, which part of a merged case: from 1."""
    at: Mapped[datetime]
