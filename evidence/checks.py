"""Checks of a file of evidence: each passes, fails or cannot tell, in a sentence. Unknown is never pass."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import shapely

from evidence.exif import Picture
from evidence.limits import Limits
from evidence.media import UNKNOWN
from evidence.sight import Sight, sight, whole_deg

NO_EXIF, UNREAD_EXIF = "it has no EXIF", "its EXIF could not be read"


class Said(StrEnum):
    """What a check says."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One check and its sentence."""

    check: str
    said: Said
    why: str


@dataclass(frozen=True, kw_only=True)
class Spot:
    """What a photo should show: the change in degrees; `before`: when the scene was taken that does not show it yet."""

    change: shapely.Geometry
    before: datetime | None


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as it was handed in."""

    name: str
    media_type: str
    size: int


def plain(checks: Sequence[Check], must: Collection[str] = ()) -> list[dict[str, Any]]:
    """As they are kept in the database; `must`: those of which unknown is no pass (`cases.proof.against`)."""
    return [
        asdict(one) | {"said": str(one.said)} | ({"must": True} if one.check in must else {})
        for one in checks
    ]


def check_file(file: File, limits: Limits) -> list[Check]:
    """What holds of every file: its type is that of its name."""
    return [_type(file, limits)]


def check_photo(
    file: File, picture: Picture, spot: Spot, *, handed_in: datetime, now: datetime, limits: Limits
) -> list[Check]:
    """Whether a photo is one, is whole, and was taken of this spot, at a time that can be."""
    return [
        _type(file, limits),
        _size(file, limits),
        _whole(file, picture),
        _exif(picture),
        _time(picture, spot, handed_in, now, limits),
        *check_place(picture, spot, limits),
    ]


def _type(file: File, limits: Limits) -> Check:
    stem, point, ending = file.name.rpartition(".")
    allowed = limits.types.get(file.media_type, [])
    if file.media_type == UNKNOWN:
        return Check("type", Said.UNKNOWN, f"what {file.name!r} is cannot be told from its bytes")
    if not (stem and point):
        return Check(
            "type", Said.UNKNOWN, f"its name {file.name!r} does not say what it is; it is {file.media_type}"
        )
    if ending.lower() in allowed:
        return Check("type", Said.PASS, f"it is {file.media_type}, as its name says")
    return Check("type", Said.FAIL, f"its name ends in .{ending}, but its bytes are {file.media_type}")


def _size(file: File, limits: Limits) -> Check:
    most = int(limits.largest_photo_bytes.value)
    if file.size > most:
        return Check("size", Said.FAIL, f"it has {file.size:,} bytes; a photo has at most {most:,}")
    return Check("size", Said.PASS, f"it has {file.size:,} bytes")


def _whole(file: File, picture: Picture) -> Check:
    if not file.media_type.startswith("image/"):
        return Check("whole", Said.FAIL, f"it is no picture but {file.media_type}; give the photo itself")
    if picture.whole is None:
        return Check("whole", Said.UNKNOWN, f"whether it is whole is not known: {picture.fault}")
    if not picture.whole:
        return Check(
            "whole", Said.FAIL, f"it is cut short or spoiled ({picture.fault}); hand in the original"
        )
    return Check("whole", Said.PASS, "it can be read to its end")


def _exif(picture: Picture) -> Check:
    if not picture.has_exif:
        return Check(
            "exif", Said.UNKNOWN, f"{_no_exif(picture)}: neither when nor where it was taken is known"
        )
    lacking = [
        name
        for name, value in (("time", picture.taken), ("place", picture.lon), ("direction", picture.azimuth))
        if value is None
    ]
    if lacking:
        return Check("exif", Said.UNKNOWN, f"its EXIF does not tell its {' and '.join(lacking)}")
    return Check("exif", Said.PASS, "its EXIF tells time, place and direction")


def _time(picture: Picture, spot: Spot, handed_in: datetime, now: datetime, limits: Limits) -> Check:
    if picture.taken is None:
        return Check("time", Said.UNKNOWN, _unsaid(picture, "when it was taken"))
    slack = timedelta(minutes=limits.clock_slack_minutes.value)
    taken = _minute(picture.taken)
    if picture.taken > now + slack:
        return Check("time", Said.FAIL, f"it says it was taken on {taken}, which is yet to come")
    if picture.taken > handed_in + slack:
        return Check(
            "time",
            Said.FAIL,
            f"it says it was taken on {taken}, after it was handed in on {_minute(handed_in)}",
        )
    if spot.before is None:
        return Check("time", Said.UNKNOWN, f"taken on {taken}; when the scene before was taken is not known")
    if picture.taken < spot.before - slack:
        return Check(
            "time", Said.FAIL,
            f"it was taken on {taken}, before the scene of {_minute(spot.before)} that does not show the change yet",
        )  # fmt: skip
    return Check("time", Said.PASS, f"it was taken on {taken}, after the scene before")


def check_place(picture: Picture, spot: Spot, limits: Limits) -> list[Check]:
    """How far it was taken from the change, and whether it looks at it."""
    why = ""
    if picture.lon is None or picture.lat is None:
        why = _unsaid(picture, "where it was taken")
    elif picture.datum:
        why = f"its place is on the datum {picture.datum!r}, whose shift is not known"
    elif (picture.error_m or 0) > limits.worst_position_m.value:
        why = f"its place may be wrong by {picture.error_m:,.0f} m, as it says itself"
    if why or picture.lon is None or picture.lat is None:
        return [Check("distance", Said.UNKNOWN, why), Check("direction", Said.UNKNOWN, why)]
    seen = sight(spot.change, picture.lon, picture.lat)
    error = picture.error_m if picture.error_m is not None else limits.position_error_m.value
    return [_distance(seen, error, limits), _direction(picture, seen, error, limits)]


def _distance(seen: Sight, error_m: float, limits: Limits) -> Check:
    most, away = limits.farthest_m.value, f"{seen.distance_m:,.0f} m from the change"
    if seen.distance_m == 0:
        return Check("distance", Said.PASS, "it was taken on the change itself")
    if seen.distance_m - error_m > most:
        return Check("distance", Said.FAIL, f"it was taken {away}; at most {most:,.0f} m show it")
    if seen.distance_m > most:
        return Check("distance", Said.UNKNOWN, f"it was taken {away}, give or take {error_m:,.0f} m")
    return Check("distance", Said.PASS, f"it was taken {away}")


def _direction(picture: Picture, seen: Sight, error_m: float, limits: Limits) -> Check:
    if seen.distance_m == 0:
        return Check("direction", Said.PASS, "it was taken on the change itself, whichever way it looks")
    if picture.azimuth is None:
        return Check("direction", Said.UNKNOWN, _unsaid(picture, "which way it looks"))
    if seen.distance_m <= error_m:
        why = f"it was taken beside the change, nearer than the {error_m:,.0f} m by which its place may be wrong"
        return Check("direction", Said.UNKNOWN, why)
    half = (picture.view_deg or limits.field_of_view_deg.value) / 2
    slack = limits.compass_error_deg.value + picture.magnetic * limits.magnetic_error_deg.value
    slack += math.degrees(math.asin(error_m / seen.distance_m))
    aside = seen.aside_deg(picture.azimuth)
    first, last = whole_deg(seen.first_deg), whole_deg(seen.first_deg + seen.width_deg)
    lies = f"between {first}° and {last}°" if first != last else f"at {first}°"
    looks = f"it looks toward {whole_deg(picture.azimuth)}°, {2 * half:.0f}° wide, and the change lies {lies}"
    if aside > half + slack:
        return Check("direction", Said.FAIL, f"{looks}: it is not in the picture")
    return Check("direction", Said.PASS, looks)


def _unsaid(picture: Picture, what: str) -> str:
    return (
        f"its EXIF does not say {what}" if picture.has_exif else f"{_no_exif(picture)}: {what} is not known"
    )


def _no_exif(picture: Picture) -> str:
    """A picture that could not be opened may have one all the same."""
    return UNREAD_EXIF if picture.has_exif is None else NO_EXIF


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
