"""100,000 things tried on cases of each database, and 200 moves of 50 cases at once: `python benchmarks/road.py`.

Whatever is tried (tests/road_world.py), no case comes where the law does not lead it and the chain stays whole.
Of moves made at once by eight processes each is made, or refused with the name of who was first; nothing is lost.
"""

import argparse
import json
import multiprocessing
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cases.store import CaseFilter, open_store  # noqa: E402
from cases.workflow import load_workflow  # noqa: E402
from database.audit import look  # noqa: E402
from ground.errors import IllegalMove  # noqa: E402
from tests import postgis  # noqa: E402
from tests.cases_world import put, row_of_changes  # noqa: E402
from tests.road_world import Anybody  # noqa: E402

ALL_AFTER = 20_000
"""Steps after which every case and the whole chain are looked at."""
WORKERS, CASES, MOVES = 8, 50, 200


def tried(url: str, steps: int, seed: int) -> dict[str, Any]:
    """So many steps; raises where something went through that may not."""
    anybody = Anybody(open_store(url), random.Random(seed))
    start = time.perf_counter()
    for step in range(1, steps + 1):
        anybody.step()
        if step % ALL_AFTER == 0:
            anybody.hold_all()
            sys.stderr.write(f"{step} steps, {time.perf_counter() - start:.0f} s, {dict(anybody.counts)}\n")
    anybody.hold_all()
    total = anybody.store.cases(CaseFilter(), limit=1).total
    anybody.store.engine.dispose()
    return {"steps": steps, "seconds": round(time.perf_counter() - start, 1), "cases": total} | dict(
        sorted(anybody.counts.items())
    )


def worker(url: str, name: str, moves: list[tuple[str, int]], done: Any) -> None:
    """Moves cases on, each as it was read before."""
    store, road = open_store(url, create=False), load_workflow()
    for case, version in moves:
        try:
            store.move(case, "field_check", road, actor=name, role="county", version=version)
            done.put("moved")
        except IllegalMove as refusal:
            done.put("refused" if "was moved to field_check by officer-" in str(refusal) else str(refusal))
    store.engine.dispose()


def at_once(url: str) -> dict[str, Any]:
    """Each of 50 cases moved four times at once, by eight processes."""
    store = open_store(url)
    put(store, row_of_changes(CASES))
    cases = [case.id for case in store.cases(CaseFilter(), limit=1000).items]
    dice = random.Random(5)
    wanted = [(case, 1) for case in cases] * (MOVES // CASES)
    dice.shuffle(wanted)
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    start = time.perf_counter()
    people = [
        context.Process(target=worker, args=(url, f"officer-{n}", wanted[n::WORKERS], done))
        for n in range(WORKERS)
    ]
    for each in people:
        each.start()
    ends = Counter(done.get(timeout=120) for _ in wanted)
    for each in people:
        each.join()
    seconds = round(time.perf_counter() - start, 2)
    assert ends == {"moved": CASES, "refused": MOVES - CASES}, ends
    for case in cases:
        assert [event.kind for event in store.events(case)] == ["opened", "moved"]
        assert (store.case(case).status, store.case(case).version) == ("field_check", 2)
    with store.transaction() as session:
        assert look(session, []).faults == []
    store.engine.dispose()
    return {"seconds_with_start_of_processes": seconds, **ends}


def main() -> None:
    """Prints the figures and writes them to --to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", choices=["sqlite", "postgis", "both"], default="both")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "results")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    path = asked.to / "road.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    found |= {"machine": platform.machine(), "cpus": os.cpu_count()}
    if asked.on != "postgis":
        with tempfile.TemporaryDirectory() as folder:
            found["sqlite"] = tried(f"sqlite:///{folder}/cases.db", asked.steps, asked.seed)
            found["sqlite"]["at_once"] = at_once(f"sqlite:///{folder}/once.db")
    if asked.on != "sqlite":
        with postgis.cluster() as server:
            found["postgis"] = tried(postgis.new_database(server), asked.steps, asked.seed)
            found["postgis"]["at_once"] = at_once(postgis.new_database(server))
    text = json.dumps(found, indent=1) + "\n"
    path.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
