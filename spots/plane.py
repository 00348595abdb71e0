"""Outlines in degrees held against each other, also across the antimeridian; meters and square meters near a place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Shapes = NDArray[np.object_]
CORNERS = 32
"""Of the outline that stands for a point and its accuracy."""


@dataclass(frozen=True)
class Overlap:
    """What a new outline shares with another; shares are of 0 to 1, rounded to a millionth."""

    shared_m2: float
    of_new: float
    of_other: float
    iou: float

    @property
    def of_smaller(self) -> float:
        """The larger of the two shares."""
        return max(self.of_new, self.of_other)


def unwrapped(shapes: Sequence[Any]) -> Shapes:
    """Outlines that cross the antimeridian, which lie around the whole earth in degrees, drawn on beyond 180° E."""
    found = np.array([*shapes, None], dtype=object)[:-1]
    box = shapely.bounds(found) if len(found) else np.empty((0, 4))
    for i in np.flatnonzero(box[:, 2] - box[:, 0] > 180):
        found[i] = shapely.make_valid(shapely.transform(found[i], _east))
    return found


def _east(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.where(xy[:, 0] < 0, xy[:, 0] + 360, xy[:, 0]), xy[:, 1]])


def overlaps(new: Shapes, new_m2: Sequence[float], other: Shapes) -> list[tuple[int, int, Overlap]]:
    """All pairs (place in new, place in other) that share area, both unwrapped; one index, asked once."""
    if not len(new) or not len(other):
        return []
    around, whose = _all_around(other)
    i, k = shapely.STRtree(around).query(new)
    if other is new:
        apart = i != whose[k]
        i, k = i[apart], k[apart]
    shared = shapely.area(shapely.intersection(new[i], around[k]))
    meets = shared > 0
    i, k, shared = i[meets], k[meets], shared[meets]
    mine, theirs = shapely.area(new)[i], shapely.area(around)[k]
    parts = np.round(
        np.column_stack([shared / mine, shared / theirs, shared / (mine + theirs - shared)]), 6
    ).clip(0, 1)
    m2 = np.round(np.asarray(new_m2, dtype=float)[i] * shared / mine, 3)
    return [
        (int(a), int(b), Overlap(float(area), *map(float, part)))
        for a, b, area, part in zip(i, whose[k], m2, parts, strict=True)
    ]


def _all_around(shapes: Shapes) -> tuple[Shapes, NDArray[np.intp]]:
    """The outlines, those near the antimeridian once more on its other side; and which each of them is."""
    box, whose = shapely.bounds(shapes), np.arange(len(shapes))
    west, east = np.flatnonzero(box[:, 0] < -179), np.flatnonzero(box[:, 2] > 180)
    again = [
        shapely.transform(shapes[west], lambda xy: np.add(xy, (360, 0))),
        shapely.transform(shapes[east], lambda xy: np.add(xy, (-360, 0))),
    ]
    return np.concatenate([shapes, *again]), np.concatenate([whose, west, east])


def in_meters(shapes: Sequence[Any], lon: float, lat: float) -> Shapes:
    """Outlines in meters east and north of a place, true to 1e-5 within kilometers of it."""
    per_lon, per_lat = _meters_a_degree(lat)
    whole = unwrapped(shapes)
    xy, whose = shapely.get_coordinates(whole, return_index=True)
    west, _, east, _ = shapely.bounds(whole).T
    # Each as a whole, to where its middle is nearest: corner by corner one on the far side would lie around us.
    turns = np.round(((west + east) / 2 - lon) / 360) * 360
    moved = np.column_stack([(xy[:, 0] - lon - turns[whose]) * per_lon, (xy[:, 1] - lat) * per_lat])
    return np.asarray(shapely.set_coordinates(whole, moved), dtype=object)


def _meters_a_degree(lat: Any) -> tuple[Any, Any]:
    """Of longitude and of latitude, on the ellipsoid; for one latitude or many."""
    phi = np.radians(np.clip(lat, -89.9, 89.9))
    per_lon = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi)
    return per_lon, 111_132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)


def beyond_m2(shape: Any, judged: Sequence[Any], tolerance_m: float) -> float:
    """Area of an outline that lies farther than the tolerance from every judged one."""
    middle = shape.centroid
    mine, *theirs = in_meters([shape, *judged], middle.x, middle.y)
    return float(mine.difference(shapely.union_all(theirs).buffer(tolerance_m)).area)


def distances_m(lon: float, lat: float, shapes: Sequence[Any]) -> NDArray[np.float64]:
    """From a place to each outline; nought inside."""
    return np.asarray(shapely.distance(shapely.Point(0, 0), in_meters(shapes, lon, lat)))


def circle(lon: float, lat: float, radius_m: float) -> shapely.Polygon:
    """The outline of a place known to so many meters, in degrees from -180 to 180."""
    turns = np.arange(CORNERS) * (2 * np.pi / CORNERS)
    per_lon, per_lat = _meters_a_degree(lat)
    x = lon + radius_m * np.cos(turns) / per_lon
    y = np.clip(lat + radius_m * np.sin(turns) / per_lat, -90, 90)
    return shapely.Polygon(np.column_stack([(x + 180) % 360 - 180, y]))


def boxes_around(shapes: Shapes, margin_m: float) -> list[tuple[float, float, float, float]]:
    """West, south, east, north about each unwrapped outline, as the database keeps them: two where it crosses 180°."""
    west, south, east, north = shapely.bounds(shapes).T
    per_lon, per_lat = _meters_a_degree(np.maximum(abs(south), abs(north)))
    west, east = west - margin_m / per_lon, east + margin_m / per_lon
    south, north = south - margin_m / per_lat, north + margin_m / per_lat
    parts = (
        (np.full(len(west), True), np.maximum(west, -180.0), np.minimum(east, 180.0)),
        (east > 180, np.full(len(west), -180.0), east - 360),
        (west < -180, west + 360, np.full(len(west), 180.0)),
    )
    return [
        box
        for some, a, b in parts
        for box in zip(
            a[some].tolist(), south[some].tolist(), b[some].tolist(), north[some].tolist(), strict=True
        )
    ]
