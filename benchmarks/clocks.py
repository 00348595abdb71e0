"""Seconds that a county's month of cases takes to tick, on SQLite and PostGIS: `python benchmarks/clocks.py`.

Cases open on the working days of a month and go their road at random; the clocks tick once at its end, when all
notices of the month are due at once, then again, then a day later. The limit is 5 s for 10,000 cases.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from cases import history, ledger  # noqa: E402
from cases.store import CaseFilter, CaseStore, open_store  # noqa: E402
from cases.ticking import lights, tick  # noqa: E402
from cases.workflow import load_workflow  # noqa: E402
from database import bulk, seals  # noqa: E402
from database.tables import CaseRow  # noqa: E402
from ground.clock import peak_rss_mib  # noqa: E402
from tests import postgis  # noqa: E402
from tests.cases_world import entry_of, lonlat_changes  # noqa: E402
from tests.drawn import drawn  # noqa: E402

LIMIT_S = 5.0
BEGIN, DAYS = datetime(2026, 9, 1, 1, tzinfo=UTC), 30
A_RUN = 500
"""Cases opened together."""
ROAD = ["field_check", "proven", "city_review", "province_review", "violation", "filed", "investigation"]


def fill(store: CaseStore, count: int) -> int:
    """Cases opened through the month, with the moves that officers made; how many moves."""
    dice, road, moves = random.Random(11), load_workflow(), 0
    for first in range(0, count, A_RUN):
        places = [
            (100 + 0.01 * (i % 1000), 30 + 0.01 * (i // 1000))
            for i in range(first, min(first + A_RUN, count))
        ]
        changes = lonlat_changes(*((x, y, x + 0.001, y + 0.001) for x, y in places), pair_id=f"pair{first}")
        day = BEGIN + timedelta(days=DAYS * first / count)

        class Then(datetime):
            @classmethod
            def now(cls, tz: Any = None, day: datetime = day) -> datetime:
                del tz
                return day

        ledger.datetime = Then  # type: ignore[attr-defined]
        ledger.record(store, entry_of(changes), road)
        ledger.datetime = datetime  # type: ignore[attr-defined]
    after, cases = 0, []
    while True:
        page = store.cases(CaseFilter(), after=after, limit=1000)
        cases += page.items
        if page.next_after is None:
            break
        after = page.next_after
    with store.transaction(writes=True) as session, drawn(session):
        events, rows = [], []
        for case in cases:
            at, status = case.opened, case.status
            for to in ROAD[: dice.randrange(len(ROAD) + 1)]:
                at += timedelta(days=dice.expovariate(0.4))
                events.append(
                    history.event(case.id, at, "moved", "", actor="李伟", role="county", origin=status, to=to)
                )
                status = to
            if status != case.status:
                rows.append({"id": case.id, "status": status})
        moves = len(events)
        with seals.altering(session, CaseRow, [row["id"] for row in rows]):
            bulk.alter(session, CaseRow, "id", rows)
        history.append(session, events)
    return moves


def measured(store: CaseStore, count: int) -> dict[str, Any]:
    """Seconds of the ticks and of a list of all lights."""
    moves = fill(store, count)
    end = BEGIN + timedelta(days=DAYS)
    found: dict[str, Any] = {"cases": store.cases(CaseFilter(), limit=1).total, "moves": moves}
    for name, moment in (("tick_s", end), ("again_s", end), ("next_day_s", end + timedelta(days=1))):
        start, busy = time.perf_counter(), time.process_time()
        done = tick(store, moment)
        found[name] = round(time.perf_counter() - start, 2)
        found[name.replace("_s", "_cpu_s")] = round(time.process_time() - busy, 2)
        found[name.replace("_s", "_notices")] = sum(done.notices.values())
    start = time.perf_counter()
    found["clocks"] = len(lights(store, end))
    found["list_s"] = round(time.perf_counter() - start, 2)
    return found


def main() -> None:
    """Prints the figures and writes them to --to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = machine() | {"limit_s": LIMIT_S}
    with tempfile.TemporaryDirectory() as folder:
        found["sqlite"] = measured(open_store(f"sqlite:///{folder}/cases.db"), asked.count)
    with postgis.cluster() as server:
        store = open_store(postgis.new_database(server))
        found["postgis"] = measured(store, asked.count)
        store.engine.dispose()
    found["peak_rss_mib"] = peak_rss_mib()
    text = json.dumps(found, indent=1) + "\n"
    (asked.to / "clocks.json").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
