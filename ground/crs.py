"""Coordinate systems: which may be turned into which, without a silent shift of a hundred metres.

PROJ answers "Beijing 1954 to CGCS2000" with a ballpark transformation, a shift of zero, and no warning;
the truth is tens to over a hundred metres. Here such a transformation is an error.
Coordinates are always x, y (longitude, latitude), whatever axis order the authority defines.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError

from ground.errors import BadInput, UnknownDatum, one_line

LONLAT = CRS.from_epsg(4326)
ELLIPSOID = Geod(ellps="WGS84")
"""GRS80, of CGCS2000 and ETRS89, differs by 0.1 mm in the semi-minor axis: no area here can tell."""

SHIFTED_DATUMS = ("beijing 1954", "beijing_1954", "xian 1980", "xian_1980", "new beijing", "xian80")
"""Datums whose shift to a modern one is local and not public; refused unless the CRS carries parameters."""

SAME_DATUMS = (
    {"wgs 84", "wgs84", "world geodetic system 1984"},
    {"cgcs2000", "china 2000", "china geodetic"},
)
"""WGS 84 and CGCS2000 agree to centimetres (both realise ITRS): equal by name, for this software."""


def crs_of(text: Any, where: str) -> CRS:
    """Any description of a CRS that PROJ knows.

    Raises:
        BadInput: PROJ does not know it.
    """
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise BadInput(
            f"{where}: {text!r} is not a coordinate system that PROJ knows; write one such as EPSG:4490"
        ) from error


@lru_cache(maxsize=64)
def transformer(source: CRS, target: CRS, where: str) -> Transformer:
    """An exact transformer, x, y in and out.

    Raises:
        UnknownDatum: only a ballpark transformation exists, or the datum's shift is not public.
    """
    if _needs_parameters(source, target) or _needs_parameters(target, source):
        raise UnknownDatum(_refusal(source, target, where))
    if _same_datum(source, target):
        return Transformer.from_crs(source, target, always_xy=True)
    try:
        return Transformer.from_crs(source, target, always_xy=True, allow_ballpark=False)
    except ProjError as error:
        raise UnknownDatum(_refusal(source, target, where)) from error


def transformed(move: Transformer, points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The points moved: all x, all y; infinite where the target cannot describe them."""
    xs, ys = move.transform([x for x, _ in points], [y for _, y in points])
    return list(xs), list(ys)


def _datum_name(crs: CRS) -> str:
    geodetic = crs.geodetic_crs
    names = (crs.datum.name if crs.datum else "", geodetic.name if geodetic else "", crs.name)
    return " ".join(names).lower().replace("_", " ")


def _same_datum(one: CRS, other: CRS) -> bool:
    names = [_datum_name(one), _datum_name(other)]
    return all(any(word in name for group in SAME_DATUMS for word in group) for name in names)


def _needs_parameters(crs: CRS, other: CRS) -> bool:
    if crs.is_bound:
        return False
    name = _datum_name(crs)
    return any(datum.replace("_", " ") in name for datum in SHIFTED_DATUMS) and _datum_name(other) != name


def _refusal(source: CRS, target: CRS, where: str) -> str:
    return (
        f"{where}: the shift from {source.name} to {target.name} is not known (a guess is wrong by up to "
        "hundreds of metres); give the data in CGCS2000 or WGS 84, or a CRS with your seven parameters (+towgs84=…)"
    )


def to_crs(geometries: Any, source: CRS, target: CRS, where: str) -> NDArray[np.object_]:
    """Shapely geometries moved from one CRS to another, vertex by vertex."""
    if source == target:
        return np.asarray(geometries, dtype=object)
    move = transformer(source, target, where)

    def each(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(move.transform(xy[:, 0], xy[:, 1]))

    moved = shapely.transform(np.asarray(geometries, dtype=object), each)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadInput(
            f"{where}: some coordinates lie outside what {source.name} can describe; "
            "check its coordinate system and the order of its axes"
        )
    return np.asarray(moved, dtype=object)


def geodesic_area_m2(lonlat: Any) -> NDArray[np.float64]:
    """Area on the ellipsoid of each polygon given in degrees (Karney 2013, through GeographicLib)."""
    return np.array(
        [abs(ELLIPSOID.geometry_area_perimeter(g)[0]) for g in np.atleast_1d(lonlat)], dtype=float
    )


def geodesic_perimeter_m(lonlat: Any) -> NDArray[np.float64]:
    """Length on the ellipsoid of each polygon's boundary, holes included, given in degrees."""
    return np.array([ELLIPSOID.geometry_length(g) for g in np.atleast_1d(lonlat)], dtype=float)


def equal_area_crs(west: float, south: float, east: float, north: float) -> CRS:
    """Lambert azimuthal equal area about the middle of a box in degrees: exact areas, near-true metres."""
    return CRS.from_proj4(
        f"+proj=laea +lat_0={(south + north) / 2:.6f} +lon_0={(west + east) / 2:.6f} +datum=WGS84 +units=m +no_defs"
    )


def metres_per_unit(crs: CRS, where: str) -> float:
    """Metres in one unit of a projected CRS's axes."""
    try:
        return float(crs.axis_info[0].unit_conversion_factor)
    except IndexError as error:
        raise BadInput(f"{where}: its coordinate system names no unit ({one_line(crs.name)})") from error
