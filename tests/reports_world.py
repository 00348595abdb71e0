"""A small true world for reports: one scene pair of known pixels, one change of 100 m × 60 m, its ledger by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.transform import from_origin

from cases.ledger import Added
from cases.store import CaseStore
from ground.crs import LONLAT
from imagery.catalog import open_scene
from tests.cases_world import AFTER, BEFORE, EAST, GRID, NORTH, SMALL_BOOK, changes_of, new_store, put, rect

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
SQUARE = rect(0, 0, 100, 60)
"""6000 m², 9.00 亩."""
LAND = {
    "area_m2": 6000.0,
    "class_m2": {"0103": 4000.0, "0702": 2000.0},
    "group_m2": {
        "cultivated": 4000.0, "other_agricultural": 0.0, "unused": 0.0, "construction": 2000.0, "unclassified": 0.0,
    },
    "group_mu": {"cultivated": 6.0, "other_agricultural": 0.0, "unused": 0.0, "construction": 3.0, "unclassified": 0.0},
    "basic_m2": 1000.0,
    "redline_m2": 0.0,
}  # fmt: skip
PHOTO = {"photo": "IMG_0412.jpg", "field_evidence": "外业核查记录〔2026〕17号"}


def scene_row(
    folder: Path, name: str, day: str, values: Any, gsd_m: float = 10, sensor: str = "rgbn"
) -> dict[str, Any]:
    """A scene of 4 bands about the change, as a row of the scene table."""
    path = folder / f"{name}.tif"
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype="uint16", nodata=0,
        crs="EPSG:4547", transform=from_origin(EAST - 500, NORTH + 500, gsd_m, gsd_m),
    ) as sink:  # fmt: skip
        sink.write(values.astype("uint16"))
    scene = open_scene(path, sensor, day)
    west, south, east, north = scene.grid.lonlat_bounds(str(path))
    return {
        "id": name.ljust(16, "0"), "name": name, "sensor": sensor, "acquired": scene.acquired_utc,
        "gsd_m": scene.grid.gsd_m, "href": str(path), "west": west, "south": south, "east": east, "north": north,
    }  # fmt: skip


def pixels(bright: float = 1000) -> Any:
    """100 × 100 pixels of 10 m: dark ground, `bright` where the change lies."""
    values = np.full((4, 100, 100), 1000.0)
    values[:, 44:50, 50:60] = bright
    values[:, 0, 0] = 4000
    return values


def told_store(folder: Path, **more: Any) -> tuple[CaseStore, str]:
    """A store with the change, its scenes, its ledger and its rulebook; and the id of its case."""
    scenes = [scene_row(folder, "before", BEFORE, pixels()), scene_row(folder, "after", AFTER, pixels(4000))]
    store, changes = new_store(folder), changes_of(SQUARE, crs=LONLAT)
    changes["change_class"] = "building_appeared"
    (change,) = changes["change_id"]
    pair = {"id": "pair", "before_scene": scenes[0]["id"], "after_scene": scenes[1]["id"], "made": {}}
    told: dict[str, Any] = {"scenes": scenes, "pair": pair, "land": {change: LAND}, "rulebooks": [book_row()]}
    assert put(store, changes, **(told | more)) == Added(1, 1, 1)
    return store, f"case-{change}"


def book_row() -> dict[str, Any]:
    """SMALL_BOOK as a row."""
    return {
        "id": SMALL_BOOK.version, "title": SMALL_BOOK.title, "jurisdiction": "CN",
        "effective_from": SMALL_BOOK.effective_from, "known_from": AT,
        "content": SMALL_BOOK.model_dump(mode="json", by_alias=True),
    }  # fmt: skip


def outline() -> shapely.Polygon:
    """The change in degrees."""
    return changes_of(SQUARE, crs=LONLAT).geometry.iloc[0]


__all__ = ["AFTER", "BEFORE", "GRID"]
