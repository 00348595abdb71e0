"""What spots.toml says: when two outlines are one place, when a verdict carries over, what watches over the closed."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pydantic import Field, model_validator

from ground.tables import Strict, load_toml, parse

SPOTS_TOML = Path(__file__).with_name("spots.toml")
REPORTED = "reported"
"""The change class of the small outline that stands for a report: somebody said so, no detector saw it."""

Share = Field(gt=0, le=1)


class Join(Strict):
    """When two outlines are one place."""

    min_share_of_smaller: float = Share
    min_iou: float = Share
    min_inside: float = Share
    most_times_larger: float = Field(ge=1)


class Reports(Strict):
    """How near a report must be, and who reports."""

    near_m: float = Field(ge=0)
    most_accuracy_m: float = Field(gt=0)
    least_radius_m: float = Field(gt=0)
    holds_days: int = Field(ge=0)
    sources: dict[str, str] = Field(min_length=1)


class Verdict(Strict):
    """What a person's verdict vouches for."""

    documents: bool
    after_verdict: bool
    holds_days: int | None = Field(default=None, ge=0)


class Carry(Strict):
    """When a person's verdict holds for what is seen later."""

    tolerance_m: float = Field(ge=0)
    max_grown_m2: float = Field(ge=0)
    max_grown_share: float = Field(ge=0)
    documents: list[str]
    vaguer: dict[str, list[str]]
    verdicts: dict[str, Verdict]


class NoExcuse(Strict):
    """Facts of a change's own size: what a rule explains by them alone is not explained over restored ground."""

    facts: list[str]
    source: str = Field(min_length=1)


class Watch(Strict):
    """Which cases are watched for a rebound, and how closely."""

    rebound: list[str]
    restored: list[str]
    harmless: list[str]
    no_excuse: NoExcuse | None = None
    min_share: float = Share
    min_m2: float = Field(gt=0)
    min_seen: float = Share


class Policy(Strict):
    """One edition of all thresholds."""

    effective_from: date
    source: str = Field(min_length=1)
    join: Join
    reports: Reports
    carry: Carry
    watch: Watch

    @model_validator(mode="after")
    def _is_sound(self) -> "Policy":
        if both := set(self.watch.rebound) & set(self.carry.verdicts):
            raise ValueError(f"{min(both)!r} is watched for a rebound; it may not carry over as well")
        if beyond := set(self.watch.restored) - set(self.watch.rebound):
            raise ValueError(f"watch.restored names {min(beyond)!r}, which watch.rebound does not")
        return self

    def is_excused(self, status: str, seen: Iterable[str]) -> bool:
        """Whether a verdict that needs nobody explains a change over a case; `seen`: the facts it looked at."""
        if self.watch.no_excuse is None or status not in self.watch.restored:
            return True
        return not set(seen) <= set(self.watch.no_excuse.facts)

    @property
    def watched(self) -> set[str]:
        """Every status that later change maps are held against."""
        return {*self.watch.rebound, *self.carry.verdicts}


class Editions(Strict):
    """All editions of spots.toml."""

    edition: list[Policy] = Field(min_length=1)


def load_policy(day: date, path: Path = SPOTS_TOML) -> Policy:
    """The edition that holds on a day, the last that is effective; the first of all for a day before it.

    Raises:
        BadInput: a typo with file and key.
    """
    editions: Editions = parse(Editions, load_toml(path), path)
    ordered = sorted(editions.edition, key=lambda each: each.effective_from)
    return next((each for each in reversed(ordered) if each.effective_from <= day), ordered[0])
