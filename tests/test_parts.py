"""What a lawyer tries to find: two parts in one hand, a party unheard, proof swapped, false times."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely

from cases import waiting
from cases.people import people_of, person
from cases.records import Case
from cases.reported import Report, report
from cases.splitting import split
from cases.store import CaseFilter, CaseStore
from ground.errors import IllegalMove
from tests.cases_world import AUDITOR, ROAD, new_store, put, row_of_changes
from tests.spots_world import PHOTO, WAY, at, box, day, seen

TO_NOTICE = WAY["closed"][:-4]


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    """Two cases, suspected."""
    made = new_store(tmp_path)
    put(made, row_of_changes(2))
    return made


def halves(case: Case) -> list[shapely.Geometry]:
    west, south, east, north = case.bbox
    middle = (west + east) / 2
    return [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]


def first(store: CaseStore) -> str:
    return store.cases(CaseFilter()).items[0].id


def go(
    store: CaseStore, case: str, to: str, role: str, by: str, when: datetime | None = None, **given: str
) -> str:
    return store.move(case, to, ROAD, actor=by, role=role, evidence=given, at=when).status


def walk(store: CaseStore, case: str, until: str, when: datetime | None = None) -> None:
    for to, role, evidence in TO_NOTICE:
        go(store, case, to, role, AUDITOR if role == "legal" else "王芳", when, **evidence)
        if to == until:
            return


@pytest.mark.parametrize("name", ["王芳", " 王 芳", "王芳。", "王芳(县局)", "王\u200b芳"])
def test_who_worked_on_a_case_does_not_audit_it(store: CaseStore, name: str) -> None:
    case = first(store)
    walk(store, case, "investigation")
    with pytest.raises(IllegalMove, match=r"acts as legal \(this move\) and as county \(field_check\)"):
        go(store, case, "audited", "legal", name, legal_audit="agreed")
    with pytest.raises(IllegalMove, match=r"张敏 is legal .* who audits is none of the officers"):
        go(store, case, "audited", "legal", "张敏", legal_audit="agreed")
    assert go(store, case, "audited", "legal", AUDITOR, legal_audit="agreed") == "audited"


def test_who_audited_a_case_does_not_go_on_with_it(store: CaseStore) -> None:
    case = first(store)
    walk(store, case, "audited")
    with pytest.raises(IllegalMove, match=r"as legal .* and as county"):
        go(store, case, "notice", "county", AUDITOR)
    with pytest.raises(IllegalMove, match="none of the officers"):
        go(store, case, "notice", "county", "王芳", two_officers=f"李伟; 张敏; {AUDITOR}")
    assert go(store, case, "notice", "county", "王芳") == "notice"


def test_a_part_of_a_case_knows_who_worked_on_the_whole(store: CaseStore) -> None:
    case = first(store)
    for to, role, evidence in TO_NOTICE[:2]:
        go(store, case, to, role, AUDITOR, **evidence)
    parts = split(
        store, case, halves(store.case(case)), ROAD, actor="王芳", role="county", reason="two"
    ).parts
    for to, role, evidence in TO_NOTICE[2:-2]:
        go(store, parts[0].id, to, role, "王芳", **evidence)
    with pytest.raises(IllegalMove, match=r"as legal \(this move\) and as county"):
        go(store, parts[0].id, "audited", "legal", AUDITOR, legal_audit="agreed")


def test_a_part_is_not_proven_by_what_was_returned(store: CaseStore) -> None:
    case = first(store)
    for to, role, evidence in [*WAY["returned"], ("field_check", "county", PHOTO)]:
        go(store, case, to, role, "王芳", **evidence)
    parts = split(
        store, case, halves(store.case(case)), ROAD, actor="王芳", role="county", reason="two"
    ).parts
    assert [event.to_status for event in store.events(parts[0].id)] == ["field_check"]


def test_letters_tell_people_apart() -> None:
    assert people_of("李伟；李 伟; 李伟.；李伟（县局）; tiankan") == {"李伟"}
    assert person("1") == person("?!") == "" and person("Li  Wei") == person("LI-WEI")
    assert len(people_of("李伟1; 李伟2")) == 2 and len(people_of("Ґе; Ge")) == 2


def test_what_was_audited_is_added_to_and_never_replaced(store: CaseStore) -> None:
    case = first(store)
    walk(store, case, "audited")
    for given in (
        {"field_evidence": "record 12"}, {"photo": "another"}, {"two_officers": "赵六; 钱七"},
        {"field_evidence": "9; record 1"},
    ):  # fmt: skip
        with pytest.raises(IllegalMove, match=r"the legal audit rests on .* which is not replaced"):
            go(store, case, "notice", "county", "王芳", **given)
    added = {"field_evidence": "record 1； record 9", "two_officers": "李伟;张敏;赵六"}
    assert go(store, case, "notice", "county", "王芳", **added) == "notice"


@pytest.mark.parametrize("kind", ["statement", "waiver", "hearing"])
def test_a_party_speaks_to_the_notice_and_not_before(store: CaseStore, kind: str) -> None:
    case = first(store)
    go(store, case, "field_check", "county", "王芳", **{kind: "record"})
    for to, role, evidence in TO_NOTICE[1:]:
        go(store, case, to, role, AUDITOR if role == "legal" else "王芳", **evidence)
    with pytest.raises(IllegalMove, match="cannot go to decision yet"):
        go(store, case, "decision", "county", "王芳")


def test_a_hearing_without_its_record_was_none(store: CaseStore) -> None:
    case = first(store)
    walk(store, case, "notice")
    go(store, case, "hearing", "county", "王芳", hearing_request="letter")
    with pytest.raises(IllegalMove, match="cannot go to decision without hearing"):
        go(store, case, "decision", "county", "王芳")
    assert go(store, case, "decision", "county", "王芳", hearing="record 4") == "decision"


def test_a_clock_that_was_set_back_moves_nothing(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    case, behind = first(store), datetime.now(UTC) - timedelta(hours=1)
    go(store, case, "field_check", "county", "王芳")

    class Behind(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return behind if tz else behind.replace(tzinfo=None)

    monkeypatch.setattr(waiting, "datetime", Behind)
    with pytest.raises(IllegalMove, match=r"this machine's clock says .*, set it right"):
        go(store, case, "proven", "county", "王芳", **PHOTO)
    behind = store.events(case)[-1].at - timedelta(minutes=2)
    go(store, case, "proven", "county", "王芳", **PHOTO)
    last, before = store.events(case)[-1], store.events(case)[-2]
    assert last.at == before.at


@pytest.mark.parametrize("written", ["SHA256:{}", "ｓｈａ２５６：{}", "sha-256: {}", "see {}", "sha256={}"])
def test_however_it_is_written_a_file_is_looked_up(store: CaseStore, written: str) -> None:
    case = first(store)
    go(store, case, "field_check", "county", "王芳")
    with pytest.raises(IllegalMove, match=re.escape("photo: ") + ".* refers to no file"):
        go(store, case, "proven", "county", "王芳", photo=written.format("ab" * 32), field_evidence="f")


def test_what_was_audited_stands_on_its_outline(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    lon, lat = at(10, 10)
    said = Report(
        source="hotline",
        lon=lon,
        lat=lat,
        accuracy_m=30,
        at=day("04-01"),
        who="赵六",
        note="digging",
        region="140105",
    )
    case = report(store, said, ROAD).case_id
    walk(store, case, "notice", day("05-01"))
    was = store.case(case)
    seen(store, box(-20, -20, 60), pair_id="later")
    now = store.case(case)
    assert (now.change_id, now.area_m2) == (was.change_id, was.area_m2)
    assert store.events(case)[-1].kind == "joined"
