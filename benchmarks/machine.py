"""What machine took the figures: its kind, its processors, and how fast it is while it takes them."""

import os
import platform
import time
from typing import Any

OBJECTS = 500_000


def machine() -> dict[str, Any]:
    """For the head of a result. `objects_s`: to make half a million small objects and sort them, each of five times.

    A machine shared with others is three times slower in one minute than in another: compare by these.
    """
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "objects_s": [round(_objects_s(), 2) for _ in range(5)],
    }


def _objects_s() -> float:
    start = time.perf_counter()
    made = [{"place": i * 7919 % OBJECTS, "name": str(i)} for i in range(OBJECTS)]
    made.sort(key=lambda each: (each["place"], each["name"]))
    return time.perf_counter() - start
