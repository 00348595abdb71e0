"""Where a change lies as seen from a camera: how far, and between which directions."""

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Geod

from ground.crs import LONLAT, to_crs

GEOD = Geod(ellps="WGS84")
FAR_M = 5_000_000
"""Beyond it no outline is drawn about the camera: that of the far side of the earth would lie around it."""


@dataclass(frozen=True)
class Sight:
    """`distance_m`: 0 inside. The change spans `width_deg` clockwise from `first_deg`, seen from the camera."""

    distance_m: float
    first_deg: float
    width_deg: float

    def aside_deg(self, azimuth: float) -> float:
        """How far a direction points beside the change, to its nearer edge; 0 if it meets it."""
        past = (azimuth - self.first_deg) % 360
        return 0.0 if past <= self.width_deg else min(past - self.width_deg, 360 - past)


def whole_deg(direction: float) -> int:
    """A direction in whole degrees, from 0 to 359."""
    return round(direction) % 360


def sight(change: shapely.Geometry, lon: float, lat: float) -> Sight:
    """A change in degrees seen from a camera; distances and directions are true, for the projection is about it."""
    middle = change.centroid
    towards, _, away = GEOD.inv(lon, lat, middle.x, middle.y)
    if away > FAR_M:
        return Sight(float(away), float(towards % 360), 0.0)
    about = CRS.from_proj4(f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +datum=WGS84 +units=m +no_defs")
    shape = to_crs(np.array([change], dtype=object), LONLAT, about, "evidence")[0]
    distance = float(shapely.distance(shape, shapely.Point(0, 0)))
    outline = shape if isinstance(shape, shapely.Polygon) else shapely.convex_hull(shape)
    if distance == 0 or not isinstance(outline, shapely.Polygon):
        return Sight(distance, 0.0, 360.0)
    x, y = shapely.get_coordinates(outline.exterior).T
    bearing = np.degrees(np.arctan2(x, y))
    # Along the outline, corner by corner, so that an outline that passes north does not begin anew there.
    steps = (np.diff(bearing) + 180) % 360 - 180
    along = bearing[0] + np.concatenate([[0.0], np.cumsum(steps)])
    return Sight(distance, float(along.min() % 360), float(min(np.ptp(along), 360)))
