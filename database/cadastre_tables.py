"""Tables of the cadastre registry: vintages of layers and their features, each valid for days and known since a day."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from database.geometry import LonLat
from database.tables import Base, Serial


class VintageRow(Base):
    """One import of one layer: what it says, of which day, known since when. Never altered."""

    __tablename__ = "vintage"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    """Hash of the layer's name and description, the file and the days: the same import adds nothing twice."""
    layer: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    """register: all entries known on a day; map: the state of the land on a day; more: entries beside those known."""
    valid_from: Mapped[date | None]
    """The day whose state a map shows; None for registers, whose features have days of their own."""
    known_from: Mapped[datetime]
    imported: Mapped[datetime]
    description: Mapped[dict[str, Any]]
    """The layer's table in layers.toml, as it was."""
    source: Mapped[str]
    sha256: Mapped[dict[str, Any]]
    """Of every file it was read from."""
    crs: Mapped[str]
    """Of the file, as WKT."""
    covers: Mapped[Any | None] = mapped_column(LonLat)
    """Where it is complete; None is everywhere."""
    features: Mapped[int]
    report: Mapped[dict[str, Any]]
    """What the check found and mended."""


class FeatureRow(Base):
    """One feature of a vintage, in degrees of WGS 84. Never altered."""

    __tablename__ = "feature"
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    vintage: Mapped[int] = mapped_column(Serial, ForeignKey("vintage.serial"), index=True)
    row: Mapped[int]
    """Its place in the file, from 1."""
    number: Mapped[str | None]
    land_class: Mapped[str | None]
    attributes: Mapped[dict[str, Any] | None]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    known_from: Mapped[date | None]
    """The day its entry became known, where the file says it; else its vintage's."""
    geometry: Mapped[Any] = mapped_column(LonLat)
    original: Mapped[bytes | None] = mapped_column(LargeBinary)
    """WKB as delivered, in the CRS of the file, where it had to be repaired."""
