"""Whose days count where somebody names one: the county's, as its clocks run."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clocks.policy import load_clocks
from ground.clock import end_of


def county_zone() -> ZoneInfo:
    """The time zone of the clocks in force."""
    return load_clocks().on(datetime.now(UTC).date()).zone


def end_of_day_here(text: str, where: str) -> datetime:
    """A moment; a day alone means its end in the county, today ends now; a moment that names no zone is the county's.

    Raises:
        BadInput: it is neither, or lies in the future, or before 1900.
    """
    return end_of(text, where, county_zone())
