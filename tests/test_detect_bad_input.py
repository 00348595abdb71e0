"""Two scenes in, whole files out; or one sentence that names the file and the mend, and nothing left behind."""

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from detection import changes
from ground.errors import BadInput, CannotWrite
from ground.files import sha256
from pipeline import DetectOptions, detect

ROOT = Path(__file__).parent.parent
MADE = {"alignment.tif", "change.tif", "changes.gpkg", "changes.parquet", "run.json"}
Raster = Callable[..., Path]
SIDE, PLANTED = 50, (slice(20, 30), slice(25, 40))
KEYS = {
    "alignment", "changed_m2", "counts", "detector", "detector_asked", "detector_why", "engine", "grid",
    "harmonization", "inputs", "learned",
    "made_utc", "observed_m2",
    "pair_id", "parameters", "seconds", "unreadable", "unseen_m2", "versions",
}  # fmt: skip


def world(dtype: str = "uint16") -> tuple[Any, Any]:
    """Four bands of 50 × 50 pixels: 20 to 60, one more or less on the later date, and 50 more on 150 pixels."""
    random = np.random.default_rng(7)
    before = random.integers(20, 60, (4, SIDE, SIDE))
    after = before + random.integers(-1, 2, before.shape)
    after[:, *PLANTED] += 50
    return before.astype(dtype), after.astype(dtype)


@pytest.fixture
def pair(raster: Raster) -> tuple[Path, Path]:
    before, after = world()
    return raster("before.tif", before), raster("after.tif", after)


def planted_only(out: Path, pixel_m2: float = 100) -> bool:
    frame = changes.read(out / "changes.gpkg")
    # UTM stretches an area by less than 0.1 % here.
    return frame["area_m2"].tolist() == pytest.approx([150 * pixel_m2], rel=2e-3)


