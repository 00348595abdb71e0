"""A drawn Shapefile of about 1 GB imported into the registry and read back: rates and peak memory.

python benchmarks/importing.py [--features 1250000]; each step runs in a process of its own, so that peaks are its own.
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

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyogrio  # noqa: E402
import shapely  # noqa: E402
from pyproj import CRS  # noqa: E402

from cadastre.importing import Asked, import_layer, look  # noqa: E402
from cadastre.layers import Layer  # noqa: E402
from cadastre.registry import catalogue_known, layers_known  # noqa: E402
from database.engine import open_database, transaction  # noqa: E402
from ground.clock import peak_rss_mib  # noqa: E402
from ground.crs import equal_area_crs  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "importing.json"
CORNERS, SIDE_M, STEP_M, PART = 36, 40.0, 50.0, 200_000
GRID = CRS.from_epsg(4547)


def draw(path: Path, count: int) -> None:
    """Round parcels of 36 corners on a grid, in parts, so that drawing needs little memory."""
    wide = int(np.ceil(np.sqrt(count)))
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)]) * SIDE_M / 2
    for first in range(0, count, PART):
        rows = np.arange(first, min(first + PART, count))
        middle = np.column_stack([450_000 + STEP_M * (rows % wide), 4_150_000 + STEP_M * (rows // wide)])
        shapes = shapely.polygons((middle[:, None, :] + ring[None]).round(3))
        data = {"TBBH": rows.astype(str), "DLBM": np.where(rows % 3, "0103", "1006"), "PZSJ": "2020-08-04"}
        frame = gpd.GeoDataFrame(data, geometry=shapes, crs=GRID)
        pyogrio.write_dataframe(frame, path, encoding="GBK", append=first > 0)


def drawn() -> Layer:
    """The drawn layer, a map."""
    return Layer(
        title="drawn", path="DLTB.shp", coverage="bounds", kind="map", measures=["share", "dominant"],
        columns={"number": "TBBH", "land_class": "DLBM", "valid_from": "PZSJ"},
    )  # fmt: skip


def step(name: str, folder: Path) -> dict[str, float]:
    """One step in this process: seconds, and the peak before and after, MiB."""
    before, start = peak_rss_mib(), time.perf_counter()
    url, now = f"sqlite:///{folder / 'registry.db'}", datetime.now(UTC)
    if name == "check":
        features = int(look("drawn", drawn(), folder, repair=False)["kept"])
    elif name == "import":
        asked = Asked(state_of=date(2020, 12, 31))
        with transaction(open_database(url, create=True), writes=True) as session:
            features = import_layer(session, "drawn", drawn(), folder, asked).features
    else:
        box = (113.5, 37.5, 113.6, 37.55) if name == "read_box" else None
        crs = equal_area_crs(113, 37, 115, 39)
        with transaction(open_database(url, create=False), writes=False) as session:
            layers, _ = layers_known(session, catalogue_known(session, now), now, crs, box)
        features = len(layers["drawn"].frame)
    seconds = time.perf_counter() - start
    return {
        "features": features, "seconds": round(seconds, 1), "features_per_s": round(features / seconds),
        "rss_before_mib": before, "peak_rss_mib": peak_rss_mib(),
    }  # fmt: skip


def main() -> None:
    """Draws, measures, writes the result, leaves nothing behind."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--features", type=int, default=1_250_000)
    options.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.step and asked.step[0] == "draw":
        draw(Path(asked.step[1]) / "DLTB.shp", asked.features)
        return
    if asked.step:
        sys.stdout.write(json.dumps(step(asked.step[0], Path(asked.step[1]))) + "\n")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Drawn by another process too: a child begins with the peak of its parent.
        drawing = [sys.executable, __file__, "--features", str(asked.features), "--step", "draw", name]
        subprocess.run(drawing, check=True)
        size = sum(f.stat().st_size for f in folder.iterdir())
        result: dict[str, object] = {
            "measured": pd.Timestamp.now("UTC").isoformat(timespec="seconds"), "python": platform.python_version(),
            "cores": os.cpu_count(), "features": asked.features, "file_mib": round(size / 2**20),
        }  # fmt: skip
        for each in ("check", "import", "read_box", "read_all"):
            command = [sys.executable, __file__, "--step", each, str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            result[each] = json.loads(done.stdout)
        result["database_mib"] = round((folder / "registry.db").stat().st_size / 2**20)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
