"""The clocks of cases: how far each has run at any moment, and a tick, which says what is due to be said, once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cases import history, pausing
from cases.store import CaseStore, begins
from cases.walked import SAID, Walked, walked
from cases.workflow import Workflow, load_workflow
from clocks.policy import CLOCKS_TOML, Clocks, check, load_clocks
from clocks.running import BLUE, LIFTED, SUSPENDED, Run, Step, highest, runs, waiting
from database import bulk, seals
from database.clock_tables import NoticeRow, TickRow
from database.tables import CaseRow, EventRow
from ground.clock import AHEAD
from ground.errors import BadInput, NotFound
from ground.files import sha256, short_hashes


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One clock of one case at a moment. `due`: its last day; `level`: to whom it was lifted, "" to nobody."""

    case_id: str
    region: str
    status: str
    clock: str
    title: str
    kind: str
    light: str
    started: datetime | None
    stopped: datetime | None
    due: date | None
    is_provisional: bool
    is_late: bool
    level: str


@dataclass(frozen=True, kw_only=True)
class Ticked:
    """What a tick did: cases looked at, and how many notices of each kind it added."""

    at: datetime
    cases: int
    notices: dict[str, int]
    undated: list[str]
    """Numbers of disasters that stop no clock, since nobody said when they began."""
    ahead: str = ""
    """A sentence on ticks that lie in the future of this machine's clock; "" where none do."""


def clocks_of(workflow: Workflow, path: Path = CLOCKS_TOML) -> Clocks:
    """The clocks of a file, held against the workflow.

    Raises:
        BadInput: a typo, or a word that the workflow does not know.
    """
    clocks = load_clocks(path)
    check(clocks, workflow.statuses, workflow.evidence, path)
    return clocks


def titles_of(clock: str, path: Path = CLOCKS_TOML) -> list[dict[str, str]]:
    """What a clock is called, by language, in every edition that has it."""
    rules = [rule for edition in load_clocks(path).edition for rule in edition.clock]
    return [rule.title.model_dump() for rule in rules if rule.id == clock]


def tick(store: CaseStore, now: datetime | None = None, path: Path = CLOCKS_TOML) -> Ticked:
    """Says of every clock what is due up to `now`, in one transaction; told again it adds nothing.

    Raises:
        BadInput: `now` lies before the last tick or in the future; the store sees one region only.

    Ticks of a machine whose clock was ahead bar nobody's way: what they said stays said, and the result tells of them.
    """
    if store.region:
        raise BadInput(f"clocks tick for every region, not for region {store.region!r} alone")
    clocks = clocks_of(load_workflow(), path)
    with store.transaction(writes=True) as session:
        moment, ahead = _not_back(session, now)
        last = session.scalar(select(func.max(TickRow.event))) or 0
        cases = walked(session, moment, _worth_a_look(clocks, last))
        stands = pausing.pauses(session, [case.case_id for case in cases], clocks.on(moment.date()), moment)
        # Where they stand now, whatever moment is told of: their histories end there.
        stood: dict[str, str] = dict(session.execute(select(CaseRow.id, CaseRow.status)).tuples().all())
        rows, events = [], []
        known = _known(session, [case.case_id for case in cases])
        for case in cases:
            for run in runs(case.moves, clocks, stands.of(case.case_id)):
                for key, step in _named(case.case_id, run, moment):
                    if key not in known:
                        known.add(key)
                        rows.append(_row(key, case.case_id, run, step, moment))
                        events.append(_told(case.case_id, stood[case.case_id], run, step, moment))
        seals.add(session, NoticeRow, rows)
        history.append(session, events)
        taken = _taken(session, moment)
        seals.add(
            session, TickRow, [{"at": moment, "event": taken, "notices": len(rows), "rules": sha256(path)}]
        )
    kinds = Counter(row["step"].partition(":")[0] for row in rows)
    said = dict(sorted(kinds.items()))
    return Ticked(at=moment, cases=len(cases), notices=said, undated=stands.undated, ahead=ahead)


