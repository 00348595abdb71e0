"""Table of evidence: which file was given for which case, by whom, and what was found in it. Never altered."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from database.tables import Base, Serial


class EvidenceRow(Base):
    """One file given for one case; the file itself lies in the store of evidence, under its sha256."""

    __tablename__ = "evidence"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    """Hash of case, kind, sha256 and `despite`: the same file for the same case and kind adds nothing twice. Given
    again where it counts no more, also of the event since which it does not."""
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    kind: Mapped[str]
    """As workflow.toml names it."""
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    media_type: Mapped[str]
    """Found from the bytes, whatever the name says."""
    given_by: Mapped[str]
    role: Mapped[str]
    at: Mapped[datetime]
    taken: Mapped[datetime | None]
    """What the photo says of itself (EXIF), as the four below."""
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    azimuth: Mapped[float | None]
    device: Mapped[str]
    checks: Mapped[list[Any]] = mapped_column(JSON)
    """{check, said: pass | fail | unknown, why}, as on the day it was given; `must` where unknown is no pass."""
    note: Mapped[str]
    despite: Mapped[str]
    """Why it counts although a check speaks against it; "" where nobody said so."""
