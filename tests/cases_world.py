"""A small true world for the cases floor: squares on a meter grid, layers, rulebooks and runs, answers by hand.

The grid is CGCS2000 / 3-degree Gauss-Krueger CM 114E (EPSG:4547) on its central meridian, where a grid meter is
a ground meter: at 1 km from the meridian the scale is 1 + 1.2e-8, so a hectare is true to 0.0003 m².
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from shapely.affinity import translate

from cadastre.columns import days, texts
from cadastre.facts import Facts, measure, measure_crs
from cadastre.layers import OUR_COLUMNS, Layer, LayerData
from cases.ledger import Added, Entry, record
from cases.rules import Rulebook, judge
from cases.store import CaseStore, open_store
from cases.workflow import load_workflow
from detection import changes as change_frame
from ground.crs import LONLAT, to_crs
from tests import postgis

GRID = CRS.from_epsg(4547)
EAST, NORTH = 500_000.0, 4_200_000.0
"""Where the grid's own meters begin: on 114° E, at 37.9° N."""
BEFORE, AFTER = "2021-05-01T03:00:00Z", "2021-09-01T03:00:00Z"
ROAD = load_workflow()
AUDITOR = "周正"
"""The legal auditor, who has no other part in a case."""


def on_grid(shape: shapely.Geometry) -> shapely.Geometry:
    """A shape drawn in local meters, at its place."""
    return translate(shape, EAST, NORTH)


def rect(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A rectangle in local meters, at its place."""
    return on_grid(shapely.box(west, south, east, north))


def line(*points: tuple[float, float]) -> shapely.LineString:
    """A line in local meters, at its place."""
    return on_grid(shapely.LineString(points))


def point(x: float, y: float) -> shapely.Point:
    """A point in local meters, at its place."""
    return on_grid(shapely.Point(x, y))


def changes_of(*shapes: shapely.Polygon, crs: CRS = GRID, pair_id: str = "pair", **columns: Any) -> Any:
    """The change frame of shapes on the grid, moved to `crs`."""
    moved = (
        to_crs(np.array(shapes, dtype=object), GRID, crs, "test") if shapes else np.array([], dtype=object)
    )
    scenes = {"before": pd.Timestamp(BEFORE), "after": pd.Timestamp(AFTER)}
    return change_frame.make(moved, crs, pair_id=pair_id, **(scenes | columns))


def layer_of(
    changes: gpd.GeoDataFrame,
    shapes: Sequence[shapely.Geometry],
    measures: Sequence[str] = ("m2", "share", "count", "dominant", "numbers", "distance_m"),
    covers: shapely.Geometry | None = None,
    said: dict[str, Any] | None = None,
    **columns: Sequence[Any],
) -> LayerData:
    """A layer in hand of shapes on the grid, in the CRS in which `changes` are measured; covers in local meters.

    `said`: what layers.toml says of it besides.
    """
    crs = measure_crs(changes)
    moved = list(to_crs(np.array([*shapes, None], dtype=object)[:-1], GRID, crs, "test"))
    given = {name: columns.get(name, [None] * len(shapes)) for name in OUR_COLUMNS}
    ours = {
        name: texts(values) if name in ("number", "land_class") else days(values)
        for name, values in given.items()
    }
    frame = gpd.GeoDataFrame(ours, geometry=moved, crs=crs)
    theirs = {name: name for name in columns}
    given = {"title": "test", "path": "none", "coverage": "everywhere", "columns": theirs} | (said or {})
    layer = Layer.model_validate(given | {"measures": list(measures)})
    known = None if covers is None else to_crs(np.array([covers]), GRID, crs, "test")[0]
    return LayerData(layer=layer, frame=frame, covers=known)


def facts_of(changes: gpd.GeoDataFrame, **layers: LayerData) -> list[Facts]:
    """The facts of each change against layers by name, in the frame's order."""
    found = measure(changes, layers, {name: data.layer for name, data in layers.items()})
    return [found[key] for key in changes["change_id"]]


def facts_against(shape: shapely.Polygon, shapes: Sequence[shapely.Geometry], **more: Any) -> Facts:
    """The facts l_* of one change against one layer l."""
    changes = changes_of(shape)
    return facts_of(changes, l=layer_of(changes, shapes, **more))[0]


def book(*rules: dict[str, Any], effective_from: str = "2020-01-01", **more: Any) -> Rulebook:
    """A rulebook of rules given as in TOML; one that always holds comes last."""
    last = {"id": "LAST", "verdict": "suspected_violation", "when": {}}
    whole = [{"basis": f"basis of {rule['id']}"} | rule for rule in (*rules, last)]
    return Rulebook.model_validate(
        {"title": "t", "jurisdiction": "j", "effective_from": effective_from, "rule": whole} | more
    )


SMALL_BOOK = book(
    {"id": "SLIVER", "verdict": "other", "when": {"change_area_m2": {"max": 99.99}}},
    {
        "id": "APPROVED",
        "verdict": "lawful",
        "when": {"change_class": {"any_of": ["vegetation_gain"]}, "approvals_share": {"min": 0.95}},
        "proof": "number of the approval",
    },
)
"""Under 100 m²: other, no case. Vegetation gain: doubt, for nobody measured approvals. Else suspected violation."""


def lonlat_changes(*boxes: tuple[float, float, float, float], **columns: Any) -> gpd.GeoDataFrame:
    """The change frame of boxes in degrees; a box is west, south, east, north."""
    shapes = np.array([shapely.box(*box) for box in boxes], dtype=object)
    scenes = {"before": pd.Timestamp(BEFORE), "after": pd.Timestamp(AFTER), "pair_id": "pair"}
    return change_frame.make(shapes, LONLAT, **(scenes | columns))


def row_of_changes(count: int, first: int = 0, **columns: Any) -> gpd.GeoDataFrame:
    """`count` boxes of 0.001° side by side along 35° N, from 100° E + 0.01° × `first` on; all under one pair."""
    starts = 100 + 0.01 * (first + np.arange(count))
    return lonlat_changes(*((x, 35.0, x + 0.001, 35.001) for x in starts.tolist()), **columns)


def entry_of(
    changes: gpd.GeoDataFrame, rulebook: Rulebook = SMALL_BOOK, region: str = "140105", **more: Any
) -> Entry:
    """What one run has to say of changes that no layer was crossed with."""
    facts = dict(measure(changes, {}, {}))
    known = {
        "changes": changes,
        "facts": facts,
        "judgements": {change: judge(found, rulebook) for change, found in facts.items()},
        "regions": dict.fromkeys(facts, region),
        "layers": {"layers.toml": "00"},
        "scenes": [],
        "pair": {},
    }
    return Entry(**(known | more))


def put(store: CaseStore, changes: gpd.GeoDataFrame, **more: Any) -> Added:
    """Record a run of these changes."""
    return record(store, entry_of(changes, **more), ROAD)


def new_store(folder: Path) -> CaseStore:
    """An empty store: a file in a folder, or where TIANKAN_TEST_DB names a PostGIS, a database there."""
    return open_store(new_url(folder))


def new_url(folder: Path) -> str:
    """The URL of a database for one test alone."""
    server = os.environ.get("TIANKAN_TEST_DB")
    return postgis.new_database(server) if server else f"sqlite:///{folder / 'cases.db'}"
