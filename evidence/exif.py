"""What a picture says of itself: whether it is whole, and where, when and whither it was taken (EXIF)."""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import GPS, IFD, Base

from evidence.limits import Limits
from evidence.media import HEIC, media_type
from ground.errors import one_line

pillow_heif.register_heif_opener()

DIAGONAL_MM = math.hypot(36, 24)
"""Of the film that focal lengths are compared by."""
# Pillow's own bound lies below that of evidence.toml, against which each picture is held before it is unpacked.
Image.MAX_IMAGE_PIXELS = None
OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
HEIF = "HEIF"
FORMATS = ("JPEG", HEIF, "PNG", "TIFF", "WEBP", "GIF", "BMP")
"""Pictures that are opened; of others some would start programs."""
TURNED = {5, 6, 7, 8}
"""EXIF orientations in which the picture stands upright when turned by a quarter."""
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
)
"""What Pillow raises on files that are cut short or spoiled; which, depends on the format and the byte."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`whole`: None where it could not be looked through; `fault`: why it is not, or could not. `has_exif`: likewise.

    Degrees of WGS 84; azimuth from north; None is unknown. `datum`: a datum that is not ours, else "".
    `view_deg`: across the picture, where it names its focal length.
    """

    whole: bool | None = None
    fault: str = ""
    has_exif: bool | None = False
    taken: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    datum: str = ""
    error_m: float | None = None
    azimuth: float | None = None
    magnetic: bool = False
    view_deg: float | None = None
    device: str = ""


def read_picture(path: Path, limits: Limits) -> Picture:
    """A picture looked through to its last byte, and its EXIF."""
    # Else it knows some of its formats only when all are tried.
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=FORMATS) as image:
                said = _said(image, limits)
                pixels = image.width * image.height
                if pixels > limits.largest_pixels.value:
                    return Picture(fault=f"it has {pixels:,} pixels, too many to be looked through", **said)
                return _looked_through(image, said)
        except UnidentifiedImageError:
            return _unidentified(path)
        except BROKEN as error:
            return Picture(whole=False, has_exif=None, fault=one_line(error, 100) or type(error).__name__)


def _unidentified(path: Path) -> Picture:
    """What Pillow does not open. It tells nobody why: a HEIC that lost its head or its end is asked again."""
    if media_type(path) == HEIC:
        try:
            pillow_heif.open_heif(path)
        except RuntimeError:
            pass  # A way of packing that is not known here.
        except BROKEN as error:
            return Picture(whole=False, has_exif=None, fault=one_line(error, 100) or type(error).__name__)
    return Picture(has_exif=None, fault="it is no picture of a kind that can be opened here")


def _looked_through(image: Image.Image, said: dict[str, Any]) -> Picture:
    try:
        # Of a HEIC it would be the little picture beside the great one that is read.
        if image.format != HEIF:
            # An eighth of a JPEG's size is read from all of its bytes, in a sixty-fourth of the memory.
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    except RuntimeError as error:
        return Picture(fault=f"its pixels are packed in a way not known here ({one_line(error, 60)})", **said)
    except BROKEN as error:
        return Picture(whole=False, fault=one_line(error, 100) or type(error).__name__, **said)
    return Picture(whole=True, **said)


def _said(image: Image.Image, limits: Limits) -> dict[str, Any]:
    """The fields that come from EXIF; a spoiled entry is an unknown one."""
    try:
        exif = image.getexif()
        whole, place = dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))
    except BROKEN:
        return {"has_exif": None}
    if not exif:
        return {}
    lon, lat = (
        _degrees(place, GPS.GPSLongitude, GPS.GPSLongitudeRef, {"E": 1, "W": -1}, 180),
        _degrees(place, GPS.GPSLatitude, GPS.GPSLatitudeRef, {"N": 1, "S": -1}, 90),
    )
    # Some receivers write noughts until they know where they are.
    known = lon is not None and lat is not None and (lon, lat) != (0, 0)
    datum = _text(place.get(GPS.GPSMapDatum))
    azimuth = _number(place.get(GPS.GPSImgDirection))
    error_m = _number(place.get(GPS.GPSHPositioningError))
    return {
        "has_exif": True,
        "taken": _taken(whole, place, limits.camera_zone_hours.value),
        "lon": lon if known else None,
        "lat": lat if known else None,
        "datum": "" if datum.upper() in {"", *map(str.upper, limits.datums)} else datum,
        # A spoiled entry may be below nought: then it is not known how wrong the place is.
        "error_m": error_m if error_m is not None and error_m >= 0 else None,
        "azimuth": azimuth % 360 if azimuth is not None else None,
        "magnetic": _text(place.get(GPS.GPSImgDirectionRef)).upper() == "M",
        "view_deg": _view(image, exif.get(Base.Orientation), _number(whole.get(Base.FocalLengthIn35mmFilm))),
        "device": " ".join(filter(None, (_text(exif.get(Base.Make)), _text(exif.get(Base.Model)))))[:200],
    }


def _degrees(
    place: dict[int, Any], tag: int, ref: int, signs: Mapping[str, int], most: float
) -> float | None:
    parts = place.get(tag)
    sign = signs.get(_text(place.get(ref)).upper()[:1])
    numbers = [_number(part) for part in parts] if isinstance(parts, tuple | list) else []
    if sign is None or not 1 <= len(numbers) <= 3 or any(n is None or n < 0 for n in numbers):
        return None
    value = sum(float(n or 0) / 60**i for i, n in enumerate(numbers))
    return sign * value if value <= most else None


def _taken(whole: dict[int, Any], place: dict[int, Any], zone_hours: float) -> datetime | None:
    """When the camera's clock says, in its own zone or that of evidence.toml; else when the satellites say."""
    for clock, zone in (
        (Base.DateTimeOriginal, Base.OffsetTimeOriginal), (Base.DateTimeDigitized, Base.OffsetTimeDigitized),
    ):  # fmt: skip
        try:
            moment = datetime.strptime(_text(whole.get(clock))[:19], "%Y:%m:%d %H:%M:%S")
            offset = _text(whole.get(zone))
            if OFFSET.fullmatch(offset):
                return datetime.fromisoformat(moment.isoformat() + offset).astimezone(UTC)
            return moment.replace(tzinfo=timezone(timedelta(hours=zone_hours))).astimezone(UTC)
        # Of the first day of the year 1 there is none before in UTC.
        except (ValueError, OverflowError):
            continue
    try:
        hours, minutes, seconds = (float(part) for part in place[GPS.GPSTimeStamp])
        day = datetime.strptime(_text(place[GPS.GPSDateStamp]), "%Y:%m:%d").replace(tzinfo=UTC)
        return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError):
        return None


def _view(image: Image.Image, orientation: Any, focal_mm: float | None) -> float | None:
    """Degrees across the picture as it is held, from the focal length on film of 36 × 24 mm by the diagonal."""
    if focal_mm is None or focal_mm <= 0:
        return None
    across = image.height if orientation in TURNED else image.width
    half_mm = DIAGONAL_MM / 2 * across / math.hypot(image.width, image.height)
    return math.degrees(2 * math.atan(half_mm / focal_mm))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return "".join(c for c in value if c.isprintable()).strip() if isinstance(value, str) else ""
