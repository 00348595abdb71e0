"""Outlines of parts: read from a file, held against the whole that they cut, joined to one; places are in degrees."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.errors import GEOSException

from cadastre.land import MU_M2
from ground.crs import LONLAT, crs_of, equal_area_crs, to_crs
from ground.errors import BadInput, one_line

CLOSES_M2 = MU_M2 / 100
"""0.01 亩: by so much parts and whole may differ in all."""
FORMATS = (".geojson", ".json", ".gpkg")
MOST_PARTS = 99
NO_AREA = re.compile("Point|LineString")


def read_parts(path: Path) -> list[shapely.Geometry]:
    """The polygons of a file in their order, in degrees; a feature of several pieces is one part.

    Raises:
        BadInput: no such file; not two polygons and more; one of them invalid; no coordinate system.
    """
    if path.suffix.lower() not in FORMATS or not path.is_file():
        what = "is no such file" if path.suffix.lower() in FORMATS else "is neither GeoJSON nor GeoPackage"
        raise BadInput(f"--by: {path} {what}; give parts as polygons in a .geojson or .gpkg")
    frame = _read(path)
    if not hasattr(frame, "geometry") or frame.crs is None:
        lacks = "has no coordinate system" if hasattr(frame, "geometry") else "holds no polygons"
        raise BadInput(f"--by: {path} {lacks}; write the parts as polygons with their coordinate system")
    shapes = [_polygon(shape, f"{path}: part {n}") for n, shape in enumerate(frame.geometry, start=1)]
    if not 2 <= len(shapes) <= MOST_PARTS:
        raise BadInput(f"--by: {path} holds {len(shapes)} parts; a case is cut into 2 to {MOST_PARTS}")
    crs = crs_of(frame.crs, str(path))
    _refuse_off_earth(shapes, crs, path)
    return list(to_crs(np.array([*shapes, None], dtype=object)[:-1], crs, LONLAT, str(path)))


def _read(path: Path) -> pd.DataFrame:
    try:
        kinds = [(str(name), kind) for name, kind in pyogrio.list_layers(path)]
        # A layer of any geometry may hold polygons; one of points or lines does not.
        layers = [name for name, kind in kinds if kind and not NO_AREA.search(kind)]
        if len(layers) < 2:
            layer = layers[0] if layers else None
            return pyogrio.read_dataframe(path, layer=layer, on_invalid="ignore", force_2d=True)
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        GEOSException,
        ValueError,
    ) as error:
        raise BadInput(f"--by: {path} cannot be read ({one_line(error, 160)}); write it anew") from error
    raise BadInput(f"--by: {path} has layers {', '.join(layers)}; leave the one with the parts")


def _refuse_off_earth(shapes: Sequence[shapely.Geometry], crs: CRS, path: Path) -> None:
    """Nothing, unless degrees are none: PROJ would look for a plane about them, and find none."""
    west, south, east, north = map(float, shapely.total_bounds(shapes))
    if crs.is_geographic and (min(west, 2 * south) < -180 or max(east, 2 * north) > 180):
        raise BadInput(
            f"--by: {path} says that it is in degrees, but reaches from {west:.9g} {south:.9g} to {east:.9g} "
            f"{north:.9g}; write its own coordinate system, or degrees within ±180 and ±90"
        )


def _polygon(shape: Any, where: str) -> shapely.Geometry:
    if shape is None or shape.is_empty:
        raise BadInput(f"--by: {where} has no geometry, or a broken one; draw it again or leave it out")
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise BadInput(f"--by: {where} is a {shape.geom_type}; parts are polygons")
    if not shape.is_valid:
        raise BadInput(f"--by: {where} is no valid polygon ({shapely.is_valid_reason(shape)}); mend it")
    return simple(shape)


def simple(shape: shapely.Geometry) -> shapely.Geometry:
    """A polygon where there is one piece only; rings as GeoJSON has them, for areas on the ellipsoid are signed."""
    pieces = shapely.get_parts(shape)
    return shapely.orient_polygons(pieces[0] if len(pieces) == 1 else shape)


def refuse_unless_cut(case_id: str, whole: shapely.Geometry, parts: Sequence[shapely.Geometry]) -> None:
    """Nothing, if the parts fill the whole, do not overlap and do not reach beyond, to 0.01 亩 in all.

    Raises:
        BadInput: they do not; how much, and where.
    """
    crs = plane_of([whole, *parts])
    outline, *shapes = on_plane([whole, *parts], crs)
    joined = shapely.union_all(shapes)
    faults = [
        ("lie in no part", shapely.difference(outline, joined)),
        ("lie in more than one part", _overlaps(shapes)),
        ("lie beyond the case", shapely.difference(joined, outline)),
    ]
    if sum(fault.area for _, fault in faults) > CLOSES_M2:
        said = ", ".join(
            f"{fault.area:.2f} m² {what} (near {_place(fault, crs)})"
            for what, fault in faults
            if fault.area > CLOSES_M2 / 100
        )
        raise BadInput(
            f"the parts do not make up case {case_id}: {said}; at most {CLOSES_M2:.2f} m² (0.01 亩) may"
        )
    small = min(range(len(shapes)), key=lambda i: float(shapes[i].area))
    if shapes[small].area < CLOSES_M2:
        raise BadInput(
            f"part {small + 1} has {shapes[small].area:.2f} m²; a part has {CLOSES_M2:.2f} m² (0.01 亩) at least"
        )


def _overlaps(shapes: Sequence[shapely.Geometry]) -> shapely.Geometry:
    """The land in more than one of them."""
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    twice = one < other
    pieces = shapely.intersection(np.array(shapes)[one[twice]], np.array(shapes)[other[twice]])
    return shapely.union_all([piece for each in pieces for piece in shapely.get_parts(each) if piece.area])


def _place(fault: shapely.Geometry, crs: CRS) -> str:
    """The middle of its largest piece, longitude and latitude."""
    largest = max(shapely.get_parts(fault), key=lambda piece: float(piece.area))
    point = to_crs([shapely.point_on_surface(largest)], crs, LONLAT, "parts")[0]
    return f"{point.x:.6f} {point.y:.6f}"


def plane_of(shapes: Sequence[shapely.Geometry]) -> CRS:
    """Equal area about outlines in degrees."""
    return equal_area_crs(*map(float, shapely.total_bounds(shapes)))


def on_plane(shapes: Sequence[shapely.Geometry], crs: CRS) -> NDArray[np.object_]:
    """Outlines in degrees in metres of a plane."""
    return to_crs(np.array([*shapes, None], dtype=object)[:-1], LONLAT, crs, "parts")


def apart(shapes: Sequence[shapely.Geometry], within_m: float) -> tuple[int, float] | None:
    """Which outline lies further than `within_m` from what hangs together with the first, and how far; None: none."""
    flat = list(on_plane(shapes, plane_of(shapes)))
    together, left = [0], list(range(1, len(flat)))
    while left:
        distances = {i: min(float(flat[i].distance(flat[j])) for j in together) for i in left}
        nearest = min(left, key=lambda i: distances[i])
        if distances[nearest] > within_m:
            return nearest, distances[nearest]
        together.append(nearest)
        left.remove(nearest)
    return None


def joined(shapes: Sequence[shapely.Geometry]) -> tuple[shapely.Geometry, float]:
    """The union of outlines, in degrees, and how many m² of land lie in more than one of them."""
    flat = on_plane(shapes, plane_of(shapes))
    twice = float(shapely.area(flat).sum() - shapely.union_all(flat).area)
    return simple(shapely.union_all(shapes)), max(0.0, twice)
