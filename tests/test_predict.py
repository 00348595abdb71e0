"""A change map holds what the detector said of every seen pixel, whatever the windows, and is whole or absent."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window

from detection.detectors import DETECTORS, choose
from detection.look import to_bytes
from detection.predict import Prediction, predict
from detection.sample import draw, sample_blocks, sample_step
from ground.errors import BadInput, CannotWrite
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.raster import to_cog, writing
from imagery.reader import PairReader
from imagery.scene import Grid, Observation, ScenePair

ROOT = Path(__file__).parent.parent
Raster = Callable[..., Path]
UTM = CRS.from_epsg(32649)


@pytest.fixture
def pair(raster: Raster, noisy_pair: Callable[..., Any]) -> Callable[..., ScenePair]:
    """A pair of 70 × 90 pixels with a planted change, a corner of nodata, and a row that the later date missed."""

    def make(bands: int, gsd_m: float = 10) -> ScenePair:
        before, after = noisy_pair(bands, 70, 90)
        after[:, 30:40, 50:62] += 2000
        before[:, :8, :9] = 0
        after[:, 60] = 0
        transform = from_origin(600_000, 4_200_000, gsd_m, gsd_m)
        paths = [
            raster(f"{name}.tif", values.astype("uint16"), transform, nodata=0)
            for name, values in (("before", before), ("after", after))
        ]
        return make_pair(*(open_scene(path, "generic") for path in paths))

    return make


def mapped(pair: ScenePair, detector: str, target: Path) -> tuple[Prediction, Any]:
    told: list[tuple[str, int, int]] = []
    choice = choose(detector, pair.names, pair.grid.gsd_m, "f")
    prediction = predict(pair, choice, target, {"MADE_BY": "a test"}, lambda *step: told.append(step))
    assert [step for step, done, total in told if done == total] == ["learn", "detect"]
    with rasterio.open(target) as made:
        return prediction, made.read()


def in_folder(folder: Path) -> Path:
    """A folder of work, as `detect` makes one for each run."""
    folder.mkdir()
    return folder / "change.tif"


def test_a_change_map_by_the_book(pair: Callable[..., ScenePair], tmp_path: Path) -> None:
    target = in_folder(tmp_path / "work")
    prediction, (probability, codes) = mapped(pair(4), "irmad", target)
    expected = np.zeros((70, 90), np.uint8)
    expected[:8, :9] = expected[60] = Observation.NODATA
    assert np.array_equal(codes, expected)
    assert np.array_equal(probability == 255, expected != 0)
    # 8 × 9 pixels of the earlier date and 90 of the later.
    seen = 70 * 90 - 162
    assert {code: count for code, count in prediction.pixels.items() if count} == {
        Observation.OBSERVED: seen, Observation.NODATA: 162,
    }  # fmt: skip
    planted = np.zeros((70, 90), bool)
    planted[30:40, 50:62] = True
    flagged = (probability >= 127) & (probability < 255)
    assert flagged[planted].all()
    # Noise passes 3.5 deviations in 2 of 10,000 pixels.
    assert (flagged & ~planted).sum() <= 2
    with rasterio.open(target) as made:
        assert (made.count, made.dtypes, made.nodata) == (2, ("uint8", "uint8"), 255)
        assert (made.crs.to_epsg(), made.transform) == (32649, from_origin(600_000, 4_200_000, 10, 10))
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert made.tags()["MADE_BY"] == "a test"
        assert made.descriptions == ("change probability × 254", "observation code")
        codes_said = {key: value for key, value in made.tags(2).items() if key.startswith("CODE_")}
    names = [
        "observed", "nodata", "outside", "cloud", "shadow", "snow", "saturated", "misaligned", "unreadable",
    ]  # fmt: skip
    assert codes_said == {f"CODE_{i}": name for i, name in enumerate(names)}
    assert prediction.spoiled == {}


@pytest.mark.parametrize(
    ("detector", "bands", "gsd_m"), [("irmad", 4, 10), ("cva", 3, 10), ("cva", 3, 0.5), ("cva", 1, 0.5)]
)
def test_the_map_does_not_depend_on_the_windows(
    pair: Callable[..., ScenePair], tmp_path: Path, monkeypatch: Any, detector: str, bands: int, gsd_m: float
) -> None:
    scenes = pair(bands, gsd_m)
    made = []
    for size in (1024, 64, 17):
        monkeypatch.setattr("detection.predict.WINDOW", size)
        made.append(mapped(scenes, detector, in_folder(tmp_path / str(size))))
    for prediction, values in made[1:]:
        assert (prediction.parameters, prediction.pixels) == (made[0][0].parameters, made[0][0].pixels)
        assert np.array_equal(values, made[0][1])


@pytest.mark.parametrize("radius", [0, 3])
@pytest.mark.parametrize("most", [6300, 1000, 50])
def test_the_sample_is_every_nth_pixel_of_every_block(
    pair: Callable[..., ScenePair], monkeypatch: Any, most: int, radius: int
) -> None:
    scenes = pair(2)
    monkeypatch.setattr("detection.sample.MOST_PIXELS", most)
    monkeypatch.setattr("detection.sample.BLOCK", 32)
    places, step = sample_blocks(90, 70, radius)
    assert (len(places), step) == (9, sample_step(90, 70, most))
    with PairReader(scenes) as reader:
        whole = reader.read(Window(0, 0, 90, 70))
        seen = whole.observation[::step, ::step] == 0
        sample, _ = draw(places, reader.read, step, 2, lambda block: (block.before, block.after))
    assert sample.step == step
    for drawn, whole_date in ((sample.before, whole.before), (sample.after, whole.after)):
        assert sorted(drawn.T.tolist()) == sorted(whole_date[:, ::step, ::step][:, seen].T.tolist())


def test_a_county_is_sampled_by_blocks_spread_evenly(monkeypatch: Any) -> None:
    monkeypatch.setattr("detection.sample.MOST_BLOCKS", 9)
    # 8 × 16 blocks: every fourth row and column leaves 2 × 4, every third 3 × 6.
    places, step = sample_blocks(16 * 512, 8 * 512 - 7, 4)
    assert [(p.inner.col_off // 512, p.inner.row_off // 512) for p in places] == [
        (column, row) for row in (2, 6) for column in (2, 6, 10, 14)
    ]
    # 1,024 × 2,048 pixels of blocks: every third row and column keeps under a quarter of a million.
    assert step == 3


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), most=st.integers(1, 1 << 20))
def test_the_step_is_the_smallest_that_keeps_few_enough(width: int, height: int, most: int) -> None:
    def kept(step: int) -> int:
        return -(-width // step) * -(-height // step)

    step = sample_step(width, height, most)
    assert kept(step) <= most
    assert step == 1 or kept(step - 1) > most


def test_bytes_of_probability() -> None:
    probability = np.array([[0, 0.25, 0.5, 1.0, 1.0]], dtype=np.float32)
    observation = np.array([[0, 0, 0, 0, 3]], dtype=np.uint8)
    # 63.5 goes to the even 64.
    assert to_bytes(probability, observation).tolist() == [[0, 64, 127, 254, 255]]


@pytest.mark.parametrize(("bands", "name"), [(1, "cva"), (3, "cva"), (4, "irmad"), (6, "irmad")])
def test_the_detector_for_so_many_bands(bands: int, name: str) -> None:
    names = [f"b{k}" for k in range(bands)]
    assert choose("auto", names, 10.0, "f").detector == name
    assert choose("cva", names, 10.0, "f").detector == "cva"


def test_a_detector_that_cannot_be_had_is_named() -> None:
    with pytest.raises(BadInput, match=r"^--detector: 'magic' is unknown; use auto, model or cva or irmad$"):
        choose("magic", ["b1", "b2"], 10.0, "f")
    with pytest.raises(BadInput, match=r"^f: detector irmad needs 2 bands in common, the pair has 1; use"):
        choose("irmad", ["b1"], 10.0, "f")
    assert set(DETECTORS) == {"irmad", "cva"}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (1, 39)])
def test_a_scene_too_small_to_learn_from_is_an_error(
    raster: Raster, tmp_path: Path, height: int, width: int
) -> None:
    path = raster("a.tif", np.full((4, height, width), 9, "uint16"))
    pair = make_pair(open_scene(path), open_scene(path))
    # Ten pixels for each of four bands.
    with pytest.raises(
        BadInput, match=f"only {height * width} pixels are seen on both dates .* the 40 that irmad"
    ):
        mapped(pair, "irmad", tmp_path / "change.tif")


def test_the_smallest_scene_of_all_that_can_be_compared(raster: Raster, tmp_path: Path) -> None:
    path = raster("a.tif", np.arange(40, dtype="uint16").reshape(1, 1, 40) + 1)
    pair = make_pair(open_scene(path), open_scene(path))
    _, (probability, _) = mapped(pair, "cva", in_folder(tmp_path / "work"))
    assert (probability.shape, int(probability.max())) == ((1, 40), 0)


def test_a_pair_of_which_nothing_was_seen_is_an_error(raster: Raster, tmp_path: Path) -> None:
    empty, full = np.zeros((3, 20, 20), "uint8"), np.full((3, 20, 20), 9, "uint8")
    pair = make_pair(*(open_scene(raster(f"{i}.tif", v, nodata=0)) for i, v in enumerate((full, empty))))
    with pytest.raises(
        BadInput, match=r"1\.tif: only 0 pixels are seen on both dates .* choose a clearer pair$"
    ):
        mapped(pair, "cva", tmp_path / "change.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.tif", "1.tif"]


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from pyproj import CRS
from rasterio.transform import from_origin
from ground.errors import CannotWrite
from imagery.raster import to_cog, writing
from imagery.scene import Grid
folder, what, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
values = np.random.default_rng(0).integers(0, 255, (1, 1100, 1100), dtype="uint8")
values[:, 512:] = 0  # The last blocks are a few bytes each: they may fit where the first did not.
grid = Grid(CRS.from_epsg(32649), from_origin(600_000, 4_200_000, 10, 10), 1100, 1100)
def write(path):
    with writing(path, grid, count=1, dtype="uint8", compress="ZSTD") as sink:
        sink.write(values)
if what == "cog":
    write(folder / "plain.tif")
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write(folder / "made.tif") if what == "plain" else to_cog(folder / "plain.tif", folder / "made.tif")
except CannotWrite as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [1_000, 100_000, 400_000])
@pytest.mark.parametrize("what", ["plain", "cog"])
def test_a_full_disk_is_not_swallowed_by_gdal(tmp_path: Path, what: str, limit: int) -> None:
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path), what, str(limit)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    # Incompressible, two and a half blocks of 512 × 512 take over 560 kB.
    assert done.stdout.startswith(f"{tmp_path / 'made.tif'}: could not be written (")
    assert done.stdout.count("\n") == 1


def test_a_block_that_was_not_written_is_found(tmp_path: Path) -> None:
    grid = Grid(UTM, from_origin(600_000, 4_200_000, 10, 10), 600, 600)
    with (
        pytest.raises(CannotWrite, match="block 1, 0 of band 1 was not written"),
        writing(tmp_path / "t.tif", grid, count=1, dtype="uint8", sparse_ok=True) as sink,
    ):
        sink.write(np.ones((1, 512, 512), "uint8"), window=Window(0, 0, 512, 512))


def test_what_is_written_is_read_again(tmp_path: Path, numbered: Callable[..., Any]) -> None:
    grid, values = Grid(UTM, from_origin(600_000, 4_200_000, 10, 10), 70, 60), numbered(2, 60, 70)
    with writing(tmp_path / "t.tif", grid, count=2, dtype="uint16") as sink:
        sink.write(values)
    to_cog(tmp_path / "t.tif", tmp_path / "c.tif")
    for name in ("t.tif", "c.tif"):
        with rasterio.open(tmp_path / name) as made:
            assert np.array_equal(made.read(), values)
            assert made.transform == grid.transform
