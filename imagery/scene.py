"""Scene, ScenePair and Grid: frozen records of what was photographed, when, and on which pixels."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from affine import Affine
from pyproj import CRS, Transformer
from rasterio.windows import Window

from ground.crs import ELLIPSOID, LONLAT, metres_per_unit, transformed, transformer
from ground.files import short_hash


class Observation(IntEnum):
    """Whether a pixel was seen on both dates, and if not, why. The codes of every observation mask."""

    OBSERVED = 0
    NODATA = 1
    OUTSIDE = 2
    CLOUD = 3
    SHADOW = 4
    SNOW = 5
    SATURATED = 6
    MISALIGNED = 7
    """The two dates show this ground at places too far apart to be compared."""
    UNREADABLE = 8
    """The file could not be decoded here."""


STRETCHED = 0.01
"""Part by which a projection may stretch a pixel before its true size is used."""


@dataclass(frozen=True)
class Grid:
    """North-up or rotated pixels on the ground. `transform` takes (column, row) to (x, y) in `crs`."""

    crs: CRS
    transform: Affine
    width: int
    height: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in the grid's CRS."""
        corners = [self.transform @ c for c in self._corners()]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def _corners(self) -> list[tuple[float, float]]:
        return [(0, 0), (self.width, 0), (self.width, self.height), (0, self.height)]

    def outline(self, edge_points: int = 21) -> list[tuple[float, float]]:
        """The border as a ring of x, y, each side cut into `edge_points` so that it bends with a projection."""
        corners = self._corners()
        ring = []
        for (c0, r0), (c1, r1) in zip(corners, corners[1:] + corners[:1], strict=True):
            for i in range(edge_points):
                t = i / edge_points
                ring.append(self.transform @ (c0 + (c1 - c0) * t, r0 + (r1 - r0) * t))
        return [*ring, ring[0]]

    @property
    def gsd_m(self) -> float:
        """Ground sample distance: side in metres of a square as large as the middle pixel.

        In a projected CRS the pixel's own size, unless the projection stretches it by over 1 % (Web Mercator).
        """
        true = self._gsd_on_ellipsoid()
        if not self.crs.is_projected:
            return true
        nominal = math.sqrt(abs(self.transform.determinant)) * metres_per_unit(self.crs, "grid")
        # Outside the projection's reach the true size is not a number: the nominal one stands.
        return true if abs(true / nominal - 1) >= STRETCHED else nominal

    def _gsd_on_ellipsoid(self) -> float:
        middle = (self.width / 2, self.height / 2)
        points = [self.transform @ (middle[0] + c, middle[1] + r) for c, r in ((0, 0), (1, 0), (0, 1))]
        if self.crs.is_projected and self.crs.geodetic_crs:
            # Within its own datum: no shift is asked for, none can be unknown.
            move = Transformer.from_crs(self.crs, self.crs.geodetic_crs, always_xy=True)
            points = list(zip(*transformed(move, points), strict=True))
        (lon, lat), right, below = points
        return math.sqrt(ELLIPSOID.inv(lon, lat, *right)[2] * ELLIPSOID.inv(lon, lat, *below)[2])

    @property
    def is_north_up(self) -> bool:
        """Columns run east and rows run south."""
        t = self.transform
        return bool(t.b == 0 and t.d == 0 and t.a > 0 and t.e < 0)

    def lonlat_bounds(self, where: str) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees of WGS 84."""
        move = transformer(self.crs, LONLAT, where)
        lon, lat = transformed(move, self.outline())
        return min(lon), min(lat), max(lon), max(lat)

    def shift(self, window: Window) -> Affine:
        """The transform of a window of this grid."""
        return self.transform @ Affine.translation(window.col_off, window.row_off)


@dataclass(frozen=True)
class BandRef:
    """Where one band lies: file and 1-based index in it."""

    name: str
    href: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One acquisition of one sensor. `acquired_utc` is None when nobody knows."""

    id: str
    sensor: str
    acquired_utc: datetime | None
    bands: tuple[BandRef, ...]
    mask: BandRef | None
    grid: Grid
    source: str
    """The file the user gave: an item or an image; errors name it."""

    @property
    def files(self) -> list[str]:
        """Every distinct file of the scene, in a fixed order."""
        return sorted({ref.href for ref in (*self.bands, *([self.mask] if self.mask else []))})


@dataclass(frozen=True, kw_only=True)
class ScenePair:
    """Two scenes of one place on one grid; `bands` holds (before's, after's) band of each common name."""

    before: Scene
    after: Scene
    grid: Grid
    bands: tuple[tuple[BandRef, BandRef], ...]
    names: tuple[str, ...]


def pair_id(before_sha256: str, after_sha256: str) -> str:
    """The same two contents in the same order make the same pair, wherever they lie."""
    return short_hash("pair", before_sha256, after_sha256)
