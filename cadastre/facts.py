"""Facts: what can be measured between each change and each cadastral layer.

A fact is a number, a text, or None: unknown. It is unknown where the layer is absent or not complete, and
where the answer depends on which day between the two scenes the ground changed. `why` keeps the reason.
Areas are rounded to 0.001 m², distances to 0.001 m, shares to a
millionth: noise in the last digit must not turn a verdict.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from cadastre.layers import Catalogue, LayerData
from ground.crs import LONLAT, crs_of, equal_area_crs, to_crs

Fact = float | str | None
SAME_M2 = 0.01
"""Areas closer than this are one area: a hundredth of a square metre, far under the ledger's 0.01 亩."""
SAME_M = 0.001
"""A line or point no deeper inside a change than this lies on its border."""
FIRST_DAY, LAST_DAY = pd.Timestamp("0001-01-01"), pd.Timestamp("9999-12-31")
"""In force since ever, and for ever: what a feature without dates means."""
SINCE_WHEN = "a feature has no valid_from, so nobody knows since when it holds; complete the layer"
NO_SCENE_DATES = "its features have dates, but the scenes' are not known; pass --before-date and --after-date"
FARTHEST_M = 20_003_931.0
"""Pole to pole along a meridian: the distance to a feature that does not exist, where a layer is complete."""

CHANGE_FACTS = {
    "change_class": "change_class", "change_area_m2": "area_m2", "change_width_m": "width_m",
    "change_probability": "probability", "change_ndvi": "ndvi_change",
}  # fmt: skip
"""Facts that the change brings along, and its column."""
CHANGE_DIGITS = {"area_m2": 3, "width_m": 3, "probability": 6, "ndvi_change": 6}


@dataclass(frozen=True)
class Facts:
    """What is known of one change: `values` by fact name, and `why` a value is None."""

    values: dict[str, Fact]
    why: dict[str, str] = field(default_factory=dict)


def measure_crs(changes: gpd.GeoDataFrame) -> CRS:
    """The one projected CRS in which changes and layers are measured: equal-area, centered on the changes."""
    crs = crs_of(changes.crs, "changes")
    lonlat = to_crs(changes.geometry.to_numpy(), crs, LONLAT, "changes")
    box = shapely.total_bounds(lonlat) if len(changes) else (0.0, 0.0, 0.0, 0.0)
    return equal_area_crs(*map(float, box))


def measure(
    changes: gpd.GeoDataFrame,
    layers: dict[str, LayerData],
    catalogue: Catalogue,
    advance: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
) -> dict[str, Facts]:
    """The facts of every change by change_id; `layers` are in `measure_crs(changes)`."""
    crs = measure_crs(changes)
    shapes = to_crs(changes.geometry.to_numpy(), crs_of(changes.crs, "changes"), crs, "changes")
    rows = [_of_change(row) for row in changes.itertuples()]
    values: list[dict[str, Fact]] = [dict(facts.values) for facts in rows]
    why: list[dict[str, str]] = [dict(facts.why) for facts in rows]
    for done, (name, layer) in enumerate(catalogue.items()):
        advance("facts", done, len(catalogue))
        if name in layers:
            results = _measure_layer(name, shapes, changes, layers[name])
            for i, (more, reasons) in enumerate(results):
                values[i] |= more
                why[i] |= reasons
            continue
        for i in range(len(changes)):
            values[i] |= {f"{name}_{m}": None for m in layer.measures}
            why[i] |= {f"{name}_{m}": f"layer {name} is not in hand" for m in layer.measures}
    return {key: Facts(values[i], why[i]) for i, key in enumerate(changes["change_id"])}


def _of_change(row: Any) -> Facts:
    values: dict[str, Fact] = {}
    why: dict[str, str] = {}
    for fact, column in CHANGE_FACTS.items():
        value = getattr(row, column)
        whole = value if isinstance(value, str) else round(float(value), CHANGE_DIGITS[column])
        values[fact] = None if pd.isna(value) else whole
        if values[fact] is None:
            why[fact] = f"the change has no {column}"
    return Facts(values, why)


