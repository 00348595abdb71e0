"""The map of a case as figures for the page: its outline, its corner points, and where photos were taken and look."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.exhibits import Exhibit
from reports.words import Words

MOST_POINTS = 24
"""Corner points that are listed."""
AROUND = 1.25
"""Side of the map over the longer side of what it shows."""
MOST_SHRUNK = 6
"""How much larger than about the change alone the map may get for the places of its photos."""
RIM = 0.04
"""How far from its edge a photo is drawn that was taken outside of the map, as a part of its side."""


def map_of(change: dict[str, Any], exhibits: Sequence[Exhibit], words: Words) -> dict[str, Any]:
    """Rings as fractions of a square, x east and y south, true to scale at its middle latitude."""
    west, south, east, north = change["box"]
    taken = [one for one in exhibits if one.is_photo and one.thumbnail and one.place]
    at = square_about(change["box"], [one.place for one in taken if one.place]).at
    rings = change["rings"]
    points = [point for ring in rings for point in ring[:-1]]
    note = words.label("more_points", shown=MOST_POINTS, all=len(points)) if len(points) > MOST_POINTS else ""
    left, top = at(west, north)
    right, bottom = at(east, south)
    views = [_view(one, *at(*one.place)) for one in taken if one.place]
    return {
        "rings": [[list(at(x, y)) for x, y in ring] for ring in rings],
        "box": [left, top, right - left, bottom - top],
        "edges": [f"{west:.6f}°", f"{south:.6f}°", f"{east:.6f}°", f"{north:.6f}°"],
        "points": [[str(i), f"{x:.6f}", f"{y:.6f}"] for i, (x, y) in enumerate(points[:MOST_POINTS], 1)],
        "more": note,
        "views": views,
    }


@dataclass(frozen=True)
class Square:
    """A map true to scale at its middle latitude; `side` in degrees of latitude."""

    side: float
    middle: tuple[float, float]
    squeeze: float
    """Of a degree of longitude, in degrees of latitude."""

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place in degrees as fractions of the square, x east and y south."""
        return (x - self.middle[0]) * self.squeeze / self.side + 0.5, (self.middle[1] - y) / self.side + 0.5


def square_about(box: Sequence[float], places: Sequence[tuple[float, float]] = ()) -> Square:
    """About a change (west, south, east, north in degrees), and about its photos if they lie near."""
    west, south, east, north = box
    squeeze = max(math.cos(math.radians((south + north) / 2)), 1e-6)
    own = max((east - west) * squeeze, north - south, 1e-9)
    near = own * MOST_SHRUNK / 2 / AROUND
    centre = (west + east) / 2, (south + north) / 2
    for x, y in places:
        if max(abs(x - centre[0]) * squeeze, abs(y - centre[1])) <= near:
            west, south, east, north = min(west, x), min(south, y), max(east, x), max(north, y)
    side = max((east - west) * squeeze, north - south, own) * AROUND
    return Square(side, ((west + east) / 2, (south + north) / 2), squeeze)


def _view(one: Exhibit, x: float, y: float) -> dict[str, Any]:
    """Where a photo was taken; one from outside of the map stands at its edge, in the direction where it lies."""
    reach = max(abs(x - 0.5), abs(y - 0.5))
    outside = reach > 0.5
    if outside:
        x, y = (0.5 + (v - 0.5) / reach * (0.5 - RIM) for v in (x, y))
    return {"x": x, "y": y, "number": str(one.number), "azimuth": one.given.azimuth, "outside": outside}
