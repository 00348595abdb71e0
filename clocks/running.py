"""How far each clock of a case has run: pure, from the moves in its history and the days on which clocks stood."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from clocks.calendar import (
    Due,
    Pause,
    as_day,
    begin_of_day,
    calendar_of,
    day_of,
    days_after,
    days_before,
    end_of_day,
    is_day,
)
from clocks.policy import LEVELS, Clocks, Edition, Rule

BLUE, YELLOW, RED, GREEN, SUSPENDED = "blue", "yellow", "red", "green", "suspended"
LIGHTS = (BLUE, YELLOW, RED, GREEN, SUSPENDED)
"""Not started, running, overdue, done, standing still in a disaster area."""
REMINDED, WARNED, LIFTED = "reminded", "warned", "lifted"


class Moved(NamedTuple):
    """A line of a case's history that brought it to a status, or brought evidence."""

    to: str
    at: datetime
    evidence: Mapping[str, str]
    stayed: bool = False
    """It stayed where it was: only evidence came."""


class Step(NamedTuple):
    """What is due to be said of a clock, and since when; `name` is unique within a run but for a moved deadline."""

    name: str
    kind: str
    at: datetime
    due: date | None
    level: str = ""


class Deadline(NamedTuple):
    """The last day of a run, as known from a moment on."""

    since: datetime
    due: Due


@dataclass(frozen=True, kw_only=True)
class Run:
    """One running of a clock, from where it started to where it was stopped, if it was."""

    rule: Rule
    zone: ZoneInfo
    started: datetime
    stopped: datetime | None
    deadlines: Sequence[Deadline]
    pauses: Sequence[Pause] = field(default=())

    @property
    def due(self) -> Due:
        """The last day, as known last."""
        return self.deadlines[-1].due

    @property
    def ends(self) -> datetime | None:
        """The first moment after the last day."""
        return None if self.due.day is None else end_of_day(self.due.day, self.zone)

    @property
    def was_late(self) -> bool:
        """Whether it was stopped after its deadline."""
        return self.stopped is not None and self.ends is not None and self.stopped >= self.ends

    def light(self, now: datetime) -> str:
        """Its color at a moment."""
        if self.stopped is not None and self.stopped <= now:
            return GREEN
        if any(pause.holds(day_of(now, self.zone)) for pause in self.pauses):
            return SUSPENDED
        if self.ends is None or now < self.ends:
            return YELLOW
        return RED if self.rule.kind == "deadline" else GREEN

    def steps(self, now: datetime) -> list[Step]:
        """All that was due to be said up to a moment, the oldest first: the same whenever it is asked."""
        if self.rule.kind == "record":
            return []
        last = min(now, self.stopped) if self.stopped else now
        if not self.pauses and len(self.deadlines) == 1:  # As with nearly all.
            return [step for step in self._of(self.due.day) if step.at <= last]
        found = [
            Step(
                f"suspended:{pause.name}",
                "suspended",
                max(self.started, begin_of_day(pause.first, self.zone)),
                None,
            )
            for pause in self.pauses
        ]
        found = [step for step in found if step.at <= last]
        until = [each.since for each in self.deadlines[1:]]
        for deadline, end in zip(self.deadlines, [*until, None], strict=True):
            for step in self._of(deadline.due.day):
                at = max(step.at, deadline.since)
                if at <= last and (end is None or at < end):
                    found.append(step if at == step.at else step._replace(at=at))
        return sorted(found, key=lambda step: step.at)

    def _of(self, day: date | None) -> Sequence[Step]:
        """What a last day brings with it; nobody is reminded before the clock started."""
        if day is None:
            return ()
        rule = self.rule
        asked = (rule.kind, rule.remind or 0, tuple(rule.lift.items()), day, self.zone)
        steps = tuple(_steps(*asked, self.pauses)) if self.pauses else _undisturbed(*asked)
        return steps[1:] if rule.remind and steps[0].at <= self.started else steps


def _steps(
    kind: str,
    remind: int,
    lift: Sequence[tuple[str, int]],
    day: date,
    zone: ZoneInfo,
    pauses: Sequence[Pause],
) -> Iterator[Step]:
    """Of a clock of a kind with its last day; `remind` and `lift` in days before and after it, 0 for never."""
    if remind:
        yield Step(REMINDED, REMINDED, begin_of_day(days_before(day, remind, pauses), zone), day)
    over = end_of_day(day, zone)
    if kind == "wait":
        yield Step(REMINDED, REMINDED, over, day)
        return
    yield Step(WARNED, WARNED, over, day)
    for level, count in sorted(lift, key=lambda each: LEVELS.index(each[0])):
        late = days_after(day, count, pauses)
        if late is not None:
            yield Step(f"{LIFTED}:{level}", LIFTED, end_of_day(late, zone), day, level)


