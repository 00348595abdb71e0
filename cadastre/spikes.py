"""Spikes: corners where a ring runs out and straight back, as a slip of the pen leaves them."""

import numpy as np
import shapely
from numpy.typing import NDArray

SHARPEST = np.sin(np.radians(0.5))
"""Sine of the sharpest corner that is still a corner."""
LOST = 0.001
"""Part of the area that may go with a spike; what takes more was no spike."""


def has_spike(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which polygons have one."""
    found = np.zeros(len(shapes), dtype=bool)
    areal = np.flatnonzero(shapely.get_dimensions(shapes) == 2)
    parts, part_of = shapely.get_parts(shapes[areal], return_index=True)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    xy, at = shapely.get_coordinates(rings, return_index=True)
    sharp = _sharp(xy, at)
    found[areal[part_of[ring_of[np.unique(at[sharp])]]]] = True
    return found


def without_spikes(shape: shapely.Geometry) -> shapely.Geometry:
    """The shape without its spikes; as it is where that would take more than a thousandth of its area."""
    polygons = [
        shapely.Polygon(*_cleaned(part)) for part in shapely.get_parts(shape) if part.geom_type == "Polygon"
    ]
    cleaned = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    kept = cleaned.is_valid and abs(cleaned.area - shape.area) <= LOST * shape.area
    return cleaned if kept else shape


def _cleaned(polygon: shapely.Polygon) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    outer, *inner = (_ring(shapely.get_coordinates(ring)) for ring in (polygon.exterior, *polygon.interiors))
    return outer, [ring for ring in inner if len(ring) > 3]


def _ring(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    while len(xy) > 4:
        sharp = _sharp(xy, np.zeros(len(xy), dtype=int))
        if not sharp.any():
            break
        open_ring = np.delete(xy[:-1], np.flatnonzero(sharp[:-1])[0], axis=0)
        xy = np.concatenate([open_ring, open_ring[:1]])
    return xy


def _sharp(xy: NDArray[np.float64], at: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which points of closed rings, told apart by `at`, are the tip of a spike; a ring's last is its first again."""
    sharp = np.zeros(len(xy), dtype=bool)
    if len(xy) < 4:
        return sharp
    last = np.r_[at[1:] != at[:-1], True]
    first = np.r_[True, at[1:] != at[:-1]]
    before, after = np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0)
    # Before a ring's first point lies its last but one: the last is the first again.
    ends = np.flatnonzero(last)
    before[first] = xy[ends - 1]
    inward, outward = before - xy, after - xy
    cross = np.abs(inward[:, 0] * outward[:, 1] - inward[:, 1] * outward[:, 0])
    lengths = np.hypot(*inward.T) * np.hypot(*outward.T)
    sharp[:] = (cross < SHARPEST * lengths) & ((inward * outward).sum(axis=1) > 0)
    sharp[last] = False
    return sharp
