"""Light in whole runs: always told in run.json, used where it helps, from seen pixels only, alike in any window."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detection import changes
from detection.cluster import Cluster
from detection.detectors import DETECTORS, DetectorKind
from detection.light import VEGETATION
from ground.files import sha256
from imagery.reader import Block
from pipeline import DetectOptions, Handles, detect

SIDE = 700
PLANTED = (slice(300, 340), slice(490, 530))
RGBN = ["red", "green", "blue", "nir"]
GAIN, BIAS = np.array([1.2, 1.2, 1.2, 0.8])[:, None, None], np.array([300, 300, 300, 100])[:, None, None]


@pytest.fixture
def ground(noisy_pair: Callable[..., Any]) -> tuple[Any, Any]:
    """Two dates of unchanged ground in one light: three bands about 9,000 and a nir twice as bright."""
    before = noisy_pair(4, SIDE, SIDE)[0] + 6000
    before[3] *= 2
    random = np.random.default_rng(8)
    return before, before + random.normal(0, 15, before.shape)


def written(raster: Callable[..., Path], bands: int, before: Any, after: Any) -> tuple[Path, Path]:
    names = RGBN[:bands]
    return tuple(  # type: ignore[return-value]
        raster(f"{name}.tif", values[:bands].clip(1, 65_000).astype("uint16"), names=names, nodata=0)
        for name, values in (("before", before), ("after", after))
    )


def test_other_light_is_no_change_to_cva_and_what_changed_is_found(
    ground: Any, raster: Callable[..., Path], tmp_path: Path
) -> None:
    before, after = ground
    plain = detect(*written(raster, 3, before, after), tmp_path / "plain", DetectOptions(detector="cva"))
    lit = detect(
        *written(raster, 3, before, after * 1.2 + 300), tmp_path / "lit", DetectOptions(detector="cva")
    )
    assert (plain["counts"]["changes"], lit["counts"]["changes"]) == (0, 0)
    after[:3, *PLANTED] += 1500
    found = detect(*written(raster, 3, before, after * 1.2 + 300), tmp_path / "o", DetectOptions())
    assert (found["detector"], found["counts"]["changes"]) == ("cva", 1)
    # 40 × 40 pixels of 10 m.
    assert found["changed_m2"] == pytest.approx(160_000, rel=0.02)
    for run, gain in ((plain, 1.0), (lit, 1 / 1.2), (found, 1 / 1.2)):
        said = run["harmonization"]
        assert [band["band"] for band in said["bands"]] == ["red", "green", "blue"]
        assert [band["gain"] for band in said["bands"]] == pytest.approx([gain] * 3, rel=0.01)
        assert (said["known"], said["applied"], said["applied_to"]) == (True, False, [])
    assert "nothing to mend" in plain["harmonization"]["why"]
    assert "cva fits lines of its own" in lit["harmonization"]["why"]
    assert json.loads((tmp_path / "lit" / "run.json").read_text())["harmonization"] == lit["harmonization"]


def test_vegetation_is_told_as_if_the_light_had_not_changed(
    ground: Any, raster: Callable[..., Path], tmp_path: Path
) -> None:
    before, after = ground
    after[3, *PLANTED] /= 2
    for name, values in (("plain", after), ("lit", after * GAIN + BIAS)):
        run = detect(*written(raster, 4, before, values), tmp_path / name, DetectOptions(detector="irmad"))
        assert run["harmonization"]["applied_to"] == ([VEGETATION] if name == "lit" else [])
    frames = [changes.read(tmp_path / name / "changes.gpkg") for name in ("plain", "lit")]
    for frame in frames:
        assert list(frame["change_class"]) == ["vegetation_loss"]
    assert frames[1]["ndvi_change"].iloc[0] == pytest.approx(frames[0]["ndvi_change"].iloc[0], abs=0.005)


def test_only_what_both_dates_saw_teaches_light(
    ground: Any, raster: Callable[..., Path], tmp_path: Path
) -> None:
    before, after = (date[:3] for date in ground)
    lit = after * 1.2 + 300
    clean = detect(*written(raster, 3, before, lit), tmp_path / "clean", DetectOptions(detector="cva"))
    # 55 % of the earlier date is nodata, over ground that says something else of light.
    before, lit = before.copy(), lit.copy()
    before[:, :385] = 0
    lit[:, :385] = 3 * lit[:, :385] - 9_000
    scenes = [
        raster(f"holes-{k}.tif", values.clip(0, 65_000).astype("uint16"), names=RGBN[:3], nodata=0)
        for k, values in enumerate((before, lit))
    ]
    holes = detect(*scenes, tmp_path / "holes", DetectOptions(detector="cva"))
    assert holes["counts"]["unseen_pixels"]["nodata"] >= 385 * SIDE
    for this, that in zip(holes["harmonization"]["bands"], clean["harmonization"]["bands"], strict=True):
        assert this["gain"] == pytest.approx(that["gain"], rel=0.01)


def _as_read(block: Block) -> Any:
    return block.before, block.after


@dataclass(frozen=True)
class Plain:
    """The mean difference of the dates, on which light tells: what a detector without lines of its own is like."""

    margin: int = 0

    def __call__(self, before: Any, after: Any) -> Any:
        return np.clip(np.abs(after - before).mean(axis=0) / 1000, 0, 1).astype(np.float32)

    def parameters(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> str:
    kind = DetectorKind(
        fewest_bands=1,
        most_bands=None,
        margin=lambda _gsd_m: 0,
        prepare=lambda _gsd_m: _as_read,
        fit=lambda _sample, _gsd_m: Plain(),
        about="the plain difference",
    )
    monkeypatch.setitem(DETECTORS, "plain", kind)
    return "plain"


def test_a_detector_that_wants_one_light_gets_it_in_any_window_and_on_any_worker(
    ground: Any, raster: Callable[..., Path], tmp_path: Path, plain: str
) -> None:
    before, after = ground
    after[:, *PLANTED] += 1500
    scenes = written(raster, 3, before, after * 1.2 + 300)
    runs = {}
    for name, handles in (
        ("small", Handles(window=512, workers=2)),
        ("large", Handles(window=1024, workers=1)),
    ):
        runs[name] = detect(*scenes, tmp_path / name, DetectOptions(detector=plain, handles=handles))
        assert runs[name]["counts"]["changes"] == 1
        assert runs[name]["harmonization"]["applied_to"] == [plain]
    assert runs["small"]["harmonization"] == runs["large"]["harmonization"]
    frames = [changes.read(tmp_path / name / "changes.gpkg") for name in runs]
    assert frames[0].geometry.geom_equals(frames[1].geometry).all()
    assert frames[0].area.sum() == pytest.approx(160_000, rel=0.02)


def test_a_cluster_sees_the_same_light(
    ground: Any, raster: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setitem(DETECTORS, "cva", replace(DETECTORS["cva"], own_light=None))
    before, after = ground
    scenes = written(raster, 3, before, after * 1.2 + 300)
    options = DetectOptions(detector="cva", handles=Handles(window=512))
    assert detect(*scenes, tmp_path / "here", options)["harmonization"]["applied_to"] == ["cva"]
    with Cluster("local", 2) as there:
        detect(*scenes, tmp_path / "there", options, cluster=there)
    assert sha256(tmp_path / "here" / "change.tif") == sha256(tmp_path / "there" / "change.tif")
