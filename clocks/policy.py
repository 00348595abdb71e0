"""What clocks.toml says: which clocks there are, what starts and stops each, how long it may run."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from clocks.calendar import calendar_of
from ground.errors import BadInput
from ground.tables import Strict, load_toml, parse

CLOCKS_TOML = Path(__file__).with_name("clocks.toml")
LEVELS = ("city", "province")
"""To whom a case is lifted, the nearest first."""
IMAGERY = "imagery"
"""Where the road of a case begins: the later scene, at the time at which it was taken. No status."""
COUNTED = {"working_days", "days", "months"}


class Title(Strict):
    """What a clock is called."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Extension(Strict):
    """What moves the deadline on, by how many of the clock's units."""

    evidence: str
    count: int = Field(gt=0)


class Rule(Strict):
    """One clock."""

    id: str = Field(pattern="^[a-z][a-z0-9_]*$")
    title: Title
    source: str = Field(min_length=1)
    kind: Literal["deadline", "wait", "record"] = "deadline"
    start: list[str] = Field(min_length=1)
    stop: list[str] = Field(min_length=1)
    unit: Literal["working_days", "days", "months", "same_day", "month_end"]
    count: int = Field(default=0, ge=0, le=3660)
    rolls: bool = False
    remind: int | None = Field(default=None, gt=0)
    lift: dict[Literal["city", "province"], int] = {}
    extension: Extension | None = None
    until: str | None = None
    """Kind of evidence, a day: it is the deadline, whatever the unit says."""

    @model_validator(mode="after")
    def _is_sound(self) -> "Rule":
        if (self.unit in COUNTED) != (self.count > 0):
            raise ValueError(
                f"count must be {'above 0' if self.unit in COUNTED else 'absent'} for {self.unit}"
            )
        if both := set(self.start) & set(self.stop):
            raise ValueError(f"{min(both)!r} both starts and stops it; it would never run")
        if any(days < 1 for days in self.lift.values()):
            raise ValueError("lift must be days after the deadline, above 0")
        if self.lift.get("city", 0) > self.lift.get("province", 10**6):
            raise ValueError("lift: the province may not hear of it before the city")
        if self.kind == "wait" and (self.lift or self.remind):
            raise ValueError("a wait is somebody else's time: it has neither remind nor lift")
        if self.kind == "record" and (self.lift or self.remind):
            raise ValueError("a record is only looked up afterwards: it has neither remind nor lift")
        if IMAGERY in self.start and self.kind != "record":
            raise ValueError(f'what starts at {IMAGERY!r} is over when the case opens: write kind = "record"')
        return self


class Edition(Strict):
    """All clocks that start from a day on."""

    effective_from: date
    country: str
    time_zone: str
    ended: list[str] = []
    disasters: str | None = None
    clock: list[Rule] = Field(min_length=1)

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no time zone; write one like Asia/Shanghai") from error
        return name

    @model_validator(mode="after")
    def _has_each_once(self) -> "Edition":
        ids = [rule.id for rule in self.clock]
        if twice := {each for each in ids if ids.count(each) > 1}:
            raise ValueError(f"clock {min(twice)!r} is there twice; give each an id of its own")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where the county's days begin and end."""
        return ZoneInfo(self.time_zone)


class Clocks(Strict):
    """All editions, as written."""

    edition: list[Edition] = Field(min_length=1)

    @model_validator(mode="after")
    def _begin_apart(self) -> "Clocks":
        days = [each.effective_from for each in self.edition]
        if twice := {day for day in days if days.count(day) > 1}:
            raise ValueError(f"two editions are effective from {min(twice)}; give each a day of its own")
        return self

    def on(self, day: date) -> Edition:
        """The edition for what starts on a day: the last that is effective, or the first one for what began before."""
        place = bisect_right(self._ordered, day, key=lambda each: each.effective_from)
        return self._ordered[max(place - 1, 0)]

    @cached_property
    def _ordered(self) -> list[Edition]:
        return sorted(self.edition, key=lambda each: each.effective_from)

    @property
    def kinds(self) -> set[str]:
        """Every kind of evidence that a clock asks for."""
        rules = [rule for edition in self.edition for rule in edition.clock]
        extensions = {rule.extension.evidence for rule in rules if rule.extension}
        return extensions | {rule.until for rule in rules if rule.until}


@cache
def load_clocks(path: Path = CLOCKS_TOML) -> Clocks:
    """All editions of clocks.toml.

    Raises:
        BadInput: a typo, with file and key.
    """
    clocks: Clocks = parse(Clocks, load_toml(path), path)
    return clocks


def ids_of(clocks: Clocks) -> tuple[str, ...]:
    """The ids of all clocks, in the order of the file."""
    return tuple(dict.fromkeys(rule.id for edition in clocks.edition for rule in edition.clock))


def check(clocks: Clocks, statuses: Iterable[str], evidence: Iterable[str], path: Path = CLOCKS_TOML) -> None:
    """Nothing, if the workflow knows every status and kind of evidence, and the library every country.

    Raises:
        BadInput: naming the clock and the word, with those that are known; or a clock that would never start.
    """
    known, kinds = set(statuses), set(evidence)
    for edition in clocks.edition:
        calendar_of(edition.country)
        _are_known(f"{path}: ended", edition.ended, known)
        for rule in edition.clock:
            _are_known(f"{path}: clock {rule.id!r}", (*rule.start, *rule.stop), {*known, IMAGERY})
            if set(rule.start) <= set(edition.ended):
                raise BadInput(
                    f"{path}: clock {rule.id!r} would never run: its start, {', '.join(rule.start)}, "
                    "is in ended; start it at a status on the road of a case"
                )
    if wrong := clocks.kinds - kinds:
        raise BadInput(
            f"{path}: {min(wrong)!r} is no evidence of the workflow; use one of {', '.join(sorted(kinds))}"
        )


def _are_known(where: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise BadInput(
                f"{where}: {name!r} is no status of the workflow; use one of {', '.join(sorted(known))}"
            )