def lights(
    store: CaseStore,
    now: datetime | None = None,
    *,
    case_id: str | None = None,
    region: str | None = None,
    path: Path = CLOCKS_TOML,
) -> list[Clock]:
    """Every clock that has started, of the cases of a region, at a moment: from their histories up to it alone.

    Of one case also those that have not started.

    Raises:
        NotFound: there is no such case.
    """
    moment = now or datetime.now(UTC)
    clocks = clocks_of(load_workflow(), path)
    if case_id is not None:
        case_id = store.case(case_id).id
    met = [*begins(store.region), *(begins(region) if region else [])]
    with store.transaction() as session:
        cases = walked(session, moment, [*met, *([CaseRow.id == case_id] if case_id is not None else [])])
        ids = [case.case_id for case in cases]
        stands = pausing.pauses(session, ids, clocks.on(moment.date()), moment)
        levels = _levels(session, ids, moment)
    if case_id is not None and not cases:
        raise NotFound(
            f"case {case_id} was not open at {moment.isoformat(timespec='seconds')}; ask for a later moment"
        )
    found = []
    for case in cases:
        for run in runs(case.moves, clocks, stands.of(case.case_id)):
            found.append(_clock(case, run, moment, levels))
        if case_id is not None:
            found += [_blue(case, rule) for rule in waiting(case.moves, clocks, moment)]
    return found


def summary(clocks: Iterable[Clock]) -> list[dict[str, Any]]:
    """By region and clock how many are at which light: what is overdue, as statistics ask for it."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for each in clocks:
        one = counts.setdefault((each.region, each.clock), Counter())
        one[each.light] += 1
        one["late"] += each.is_late
        one["lifted"] += bool(each.level)
    names = ("yellow", "red", "green", SUSPENDED, "late", "lifted")
    return [
        {"region": region, "clock": clock} | {name: count[name] for name in names}
        for (region, clock), count in sorted(counts.items())
    ]


def _not_back(session: Session, now: datetime | None) -> tuple[datetime, str]:
    """The moment of a tick, and what is to be said of ticks that have not come yet by this machine's clock."""
    clock = datetime.now(UTC)
    last = session.scalar(select(func.max(TickRow.at)).where(TickRow.at <= clock + AHEAD))
    # Another machine's clock may be a little ahead of ours.
    moment = now or max(clock, last or clock)
    if now is not None and now > clock:
        raise BadInput(f"--now: {moment.isoformat()} lies in the future; give a moment that has come")
    if last is not None and moment < last:
        raise BadInput(
            f"--now: {moment.isoformat(timespec='seconds')} lies before the last tick, "
            f"{last.isoformat(timespec='seconds')}; set the clock of this machine right, or give a later moment"
        )
    return moment, _ahead(session, clock)


def _ahead(session: Session, clock: datetime) -> str:
    beyond = select(func.count(), func.max(TickRow.at)).where(TickRow.at > clock + AHEAD)
    number, latest = session.execute(beyond).one()
    if not number:
        return ""
    ticks = "1 tick lies" if number == 1 else f"{number} ticks lie"
    return (
        f"{ticks} in the future, the last at {latest.isoformat(timespec='seconds')}: a machine's clock was ahead; what "
        "was said then is not said again, and stands in the histories with that time"
    )


def _worth_a_look(clocks: Clocks, last: int) -> list[Any]:
    """Cases on their road, and those of which something was told since the last tick."""
    ended = {status for edition in clocks.edition for status in edition.ended}
    told = select(EventRow.case_id).where(EventRow.serial > last)
    return [or_(CaseRow.status.not_in(sorted(ended)), CaseRow.id.in_(told))]


def _known(session: Session, cases: Sequence[str]) -> set[str]:
    """What was said of these cases already."""
    return set(session.scalars(select(NoticeRow.id).where(bulk.among(session, NoticeRow.case_id, cases))))


