"""A real Ray cluster of two workers on this machine: the same bytes as without it, also when a worker is killed."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from detection.batch import PairFiles, pairs_of, run_batch
from detection.cluster import Cluster, Looker, started
from detection.cva import Cva
from detection.look import Job, Look
from detection.plan import Plan
from detection.threshold import ChangeScale
from ground.errors import BadInput
from ground.files import sha256
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from pipeline import DetectOptions, Handles, detect

ROOT = Path(__file__).parent.parent
RESULTS = ("change.tif", "changes.gpkg", "changes.parquet")
OPTIONS = DetectOptions(handles=Handles(window=512))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three bands of 2,000 × 2,600 pixels, 24 windows, with a planted change across four of them."""
    folder, random = tmp_path_factory.mktemp("pair"), np.random.default_rng(3)
    ground = random.normal(0, 250, (3, 2000, 2600)).cumsum(axis=1) / 4 + 9000
    paths = []
    for name, later in (("before", 0), ("after", 1)):
        values = ground * (1 + later / 10) + random.normal(0, 15, ground.shape)
        values[:, 1000:1060, 1500:1560] += 2000 * later
        paths.append(folder / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", driver="GTiff", width=2600, height=2000, count=3, dtype="uint16", crs="EPSG:32649",
            transform=from_origin(6e5, 4.2e6, 10, 10), tiled=True, blockxsize=512, blockysize=512,
        ) as sink:  # fmt: skip
            sink.write(values.clip(0, 65_000).astype("uint16"))
    return paths[0], paths[1]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("ray")
    with Cluster("local", 2) as there:
        yield there


@pytest.mark.parametrize("kill", [False, True])
def test_two_workers_write_what_one_process_writes(
    pair: tuple[Path, Path], cluster: Cluster, tmp_path: Path, kill: bool
) -> None:
    import ray

    detect(*pair, tmp_path / "here", OPTIONS)
    first = ray.get(cluster.workers[0].pid.remote())
    killed = []

    def advance(step: str, done: int, _total: int) -> None:
        if kill and step == "detect" and done >= 8 and not killed:
            killed.append(first)
            os.kill(first, signal.SIGKILL)

    run = detect(*pair, tmp_path / "there", OPTIONS, advance, cluster)
    assert run["engine"]["workers"] == 2 and run["counts"]["changes"] >= 1
    for name in RESULTS:
        assert sha256(tmp_path / "here" / name) == sha256(tmp_path / "there" / name)
    if kill:
        assert killed == [first]
        assert ray.get(cluster.workers[0].pid.remote()) != first


def test_the_network_goes_to_the_workers(pair: tuple[Path, Path], cluster: Cluster, tmp_path: Path) -> None:
    for path in pair:
        with rasterio.open(path) as source:
            values = (source.read(window=((900, 1200), (1400, 1700))) / 80).clip(1, 255).astype("uint8")
        with rasterio.open(
            tmp_path / path.name, "w", driver="GTiff", width=300, height=300, count=3, dtype="uint8",
            crs="EPSG:32649", transform=from_origin(6e5, 4.2e6, 0.5, 0.5),
        ) as sink:  # fmt: skip
            sink.write(values)
    small = [tmp_path / path.name for path in pair]
    options = DetectOptions(detector="model", handles=Handles(device="cpu"))
    here = detect(*small, tmp_path / "here", options)
    there = detect(*small, tmp_path / "there", options, cluster=cluster)
    assert here["learned"] == there["learned"]
    with (
        rasterio.open(tmp_path / "here" / "change.tif") as one,
        rasterio.open(tmp_path / "there" / "change.tif") as other,
    ):
        apart = np.abs(one.read().astype(int) - other.read().astype(int))
    # As many threads as a worker has cores: sums in another order, a byte at most.
    assert apart.max() <= 1


