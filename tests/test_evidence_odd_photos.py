"""Photos as odd cameras write them: an entry that cannot be so is unknown, and what was not read is not denied."""

import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import GPS
from PIL.TiffImagePlugin import IFDRational

from evidence.exif import read_picture
from evidence.media import media_type
from reports.exhibits import SIDE_PX, thumbnail
from reports.words import Language, Words
from tests.evidence_world import LIMITS, beside, exif_of, photo, true_photo
from tests.test_evidence_checks import checked, said

WEST = beside(270, 50)
RATIONAL, SIGNED_RATIONAL = 5, 10
UNREAD = "its EXIF could not be read: neither when nor where it was taken is known"


def with_error(place: tuple[float, float], metres: int) -> Any:
    """The EXIF of a photo whose error of position is a signed number, which Pillow reads but does not write."""
    data = bytearray(exif_of(place, 90, GPSHPositioningError=IFDRational(7)).tobytes())
    entry = data.index(struct.pack(">HHI", GPS.GPSHPositioningError, RATIONAL, 1))
    (place_of_value,) = struct.unpack_from(">I", data, entry + 8)
    struct.pack_into(">H", data, entry + 2, SIGNED_RATIONAL)
    struct.pack_into(">ii", data, len(b"Exif\0\0") + place_of_value, metres, 1)
    return bytes(data)


@pytest.mark.parametrize("metres", [-1, -1000])
def test_an_error_of_position_below_nought_is_unknown(tmp_path: Path, metres: int) -> None:
    path = photo(tmp_path / "a.jpg", with_error(WEST, metres))
    assert read_picture(path, LIMITS).error_m is None
    assert {*said(path).values()} == {"pass"}
    # As if it said nothing: 20 m of doubt beyond the 300 m.
    away = said(photo(tmp_path / "b.jpg", with_error(beside(270, 310), metres)))
    assert away["distance"] == "unknown"


@pytest.mark.parametrize("zone", ["+08:00", None])
def test_a_clock_that_was_never_set_spoils_no_photo(tmp_path: Path, zone: str | None) -> None:
    found = said(photo(tmp_path / "a.jpg", exif_of(WEST, 90, "0001:01:01 00:00:00", zone)))
    assert (found["whole"], found["time"], found["distance"]) == ("pass", "unknown", "pass")


def test_a_latitude_goes_north_or_south(tmp_path: Path) -> None:
    found = read_picture(photo(tmp_path / "a.jpg", exif_of(WEST, 90, GPSLatitudeRef="W")), LIMITS)
    assert (found.lat, found.lon) == (None, None)


def test_the_largest_photo_of_a_phone_is_read_and_shown(tmp_path: Path) -> None:
    Image.new("L", (16_320, 12_240), 90).save(tmp_path / "a.jpg", exif=exif_of(WEST, 90))
    assert {*said(tmp_path / "a.jpg").values()} == {"pass"}
    small = thumbnail((tmp_path / "a.jpg").read_bytes(), int(LIMITS.largest_pixels.value))
    (tmp_path / "b.jpg").write_bytes(small)
    with Image.open(tmp_path / "b.jpg") as shown:
        assert max(shown.size) == SIDE_PX


def test_exif_that_was_not_read_is_not_denied(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(4000))
    whole = true_photo(tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[:20])
    for name in ("a.heic", "b.jpg"):
        found = checked(tmp_path / name)
        assert found["exif"].why == UNREAD
        assert found["time"].why == "its EXIF could not be read: when it was taken is not known"
    assert Words(Language.ZH).why(UNREAD) == "EXIF 无法读取：拍摄时间和位置未知"
    assert checked(photo(tmp_path / "c.jpg"))["exif"].why.startswith("it has no EXIF")


@pytest.mark.parametrize("aside", [0.0, 0.0005])
def test_the_far_side_of_the_earth_is_not_the_spot(tmp_path: Path, aside: float) -> None:
    found = checked(photo(tmp_path / "a.jpg", exif_of((-80 + aside, -35.0005), 90)))
    assert found["distance"].said == "fail"
    assert "it was taken 20,00" in found["distance"].why


@pytest.mark.parametrize(
    ("brand", "media"), [(b"hevc", "image/heic"), (b"avif", "image/avif"), (b"3gp5", "video/mp4")]
)
def test_pictures_in_a_film_s_wrapping_are_pictures(tmp_path: Path, brand: bytes, media: str) -> None:
    (tmp_path / "a").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(4) + brand + bytes(4000))
    assert media_type(tmp_path / "a") == media
