"""Evidence in the PDF of a case: listed, shown, on the map; missing and altered said; no report before it is there."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cases.store import CaseStore
from evidence.adding import Evidence
from evidence.files import Files
from evidence.verify import faults
from ground.errors import IllegalMove, Unreachable
from reports import exhibits
from reports.case_data import case_data
from reports.case_pdf import Wanted, case_pages, case_report, chips_of
from reports.case_sheet import sheet_of
from reports.exhibits import exhibits_of, thumbnail
from reports.words import Language, Words
from tests.cases_world import ROAD
from tests.evidence_world import LIMITS, beside, exif_of, files_in, give, photo
from tests.reports_world import AT, told_store
from tests.test_cli import refusal, tiankan

World = tuple[CaseStore, str, Files]


@pytest.fixture
def world(tmp_path: Path) -> World:
    store, case = told_store(tmp_path)
    return store, case, files_in(tmp_path)


def shot(
    world: World, folder: Path, name: str, metres: float = 110, azimuth: float | None = 90, **more: str
) -> Evidence:
    """A photo from so far west of the middle of the change, given; the change's edge lies 50 m nearer."""
    store, case, files = world
    middle = store.case(case).geometry.centroid
    exif = exif_of(beside(270, metres, middle.x, middle.y), azimuth)
    return give(store, files, case, photo(folder / name, exif, seed=len(name)), **more).evidence


def sheet(world: World, language: Language = Language.EN, files: Files | None = None) -> dict[str, Any]:
    store, case, kept = world
    data = case_data(store, case, ROAD)
    shown = exhibits_of(files or kept, data.given, LIMITS)
    return sheet_of(data, chips_of(data.outline, data.scenes), shown, Words(language), {})


def kept_at(files: Files, one: Evidence) -> Path:
    path = Path(files.root) / one.sha256[:2] / one.sha256
    path.chmod(0o644)
    return path


def wanted(files: Files | None, draft: bool = False, language: Language = Language.ZH) -> Wanted:
    return Wanted(language=language, at=AT, files=files, draft=draft)


def test_files_are_listed_and_photos_shown_with_place_and_direction(world: World, tmp_path: Path) -> None:
    one = shot(world, tmp_path, "IMG_1.jpg", note="from the road")
    made = sheet(world)
    (line,) = made["files"]
    assert line["cells"][:3] == ["1", "geotagged photo", f"IMG_1.jpg ({one.size / 1e3:.1f}\u00a0kB)"]
    assert line["cells"][3].replace("\u200b", "") == one.sha256
    assert line["cells"][4].endswith("UTC 李伟 (county)")
    assert line["said"] == [
        ["file whole, hash as given", False], ["checks when it was given: passed 7", False], ["from the road", False],
    ]  # fmt: skip
    (shown,) = made["photos"]["shown"]
    assert (shown["file"], shown["bad"], shown["failed"]) == ("photo1.jpg", False, [])
    assert shown["lines"][0] == "taken 2021-09-05 02:00 UTC · 李伟"
    assert shown["lines"][1].startswith("position: 113.99931") and shown["lines"][1].endswith("° N")
    assert shown["lines"][2] == "looks toward 90° · 60 m from the spot"
    assert made["events"][1][2:] == ["evidence given", "from the road · geotagged photo: № 1 IMG_1.jpg"]


def test_arrows_stand_where_photos_were_taken(world: World, tmp_path: Path) -> None:
    shot(world, tmp_path, "near.jpg")
    shot(world, tmp_path, "very far.jpg", 5000)
    shot(world, tmp_path, "without.jpg", 110, None)
    made = sheet(world)["map"]
    near, far, bare = made["views"]
    # From 110 m west of the middle of a change of 100 m to its eastern edge: 160 m, and a quarter more.
    assert made["box"][2] == pytest.approx(100 / 200, abs=0.001)
    assert made["box"][0] + made["box"][2] / 2 - near["x"] == pytest.approx(110 / 200, abs=0.001)
    assert (near["y"], near["azimuth"], near["outside"]) == (pytest.approx(0.5, abs=0.001), 90, False)
    assert (far["outside"], far["x"], far["number"]) == (True, pytest.approx(0.04), "2")
    assert bare["azimuth"] is None


