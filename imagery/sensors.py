"""Sensors: bands, scale, nodata, quality mask and minimum mapping unit, as sensors.toml says."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from ground.errors import BadInput
from ground.tables import Strict, load_toml, parse

SENSORS_TOML = Path(__file__).with_name("sensors.toml")
SMALLEST_PIXELS = 4
"""Fewer pixels than this are noise, whatever their size on the ground."""

Reason = Annotated[str, Field(pattern="^(nodata|outside|cloud|shadow|snow|saturated)$")]


class Band(Strict):
    """One band; `common` is the STAC common name by which bands of different sensors are matched.

    `also`: other names that catalogues give it.
    """

    name: str
    common: str
    also: list[str] = []


class QualityMask(Strict):
    """What the quality band's values (or bits) say is unseen. Values not named are seen."""

    band: str
    codes: dict[int, Reason] = {}
    bits: dict[int, Reason] = {}


class DatedOffset(Strict):
    """An offset that holds for scenes acquired from a day on."""

    since: date = Field(alias="from")
    offset: float


class Sensor(Strict):
    """One table of sensors.toml."""

    title: str
    gsd_m: float | None = Field(default=None, gt=0)
    bands: list[Band]
    stacks: dict[int, list[str]] = {}
    dtype: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    offsets: list[DatedOffset] = []
    nodata: float | None = None
    saturated: float | None = None
    min_mapping_unit_m2: float = Field(gt=0)
    misregistration_budget_px: float = Field(default=4.0, gt=0)
    mask: QualityMask | None = None

    @model_validator(mode="after")
    def _stacks_name_bands(self) -> "Sensor":
        known = {band.name for band in self.bands}
        for count, names in self.stacks.items():
            if len(names) != count or not set(names) <= known:
                raise ValueError(f"stack {count} must name {count} of {', '.join(sorted(known))}")
        return self

    def offset_on(self, day: date | None) -> float:
        """The offset in force on the day of acquisition (unknown day: the plain one)."""
        dated = [d for d in self.offsets if day is not None and d.since <= day]
        return max(dated, key=lambda d: d.since).offset if dated else self.offset

    def smallest_change_m2(self, gsd_m: float) -> float:
        """The minimum mapping unit at this ground sample distance."""
        return max(self.min_mapping_unit_m2, SMALLEST_PIXELS * gsd_m**2)


@cache
def load_sensors(path: Path = SENSORS_TOML) -> dict[str, Sensor]:
    """Every sensor by name."""
    sensors: dict[str, Sensor] = parse(dict[str, Sensor], load_toml(path), path)
    return sensors


def sensor(name: str, where: str) -> Sensor:
    """One sensor.

    Raises:
        BadInput: sensors.toml has no table of this name.
    """
    sensors = load_sensors()
    if name not in sensors:
        raise BadInput(f"{where}: sensor {name!r} is unknown; use one of {', '.join(sorted(sensors))}")
    return sensors[name]


def guess(band_count: int) -> str:
    """The sensor of a file that says nothing of itself but how many bands it has."""
    return {3: "rgb", 4: "rgbn"}.get(band_count, "generic")


def same_band(name: str) -> str:
    """A band's name without zeros that some writers pad with: B02, b2 and B2 are one."""
    letters = name.strip().upper()
    return letters[0] + letters[1:].lstrip("0") if letters[:1] == "B" and len(letters) > 1 else letters


def known_names(entry: Sensor) -> dict[str, str]:
    """Every name of a sensor's bands, as `same_band` writes it, to our name of the band."""
    also = {same_band(name): band.name for band in entry.bands for name in band.also}
    common = {same_band(band.common): band.name for band in entry.bands}
    return also | common | {same_band(band.name): band.name for band in entry.bands}


def bands_in_file(
    sensor_name: str, descriptions: tuple[str | None, ...], where: str
) -> list[tuple[str, int]]:
    """(band name, 1-based index) of the image bands in a file, by its band descriptions or its band count.

    Raises:
        BadInput: neither the descriptions nor the count fit the sensor.
    """
    entry = sensor(sensor_name, where)
    count = len(descriptions)
    if not entry.bands:
        return [(f"b{i}", i) for i in range(1, count + 1)]
    known = known_names(entry)
    named = [(known.get(same_band(text or "")), i) for i, text in enumerate(descriptions, 1)]
    found = [(name, i) for name, i in named if name]
    if found and len({name for name, _ in found}) == len(found):
        return found
    stacks = {len(entry.bands): [band.name for band in entry.bands]} | entry.stacks
    if count not in stacks:
        counts = ", ".join(str(n) for n in sorted(stacks))
        raise BadInput(
            f"{where}: has {count} bands, but a {sensor_name} stack has {counts}; "
            "name the bands in the file's band descriptions, or pass another --sensor"
        )
    return [(name, i) for i, name in enumerate(stacks[count], 1)]


def common_name(sensor_name: str, band: str) -> str:
    """The STAC common name of a sensor's band; a generic band is its own."""
    return next((b.common for b in load_sensors()[sensor_name].bands if b.name == band), band)
