"""Does a layer lie where its coordinate system says? Wrong zones, missing prefixes and swapped axes are found here."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from ground.crs import LONLAT, transformer
from ground.errors import BadInput

MARGIN_DEGREES = 3.0
"""A layer may reach so far beyond its system's area of use: a zone's neighbor is used across the border."""
FALSE_EASTING, PREFIX = 500_000.0, 1_000_000.0
"""Gauss–Krüger: the central meridian's easting, and what each number of a zone adds to it."""
FAR_DEGREES = 1.5
"""Half a zone."""
Bounds = tuple[float, float, float, float]


def check_place(bounds: Bounds, crs: CRS, where: str) -> None:
    """A box in the file's coordinates, west, south, east, north, against its system.

    Raises:
        BadInput: it lies outside what the system describes; says whether axes or zone explain it.
    """
    if not np.isfinite(bounds).all():
        return
    if _inside(bounds, crs):
        return
    west, south, east, north = bounds
    swapped = (south, west, north, east)
    shown = f"x {west:,.3f} to {east:,.3f}, y {south:,.3f} to {north:,.3f}"
    if _inside(swapped, crs):
        raise BadInput(
            f"{where}: its axes are swapped ({shown} lies outside {crs.name}, y before x lies inside); "
            'set `axes = "yx"` for it in layers.toml'
        )
    zone = _zone(bounds, crs)
    if zone:
        raise BadInput(f"{where}: {zone}")
    raise BadInput(
        f"{where}: its coordinates ({shown}) lie outside where {crs.name} is used; "
        'set `crs = "EPSG:…"` (the true one) for it in layers.toml'
    )


def check_each(
    lonlat: NDArray[np.object_], rows: NDArray[np.int_], crs: CRS, typical: Bounds, where: str
) -> None:
    """Each feature, in degrees, against its file's system: one far away would stretch the layer's bounds.

    `typical`: the middle feature's box in the file's coordinates, for the words.

    Raises:
        BadInput: some lie outside what the system describes, though the whole may not.
    """
    use = _use(crs)
    if use is None or not len(lonlat):
        return
    west, south, east, north = shapely.bounds(lonlat).T
    lons, lats = (west + east) / 2, (south + north) / 2
    low, high = use.west - MARGIN_DEGREES, (use.east if use.east >= use.west else use.east + 360)
    lons = np.where(lons >= low, lons, lons + 360)
    away = (
        (lons > high + MARGIN_DEGREES)
        | (lats < use.south - MARGIN_DEGREES)
        | (lats > use.north + MARGIN_DEGREES)
    )
    if away.any():
        at = int(np.argmax(away))
        raise BadInput(
            f"{where}: feature {rows[at]} lies at longitude {lons[at]:.3f}, latitude {lats[at]:.3f}, outside where "
            f"{crs.name} is used, {int(away.sum())} among the features near it, while others lie inside (x about "
            f"{typical[0]:,.0f}, y about {typical[1]:,.0f}); put these features right in the layer"
        )