def _levels(
    session: Session, cases: Sequence[str], now: datetime
) -> Mapping[tuple[str, str, datetime], list[str]]:
    query = select(NoticeRow.case_id, NoticeRow.clock, NoticeRow.started, NoticeRow.level).where(
        NoticeRow.level != "", NoticeRow.recorded <= now, bulk.among(session, NoticeRow.case_id, cases)
    )
    found: dict[tuple[str, str, datetime], list[str]] = {}
    for case, clock, started, level in session.execute(query):
        found.setdefault((case, clock, started), []).append(level)
    return found


def _taken(session: Session, now: datetime) -> int:
    """Serial of the last event before the first that lies after `now`; what ticks say is no news."""
    later = (EventRow.at > now, EventRow.kind.not_in(SAID))
    first = session.scalar(select(func.min(EventRow.serial)).where(*later))
    last = session.scalar(select(func.max(EventRow.serial))) or 0
    return last if first is None else first - 1


def _named(case_id: str, run: Run, now: datetime) -> Iterator[tuple[str, Step]]:
    """The steps of a run up to a moment, each with the name by which it is said once."""
    steps = run.steps(now)
    if not steps:
        return
    own = short_hashes("notice", case_id, run.rule.id, run.started.astimezone(UTC).isoformat())
    for step in steps:
        yield own(step.name, step.due.isoformat() if step.due else ""), step


def _row(key: str, case_id: str, run: Run, step: Step, now: datetime) -> dict[str, Any]:
    return {
        "id": key, "case_id": case_id, "clock": run.rule.id, "started": run.started, "step": step.name,
        "level": step.level, "due": step.due, "at": step.at, "recorded": now,
    }  # fmt: skip


def _told(case_id: str, status: str, run: Run, step: Step, now: datetime) -> dict[str, Any]:
    """The line in the history of the case, which stays where it is."""
    rule = run.rule
    reason, evidence = _said(rule.id, rule.title.zh, rule.title.en, rule.kind, step)
    return history.event(case_id, now, step.kind, reason, origin=status, to=status, evidence=evidence)


@lru_cache(maxsize=4096)
def _said(clock: str, zh: str, en: str, kind: str, step: Step) -> tuple[str, dict[str, str]]:
    """The sentence and the evidence of a line, the same objects for all cases that it is said of: none alters them."""
    if step.kind == SUSPENDED:
        said = (
            f"stands still since {step.at:%Y-%m-%d}: the place lies in disaster {step.name.partition(':')[2]}"
        )
    elif step.kind == LIFTED:
        said = f"was due on {step.due}, lifted to the {step.level}"
    elif kind == "wait":
        said = f"ran out on {step.due}"
    else:
        said = f"was due on {step.due}" if step.kind == "warned" else f"is due on {step.due}"
    return f"{zh} {en}: {said}", {"clock": clock} | ({"level": step.level} if step.level else {})


def _clock(
    case: Walked, run: Run, now: datetime, levels: Mapping[tuple[str, str, datetime], list[str]]
) -> Clock:
    light = run.light(now)
    return Clock(
        case_id=case.case_id, region=case.region, status=case.status, clock=run.rule.id, title=_title(run.rule.title),
        kind=run.rule.kind, light=light, started=run.started, stopped=run.stopped, due=run.due.day,
        is_provisional=run.due.provisional, is_late=run.was_late or light == "red",
        level=highest(levels.get((case.case_id, run.rule.id, run.started), [])),
    )  # fmt: skip


def _blue(case: Walked, rule: Any) -> Clock:
    return Clock(
        case_id=case.case_id, region=case.region, status=case.status, clock=rule.id, title=_title(rule.title),
        kind=rule.kind, light=BLUE, started=None, stopped=None, due=None, is_provisional=False, is_late=False, level="",
    )  # fmt: skip


def _title(title: Any) -> str:
    return f"{title.zh} {title.en}"
