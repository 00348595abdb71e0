"""Photos of a case that is cut: each part has in hand what shows it; the others wait for a photo of their own."""

import json
from pathlib import Path

import pytest

from cases.store import CaseStore
from evidence.adding import listed
from evidence.again import UNREAD, Again
from evidence.files import Files
from ground.errors import IllegalMove
from reports.retold import retold
from reports.words import Language, Words
from tests.cases_world import ROAD, rect
from tests.evidence_world import LIMITS, exif_of, files_in, give, photo
from tests.splits_world import THIRDS, cases, county, cut, degrees, file_of, is_whole, url_of, walk
from tests.test_cli import tiankan

ON_THE_WAY = (("city_review", "city", {}), ("province_review", "city", {}))


def spot(x: float, y: float) -> tuple[float, float]:
    (point,) = degrees(rect(x, y, x, y).centroid)
    return point.x, point.y


def proven(store: CaseStore, files: Files, folder: Path, despite: str = "") -> str:
    """The square of two hectares, proven by a photo from 60 m south of its middle that looks west."""
    (whole,) = cases(store)
    path = photo(folder / "w.jpg", exif_of(spot(100, -60), 275))
    added = give(store, files, whole.id, path, despite=despite)
    assert [one["said"] for one in added.evidence.checks if one["check"] == "direction"] == ["pass"]
    walk(store, whole.id, ("field_check", "county", {}))
    held = {"photo": added.evidence.reference, "field_evidence": "f 7"}
    walk(store, whole.id, ("proven", "county", held), *ON_THE_WAY)
    return whole.id


def test_the_part_that_a_photo_does_not_show_waits_for_another(tmp_path: Path) -> None:
    store, files = county(tmp_path), files_in(tmp_path)
    parts = cut(store, proven(store, files, tmp_path), look=Again(files, LIMITS)).parts
    reference = listed(store, parts[0].id)[0].reference
    # The east lies between 11° and 59° from there: not in a picture that looks toward 275°.
    assert [part.held.get("photo") for part in parts] == [reference, reference, None]
    assert [part.held["field_evidence"] for part in parts] == ["f 7"] * 3
    assert [part.status for part in parts] == ["province_review"] * 3
    said = [{one["check"]: one["said"] for one in listed(store, part.id)[0].checks} for part in parts]
    assert [(one["distance"], one["direction"], one["time"]) for one in said] == [
        ("pass", "pass", "pass"), ("pass", "pass", "pass"), ("pass", "fail", "pass"),
    ]  # fmt: skip
    last = store.events(parts[2].id)[-1]
    assert (
        "cut from" in last.reason
        and "w.jpg does not show this part (direction: it looks toward 275°" in last.reason
    )
    assert "w.jpg 不反映本部分（方向：镜头朝向 275°" in retold(last, Words(Language.ZH))
    assert "does not show" not in store.events(parts[0].id)[-1].reason
    find = ("violation", "province", {"reason": "no permit"})
    assert walk(store, parts[1].id, find).status == "violation"
    with pytest.raises(IllegalMove, match="photo"):
        walk(store, parts[2].id, find)
    east = give(store, files, parts[2].id, photo(tmp_path / "e.jpg", exif_of(spot(120, 50), 90), seed=2))
    find[2]["photo"] = east.evidence.reference
    assert walk(store, parts[2].id, find).status == "violation"
    assert is_whole(store)


def test_what_counts_in_spite_of_a_check_still_does(tmp_path: Path) -> None:
    store, files = county(tmp_path), files_in(tmp_path)
    (whole,) = cases(store)
    far = photo(tmp_path / "far.jpg", exif_of(spot(100, -5000), 0))
    added = give(store, files, whole.id, far, despite="taken by drone, the position is the pilot's")
    held = {"photo": f"{added.evidence.reference}; see also the film", "field_evidence": "f"}
    walk(store, whole.id, ("field_check", "county", {}))
    store.move(
        whole.id,
        "proven",
        ROAD,
        actor="李伟",
        role="county",
        evidence=held | {"photo": added.evidence.reference},
    )
    for part in cut(store, whole.id, look=Again(files, LIMITS)).parts:
        assert part.held["photo"] == added.evidence.reference


@pytest.mark.parametrize("spoil", ["gone", "altered", "nowhere"])
def test_a_photo_that_cannot_be_read_again_is_unknown(tmp_path: Path, spoil: str) -> None:
    store, files = county(tmp_path), files_in(tmp_path)
    whole = proven(store, files, tmp_path)
    (path,) = (each for each in (tmp_path / "evidence").rglob("*") if each.is_file())
    if spoil == "gone":
        path.unlink()
    elif spoil == "altered":
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[::-1])
    parts = cut(store, whole, look=Again(None if spoil == "nowhere" else files, LIMITS)).parts
    for part in parts:
        checks = {one["check"]: (one["said"], one["why"]) for one in listed(store, part.id)[0].checks}
        assert checks["direction"] == checks["distance"] == ("unknown", UNREAD)
        # Unknown is no pass: a part must bring a photo of its own, or the reason for this one.
        assert checks["time"][0] == "pass" and "photo" not in part.held
        last = store.events(part.id)[-1]
        assert f"w.jpg is not known to show this part (distance: {UNREAD})" in last.reason
        assert "无法确认 w.jpg 反映本部分（距离：" in retold(last, Words(Language.ZH))


def test_by_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, files = county(tmp_path), files_in(tmp_path)
    whole = proven(store, files, tmp_path)
    monkeypatch.setenv("TIANKAN_EVIDENCE", str(tmp_path / "evidence"))
    parts = file_of(tmp_path, *THIRDS)
    who = ("--actor", "王芳", "--role", "county", "--reason", "two owners", "--json", "--db", url_of(store))
    code, out, err = tiankan("cases", "split", whole, "--by", parts, *who)
    assert (code, err) == (0, "")
    made = [one["id"] for one in json.loads(out)["parts"]]
    assert ["photo" in store.case(part).held for part in made] == [True, True, False]
