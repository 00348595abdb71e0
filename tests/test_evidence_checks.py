"""Photos against the spot, to the value: drawn in code, at places and directions whose answers are known by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import IFDRational

from evidence.checks import Check, File, Said, Spot, check_file, check_photo
from evidence.exif import read_picture
from evidence.limits import EVIDENCE_TOML, load_limits
from evidence.media import media_type
from evidence.sight import sight
from ground.errors import BadInput
from tests.evidence_world import GEOD, LIMITS, SPOT, beside, exif_of, photo, true_photo

BEFORE = datetime(2021, 5, 1, 3, tzinfo=UTC)
NOW = datetime(2021, 10, 1, tzinfo=UTC)
HERE = Spot(change=shapely.box(*SPOT), before=BEFORE)


def checked(path: Path, spot: Spot = HERE, handed_in: datetime = NOW, name: str = "") -> dict[str, Check]:
    file = File(name=name or path.name, media_type=media_type(path), size=path.stat().st_size)
    picture = read_picture(path, LIMITS)
    return {c.check: c for c in check_photo(file, picture, spot, handed_in=handed_in, now=NOW, limits=LIMITS)}


def said(path: Path, **more: Any) -> dict[str, str]:
    return {name: str(check.said) for name, check in checked(path, **more).items()}


def test_a_true_photo_passes_every_check(tmp_path: Path) -> None:
    found = checked(true_photo(tmp_path / "a.jpg"))
    assert {str(check.said) for check in found.values()} == {"pass"}
    assert [*found] == ["type", "size", "whole", "exif", "time", "distance", "direction"]
    assert found["distance"].why == "it was taken 50 m from the change"
    # 26 mm on film of 43.27 mm across the diagonal; 4 : 3, so 34.6 mm across: 2 · atan(17.3 / 26) = 67.3°.
    # The corners lie 55.6 m north and south of the line east: atan(55.5 / 50) = 48° on either side.
    assert found["direction"].why == "it looks toward 90°, 67° wide, and the change lies between 42° and 138°"
    assert found["time"].why == "it was taken on 2021-09-05 02:00 UTC, after the scene before"


def test_a_photo_taken_5_km_away_fails(tmp_path: Path) -> None:
    found = checked(photo(tmp_path / "far.jpg", exif_of(beside(270, 5000), 90)))
    assert found["distance"] == Check(
        "distance", Said.FAIL, "it was taken 5,000 m from the change; at most 300 m show it"
    )
    assert found["direction"].said == "pass"


@pytest.mark.parametrize(
    ("metres", "error", "answer"),
    [
        (290, None, "pass"),
        (310, None, "unknown"),
        (330, None, "fail"),
        (330, 40, "unknown"),
        (390, 40, "fail"),
    ],
)
def test_the_error_of_a_position_is_doubt_not_guilt(
    tmp_path: Path, metres: float, error: float | None, answer: str
) -> None:
    more = {} if error is None else {"GPSHPositioningError": IFDRational(error)}
    assert said(photo(tmp_path / "a.jpg", exif_of(beside(270, metres), 90, **more)))["distance"] == answer


@pytest.mark.parametrize(
    ("azimuth", "answer"),
    # The change lies between 42° and 138°. Half the picture is 33.7°, the compass 20°, the place asin(20/50) = 23.6°.
    [
        (90, "pass"),
        (42, "pass"),
        (0, "pass"),
        (325.3, "pass"),
        (324, "fail"),
        (214.7, "pass"),
        (216.5, "fail"),
        (270, "fail"),
    ],
)
def test_the_picture_looks_at_the_change_or_not(tmp_path: Path, azimuth: float, answer: str) -> None:
    assert said(photo(tmp_path / "a.jpg", exif_of(beside(270, 50), azimuth)))["direction"] == answer


def test_a_magnetic_needle_and_an_upright_picture_and_a_long_lens_see_otherwise(tmp_path: Path) -> None:
    def looks(azimuth: float, orientation: int = 1, focal_mm: int = 26, **more: Any) -> str:
        exif = exif_of(beside(270, 200), azimuth, focal_mm=focal_mm, **more)
        exif[Base.Orientation] = orientation
        return said(photo(tmp_path / "a.jpg", exif))["direction"]

    # From 200 m the change lies between 74.5° and 105.5°: 20° + asin(20/200) = 25.7° beyond half the picture.
    assert [looks(105.5 + 33.7 + 25.7 + off) for off in (-1, 1)] == ["pass", "fail"]
    assert [looks(105.5 + 33.7 + 25.7 + off, GPSImgDirectionRef="M") for off in (1, 12, 14)] == [
        "pass",
        "pass",
        "fail",
    ]
    # Upright: 2 · atan(43.27 / 2 · 0.6 / 26) = 53°.
    assert [looks(105.5 + 26.5 + 25.7 + off, orientation=6) for off in (-1, 1)] == ["pass", "fail"]
    # 120 mm: 2 · atan(17.3 / 120) = 16.4°.
    assert [looks(105.5 + 8.2 + 25.7 + off, focal_mm=120) for off in (-1, 1)] == ["pass", "fail"]


def test_on_the_change_itself_every_way_is_right_and_beside_it_none_can_be_told(tmp_path: Path) -> None:
    inside = checked(photo(tmp_path / "in.jpg", exif_of((100.0005, 35.0005), 270)))
    assert [inside[name].why for name in ("distance", "direction")] == [
        "it was taken on the change itself",
        "it was taken on the change itself, whichever way it looks",
    ]
    edge = said(photo(tmp_path / "edge.jpg", exif_of(beside(270, 15), 270)))
    assert (edge["distance"], edge["direction"]) == ("pass", "unknown")


def test_a_change_across_north_is_one_arc() -> None:
    seen = sight(shapely.box(99.99, 35.1, 100.01, 35.11), 100.0, 35.0)
    assert seen.first_deg == pytest.approx(360 - 4.7, abs=0.1)
    assert seen.width_deg == pytest.approx(9.4, abs=0.1)
    assert [round(seen.aside_deg(a), 1) for a in (0, 355.5, 4, 14.7, 180)] == [0, 0, 0, 10.0, 175.3]


@given(st.floats(0, 360), st.floats(30, 5000), st.floats(-179, 179), st.floats(-80, 80))
def test_distance_and_direction_hold_everywhere(
    azimuth: float, metres: float, lon: float, lat: float
) -> None:
    # A small square whose middle lies so far in that direction, wherever on earth the camera stands.
    x, y, _ = GEOD.fwd(lon, lat, azimuth, metres)
    ring = [GEOD.fwd(x, y, corner, 10)[:2] for corner in (45, 135, 225, 315)]
    if max(p[0] for p in ring) - min(p[0] for p in ring) > 180:
        return
    seen = sight(shapely.Polygon(ring), lon, lat)
    assert metres - 10.01 <= seen.distance_m <= metres
    assert seen.aside_deg(azimuth) == 0
    assert seen.width_deg <= 2 * 180
    assert seen.aside_deg((azimuth + 180) % 360) > 90 - 60


@pytest.mark.parametrize(
    ("taken", "zone", "answer", "why"),
    [
        ("2021:04:30 10:00:00", "+08:00", "fail", "before the scene of 2021-05-01 03:00 UTC"),
        ("2021:05:01 11:00:00", None, "pass", "2021-05-01 03:00 UTC"),
        ("2021:05:01 11:00:00", "+09:00", "fail", "it was taken on 2021-05-01 02:00 UTC, before"),
        ("2021:10:01 08:09:00", None, "pass", "2021-10-01 00:09 UTC"),
        ("2021:10:01 08:11:00", None, "fail", "which is yet to come"),
        ("2021:09:21 08:11:00", None, "fail", "after it was handed in on 2021-09-21 00:00 UTC"),
        ("0000:00:00 00:00:00", None, "unknown", "its EXIF does not say when it was taken"),
        (None, None, "unknown", "its EXIF does not say when it was taken"),
    ],
)
def test_a_false_time_is_seen(
    tmp_path: Path, taken: str | None, zone: str | None, answer: str, why: str
) -> None:
    handed_in = NOW - timedelta(days=10) if "handed in" in why else NOW
    path = photo(tmp_path / "a.jpg", exif_of(beside(270, 50), 90, taken, zone))
    found = checked(path, handed_in=handed_in)["time"]
    assert (str(found.said), why in found.why) == (answer, True), found


def test_satellites_tell_the_time_where_the_camera_does_not(tmp_path: Path) -> None:
    gps = {"GPSDateStamp": "2021:09:05", "GPSTimeStamp": (IFDRational(2), IFDRational(30), IFDRational(5))}
    path = photo(tmp_path / "a.jpg", exif_of(beside(270, 50), 90, None, None, **gps))
    assert read_picture(path, LIMITS).taken == datetime(2021, 9, 5, 2, 30, 5, tzinfo=UTC)


def test_what_is_not_known_never_passes(tmp_path: Path) -> None:
    bare = checked(photo(tmp_path / "bare.jpg"))
    assert {
        name: str(bare[name].said) for name in ("exif", "time", "distance", "direction")
    } == dict.fromkeys(("exif", "time", "distance", "direction"), "unknown")
    assert bare["time"].why == "it has no EXIF: when it was taken is not known"
    no_way = said(photo(tmp_path / "no_way.jpg", exif_of(beside(270, 50))))
    assert (no_way["exif"], no_way["distance"], no_way["direction"]) == ("unknown", "pass", "unknown")
    for more in ({"GPSMapDatum": "GCJ-02"}, {"GPSHPositioningError": IFDRational(2000)}):
        shifted = said(photo(tmp_path / "shifted.jpg", exif_of(beside(270, 5000), 90, **more)))
        assert (shifted["distance"], shifted["direction"]) == ("unknown", "unknown")
    # No fix yet: noughts.
    assert said(photo(tmp_path / "nought.jpg", exif_of((0, 0), 90)))["distance"] == "unknown"
    undated = said(true_photo(tmp_path / "a.jpg"), spot=Spot(change=HERE.change, before=None))
    assert undated["time"] == "unknown"


def test_spoiled_entries_are_unknown_ones(tmp_path: Path) -> None:
    exif = exif_of(beside(270, 50), 90, GPSLatitude=(IFDRational(35, 0), IFDRational(0), IFDRational(0)))
    assert said(photo(tmp_path / "a.jpg", exif))["distance"] == "unknown"
    exif = exif_of(beside(270, 50), 90, GPSLatitudeRef="X", GPSImgDirection=IFDRational(0, 0))
    found = read_picture(photo(tmp_path / "b.jpg", exif), LIMITS)
    assert (found.lat, found.azimuth, found.device) == (None, None, "Test Phone 1")


def test_a_file_that_is_not_what_it_says(tmp_path: Path) -> None:
    path = true_photo(tmp_path / "a.jpg")
    assert checked(path, name="a.png")["type"].why == "its name ends in .png, but its bytes are image/jpeg"
    assert [said(path, name=name)["type"] for name in ("A.JPG", "a.png", "photo")] == [
        "pass",
        "fail",
        "unknown",
    ]
    note = tmp_path / "note.jpg"
    note.write_text("我到现场看过了。")
    found = said(note)
    assert (found["type"], found["whole"], found["time"]) == ("fail", "fail", "unknown")


@pytest.mark.parametrize("suffix", [".jpg", ".heic", ".png", ".webp", ".tif", ".bmp"])
def test_a_picture_cut_short_is_found(tmp_path: Path, suffix: str) -> None:
    path = photo(tmp_path / f"a{suffix}", None if suffix == ".bmp" else exif_of(beside(270, 50), 90))
    assert said(path)["whole"] == "pass"
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(data[: int(len(data) * share)])
        assert said(path)["whole"] in ("fail", "unknown"), share
    # Of a JPEG its EXIF comes first and is still read; a HEIC knows where its end should be.
    if suffix == ".jpg":
        assert said(path)["distance"] == "pass"
    if suffix == ".heic":
        assert said(path)["whole"] == "fail"


def test_a_phone_s_picture_of_several_is_a_picture(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (60, 40), color) for color in ("red", "blue"))
    first.save(
        tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], exif=exif_of(beside(270, 50), 90)
    )
    found = said(tmp_path / "a.jpg")
    assert (found["type"], found["whole"], found["distance"]) == ("pass", "pass", "pass")


@given(st.sampled_from(["jpg", "heic"]), st.integers(0, 20_000), st.binary(min_size=1, max_size=40))
def test_no_spoiled_picture_is_a_traceback(tmp_path: Path, kind: str, at: int, junk: bytes) -> None:
    path, whole = tmp_path / f"a.{kind}", tmp_path / f"whole.{kind}"
    if not whole.exists():
        photo(whole, exif_of(beside(270, 50), 90), size=(80, 60))
    data = whole.read_bytes()
    at %= len(data)
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    assert len(checked(path)) == 7


def test_a_huge_photo_is_said_and_not_decoded(tmp_path: Path) -> None:
    path = true_photo(tmp_path / "a.jpg")
    tight = LIMITS.model_copy(
        update={
            "largest_photo_bytes": LIMITS.largest_photo_bytes.model_copy(update={"value": 1000.0}),
            "largest_pixels": LIMITS.largest_pixels.model_copy(update={"value": 1000.0}),
        }
    )
    file = File(name="a.jpg", media_type="image/jpeg", size=path.stat().st_size)
    found = {
        c.check: c
        for c in check_photo(file, read_picture(path, tight), HERE, handed_in=NOW, now=NOW, limits=tight)
    }
    assert found["size"].said == "fail"
    assert "a photo has at most 1,000" in found["size"].why
    assert (
        found["whole"].why
        == "whether it is whole is not known: it has 120,000 pixels, too many to be looked through"
    )
    assert found["distance"].said == "pass"


BYTES = {
    "a.pdf": (b"%PDF-1.7\n", "application/pdf"),
    "a.gpkg": (b"SQLite format 3\0" + bytes(100), "application/vnd.sqlite3"),
    "a.txt": ("证明。".encode(), "text/plain"),
    "b.txt": ("证明。".encode("gbk"), "text/plain"),
    "a.mp4": (b"\0\0\0\x18ftypmp42" + bytes(20), "video/mp4"),
    "a.heic": (b"\0\0\0\x18ftypheic" + bytes(20), "image/heic"),
    "c.txt": (b"BMW, seen at noon", "text/plain"),
    "a.bin": (bytes(range(256)), "application/octet-stream"),
    "a.docx": (b"PK\x03\x04 broken", "application/octet-stream"),
}


@pytest.mark.parametrize("name", BYTES)
def test_types_are_found_from_the_bytes(tmp_path: Path, name: str) -> None:
    data, kind = BYTES[name]
    (tmp_path / name).write_bytes(data)
    assert media_type(tmp_path / name) == kind
    (check,) = check_file(File(name=name, media_type=kind, size=len(data)), LIMITS)
    assert check.said == ("unknown" if kind == "application/octet-stream" else "pass")


def test_a_typo_in_evidence_toml_names_its_key(tmp_path: Path) -> None:
    text = EVIDENCE_TOML.read_text(encoding="utf-8")
    for old, new, said_so in (
        ("[farthest_m] ", "[furthest_m] ", "furthest_m: is not a known key"),
        ("value  = 300", "value  = -300", "farthest_m is -300; give a number above 0"),
        ("value  = 300", 'value  = "far"', "farthest_m.value"),
    ):
        (tmp_path / "e.toml").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(BadInput, match=said_so):
            load_limits(tmp_path / "e.toml")
