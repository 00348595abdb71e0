"""What the road asks besides evidence: the party's time, order in time, other authorities, supervision, editions."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cases import history
from cases.store import CaseFilter, CaseStore
from cases.supervising import supervise, supervised
from cases.transfer import advice
from cases.workflow import WORKFLOW_TOML, check_evidence, load_workflow
from ground.errors import BadInput, IllegalMove
from tests.cases_world import AUDITOR, ROAD, new_store, put, row_of_changes
from tests.spots_world import WAY, bring
from tests.test_cli import tiankan

LINE = ROAD.transfer
TO_NOTICE = WAY["closed"][:-4]


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Two cases, suspected."""
    made = new_store(tmp_path)
    put(made, row_of_changes(2))
    return made


def first(store: CaseStore) -> str:
    return store.cases(CaseFilter()).items[0].id


def walk(store: CaseStore, case: str, steps: list[tuple[str, str, dict[str, str]]], at: datetime) -> None:
    for to, role, evidence in steps:
        actor = AUDITOR if role == "legal" else "王芳"
        store.move(case, to, ROAD, actor=actor, role=role, evidence=evidence, at=at)


def decide(store: CaseStore, case: str, at: datetime, **evidence: str) -> str:
    return store.move(case, "decision", ROAD, actor="王芳", role="county", evidence=evidence, at=at).status