def test_what_failed_is_shown_as_that(world: World, tmp_path: Path) -> None:
    shot(world, tmp_path, "far.jpg", 5000)
    why = "distance failed: it was taken 4,950 m from the change; at most 300 m show it"
    made = sheet(world)
    assert made["files"][0]["said"][1:] == [
        ["checks when it was given: passed 6, failed 1", False],
        [why, True],
    ]
    assert made["photos"]["shown"][0]["failed"] == [why]
    assert made["photos"]["shown"][0]["bad"]
    assert "evidence: geotagged photo" in made["lacking"]
    shot(world, tmp_path, "far.jpg", 5000, despite="over the valley")
    made = sheet(world)
    assert made["files"][1]["said"][-1] == ["counts all the same: over the valley", False]
    assert "evidence: geotagged photo" not in made["lacking"]


def test_a_position_on_another_datum_is_none(world: World, tmp_path: Path) -> None:
    store, case, files = world
    exif = exif_of(beside(270, 50, 114.0, 37.9), 90, GPSMapDatum="GCJ-02")
    give(store, files, case, photo(tmp_path / "a.jpg", exif))
    made = sheet(world)
    assert made["photos"]["shown"][0]["lines"][1:3] == [
        "position: unknown", "looks toward 90° · distance from the spot unknown",
    ]  # fmt: skip
    (failed,) = made["photos"]["shown"][0]["failed"]
    assert made["photos"]["shown"][0]["bad"] and failed.startswith(
        "distance unknown: its place is on the datum"
    )
    assert "evidence: geotagged photo" in made["lacking"]
    assert made["map"]["views"] == []


def test_a_spot_without_a_number_was_given_none(tmp_path: Path) -> None:
    store, case = told_store(tmp_path, region="")
    rows = dict(sheet((store, case, files_in(tmp_path)))["overview"])
    assert (rows["Spot number"], rows["Region code"]) == ("none was given", "unknown")


