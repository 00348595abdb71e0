"""In which time a county reads the clock."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from clocks.policy import CLOCKS_TOML, load_clocks


def zone_at(moment: datetime, path: Path = CLOCKS_TOML) -> ZoneInfo:
    """The county's time zone, of the edition of clocks.toml that holds at a moment."""
    return load_clocks(path).on(moment.date()).zone
