"""How near the engine comes to its roofs: decode, detector, both together; memory; polygons; workers.

`python benchmarks/engine.py` draws its scenes (kept in a folder of the machine's own), runs each measure in a process
of its own, and writes engine-<machine>.json and .png to benchmarks/results. docs/performance.md says what is measured.
"""

import argparse
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

MEASURES: dict[str, Callable[..., dict[str, Any]]] = {}
KEPT = 12
"""Windows held in memory for the detector's roof."""
ROOF_SECONDS = 8.0


def measure(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A function that a process of its own runs."""
    MEASURES[function.__name__] = function
    return function


def _job(before: str, after: str, detector: str) -> Any:
    """(pair, choice, kind, fitted look, plan): what `predict` makes before it begins."""
    from detection.detectors import choose, kind_of
    from detection.look import Job, Look
    from detection.plan import Handles, plan
    from detection.predict import _fitted, _needs
    from imagery.catalog import open_scene
    from imagery.pairing import make_pair
    from imagery.raster import small_cache
    from imagery.reader import PairReader

    pair = make_pair(open_scene(Path(before)), open_scene(Path(after)))
    choice = choose(detector, pair.names, pair.grid.gsd_m, after)
    kind = kind_of(choice, pair.names)
    with small_cache(), PairReader(pair, kind.takes_bytes) as reader:
        fitted, _ = _fitted(pair, choice, kind, reader, lambda *_: None)
        laid = plan(pair.grid, _needs(choice, kind, fitted), Handles(), reader.bytes_per_pixel)
    return Job(pair, Look(fitted, kind.prepare(pair.grid.gsd_m)), kind.takes_bytes), laid


@measure
def roofs(before: str, after: str, detector: str) -> dict[str, Any]:
    """Mpx/s of reading alone (every window once), and of the detector alone on windows in memory."""
    from detection.workers import each
    from imagery.raster import small_cache

    job, laid = _job(before, after, detector)
    windows = list(laid.windows())
    mega = laid.grid.width * laid.grid.height / 1e6
    with small_cache(), job.reader() as reader:
        start = time.perf_counter()
        for _ in each(
            windows, lambda w: reader.read(w.outer), lambda _w, _b: 0, lambda _w, s: s, os.cpu_count() or 1
        ):
            pass
        decode = mega / (time.perf_counter() - start)
        inside = sorted(windows, key=lambda w: -w.outer.width * w.outer.height)[: min(KEPT, len(windows))]
        held = [(w, reader.read(w.outer)) for w in inside]
    list(
        each(held[:2], lambda item: item, lambda _i, h: job.look.at(*h), lambda _i, s: s.shape, laid.workers)
    )
    done, start = 0.0, time.perf_counter()
    while time.perf_counter() - start < ROOF_SECONDS:
        list(
            each(held, lambda item: item, lambda _i, h: job.look.at(*h), lambda _i, s: s.shape, laid.workers)
        )
        done += sum(w.inner.width * w.inner.height for w, _ in held) / 1e6
    return {"decode": decode, "detector": done / (time.perf_counter() - start)}


@measure
def run(before: str, after: str, detector: str) -> dict[str, Any]:
    """The whole of `detect`: seconds by step, rates, peak memory."""
    from pipeline import DetectOptions, detect

    with tempfile.TemporaryDirectory() as out:
        made = detect(Path(before), Path(after), Path(out), DetectOptions(detector=detector))
    return {"seconds": made["seconds"], "changes": made["counts"]["changes"], **made["engine"]}


@measure
def polygons(mask: str) -> dict[str, Any]:
    """Our polygons of a whole mask: traced, simplified, measured."""
    from detection.polygons import outlines
    from ground.clock import peak_rss_mib

    start = time.perf_counter()
    found = outlines(Path(mask), threshold=0.5, smallest_m2=1.0)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "polygons": len(found.polygons), "peak_rss_mib": peak_rss_mib()}


@measure
def traced(mask: str) -> dict[str, Any]:
    """What the yardstick does and no more: groups found and their outlines traced, stairs and all."""
    from detection.polygons import levels, parts, strips
    from detection.rings import trace
    from ground.clock import peak_rss_mib
    from imagery.raster import grid_of, opened, small_cache

    start = time.perf_counter()
    with small_cache(), opened(mask) as source:
        grid = grid_of(source, mask)
        found = parts(strips(source, 1), grid, levels(0.5), 1)
    count = len(trace(found.runs, found.labels, len(found.is_linear), grid.transform))
    return {"seconds": time.perf_counter() - start, "polygons": count, "peak_rss_mib": peak_rss_mib()}


@measure
def shapes(mask: str) -> dict[str, Any]:
    """The yardstick: `rasterio.features.shapes` over the whole array, outlines alone."""
    import rasterio
    import rasterio.features

    from ground.clock import peak_rss_mib

    start = time.perf_counter()
    with rasterio.open(mask) as source:
        probability = source.read(1)
    over = (probability >= 127) & (probability < 255)
    count = sum(1 for _ in rasterio.features.shapes(over.astype("uint8"), over, connectivity=4))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "polygons": count, "peak_rss_mib": peak_rss_mib()}


def _look_at(given: tuple[Any, Sequence[Any]]) -> list[Any]:
    """A chunk of windows in a process of a plain pool."""
    from detection.cluster import Looker

    if not _HERE:
        _HERE.append(Looker())
    return _HERE[0].look("pool", *given).windows


_HERE: list[Any] = []


@measure
def workers(before: str, after: str, detector: str) -> dict[str, Any]:
    """Seconds of the windows alone: one and two Ray workers, and a plain pool of two processes."""
    import multiprocessing

    from detection.cluster import Cluster, _chunks

    job, laid = _job(before, after, detector)
    windows, found = list(laid.windows()), {}
    for count in (1, 2):
        with Cluster("local", count) as cluster:
            for _ in cluster.look(job, windows[: 4 * count]):
                pass
            start = time.perf_counter()
            for _ in cluster.look(job, windows):
                pass
            found[f"ray_{count}"] = time.perf_counter() - start
    from ray import cloudpickle

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        packed = cloudpickle.dumps(job)
        chunks = list(_chunks(windows))
        list(pool.map(_unpacked, [(packed, chunk) for chunk in chunks[:4]]))
        start = time.perf_counter()
        for _ in pool.map(_unpacked, [(packed, chunk) for chunk in chunks]):
            pass
        found["pool_2"] = time.perf_counter() - start
    return found


def _unpacked(given: tuple[bytes, Sequence[Any]]) -> list[Any]:
    from ray import cloudpickle

    return _look_at((cloudpickle.loads(given[0]), given[1]))


def in_own_process(name: str, *words: str) -> dict[str, Any]:
    """What a measure says, run by itself with the settings of the launcher."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--measure", name, *words],
        capture_output=True, text=True, check=False, env=launcher() | os.environ,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{name} {' '.join(words)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def launcher() -> dict[str, str]:
    """The variables that ./tiankan sets."""
    given = re.findall(r'(\w+)="\$\{\1:-(\w+)\}"', (ROOT / "tiankan").read_text())
    if not given:
        raise SystemExit("tiankan: sets no variables that can be found; mend `launcher`")
    return dict(given)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    from detection.record import versions

    model = next((line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    } | versions()


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def main() -> None:
    """Every measure, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 8192, 20_000, 40_000])
    parser.add_argument("--detectors", nargs="+", default=["cva", "model"])
    parser.add_argument("--parts", nargs="+", default=["engine", "polygons", "workers"])
    parser.add_argument("--scenes", type=Path, default=Path(tempfile.gettempdir()) / "tiankan-benchmark")
    parser.add_argument("--name", default=platform.machine())
    asked = parser.parse_args()
    if asked.measure:
        sys.stdout.write(json.dumps(MEASURES[asked.measure[0]](*asked.measure[1:])) + "\n")
        return
    from benchmarks.engine_report import chart, summary
    from benchmarks.scenes import draw_mask, draw_pair

    asked.scenes.mkdir(parents=True, exist_ok=True)
    target = ROOT / "benchmarks" / "results" / f"engine-{asked.name}.json"
    found: dict[str, Any] = json.loads(target.read_text()) if target.is_file() else {}
    found["machine"] = machine()

    def keep(part: str, figures: Any) -> None:
        found[part] = figures
        target.write_text(json.dumps(found, indent=1) + "\n")

    if "engine" in asked.parts:
        rows: list[dict[str, Any]] = []
        for side, detector in itertools.product(asked.sizes, asked.detectors):
            pair = [str(path) for path in draw_pair(asked.scenes, side, sparse=side > 20_000)]
            row: dict[str, Any] = {
                "side": side,
                "detector": detector,
                "run": in_own_process("run", *pair, detector),
            }
            if side <= 20_000:
                row["roofs"] = in_own_process("roofs", *pair, detector)
            rows.append(row)
            sys.stderr.write(json.dumps(row) + "\n")
            keep("engine", rows)
    if "polygons" in asked.parts:
        mask = str(draw_mask(asked.scenes))
        keep("polygons", {name: in_own_process(name, mask) for name in ("polygons", "traced", "shapes")})
    if "workers" in asked.parts:
        pair = [str(path) for path in draw_pair(asked.scenes, 8192)]
        keep(
            "workers", {detector: in_own_process("workers", *pair, detector) for detector in asked.detectors}
        )
    chart(found, target.with_suffix(".png"))
    sys.stdout.write(summary(found))


if __name__ == "__main__":
    main()
