"""A small registry: layers written as files in local meters, imported and read back; answers by hand."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import shapely

from cadastre.facts import Facts, measure, measure_crs
from cadastre.importing import Asked, Imported, import_layer
from cadastre.layers import Layer
from cadastre.registry import catalogue_known, layers_known
from cases.store import CaseStore
from tests.cases_world import GRID, changes_of, rect

CHANGE = rect(0, 0, 100, 100)
"""One hectare; seen between 2021-05-01 and 2021-09-01."""


def day(text: str) -> datetime:
    """The last moment of a day."""
    return datetime.combine(date.fromisoformat(text), time.max, UTC)


def written(
    folder: Path, name: str, shapes: Sequence[Any], crs: Any = GRID, **columns: Sequence[Any]
) -> Path:
    """A GeoPackage of shapes on the grid."""
    frame = gpd.GeoDataFrame(dict(columns), geometry=list(shapes), crs=crs)
    path = folder / name
    path.unlink(missing_ok=True)
    pyogrio.write_dataframe(frame, path, geometry_type="Unknown" if not len(frame) else None)
    return path


def layer(path: str, **more: Any) -> Layer:
    """A register of permits, complete everywhere."""
    given = {
        "title": "Permits", "path": path, "coverage": "everywhere",
        "measures": ["share", "numbers"], "columns": {"number": "no"},
    }  # fmt: skip
    return Layer.model_validate(given | more)


def brought(
    store: CaseStore, folder: Path, described: Layer, known: str, name: str = "permits", **more: Any
) -> Imported:
    """A layer imported as known since a day."""
    with store.transaction(writes=True) as session:
        return import_layer(session, name, described, folder, Asked(known=day(known), **more))


def facts_known(store: CaseStore, known: str, change: Any = CHANGE, **columns: Any) -> Facts:
    """The facts of one change, as known on a day."""
    changes = changes_of(change, **columns)
    crs = measure_crs(changes)
    with store.transaction() as session:
        catalogue = catalogue_known(session, day(known))
        layers, _ = layers_known(session, catalogue, day(known), crs, None)
    return measure(changes, layers, catalogue)[changes["change_id"].iloc[0]]


def half(west: bool) -> shapely.Polygon:
    """Half of the change."""
    return rect(0, 0, 50, 100) if west else rect(50, 0, 100, 100)
