"""Moments that tell apart which clocks are overdue: what started on the same sides of all of them runs alike."""

from datetime import UTC, date, datetime, time

from clocks.calendar import A_DAY, MOST_DAYS, begin_of_day, calendar_of, day_of, end_of_day
from clocks.policy import Clocks, Edition, Rule


def lines(clocks: Clocks, now: datetime) -> list[datetime]:
    """The earliest first: of each clock since when its starts are not overdue yet, and where editions begin.

    Two cases that were led to the same statuses in the same order, each time on the same side of every line, are
    overdue by the same clocks at `now`, unless clocks stood still for one or somebody gave it another deadline.
    """
    found = {_line(rule, edition, now) for edition in clocks.edition for rule in edition.clock}
    for edition in clocks.edition:
        found.add(datetime.combine(edition.effective_from, time(), UTC))
        found |= {begin_of_day(edition.effective_from, each.zone) for each in clocks.edition}
    return sorted(found)


def _line(rule: Rule, edition: Edition, now: datetime) -> datetime:
    """The first moment from which on what starts is not overdue: a later start is never due earlier."""
    low, high = -MOST_DAYS, 1
    today = day_of(now, edition.zone)
    while low < high:
        middle = (low + high) // 2
        if _is_over(today + middle * A_DAY, rule, edition, now):
            low = middle + 1
        else:
            high = middle
    return begin_of_day(today + low * A_DAY, edition.zone)


def _is_over(started: date, rule: Rule, edition: Edition, now: datetime) -> bool:
    due = calendar_of(edition.country).due(started, rule.unit, rule.count, rolls=rule.rolls).day
    return due is not None and now >= end_of_day(due, edition.zone)
