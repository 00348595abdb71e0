"""The PDF of a case: complete in both languages, the same of the same, plain about what it lacks."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typst
from sqlalchemy import update

from cases.reported import Report as Place
from cases.reported import report as place_reported
from cases.store import CaseStore
from cases.workflow import load_workflow
from database.tables import ChangeRow, SceneRow
from ground.errors import BadInput, CannotWrite, NotFound
from reports import case_pdf, fonts, pages
from reports.case_data import case_data
from reports.case_pdf import Report, Wanted, case_pages, case_report, chips_of, write_case_report
from reports.case_sheet import printable, sheet_of
from reports.in_hand import needed
from reports.land_table import land_table
from reports.words import Language, Words, load_words
from tests.cases_world import ROAD, new_store
from tests.reports_world import AT, LAND, PHOTO, told_store
from tests.test_cli import refusal, tiankan


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str]:
    return told_store(tmp_path)


def sheet(store: CaseStore, case: str, language: Language = Language.ZH) -> dict[str, Any]:
    data = case_data(store, case, ROAD)
    return sheet_of(data, chips_of(data.outline, data.scenes), [], Words(language), {})


def wanted(language: Language = Language.ZH, draft: bool = True, **more: Any) -> Wanted:
    return Wanted(**({"language": language, "at": AT, "draft": draft} | more))


def report(store: CaseStore, case: str, language: Language = Language.ZH, **more: Any) -> Report:
    return case_report(store, case, ROAD, wanted(language, **more))


def to_violation(store: CaseStore, case: str) -> None:
    for to, role, brought in (
        ("field_check", "county", {}), ("proven", "county", PHOTO), ("city_review", "city", {}),
        ("province_review", "city", {}), ("violation", "province", {"reason": "未批先建"}),
    ):  # fmt: skip
        store.move(case, to, ROAD, actor="王小明", role=role, evidence=brought)


@pytest.mark.parametrize("language", list(Language))
def test_a_report_is_a_pdf_the_same_of_the_same(world: tuple[CaseStore, str], language: Language) -> None:
    store, case = world
    one, other = (report(store, case, language) for _ in range(2))
    assert one.pdf[:5] == b"%PDF-"
    assert one.pdf == other.pdf
    assert len(case_pages(store, case, ROAD, wanted(language))) == 3


def test_the_hash_is_of_the_data_alone(world: tuple[CaseStore, str]) -> None:
    store, case = world
    zh, en = (report(store, case, language) for language in Language)
    assert zh.sha256 == en.sha256
    plain = json.loads(json.dumps(zh.said, default=lambda moment: moment.isoformat()))
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert zh.sha256 == hashlib.sha256(text.encode()).hexdigest()
    store.move(case, "field_check", ROAD, actor="王小明", role="county")
    assert report(store, case, Language.ZH).sha256 != zh.sha256


def test_the_sheet_says_what_is_known(world: tuple[CaseStore, str]) -> None:
    made = sheet(*world)
    assert made["number"] == "1401052021000001"
    assert made["finding"] == "疑似违法"
    assert made["finding_note"].startswith("机器线索，不是认定")
    assert ["监测面积", "6,000.00 m² (9.00 亩)"] in made["overview"]
    assert made["ledger"]["rows"][0] == ["耕地", "4,000.00", "6.00"]
    assert made["ledger"]["total"] == ["合计", "6,000.00", "9.00"]
    # Nobody crossed it with basic farmland: the ledger's figure is no measure.
    assert made["ledger"]["over"][0] == ["其中永久基本农田", "未知", "未知"]
    assert made["rule"]["conditions"] == []
    assert ["change_class", "building_appeared (新增建（构）筑物)"] in made["rule"]["seen"]
    assert made["lacking"] == ["证据：举证照片", "证据：外业核查记录"]
    assert len(made["map"]["points"]) == 4


def test_only_a_person_makes_it_a_violation(world: tuple[CaseStore, str]) -> None:
    store, case = world
    store.move(case, "field_check", ROAD, actor="王小明", role="county")
    assert sheet(*world, Language.EN)["finding"] == "suspected violation"
    store.move(case, "proven", ROAD, actor="王小明", role="county", evidence=PHOTO)
    for to, role in (("city_review", "city"), ("province_review", "city")):
        store.move(case, to, ROAD, actor="李红", role=role)
    assert sheet(*world, Language.EN)["finding"] == "suspected violation"
    store.move(case, "violation", ROAD, actor="赵强", role="province", evidence={"reason": "未批先建"})
    made = sheet(*world, Language.EN)
    assert made["finding"] == "violation (said by a named person)"
    assert made["finding_note"].startswith("found by 赵强 (province) on ")
    assert made["lacking"] == []


def test_who_reports_a_place_finds_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    said = Place(source="citizen", lon=112.5, lat=37.8, accuracy_m=30, at=AT, who="村民", note="建房")
    made = sheet(store, place_reported(store, said, ROAD).case_id, Language.EN)
    assert (made["finding"], made["finding_note"][:22]) == ("doubt", "A machine's clue, not ")


def test_who_withdraws_a_case_said_so(world: tuple[CaseStore, str]) -> None:
    store, case = world
    to_violation(store, case)
    for to, role, brought in (
        ("filed", "county", {}), ("investigation", "county", {"two_officers": "李伟; 张敏"}),
        ("withdrawn", "legal", {"reason": "批准在先", "document": "d", "legal_audit": "同意"}),
    ):  # fmt: skip
        actor = "周正" if role == "legal" else "王小明"
        store.move(case, to, ROAD, actor=actor, role=role, evidence=brought)
    made = sheet(*world, Language.EN)
    assert (made["finding"], made["finding_note"][:14]) == ("other", "found by 周正 (l")


def test_what_is_lacking_stands_on_the_first_page(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    store, case = world
    (tmp_path / "before.tif").unlink()
    with store.transaction(writes=True) as session:
        session.execute(update(ChangeRow).values(before=None, region=""))
        session.execute(update(SceneRow).where(SceneRow.name == "after").values(href="gone.tif"))
    made = sheet(store, case, Language.EN)
    assert made["number"] == case
    assert made["lacking"][2:] == [
        "the region is unknown",
        "the date of the scene Before is unknown",
        "scene Before: The scene's file is gone or was changed: no picture.",
        "scene After: The scene's file is gone or was changed: no picture.",
    ]
    assert [one["file"] for one in made["chips"]] == ["", ""]
    assert report(store, case, Language.EN).pdf[:5] == b"%PDF-"


def test_without_ledger_pair_and_rulebook_a_report_is_still_made(tmp_path: Path) -> None:
    store, case = told_store(tmp_path, land={}, scenes=[], pair={}, rulebooks=[])
    made = sheet(store, case, Language.EN)
    assert made["ledger"] is None
    assert made["rule"]["conditions"] is None
    assert "area ledger: no land-use layer was crossed" in made["lacking"]
    assert "scene After: No scene is recorded for this date." in made["lacking"]
    assert report(store, case, Language.ZH).pdf[:5] == b"%PDF-"


def test_forty_events_and_long_names_stay_on_their_pages(world: tuple[CaseStore, str]) -> None:
    store, case = world
    to_violation(store, case)
    for _ in range(9):
        for to, role, brought in (
            ("objection", "county", {"reason": "x" * 400}), ("city_review", "city", {}),
            ("province_review", "city", {}),
            ("violation", "province", {"reason": "照片方位角与图斑不符" * 9}),
        ):  # fmt: skip
            store.move(case, to, ROAD, actor="欧阳·买买提·阿不都热合曼" * 3, role=role, evidence=brought)
    assert len(sheet(store, case)["events"]) == 42
    assert len(case_pages(store, case, ROAD, wanted(Language.ZH))) >= 5


def test_text_is_printable() -> None:
    made = printable({"a": ["b\u0000c\u200ed", "x" * 50, 3]})
    assert made["a"][0] == "b c d"
    assert made["a"][1].replace("\u200b", "") == "x" * 50
    assert max(len(part) for part in made["a"][1].split("\u200b")) == 8
    assert printable("未批先建，" * 20) == "未批先建，" * 20


@pytest.mark.parametrize("word", ["Ж" * 60, "é" * 60, "e\u0301" * 60, "ع" * 60])
def test_long_words_of_any_letters_break(word: str) -> None:
    made = printable(word)
    assert made.replace("\u200b", "") == word
    assert max(map(len, made.split("\u200b"))) <= 10
    assert not any(part.startswith("\u0301") for part in made.split("\u200b"))


@pytest.mark.parametrize("language", list(Language))
def test_a_case_on_hundreds_of_parcels_is_set(
    world: tuple[CaseStore, str], monkeypatch: pytest.MonkeyPatch, language: Language
) -> None:
    data = case_data(*world, ROAD)
    data.said["judgement"]["seen"] = {
        "permits_numbers": ", ".join(f"晋政地字〔2019〕{number}号" for number in range(300))
    }
    monkeypatch.setattr(case_pdf, "case_data", lambda *_: data)
    assert len(case_pages(*world, ROAD, wanted(language))) >= 4


def test_the_printed_ledger_closes() -> None:
    third = {"cultivated": 1000 / 3, "unused": 1000 / 3, "construction": 1000 / 3}
    table = land_table(
        {"area_m2": 1000.0, "group_m2": third, "group_mu": dict.fromkeys(third, 0.5)}, 1000.0, {}
    )
    assert table is not None
    assert sorted(table.m2.values()) == [333.33, 333.33, 333.34]
    assert table.closes
    # From before m² were kept by group they follow from 亩.
    old = land_table({"area_m2": 6000.0, "group_mu": {"cultivated": 6.0, "unused": 3.0}}, 6000.0, {})
    assert old is not None
    assert (old.m2, old.from_mu) == ({"cultivated": 4000.0, "unused": 2000.0}, True)
    wrong = land_table({"area_m2": 900.0, "group_mu": {"cultivated": 1.35}}, 1000.0, {})
    assert wrong is not None
    assert (wrong.closes, wrong.gap_m2) == (False, -100.0)
    over = land_table(LAND, 6000.0, {"basic_farmland_m2": 1000.0, "redline_share": None})
    assert over is not None
    assert (over.basic_m2, over.redline_m2) == (1000.0, None)


def test_every_status_and_kind_of_evidence_has_words_and_needs() -> None:
    words = load_words()
    road = load_workflow()
    assert set(road.statuses) <= set(words["status"])
    assert set(road.evidence) <= set(words["evidence"])
    assert needed(road, "audited") == ["photo", "field_evidence", "two_officers", "legal_audit"]
    template = (Path(pages.FOLDER) / "case.typ").read_text(encoding="utf-8")
    assert set(re.findall(r"\bL\.([a-z_0-9]+)", template)) <= set(words["label"])


def test_no_font_no_boxes(world: tuple[CaseStore, str], monkeypatch: pytest.MonkeyPatch) -> None:
    store, case = world
    monkeypatch.setattr(fonts, "faces", lambda _from_system: [])
    with pytest.raises(
        BadInput, match=r"no font on this machine holds .* and .* more; install a font that does"
    ):
        report(store, case, Language.ZH)


def test_a_character_that_no_font_holds_is_named(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    store, case = world
    store.move(case, "field_check", ROAD, actor="\U000f1234王", role="county")
    if store.engine.dialect.name == "sqlite":
        words = (
            "cases",
            "report",
            case,
            "--db",
            tmp_path / "cases.db",
            "--draft",
            "--to",
            tmp_path / "x.pdf",
        )
        assert "(U+F1234)" in refusal(*words)
        assert not (tmp_path / "x.pdf").exists()
    with pytest.raises(BadInput, match=r"\(U\+F1234\)"):
        report(store, case, Language.ZH)


def test_the_wheel_s_font_will_do() -> None:
    chosen = fonts.chosen_for("疑似违法 suspected violation m² 亩 → ≥")
    assert chosen.families == ["Noto Sans CJK TC"]
    assert isinstance(chosen.fonts, typst.Fonts)


def test_a_full_disk_leaves_nothing(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite, match="could not be written"):
        write_case_report(*world, ROAD, tmp_path / "file" / "x.pdf", wanted())
    with pytest.raises(NotFound):
        write_case_report(world[0], "case-none", ROAD, tmp_path / "x.pdf", wanted())
    assert not (tmp_path / "x.pdf").exists()


@pytest.mark.sqlite
def test_the_verb(world: tuple[CaseStore, str], tmp_path: Path) -> None:
    words = ("cases", "report", world[1], "--db", tmp_path / "cases.db", "--draft", "--at", "2026-01-01")
    code, out, _ = tiankan(*words, "--to", tmp_path / "a.pdf", "--lang", "en", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["sha256"] == report(*world, Language.EN).sha256
    assert said["lacking"] == ["evidence: geotagged photo", "evidence: record of the field check"]
    assert tiankan(*words, "--to", tmp_path / "b.pdf", "--lang", "en")[0] == 0
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert "use zh or en" in refusal(*words, "--to", tmp_path / "c.pdf", "--lang", "fr")
    assert "end it with .pdf" in refusal(*words, "--to", tmp_path / "c.doc")
