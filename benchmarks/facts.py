"""How long a county takes: changes crossed with parcels by ours, by a bare STRtree and by others, in one run.

    python benchmarks/facts.py --to benchmarks/results

A county is drawn with a fixed seed: irregular quadrilaterals that tile it, every twentieth row and column a road; and
changes, rings of eight points around places drawn anywhere. Each contender has a process of its own and reads the same
files; its seconds begin when they are in memory. `bare` is what no way of measuring areas can do without: a tree, the
pairs, their intersections, the areas. `ours` measures m2, share, dominant and numbers, `ours, all` every measure but
the centre line. `bare, two threads` is `bare` with the pairs cut by two threads, as ours does.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.figure import Figure

from cadastre import crossing
from cadastre.facts import measure, measure_crs
from cadastre.layers import MEASURE_NAMES, Layer, LayerData
from detection.changes import COLUMNS
from ground.crs import equal_area_crs

SEED = 20_260_101
WIDTH_M, DEPTH_M, ROAD_M = 50.0, 40.0, 6.0
HERE = equal_area_crs(112.0, 37.0, 113.0, 38.0)
HEADLINE = ("m2", "share", "dominant", "numbers")
CLASSES = np.array(["0101", "0102", "0103", "0201", "0301", "0702", "0601"], dtype=object)
COLORS = {"ours": "#1f6f54", "ours, one thread": "#1f6f54", "ours, all": "#7bb29a"}


def draw_county(folder: Path, parcels: int, changes: int) -> None:
    """parcels.parquet and changes.parquet, metres about the middle of the county."""
    rng = np.random.default_rng(SEED)
    side = int(np.sqrt(parcels))
    is_road = np.arange(side) % 20 == 10
    steps = [np.where(is_road, ROAD_M, length) for length in (WIDTH_M, DEPTH_M)]
    xs, ys = (np.concatenate([[0.0], np.cumsum(step)]) - step.sum() / 2 for step in steps)
    corners = np.stack(np.meshgrid(xs, ys), axis=-1)
    corners += rng.uniform(-2.0, 2.0, corners.shape)
    ring = np.stack((corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]), axis=2)
    roads = is_road[None, :] | is_road[:, None]
    classes = np.where(roads, "1006", rng.choice(CLASSES, roads.shape)).ravel()
    frame = gpd.GeoDataFrame(
        {"number": [f"P{i:07d}" for i in range(side * side)], "land_class": classes},
        geometry=shapely.polygons(ring.reshape(-1, 4, 2)),
        crs=HERE,
    )
    frame.to_parquet(folder / "parcels.parquet")
    centers = rng.uniform([xs[0] + 100, ys[0] + 100], [xs[-1] - 100, ys[-1] - 100], (changes, 1, 2))
    angles = (np.arange(8) + rng.uniform(0.1, 0.9, (changes, 8))) * np.pi / 4
    radii = rng.lognormal(2.9, 0.6, (changes, 1)) * rng.uniform(0.6, 1.0, (changes, 8))
    points = centers + radii[:, :, None] * np.stack((np.cos(angles), np.sin(angles)), axis=-1)
    shapes = shapely.polygons(points)
    drawn = {name: np.nan if kind == "float" else "unclassified" for name, kind in COLUMNS.items()}
    drawn |= {"change_id": [f"{i:016x}" for i in range(changes)], "area_m2": shapely.area(shapes)}
    drawn |= {"before": pd.Timestamp("2021-05-01", tz="UTC"), "after": pd.Timestamp("2021-09-01", tz="UTC")}
    gpd.GeoDataFrame(drawn, geometry=shapes, crs=HERE).to_parquet(folder / "changes.parquet")


def in_memory(folder: Path) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Changes and parcels, in the CRS in which the changes are measured."""
    changes, parcels = (gpd.read_parquet(folder / f"{name}.parquet") for name in ("changes", "parcels"))
    return changes, parcels


def bare(changes: gpd.GeoDataFrame, parcels: gpd.GeoDataFrame, threads: int = 1) -> dict[str, Any]:
    """The tree, the pairs, the pieces, the areas."""
    ones, others = changes.geometry.to_numpy(), parcels.geometry.to_numpy()
    at, found = shapely.STRtree(others).query(ones, predicate="intersects")
    parts = np.array_split(np.arange(len(at)), threads)
    with ThreadPoolExecutor(threads) as pool:
        cut = pool.map(
            lambda rows: shapely.area(shapely.intersection(ones[at[rows]], others[found[rows]])), parts
        )
        areas = np.concatenate(list(cut))
    return {"pairs": len(at), "covered_m2": round(float(areas.sum()), 1)}


def ours(
    changes: gpd.GeoDataFrame,
    parcels: gpd.GeoDataFrame,
    measures: tuple[str, ...] = HEADLINE,
    threads: int = 2,
) -> dict[str, Any]:
    """`measure`, and every row of its table made once."""
    layer = Layer(title="parcels", path="-", coverage="everywhere", measures=list(measures))
    dated = {name: pd.Series(pd.NaT, index=parcels.index, dtype="datetime64[s]")
             for name in ("valid_from", "valid_to", "known_from")}  # fmt: skip
    frame = parcels.assign(**dated)
    crossing.THREADS = threads
    data = LayerData(layer=layer, frame=frame, covers=None)
    start = time.perf_counter()
    table = measure(changes, {"l": data}, {"l": layer}, wanted={f"l_{name}" for name in measures})
    measured = time.perf_counter() - start
    rows = [table[change] for change in table]
    covered = round(float(sum(row.values["l_m2"] for row in rows)), 1)
    return {"rows": len(rows), "covered_m2": covered, "measure_seconds": round(measured, 2)}


