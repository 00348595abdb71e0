"""1,000 alterations of rows, files, order and the chain's end, planted one by one: `python benchmarks/audit.py`.

Each is planted in a county with all locks off (tests/audit_world.py) and must be told, by the chain with a signed head
that was kept elsewhere or by the files of evidence; then it is taken back.
"""

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cases.store import CaseStore  # noqa: E402
from database.heads import Head, load_key, new_key, sign, stored  # noqa: E402
from database.revisions import WRITE_LOCK  # noqa: E402
from tests import postgis  # noqa: E402
from tests.audit_world import county, found, planted, unlock  # noqa: E402


def once(
    store: CaseStore, heads: list[Head], evidence: Path, seed: int, folder: Path
) -> tuple[str, list[str]]:
    """What was planted, and what is told of it."""
    shutil.copytree(evidence, folder / "evidence")
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql(WRITE_LOCK)
        unlock(connection)
        kind, what = planted(connection, random.Random(seed), folder / "evidence")
        told = found(store, connection, heads, folder / "evidence")
        connection.rollback()
    if not told:
        sys.stderr.write(f"seed {seed}, not found: {what}\n")
    cut = kind == "chain cut off" and not any(text.startswith("the chain was cut off") for text in told)
    return kind, [] if cut else told


def all_of(folder: Path, count: int) -> dict[str, Any]:
    """By kind, how many were planted and how many were found."""
    store = county(folder)
    new_key(folder / "k.pem")
    with store.transaction(writes=True) as session:
        sign(session, load_key(folder / "k.pem"), {})
    with store.transaction() as session:
        heads = list(stored(session))
    made, seen = Counter[str](), Counter[str]()
    start = time.perf_counter()
    for seed in range(count):
        with tempfile.TemporaryDirectory() as beside:
            kind, told = once(store, heads, folder / "evidence", seed, Path(beside))
        made[kind] += 1
        seen[kind] += bool(told)
    seconds = round(time.perf_counter() - start, 1)
    store.engine.dispose()
    kinds = {kind: {"planted": made[kind], "found": seen[kind]} for kind in sorted(made)}
    return {"planted": made.total(), "found": seen.total(), "seconds": seconds, "by_kind": kinds}


def main() -> None:
    """Prints the figures and writes them to --to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--on", choices=["sqlite", "postgis", "both"], default="sqlite")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    path = asked.to / "audit.json"
    said: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    said |= {"machine": platform.machine(), "cpus": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        if asked.on != "postgis":
            os.environ.pop("TIANKAN_TEST_DB", None)
            (Path(folder) / "sqlite").mkdir()
            said["sqlite"] = all_of(Path(folder) / "sqlite", asked.count)
        if asked.on != "sqlite":
            (Path(folder) / "postgis").mkdir()
            with postgis.cluster() as server:
                os.environ["TIANKAN_TEST_DB"] = server
                said["postgis"] = all_of(Path(folder) / "postgis", asked.count)
    text = json.dumps(said, indent=1) + "\n"
    path.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
