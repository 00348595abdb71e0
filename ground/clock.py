"""Seconds by step, and the most memory that the process has held."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

from ground.errors import BadInput


@dataclass
class Clock:
    """Seconds by step, in the order in which the steps ended."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a block under a name."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def peak_rss_mib() -> float:
    """Largest resident set of this process since it began, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


AHEAD = timedelta(minutes=5)
"""So far the clock of another machine may be ahead of ours."""
EARLIEST = 1900
"""Before it nothing was seen from above, and calendars end."""


def day_alone(text: str) -> date | None:
    """The day, if nothing but a day is written."""
    try:
        return date.fromisoformat(text) if len(text) == len("2020-08-04") else None
    except ValueError:
        return None


def end_of(text: str, where: str, zone: tzinfo = UTC) -> datetime:
    """A moment; a day alone means its last moment: what became known on a day was known on it. Today ends now.

    `zone`: of days, and of moments that name none.

    Raises:
        BadInput: it is neither, or lies in the future, or before 1900.
    """
    now = datetime.now(UTC)
    try:
        if day := day_alone(text):
            is_today = day == now.astimezone(zone).date()
            moment = now if is_today else datetime.combine(day, time_of_day.max, zone).astimezone(UTC)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{where}: {text!r} is not a day; write 2020-08-04 or 2020-08-04T09:30:00Z") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)
    if moment.year < EARLIEST:
        raise BadInput(f"{where}: {text} lies before the year {EARLIEST}; give a later day")
    if moment > now:
        raise BadInput(f"{where}: {text} lies in the future; give a day that has come")
    return moment
