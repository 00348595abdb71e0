"""Chips given as evidence: the scene's own pixels where they lie, once, and a word where none can be cut."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from cases.store import CaseStore
from database.audit import audit
from evidence.adding import listed
from evidence.files import Files
from evidence.verify import faults
from ground.crs import LONLAT, to_crs
from ground.errors import IllegalMove
from reports.chip_files import give_chips
from tests.cases_world import GRID, ROAD
from tests.evidence_world import LIMITS, files_in
from tests.reports_world import outline, told_store
from tests.test_cli import tiankan

BY = ("李伟", "county")


@pytest.fixture
def world(tmp_path: Path) -> tuple[CaseStore, str, Files]:
    return *told_store(tmp_path), files_in(tmp_path)


def test_chips_are_the_scene_s_own_pixels(world: tuple[CaseStore, str, Files], tmp_path: Path) -> None:
    store, case, files = world
    cut = give_chips(store, files, case, BY, ROAD, LIMITS)
    assert cut.lacking == []
    names = [(one.kind, one.name, one.given_by, one.media_type) for one in listed(store, case)]
    assert names == [
        ("chip_before", "before-before.tif", "李伟", "image/tiff"),
        ("chip_before", "before-before.png", "李伟", "image/png"),
        ("chip_after", "after-after.tif", "李伟", "image/tiff"),
        ("chip_after", "after-after.png", "李伟", "image/png"),
    ]  # fmt: skip
    after = listed(store, case)[2]
    path = tmp_path / "out.tif"
    path.write_bytes(b"".join(files.chunks(after.sha256)))
    with rasterio.open(path) as chip, rasterio.open(tmp_path / "after.tif") as scene:
        assert chip.descriptions[-1] == "observation" and chip.count == 5
        left, bottom, right, top = chip.bounds
        window = rasterio.windows.from_bounds(left, bottom, right, top, scene.transform)
        assert (window.col_off % 1, window.row_off % 1, chip.crs) == (0, 0, scene.crs)
        assert (chip.read()[:4] == scene.read(window=window)).all() and (chip.read(5) == 0).all()
        # 100 m × 60 m at 10 m: 320 m across at least; the bright ground of the change lies in it.
        assert 32 <= chip.width <= 36 and (chip.read(1) == 4000).sum() == 60
        tags = chip.tags()
    assert (tags["CASE"], tags["SCENE"], tags["SENSOR"], tags["ACQUIRED"][:10]) == (
        case,
        "after",
        "rgbn",
        "2021-09-01",
    )
    inside = to_crs(np.array([outline()], dtype=object), LONLAT, GRID, "test")[0]
    assert shapely.box(left, bottom, right, top).contains(inside)
    assert "cut from scene after (after" in after.note and "34 × 34 pixels" in after.note


def test_given_again_they_add_nothing(world: tuple[CaseStore, str, Files]) -> None:
    store, case, files = world
    first = give_chips(store, files, case, BY, ROAD, LIMITS)
    again = give_chips(store, files, case, ("王芳", "city"), ROAD, LIMITS)
    assert ([one.new for one in first.given], [one.new for one in again.given]) == ([True] * 4, [False] * 4)
    assert [event.kind for event in store.events(case)] == ["opened", *["evidence"] * 4]
    assert [*faults(store, files, case)] == []
    assert audit(store.engine.url.render_as_string(hide_password=False)).faults == []
    with pytest.raises(IllegalMove, match="named person"):
        give_chips(store, files, case, ("tiankan", "machine"), ROAD, LIMITS)


def test_what_cannot_be_cut_is_said_and_the_other_is_given(
    world: tuple[CaseStore, str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, case, _ = world
    (tmp_path / "before.tif").unlink()
    monkeypatch.setenv("TIANKAN_EVIDENCE", str(tmp_path / "evidence"))
    words = ("cases", "evidence", case, "--db", store.engine.url.render_as_string(hide_password=False))
    code, out, err = tiankan(*words, "--chips", "--actor", "李伟", "--role", "county", "--json")
    told = json.loads(out)
    assert (code, err, [one["kind"] for one in told["given"]]) == (3, "", ["chip_after"] * 2)
    assert len(told["lacking"]) == 1 and "chip of the scene before: " in told["lacking"][0]
    code, _, err = tiankan(*words, "--chips")
    assert (code, "--actor: is missing; chips are given by a named person" in err) == (2, True)
    code, _, err = tiankan(*words, "--chips", "--check")
    assert (code, "ask for one at a time" in err) == (2, True)
