"""Seconds to record and to search many changes, on SQLite and PostGIS: `python benchmarks/database.py [--count N]`."""

import argparse
import cProfile
import json
import os
import platform
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cadastre.facts import Facts, measure  # noqa: E402
from cases import ledger  # noqa: E402
from cases.rules import in_force, judge, load_rulebooks  # noqa: E402
from cases.store import CaseFilter, CaseStore, open_store  # noqa: E402
from cases.workflow import load_workflow  # noqa: E402
from detection import changes as change_frame  # noqa: E402
from ground.clock import peak_rss_mib  # noqa: E402
from ground.crs import LONLAT  # noqa: E402
from law import DEFAULT, rulebooks_of  # noqa: E402
from tests import postgis  # noqa: E402

LAYERS = ("approvals", "supply", "registration", "farm_facilities", "redline")
"""Each gives four facts; with those of the change itself a judgement keeps 25."""
SEARCHES = 200


def county(count: int, year: int) -> ledger.Entry:
    """Squares of some 40 m over 2° × 2°, with facts and judgements as the default rulebook makes them."""
    random = np.random.default_rng(7)
    west, south = random.uniform(112, 114, count), random.uniform(37, 39, count)
    shapes = shapely.box(west, south, west + 0.0005, south + 0.0004)
    days = {
        "before": pd.Timestamp(f"{year - 1}-05-01T03:00:00Z"),
        "after": pd.Timestamp(f"{year}-09-01T03:00:00Z"),
    }
    frame = change_frame.make(shapes, LONLAT, pair_id="pair", **days)
    books = load_rulebooks(rulebooks_of(DEFAULT))
    book = in_force(books, days["after"].date())
    facts = {}
    for i, (change, found) in enumerate(measure(frame, {}, {}).items()):
        more = {f"{name}_{what}": 0.0 for name in LAYERS for what in ("m2", "share", "count", "distance_m")}
        facts[change] = Facts(found.values | more | {"approvals_share": i % 3 / 2}, found.why)
    judgements = {change: judge(found, book) for change, found in facts.items()}
    return ledger.Entry(
        changes=frame, facts=facts, judgements=judgements, regions=dict.fromkeys(facts, "140105"),
        layers={"layers.toml": "0" * 64}, scenes=[], pair={}, land={change: {"0103": 1542.0} for change in facts},
    )  # fmt: skip


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long it took, and what it gave."""
    start = time.perf_counter()
    made = work()
    return round(time.perf_counter() - start, 2), made


def measured(store: CaseStore, entry: ledger.Entry, again: ledger.Entry, profile: bool) -> dict[str, Any]:
    """Recorded, recorded again (nothing new), judged anew (other facts), searched by box, paged."""
    road, found = load_workflow(), {}
    watch = cProfile.Profile()
    if profile:
        watch.enable()
    found["record_s"], added = seconds(lambda: ledger.record(store, entry, road))
    if profile:
        watch.disable()
        pstats.Stats(watch, stream=sys.stderr).sort_stats("tottime").print_stats(16)
    found["rows"] = {"changes": added.changes, "judgements": added.judgements, "cases": added.cases}
    found["record_again_s"], added = seconds(lambda: ledger.record(store, entry, road))
    assert added == ledger.Added(0, 0, 0)
    found["judge_anew_s"], added = seconds(lambda: ledger.record(store, again, road))
    assert added.judgements == len(again.judgements)
    random = np.random.default_rng(3)
    places = random.uniform((112, 37), (113.98, 38.98), (SEARCHES, 2)).tolist()
    boxes = [(x, y, x + 0.02, y + 0.02) for x, y in places]
    spent, pages = seconds(lambda: [store.changes(bbox=box) for box in boxes])
    found["search_ms"] = round(1000 * spent / SEARCHES, 2)
    found["found_a_search"] = sum(page.total for page in pages) / SEARCHES
    spent, _ = seconds(lambda: [store.cases(CaseFilter(bbox=box)) for box in boxes])
    found["search_cases_ms"] = round(1000 * spent / SEARCHES, 2)
    return found


def main() -> None:
    """Prints, and with --out writes, the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--on", choices=["sqlite", "postgis", "both"], default="both")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    entry = county(asked.count, 2025)
    values = {change: Facts(f.values | {"redline_m2": 1.0}, f.why) for change, f in entry.facts.items()}
    again = ledger.Entry(
        **{name: getattr(entry, name) for name in entry.__dataclass_fields__} | {"facts": values}
    )
    found: dict[str, Any] = {"count": asked.count, "machine": platform.machine(), "cpus": os.cpu_count()}
    if asked.on != "postgis":
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(f"sqlite:///{folder}/cases.db")
            found["sqlite"] = measured(store, entry, again, asked.profile)
    if asked.on != "sqlite":
        with postgis.cluster() as server:
            store = open_store(postgis.new_database(server))
            found["postgis"] = measured(store, entry, again, asked.profile)
            store.engine.dispose()
    found["peak_rss_mib"] = peak_rss_mib()
    text = json.dumps(found, indent=2) + "\n"
    sys.stdout.write(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
