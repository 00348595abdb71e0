"""Overlay that never drops a shape: what GEOS cannot cut as drawn is mended, and then cut on a fine grid."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException

GRIDS_M = (1e-7, 1e-5, 1e-3)
"""Grids on which shapes are cut where exact cutting fails, metres; the coarsest shifts a border by half of it."""

Shapes = NDArray[np.object_]


def intersection(ones: Shapes, others: Shapes) -> Shapes:
    """What each has in common with the other beside it; polygons only, where it has polygons at all."""
    return _polygons(_paired(shapely.intersection, ones, others))


def difference(ones: Shapes, others: Shapes) -> Shapes:
    """Each without the other beside it."""
    return _polygons(_paired(shapely.difference, ones, others))


def union(shapes: Shapes) -> shapely.Geometry:
    """All of them as one."""
    try:
        return shapely.union_all(shapes)
    except GEOSException:
        return _on_grids(lambda grid: shapely.union_all(shapely.make_valid(shapes), grid_size=grid))


def _paired(operation: Callable[..., Any], ones: Shapes, others: Shapes) -> Shapes:
    try:
        return np.asarray(operation(ones, others), dtype=object)
    except GEOSException:
        found = np.empty(len(ones), dtype=object)
        for i, (one, other) in enumerate(zip(ones, others, strict=True)):
            found[i] = _stubborn(operation, one, other)
        return found


def _stubborn(
    operation: Callable[..., Any], one: shapely.Geometry, other: shapely.Geometry
) -> shapely.Geometry:
    try:
        return operation(one, other)
    except GEOSException:
        one, other = shapely.make_valid(one), shapely.make_valid(other)
        return _on_grids(lambda grid: operation(one, other, grid_size=grid))


def _on_grids(attempt: Callable[[float | None], shapely.Geometry]) -> shapely.Geometry:
    """The first grid that works; the error of the last where none does."""
    for grid in (None, *GRIDS_M[:-1]):
        try:
            return attempt(grid)
        except GEOSException:
            continue
    return attempt(GRIDS_M[-1])


def _polygons(shapes: Shapes) -> Shapes:
    """Collections of polygons and the lines along which the two also touched, as the polygons alone."""
    for i in np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = shapely.get_parts(shapes[i])
        flat = parts[shapely.get_dimensions(parts) == 2]
        if len(flat):
            shapes[i] = flat[0] if len(flat) == 1 else union(flat)
    return shapes