def typical_of(boxes: NDArray[np.float64]) -> Bounds:
    """The box of the middle feature: what most are like, whatever strays."""
    if not len(boxes):
        return np.inf, np.inf, -np.inf, -np.inf
    middle = np.argsort(boxes[:, 0])[len(boxes) // 2]
    west, south, east, north = map(float, boxes[middle])
    return west, south, east, north


def check_near(bounds: Bounds, others: dict[str, Bounds], where: str) -> None:
    """A layer's box in degrees against those of the others: a neighboring zone is three or six degrees away.

    Raises:
        BadInput: it lies apart from all of them.
    """
    if not others or not np.isfinite(bounds).all():
        return
    apart = {name: max(_gap(bounds, box, 0), _gap(bounds, box, 1)) for name, box in others.items()}
    nearest = min(apart, key=lambda name: apart[name])
    if apart[nearest] > FAR_DEGREES:
        raise BadInput(
            f"{where} lies {apart[nearest]:.1f} degrees from the nearest other layer, {nearest} (longitude "
            f"{bounds[0]:.3f} to {bounds[2]:.3f}, latitude {bounds[1]:.3f} to {bounds[3]:.3f}): is it of another zone? "
            "Set `crs` for it in layers.toml, or pass --far if it does lie there"
        )


def _gap(one: Bounds, other: Bounds, axis: int) -> float:
    return max(0.0, one[axis] - other[axis + 2], other[axis] - one[axis + 2])


def _inside(bounds: Bounds, crs: CRS) -> bool:
    """Whether a box lies in the area for which its system is meant, with a margin."""
    west, south, east, north = bounds
    if crs.is_geographic and (abs(south) > 90 or abs(north) > 90 or west < -360 or east > 360):
        return False
    use = _use(crs)
    if use is None:
        return True
    try:
        move = transformer(_plain(crs), LONLAT, "layer")
        lons, lats = move.transform([west, east, west, east], [south, south, north, north])
    except (ProjError, BadInput):
        return True
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        return False
    if crs.is_projected and not _back(move, lons, lats, bounds):
        return False
    middle = ((min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2)
    across = use.east if use.east >= use.west else use.east + 360
    lon = middle[0] if middle[0] >= use.west - MARGIN_DEGREES else middle[0] + 360
    return bool(
        use.west - MARGIN_DEGREES <= lon <= across + MARGIN_DEGREES
        and use.south - MARGIN_DEGREES <= middle[1] <= use.north + MARGIN_DEGREES
    )


def _use(crs: CRS) -> Any:
    """The area in degrees for which a system is meant; None where nobody says."""
    return crs.area_of_use or (crs.source_crs.area_of_use if crs.is_bound and crs.source_crs else None)


def _plain(crs: CRS) -> CRS:
    """The system without parameters of a shift: where a layer lies to a hundred metres is enough here."""
    return crs.source_crs if crs.is_bound and crs.source_crs else crs


def _back(move: object, lons: list[float], lats: list[float], bounds: Bounds) -> bool:
    """Far outside its zone a projection folds: what does not come back never lay there."""
    west, south, east, north = bounds
    xs, ys = move.transform(lons, lats, direction="INVERSE")  # type: ignore[attr-defined]
    return bool(
        np.allclose(xs, [west, east, west, east], atol=1.0)
        and np.allclose(ys, [south, south, north, north], atol=1.0)
    )


def _zone(bounds: Bounds, crs: CRS) -> str:
    """What is wrong with the prefix of a Gauss–Krüger easting; empty where nothing is."""
    if not crs.is_projected or "gauss-kruger" not in crs.name.lower():
        return ""
    easting = (bounds[0] + bounds[2]) / 2
    prefix, rest = divmod(easting, PREFIX)
    params = crs.coordinate_operation.params if crs.coordinate_operation else []
    wants = next((float(p.value) for p in params if p.name == "False easting"), None)
    if wants is None or not 0 < rest < PREFIX:
        return ""
    asked = int(wants // PREFIX)
    if int(prefix) == asked:
        return ""
    if prefix and not asked:
        return (
            f"its eastings begin with zone {int(prefix)} (x about {easting:,.0f}), {crs.name} has none; set `crs` in "
            f"layers.toml to the system of zone {int(prefix)} (for CGCS2000, 3 degrees: EPSG:{4488 + int(prefix)})"
        )
    if asked and not prefix:
        return (
            f"its eastings have no zone (x about {easting:,.0f}), {crs.name} wants {asked}; set `crs` in layers.toml "
            f"to the system named by its central meridian (for CGCS2000, 3 degrees: EPSG:{4509 + asked})"
        )
    return (
        f"its eastings begin with zone {int(prefix)} (x about {easting:,.0f}), {crs.name} is zone {asked}; set `crs` "
        f"in layers.toml to the true one (for CGCS2000, 3 degrees: EPSG:{4488 + int(prefix)})"
    )
