"""Working days, deadlines and lights, answers by hand; the calendar of 2024: 10–17 February off, 4 and 18 worked."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.workflow import load_workflow
from clocks.calendar import Calendar, Due, Pause, calendar_of, day_of, end_of_day
from clocks.policy import load_clocks
from clocks.running import GREEN, RED, SUSPENDED, YELLOW, Moved, Run, runs, waiting
from ground.errors import BadInput

CN = calendar_of("CN")
SHANGHAI = ZoneInfo("Asia/Shanghai")
CLOCKS = load_clocks()


def at(text: str) -> datetime:
    """A moment in the county, as 2024-02-05T09:00 or a day at noon."""
    text = text if "T" in text else f"{text}T12:00"
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def moved(to: str, when: str, stayed: bool = False, **evidence: str) -> Moved:
    return Moved(to=to, at=at(when), evidence=evidence, stayed=stayed)


def run_of(clock: str, *moves: Moved, pauses: list[Pause] | None = None) -> Run:
    """The last run of a clock."""
    return [run for run in runs(moves, CLOCKS, pauses or []) if run.rule.id == clock][-1]


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2024-02-04", True), ("2024-02-18", True), ("2024-02-09", True), ("2024-02-10", False),
        ("2024-02-16", False), ("2024-02-17", False), ("2023-10-07", True), ("2023-10-08", True),
        ("2023-10-06", False), ("2025-01-26", True), ("2025-10-08", False), ("2024-05-11", True),
    ],
)  # fmt: skip
def test_make_up_days_are_worked_and_holidays_are_not(day: str, works: bool) -> None:
    assert CN.works(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "unit", "count", "rolls", "last"),
    [
        # Thursday: Friday 9th, then the feast; Sunday 18th is worked, Monday 19th.
        ("2024-02-08", "working_days", 3, False, "2024-02-19"),
        ("2024-02-08", "working_days", 1, False, "2024-02-09"),
        # Saturday 3rd: Sunday 4th is worked already.
        ("2024-02-03", "working_days", 1, False, "2024-02-04"),
        ("2024-02-08", "days", 3, False, "2024-02-11"), ("2024-02-08", "days", 3, True, "2024-02-18"),
        ("2024-01-31", "months", 1, False, "2024-02-29"), ("2023-12-15", "months", 1, False, "2024-01-15"),
        ("2024-02-10", "same_day", 0, True, "2024-02-18"), ("2024-02-09", "same_day", 0, True, "2024-02-09"),
        ("2024-02-01", "month_end", 0, False, "2024-02-29"), ("2023-12-31", "month_end", 0, False, "2023-12-31"),
        # Ten working days across the feast: 9, 18, 19–23, 26–28.
        ("2024-02-08", "working_days", 10, False, "2024-02-28"),
    ],
)  # fmt: skip
def test_last_days(start: str, unit: str, count: int, rolls: bool, last: str) -> None:
    assert CN.due(date.fromisoformat(start), unit, count, rolls=rolls) == Due(date.fromisoformat(last), False)  # type: ignore[arg-type]


def test_a_year_without_decreed_make_up_days_is_provisional() -> None:
    far = CN.decreed_until + 1
    assert CN.due(date(far, 3, 1), "working_days", 5, rolls=False).provisional
    assert CN.due(date(far - 1, 12, 30), "days", 5, rolls=False).provisional
    assert not CN.due(date(far - 1, 3, 1), "working_days", 5, rolls=False).provisional
    assert not Calendar("BR").due(date(far, 3, 1), "working_days", 5, rolls=False).provisional
    with pytest.raises(BadInput, match="country 'XX' has no calendar"):
        Calendar("XX")


def test_clocks_stand_still_in_a_disaster() -> None:
    flood = Pause(date(2024, 3, 5), date(2024, 3, 7), "flood")
    # Monday 4th, three working days: the 5th to the 7th do not count; 8th, 11th, 12th.
    assert CN.due(date(2024, 3, 4), "working_days", 3, rolls=False, pauses=[flood]).day == date(2024, 3, 12)
    assert CN.due(date(2024, 3, 4), "days", 3, rolls=False, pauses=[flood]).day == date(2024, 3, 10)
    assert CN.due(date(2024, 3, 4), "months", 1, rolls=False, pauses=[flood]).day == date(2024, 4, 7)
    assert CN.due(date(2024, 3, 4), "month_end", 0, rolls=False, pauses=[flood]).day == date(2024, 4, 3)
    assert CN.due(date(2024, 3, 5), "same_day", 0, rolls=False, pauses=[flood]).day == date(2024, 3, 8)
    endless = Pause(date(2024, 3, 5), None, "flood")
    assert CN.due(date(2024, 3, 4), "days", 3, rolls=False, pauses=[endless]).day is None
    assert CN.due(date(2024, 3, 1), "days", 3, rolls=False, pauses=[endless]).day == date(2024, 3, 4)


# Every clock of clocks.toml: what starts it on Thursday 8 February 2024 (or the day given), and its last day.
@pytest.mark.parametrize(
    ("clock", "status", "last"),
    [
        ("assigned", "suspected", "2024-02-08"), ("first_check", "doubt", "2024-02-19"),
        ("first_check", "returned", "2024-02-19"), ("feedback", "suspected", "2024-02-18"),
        # Seven days end on Thursday the 15th, a holiday.
        ("settled", "suspected", "2024-02-18"), ("month_clear", "suspected", "2024-02-29"),
        ("grave", "violation", "2024-03-08"), ("filing", "violation", "2024-02-28"),
        # Ninety days: 21 in February, 31, 30 and 8 in May.
        ("decision", "filed", "2024-05-08"), ("defence", "notice", "2024-02-21"),
        # Thirty days: Saturday 9 March; Monday is worked.
        ("rectification", "rectification", "2024-03-11"),
        ("review", "proven", "2024-02-28"), ("review", "objection", "2024-02-28"),
        ("review", "city_review", "2024-02-28"), ("review", "province_review", "2024-02-28"),
        # Sixty days: 21 in February, 31 in March and 8 in April, a Monday.
        ("handed_over", "police", "2024-04-08"), ("handed_over", "discipline", "2024-04-08"),
    ],
)  # fmt: skip
def test_every_deadline_to_the_day(clock: str, status: str, last: str) -> None:
    run = run_of(clock, moved(status, "2024-02-08"))
    assert run.due == Due(date.fromisoformat(last), False)
    assert run.ends == end_of_day(date.fromisoformat(last), SHANGHAI)
    before, after = run.ends - timedelta(seconds=1), run.ends
    assert run.light(before) == YELLOW
    assert run.light(after) == (GREEN if clock == "defence" else RED)
    assert {each.id for each in CLOCKS.edition[0].clock} == {
        "issued", "assigned", "first_check", "feedback", "settled", "month_clear", "grave", "filing", "decision",
        "defence", "rectification", "review", "handed_over",
    }  # fmt: skip


def test_from_imagery_to_issued_is_a_record_that_nobody_is_told_of() -> None:
    # Ten working days across the feast end on the 28th.
    for opened, late in (("2024-02-28T23:59", False), ("2024-02-29T00:01", True)):
        run = run_of("issued", moved("imagery", "2024-02-08"), moved("suspected", opened))
        assert (run.due.day, run.stopped, run.was_late) == (date(2024, 2, 28), at(opened), late)
        assert (run.light(at("2024-03-01")), run.steps(at("2024-06-01"))) == (GREEN, [])
    assert "issued" not in {run.rule.id for run in runs([moved("suspected", "2024-02-08")], CLOCKS)}


def test_the_day_is_the_county_s() -> None:
    # 23:30 UTC on the 7th is the morning of the 8th in Shanxi.
    late = datetime(2024, 2, 7, 23, 30, tzinfo=UTC)
    assert day_of(late, SHANGHAI) == date(2024, 2, 8)
    run = run_of("assigned", Moved("suspected", late, {}))
    assert run.due.day == date(2024, 2, 8)
    assert run.ends == datetime(2024, 2, 8, 16, tzinfo=UTC)


def test_a_clock_stops_and_stays_green() -> None:
    moves = [
        moved("suspected", "2024-03-04"),
        moved("field_check", "2024-03-04"),
        moved("proven", "2024-03-06"),
    ]
    run = run_of("first_check", *moves)
    assert (run.stopped, run.was_late, run.light(at("2025-01-01"))) == (at("2024-03-06"), False, GREEN)
    assert run.light(at("2024-03-05")) == YELLOW
    late = run_of("first_check", *moves[:2], moved("proven", "2024-03-08"))
    assert (late.was_late, late.light(at("2024-03-07T23:59")), late.light(at("2024-03-08T01:00"))) == (
        True,
        YELLOW,
        RED,
    )


def test_led_back_it_starts_anew() -> None:
    moves = [moved("suspected", "2024-03-04"), moved("proven", "2024-03-05"), moved("returned", "2024-03-20")]
    first, second = (run for run in runs(moves, CLOCKS) if run.rule.id == "first_check")
    assert (first.stopped, second.started, second.due.day) == (
        at("2024-03-05"),
        at("2024-03-20"),
        date(2024, 3, 25),
    )
    again = [
        run for run in runs([*moves, moved("suspected", "2024-03-21")], CLOCKS) if run.rule.id == "settled"
    ]
    assert [run.stopped for run in again] == [at("2024-03-21"), None]
    ended = runs([*moves, moved("lawful", "2024-03-22")], CLOCKS)
    assert all(run.stopped is not None for run in ended)
    assert {rule.id for rule in waiting(moves, CLOCKS, at("2024-03-21"))} == {
        "grave", "filing", "decision", "defence", "rectification", "handed_over",
    }  # fmt: skip


def test_an_extension_and_a_given_day_move_the_deadline() -> None:
    filed = moved("filed", "2024-02-08")
    longer = run_of("decision", filed, moved("investigation", "2024-05-01", extension="no. 7"))
    assert [each.due.day for each in longer.deadlines] == [date(2024, 5, 8), date(2024, 6, 7)]
    ordered = run_of("rectification", moved("rectification", "2024-03-04", deadline="2024-06-08"))
    assert ordered.due.day == date(2024, 6, 11)  # Saturday; Monday is the Dragon Boat Festival.
    nonsense = run_of("rectification", moved("rectification", "2024-03-04", deadline="soon"))
    assert nonsense.due.day == date(2024, 4, 3)
    later = run_of(
        "rectification",
        moved("rectification", "2024-03-04"),
        moved("x", "2024-04-01", True, deadline="2024-04-30"),
    )
    steps = [(step.name, step.due) for step in later.steps(at("2024-05-15"))]
    assert steps == [
        ("reminded", date(2024, 4, 3)), ("reminded", date(2024, 4, 30)), ("warned", date(2024, 4, 30)),
        ("lifted:city", date(2024, 4, 30)),
    ]  # fmt: skip


def test_steps_come_when_they_are_due() -> None:
    run = run_of("first_check", moved("suspected", "2024-03-04"))
    told = [(step.name, step.at) for step in run.steps(at("2024-06-01"))]
    assert told == [
        ("reminded", at("2024-03-06T00:00")), ("warned", at("2024-03-08T00:00")),
        ("lifted:city", at("2024-03-11T00:00")), ("lifted:province", at("2024-03-18T00:00")),
    ]  # fmt: skip
    assert run.steps(at("2024-03-05")) == []
    stopped = run_of("first_check", moved("suspected", "2024-03-04"), moved("proven", "2024-03-12"))
    assert [step.name for step in stopped.steps(at("2024-06-01"))] == ["reminded", "warned", "lifted:city"]
    wait = run_of("defence", moved("notice", "2024-03-04"))
    assert [(step.name, step.at) for step in wait.steps(at("2024-06-01"))] == [
        ("reminded", at("2024-03-12T00:00"))
    ]


def test_suspension_shows_and_is_told_once() -> None:
    flood = Pause(date(2024, 3, 5), date(2024, 3, 7), "F1")
    run = run_of("first_check", moved("suspected", "2024-03-04"), pauses=[flood])
    days = ("2024-03-04", "2024-03-06", "2024-03-08", "2024-03-13")
    assert [run.light(at(day)) for day in days] == [YELLOW, SUSPENDED, YELLOW, RED]
    assert [step.name for step in run.steps(at("2024-03-13"))] == ["suspended:F1", "reminded", "warned"]
    over = Pause(date(2024, 1, 1), date(2024, 3, 3), "F0")
    assert run_of("first_check", moved("suspected", "2024-03-04"), pauses=[over]).pauses == []


def test_nobody_is_reminded_while_a_clock_stands_still() -> None:
    # Three working days from Monday the 4th without the 7th: due on the 8th, and on the 7th nothing is said.
    flood = Pause(date(2024, 3, 7), date(2024, 3, 7), "F1")
    run = run_of("first_check", moved("suspected", "2024-03-04"), pauses=[flood])
    (step,) = [step for step in run.steps(at("2024-03-08")) if step.kind == "reminded"]
    assert (run.due.day, step.at) == (date(2024, 3, 8), at("2024-03-06T00:00"))


def test_nothing_is_lifted_while_a_clock_stands_still() -> None:
    # Due on the 7th and overdue; three days on which it ran: 8, 15, 16. Without the flood it were the 11th.
    flood = Pause(date(2024, 3, 9), date(2024, 3, 14), "F1")
    run = run_of("first_check", moved("suspected", "2024-03-04"), pauses=[flood])
    assert [run.light(at(day)) for day in ("2024-03-08", "2024-03-10", "2024-03-15")] == [RED, SUSPENDED, RED]
    told = [(step.name, step.at) for step in run.steps(at("2024-03-20"))]
    assert told[-2:] == [("suspended:F1", at("2024-03-09T00:00")), ("lifted:city", at("2024-03-17T00:00"))]
    endless = Pause(date(2024, 3, 9), None, "F2")
    stands = run_of("first_check", moved("suspected", "2024-03-04"), pauses=[endless])
    assert [step.name for step in stands.steps(at("2025-03-20"))] == ["reminded", "warned", "suspended:F2"]


@given(
    st.lists(st.tuples(st.sampled_from(load_workflow().statuses), st.integers(0, 200)), min_size=1, max_size=8),
    st.integers(0, 400), st.integers(0, 400),
)  # fmt: skip
def test_what_was_said_stays_said(walk: list[tuple[str, int]], one: int, other: int) -> None:
    """The steps up to a moment are the first of those up to a later one."""
    begin, day = at("2024-01-01"), 0
    moves = []
    for status, days in walk:
        day += days
        moves.append(Moved(status, begin + timedelta(days=day), {}))
    early, late = sorted((begin + timedelta(days=one), begin + timedelta(days=other)))
    for run in runs(moves, CLOCKS):
        if run.stopped is None or run.stopped <= early:
            few, many = run.steps(early), run.steps(late)
            assert many[: len(few)] == few
        assert run.stopped is None or run.stopped >= run.started