def test_nothing_is_decided_while_the_party_may_speak(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, monday = first(store), datetime(2024, 3, 4, 2, tzinfo=UTC)

    class Monday(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            del tz
            return monday

    monkeypatch.setattr(history, "datetime", Monday)
    # Noticed on Monday 4 March 2024; five working days end with Monday the 11th, in the county's zone.
    walk(store, case, TO_NOTICE, monday)
    assert store.events(case)[-1].written_later is None
    assert store.case(case).status == "notice"
    last = datetime(2024, 3, 11, 15, 59, tzinfo=UTC)
    with pytest.raises(
        IllegalMove, match="runs until the end of 2024-03-11; wait, or bring statement or waiver"
    ):
        decide(store, case, last)
    assert decide(store, case, last + timedelta(minutes=1)) == "decision"


def test_a_notice_that_is_dated_back_wins_no_time(store: CaseStore) -> None:
    case, past = first(store), datetime(2024, 3, 4, 2, tzinfo=UTC)
    walk(store, case, TO_NOTICE, past)
    told = store.events(case)[-1]
    assert (told.at, told.to_status, told.written_later) == (past, "notice", told.recorded)
    for at in (past + timedelta(days=30), datetime.now(UTC)):
        with pytest.raises(IllegalMove, match="runs until the end of 20"):
            decide(store, case, at)
    assert store.case(case).status == "notice"
    code, out, _ = tiankan(
        "cases", "show", case, "--db", store.engine.url.render_as_string(hide_password=False)
    )
    assert (code, "recorded" in out) == (0, True)


@pytest.mark.parametrize("kind", ["statement", "waiver"])
def test_a_party_that_has_spoken_is_not_waited_for(store: CaseStore, kind: str) -> None:
    case, at = first(store), datetime(2024, 3, 4, 2, tzinfo=UTC)
    walk(store, case, TO_NOTICE, at)
    assert decide(store, case, at, **{kind: "record 9"}) == "decision"


def test_after_a_hearing_nothing_is_waited_for(store: CaseStore) -> None:
    case, at = first(store), datetime(2024, 3, 4, 2, tzinfo=UTC)
    walk(
        store,
        case,
        [*TO_NOTICE, ("hearing", "county", {"hearing_request": "letter", "hearing": "record"})],
        at,
    )
    assert decide(store, case, at) == "decision"


def test_moves_follow_each_other_in_time(store: CaseStore) -> None:
    case = first(store)
    noon = datetime(2026, 3, 4, 4, tzinfo=UTC)
    store.move(case, "field_check", ROAD, actor="李伟", role="county", at=noon)
    proof = {"photo": "p", "field_evidence": "f"}
    with pytest.raises(
        IllegalMove, match=r"moved to field_check by 李伟 at 2026-03-04T04:00:00\+00:00; no move"
    ):
        store.move(
            case, "proven", ROAD, actor="李伟", role="county", evidence=proof, at=noon - timedelta(seconds=1)
        )
    for wrong in (datetime.now(UTC) + timedelta(hours=1), datetime(2026, 3, 5)):
        with pytest.raises(IllegalMove, match="lies in the future or names no zone"):
            store.move(case, "proven", ROAD, actor="李伟", role="county", evidence=proof, at=wrong)
    assert (
        store.move(case, "proven", ROAD, actor="李伟", role="county", evidence=proof, at=noon).status
        == "proven"
    )


def test_the_police_give_back_or_settle(store: CaseStore) -> None:
    back, settled = (case.id for case in store.cases(CaseFilter()).items)
    at = datetime(2026, 3, 4, 4, tzinfo=UTC)
    for case in (back, settled):
        walk(store, case, [*WAY["violation"], ("police", "county", {"reason": "6 亩 of basic farmland"})], at)
    again = {"reason": "below the line", "document": "不予立案通知书"}
    with pytest.raises(IllegalMove, match="cannot go from police to investigation"):
        walk(store, back, [("investigation", "county", again | {"two_officers": "李伟; 张敏"})], at)
    walk(
        store,
        back,
        [("filed", "county", again), ("investigation", "county", {"two_officers": "李伟; 张敏"})],
        at,
    )
    walk(store, back, [("audited", "legal", {"legal_audit": "agreed"})], at)
    walk(store, settled, [("closed", "county", {"reason": "sentenced", "document": "judgment no. 3"})], at)
    assert [case.status for case in store.cases(CaseFilter()).items] == ["audited", "closed"]


def test_a_case_is_withdrawn_by_the_legal_auditor_alone(store: CaseStore) -> None:
    case, at = first(store), datetime(2026, 3, 4, 4, tzinfo=UTC)
    walk(store, case, WAY["closed"][:7], at)
    assert store.case(case).status == "investigation"
    why = {"reason": "the party is dead", "document": "撤销案件决定书"}
    with pytest.raises(IllegalMove, match="role 'county' may not move it"):
        walk(store, case, [("withdrawn", "county", why)], at)
    walk(store, case, [("withdrawn", "legal", why | {"legal_audit": "agreed"})], at)
    assert ROAD.from_status("withdrawn") == []


def test_a_party_that_convinces_ends_the_case(store: CaseStore) -> None:
    case, at = first(store), datetime(2026, 3, 4, 4, tzinfo=UTC)
    walk(store, case, WAY["closed"][:9], at)
    assert store.case(case).status == "notice"
    why = {"reason": "a permit of 2019 was shown", "document": "撤销案件决定书", "statement": "陈述申辩笔录"}
    with pytest.raises(IllegalMove, match="role 'county' may not move it"):
        walk(store, case, [("withdrawn", "county", why)], at)
    walk(store, case, [("withdrawn", "legal", why)], at)


def test_days_are_days_and_two_are_two_wherever_they_are_brought() -> None:
    check_evidence(ROAD, {"deadline": "2026-06-30", "two_officers": "李伟；张敏"})
    with pytest.raises(
        IllegalMove, match="'deadline': 'in June' is not a day of 1900 to 2200; write one like 2026-06-30"
    ):
        check_evidence(ROAD, {"deadline": "in June"})
    for far in ("9999-12-31", "0001-01-01"):
        with pytest.raises(IllegalMove, match="is not a day of 1900 to 2200"):
            check_evidence(ROAD, {"deadline": far})
    with pytest.raises(IllegalMove, match="'李伟;李伟' does not name two people"):
        check_evidence(ROAD, {"two_officers": "李伟;李伟"})


@pytest.mark.parametrize(
    ("basic", "classes", "said"),
    [
        (3334.0, None, "due"), (3333.0, {"0103": 3333.0}, "not due"), (0.0, {"0101": 6000.0, "0103": 700.0}, "due"),
        (0.0, {"0101": 6000.0, "0201": 700.0}, "not due"), (3000.0, {"0103": 9000.0}, "not due"),
        (None, {"0103": 9000.0}, "unknown"), (None, None, "unknown"), (3000.0, None, "unknown"),
        # Too small to matter, whatever part of it is basic farmland.
        (None, {"0103": 900.0}, "not due"),
    ],
)  # fmt: skip
def test_when_the_police_are_due(basic: float | None, classes: dict[str, float] | None, said: str) -> None:
    land = None if classes is None else {"class_m2": classes, "basic_m2": None}
    found = advice({"basic_farmland_m2": basic}, land, LINE)
    assert found is not None and found["said"] == said
    assert "法释〔2000〕14号" in found["why"]
    assert advice({}, land, None) is None
    assert advice({}, {"class_m2": {"0103": 4000.0}, "basic_m2": 4000.0}, LINE) == {
        "said": "due",
        "why": f"basic farmland 4000 m², the line is 3333 m² ({LINE.source})" if LINE else "",
    }


def test_supervision_is_told_in_the_history(store: CaseStore) -> None:
    case = first(store)
    supervise(store, case, level="city", actor="刘洋", role="city", reason="overdue by a month")
    (one,) = supervised(store)
    assert (one.case_id, one.level, one.actor, one.status) == (case, "city", "刘洋", "suspected")
    for level, role, reason, said in (
        ("city", "city", "again", "is under supervision of the city already"),
        ("province", "city", "grave", "may not put it under supervision at level 'province'"),
        ("city", "county", "r", "role 'county' may not"), ("province", "province", " ", "with a reason"),
    ):  # fmt: skip
        with pytest.raises(IllegalMove, match=said):
            supervise(store, case, level=level, actor="刘洋", role=role, reason=reason)
    supervise(store, case, level="province", actor="陈静", role="province", reason="grave")
    supervise(store, case, level="province", actor="陈静", role="province", reason="done", release=True)
    assert [one.level for one in supervised(store)] == ["city"]
    supervise(store, case, level="city", actor="刘洋", role="city", reason="done", release=True)
    with pytest.raises(IllegalMove, match="is not under supervision of the city"):
        supervise(store, case, level="city", actor="刘洋", role="city", reason="done", release=True)
    assert supervised(store) == [] and store.case(case).version == 1
    assert [e.kind for e in store.events(case)] == [
        "opened",
        "supervised",
        "supervised",
        "released",
        "released",
    ]


def test_the_verbs_of_supervision(store: CaseStore) -> None:
    case, db = first(store), store.engine.url.render_as_string(hide_password=False)
    words = (
        "cases",
        "supervise",
        case,
        "--level",
        "city",
        "--actor",
        "刘洋",
        "--role",
        "city",
        "--reason",
        "late",
    )
    assert tiankan(*words, "--db", db)[0] == 0
    code, out, _ = tiankan("cases", "supervised", "--db", db, "--json")
    assert (code, [row["case_id"] for row in json.loads(out)]) == (0, [case])
    code, _, err = tiankan(*words, "--db", db)
    assert (code, "already; it is said once" in err) == (2, True)
    code, out, _ = tiankan("cases", "show", case, "--db", db, "--json")
    assert (code, json.loads(out)["transfer"]["said"]) == (0, "unknown")


def test_the_edition_of_the_day_holds(tmp_path: Path) -> None:
    words = WORKFLOW_TOML.read_text(encoding="utf-8")
    (tmp_path / "workflow.toml").write_text(words, encoding="utf-8")
    later = words.replace("effective_from = 2023-12-01", "effective_from = 2027-01-01").replace(
        "[transfer]", "[transfer]\n# stricter"
    )
    (tmp_path / "workflow-2027.toml").write_text(later.replace("3333.33", "2000.0"), encoding="utf-8")
    lines = []
    for day in (date(2026, 12, 31), date(2027, 1, 1)):
        found = load_workflow(tmp_path / "workflow.toml", day).transfer
        lines.append(found.basic_farmland_m2 if found else None)
    assert lines == [3333.33, 2000.0]
    with pytest.raises(BadInput, match="no edition is effective on 2020-01-01"):
        load_workflow(tmp_path / "workflow.toml", date(2020, 1, 1))


def test_bringing_a_case_back_in_time_is_no_way_round(store: CaseStore) -> None:
    case = first(store)
    bring(store, case, "violation")
    with pytest.raises(IllegalMove, match="cannot go from violation to decision"):
        decide(store, case, datetime(2025, 6, 1, tzinfo=UTC))
