"""What the machine wrote into histories reads as Chinese in a Chinese report; what people wrote stays as it is."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.records import Event
from cases.store import CaseFilter
from cases.ticking import tick
from reports.retold import noted, retold
from reports.words import Language, Words
from spots.carrying import Later, Past, decide, decide_report
from spots.policy import load_policy
from tests.cases_world import new_store
from tests.splits_world import cases, county, cut
from tests.spots_world import box, bring, seen
from tests.test_ticking import moment, opened

ZH, EN = Words(Language.ZH), Words(Language.EN)
POLICY = load_policy(date(2026, 1, 1))
DAY = datetime(2025, 6, 1, tzinfo=UTC)


def told(kind: str, reason: str, **evidence: str) -> Event:
    actor = "王芳" if kind == "moved" else "tiankan"
    return Event(
        serial=1, case_id="case-a", at=DAY, kind=kind, actor=actor, role="machine", from_status="suspected",
        to_status="suspected", reason=reason, evidence=evidence,
    )  # fmt: skip


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def unsaid(text: str) -> list[str]:
    """Clauses that stayed English."""
    clauses = re.split("; |；| · ", text)
    return [each for each in clauses if not re.search("[\u4e00-\u9fff]", each)]


@pytest.mark.parametrize(
    ("kind", "reason", "chinese"),
    [
        ("opened", "opened: suspected_violation by rule CN-9", "立件：疑似违法，依规则 CN-9"),
        (
            "carried",
            "carried: change ab12 (linear, 1600 m², doubt by rule R) is the same place, it shares 900 m²: 56% of it, "
            "60% of what was seen before, 41% of both; lawful since 2025-05-01 by 王芳 holds: linear, not beyond the "
            "outline that was judged",
            "沿用原结论：变化 ab12（线状地物，1600 m²，存疑，依规则 R）为同一地块，与既有图斑重叠 900 m²，"
            "占新图斑 56%、既有图斑 60%，交并比 41%；王芳 2025-05-01 作出的“合法”仍然有效：线状地物，未超出已判定范围",
        ),
        ("split", "公路占用 · cut into Q1_1, Q1_2", "公路占用 · 分割为 Q1_1, Q1_2"),
        (
            "joined", "joined: report by hotline: they dig; its point lies inside",
            "并入本案：12345热线举报：they dig；举报点位于图斑内",
        ),
        ("moved", "it grew by 12 m² beyond what was known", "it grew by 12 m² beyond what was known"),
        ("bundled", "bundle of 12 members, 3,456 bytes", "证据包，含 12 个文件，3,456 字节"),
    ],
)  # fmt: skip
def test_a_line_of_the_machine_is_said_in_chinese(kind: str, reason: str, chinese: str) -> None:
    assert retold(told(kind, reason), ZH) == chinese
    assert retold(told(kind, reason), EN) == reason


def test_the_note_of_a_chip_is_the_machine_s() -> None:
    note = "cut from scene S2A (ab12), sentinel-2, taken 2025-05-01 03:00 UTC; 34 × 34 pixels of the scene itself"
    said = "截自影像 S2A（ab12），sentinel-2，摄于 2025-05-01 03:00 UTC；影像原始像元 34 × 34"
    assert (noted("chip_after", note, ZH), noted("chip_after", note, EN)) == (said, note)
    assert noted("document", "drawn with the outline", ZH) == "drawn with the outline"


def test_a_clock_is_called_by_its_name_in_one_language() -> None:
    event = told(
        "lifted",
        "首次外业核查 first field check: was due on 2024-03-07, lifted to the city",
        clock="first_check",
    )
    assert retold(event, ZH) == "首次外业核查：截止日为 2024-03-07，已超期，升级至市级"
    assert retold(event, EN) == "first field check: was due on 2024-03-07, lifted to the city"
    # A clock that is called otherwise today: as it was written then.
    other = told("warned", "旧名 old name: was due on 2024-03-07", clock="first_check")
    assert retold(other, EN) == "旧名 old name: was due on 2024-03-07"


moments = st.none() | st.integers(-900, 900).map(lambda days: DAY + timedelta(days=days))
statuses = st.sampled_from(
    sorted({*POLICY.carry.verdicts, *POLICY.watch.rebound, *POLICY.watch.restored, "field_check"})
)
classes = st.sampled_from(["linear", "building_appeared", "vegetation_gain", "unclassified", "reported"])
pasts = st.builds(
    Past,
    case_id=st.just("case-a"), status=statuses, version=st.just(3), since=moments, by=st.sampled_from(["", "王芳"]),
    held=st.sampled_from([{}, {"valid_until": "2025-01-01"}, {"valid_until": "soon"}]),
    shapes=st.just([shapely.box(0, 0, 0.001, 0.001)]), classes=st.frozensets(classes, min_size=1),
    numbers=st.sampled_from([{}, {"approvals_numbers": frozenset({"晋1", "晋2"})}]),
)  # fmt: skip
laters = st.builds(
    Later,
    change_class=classes, before=moments, after=moments, area_m2=st.just(9000.0),
    shape=st.sampled_from([shapely.box(0, 0, 0.001, 0.001), shapely.box(0, 0, 0.003, 0.001)]),
    facts=st.sampled_from([{}, {"approvals_numbers": "晋1"}, {"approvals_numbers": "晋1, 晋2"}]),
)  # fmt: skip


@settings(max_examples=400)
@given(past=pasts, later=laters)
def test_whatever_comes_of_a_later_change_is_said_in_chinese(past: Past, later: Later) -> None:
    outcome, why = decide(past, later, POLICY)
    assert unsaid(retold(told(outcome, why), ZH)) == [], why


@settings(max_examples=200)
@given(past=pasts, at=moments.filter(lambda at: at is not None))
def test_whatever_comes_of_a_report_is_said_in_chinese(past: Past, at: Any) -> None:
    outcome, why = decide_report(past, at, POLICY)
    assert unsaid(retold(told(outcome, why), ZH)) == [], why


def test_histories_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = [new_store(made(tmp_path / name)) for name in ("clocks", "spots")] + [
        county(made(tmp_path / "splits"))
    ]
    opened(stores[0], 2, "2024-03-04", monkeypatch)
    tick(stores[0], moment("2024-05-08"))
    seen(stores[1], box(0, 0, 40))
    (first,) = stores[1].cases(CaseFilter()).items
    seen(stores[1], box(2, 2, 40), pair_id="second")
    bring(stores[1], first.id, "signed_off")
    seen(stores[1], box(6, 4, 60), box(200, 0, 10), pair_id="third", between=("06-01", "07-01"))
    (whole,) = cases(stores[2])
    cut(stores[2], whole.id)
    kinds = set()
    for store in stores:
        for case in store.cases(CaseFilter(), limit=50).items:
            for event in store.events(case.id):
                kinds.add(event.kind)
                if event.actor == "tiankan":
                    assert unsaid(retold(event, ZH)) == [], event.reason
    assert kinds >= {"opened", "reminded", "warned", "lifted", "joined", "rebound", "moved", "split"}
