"""Width of changes along their center line: of a road however it bends, forks, widens or comes back to itself.

The center line is what the Voronoi diagram of points along the border has inside, less its branches into corners
(Brandt and Algazi 1992): there the two border points nearest to it do not face each other. The chord between two that
do is the width there. A compact shape has no center line worth the name; its width is the shorter side of the
smallest rectangle around it.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi

from cadastre.overlay import Shapes
from detection.changes import ribbon_width_m

Numbers = NDArray[np.float64]
ELONGATED = 4.0
"""Length to width of the rectangle of equal area and perimeter from which a shape has a center line."""
STEP = 1 / 3
"""Distance of border points, in widths of that rectangle: chords come out at most 1.4 % too long."""
FACING = 0.9
"""Least ratio of the chord to the diameter of the circle through its ends about the center line: 128° of the circle."""
DRAW = 1e-6
"""Places whose reach differs by less, of its own length, are as wide as each other."""
POINTS = 20_000
"""Border points worked on at a time; a shape that alone needs more gets a coarser step."""


@dataclass(frozen=True)
class Widths:
    """Metres: the median along the center line by its length, and the widest place (bends and forks count)."""

    median_m: Numbers
    widest_m: Numbers


def center_widths(shapes: Shapes) -> Widths:
    """The widths of polygons in metres."""
    area, length = shapely.area(shapes), shapely.length(shapes)
    ribbon = ribbon_width_m(area, length)
    median, widest = (_shorter_side(shapes) for _ in range(2))
    long = np.flatnonzero(area / ribbon >= ELONGATED * ribbon)
    step = np.maximum(ribbon[long] * STEP, length[long] / (POINTS / 4))
    needed = np.cumsum(length[long] / step + shapely.get_num_coordinates(shapes[long]))
    for block in np.unique(needed // POINTS):
        rows = needed // POINTS == block
        found = _along(shapes[long[rows]], step[rows])
        for row, one in zip(long[rows], found, strict=True):
            if one is not None:
                median[row], widest[row] = one
    return Widths(median, widest)


def _shorter_side(shapes: Shapes) -> Numbers:
    """Of the smallest rectangle around each."""
    found = np.zeros(len(shapes))
    around = shapely.oriented_envelope(shapes)
    flat = shapely.get_dimensions(around) == 2
    corners = shapely.get_coordinates(around[flat]).reshape(-1, 5, 2)
    sides = np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2)
    found[flat] = sides.min(axis=1)
    return found


def _along(shapes: Shapes, step: Numbers) -> list[tuple[float, float] | None]:
    """Median and widest of each; None where it has no center line. A diagram each, in the shape's own coordinates."""
    origin = shapely.bounds(shapes)[:, :2]
    dense = shapely.segmentize(shapely.normalize(shapes), step)
    parts, of_part = shapely.get_parts(shapely.boundary(dense), return_index=True)
    points, ring = shapely.get_coordinates(parts, return_index=True)
    # A ring ends where it began.
    once = np.append(ring[1:] == ring[:-1], False)
    points, owner = points[once], of_part[ring[once]]
    points = points - origin[owner]
    borders, starts = shapely.boundary(shapes), np.searchsorted(owner, np.arange(len(shapes) + 1))
    shapely.prepare(shapes)
    return [
        _center(points[starts[i] : starts[i + 1]], shapes[i], borders[i], origin[i])
        for i in range(len(shapes))
    ]


def _center(
    points: Numbers, shape: shapely.Geometry, border: shapely.Geometry, origin: Numbers
) -> tuple[float, float] | None:
    """The same of one shape, of its border points about `origin`."""
    diagram = Voronoi(points)
    pair, ends = diagram.ridge_points, np.asarray(diagram.ridge_vertices)
    bounded = (ends >= 0).all(axis=1)
    pair, ends = pair[bounded], ends[bounded]
    one, other = diagram.vertices[ends[:, 0]], diagram.vertices[ends[:, 1]]
    middle, first = (one + other) / 2, points[pair[:, 0]]
    chord, reach = _length(first - points[pair[:, 1]]), 2 * _length(first - middle)
    facing = np.flatnonzero(chord >= FACING * reach)
    places = middle[facing] + origin
    inside = shapely.contains_xy(shape, places[:, 0], places[:, 1])
    facing, places = facing[inside], places[inside]
    weight, reach = _length(one[facing] - other[facing]), reach[facing]
    if not len(facing) or weight.sum() == 0:
        return None
    # Border points are a step apart; the border itself is a little nearer. Of places as wide, noise must not choose.
    far = shapely.points(places[reach >= (1 - DRAW) * reach.max()])
    return _median(chord[facing], weight), 2 * float(shapely.distance(far, border).max())


def _length(vectors: Numbers) -> Numbers:
    return np.hypot(vectors[:, 0], vectors[:, 1])


def _median(values: Numbers, weight: Numbers) -> float:
    order = np.argsort(values)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(values[order][half])
