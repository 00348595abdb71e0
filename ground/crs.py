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
from pyproj.crs import ProjectedCRS
from pyproj.exceptions import CRSError, ProjError

from ground.errors import BadInput, UnknownDatum, one_line

LONLAT = CRS.from_epsg(4326)
ELLIPSOID = Geod(ellps="WGS84")
"""GRS80, of CGCS2000 and ETRS89, differs by 0.1 mm in the semi-minor axis: no area here can tell."""

SHIFTED_DATUMS = ("beijing 1954", "beijing54", "xian 1980", "xian80", "new beijing")
"""Datums whose shift to a modern one is local and not public; refused unless the CRS carries parameters."""

WGS84 = ("wgs 84", "wgs84", "world geodetic system 1984")
CGCS2000 = ("cgcs2000", "china 2000", "china geodetic")
"""It and WGS 84 agree to centimetres (both realise ITRS): equal by name, for this software."""


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
    one, other = shiftable(source, target, where)
    ballpark = _is_itrs(one) and _is_itrs(other)
    try:
        return Transformer.from_crs(one, other, always_xy=True, allow_ballpark=ballpark)
    except ProjError as error:
        raise UnknownDatum(_refusal(source, target, where)) from error


def shiftable(source: CRS, target: CRS, where: str) -> tuple[CRS, CRS]:
    """Both as PROJ and GDAL can turn them into each other without a guess.

    Parameters (+towgs84) lead to WGS 84 only: beside a CRS that has them, CGCS2000 stands as WGS 84, or
    both libraries would quietly leave the parameters out.

    Raises:
        UnknownDatum: the shift of one's datum is not public and it carries no parameters.
    """
    if _datum(source) != _datum(target) and (_needs_parameters(source) or _needs_parameters(target)):
        raise UnknownDatum(_refusal(source, target, where))
    if source.is_bound or target.is_bound:
        return _on_wgs84(source), _on_wgs84(target)
    return source, target


def transformed(move: Transformer, points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The points moved: all x, all y; infinite where the target cannot describe them."""
    xs, ys = move.transform([x for x, _ in points], [y for _, y in points])
    return list(xs), list(ys)


def _datum(crs: CRS) -> str:
    return (crs.datum.name if crs.datum else crs.name).lower().replace("_", " ")


def _names(crs: CRS) -> str:
    geodetic = crs.geodetic_crs
    return " ".join((_datum(crs), geodetic.name if geodetic else "", crs.name)).lower().replace("_", " ")


def _is_itrs(crs: CRS) -> bool:
    """WGS 84 or CGCS2000; a CRS with parameters is neither, whatever "towgs84" is in its name."""
    return not crs.is_bound and any(word in _names(crs) for word in (*WGS84, *CGCS2000))


def _on_wgs84(crs: CRS) -> CRS:
    """A CGCS2000 system as the same one on WGS 84 (the ellipsoids differ by 0.1 mm); any other as it is."""
    if crs.is_bound or not any(word in _names(crs) for word in CGCS2000):
        return crs
    if crs.is_geographic:
        return LONLAT
    return ProjectedCRS(
        conversion=crs.coordinate_operation,
        geodetic_crs=LONLAT,
        cartesian_cs=crs.coordinate_system,
        name=f"{crs.name} on WGS 84",
    )


def _needs_parameters(crs: CRS) -> bool:
    """A datum whose shift is not public, with no parameters, or with zeros, which some software writes for none."""
    if crs.is_bound and crs.coordinate_operation and any(crs.coordinate_operation.towgs84):
        return False
    return any(datum in _names(crs) for datum in SHIFTED_DATUMS)


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
