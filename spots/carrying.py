"""Whether a person's verdict on a spot holds for what is seen there later; pure, with the reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from spots import plane
from spots.policy import REPORTED, Policy

JOINED, CARRIED, NEW_LOOK, REBOUND = "joined", "carried", "new_look", "rebound"
VALID_UNTIL = "valid_until"
"""Evidence: the last day on which the document in hand holds."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """The case of a spot: where it came to, since when and by whom, and what was known of the spot by then."""

    case_id: str
    status: str
    version: int
    since: datetime | None
    by: str
    held: Mapping[str, str]
    shapes: Sequence[Any]
    classes: frozenset[str]
    numbers: Mapping[str, frozenset[str]]
    """By fact, the numbers of the documents that covered it when it was judged."""


@dataclass(frozen=True, kw_only=True)
class Later:
    """A change seen at a spot; `shape` unwrapped."""

    change_class: str
    before: datetime | None
    after: datetime | None
    shape: Any
    area_m2: float
    facts: Mapping[str, Any]


def decide(past: Past, later: Later, policy: Policy) -> tuple[str, str]:
    """JOINED, CARRIED, NEW_LOOK or REBOUND, and why."""
    if past.status in policy.watch.rebound:
        return _closed(past, later, policy)
    if past.status in policy.carry.verdicts:
        asked = _asked(past, later, policy)
        return (NEW_LOOK, asked) if asked else (CARRIED, _held(past, later))
    grown = _grown(past, later, policy)
    return JOINED, f"the case is at {past.status}" + (f"; {grown}" if grown else "")


def _closed(past: Past, later: Later, policy: Policy) -> tuple[str, str]:
    """What a change over a closed case is: an old one seen again, or a rebound."""
    if later.change_class in policy.watch.harmless:
        return CARRIED, f"{later.change_class} over a case that is {past.status} is no rebound"
    differs = _differs(past, later, policy)
    day = _day(past.since)
    if past.since and later.after and later.after <= past.since:
        if differs:
            return NEW_LOOK, f"seen before it was {past.status} on {day}, but {differs}"
        return CARRIED, f"{_held(past, later)}; seen before that day"
    if past.status in policy.watch.restored:
        return (
            REBOUND,
            f"{later.change_class} seen on {_day(later.after)}, after it was {past.status} on {day}",
        )
    if past.since and later.before and later.before < past.since and not differs:
        return CARRIED, f"{_held(past, later)}; the change began before that day"
    tail = f"; {differs}" if differs else ""
    return (
        REBOUND,
        f"{later.change_class} seen on {_day(later.after)}, after it was {past.status} on {day}{tail}",
    )


def _asked(past: Past, later: Later, policy: Policy) -> str:
    """Why a verdict does not carry over; empty where it does."""
    rule = policy.carry.verdicts[past.status]
    differs = _differs(past, later, policy)
    if differs:
        return differs
    older = past.since and later.after and later.after <= past.since
    reaches_back = past.since and later.before and later.before < past.since
    if not rule.after_verdict and not (older or reaches_back):
        began = f"began after {_day(later.before)}" if later.before else "began on a day that nobody knows"
        return f"the change {began}; {past.status} of {_day(past.since)} says nothing of it"
    if rule.holds_days is not None and past.since:
        end = past.since + timedelta(days=rule.holds_days)
        if later.after is None or later.after > end:
            return f"{past.status} of {_day(past.since)} holds for {rule.holds_days} days, until {_day(end)}"
    return _lapsed(past, later) if rule.documents else ""


def _differs(past: Past, later: Later, policy: Policy) -> str:
    """What is there that was not judged: another class, or more ground."""
    judged = past.classes
    vaguer = set(policy.carry.vaguer.get(later.change_class, []))
    if later.change_class not in judged and REPORTED not in judged and not vaguer & judged:
        return f"its class is {later.change_class}; what was judged is {', '.join(sorted(judged))}"
    return _grown(past, later, policy)


def _grown(past: Past, later: Later, policy: Policy) -> str:
    carry = policy.carry
    m2 = plane.beyond_m2(later.shape, past.shapes, carry.tolerance_m)
    if m2 > carry.max_grown_m2 or m2 > carry.max_grown_share * later.area_m2:
        return f"it grew by {m2:.0f} m² beyond what was known"
    return ""


def _lapsed(past: Past, later: Later) -> str:
    """Which document no longer holds on the day of the later scene, or cannot be shown to."""
    outlived = _outlived(past, later.after)
    if outlived:
        return outlived
    for fact, numbers in sorted(past.numbers.items()):
        known = later.facts.get(fact)
        if known is None:
            return f"{fact} is unknown now, so {', '.join(sorted(numbers))} cannot be shown to hold"
        gone = numbers - set(str(known).split(", "))
        if gone:
            layer = fact.removesuffix("_numbers")
            return f"{', '.join(sorted(gone))} of {layer} is not in force on {_day(later.after)}"
    return ""


def _outlived(past: Past, at: datetime | None) -> str:
    """Whether the day up to which the document in hand holds is over."""
    until = past.held.get(VALID_UNTIL, "").strip()
    if not until:
        return ""
    try:
        last = date.fromisoformat(until)
    except ValueError:
        return f"valid_until {until!r} is not a day"
    return f"its document held until {last}, this is of {_day(at)}" if at is None or at.date() > last else ""


def _held(past: Past, later: Later) -> str:
    return (
        f"{past.status} since {_day(past.since)} by {past.by or 'a person'} holds: {later.change_class}, not beyond "
        "the outline that was judged"
    )


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "an unknown day"


def decide_report(past: Past, at: datetime, policy: Policy) -> tuple[str, str]:
    """What a report of a place is, by the day of which it tells: it says that somebody saw something, not what."""
    seen_before = past.since and at <= past.since
    day = _day(past.since)
    if past.status in policy.watch.rebound:
        if seen_before:
            return CARRIED, f"it tells of a day before it was {past.status} on {day}"
        return NEW_LOOK, f"reported after it was {past.status} on {day}"
    rule = policy.carry.verdicts.get(past.status)
    if rule is None:
        return JOINED, f"the case is at {past.status}"
    if seen_before or past.since is None:
        return CARRIED, f"{past.status} of {day} by {past.by or 'a person'} is later than what it tells of"
    if not rule.after_verdict:
        return NEW_LOOK, f"a person reports it after {past.status} of {day}"
    if at > past.since + timedelta(days=policy.reports.holds_days):
        return NEW_LOOK, f"{past.status} of {day} holds against reports for {policy.reports.holds_days} days"
    lapsed = _outlived(past, at) if rule.documents else ""
    return (
        (NEW_LOOK, lapsed)
        if lapsed
        else (CARRIED, f"{past.status} since {day} by {past.by or 'a person'} holds")
    )