def test_a_batch_goes_on_after_a_pair_that_fails_and_does_nothing_twice(
    pair: tuple[Path, Path], cluster: Cluster, tmp_path: Path
) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(
        f"name,before,after,before_date\nfirst,{pair[0]},{pair[1]},2020-05-01\nsecond,{pair[0]},gone.tif,\n"
        f"third,{pair[1]},{pair[0]},\n"
    )
    pairs = pairs_of(table)
    assert pairs[0] == PairFiles(name="first", before=pair[0], after=pair[1], before_date="2020-05-01")
    results = run_batch(pairs, tmp_path / "out", OPTIONS, cluster=cluster)
    assert [(result.name, result.status) for result in results] == [
        ("first", "done"), ("second", "failed"), ("third", "done"),
    ]  # fmt: skip
    assert "gone.tif: there is no such file" in results[1].why
    assert [row["name"] for row in json.loads((tmp_path / "out" / "batch.json").read_text())] == [
        "first", "second", "third",
    ]  # fmt: skip
    made = (tmp_path / "out" / "first" / "run.json").read_text()
    assert run_batch(pairs, tmp_path / "out", OPTIONS)[0] == results[0]
    assert (tmp_path / "out" / "first" / "run.json").read_text() == made
    # Asked otherwise, it is done again.
    run_batch(pairs[:1], tmp_path / "out", DetectOptions(handles=Handles(window=512), smallest_m2=900))
    assert (tmp_path / "out" / "first" / "run.json").read_text() != made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("before\na.tif\n", "has no column after"),
        ("before,after,gsd\na.tif,b.tif,1\n", "column 'gsd' is unknown"),
        ("before,after\na.tif,\n", "line 2 has no after"),
        ("before,after\n", "names no pair"),
        ("name,before,after\nx,a.tif,b.tif\nx,c.tif,d.tif\n", "two pairs are named 'x'"),
        ("name,before,after\n../x,a.tif,b.tif\n", r"name '\.\./x' cannot be the name of a folder"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(BadInput, match=said):
        pairs_of(tmp_path / "pairs.csv")


def test_items_of_one_place_are_paired_with_the_one_before(
    raster: Callable[..., Any], tmp_path: Path
) -> None:
    from imagery.catalog import add_scene

    values, elsewhere = np.ones((3, 40, 40), "uint8"), from_origin(700_000, 4_200_000, 10, 10)
    for name, place in (("a", None), ("b", None), ("c", None), ("far", elsewhere)):
        path = raster(f"{name}.tif", values) if place is None else raster(f"{name}.tif", values, place)
        add_scene(path, tmp_path / "catalog", None, f"202{'abc far'.index(name) % 4}-05-01", False)
    assert [pair.name for pair in pairs_of(tmp_path / "catalog")] == ["a--b", "b--c"]


def test_a_worker_opens_a_file_no_more_often_than_it_reads_at_once(pair: tuple[Path, Path]) -> None:
    scenes = make_pair(open_scene(pair[0]), open_scene(pair[1]))
    laid = Plan(scenes.grid, 512, 0, 1, 1)
    cva = Cva(np.ones(3), np.zeros(3), np.eye(3), ChangeScale(1.0, 0.0, 1.0, 1.0), 0)
    job = Job(scenes, Look(cva, lambda block: (block.before, block.after)), False)
    worker, files = Looker(), []
    for window in laid.windows():
        worker.look("job", job, [window])
        files.append(len(list(Path("/proc/self/fd").iterdir())))
    assert len(files) == 24 and files[-1] == files[1]


@pytest.mark.usefixtures("cluster")
def test_more_workers_than_the_cluster_has_cores_are_refused() -> None:
    import ray

    with pytest.raises(BadInput, match="--workers: 3 are more than the cluster's 2 CPUs; ask for 2 at most"):
        started(ray, 3)


def test_no_cluster_is_one_sentence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    words = [str(ROOT / "tiankan"), "detect", "--before", str(pair[0]), "--after", str(pair[1])]
    asked = [*words, "--out", str(tmp_path / "out"), "--cluster", "127.0.0.1:1"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tiankan: --cluster: no Ray cluster answers at '127.0.0.1:1'")
    assert done.stderr.count("\n") == 1
