"""The verbs of evidence: given, listed, checked, bundled, judged again; one sentence where something is wrong."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from cases.store import CaseFilter, open_store
from tests.bundle_world import judged_world
from tests.cases_world import new_url
from tests.evidence_world import beside, exif_of, photo, true_photo
from tests.test_cli import refusal, tiankan

pytestmark = pytest.mark.sqlite


@pytest.fixture
def county(tmp_path: Path) -> tuple[Path, str]:
    """A database and a case; its evidence lies beside the database."""
    store, case_id, _ = judged_world(tmp_path, new_url(tmp_path), True)
    store.engine.dispose()
    return tmp_path, case_id


def asked(county: tuple[Path, str], *words: object) -> tuple[int, Any]:
    code, out, err = tiankan("cases", "evidence", county[1], "--db", county[0] / "cases.db", "--json", *words)
    assert code in (0, 1), err
    return code, json.loads(out)


OFFICER = ("--kind", "photo", "--actor", "李伟", "--role", "county")
MAKER = ("--actor", "张敏", "--role", "city")


def test_the_whole_way_of_a_photo(county: tuple[Path, str]) -> None:
    folder, case_id = county
    middle = (114.0 + 0.00057, 37.9)
    case = open_store(str(folder / "cases.db")).cases(CaseFilter()).items
    shape = next(one for one in case if one.id == case_id).geometry
    middle = (shape.centroid.x, shape.centroid.y)
    path = photo(folder / "IMG_7.jpg", exif_of(beside(270, 100, *middle), 90))
    code, added = asked(county, "--add", path, *OFFICER, "--note", "from the road")
    assert (code, added["new"], added["usable"]) == (0, True, "yes")
    assert [one["said"] for one in added["checks"]] == ["pass"] * 7
    assert not asked(county, "--add", path, *OFFICER)[1]["new"]
    far = photo(folder / "far.jpg", exif_of(beside(270, 5000, *middle), 90))
    assert asked(county, "--add", far, *OFFICER)[1]["usable"] == "no"
    again = asked(county, "--add", far, *OFFICER, "--despite", "from the other side of the valley")[1]
    assert (again["new"], again["usable"]) == (True, "yes, despite it all")
    rows = asked(county)[1]
    assert [(row["name"], row["usable"]) for row in rows] == [
        ("IMG_7.jpg", "yes"), ("far.jpg", "no"), ("far.jpg", "yes, despite it all"),
    ]  # fmt: skip
    assert rows[0]["reference"] == f"sha256:{rows[0]['sha256']}"
    assert asked(county, "--check") == (0, [])
    made = asked(county, "--bundle", folder / "out.zip", *MAKER)[1]
    assert made["same"] is True
    code, out, _ = tiankan("cases", "replay-bundle", folder / "out.zip", "--json")
    found = json.loads(out)
    assert (code, found["same"], found["verdict"], found["sha256"]) == (
        0,
        True,
        "suspected_violation",
        made["sha256"],
    )
    code, out, _ = tiankan("cases", "replay-bundle", folder / "out.zip")
    assert (code, "suspected_violation" in out) == (0, True)
    kept = folder / "cases.evidence" / rows[0]["sha256"][:2] / rows[0]["sha256"]
    kept.unlink()
    code, faults = asked(county, "--check")
    assert (code, [fault["kind"] for fault in faults]) == (1, ["missing"])
    words = ("cases", "evidence", case_id, "--db", folder / "cases.db")
    assert "is missing from" in refusal(*words, "--bundle", folder / "b.zip", *MAKER)
    assert tiankan(*words)[0] == 0


def test_an_altered_bundle_is_named_and_exits_with_1(county: tuple[Path, str]) -> None:
    folder, _ = county
    asked(county, "--bundle", folder / "out.zip", *MAKER)
    data = (folder / "out.zip").read_bytes()
    (folder / "out.zip").write_bytes(data.replace(b'"kind": "opened"', b'"kind": "closed"'))
    code, out, _ = tiankan("cases", "replay-bundle", folder / "out.zip")
    assert (code, "events.json: was altered" in out, "sha256" in out) == (1, True, False)
    code, out, _ = tiankan("cases", "replay-bundle", folder / "out.zip", "--json")
    assert (code, json.loads(out)["sha256"]) == (1, None)
    assert "no zip" in refusal("cases", "replay-bundle", folder / "cases.db")


def test_a_bundle_that_would_be_a_folder_is_refused_before_it_is_told(county: tuple[Path, str]) -> None:
    folder, case_id = county
    (folder / "b.zip").mkdir()
    words = ("cases", "evidence", case_id, "--db", folder / "cases.db", "--bundle", folder / "b.zip", *MAKER)
    assert "b.zip: is a folder; give the path of a file" in refusal(*words)
    store = open_store(str(folder / "cases.db"))
    assert [event.kind for event in store.events(case_id)] == ["opened"]


@pytest.mark.parametrize("option", ["--note", "--actor"])
def test_a_text_that_is_not_utf_8_is_one_sentence(county: tuple[Path, str], option: str) -> None:
    folder, case_id = county
    words = ("cases", "evidence", case_id, "--db", folder / "cases.db", "--add", photo(folder / "a.jpg"))
    said = refusal(*words, *OFFICER, option, b"\xc0\xee".decode("utf-8", "surrogateescape"))
    assert f"{option}: '\\udcc0\\udcee' holds a byte that is no UTF-8" in said
    assert asked(county)[1] == []


def test_a_name_with_brackets_is_a_name(county: tuple[Path, str]) -> None:
    folder, case_id = county
    path = folder / "out [/b][red].zip"
    make = ("cases", "evidence", case_id, "--db", folder / "cases.db", "--bundle", path, *MAKER)
    for words in (make, ("cases", "replay-bundle", path)):
        code, out, err = tiankan(*words)
        assert (code, "[/b][red].zip" in out) == (0, True), err


def test_what_does_not_go_together_is_said(county: tuple[Path, str]) -> None:
    folder, case_id = county
    words = ("cases", "evidence", case_id, "--db", folder / "cases.db")
    path = true_photo(folder / "a.jpg")
    assert "ask for one at a time" in refusal(*words, "--check", "--bundle", folder / "b.zip")
    assert "go with --add FILE" in refusal(*words, "--kind", "photo")
    assert "--actor: is missing" in refusal(*words, "--add", path, "--kind", "photo")
    assert "cannot be read" in refusal(*words, "--add", folder / "none.jpg", *OFFICER)
    assert "no case has the id" in refusal(
        "cases", "evidence", "case-x", "--db", folder / "cases.db", "--check"
    )


def test_the_store_is_where_the_setting_says(county: tuple[Path, str]) -> None:
    folder, case_id = county
    words = (
        "cases",
        "evidence",
        case_id,
        "--db",
        folder / "cases.db",
        "--add",
        true_photo(folder / "a.jpg"),
        *OFFICER,
    )
    assert tiankan(*words, TIANKAN_EVIDENCE=str(folder / "elsewhere"))[0] == 0
    assert len([path for path in (folder / "elsewhere").rglob("*") if path.is_file()]) == 1
    assert "'nosuch' cannot be used" in refusal(*words, TIANKAN_EVIDENCE="nosuch://x")


@pytest.mark.parametrize("what", ["--add", "--bundle"])
def test_a_full_disk_is_one_sentence(county: tuple[Path, str], what: str) -> None:
    folder, case_id = county
    path = true_photo(folder / "a.jpg")
    words = ("cases", "evidence", case_id, "--db", folder / "cases.db")
    if what == "--bundle":
        asked(county, "--add", path, *OFFICER)
    given = ("--add", path, *OFFICER) if what == "--add" else ("--bundle", folder / "out.zip", *MAKER)
    err = refusal(*words, *given, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)))
    assert "could not be written" in err
    assert not (folder / "out.zip").exists()
    kept = [one for one in (folder / "cases.evidence").rglob("*") if one.is_file()]
    assert len(kept) == (what == "--bundle")


def test_a_bundle_is_known_again_as_one_that_was_made(county: tuple[Path, str]) -> None:
    folder, case_id = county
    asked(county, "--bundle", folder / "out.zip", *MAKER)
    words = ("cases", "replay-bundle", folder / "out.zip", "--db", folder / "cases.db")
    code, out, _ = tiankan(*words, "--json")
    (made,) = json.loads(out)["made"]
    assert (code, made["actor"], made["role"], made["same_file"]) == (0, "张敏", "city", True)
    assert "As its case's history tells" in tiankan(*words)[1]
    # One that nobody made here is none, though it is whole.
    other = folder / "other"
    other.mkdir()
    store, same_case, _ = judged_world(other, new_url(other), True)
    store.engine.dispose()
    assert same_case == case_id
    elsewhere = ("cases", "replay-bundle", folder / "out.zip", "--db", other / "cases.db")
    code, out, _ = tiankan(*elsewhere)
    assert (code, "tells of a bundle of this sum" in out) == (1, True)
    assert json.loads(tiankan(*elsewhere, "--json")[1])["made"] == []
    told = ("cases", "evidence", case_id, "--db", folder / "cases.db", "--bundle", folder / "b.zip")
    assert "--actor: is missing; a bundle is made by a named person" in refusal(*told)
    assert "role 'mayor' is unknown" in refusal(*told, "--actor", "a", "--role", "mayor")
    assert "made by a named person" in refusal(*told, "--actor", "tiankan", "--role", "city")
    assert not (folder / "b.zip").exists()