def test_a_missing_or_altered_file_is_said_and_never_shown(world: World, tmp_path: Path) -> None:
    store, case, files = world
    gone, altered, cut = (shot(world, tmp_path, name) for name in ("a.jpg", "bb.jpg", "ccc.jpg"))
    kept_at(files, gone).unlink()
    data = bytearray(kept_at(files, altered).read_bytes())
    data[len(data) // 2] ^= 1
    kept_at(files, altered).write_bytes(data)
    kept_at(files, cut).write_bytes(bytes(data[:-1])[: cut.size - 1])
    made = sheet(world)
    assert [line["said"][0][1] for line in made["files"]] == [True] * 3
    said = [line["said"][0][0] for line in made["files"]]
    assert said[0] == "file missing"
    assert said[1].startswith("altered: hash differs (it is ")
    assert said[2].startswith("altered: hash differs (it has ")
    assert [one["file"] for one in made["photos"]["shown"]] == [""] * 3
    assert [one["said"] for one in made["photos"]["shown"]] == said
    assert made["map"]["views"] == []
    assert made["lacking"][0] == "evidence: geotagged photo"
    names = ("a.jpg", "bb.jpg", "ccc.jpg")
    assert made["lacking"][2:5] == [
        f"evidence № {n} {name}: {why}" for n, (name, why) in enumerate(zip(names, said, strict=True), 1)
    ]
    assert case_report(store, case, ROAD, wanted(files, draft=True)).pdf[:5] == b"%PDF-"
    # The audit names the same.
    assert [fault.kind for fault in faults(store, files, case)] == ["missing", "altered", "size"]


def test_before_its_evidence_is_there_a_report_is_refused_or_a_draft(world: World, tmp_path: Path) -> None:
    store, case, files = world
    with pytest.raises(
        IllegalMove, match=r"at suspected: its report is not complete without photo \(.*, field_evidence \("
    ):
        case_report(store, case, ROAD, wanted(files))
    draft = case_report(store, case, ROAD, wanted(files, draft=True))
    assert draft.lacking == ["证据：举证照片", "证据：外业核查记录"]
    one = shot(world, tmp_path, "a.jpg")
    (tmp_path / "record.txt").write_text("新建厂房")
    give(store, files, case, tmp_path / "record.txt", kind="field_evidence")
    assert case_report(store, case, ROAD, wanted(files)).lacking == []
    store.move(case, "field_check", ROAD, actor="王小明", role="county")
    brought = {"photo": one.reference, "field_evidence": "17号"}
    store.move(case, "proven", ROAD, actor="王小明", role="county", evidence=brought)
    assert sheet(world)["evidence"] == [
        ["record of the field check", "17号"],
        ["geotagged photo", "№ 1 a.jpg"],
    ]
    kept_at(files, one).unlink()
    with pytest.raises(IllegalMove, match=r"at proven: .* photo \(.*; its file a.jpg is missing\); give it"):
        case_report(store, case, ROAD, wanted(files))


def test_what_was_found_wanting_is_brought_anew(world: World, tmp_path: Path) -> None:
    store, case, _ = world
    one = shot(world, tmp_path, "a.jpg")
    for to, role, brought in (
        ("field_check", "county", {}), ("proven", "county", {"photo": one.reference, "field_evidence": "f"}),
        ("city_review", "city", {}), ("returned", "city", {"reason": "another field"}),
    ):  # fmt: skip
        store.move(case, to, ROAD, actor="王小明", role=role, evidence=brought)
    assert sheet(world)["lacking"] == ["evidence: geotagged photo", "evidence: record of the field check"]
    shot(world, tmp_path, "again.jpg")
    assert sheet(world)["lacking"] == ["evidence: record of the field check"]


def test_a_draft_says_so_on_every_page(world: World) -> None:
    store, case, files = world
    pages = [case_pages(store, case, ROAD, wanted(files, draft=True)) for _ in range(2)]
    assert pages[0] == pages[1]
    for page in pages[0]:
        with Image.open(io.BytesIO(page)) as image:
            # The red of the mark over white, in 34 of 255 parts.
            colors = {color for _, color in image.convert("RGB").getcolors(1 << 24) or []}
        assert (246, 226, 221) in colors


def test_a_store_that_is_away_is_said(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, case, files = world
    shot(world, tmp_path, "a.jpg")
    data = case_data(store, case, ROAD)
    (one,) = exhibits_of(None, data.given, LIMITS)
    assert (one.state, one.why, one.thumbnail) == ("unread", "no_store", None)
    assert case_report(store, case, ROAD, wanted(None, draft=True, language=Language.EN)).lacking[-1] == (
        "evidence № 1 a.jpg: file not read, so not verified: nobody said where evidence lies"
    )

    def away(_digest: str) -> int:
        raise Unreachable("no answer")

    monkeypatch.setattr(files, "size", away)
    assert exhibits_of(files, data.given, LIMITS)[0].why == "no_answer"
    monkeypatch.undo()
    monkeypatch.setattr(exhibits, "MOST_READ", 10)
    assert exhibits_of(files, data.given, LIMITS)[0].why == "too_large"
    assert "`cases evidence --check` reads it" in sheet(world)["files"][0]["said"][0][0]


def test_pictures_that_cannot_be_shown_are_said(world: World, tmp_path: Path) -> None:
    store, case, files = world
    (tmp_path / "note.jpg").write_text("我到现场看过了。")
    give(store, files, case, tmp_path / "note.jpg")
    (shown,) = sheet(world)["photos"]["shown"]
    assert (shown["file"], shown["said"]) == ("", "it is no picture that can be opened here")
    with pytest.raises(OverflowError):
        thumbnail(photo(tmp_path / "a.jpg").read_bytes(), 1000)
    exif = exif_of()
    exif[0x0112] = 6
    for name in ("b.jpg", "b.heic"):
        made = thumbnail(photo(tmp_path / name, exif, (1600, 1200)).read_bytes(), 10**9)
        assert Image.open(io.BytesIO(made)).size == (480, 640)


def test_many_photos_are_all_listed_and_some_shown(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exhibits, "MOST_SHOWN", 2)
    for n in range(4):
        shot(world, tmp_path, f"{'x' * n}y.jpg")
    made = sheet(world)
    assert (len(made["files"]), len(made["photos"]["shown"])) == (4, 2)
    assert made["photos"]["more"].endswith("of 4 photos are shown; all are in the list.")


@pytest.mark.sqlite
def test_the_verb(world: World, tmp_path: Path) -> None:
    _, case, _ = world
    words = ("cases", "report", case, "--db", tmp_path / "cases.db", "--to", tmp_path / "a.pdf")
    said = refusal(*words)
    assert "its report is not complete without photo (" in said and "--draft" in said
    assert not (tmp_path / "a.pdf").exists()
    code, out, _ = tiankan(*words, "--draft")
    assert (code, (tmp_path / "a.pdf").read_bytes()[:5]) == (0, b"%PDF-")
    assert "Missing: 证据：举证照片" in out
