"""A county from its changes to judged cases, on SQLite and on PostGIS: seconds by step, against 120 and 60.

    python benchmarks/county.py --to benchmarks/results

The county of benchmarks/facts.py (parcels that tile it, changes anywhere) with a register of approvals, basic farmland,
a redline and regions is imported into the registry first, which is timed by itself. What is held against the limits is
then one `judge`: changes read, crossed with every layer as known, judged by the national rulebook, written down.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import shapely  # noqa: E402

from benchmarks.facts import draw_county  # noqa: E402

LIMIT_S = {"sqlite": 120, "postgis": 60}
LAYERS = """
[approvals]
title = "Approvals"
path = "approvals.parquet"
columns = { number = "number", valid_from = "since" }
coverage = "everywhere"
measures = ["share", "outside_m2", "numbers"]

[land_use]
title = "Land-use map"
path = "parcels.parquet"
kind = "map"
columns = { number = "number", land_class = "land_class" }
classes = { construction = ["05", "0601", "0603", "07", "08", "09"], homesteads = ["0702"] }
coverage = "bounds"
measures = ["dominant", "share_of_construction", "share_of_homesteads", "numbers"]

[basic_farmland]
title = "Basic farmland"
path = "farmland.parquet"
columns = { number = "number" }
coverage = "bounds"
measures = ["m2", "share"]

[redline]
title = "Redline"
path = "redline.parquet"
coverage = "everywhere"
measures = ["m2", "share"]

[regions]
title = "Regions"
path = "regions.parquet"
columns = { number = "number" }
coverage = "everywhere"
measures = ["dominant"]
"""


def draw(folder: Path, parcels: int, changes: int) -> None:
    """changes.gpkg, layers.toml and its files."""
    from detection import changes as change_frame

    draw_county(folder, parcels, changes)
    land = gpd.read_parquet(folder / "parcels.parquet")
    drawn = gpd.read_parquet(folder / "changes.parquet")
    random = np.random.default_rng(5)
    days = {"before": pd.Timestamp("2021-05-01", tz="UTC"), "after": pd.Timestamp("2021-09-01", tz="UTC")}
    frame = change_frame.make(drawn.geometry.to_numpy(), drawn.crs, pair_id="pair", **days)
    change_frame.write(frame, folder / "changes.gpkg", {})
    farmland = land[(land["land_class"] < "02") & (random.random(len(land)) < 0.7)]
    farmland[["number", "geometry"]].to_parquet(folder / "farmland.parquet")
    approved = frame.iloc[random.choice(len(frame), len(frame) // 5, replace=False)]
    gpd.GeoDataFrame(
        {"number": [f"A{i}" for i in range(len(approved))], "since": "2019-03-01"},
        geometry=approved.geometry.buffer(5).to_numpy(), crs=drawn.crs,
    ).to_parquet(folder / "approvals.parquet")  # fmt: skip
    west, south, east, north = land.total_bounds
    xs, ys = np.linspace(west, east, 4), np.linspace(south, north, 4)
    boxes = [shapely.box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for i in range(3) for j in range(3)]
    named = {"number": [f"14010510{i}" for i in range(9)]}
    gpd.GeoDataFrame(named, geometry=boxes, crs=drawn.crs).to_parquet(folder / "regions.parquet")
    round_ = [shapely.Point(*random.uniform([west, south], [east, north])).buffer(2000, 64) for _ in range(5)]
    gpd.GeoDataFrame({"n": range(5)}, geometry=round_, crs=drawn.crs).to_parquet(folder / "redline.parquet")
    (folder / "layers.toml").write_text(LAYERS)


def judge(folder: Path, url: str) -> dict[str, Any]:
    """The registry filled, then everything judged by it."""
    import pipeline
    from cadastre.importing import Asked, import_layer
    from cadastre.layers import load_catalogue
    from database.engine import open_database, transaction
    from ground.clock import peak_rss_mib

    engine, imports = open_database(url, create=True), {}
    asked = Asked(known=datetime(2021, 1, 1, tzinfo=UTC), state_of=date(2020, 12, 31))
    for name, layer in load_catalogue(folder / "layers.toml").items():
        start = time.perf_counter()
        with transaction(engine, writes=True) as session:
            import_layer(session, name, layer, folder, asked)
        imports[name] = round(time.perf_counter() - start, 2)
    import_mib, start = peak_rss_mib(), time.perf_counter()
    judged = pipeline.judge_changes(folder / "changes.gpkg", None, url)
    seconds = time.perf_counter() - start
    counts = pd.Series([str(said.verdict) for said in judged.judgements.values()]).value_counts()
    return {
        "import_s": imports, "import_peak_mib": import_mib, "judge_s": round(seconds, 2), "steps_s": judged.seconds,
        "verdicts": counts.to_dict(), "peak_rss_mib": peak_rss_mib(),
    }  # fmt: skip


def main() -> None:
    """Draws, then runs each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--judge", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.judge:
        sys.stdout.write(json.dumps(judge(Path(asked.judge[0]), asked.judge[1])) + "\n")
        return
    from tests import postgis

    found: dict[str, Any] = {"machine": platform.machine(), "cpus": os.cpu_count(), "limit_s": LIMIT_S}
    found |= {"parcels": asked.parcels, "changes": asked.changes}
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), asked.parcels, asked.changes)
        found["sqlite"] = _apart(folder, f"sqlite:///{folder}/county.db")
        with postgis.cluster() as server:
            found["postgis"] = _apart(folder, postgis.new_database(server))
    (asked.to / "county.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def _apart(folder: str, url: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--judge", folder, url],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
