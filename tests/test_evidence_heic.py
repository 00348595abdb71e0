"""HEIC, in which phones keep their photos: read like JPEG, and what cannot be read is unknown."""

from pathlib import Path

from PIL.ExifTags import Base

from evidence.exif import read_picture
from tests.evidence_world import LIMITS, beside, exif_of, photo
from tests.test_evidence_checks import checked, said


def test_a_phone_s_heic_tells_what_its_jpeg_tells(tmp_path: Path) -> None:
    exif = exif_of(beside(270, 50), 90)
    told = [read_picture(photo(tmp_path / f"a.{suffix}", exif), LIMITS) for suffix in ("jpg", "heic")]
    assert told[0] == told[1]
    assert set(said(tmp_path / "a.heic").values()) == {"pass"}
    turned = exif_of(beside(270, 50), 90, focal_mm=26)
    turned[Base.Orientation] = 6
    jpeg, heic = [
        read_picture(photo(tmp_path / f"b.{suffix}", turned, (400, 300)), LIMITS)
        for suffix in ("jpg", "heic")
    ]
    assert heic.view_deg == jpeg.view_deg != told[0].view_deg


def test_a_heic_packed_in_another_way_is_unknown(tmp_path: Path) -> None:
    photo(tmp_path / "a.avif")
    data = (tmp_path / "a.avif").read_bytes()
    path = tmp_path / "a.heic"
    path.write_bytes(data[:8] + b"heic" + data[12:])
    assert said(path)["whole"] == "unknown"
    assert "packed in a way not known here" in checked(path)["whole"].why
