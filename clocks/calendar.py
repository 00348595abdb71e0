"""Days that count: working days of a country with its holidays and make-up days, less those on which clocks stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

import holidays

from ground.errors import BadInput

A_DAY = timedelta(days=1)
Unit = Literal["working_days", "days", "months", "same_day", "month_end"]
MOST_DAYS = 20_000
"""No deadline of a clock that never stood lies farther off."""
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 12, 31)
"""Days that clocks reckon with. Registers write 9999-12-31 for no end, and beyond it there is no day at all."""


@dataclass(frozen=True)
class Pause:
    """Days on which clocks stand still, both included; `last` None: no end is known. `name`: of the event.

    An end after LATEST is none; what began before EARLIEST began then.
    """

    first: date
    last: date | None
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", min(max(self.first, EARLIEST), LATEST))
        if self.last is not None and self.last > LATEST:
            object.__setattr__(self, "last", None)

    def holds(self, day: date) -> bool:
        """Whether clocks stand on a day."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True)
class Due:
    """The last day of a clock, None where it is not known for a pause without an end.

    `provisional`: it lies in a year for which no make-up days were decreed yet.
    """

    day: date | None
    provisional: bool


class Calendar:
    """The working days of a country (ISO 3166 code), as the library `holidays` knows them."""

    def __init__(self, country: str) -> None:
        try:
            self._days = holidays.country_holidays(country)
        except NotImplementedError as error:
            raise BadInput(
                f"clocks.toml: country {country!r} has no calendar of holidays; write a code like CN or BR"
            ) from error
        self._works = cache(self._days.is_working_day)
        # Most clocks of a county start on the same few days.
        self._undisturbed = cache(self._due)
        # Filled year by year as days are asked for: a range of all that matters at once.
        for year in range(2015, 2041):
            self._days.get(date(year, 1, 1))
        decreed = {day.year for day in self._days.weekend_workdays}
        self.makes_up = bool(decreed)
        self.decreed_until = max(decreed, default=9999)

    def works(self, day: date) -> bool:
        """Whether offices work: no weekend and no holiday, or a day that makes up for one."""
        return self._works(day)

    def is_decreed(self, day: date) -> bool:
        """Whether the holidays and make-up days of that year are known, or the country has no make-up days."""
        return not self.makes_up or day.year <= self.decreed_until

    def due(self, start: date, unit: Unit, count: int, *, rolls: bool, pauses: Sequence[Pause] = ()) -> Due:
        """The last day of a clock that starts on a day."""
        if not pauses:
            return self._undisturbed(start, unit, count, rolls)
        return self._due(start, unit, count, rolls, pauses)

    def _due(self, start: date, unit: Unit, count: int, rolls: bool, pauses: Sequence[Pause] = ()) -> Due:
        day = self._counted(start, count, pauses, works=True) if unit == "working_days" else None
        if unit == "days":
            day = self._counted(start, count, pauses, works=False)
        elif unit != "working_days":
            day = self._shifted(start, _ordinary(start, unit, count), pauses)
        return self.rolled(day, rolls=rolls, pauses=pauses)

    def rolled(self, day: date | None, *, rolls: bool, pauses: Sequence[Pause] = ()) -> Due:
        """A last day, or the next working one where it is none and `rolls`."""
        while day is not None and ((rolls and not self.works(day)) or _stands(day, pauses)):
            if _endless(day, pauses):
                day = None
            else:
                day = _last_of(day, pauses) + A_DAY
        return Due(day, day is not None and not self.is_decreed(day))

    def _counted(self, start: date, count: int, pauses: Sequence[Pause], *, works: bool) -> date | None:
        day = start
        while count:
            day += A_DAY
            if _endless(day, pauses):
                return None
            if _stands(day, pauses):
                day = _last_of(day, pauses)
            elif not works or self.works(day):
                count -= 1
        return day

    def _shifted(self, start: date, last: date, pauses: Sequence[Pause]) -> date | None:
        """A last day moved on by every day on which the clock stood."""
        day = start
        while day < last:
            day += A_DAY
            if _endless(day, pauses):
                return None
            if _stands(day, pauses):
                end = _last_of(day, pauses)
                last, day = last + (end - day) + A_DAY, end
        return last


@cache
def calendar_of(country: str) -> Calendar:
    """The calendar of a country, made once."""
    return Calendar(country)


def _ordinary(start: date, unit: Unit, count: int) -> date:
    if unit == "same_day":
        return start
    if unit == "month_end":
        return _month(start, 1).replace(day=1) - A_DAY
    return _month(start, count)


def _month(day: date, count: int) -> date:
    """The same day so many months later; the last of a shorter month."""
    months = day.year * 12 + day.month - 1 + count
    first = date(months // 12, months % 12 + 1, 1)
    after = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
    return first.replace(day=min(day.day, (after - first).days))


def _stands(day: date, pauses: Sequence[Pause]) -> bool:
    return any(pause.holds(day) for pause in pauses)


def _endless(day: date, pauses: Sequence[Pause]) -> bool:
    return any(pause.last is None and pause.first <= day for pause in pauses)


def _last_of(day: date, pauses: Sequence[Pause]) -> date:
    """The last day of the longest of the pauses, all of a known end, that hold on a day; itself where none does."""
    return max((pause.last for pause in pauses if pause.last is not None and pause.holds(day)), default=day)


def days_after(day: date, count: int, pauses: Sequence[Pause]) -> date | None:
    """So many days on which no clock stands after a day; None where a pause has no end."""
    while count:
        day += A_DAY
        if _endless(day, pauses):
            return None
        if _stands(day, pauses):
            day = _last_of(day, pauses)
        else:
            count -= 1
    return day


def days_before(day: date, count: int, pauses: Sequence[Pause]) -> date:
    """So many days on which no clock stands before a day on which none does, itself such a day."""
    while count:
        day -= A_DAY
        if _stands(day, pauses):
            day = min(pause.first for pause in pauses if pause.holds(day))
        else:
            count -= 1
    return day


def is_day(day: date) -> bool:
    """Whether clocks can reckon with a day; one outside of EARLIEST to LATEST is none."""
    return EARLIEST <= day <= LATEST


def as_day(text: str) -> date | None:
    """The day that a text names; None where it names none that clocks can reckon with."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if is_day(day) else None


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The county's day of a moment."""
    return moment.astimezone(zone).date()


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment after a county's day."""
    return datetime.combine(day + A_DAY, time(), zone)


def begin_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a county's day."""
    return datetime.combine(day, time(), zone)
