"""Candidates: what a catalog says of a scene before it is fetched, read from its STAC Item and doubted."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from ground.crs import LONLAT, equal_area_crs, to_crs
from ground.errors import BadInput, one_line
from imagery import sensors, stac

ORBITS = ("sat:relative_orbit", "landsat:wrs_path")
"""Properties that say over which track a satellite flew: the same one sees the ground from the same side."""


@dataclass(frozen=True)
class Area:
    """The area of interest: in degrees, and in an equal-area CRS about its middle, in which shares are measured."""

    lonlat: BaseGeometry
    crs: CRS
    shape: BaseGeometry

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return tuple(self.lonlat.bounds)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One Item; None is what it does not say."""

    id: str
    acquired_utc: datetime
    sensor: str | None
    platform: str | None
    gsd_m: float | None
    cloud_percent: float | None
    sun_elevation_deg: float | None
    sun_azimuth_deg: float | None
    off_nadir_deg: float | None
    view_azimuth_deg: float | None
    orbit: int | None
    seen: BaseGeometry
    """The part of the area of interest inside its footprint, in the area's CRS."""
    item: pystac.Item
    base: str
    """Where the Item itself lies: relative hrefs start there."""


def area_of_bbox(text: str) -> Area:
    """An area from west,south,east,north in degrees.

    Raises:
        BadInput: not four numbers, or not such a box.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise BadInput(
            f"--bbox {text}: is not four numbers; write west,south,east,north in degrees, as 112.1,37.9,112.3,38.1"
        ) from error
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadInput(
            f"--bbox {text}: is no box in degrees; west must be less than east, south less than north, in this order"
        )
    return _area(shapely.box(west, south, east, north))


def area_of_file(path: Path) -> Area:
    """An area from the polygons of a GeoJSON file, in degrees.

    Raises:
        BadInput: absent, not GeoJSON, without a polygon, or not in degrees.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        features = document.get("features", [document])
        shapes = [shapely.geometry.shape(each.get("geometry", each)) for each in features]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise BadInput(
            f"{path}: is not GeoJSON ({one_line(error, 120)}); give polygons in degrees"
        ) from error
    if any(each.geom_type not in {"Polygon", "MultiPolygon"} for each in shapes) or not shapes:
        raise BadInput(f"{path}: holds something other than polygons; give the area of interest as polygons")
    whole = shapely.union_all(shapely.make_valid(shapes))
    west, south, east, north = whole.bounds if not whole.is_empty else (0, 0, 999, 0)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadInput(
            f"{path}: its polygons are empty or not in degrees; give longitude and latitude of WGS 84"
        )
    return _area(whole)


def _area(lonlat: BaseGeometry) -> Area:
    crs = equal_area_crs(*lonlat.bounds)
    return Area(lonlat, crs, _projected(lonlat, crs))


def _projected(lonlat: BaseGeometry, crs: CRS) -> BaseGeometry:
    # Vertices a degree apart at most: the edge of a large footprint is no straight line in another projection.
    return shapely.make_valid(to_crs([shapely.segmentize(lonlat, 1.0)], LONLAT, crs, "the area")[0])


def candidate(document: Any, base: str, area: Area, sensor: str | None) -> Candidate:
    """What an Item says that bears on the choice. A value that is not what it should be counts as unsaid.

    Raises:
        BadInput: not an Item, undated, without a footprint, or without a band of its sensor.
    """
    where = _name(document)
    item = stac.item_of(document, where)
    if not isinstance(item.id, str) or not isinstance(item.properties, dict):
        raise BadInput(f"{where}: has no id or no properties; its maker must mend it")
    name = sensor or _sensor(item, where)
    if name and not stac.used_assets(item, name).bands:
        raise BadInput(f"{where}: no asset holds a band of sensor {name}; name another --sensor")
    said = item.properties
    orbits = [_number(said, key, 0, 1e6) for key in ORBITS]
    return Candidate(
        id=item.id, acquired_utc=_acquired(item, where), sensor=name,
        platform=str(said["platform"]).lower() if said.get("platform") else None,
        gsd_m=_gsd(item, name),
        cloud_percent=_number(said, "eo:cloud_cover", 0, 100),
        sun_elevation_deg=_number(said, "view:sun_elevation", -90, 90),
        sun_azimuth_deg=_number(said, "view:sun_azimuth", 0, 360),
        off_nadir_deg=_number(said, "view:off_nadir", 0, 90),
        view_azimuth_deg=_number(said, "view:azimuth", 0, 360),
        orbit=next((int(orbit) for orbit in orbits if orbit is not None), None),
        seen=_seen(item, area, where), item=item, base=base,
    )  # fmt: skip


def _name(document: Any) -> str:
    known = document.get("id") if isinstance(document, dict) else None
    return f"Item {known}" if isinstance(known, str) else "an Item without an id"


def _sensor(item: pystac.Item, where: str) -> str | None:
    try:
        return stac.sensor_of(item, where)
    except BadInput:
        return None


def _acquired(item: pystac.Item, where: str) -> datetime:
    try:
        span = item.common_metadata.start_datetime, item.common_metadata.end_datetime
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{where}: its range of times cannot be read; its maker must mend it") from error
    moment = item.datetime
    if moment is None and span[0] and span[1]:
        moment = span[0] + (span[1] - span[0]) / 2
    if moment is None:
        raise BadInput(f"{where}: says no time of acquisition; its maker must add it")
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _gsd(item: pystac.Item, sensor: str | None) -> float | None:
    """Of the scene's finest band: the Item's, else the sensor's own."""
    if (gsd := _number(item.properties, "gsd", 1e-3, 1e5)) is not None:
        return gsd
    return sensors.sensor(sensor, item.id).gsd_m if sensor else None


def _seen(item: pystac.Item, area: Area, where: str) -> BaseGeometry:
    try:
        footprint = shapely.make_valid(shapely.geometry.shape(item.geometry or {}))
        if footprint.is_empty or footprint.area == 0:
            raise ValueError("it is empty")
        return shapely.intersection(_projected(footprint, area.crs), area.shape)
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise BadInput(
            f"{where}: its footprint cannot be read ({one_line(error, 80)}); its maker must mend it"
        ) from error


def _number(said: dict[str, Any], key: str, low: float, high: float) -> float | None:
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and low <= value <= high else None
