"""Whose days count where somebody names one, and in which time moments are read: the county's, as its clocks run."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from clocks.policy import CLOCKS_TOML, load_clocks
from ground.clock import end_of


def zone_at(moment: datetime, path: Path = CLOCKS_TOML) -> ZoneInfo:
    """The county's time zone, of the edition of clocks.toml that holds at a moment."""
    return load_clocks(path).on(moment.date()).zone


def end_of_day_here(text: str, where: str) -> datetime:
    """A moment; a day alone means its end in the county, today ends now; a moment that names no zone is the county's.

    Raises:
        BadInput: it is neither, or lies in the future, or before 1900.
    """
    return end_of(text, where, zone_at(datetime.now(UTC)))