@dataclass(frozen=True)
class Hits:
    """Features that meet one change: the pieces inside it, their numbers and land classes."""

    change: shapely.Geometry
    pieces: NDArray[np.object_]
    numbers: list[str | None]
    land_classes: list[str | None]
    has_classes: bool


def covered_m2(hits: Hits) -> float:
    """Area of the change that the features cover; where they overlap it counts once."""
    return round(_covered(hits), 3)


def _covered(hits: Hits) -> float:
    return float(shapely.area(shapely.union_all(hits.pieces))) if len(hits.pieces) else 0.0


def share(hits: Hits) -> float:
    """The covered part of the change, 0 to 1."""
    return round(min(1.0, _covered(hits) / float(hits.change.area)), 6)


def count(hits: Hits) -> float:
    """How many features share more than a border with the change."""
    return float(len(hits.pieces))


def dominant(hits: Hits) -> str | None:
    """The land class that covers most of the change, in a layer without classes the number.

    Empty where nothing covers it; None where what covers most has none.
    """
    pieces: dict[str, list[shapely.Geometry]] = {}
    for piece, land_class, number in zip(hits.pieces, hits.land_classes, hits.numbers, strict=True):
        pieces.setdefault((land_class if hits.has_classes else number) or "", []).append(piece)
    covered = {name: round(float(shapely.area(shapely.union_all(p))), 3) for name, p in pieces.items()}
    return max(sorted(covered), key=lambda name: covered[name]) or None if covered else ""


def numbers(hits: Hits) -> str:
    """The numbers of the features that cover any of the change, sorted."""
    return ", ".join(sorted({number for number in hits.numbers if number}))


MEASURES: dict[str, Callable[[Hits], Fact]] = {
    "m2": covered_m2, "share": share, "count": count, "dominant": dominant, "numbers": numbers,
}  # fmt: skip
"""Measures of what lies inside a change; `distance_m` looks outside and is written apart."""


@dataclass(frozen=True)
class _Features:
    """A layer's features, ready to be asked; in force from `begins` to `ends`, both days included."""

    shapes: NDArray[np.object_]
    tree: shapely.STRtree
    numbers: NDArray[np.object_]
    land_classes: NDArray[np.object_]
    begins: NDArray[np.datetime64]
    ends: NDArray[np.datetime64]
    has_dates: bool
    undated: NDArray[np.bool_]
    has_classes: bool


def _features(data: LayerData) -> _Features:
    frame, columns = data.frame, data.layer.columns
    shapes = frame.geometry.to_numpy()
    begins, ends = (frame[name].astype("datetime64[s]") for name in ("valid_from", "valid_to"))
    return _Features(
        shapes=shapes,
        tree=shapely.STRtree(shapes),
        numbers=frame["number"].to_numpy(dtype=object),
        land_classes=frame["land_class"].to_numpy(dtype=object),
        begins=begins.fillna(FIRST_DAY).to_numpy().astype("datetime64[D]"),
        ends=ends.fillna(LAST_DAY).to_numpy().astype("datetime64[D]"),
        has_dates=bool((begins.notna() | ends.notna()).any()),
        # An empty end means until further notice; an empty beginning says nothing of when.
        undated=begins.isna().to_numpy() & ("valid_from" in columns),
        has_classes="land_class" in columns or bool(frame["land_class"].notna().any()),
    )


