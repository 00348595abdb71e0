"""How far the nearest feature of a layer lies from each change, and which it is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.crossing import Features
from cadastre.dated import NO_SCENE_DATES, SINCE_WHEN, Days, Reasons, depends, turns
from cadastre.overlay import Shapes

FARTHEST_M = 20_003_931.0
"""Pole to pole along a meridian: the distance to a feature that does not exist, where a layer is complete."""

MANY_DAYS = 8
"""Up to so many days on which a layer changes between two scenes, each is looked at; of more, the extremes."""


@dataclass(frozen=True)
class Nearest:
    """Of each change: distance in metres, number of the feature (None: it has none; "": there is no feature)."""

    distance_m: NDArray[np.float64]
    number: NDArray[np.object_]
    distance_why: Reasons
    number_why: Reasons


def nearest(shapes: Shapes, features: Features, days: Days) -> Nearest:
    """The nearest features in force on every day between the scenes; of several as near, the first by number."""
    count = len(shapes)
    distance, number = np.full(count, FARTHEST_M), np.full(count, "", dtype=object)
    if not features.dated.any() and not features.undated.any():
        distance, number = _nearest(shapes, features, np.ones(len(features.shapes), dtype=bool))
        return Nearest(distance, number, *_no_reasons(count))
    distance_why, number_why = _no_reasons(count)
    unknown = SINCE_WHEN if features.undated.any() else NO_SCENE_DATES
    distance_why[~days.known] = number_why[~days.known] = unknown
    pairs = pd.DataFrame({"first": days.first, "last": days.last})[days.known]
    for (begin, end), where in pairs.groupby(["first", "last"]).indices.items():
        rows, first, last = pairs.index.to_numpy()[where], np.datetime64(begin, "D"), np.datetime64(end, "D")
        if (features.undated & (features.ends >= first)).any():
            distance_why[rows] = number_why[rows] = SINCE_WHEN
            continue
        masks = _in_force(features, first, last)
        distance[rows], number[rows] = _nearest(shapes[rows], features, masks[0])
        for mask in masks[1:]:
            other, other_number = _nearest(shapes[rows], features, mask)
            differs = ~np.isclose(distance[rows], other, rtol=1e-6, atol=1e-5)
            distance_why[rows[differs]] = depends(first, last)
            number_why[rows[differs | (number[rows] != other_number)]] = depends(first, last)
    return Nearest(distance, number, distance_why, number_why)


def _in_force(features: Features, first: np.datetime64, last: np.datetime64) -> list[NDArray[np.bool_]]:
    """The different sets of features in force between two days, both included."""
    days = turns(features.begins, features.ends, first, last)
    if len(days) > MANY_DAYS:
        # The distance lies between that to all that ever were in force and that to those which always were.
        always = (features.begins <= first) & (features.ends >= last)
        return [always, (features.begins <= last) & (features.ends >= first)]
    return [(features.begins <= day) & (features.ends >= day) for day in days]


def _no_reasons(count: int) -> tuple[Reasons, Reasons]:
    return np.full(count, None, dtype=object), np.full(count, None, dtype=object)


def _nearest(
    shapes: Shapes, features: Features, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    distance, number = np.full(len(shapes), FARTHEST_M), np.full(len(shapes), "", dtype=object)
    if not chosen.any():
        return distance, number
    rows = np.flatnonzero(chosen)
    tree = features.tree if chosen.all() else shapely.STRtree(features.shapes[rows])
    (at, found), metres = tree.query_nearest(shapes, all_matches=True, return_distance=True)
    distance[at] = metres
    named = features.texts("number", rows[found])
    # A feature without a number comes after those that have one.
    known = np.array([bool(name) for name in named], dtype=bool)
    order = np.lexsort((np.array([name or "" for name in named], dtype=str), ~known, at))[::-1]
    named[~known] = None
    number[at[order]] = named[order]
    return distance, number
