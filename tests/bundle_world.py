"""A county judged by its registry or by files, whose larger change has a case to bundle; answers by hand."""

import json
import zipfile
from pathlib import Path
from typing import Any

from cadastre.layers import load_catalogue
from cases.store import CaseFilter, CaseStore, open_store
from detection import changes as change_frame
from evidence.bundle import Bundled, write_bundle
from evidence.files import Files
from evidence.rejudge import Rejudged, replay_bundle
from evidence.sealed import Maker
from pipeline import judge_changes
from tests.cases_world import ROAD, changes_of, rect
from tests.evidence_world import LIMITS, files_in
from tests.registry_world import brought, day, written

LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
columns = { number = "no", valid_from = "since" }
attributes = { holder = "who" }
coverage = "everywhere"
measures = ["share", "numbers", "dominant_holder"]

[rivers]
title = "Rivers"
path = "rivers.gpkg"
columns = { number = "no" }
coverage = "bounds"
measures = ["distance_m", "nearest"]

[land_use]
title = "Land"
path = "land.gpkg"
kind = "map"
columns = { number = "no", land_class = "dl" }
coverage = "everywhere"
measures = ["share", "dominant"]
"""
BOOK = """
title = "Test"
jurisdiction = "XX"
effective_from = 2000-01-01

[[rule]]
id = "PERMITTED"
verdict = "lawful"
basis = "law"
when = { permits_share = { min = 0.95 } }

[[rule]]
id = "ROAD"
verdict = "rural_road"
basis = "law"
when = { rivers_distance_m = { min = 1000 }, change_centre_width_m = { max = 8 } }

[[rule]]
id = "REST"
verdict = "suspected_violation"
basis = "law"
when = {}
"""
MAKER = Maker("张敏", "city")
HERE, THERE = rect(0, 0, 100, 100), rect(3000, 3000, 3060, 3050)


def layers_in(folder: Path) -> Path:
    """A county of 400 permits, most of them far from the changes; a river 1,800 m away; land of two classes."""
    (folder / "layers.toml").write_text(LAYERS)
    (folder / "book.toml").write_text(BOOK)
    cells = [rect(x, y, x + 40, y + 40) for x in range(0, 1000, 50) for y in range(0, 1000, 50)]
    count = len(cells)
    since = ["2010-01-01"] * count
    who = [f"holder {i % 7}" for i in range(count)]
    written(folder, "permits.gpkg", cells, no=[f"P{i}" for i in range(count)], since=since, who=who)
    rivers = [rect(-1800 - 20, -5000, -1800, 9000), rect(50_000, 0, 50_010, 10)]
    written(folder, "rivers.gpkg", rivers, no=["R1", "R2"])
    land = [rect(-9000, -9000, 30, 9000), rect(30, -9000, 9000, 9000)]
    written(folder, "land.gpkg", land, no=["L1", "L2"], dl=["0103", "0601"])
    return folder / "layers.toml"


def judged_world(folder: Path, url: str, by_registry: bool) -> tuple[CaseStore, str, Files]:
    """Two changes judged; the case is that of the larger one."""
    layers = layers_in(folder)
    store = open_store(url)
    if by_registry:
        for name, layer in load_catalogue(layers).items():
            state_of = day("2020-12-31").date() if layer.kind == "map" else None
            brought(store, folder, layer, "2021-09-10", name, state_of=state_of)
    change_frame.write(changes_of(HERE, THERE), folder / "changes.gpkg", {})
    given_layers = None if by_registry else layers
    judge_changes(
        folder / "changes.gpkg", given_layers, url, folder / "book.toml", "140105", as_of=day("2021-10-01")
    )
    case = max(store.cases(CaseFilter()).items, key=lambda one: one.area_m2)
    assert case.verdict == "suspected_violation"
    return store, case.id, files_in(folder)


def bundled(store: CaseStore, files: Files, case_id: str, out: Path) -> Bundled:
    return write_bundle(store, files, case_id, out, MAKER, ROAD, LIMITS)


def again(path: Path) -> Rejudged:
    return replay_bundle(path, LIMITS)


def member(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))