def _measure_layer(
    name: str, shapes: NDArray[np.object_], changes: gpd.GeoDataFrame, data: LayerData
) -> list[tuple[dict[str, Fact], dict[str, str]]]:
    """(values, reasons) of each change against one layer."""
    features = _features(data)
    found = features.tree.query(shapes, predicate="intersects")
    by_change = pd.Series(found[1]).groupby(found[0]).apply(lambda s: sorted(s.tolist())).to_dict()
    results = []
    for i, shape in enumerate(shapes):
        days = (changes["before"].iloc[i], changes["after"].iloc[i])
        hits = np.array(by_change.get(i, []), dtype=int)
        values: dict[str, Fact] = {}
        reasons: dict[str, str] = {}
        outside = data.covers is not None and not shapely.covers(data.covers, shape)
        for measure_name in data.layer.measures:
            fact = f"{name}_{measure_name}"
            if outside:
                values[fact], reasons[fact] = (None, f"layer {name} does not cover the whole change")
            else:
                values[fact], reason = _dated(measure_name, shape, features, hits, days)
                if measure_name == "distance_m" and _beyond(values[fact], shape, data):
                    values[fact], reason = (
                        None,
                        "it ends nearer to the change than its nearest feature lies",
                    )
                if values[fact] is None:
                    reasons[fact] = f"layer {name}: {reason or 'what covers most has no class or number'}"
        results.append((values, reasons))
    return results


def _beyond(distance_m: Fact, shape: shapely.Geometry, data: LayerData) -> bool:
    """A nearer feature may lie where the layer knows nothing."""
    if data.covers is None or not isinstance(distance_m, float):
        return False
    return bool(distance_m > shapely.distance(shape, shapely.boundary(data.covers)))


def _dated(
    name: str,
    shape: shapely.Geometry,
    features: _Features,
    hits: NDArray[np.int_],
    days: tuple[pd.Timestamp, pd.Timestamp],
) -> tuple[Fact, str]:
    """A measure, if it is the same whichever day between the scenes the ground changed; else None and why."""
    rows = np.arange(len(features.shapes)) if name == "distance_m" else hits
    undated = features.undated[rows]
    if not features.has_dates and not undated.any():
        return _value(name, shape, features, rows), ""
    if any(pd.isna(day) for day in days):
        return None, SINCE_WHEN if undated.any() else NO_SCENE_DATES
    first, last = (np.datetime64(day.tz_convert(None), "D") for day in days)
    begins, ends = features.begins[rows], features.ends[rows]
    if (undated & (ends >= first)).any():
        return None, SINCE_WHEN
    if name == "distance_m":
        # Of thousands of features: the distance can only lie between that to all that ever were in force and
        # that to those which always were.
        masks = [(begins <= first) & (ends >= last), (begins <= last) & (ends >= first)]
    else:
        turns = np.unique([first, *begins, *(ends + 1)])
        masks = [(begins <= day) & (ends >= day) for day in turns[(turns >= first) & (turns <= last)]]
    value, *others = (_value(name, shape, features, rows[mask]) for mask in masks)
    if all(_same(value, other) for other in others):
        return value, ""
    return (
        None,
        f"it depends on the day of the change; a scene from between {first} and {last} would settle it",
    )


def _same(one: Fact, other: Fact) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-5)
    return one == other


def _value(name: str, shape: shapely.Geometry, features: _Features, rows: NDArray[np.int_]) -> Fact:
    shapes = features.shapes[rows]
    if name == "distance_m":
        near = (
            features.tree.query_nearest(shape, all_matches=False)
            if len(rows) == len(features.shapes)
            else rows
        )
        return (
            round(float(shapely.distance(features.shapes[near], shape).min()), 3) if len(near) else FARTHEST_M
        )
    pieces = shapely.intersection(shapes, shape)
    # What only shares a border covers nothing and is no piece, be it a polygon, a line or a point.
    keep = shapely.area(pieces) > SAME_M2
    thin = shapely.get_dimensions(shapes) < 2
    if thin.any():
        keep |= thin & shapely.intersects(shapes, shapely.buffer(shape, -SAME_M))
    chosen = rows[keep]
    return MEASURES[name](
        Hits(
            shape,
            pieces[keep],
            features.numbers[chosen].tolist(),
            features.land_classes[chosen].tolist(),
            features.has_classes,
        )
    )
