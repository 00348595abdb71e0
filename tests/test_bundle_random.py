"""Every case of drawn counties is bundled, and judged again from its zip to the last bit; nothing far is in it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cadastre.layers import load_catalogue
from cases.store import CaseFilter, open_store
from detection import changes as change_frame
from pipeline import judge_changes
from tests.bundle_world import again, bundled, member
from tests.cases_world import changes_of, new_url, rect
from tests.evidence_world import files_in
from tests.registry_world import brought, day, written

LAYERS = """
[permits]
title = "Permits"
path = "permits.gpkg"
columns = { number = "no", valid_from = "since", valid_to = "until" }
coverage = "known.geojson"
measures = ["share", "m2", "count", "numbers", "distance_m", "nearest"]

[works]
title = "Works"
path = "works.gpkg"
columns = { number = "no" }
attributes = { kind = "what" }
coverage = "everywhere"
measures = ["distance_m", "nearest", "dominant_kind", "count"]

[land_use]
title = "Land"
path = "land.gpkg"
kind = "map"
columns = { number = "no", land_class = "dl" }
coverage = "bounds"
measures = ["share", "dominant", "distance_m"]
"""
BOOK = """
title = "Drawn"
jurisdiction = "XX"
effective_from = 2000-01-01

[proof.look]
text = "look"
minutes = 5
settles = ["works", "permits"]

[[rule]]
id = "PERMITTED"
verdict = "lawful"
basis = "law"
when = { permits_share = { min = 0.999 }, land_use_dominant = { any_of = ["0999"] } }

[[rule]]
id = "ROAD"
verdict = "rural_road"
basis = "law"
when = { works_distance_m = { above = 90000 }, change_centre_width_m = { max = 1 }, permits_distance_m = { min = 5 } }

[[rule]]
id = "REST"
verdict = "suspected_violation"
basis = "law"
when = {}
"""


def drawn(folder: Path, rng: np.random.Generator) -> None:
    """Layers with gaps, dates and none, overlaps, and features up to 30 km away."""

    def boxes(count: int, wide: float) -> list[Any]:
        corners = rng.uniform(-wide, wide, (count, 2))
        sides = rng.uniform(5, 300, (count, 2))
        return [rect(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sides, strict=True)]

    def some_day() -> str:
        return f"2021-{rng.integers(4, 12):02d}-{rng.integers(1, 28):02d}"

    count = int(rng.integers(3, 60))
    # Most began long ago, some between the scenes, a few nobody knows when.
    draws = rng.random((count, 2))
    since = ["2010-03-01" if a < 0.7 else some_day() if a < 0.95 else None for a, _ in draws]
    until = [some_day() if b < 0.4 else None for _, b in draws]
    numbers = [f"P{i}" for i in range(count)]
    written(folder, "permits.gpkg", boxes(count, 1500), no=numbers, since=since, until=until)
    few = int(rng.integers(1, 8))
    written(
        folder,
        "works.gpkg",
        boxes(few, 30_000),
        no=[f"W{i}" for i in range(few)],
        what=[f"k{i % 3}" for i in range(few)],
    )
    land = [rect(x, -2000, x + 250, 2000) for x in range(-2000, 2000, 250)]
    dl = rng.choice(["0101", "0103", "0301", "0602"], len(land)).tolist()
    written(folder, "land.gpkg", land, no=[f"L{i}" for i in range(len(land))], dl=dl)
    written(
        folder,
        "known.geojson",
        [rect(-1500, -1500, 1500, 1500) if rng.random() < 0.5 else rect(-400, -1500, 9000, 1500)],
    )


@pytest.mark.parametrize("seed", range(5))
def test_every_case_of_a_drawn_county_replays(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (tmp_path / "layers.toml").write_text(LAYERS)
    (tmp_path / "book.toml").write_text(BOOK)
    url = new_url(tmp_path)
    store = open_store(url)
    for known, state in (("2021-01-10", "2020-12-31"), ("2021-09-05", "2021-07-01")):
        drawn(tmp_path, rng)
        for name, layer in load_catalogue(tmp_path / "layers.toml").items():
            brought(
                store,
                tmp_path,
                layer,
                known,
                name,
                state_of=day(state).date() if layer.kind == "map" else None,
                far=True,
            )
    corners = rng.uniform(-1200, 1200, (5, 2))
    shapes = [rect(x, y, x + rng.uniform(20, 200), y + rng.uniform(4, 200)) for x, y in corners]
    scenes: dict[str, Any] = {"before": None, "after": None} if seed % 4 == 3 else {}
    change_frame.write(changes_of(*shapes, **scenes), tmp_path / "changes.gpkg", {})
    judge_changes(tmp_path / "changes.gpkg", None, url, tmp_path / "book.toml", "14", as_of=day("2021-10-01"))
    cases = store.cases(CaseFilter()).items
    assert len(cases) == len(shapes)
    held = []
    for case in cases:
        said = bundled(store, files_in(tmp_path), case.id, tmp_path / "out.zip")
        found = again(tmp_path / "out.zip")
        assert (said.same, found.same, found.found) == (True, True, found.written)
        held.append(len(member(tmp_path / "out.zip", "layers/land_use.geojson")["features"]))
    # Of two states of sixteen strips of land, those that a change touches.
    assert max(held) <= 6