def overlay(changes: gpd.GeoDataFrame, parcels: gpd.GeoDataFrame) -> dict[str, Any]:
    """`geopandas.overlay`, and the areas by change."""
    one = changes[["change_id", "geometry"]]
    pieces = gpd.overlay(one, parcels, how="intersection", keep_geom_type=True)
    covered = pieces.geometry.area.groupby(pieces["change_id"]).sum()
    return {"pairs": len(pieces), "covered_m2": round(float(covered.sum()), 1)}


def duckdb(changes: gpd.GeoDataFrame, parcels: gpd.GeoDataFrame) -> dict[str, Any]:
    """DuckDB's spatial join, from WKB in memory to areas by change."""
    import duckdb
    import duckdb_extension_spatial

    folder = Path(duckdb_extension_spatial.__file__).parent / "extensions"
    known = duckdb.connect(
        config={"autoinstall_known_extensions": False, "memory_limit": "1500MB", "threads": 2}
    )
    known.execute(f"LOAD '{next(folder.glob('*/spatial.duckdb_extension'))}'")
    for name, frame in (("c", changes), ("p", parcels)):
        known.register(
            f"{name}_wkb", pd.DataFrame({"i": np.arange(len(frame)), "w": frame.geometry.to_wkb()})
        )
        known.execute(f"CREATE TABLE {name} AS SELECT i, ST_GeomFromWKB(w) AS g FROM {name}_wkb")
    areas = "SELECT c.i, sum(ST_Area(ST_Intersection(c.g, p.g))) AS a, count(*) AS n FROM c JOIN p"
    found = known.execute(f"{areas} ON ST_Intersects(c.g, p.g) GROUP BY c.i ORDER BY c.i").df()
    return {"pairs": int(found["n"].sum()), "covered_m2": round(float(found["a"].sum()), 1)}


CONTENDERS: dict[str, Callable[[gpd.GeoDataFrame, gpd.GeoDataFrame], dict[str, Any]]] = {
    "bare": bare,
    "bare, two threads": lambda changes, parcels: bare(changes, parcels, 2),
    "ours": ours,
    "ours, one thread": lambda changes, parcels: ours(changes, parcels, HEADLINE, 1),
    "ours, all": lambda changes, parcels: ours(changes, parcels, MEASURE_NAMES),
    "overlay": overlay,
    "duckdb": duckdb,
}


def timed(name: str, folder: Path) -> dict[str, Any]:
    """One contender, in this process."""
    changes, parcels = in_memory(folder)
    assert measure_crs(changes) is not None
    changes = changes.set_crs(measure_crs(changes), allow_override=True)
    parcels = parcels.set_crs(changes.crs, allow_override=True)
    shapely.area(parcels.geometry.to_numpy())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start, cpu = time.perf_counter(), time.process_time()
    found = CONTENDERS[name](changes, parcels)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_rss_mib": round(peak),
            "rss_with_data_mib": round(before), **found}  # fmt: skip


def machine() -> dict[str, Any]:
    """Where it was measured."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    versions = {
        "shapely": shapely.__version__,
        "geos": shapely.geos_version_string,
        "geopandas": gpd.__version__,
    }
    cpu = model[0].split(":")[1].strip() if model else platform.processor()
    return {"cpu": cpu, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2), **versions}


def draw(found: dict[str, dict[str, Any]], target: Path) -> None:
    """Seconds, fastest above, with peak memory beside."""
    ranked = sorted(found.items(), key=lambda one: -one[1]["seconds"])
    figure = Figure(figsize=(8, 0.5 * len(ranked) + 1.2), layout="constrained", dpi=120)
    axes = figure.subplots()
    bars = axes.barh([name for name, _ in ranked], [one["seconds"] for _, one in ranked],
                     color=[COLORS.get(name, "#8a8f98") for name, _ in ranked])  # fmt: skip
    axes.bar_label(
        bars, [f"{one['seconds']:.1f} s, {one['peak_rss_mib']:,} MiB" for _, one in ranked], padding=3
    )
    axes.set_xlabel("seconds; peak memory of the process")
    axes.margins(x=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target)


def main() -> None:
    """Measures, prints, stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, help="folder for facts.json and facts.png")
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--contenders", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        sys.stdout.write(json.dumps(timed(given.contenders[0], given.folder)))
        return
    about, found = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        draw_county(Path(folder), given.parcels, given.changes)
        for name in given.contenders:
            command = [sys.executable, __file__, "--in", folder, "--contenders", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.stderr.write(f"{name}: {done.stderr.strip().splitlines()[-1]}\n")
                continue
            found[name] = json.loads(done.stdout)
            sys.stdout.write(f"{name}: {found[name]}\n")
    ratios = {f"{name} ÷ bare": round(one["seconds"] / found["bare"]["seconds"], 2) for name, one in found.items()
              if "bare" in found}  # fmt: skip
    text = json.dumps(
        {"machine": about, "seed": SEED, "parcels": given.parcels, "changes": given.changes, "contenders": found,
         "ratios": ratios}, indent=2, ensure_ascii=False
    )  # fmt: skip
    sys.stdout.write(f"{json.dumps(ratios, ensure_ascii=False)}\n")
    if given.to:
        given.to.mkdir(parents=True, exist_ok=True)
        (given.to / "facts.json").write_text(text + "\n", encoding="utf-8")
        draw(found, given.to / "facts.png")


if __name__ == "__main__":
    main()
