"""The watch over a signed-off place, from scenes on: a cloud is no peace, a later scene sees, what comes back reopens.

The place is 8 × 8 pixels of farmland on the ground of `tests/test_story.py`. 2021 it is built on and signed off in
December; in 2022 a cloud hides it; in 2023 nothing new is seen; in 2024 something is built again.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import pipeline
from cases import places
from cases.store import CaseFilter, open_store
from tests.cases_world import ROAD
from tests.spots_world import WAY
from tests.test_story import B, C, E, world

__all__ = ["world"]
NAMES = ["B02", "B03", "B04", "B08", "SCL"]
BUILT = np.array([1500, 1800, 2200, 0])[:, None, None]


def _later(world: Path, name: str, cloudy: bool, built: bool) -> None:
    """The scene of 2021 again under other light, its cloud gone; E is bare ground by now."""
    import rasterio

    from tests import test_story

    with rasterio.open(world / "after.tif") as source:
        values = source.read().astype(float)
    random = np.random.default_rng(len(name))
    ground = values[:4] * 1.02 + random.normal(0, 15, values[:4].shape)
    ground[:, C[0], C[1]] += 10
    ground[:, E[0], E[1]] += BUILT
    if built:
        ground[:, B[0], B[1]] += BUILT
    quality = np.full((1, *values.shape[1:]), 4.0)
    if cloudy:
        quality[0, 50:80, 70:100] = 9
    test_story._write(world / name, np.concatenate([ground, quality]), NAMES)


def _run(world: Path, before: tuple[str, str], after: tuple[str, str]) -> pipeline.Judged:
    options = pipeline.DetectOptions(
        before_sensor="sentinel-2", after_sensor="sentinel-2", before_date=before[1], after_date=after[1]
    )
    out = world / f"out-{after[0]}"
    _, judged = pipeline.run(
        world / before[0], world / after[0], world / "layers.toml", str(world / "cases.db"), out, options,
        rules=world / "rules.toml", region="140105",
    )  # fmt: skip
    return judged


@pytest.mark.sqlite
def test_a_cloud_is_no_peace_and_what_comes_back_reopens(world: Path) -> None:
    _run(world, ("before.tif", "2021-05-01"), ("after.tif", "2021-09-01"))
    store = open_store(str(world / "cases.db"))
    (case,) = store.cases(CaseFilter(status="suspected")).items
    for status, role, evidence in WAY["signed_off"]:
        store.move(
            case.id,
            status,
            ROAD,
            actor="王芳",
            role=role,
            evidence=evidence,
            at=datetime(2021, 12, 1, tzinfo=UTC),
        )
    for name, cloudy, built in (
        ("2022.tif", True, False),
        ("2023.tif", False, False),
        ("2024.tif", False, True),
    ):
        _later(world, name, cloudy, built)
    last = ("after.tif", "2021-09-01")
    said = []
    for name in ("2022.tif", "2023.tif", "2024.tif"):
        now = (name, f"{name[:4]}-06-01")
        _run(world, last, now)
        look = places.spot(store, case.id)[2][-1]
        said.append((look["at"].year, look["outcome"], look["seen"], store.case(case.id).status))
        last = now if name == "2023.tif" else last
    assert said == [
        (2022, "unseen", 0.0, "signed_off"),
        (2023, "unchanged", 1.0, "signed_off"), (2024, "rebound", None, "suspected"),
    ]  # fmt: skip
    assert store.events(case.id)[-1].kind == "rebound"
