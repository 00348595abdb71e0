"""Database tables: scenes, pairs, changes, judgements, cases and their events; one model for SQLite and PostGIS."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Float, ForeignKey, Integer, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from database.geometry import LonLat

Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself in a column that says INTEGER, which has 64 bits there."""


class Utc(TypeDecorator[datetime]):
    """An aware time, kept as UTC without a zone, which every database can sort."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime: Utc, dict[str, Any]: JSON(none_as_null=True), list[Any]: JSON}


class SceneRow(Base):
    """One scene by the hash of its contents; `href` is its item or image on this machine."""

    __tablename__ = "scene"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str]
    sensor: Mapped[str]
    acquired: Mapped[datetime | None]
    gsd_m: Mapped[float]
    href: Mapped[str]
    west: Mapped[float]
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]


class PairRow(Base):
    """Two scenes compared; `made` is run.json as it was."""

    __tablename__ = "pair"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    before_scene: Mapped[str] = mapped_column(ForeignKey("scene.id"))
    after_scene: Mapped[str] = mapped_column(ForeignKey("scene.id"))
    made: Mapped[dict[str, Any]]


class ChangeRow(Base):
    """One polygon of change, with its box; found by box through `database.geometry.meets`."""

    __tablename__ = "change"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True)
    pair_id: Mapped[str] = mapped_column(String(16), index=True)
    before: Mapped[datetime | None]
    after: Mapped[datetime | None]
    change_class: Mapped[str] = mapped_column(index=True)
    probability: Mapped[float | None]
    ndvi_change: Mapped[float | None]
    area_m2: Mapped[float]
    width_m: Mapped[float]
    region: Mapped[str] = mapped_column(default="", index=True)
    geometry: Mapped[Any] = mapped_column(LonLat)
    west: Mapped[float] = mapped_column(Float)
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]
    judgement_id: Mapped[str | None] = mapped_column(String(16))
    """The latest judgement."""


class JudgementRow(Base):
    """What a rulebook said of a change, with all the facts it was shown. Never altered; a new one is added."""

    __tablename__ = "judgement"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    change_id: Mapped[str] = mapped_column(ForeignKey("change.id"), index=True)
    judged: Mapped[datetime]
    verdict: Mapped[str]
    rule_id: Mapped[str]
    basis: Mapped[str]
    rulebook: Mapped[str]
    facts: Mapped[dict[str, Any]]
    seen: Mapped[dict[str, Any]]
    missing: Mapped[dict[str, Any]]
    proof: Mapped[str]
    group: Mapped[str | None]
    """Of a suspected violation: industry, livelihood, transport…, as the rulebook groups them."""
    settles: Mapped[list[Any] | None]
    """Proofs that would settle a doubt, the cheapest first: {proof, text, minutes}."""
    layers: Mapped[dict[str, Any]]
    land: Mapped[dict[str, Any] | None]
    """The area ledger: m² of the change by land class."""
    why: Mapped[dict[str, Any] | None]
    """Why facts are unknown, see `cases.reasons`."""
    content: Mapped[str | None] = mapped_column(String(16))
    """Hash of what is said of which facts, which a later judgement may say again; None where the id is it."""
    judging_id: Mapped[str | None] = mapped_column(ForeignKey("judging.id"), index=True)
    """None for what was judged before judgings were kept."""


class CaseRow(Base):
    """One enforcement file. `held` is the evidence in hand; `version` counts its moves."""

    __tablename__ = "enforcement_case"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(24), unique=True)
    change_id: Mapped[str] = mapped_column(ForeignKey("change.id"), unique=True)
    judgement_id: Mapped[str] = mapped_column(ForeignKey("judgement.id"))
    status: Mapped[str] = mapped_column(index=True)
    opened: Mapped[datetime]
    held: Mapped[dict[str, Any]]
    version: Mapped[int]
    change: Mapped[ChangeRow] = relationship(lazy="joined", innerjoin=True)
    judgement: Mapped[JudgementRow] = relationship(lazy="joined", innerjoin=True)


class EventRow(Base):
    """One line of a case's history: added, never changed (the database refuses: see the migrations)."""

    __tablename__ = "event"
    __table_args__ = {"sqlite_autoincrement": True}
    serial: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("enforcement_case.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    actor: Mapped[str]
    role: Mapped[str]
    from_status: Mapped[str]
    to_status: Mapped[str]
    reason: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    recorded: Mapped[datetime | None]
    """When it was written down, by the clock; None for what is from before that was kept."""
    workflow: Mapped[str | None] = mapped_column(String(16))
    """Version of the workflow by which people moved it; None for any other line."""


class RulebookRow(Base):
    """A rulebook as it was when it first judged; its id is its version, the hash of all that it says."""

    __tablename__ = "rulebook"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    title: Mapped[str]
    jurisdiction: Mapped[str]
    effective_from: Mapped[date]
    known_from: Mapped[datetime]
    content: Mapped[dict[str, Any]]


class JudgingRow(Base):
    """One judging of many changes: as known when, by which rulebooks and layers, measured in which CRS."""

    __tablename__ = "judging"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    as_of: Mapped[datetime] = mapped_column(index=True)
    """The day of whose knowledge it made use."""
    made: Mapped[datetime]
    """When it was made, by the clock."""
    crs: Mapped[str]
    rulebooks: Mapped[list[Any]]
    """Versions of all rulebooks of the jurisdiction that were known, oldest first."""
    catalogue: Mapped[dict[str, Any]]
    """layers.toml as it was."""
    layers: Mapped[dict[str, Any]]
    """sha256 of every layer file, or the vintages of the registry."""
    versions: Mapped[dict[str, Any]]
    changes: Mapped[list[Any] | None]
    """Serials of the changes that it judged: [first, last], both included. None: those its judgements are of."""
