"""Faults of evidence as an officer meets them, by the verbs: each named, none usable, none in a report as good."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cases.store import CaseStore
from evidence.limits import load_limits
from ground.errors import IllegalMove
from tests.cases_world import ROAD
from tests.evidence_world import beside, exif_of, photo
from tests.reports_world import told_store
from tests.test_cli import refusal, tiankan

pytestmark = pytest.mark.sqlite
OFFICER = ("--kind", "photo", "--actor", "李伟", "--role", "county")
FUTURE = f"{datetime.now(UTC) + timedelta(days=400):%Y:%m:%d} 10:00:00"


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, CaseStore, str]:
    """A folder with a database, and a case in it."""
    store, case = told_store(tmp_path)
    return tmp_path, store, case


def verb(world: tuple[Path, CaseStore, str], *words: object) -> tuple[object, ...]:
    folder, _, case = world
    return ("cases", *words[:1], case, "--db", folder / "cases.db", *words[1:])


def added(world: tuple[Path, CaseStore, str], path: Path) -> dict[str, Any]:
    code, out, err = tiankan(*verb(world, "evidence", "--add", path, *OFFICER, "--json"))
    assert code == 0, err
    row: dict[str, Any] = json.loads(out)
    return row


def from_west(world: tuple[Path, CaseStore, str], metres: float = 110, **more: Any) -> Image.Exif:
    """The EXIF of a photo from so far west of the middle of the change."""
    middle = world[1].case(world[2]).geometry.centroid
    return exif_of(beside(270, metres, middle.x, middle.y), 90, **more)


def test_where_a_photo_is_a_file_words_are_none(world: tuple[Path, CaseStore, str]) -> None:
    _, store, case = world
    strict = ROAD.model_copy(update={"files": ["photo"]})
    store.move(case, "field_check", strict, actor="李伟", role="county")
    good = f"sha256:{added(world, photo(world[0] / 'good.jpg', from_west(world)))['sha256']}"

    def prove(reference: str) -> str:
        proof = {"photo": reference, "field_evidence": "record 7"}
        return store.move(case, "proven", strict, actor="李伟", role="county", evidence=proof).status

    for words in ("IMG_0412.jpg", f"{good}; and IMG_0413.jpg"):
        with pytest.raises(
            IllegalMove, match=r"photo: .* refers to no file; write sha256: and the 64 digits"
        ):
            prove(words)
    assert prove(good) == "proven"


def test_a_huge_file_is_refused_with_its_size(world: tuple[Path, CaseStore, str]) -> None:
    most = int(load_limits().largest_bytes.value)
    path = world[0] / "huge.mp4"
    with path.open("wb") as sink:
        sink.truncate(most + 1)
    said = refusal(*verb(world, "evidence", "--add", path, *OFFICER))
    assert f"huge.mp4: has {most + 1:,} bytes; evidence has at most {most:,} (evidence.toml)" in said
    assert not (world[0] / "cases.evidence").exists()


@pytest.mark.parametrize(
    ("name", "check", "said"),
    [
        ("far", "distance", "it was taken 4,950 m from the change; at most 300 m show it"),
        ("early", "time", "before the scene of 2021-05-01 03:00 UTC that does not show the change yet"),
        ("late", "time", "which is yet to come"),
        ("type", "type", "its name ends in .jpg, but its bytes are image/png"),
    ],
)
def test_what_fails_is_named_and_not_usable(
    world: tuple[Path, CaseStore, str], name: str, check: str, said: str
) -> None:
    folder, _, case = world
    exif = {
        "far": lambda: from_west(world, 5000),
        "early": lambda: from_west(world, taken="2021:04:01 10:00:00"),
        "late": lambda: from_west(world, taken=FUTURE),
        "type": lambda: from_west(world),
    }[name]()
    path = photo(folder / ("a.png" if name == "type" else "a.jpg"), exif)
    path = path.rename(folder / "given.jpg")
    row = added(world, path)
    (failed,) = [one for one in row["checks"] if one["said"] == "fail"]
    assert (failed["check"], said in failed["why"], row["usable"]) == (check, True, "no")
    tiankan(*verb(world, "move", "--to", "field_check", "--actor", "王小明", "--role", "county"))
    brought = ("--evidence", f"photo={row['reference']}", "--evidence", "field_evidence=17号")
    refused = refusal(
        *verb(world, "move", "--to", "proven", "--actor", "王小明", "--role", "county", *brought)
    )
    assert f"failed a check ({check}: " in refused
    report = refusal(*verb(world, "report", "--to", folder / "a.pdf"))
    assert f"case {case} at field_check: its report is not complete without photo (" in report


def test_without_exif_nothing_is_known_and_a_place_must_be(world: tuple[Path, CaseStore, str]) -> None:
    row = added(world, photo(world[0] / "bare.jpg"))
    said = {one["check"]: one["said"] for one in row["checks"]}
    assert said == {
        "type": "pass", "size": "pass", "whole": "pass",
        "exif": "unknown", "time": "unknown", "distance": "unknown", "direction": "unknown",
    }  # fmt: skip
    assert [one["check"] for one in row["checks"] if one.get("must")] == ["distance"]
    assert row["usable"] == "no"
    folder, _, case = world
    add = verb(
        world,
        "evidence",
        "--add",
        folder / "bare.jpg",
        "--kind",
        "photo",
        "--actor",
        "李伟",
        "--role",
        "county",
    )
    _, out, _ = tiankan(*add)
    said = " ".join(out.split())
    assert "It does not count yet: file " in said
    why = (
        "(bare.jpg) does not pass a check that it must (distance is unknown: it has no EXIF: where it was taken is not "
        f'known); give a reason for it: `tiankan cases evidence {case} --add FILE --kind photo --despite "reason" '
        "--actor NAME --role ROLE`"
    )
    assert why in said
    tiankan(*verb(world, "move", "--to", "field_check", "--actor", "王小明", "--role", "county"))
    brought = ("--evidence", f"photo={row['reference']}", "--evidence", "field_evidence=17号")
    move = verb(world, "move", "--to", "proven", "--actor", "王小明", "--role", "county", *brought)
    assert why in refusal(*move)
    tiankan(*add, "--despite", "an old camera")
    assert tiankan(*move)[0] == 0


@pytest.mark.parametrize("fault", ["altered", "missing", "cut"])
def test_audit_verify_names_a_file_that_is_not_as_it_was_given(
    world: tuple[Path, CaseStore, str], fault: str
) -> None:
    folder, _, case = world
    row = added(world, photo(folder / "IMG_1.jpg", from_west(world)))
    audit = ("audit", "verify", "--db", folder / "cases.db")
    assert tiankan(*audit)[0] == 0
    kept = folder / "cases.evidence" / row["sha256"][:2] / row["sha256"]
    kept.chmod(0o644)
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data if fault == "altered" else data[:-1])
    if fault == "missing":
        kept.unlink()
    code, out, _ = tiankan(*audit, "--json")
    (text,) = json.loads(out)["files"]
    assert code == 1
    assert text.startswith(f"evidence 1 of case {case} (IMG_1.jpg, sha256 {row['sha256'][:16]}…): its file ")
    told = tiankan(*verb(world, "report", "--draft", "--lang", "en", "--to", folder / "a.pdf"))[1]
    said = "file missing" if fault == "missing" else "altered: hash differs"
    assert f"evidence № 1 IMG_1.jpg: {said}" in told
    # Nor does a move rest on it.
    tiankan(*verb(world, "move", "--to", "field_check", "--actor", "王小明", "--role", "county"))
    brought = ("--evidence", f"photo={row['reference']}", "--evidence", "field_evidence=17号")
    said = refusal(*verb(world, "move", "--to", "proven", "--actor", "王小明", "--role", "county", *brought))
    how = "is missing from" if fault == "missing" else "was altered in"
    assert f"cannot go to proven: photo: file {row['sha256'][:16]}…: it {how}" in said
