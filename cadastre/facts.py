"""Facts: what can be measured of each change and between it and each cadastral layer.

A fact is a number, a text, or None: unknown. It is unknown where the layer is absent or not complete, and
where the answer depends on which day between the two scenes the ground changed. `why` keeps the reason.
Areas are rounded to 0.001 m², distances to 0.001 m, shares to a
millionth: noise in the last digit must not turn a verdict.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from cadastre.crossing import Features, cross, features_of
from cadastre.dated import Days, Reasons, days_of, depends, epochs, reach_m, silent
from cadastre.layers import DOMINANT, OF_CLASS, Catalogue, LayerData
from cadastre.measures import Fact, Inside, measure_of, rounded
from cadastre.nearest import FARTHEST_M, nearest
from cadastre.overlay import Shapes
from cadastre.width import center_widths
from ground.crs import LONLAT, crs_of, equal_area_crs, to_crs

__all__ = ["CHANGE_FACTS", "FARTHEST_M", "Fact", "FactTable", "Facts", "measure", "measure_crs"]

CHANGE_FACTS = {
    "change_class": "change_class", "change_area_m2": "area_m2", "change_width_m": "width_m",
    "change_probability": "probability", "change_ndvi": "ndvi_change",
    "change_centre_width_m": "", "change_centre_width_max_m": "",
}  # fmt: skip
"""Facts of the change itself, and the column that it brings along for it; widths along its center line have none."""
CENTER_WIDTH, WIDEST = "change_centre_width_m", "change_centre_width_max_m"
CHANGE_DIGITS = {"area_m2": 3, "width_m": 3, "probability": 6, "ndvi_change": 6}
NOT_BROUGHT = {fact: f"the change has no {column}" for fact, column in CHANGE_FACTS.items() if column}
"""Why a fact of the change itself is unknown."""
OUTSIDE = ("distance_m", "nearest")
"""Measures that look beyond the change."""


@dataclass(frozen=True)
class Facts:
    """What is known of one change: `values` by fact name, and `why` a value is None."""

    values: dict[str, Fact]
    why: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One fact of every change, in the frame's order; `why` has a reason where the value is None."""

    values: list[Fact]
    why: Reasons


