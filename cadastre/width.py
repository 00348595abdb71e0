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
    """Median and widest of each; None where it has no center line. One diagram serves all, set side by side."""
    west, south, east, _ = shapely.bounds(shapes).T
    offset = np.concatenate([[0.0], np.cumsum(2 * (east - west) + step)[:-1]])
    dense = shapely.segmentize(shapely.normalize(shapes), step)
    parts, of_part = shapely.get_parts(shapely.boundary(dense), return_index=True)
    points, ring = shapely.get_coordinates(parts, return_index=True)
    # A ring ends where it began.
    once = np.append(ring[1:] == ring[:-1], False)
    points, owner = points[once], of_part[ring[once]]
    points = points - np.column_stack((west, south))[owner]
    placed = points + np.column_stack((offset, np.zeros_like(offset)))[owner]
    diagram = Voronoi(placed)
    pair, ends = diagram.ridge_points, np.asarray(diagram.ridge_vertices)
    own = (owner[pair[:, 0]] == owner[pair[:, 1]]) & (ends >= 0).all(axis=1)
    pair, ends = pair[own], ends[own]
    one, other = diagram.vertices[ends[:, 0]], diagram.vertices[ends[:, 1]]
    middle = (one + other) / 2
    chord = np.linalg.norm(placed[pair[:, 0]] - placed[pair[:, 1]], axis=1)
    reach = 2 * np.linalg.norm(placed[pair[:, 0]] - middle, axis=1)
    facing = np.flatnonzero(chord >= FACING * reach)
    whose = owner[pair[facing, 0]]
    back = np.column_stack((west - offset, south))[whose]
    shapely.prepare(shapes)
    inside = shapely.contains_xy(shapes[whose], *(middle[facing] + back).T)
    facing, whose = facing[inside], whose[inside]
    weight = np.linalg.norm(one[facing] - other[facing], axis=1)
    found: list[tuple[float, float] | None] = []
    for i, border in enumerate(shapely.boundary(shapes)):
        rows = np.flatnonzero(whose == i)
        if not len(rows) or weight[rows].sum() == 0:
            found.append(None)
            continue
        # Border points are a step apart; the border itself is a little nearer.
        far = rows[np.argmax(reach[facing[rows]])]
        place = shapely.Point(middle[facing[far]] + back[inside][far])
        found.append((_median(chord[facing[rows]], weight[rows]), 2 * float(shapely.distance(place, border))))
    return found


def _median(values: Numbers, weight: Numbers) -> float:
    order = np.argsort(values)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    return float(values[order][half])
