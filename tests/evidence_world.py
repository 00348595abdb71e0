"""A small world of evidence: photos drawn in code with the EXIF that a phone writes, and a case to give them for."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from cases.store import CaseFilter, CaseStore
from evidence.adding import Added, Given, add
from evidence.files import Files, open_files
from evidence.limits import load_limits
from tests.cases_world import ROAD, lonlat_changes, put

LIMITS = load_limits()
SPOT = (100.0, 35.0, 100.001, 35.001)
"""The change of the case: 91 m from west to east, 111 m from south to north."""
TAKEN = "2021:09:05 10:00:00"
"""By a clock of China: 02:00 UTC, four days after the scene that shows the change."""
GEOD = pyproj.Geod(ellps="WGS84")


def beside(
    direction_deg: float, metres: float, lon: float = 100.0, lat: float = 35.0005
) -> tuple[float, float]:
    """The place so far from the middle of the change's western edge, or from another place."""
    there = GEOD.fwd(lon, lat, direction_deg, metres)
    return float(there[0]), float(there[1])


def dms(value: float) -> tuple[IFDRational, ...]:
    """Degrees, minutes and seconds, as EXIF keeps them; good to 3 mm."""
    seconds = round(abs(value) * 3600 * 10_000)
    return (
        IFDRational(seconds // 36_000_000),
        IFDRational(seconds // 600_000 % 60),
        IFDRational(seconds % 600_000, 10_000),
    )


def exif_of(
    place: tuple[float, float] | None = None,
    azimuth: float | None = None,
    taken: str | None = TAKEN,
    zone: str | None = "+08:00",
    focal_mm: int | None = 26,
    **more: Any,
) -> Image.Exif:
    """The EXIF of a phone's photo; `more`: entries of its GPS part by name."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Test", "Phone 1"
    inner, gps = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
    if taken is not None:
        inner[Base.DateTimeOriginal] = taken
    if zone is not None:
        inner[Base.OffsetTimeOriginal] = zone
    if focal_mm is not None:
        inner[Base.FocalLengthIn35mmFilm] = focal_mm
    if place is not None:
        gps[GPS.GPSLongitudeRef], gps[GPS.GPSLatitudeRef] = "EW"[place[0] < 0], "NS"[place[1] < 0]
        gps[GPS.GPSLongitude], gps[GPS.GPSLatitude] = dms(place[0]), dms(place[1])
    if azimuth is not None:
        gps[GPS.GPSImgDirectionRef], gps[GPS.GPSImgDirection] = "T", IFDRational(round(azimuth * 100), 100)
    for name, value in more.items():
        gps[GPS[name]] = value
    return exif


def photo(
    path: Path, exif: Image.Exif | None = None, size: tuple[int, int] = (400, 300), seed: int = 1
) -> Path:
    """A picture of noise, which packs badly: it is cut short in the middle of what counts."""
    values = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    # Of an Exif object pillow_heif does not turn the picture as the orientation says.
    options: dict[str, Any] = (
        {} if exif is None else {"exif": exif.tobytes() if path.suffix == ".heic" else exif}
    )
    Image.fromarray(values).save(path, **options)
    return path


def true_photo(path: Path, seed: int = 1) -> Path:
    """Taken 50 m west of the change, looking east at it, when it was there to be seen."""
    return photo(path, exif_of(beside(270, 50), 90), seed=seed)


def case_in(store: CaseStore, region: str = "140105") -> tuple[CaseStore, str]:
    """An empty store with a case about SPOT, and the case's id."""
    put(store, lonlat_changes(SPOT), region=region)
    return store, store.cases(CaseFilter()).items[0].id


def files_in(folder: Path) -> Files:
    """An empty store of files."""
    return open_files(str(folder / "evidence"))


def give(
    store: CaseStore,
    files: Files,
    case_id: str,
    path: Path,
    kind: str = "photo",
    at: datetime | None = None,
    **more: str,
) -> Added:
    """A file given by an officer of the county."""
    given = Given(**({"kind": kind, "path": path, "actor": "李伟", "role": "county"} | more))  # type: ignore[arg-type]
    return add(store, files, case_id, given, ROAD, LIMITS, at)


def said_of(added: Added) -> dict[str, str]:
    """What each check said."""
    return {one["check"]: one["said"] for one in added.evidence.checks}