@lru_cache(maxsize=65_536)
def _undisturbed(
    kind: str, remind: int, lift: tuple[tuple[str, int], ...], day: date, zone: ZoneInfo
) -> tuple[Step, ...]:
    """Where no clock stands: most clocks of a county fall due on the same few days."""
    return tuple(sorted(_steps(kind, remind, lift, day, zone, ()), key=lambda step: step.at))


@dataclass(kw_only=True)
class _Open:
    """A run while the history is read."""

    rule: Rule
    edition: Edition
    started: datetime
    pauses: Sequence[Pause]
    stopped: datetime | None = None
    deadlines: list[Deadline] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.extended = False
        self.until: date | None = None
        self._reckon(self.started)

    def _reckon(self, since: datetime) -> None:
        calendar, rule = calendar_of(self.edition.country), self.rule
        start = day_of(self.started, self.edition.zone)
        if self.until is not None:
            due = calendar.rolled(self.until, rolls=rule.rolls, pauses=self.pauses)
        else:
            count = rule.count + (rule.extension.count if rule.extension and self.extended else 0)
            due = calendar.due(start, rule.unit, count, rolls=rule.rolls, pauses=self.pauses)
        if not self.deadlines or self.deadlines[-1].due != due:
            self.deadlines = [*self.deadlines, Deadline(since, due)]

    def hear(self, moved: Moved) -> None:
        """Evidence that moves the deadline."""
        rule = self.rule
        given = moved.evidence.get(rule.until, "") if rule.until else ""
        if given:
            day = as_day(given)
            if day is not None:  # What names no day moves nothing.
                self.until = day
                self._reckon(moved.at)
        if rule.extension and not self.extended and moved.evidence.get(rule.extension.evidence):
            self.extended = True
            self._reckon(moved.at)

    def closed(self) -> Run:
        """As it stands."""
        return Run(
            rule=self.rule, zone=self.edition.zone, started=self.started, stopped=self.stopped,
            deadlines=self.deadlines, pauses=_meeting(self.pauses, self),
        )  # fmt: skip


def runs(moves: Sequence[Moved], clocks: Clocks, pauses: Sequence[Pause] = ()) -> list[Run]:
    """Every run of every clock of one case, in the order in which they started; `moves` in the order of its history.

    A case led back to where a clock starts starts it anew. The edition of the day on which a clock starts holds for it.
    """
    running: dict[str, _Open] = {}
    found: list[_Open] = []
    for moved in moves:
        if not is_day(moved.at.date()):  # The later scene's, of which nobody knows when it was taken.
            continue
        edition = clocks.on(moved.at.date())
        edition = clocks.on(day_of(moved.at, edition.zone))
        if not moved.stayed:
            for run in [*running.values()]:
                if moved.to in run.rule.stop or moved.to in run.rule.start or moved.to in run.edition.ended:
                    run.stopped = max(moved.at, run.started)
                    del running[run.rule.id]
            for rule in edition.clock:
                if moved.to in rule.start:
                    running[rule.id] = _Open(rule=rule, edition=edition, started=moved.at, pauses=pauses)
                    found.append(running[rule.id])
        for run in running.values():
            run.hear(moved)
    return [run.closed() for run in found]


def waiting(moves: Sequence[Moved], clocks: Clocks, now: datetime) -> list[Rule]:
    """The clocks of a case that have not started yet; of its picture's time there is no more to wait for."""
    started = {run.rule.id for run in runs(moves, clocks)}
    rules = clocks.on(now.date()).clock
    return [rule for rule in rules if rule.id not in started and rule.kind != "record"]


def _meeting(pauses: Sequence[Pause], run: _Open) -> list[Pause]:
    """Those on which the clock stood while it ran, overdue or not: nothing is lifted meanwhile."""
    if not pauses:
        return []
    first = day_of(run.started, run.edition.zone)
    last = day_of(run.stopped, run.edition.zone) if run.stopped else None
    return [
        pause
        for pause in pauses
        if (pause.last is None or pause.last >= first) and (last is None or pause.first <= last)
    ]


def highest(levels: Sequence[str]) -> str:
    """The highest of several levels; "" of none."""
    known = [level for level in LEVELS if level in levels]
    return known[-1] if known else ""
