"""The road of a case: the clue-penalty lock holds for any workflow, any person and any order of moves."""

import tomllib
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cases.workflow import (
    BEFORE,
    LOCK,
    PENALTY,
    WORKFLOW_TOML,
    Workflow,
    check_evidence,
    check_move,
    load_workflow,
)
from ground.errors import BadInput, IllegalMove

ROAD = load_workflow()
ON_THE_ROAD = ROAD.statuses[:-2]  # but split, merged
RAW = tomllib.loads(WORKFLOW_TOML.read_text(encoding="utf-8"))
ENDS = {"closed", "signed_off", "withdrawn"}
EVERYTHING = dict.fromkeys(ROAD.evidence, "record 7") | {
    "two_officers": "Li Wei; Zhang Min",
    **dict.fromkeys(ROAD.days, "2026-06-30"),
}
START = st.sampled_from(sorted(ROAD.start.values()))


def moved(status: str, to: str, role: str, held: dict[str, str], actor: str = "Li Wei") -> str:
    return check_move(ROAD, "case-1", status, to, actor=actor, role=role, held=held).to


def road_to(goal: str) -> list[tuple[str, str, str]]:
    """The shortest way from a start to a status: (from, to, role) a step."""
    ways: dict[str, list[tuple[str, str, str]]] = {status: [] for status in ROAD.start.values()}
    waiting = deque(ways)
    while waiting:
        here = waiting.popleft()
        for move in ROAD.from_status(here):
            if move.to not in ways:
                ways[move.to] = [*ways[here], (here, move.to, move.roles[0])]
                waiting.append(move.to)
    return ways[goal]


@pytest.mark.parametrize("status", ON_THE_ROAD)
def test_every_status_can_be_reached_and_left(status: str) -> None:
    for step in road_to(status):
        moved(*step, held=EVERYTHING)
    assert (ROAD.from_status(status) == []) == (status in ENDS)


def test_from_everywhere_some_end_can_be_reached() -> None:
    open_ended, closes = set(ON_THE_ROAD) - ENDS, set(ENDS)
    while grown := {s for s in open_ended - closes if any(m.to in closes for m in ROAD.from_status(s))}:
        closes |= grown
    assert closes == set(ON_THE_ROAD)


def test_the_shortest_road_to_a_decision_passes_every_hand() -> None:
    assert [(to, role) for _, to, role in road_to("decision")] == [
        ("field_check", "county"), ("proven", "county"), ("city_review", "city"), ("province_review", "city"),
        ("violation", "province"), ("filed", "county"), ("investigation", "county"), ("audited", "legal"),
        ("notice", "county"), ("decision", "county"),
    ]  # fmt: skip


def with_move(**arrow: Any) -> dict[str, Any]:
    return RAW | {"move": [*RAW["move"], {"role": ["county"], "needs": []} | arrow]}


ALL_BUT = st.sets(st.sampled_from(sorted(LOCK)), max_size=2).map(sorted)


@given(needs=ALL_BUT, to=st.sampled_from(["notice", "decision"]), origin=st.sampled_from(ON_THE_ROAD))
def test_no_arrow_into_notice_or_decision_without_the_lock(needs: list[str], to: str, origin: str) -> None:
    with pytest.raises(
        ValidationError, match=r"must need .*a clue is no proof|may start at |must wait|the record"
    ):
        Workflow.model_validate(with_move(**{"from": [origin], "to": to, "needs": needs}))


@given(
    needs=ALL_BUT,
    to=st.sampled_from(sorted(PENALTY)),
    origins=st.lists(st.sampled_from(ON_THE_ROAD), min_size=1, max_size=3).filter(
        lambda o: not set(o) <= PENALTY
    ),
)
def test_no_arrow_into_the_penalty_from_outside_without_the_lock(
    needs: list[str], to: str, origins: list[str]
) -> None:
    arrow = {"from": origins, "to": to}
    with pytest.raises(ValidationError, match=r"a clue is no proof|reached from its legal audit"):
        Workflow.model_validate(with_move(**arrow, needs=needs))
    if set(origins) <= BEFORE[to]:
        needs = [*sorted(LOCK), *(["hearing"] if to == "decision" else [])]
        Workflow.model_validate(with_move(**arrow, needs=needs, wait={"clock": "defence"}))


@pytest.mark.parametrize("status", [*sorted(PENALTY), "violation"])
def test_the_machine_may_not_leave_a_case_where_only_a_person_may(status: str) -> None:
    start = {"suspected_violation": status, "doubt": "doubt"}
    with pytest.raises(ValidationError, match=f"start may not leave suspected_violation at '{status}'"):
        Workflow.model_validate(RAW | {"start": start})


def test_no_arrow_is_given_to_the_machine() -> None:
    with pytest.raises(ValidationError, match="the move to 'violation' may not be made by role 'machine'"):
        Workflow.model_validate(with_move(**{"from": ["suspected"], "to": "violation", "role": ["machine"]}))


