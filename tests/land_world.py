"""Changes and land of the kind that breaks overlays, drawn with a seed; each case in a square kilometre of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.random import Generator
from numpy.typing import NDArray
from shapely.affinity import scale, translate

from cadastre.layers import Layer, LayerData
from tests.cases_world import GRID

CLASSES = ["0101", "0102", "0103", "0204", "0301", "0404", "0602", "0702", "1006", "1101", "99", None]
NUDGES = (1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 0.1)
PLACES = ((0.0, 0.0), (500_000.0, 4_200_000.0), (38_500_000.0, 4_200_000.0), (1e9, 1e9))
"""Where a world lies, metres: also with a zone's prefix, and far off."""


@dataclass(frozen=True)
class World:
    """Valid changes and land that overlaps, gapes and almost meets."""

    shapes: NDArray[np.object_]
    land: LayerData
    basic: LayerData
    case_of: NDArray[np.intp]


def star(rng: Generator, corners: int = 9) -> shapely.Polygon:
    """A ring of corners around the middle."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(3, 60, corners)
    return shapely.Polygon(np.column_stack((radius * np.cos(angle), radius * np.sin(angle))))


def sliver(rng: Generator) -> shapely.Polygon:
    """100 m long, as thin as noise."""
    thin = 10.0 ** rng.uniform(-6, -1)
    return shapely.Polygon([(-50, 0), (50, rng.normal(0, 1)), (50, thin + 1), (-50, thin)])


def spike(rng: Generator) -> shapely.Polygon:
    """A box with a needle out of it."""
    thin = 10.0 ** rng.uniform(-9, -2)
    return shapely.Polygon([(-20, -20), (20, -20), (20, 0), (90, thin / 2), (20, thin), (20, 20), (-20, 20)])


def bowtie(rng: Generator) -> shapely.Polygon:
    """A ring that crosses itself; mended later."""
    return shapely.Polygon(rng.uniform(-40, 40, (int(rng.integers(4, 9)), 2)))


def tiny(rng: Generator) -> shapely.Polygon:
    """A triangle of a few millimetres or metres."""
    return shapely.Polygon(rng.normal(0, 10.0 ** rng.uniform(-3, 0), (3, 2)))


def collinear(rng: Generator) -> shapely.Polygon:
    """A box with corners that are none, some twice."""
    at = np.sort(rng.uniform(-30, 30, 6))
    south = [(x, -10.0) for x in [-30, *at, *at[:2][::-1], 30]]
    return shapely.Polygon([*sorted(south), (30, 10), *((x, 10.0) for x in at[::-1]), (-30, 10)])


def holes(rng: Generator) -> shapely.Polygon:
    """A box with holes, some of which touch."""
    at = rng.integers(-4, 4, (6, 2)) * 10.0
    rings = shapely.union_all([shapely.box(x, y, x + 10, y + 10) for x, y in at])
    return shapely.difference(shapely.box(-45, -45, 55, 55), rings)


def touching(rng: Generator) -> shapely.Polygon:
    """A ring that comes back to one of its own corners."""
    x = rng.uniform(5, 30)
    return shapely.Polygon([(0, 0), (x, -20), (40, 0), (x, 20), (0, 0), (-20, 20), (-40, 0), (-20, -20)])


def comb(rng: Generator) -> shapely.Polygon:
    """Many thin teeth."""
    thin = 10.0 ** rng.uniform(-4, 0)
    teeth = [shapely.box(3 * i, 0, 3 * i + thin, 30) for i in range(-8, 8)]
    return shapely.union_all([shapely.box(-25, -5, 25, 0), *teeth])


KINDS: tuple[Callable[[Generator], shapely.Polygon], ...] = (
    star, sliver, spike, bowtie, tiny, collinear, holes, touching, comb,
)  # fmt: skip


def drawn(rng: Generator) -> shapely.Polygon:
    """A valid polygon of some kind, turned by chance."""
    while True:
        shape = KINDS[int(rng.integers(len(KINDS)))](rng)
        angle = rng.choice([0.0, rng.uniform(0, 2 * np.pi)])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned = shapely.transform(shape, lambda xy, turn=turn: xy @ turn)
        parts = [p for p in shapely.get_parts(shapely.make_valid(turned)).tolist() if p.area > 0]
        parts = [p for one in parts for p in shapely.get_parts(one).tolist() if p.geom_type == "Polygon"]
        if parts:
            found: shapely.Polygon = max(parts, key=lambda part: part.area)
            return found


def land_for(change: shapely.Polygon, rng: Generator) -> list[shapely.Geometry]:
    """Features that copy it, almost copy it, cut it, ring it, or have nothing to do with it."""
    nudge = float(rng.choice(NUDGES)) * rng.choice([-1, 1])
    west, south, east, north = change.bounds
    x, y = rng.uniform(west, east), rng.uniform(south, north)
    made = [
        change,
        translate(change, nudge, nudge / 3),
        scale(change, 1 + nudge / 50, 1 + nudge / 50),
        shapely.box(west - 9, south - 9, x, north + 9),
        shapely.box(x + nudge, south - 9, east + 9, y),
        shapely.box(x, y + nudge, east + 9, north + 9),
        shapely.difference(change, shapely.box(x, y, x + 7, y + 7)),
        drawn(rng),
        drawn(rng),
        sliver(rng),
    ]
    chosen = rng.choice(len(made), int(rng.integers(0, 6)))
    return [made[i] for i in chosen]


def world(seed: int, count: int) -> World:
    """`count` cases."""
    rng = np.random.default_rng(seed)
    base = PLACES[int(rng.integers(len(PLACES)))]
    side = int(np.ceil(np.sqrt(count)))
    shapes, land, case = [], [], []
    for i in range(count):
        change = drawn(rng)
        east, north = base[0] + 1000 * (i % side), base[1] + 1000 * (i // side)
        given = [_valid(translate(one, east, north)) for one in land_for(change, rng)]
        change = _valid(translate(change, east, north))
        if change.is_empty or change.geom_type != "Polygon":
            change = shapely.box(east, north, east + 1, north + 1)
        shapes.append(change)
        land += [one for one in given if not one.is_empty]
        case += [i] * (len(land) - len(case))
    number = [None if rng.random() < 0.05 else f"N{int(v)}" for v in rng.integers(0, 9, len(land))]
    classes = [CLASSES[int(i)] for i in rng.integers(0, len(CLASSES), len(land))]
    basic = rng.random(len(land)) < 0.3
    return World(
        np.array(shapes, dtype=object),
        _layer(land, number, classes),
        _layer([one for one, chosen in zip(land, basic, strict=True) if chosen]),
        np.array(case, dtype=np.intp),
    )


def _valid(shape: shapely.Geometry) -> shapely.Geometry:
    """Far off, rounding may have made it invalid."""
    return shapely.make_valid(shape, method="structure", keep_collapsed=False)


def _layer(
    shapes: list[shapely.Geometry],
    number: list[str | None] | None = None,
    classes: list[str | None] | None = None,
) -> LayerData:
    none = [None] * len(shapes)
    frame = gpd.GeoDataFrame(
        {"number": number or none, "land_class": classes or none}, geometry=shapes, crs=GRID, dtype=object
    )
    frame = frame.set_geometry(gpd.GeoSeries(shapes, crs=GRID))
    for name in ("valid_from", "valid_to", "known_from"):
        frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[s]")
    columns = {"land_class": "DLBM"} if classes else {}
    layer = Layer(title="land", path="-", coverage="everywhere", measures=["m2"], columns=columns)
    return LayerData(layer=layer, frame=frame, covers=None)


def strips(change: shapely.Polygon, rng: Generator) -> list[shapely.Geometry]:
    """The parts of a change that was cut at a few places from south to north."""
    west, south, east, north = change.bounds
    cuts = [west - 1, *np.sort(rng.uniform(west, east, int(rng.integers(1, 4)))).tolist(), east + 1]
    parts = [
        shapely.intersection(change, shapely.box(one, south - 1, other, north + 1))
        for one, other in pairwise(cuts)
    ]
    return [part for part in parts if part.area > 0]
