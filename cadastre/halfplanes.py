"""Areas that polygons share with convex ones, by clipping with half-planes in arrays: most parcels are convex.

Sutherland and Hodgman 1974: a ring clipped by one edge of the convex polygon after another. Where the ring comes
apart, the parts stay joined along the edge, which adds nothing to the area. No topology is built, so nothing fails.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from cadastre.overlay import Shapes

Numbers = NDArray[np.float64]
CONVEX, RING = 8, 32
"""Most corners of a convex polygon to clip with, and of a ring to be clipped; others are left to GEOS."""
APART_M = 1e-7
"""Shapes that reach no deeper into each other than this lie side by side, metres."""


@dataclass(frozen=True)
class Corners:
    """Corners of polygons in one part without holes, counterclockwise, relative to `origin`; the last one repeats.

    `count`: how many are different; 0 where the shape is none of these or has more than RING.
    """

    x: Numbers
    y: Numbers
    count: NDArray[np.intp]
    convex: NDArray[np.bool_]


def corners_of(shapes: Shapes, origin: Numbers) -> Corners:
    """The corners of shapes; `origin` (n × 2) keeps figures small and sums exact."""
    count = shapely.get_num_coordinates(shapes) - 1
    simple = (shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON) & (count <= RING) & (count > 2)
    simple[simple] = shapely.get_num_interior_rings(shapes[simple]) == 0
    count = np.where(simple, count, 0)
    most = int(count.max(initial=0)) + 1
    xy = np.zeros((len(shapes), most, 2))
    found, at = shapely.get_coordinates(shapes[simple], return_index=True)
    rows = np.flatnonzero(simple)
    start = np.cumsum(count[rows] + 1) - (count[rows] + 1)
    xy[rows[at], np.arange(len(at)) - start[at]] = found
    xy[rows] -= origin[rows, None]
    last = np.take_along_axis(xy, np.minimum(count, most - 1)[:, None, None], axis=1)
    xy = np.where((np.arange(most) <= count[:, None])[:, :, None], xy, last)
    x, y = np.ascontiguousarray(xy[:, :, 0]), np.ascontiguousarray(xy[:, :, 1])
    turned = _areas(x, y) < 0
    x[turned], y[turned] = _reversed(x[turned], count[turned]), _reversed(y[turned], count[turned])
    dx, dy = np.diff(x, axis=1), np.diff(y, axis=1)
    place = np.arange(most - 1)
    following = np.where(place + 1 < count[:, None], np.minimum(place + 1, max(most - 2, 0)), 0)
    next_dx, next_dy = (np.take_along_axis(step, following, axis=1) for step in (dx, dy))
    bends = (dx * next_dy - dy * next_dx >= 0) | (place >= count[:, None])
    convex = bends.all(axis=1) & (count > 2) & (count <= CONVEX)
    # A ring that winds twice bends one way everywhere too.
    convex &= _turns_once(dx, dy)
    return Corners(x, y, count, convex)


def _turns_once(dx: Numbers, dy: Numbers) -> NDArray[np.bool_]:
    """Edges of a convex ring, taken in turn, change from falling to rising once."""
    up = (dy > 0) | ((dy == 0) & (dx > 0))
    there = (dx != 0) | (dy != 0)
    rises = np.zeros(len(dx), dtype=int)
    if not dx.shape[1]:
        return np.zeros(len(dx), dtype=bool)
    last = np.take_along_axis(up, (dx.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1))[:, None], axis=1)[
        :, 0
    ]
    for i in range(dx.shape[1]):
        rises += there[:, i] & up[:, i] & ~last
        last = np.where(there[:, i], up[:, i], last)
    return np.asarray(rises == 1, dtype=bool)


def _reversed(values: Numbers, count: NDArray[np.intp]) -> Numbers:
    place = np.maximum(count[:, None] - np.arange(values.shape[1]), 0)
    return np.asarray(np.take_along_axis(values, place, axis=1))


def _areas(x: Numbers, y: Numbers) -> Numbers:
    """Signed; summed corner after corner, so that empty places behind change no bit."""
    total = np.zeros(len(x))
    for i in range(x.shape[1] - 1):
        total += x[:, i] * y[:, i + 1] - x[:, i + 1] * y[:, i]
    return total / 2


def shared_m2(rings: Corners, ring: NDArray[np.intp], convex: Corners, clip: NDArray[np.intp]) -> Numbers:
    """Area that rings[ring] share with convex[clip], row by row; both relative to the same origins."""
    x, y, count = rings.x[ring], rings.y[ring], rings.count[ring]
    sides = convex.count[clip]
    for i in range(int(sides.max(initial=0))):
        ax, ay = convex.x[clip, i], convex.y[clip, i]
        dx, dy = convex.x[clip, i + 1] - ax, convex.y[clip, i + 1] - ay
        x, y, count = _clipped(x, y, count, (ax, ay, dx, dy))
    return np.abs(_areas(x, y))


def _clipped(
    x: Numbers, y: Numbers, count: NDArray[np.intp], edge: tuple[Numbers, ...]
) -> tuple[Numbers, Numbers, NDArray[np.intp]]:
    """What of closed rings lies left of a line each; a line without direction keeps all."""
    ax, ay, dx, dy = (value[:, None] for value in edge)
    side = dx * (y - ay) - dy * (x - ax)
    inside = side >= 0
    there = np.arange(x.shape[1] - 1) < count[:, None]
    keep, crosses = there & inside[:, :-1], there & (inside[:, :-1] != inside[:, 1:])
    made = keep.astype(np.intp) + crosses
    start = np.cumsum(made, axis=1)
    total, start = start[:, -1], start - made
    new_x, new_y = (np.zeros((len(x), int(total.max(initial=1)) + 1)) for _ in range(2))
    row, column = np.nonzero(keep)
    new_x[row, start[row, column]], new_y[row, start[row, column]] = x[row, column], y[row, column]
    row, column = np.nonzero(crosses)
    here, there_ = side[row, column], side[row, column + 1]
    part = here / (here - there_)
    to = start[row, column] + keep[row, column]
    new_x[row, to] = x[row, column] + part * (x[row, column + 1] - x[row, column])
    new_y[row, to] = y[row, column] + part * (y[row, column + 1] - y[row, column])
    every = np.arange(len(x))
    new_x[every, total], new_y[every, total] = new_x[:, 0], new_y[:, 0]
    return new_x, new_y, total


def apart(
    shapes: Corners, one: NDArray[np.intp], other: NDArray[np.intp], lines: NDArray[np.int8]
) -> NDArray[np.bool_]:
    """Whether an edge of one of two shapes has one on its one side and the other on its other; unsure is no."""
    found = _separated(shapes, one, other, lines)
    left = np.flatnonzero(~found)
    found[left] = _separated(shapes, other[left], one[left], lines)
    return found


def supporting(shapes: Corners) -> NDArray[np.int8]:
    """For each edge, 1 where its whole shape lies left of it, else 0."""
    side, length = _sides(shapes, shapes)
    lines: NDArray[np.int8] = ((side >= -APART_M * length).all(axis=2) & (length[:, :, 0] > 0)).astype(
        np.int8
    )
    return lines


def _separated(
    shapes: Corners, one: NDArray[np.intp], other: NDArray[np.intp], lines: NDArray[np.int8]
) -> NDArray[np.bool_]:
    known = (shapes.count[one] > 0) & (shapes.count[other] > 0)
    found = np.zeros(len(one), dtype=bool)
    ones, others = (
        Corners(shapes.x[rows], shapes.y[rows], shapes.count[rows], shapes.convex[rows])
        for rows in (one[known], other[known])
    )
    side, length = _sides(ones, others)
    found[known] = ((side <= APART_M * length).all(axis=2) & (lines[one[known]] > 0)).any(axis=1)
    return found


def _sides(lines: Corners, points: Corners) -> tuple[Numbers, Numbers]:
    """n × edges × corners: how far left of the line through an edge a corner lies, times its length; the lengths."""
    dx, dy = np.diff(lines.x, axis=1)[:, :, None], np.diff(lines.y, axis=1)[:, :, None]
    x, y = points.x[:, None, :] - lines.x[:, :-1, None], points.y[:, None, :] - lines.y[:, :-1, None]
    return dx * y - dy * x, np.hypot(dx, dy)