def test_five_files_come_out(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = detect(*pair, out, DetectOptions(before_date="2021-05-01"))
    assert {path.name for path in out.iterdir()} == MADE
    assert json.loads((out / "run.json").read_text(encoding="utf-8")) == run
    assert set(run) == KEYS
    assert (run["detector"], run["detector_asked"]) == ("irmad", "auto")
    assert run["counts"] == {"pixels": 2500, "observed_pixels": 2500, "unseen_pixels": {}, "changes": 1}
    assert run["parameters"]["min_mapping_unit_m2"] == 400
    assert run["grid"]["crs"] == "EPSG:32649"
    for name, path in zip(("before", "after"), pair, strict=True):
        assert run["inputs"][name]["files"] == [{"path": str(path.resolve()), "sha256": sha256(path)}]
    assert run["inputs"]["before"]["acquired_utc"] == "2021-05-01T00:00:00+00:00"
    with rasterio.open(out / "change.tif") as made:
        assert (made.count, made.nodata, made.dtypes) == (2, 255, ("uint8", "uint8"))
        assert made.tags()["TIANKAN_PAIR"] == run["pair_id"]
        assert json.loads(made.tags()["TIANKAN_INPUTS_SHA256"]) == {str(p.resolve()): sha256(p) for p in pair}
    assert pyogrio.list_layers(out / "changes.gpkg").tolist() == [["changes", "Polygon"]]
    frame = changes.read(out / "changes.gpkg")
    x, y = 600_000, 4_200_000
    assert frame.geometry[0].bounds == (x + 250, y - 300, x + 400, y - 200)
    assert frame["pair_id"].tolist() == [run["pair_id"]]
    assert frame["probability"][0] > 0.95
    assert planted_only(out)


def test_again_and_elsewhere_the_ids_are_the_same(pair: tuple[Path, Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    copies = [Path(shutil.copy(path, elsewhere / f"copy of {path.name}")) for path in pair]
    out, other = tmp_path / "out", tmp_path / "other"
    first = detect(*pair, out, DetectOptions())
    ids = changes.read(out / "changes.gpkg")["change_id"].tolist()
    again = detect(*pair, out, DetectOptions())
    moved = detect(*copies, other, DetectOptions())
    passing = {"made_utc": "", "seconds": {}, "engine": {}}
    assert again | passing == first | passing
    assert moved["pair_id"] == first["pair_id"]
    for folder in (out, other):
        assert changes.read(folder / "changes.gpkg")["change_id"].tolist() == ids
    assert detect(*pair[::-1], other, DetectOptions())["pair_id"] != first["pair_id"]


@pytest.mark.parametrize("detector", ["irmad", "cva"])
def test_a_scene_against_itself_gives_its_files_and_no_change(
    pair: tuple[Path, Path], tmp_path: Path, detector: str
) -> None:
    run = detect(pair[0], pair[0], tmp_path / "out", DetectOptions(detector=detector))
    assert (run["counts"]["changes"], run["changed_m2"]) == (0, 0)
    assert len(changes.read(tmp_path / "out" / "changes.gpkg")) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == MADE


@pytest.mark.parametrize("smallest_m2", [15_000, 15_001, 1e12])
def test_the_smallest_change_asked_for(pair: tuple[Path, Path], tmp_path: Path, smallest_m2: float) -> None:
    # 150 pixels of 100 m²; and more than the whole map is no crash.
    run = detect(*pair, tmp_path / "out", DetectOptions(smallest_m2=smallest_m2))
    assert run["counts"]["changes"] == (1 if smallest_m2 == 15_000 else 0)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_every_type_of_number_is_measured(raster: Raster, tmp_path: Path, dtype: str) -> None:
    before, after = world(dtype)
    if dtype == "int16":
        before, after = before - 4000, after - 4000
    paths = raster("b.tif", before), raster("a.tif", after)
    run = detect(*paths, tmp_path / "out", DetectOptions())
    assert run["parameters"]["bands"] == ["red", "green", "blue", "nir"]
    assert planted_only(tmp_path / "out")


def test_web_mercator_is_measured_by_its_true_size(raster: Raster, tmp_path: Path) -> None:
    # At 37.4° N a Web Mercator meter is cos 37.4° of one: pixels of 12.6 are 10 m.
    place = {"crs": "EPSG:3857", "transform": from_origin(12_000_000, 4_500_000, 12.6, 12.6)}
    paths = [raster(f"{i}.tif", values, **place) for i, values in enumerate(world())]
    run = detect(*paths, tmp_path / "out", DetectOptions())
    assert run["grid"]["gsd_m"] == pytest.approx(10, rel=2e-3)
    assert planted_only(tmp_path / "out")


def spoiled(path: Path, at: slice, content: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at] = content
    path.write_bytes(data)
    return path


def _placed_by_points(folder: Path) -> Path:
    corners = [(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)]
    points = [GroundControlPoint(row, column, 6e5 + 10 * column, 4.2e6 - 10 * row) for row, column in corners]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        shape = {"count": 4, "height": SIDE, "width": SIDE, "dtype": "uint16"}
        with rasterio.open(folder / "bad.tif", "w", driver="GTiff", **shape) as sink:
            sink.write(world()[0])
            sink.gcps = (points, rasterio.crs.CRS.from_epsg(32649))
    return folder / "bad.tif"


def _unplaced(raster: Raster) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return raster("bad.tif", world()[0], transform=None)


def _text(folder: Path, content: bytes) -> Path:
    (folder / "bad.tif").write_bytes(content)
    return folder / "bad.tif"


def _whole(raster: Raster, **profile: Any) -> Path:
    return raster("bad.tif", world()[0], **profile)


def _folder(folder: Path) -> Path:
    (folder / "bad.tif").mkdir()
    return folder / "bad.tif"


LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'
FAR = from_origin(700_000, 4_200_000, 10, 10)
BAD: dict[str, tuple[Callable[[Raster, Path], Path], str]] = {
    "absent": (lambda _r, f: f / "bad.tif", "there is no such file; check the path"),
    "a folder": (lambda _r, f: _folder(f), "is a folder; give the path of one raster"),
    "empty": (lambda _r, f: _text(f, b""), "cannot be read as a raster"),
    "text": (lambda _r, f: _text(f, b"no raster"), "cannot be read as a raster"),
    "a header cut short": (
        lambda r, _f: spoiled(_whole(r), slice(100, None), b""),
        "cut short",
    ),
    "no CRS": (lambda r, _f: _whole(r, crs=None), "has no coordinate system (CRS); set the true one"),
    "no place": (lambda r, _f: _unplaced(r), "has no geotransform"),
    "control points": (
        lambda _r, f: _placed_by_points(f),
        "placed by control points or an RPC model only; ortho",
    ),
    "a local CRS": (lambda r, _f: _whole(r, crs=LOCAL), "coordinate system 'site' is not tied to the earth"),
    "meters said to be degrees": (lambda r, _f: _whole(r, crs="EPSG:4326"), "is in degrees, but its corners"),
    "an old datum": (lambda r, _f: _whole(r, crs="EPSG:2327"), "is not known (a guess is wrong by up to"),
    "elsewhere": (lambda r, _f: _whole(r, transform=FAR), "shows none of the ground of"),
    "too few bands": (lambda r, _f: r("bad.tif", world()[0][:2]), "do not match the"),
    "complex": (lambda r, _f: r("bad.tif", world("complex64")[0]), "its pixels are complex numbers"),
    "a color table": (lambda r, _f: _colored(r), "its pixels are numbers of a color table"),
    "one bit": (lambda r, _f: r("bad.tif", world("uint8")[0][:1] % 2, nbits=1), "color table"),
    "no Item": (lambda _r, f: _text(f, b"{}").rename(f / "bad.json"), "is not a STAC Item"),
}


def _colored(raster: Raster) -> Path:
    path = raster("bad.tif", world("uint8")[0][:1])
    with rasterio.open(path, "r+") as sink:
        sink.write_colormap(1, {i: (i, i, i, 255) for i in range(256)})
    return path


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    pair: tuple[Path, Path], raster: Raster, tmp_path: Path, name: str, first: bool
) -> None:
    make, said = BAD[name]
    bad, out = make(raster, tmp_path), tmp_path / "out"
    scenes = (bad, pair[1]) if first else (pair[0], bad)
    with pytest.raises(BadInput) as caught, warnings.catch_warnings():
        warnings.simplefilter("error", NotGeoreferencedWarning)
        detect(*scenes, out, DetectOptions())
    text = str(caught.value)
    assert said in text
    assert bad.name in text
    # What happened, and behind a semicolon the mend; the whole in one line.
    assert "; " in text
    assert "\n" not in text
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"before_sensor": "kh-11"}, "before.tif: sensor 'kh-11' is unknown; use one of"),
        (
            {"after_sensor": "landsat-tm"},
            "after.tif: has 4 bands, but a landsat-tm stack has 6; name the bands",
        ),
        (
            {"before_date": "2021-05-02", "after_date": "2021-05-01"},
            "before.tif: was acquired 2021-05-02, later than",
        ),
        ({"after_date": "May"}, "after.tif: 'May' is not a date; write 2020-08-04"),
        ({"detector": "magic"}, "--detector: 'magic' is unknown; use auto"),
        ({"threshold": 0.0}, "--threshold: 0.0 is not within 0 and 1"),
        ({"threshold": 1.01}, "--threshold: 1.01 is not within 0 and 1"),
        ({"threshold": float("nan")}, "--threshold: nan is not within 0 and 1"),
    ],
)
def test_bad_options_are_named(
    pair: tuple[Path, Path], tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        detect(*pair, tmp_path / "out", DetectOptions(**options))
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_the_older_result(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    detect(*pair, out, DetectOptions())
    before = {path.name: sha256(path) for path in out.iterdir()}
    spoiled(pair[1], slice(100, None), b"")
    with pytest.raises(BadInput, match=r"after\.tif: cannot be read as a raster"):
        detect(*pair, out, DetectOptions())
    assert {path.name: sha256(path) for path in out.iterdir()} == before


@pytest.mark.parametrize("step", ["learn", "detect", "classify"])
def test_a_killed_run_leaves_no_final_name(pair: tuple[Path, Path], tmp_path: Path, step: str) -> None:
    code = """
import os, sys
from pathlib import Path
from pipeline import DetectOptions, detect
before, after, out, last = sys.argv[1:]
def advance(step, done, total):
    if step == last:
        os._exit(9)
detect(Path(before), Path(after), Path(out), DetectOptions(), advance)
"""
    words = [sys.executable, "-c", code, *map(str, pair), str(tmp_path / "out"), step]
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == 9
    assert [path.name[:9] for path in (tmp_path / "out").iterdir()] == [".partial-"]


def test_a_folder_that_cannot_be_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CannotWrite, match=r"out: could not be written \(Not a directory\)"):
        detect(*pair, tmp_path / "out", DetectOptions())