class FactTable(Mapping[str, Facts]):
    """Facts by change_id, kept by columns: a row is made when it is asked for."""

    def __init__(self, change_ids: list[str], columns: dict[str, Column]) -> None:
        """`columns` by fact name, each as long as `change_ids`."""
        self._rows = {key: row for row, key in enumerate(change_ids)}
        self._columns = columns
        self._unsure = {n: c for n, c in columns.items() if (c.why != None).any()}  # noqa: E711

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by fact name."""
        return self._columns

    def beside(self, more: Mapping[str, Column]) -> "FactTable":
        """This table with further columns."""
        return FactTable(list(self._rows), {**self._columns, **more})

    def __getitem__(self, change_id: str) -> Facts:
        row = self._rows[change_id]
        values = {name: column.values[row] for name, column in self._columns.items()}
        return Facts(values, {n: c.why[row] for n, c in self._unsure.items() if c.why[row] is not None})

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def measure_crs(changes: gpd.GeoDataFrame) -> CRS:
    """The one projected CRS in which changes and layers are measured: equal-area, centered on the changes."""
    crs = crs_of(changes.crs, "changes")
    lonlat = to_crs(changes.geometry.to_numpy(), crs, LONLAT, "changes")
    box = shapely.total_bounds(lonlat) if len(changes) else (0.0, 0.0, 0.0, 0.0)
    return equal_area_crs(*map(float, box))


def measure(
    changes: gpd.GeoDataFrame,
    layers: Mapping[str, LayerData],
    catalogue: Catalogue,
    advance: Callable[[str, int, int], None] = lambda _step, _done, _total: None,
    wanted: Collection[str] | None = None,
    crs: CRS | None = None,
) -> FactTable:
    """The facts of every change by change_id; `layers` are in `crs`, which is `measure_crs(changes)` unless told.

    Only facts named in `wanted` are measured; None means all.
    """
    crs = crs or measure_crs(changes)
    shapes = to_crs(changes.geometry.to_numpy(), crs_of(changes.crs, "changes"), crs, "changes")
    days = days_of(changes)
    columns = {
        fact: _of_change(changes[column], column, NOT_BROUGHT[fact])
        for fact, column in CHANGE_FACTS.items()
        if column and (wanted is None or fact in wanted)
    }
    if wanted is None or set(wanted) & {CENTER_WIDTH, WIDEST}:
        widths = center_widths(shapes)
        for fact, metres in ((CENTER_WIDTH, widths.median_m), (WIDEST, widths.widest_m)):
            if wanted is None or fact in wanted:
                columns[fact] = Column([*rounded(metres, 3)], np.full(len(shapes), None, dtype=object))
    for done, (name, layer) in enumerate(catalogue.items()):
        advance("facts", done, len(catalogue))
        asked = [m for m in layer.measures if wanted is None or f"{name}_{m}" in wanted]
        if name in layers and asked:
            found = _Measuring(name, shapes, days, layers[name]).columns(asked)
        else:
            found = dict.fromkeys(asked, _unknown(len(changes), f"layer {name} is not in hand"))
        columns |= {f"{name}_{m}": column for m, column in found.items()}
    return FactTable(changes["change_id"].tolist(), columns)


def _unknown(count: int, reason: str) -> Column:
    return Column([None] * count, np.full(count, reason, dtype=object))


def _of_change(column: pd.Series, name: str, reason: str) -> Column:
    missing = column.isna().to_numpy()
    if name in CHANGE_DIGITS:
        values: list[Fact] = [*rounded(column.to_numpy(dtype=float), CHANGE_DIGITS[name])]
    else:
        values = [*column.tolist()]
    why = np.full(len(column), None, dtype=object)
    why[missing] = reason
    return Column([None if gone else value for value, gone in zip(values, missing, strict=True)], why)


@dataclass(frozen=True)
class _Measuring:
    """One layer held against all changes."""

    name: str
    shapes: Shapes
    days: Days
    data: LayerData

    def columns(self, measures: list[str]) -> dict[str, Column]:
        """The columns of these measures."""
        features = features_of(self.data)
        why = silent(self.name, self.data, self.shapes, self.days)
        found = self._outside(features, why) if set(measures) & set(OUTSIDE) else {}
        within = [name for name in measures if name not in OUTSIDE]
        if within:
            found |= self._inside(features, within, why)
        return {name: found[name] for name in measures}

    def _inside(self, features: Features, measures: list[str], why: Reasons) -> dict[str, Column]:
        pieces = cross(self.shapes, features)
        spans = epochs(pieces, features, self.days)
        inside = Inside(self.shapes, features, pieces, spans)
        why = np.where(why == None, self._said(spans.why), why)  # noqa: E711
        found = {}
        for name in measures:
            calculate = measure_of(name, self.data.layer)
            values, reasons = self._same_every_day(calculate(inside), spans.change)
            found[name] = self._column(values, why, reasons, _lacking(name))
        return found

    def _outside(self, features: Features, why: Reasons) -> dict[str, Column]:
        near = nearest(self.shapes, features, self.days)
        beyond = near.distance_m > reach_m(self.data, self.shapes, self.days)
        ends = "it ends nearer to the change than its nearest feature lies"
        distance, number = (
            np.where(beyond & (reasons == None), ends, reasons)  # noqa: E711
            for reasons in (near.distance_why, near.number_why)
        )
        metres: list[Fact] = [*rounded(near.distance_m, 3)]
        return {
            "distance_m": self._column(metres, why, distance, ""),
            "nearest": self._column(near.number.tolist(), why, number, "the nearest has no number"),
        }

    def _said(self, reasons: Reasons) -> Reasons:
        said = [None if reason is None else f"layer {self.name}: {reason}" for reason in reasons]
        return np.array(said, dtype=object)

    def _same_every_day(self, values: list[Fact], change: np.ndarray) -> tuple[list[Fact], Reasons]:
        """The value of each change's first span, and a reason where a later span has another."""
        count = len(self.shapes)
        why = np.full(count, None, dtype=object)
        for value, one in zip(values[count:], change[count:].tolist(), strict=True):
            if not _same(values[one], value):
                why[one] = depends(self.days.first[one], self.days.last[one])
        return values[:count], why

    def _column(self, values: list[Fact], silent: Reasons, more: Reasons, if_none: str) -> Column:
        """Values with None and the reason wherever there is one."""
        none = np.array([value is None for value in values], dtype=bool)
        more = np.where(none & (more == None), if_none, more)  # noqa: E711
        why = np.where(silent == None, self._said(more), silent)  # noqa: E711
        known = (why == None).tolist()  # noqa: E711
        return Column([v if sure else None for v, sure in zip(values, known, strict=True)], why)


def _lacking(name: str) -> str:
    """Why a measure has no value where the layer says something."""
    if name.startswith(OF_CLASS):
        return "a feature in the change has no land class"
    return f"what covers most has no {name.removeprefix(DOMINANT) if name.startswith(DOMINANT) else 'class or number'}"


def _same(one: Fact, other: Fact) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return bool(abs(one - other) <= max(1e-6 * max(abs(one), abs(other)), 1e-5))
    return one == other
