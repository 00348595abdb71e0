"""What a layer says on every day between two scenes: which features were in force, and whether it says anything."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cadastre.crossing import FIRST_DAY, LAST_DAY, Features, Pieces
from cadastre.layers import LayerData, State
from cadastre.overlay import Shapes

SINCE_WHEN = "a feature has no valid_from, so nobody knows since when it holds; complete the layer"
NO_SCENE_DATES = "its features have dates, but the scenes' are not known; pass --before-date and --after-date"
DAY = np.timedelta64(1, "D")
Reasons = NDArray[np.object_]
"""Why a fact is unknown, a change each; None where it is known."""


@dataclass(frozen=True)
class Days:
    """Days of the scenes before and after each change (UTC); NaT where nobody knows."""

    first: NDArray[np.datetime64]
    last: NDArray[np.datetime64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether both are."""
        found: NDArray[np.bool_] = ~(np.isnat(self.first) | np.isnat(self.last))
        return found


def days_of(changes: gpd.GeoDataFrame) -> Days:
    """The days of a change frame."""
    return Days(*(changes[name].dt.tz_convert(None).to_numpy().astype("datetime64[D]")
                  for name in ("before", "after")))  # fmt: skip


def depends(first: np.datetime64, last: np.datetime64) -> str:
    """Why a fact that was not the same on every day is unknown."""
    return f"it depends on the day of the change; a scene from between {first} and {last} would settle it"


@dataclass(frozen=True)
class Epochs:
    """Spans of days on which the same pieces of a change were in force.

    The first spans are one a change, in order; those that differ within the days of a change stand behind.
    `span` and `row` say which span has which piece, sorted; `why` is for whole changes.
    """

    change: NDArray[np.intp]
    span: NDArray[np.intp]
    row: NDArray[np.intp]
    why: Reasons


def epochs(pieces: Pieces, features: Features, days: Days) -> Epochs:
    """The spans of every change. Where no date matters to a change it has one."""
    count = len(days.first)
    why = np.full(count, None, dtype=object)
    every, rows = np.arange(count), np.arange(len(pieces.change))
    # What lies elsewhere says nothing of a change: only its own pieces make its scenes' dates matter.
    undated, dated = features.undated[pieces.feature], features.dated[pieces.feature]
    if not dated.any() and not undated.any():
        return Epochs(every, pieces.change, rows, why)
    begins, ends = features.begins[pieces.feature], features.ends[pieces.feature]
    first, last = days.first[pieces.change], days.last[pieces.change]
    why[pieces.change[dated & ~days.known[pieces.change]]] = NO_SCENE_DATES
    why[pieces.change[undated & ~(ends < first)]] = SINCE_WHEN
    always = ~dated | ((begins <= first) & (ends >= last))
    if features.happened:
        always |= (begins <= last) & (ends >= first)
    some = (begins <= last) & (ends >= first) & ~always
    varied = np.zeros(count, dtype=bool)
    varied[pieces.change[some]] = True
    varied &= why == None  # noqa: E711
    extra: list[int] = []
    plain = rows[always & ~varied[pieces.change]]
    spans, chosen = [pieces.change[plain]], [plain]
    starts = np.searchsorted(pieces.change, every)
    stops = np.searchsorted(pieces.change, every, side="right")
    for change in np.flatnonzero(varied):
        own = rows[starts[change] : stops[change]]
        for number, day in enumerate(turns(begins[own], ends[own], days.first[change], days.last[change])):
            in_force = own[(begins[own] <= day) & (ends[own] >= day)]
            spans.append(np.full(len(in_force), change if number == 0 else count + len(extra)))
            chosen.append(in_force)
            extra += [int(change)] * (number > 0)
    span, row = np.concatenate(spans), np.concatenate(chosen)
    order = np.lexsort((row, span))
    return Epochs(np.concatenate([every, np.array(extra, dtype=np.intp)]), span[order], row[order], why)


def turns(
    begins: NDArray[np.datetime64], ends: NDArray[np.datetime64], first: np.datetime64, last: np.datetime64
) -> NDArray[np.datetime64]:
    """The first day, and those days up to the last on which something begins or has just ended."""
    turns = np.unique(np.concatenate([[first], begins, ends + DAY]))
    return turns[(turns >= first) & (turns <= last)]


def silent(name: str, data: LayerData, shapes: Shapes, days: Days) -> Reasons:
    """Where the layer says nothing of a change on some day, and why."""
    why = np.full(len(shapes), f"layer {name} {data.silence}" if data.silence else None, dtype=object)
    if data.silence:
        return why
    if not data.states:
        if data.covers is not None:
            why[~_within(shapes, data.covers)] = f"layer {name} does not cover the whole change"
        return why
    inside = np.array([_within(shapes, state.covers) for state in data.states])
    if all(state.begins is None and state.ends is None for state in data.states):
        why[~inside.any(axis=0)] = f"layer {name} does not cover the whole change"
        return why
    why[~days.known] = f"layer {name}: {NO_SCENE_DATES}"
    for rows, day, in_force in _state_days(data.states, days):
        lost = rows[~inside[in_force][:, rows].any(axis=0)]
        # The first such day is the one to name.
        lost = lost[why[lost] == None]  # noqa: E711
        said = f"does not cover the whole change on {day}" if in_force.any() else f"says nothing of {day}"
        why[lost] = f"layer {name} {said}"
    return why


def reach_m(data: LayerData, shapes: Shapes, days: Days) -> NDArray[np.float64]:
    """How far around each change the layer is complete on every day; infinite where it ends nowhere."""
    found = np.full(len(shapes), np.inf)
    if not data.states:
        return found if data.covers is None else _to_border(shapes, data.covers)
    reach = np.array(
        [found if s.covers is None else np.where(_within(shapes, s.covers), _to_border(shapes, s.covers), 0)
         for s in data.states]
    )  # fmt: skip
    if all(state.begins is None and state.ends is None for state in data.states):
        furthest: NDArray[np.float64] = reach.max(axis=0)
        return furthest
    for rows, _, in_force in _state_days(data.states, days):
        if in_force.any():
            found[rows] = np.minimum(found[rows], reach[in_force][:, rows].max(axis=0))
    return found


def _state_days(
    states: tuple[State, ...], days: Days
) -> list[tuple[NDArray[np.intp], np.datetime64, NDArray[np.bool_]]]:
    """Changes, a day on which the states that hold for them may differ, and which hold; day after day."""
    begins = np.array([s.begins or FIRST_DAY.date() for s in states], dtype="datetime64[D]")
    ends = np.array([s.ends or LAST_DAY.date() for s in states], dtype="datetime64[D]")
    pairs = pd.DataFrame({"first": days.first, "last": days.last})[days.known]
    found = []
    for (first, last), rows in pairs.groupby(["first", "last"]).indices.items():
        own = pairs.index.to_numpy()[rows]
        span = np.datetime64(first, "D"), np.datetime64(last, "D")
        for day in turns(begins, ends, *span):
            found.append((own, day, (begins <= day) & (ends >= day)))
    return found


def _within(shapes: Shapes, covers: shapely.Geometry | None) -> NDArray[np.bool_]:
    if covers is None:
        return np.ones(len(shapes), dtype=bool)
    shapely.prepare(covers)
    return np.asarray(shapely.covers(covers, shapes), dtype=bool)


def _to_border(shapes: Shapes, covers: shapely.Geometry) -> NDArray[np.float64]:
    return np.asarray(shapely.distance(shapes, shapely.boundary(covers)), dtype=float)
