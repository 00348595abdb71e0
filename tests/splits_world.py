"""A square of two hectares to cut: permits in the west, fields under a part of it; every answer by hand.

200 m × 100 m; fields (0103) lie in its western 50 m, a plant (0601) in the rest; the western 60 m are permitted.
"""

from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import shapely

from cadastre.layers import Layer
from cases import merging, splitting
from cases.merging import Merged
from cases.records import Case
from cases.splitting import Split
from cases.store import CaseFilter, CaseStore, open_store
from database.audit import audit
from detection import changes as change_frame
from ground.crs import LONLAT, to_crs
from pipeline import judge_changes
from tests.cases_world import AUDITOR, GRID, ROAD, changes_of, new_url, rect
from tests.registry_world import brought, day, written

SQUARE = rect(0, 0, 200, 100)
THIRDS = (rect(0, 0, 60, 100), rect(60, 0, 130, 100), rect(130, 0, 200, 100))
"""6,000, 7,000 and 7,000 m²: 9.00, 10.50 and 10.50 亩."""
MU_M2 = 2000 / 3
BOOK = """
title = "Test"
jurisdiction = "CN"
effective_from = 2000-01-01
rule = [
  { id = "PERMITTED", verdict = "lawful", basis = "law", when = { permits_share = { min = 0.75 } } },
  { id = "REST", verdict = "suspected_violation", basis = "law", when = {} },
]
"""
PERMITS = {"title": "Permits", "path": "permits.gpkg", "columns": {"number": "no"}, "coverage": "everywhere",
           "measures": ["share", "numbers"]}  # fmt: skip
LAND = {"title": "Land", "path": "land.gpkg", "kind": "map", "columns": {"number": "no", "land_class": "dl"},
        "coverage": "everywhere", "measures": ["share"]}  # fmt: skip
AT_WORK = {"actor": "王芳", "role": "county", "reason": "two owners"}
TO_REVIEW = (
    ("field_check", "county", {}),
    ("proven", "county", {"photo": "p.jpg", "field_evidence": "f 7"}),
    ("city_review", "city", {}),
    ("province_review", "city", {}),
)
"""From a clue to where the province decides."""


def layers_in(folder: Path) -> Path:
    """The layers as files, and a layers.toml that names them."""
    written(folder, "permits.gpkg", [rect(0, 0, 60, 100)], no=["P1"])
    written(folder, "land.gpkg", [rect(-900, -900, 50, 900), rect(50, -900, 5000, 900)], no=["L1", "L2"],
            dl=["0103", "0601"])  # fmt: skip
    (folder / "book.toml").write_text(BOOK)
    said = ""
    for name, layer in (("permits", PERMITS), ("land_use", LAND)):
        state = "state_of = 2020-12-31\n" if name == "land_use" else ""
        columns = ", ".join(f'{ours} = "{theirs}"' for ours, theirs in layer["columns"].items())  # type: ignore[attr-defined]
        said += f"[{name}]\n{state}columns = {{ {columns} }}\n"
        said += "".join(f"{key} = {value!r}\n" for key, value in layer.items() if key != "columns")
    (folder / "layers.toml").write_text(said)
    return folder / "layers.toml"


def county(folder: Path, *shapes: Any, by_files: bool = False, region: str = "140105") -> CaseStore:
    """A database with a registry, and these changes judged by it; by files where told."""
    url = new_url(folder)
    store, layers = open_store(url), layers_in(folder)
    brought(store, folder, Layer.model_validate(PERMITS), "2021-09-10", "permits")
    brought(
        store, folder, Layer.model_validate(LAND), "2021-09-10", "land_use", state_of=day("2020-12-31").date()
    )
    judge(store, folder, changes_of(*(shapes or (SQUARE,))), layers if by_files else None, region)
    return store


def judge(
    store: CaseStore, folder: Path, frame: Any, layers: Path | None = None, region: str = "140105"
) -> None:
    """These changes judged as of a day."""
    change_frame.write(frame, folder / "changes.gpkg", {})
    judge_changes(
        folder / "changes.gpkg", layers, url_of(store), folder / "book.toml", region, as_of=day("2021-10-01")
    )


def url_of(store: CaseStore) -> str:
    """As `--db` takes it."""
    return store.engine.url.render_as_string(hide_password=False)


def cases(store: CaseStore) -> list[Case]:
    """All, in the order in which they were opened."""
    return store.cases(CaseFilter()).items


def degrees(*shapes: Any) -> list[shapely.Geometry]:
    """Shapes of the grid in degrees, corner by corner."""
    return list(to_crs(list(shapes), GRID, LONLAT, "test"))


def cut(store: CaseStore, case_id: str, *shapes: Any, **more: Any) -> Split:
    """A case split along shapes of the grid."""
    return splitting.split(store, case_id, degrees(*(shapes or THIRDS)), ROAD, **(AT_WORK | more))


def join(store: CaseStore, *case_ids: str, **more: Any) -> Merged:
    """Cases merged."""
    return merging.merge(store, case_ids, ROAD, **(AT_WORK | more))


def walk(store: CaseStore, case_id: str, *steps: tuple[str, str, dict[str, str]]) -> Case:
    """A case moved."""
    for to, role, evidence in steps:
        actor = AUDITOR if role == "legal" else "李伟"
        store.move(case_id, to, ROAD, actor=actor, role=role, evidence=evidence)
    return store.case(case_id)


def is_whole(store: CaseStore) -> bool:
    """Whether the hash chain holds."""
    return audit(url_of(store)).faults == []


def file_of(folder: Path, *shapes: Any, name: str = "parts.geojson", crs: Any = GRID) -> Path:
    """Parts as a file; GeoJSON is in degrees."""
    path = folder / name
    path.unlink(missing_ok=True)
    frame = gpd.GeoDataFrame(geometry=list(shapes), crs=crs)
    if path.suffix == ".geojson":
        frame = gpd.GeoDataFrame(geometry=degrees(*shapes), crs=LONLAT)
    options = {"COORDINATE_PRECISION": 9} if path.suffix == ".geojson" else {}
    pyogrio.write_dataframe(frame, path, **options)
    return path