TYPOS = [
    ('apart    = ["legal"]', 'apart    = ["city"]', "apart must hold 'legal': who audits a case has no other part"),
    ('apart    = ["legal"]', 'apart    = ["legal", "citty"]', r"apart holds 'citty', which \[role\] does not list"),
    ('to    = "proven"', 'too = "proven"', r"move\.1\.too: is not a known key; allowed are clears, from"),
    (', doubt = "doubt" }', "}", r"start must name a status for each of doubt, suspected_violation"),
    ('from  = ["field_check"]', 'from = ["feld_check"]', r"starts at 'feld_check', where no case ever comes"),
    ('needs = ["photo", "field_evidence"]', 'needs = ["foto"]', r"needs 'foto', which \[evidence\] does not list"),
    ('wait  = { clock = "defence", unless = ["statement", "waiver"] }', "", "must wait: the party speaks before it is"),
    ('"legal_audit", "hearing"]', '"legal_audit"]', "from 'hearing' to 'decision' must need hearing, the record of it"),
    ("files = []", 'files = ["foto"]', r"needs 'foto', which \[evidence\] does not list"),
    ("effective_from = 2023-12-01", "", r"effective_from: is missing; add it"),
    ('needs = ["field_evidence", "two_officers", "legal_audit"]\n\n[[move]]\nfrom  = ["notice"]',
     'needs = ["field_evidence", "two_officers"]\n\n[[move]]\nfrom  = ["notice"]',
     r"the move to 'notice' must need legal_audit: a clue is no proof"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), TYPOS)
def test_a_typo_is_named_by_file_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = WORKFLOW_TOML.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "workflow.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=rf"workflow\.toml: .*{said}"):
        load_workflow(path)


REFUSED = [
    ("suspected", "decision", "county", {}, r"from suspected to decision; from here it can go to: field_check"),
    ("city_review", "closed", "city", {}, r"from here it can go to: province_review, returned"),
    ("closed", "decision", "county", {}, r"from here it can go to: nowhere, its road has ended"),
    ("suspected", "field_check", "city", {}, r"role 'city' may not move it from suspected to field_check; county may"),
    ("suspected", "field_check", "machine", {}, r"role 'machine' may not move it .*; county may"),
    ("field_check", "proven", "county", {"photo": "a.jpg"},
     r"cannot go to proven without field_evidence \(record of the field check 外业核查记录\)"),
    ("field_check", "proven", "county", {"photo": "a.jpg", "field_evidence": " \u200b\t"}, r"without field_evidence"),
    ("audited", "notice", "county", {}, r"without field_evidence \(.*\), two_officers \(.*\), legal_audit \(.*\)"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "to", "role", "held", "said"), REFUSED)
def test_a_refusal_says_what_is_possible_or_lacking(
    status: str, to: str, role: str, held: dict[str, str], said: str
) -> None:
    with pytest.raises(IllegalMove, match=f"case case-1.*{said}"):
        moved(status, to, role, held)


@pytest.mark.parametrize(
    "actor", ["", "  ", "tiankan", " TianKan ", "ｔｉａｎｋａｎ", "tian\u200bkan", "\u200b", "\x00"]
)
def test_a_move_is_made_by_a_named_person(actor: str) -> None:
    with pytest.raises(IllegalMove, match="a move is made by a named person; pass the name of the officer"):
        moved("suspected", "field_check", "county", {}, actor=actor)


ONE = [
    "李伟",
    "李伟;",
    "李伟; 李伟",
    "Li Wei; li  wei",
    "Li Wei；ＬＩ ＷＥＩ",
    "Li Wei and Zhang Min",
    ";",
    "李伟; tiankan",
]
TWO = ["李伟; 张敏", "李伟；张敏", "Li Wei;Zhang Min", " 李伟 ;; 张敏 ; 李伟", "Li Wei; Li Min"]


@pytest.mark.parametrize("names", ONE)
def test_one_person_is_not_two_officers(names: str) -> None:
    with pytest.raises(
        IllegalMove, match=r"does not name two people; write both names separated by a semicolon"
    ):
        moved("filed", "investigation", "county", {"two_officers": names})


@pytest.mark.parametrize("names", TWO)
def test_two_people_are(names: str) -> None:
    assert moved("filed", "investigation", "county", {"two_officers": names}) == "investigation"


def test_evidence_is_of_a_known_kind_and_refers_to_something() -> None:
    check_evidence(ROAD, {"photo": "IMG_0412.jpg"})
    with pytest.raises(IllegalMove, match=r"evidence 'foto' is unknown; use one of photo, field_evidence, "):
        check_evidence(ROAD, {"foto": "IMG_0412.jpg"})
    for nothing in ("", "  ", "\u200b"):
        with pytest.raises(IllegalMove, match="evidence 'photo' refers to nothing; give a document number"):
            check_evidence(ROAD, {"photo": nothing})


def test_only_the_legal_auditor_gives_the_legal_audit() -> None:
    check_evidence(ROAD, {"legal_audit": "opinion 3"}, "legal")
    with pytest.raises(
        IllegalMove, match="evidence 'legal_audit' is given by role legal only, not by 'county'"
    ):
        check_evidence(ROAD, {"legal_audit": "opinion 3"}, "county")


def test_a_person_says_violation_with_a_field_check_in_hand() -> None:
    arrow = {"from": ["doubt"], "to": "violation", "needs": ["photo", "reason"]}
    with pytest.raises(
        ValidationError, match="the move to 'violation' must need field_evidence: a clue is no proof"
    ):
        Workflow.model_validate(with_move(**arrow))
