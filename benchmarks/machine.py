"""What machine took the figures: its kind, its processors, and how fast it is while it takes them."""

import os
import platform
import time
from typing import Any

ADDITIONS = 5_000_000


def machine() -> dict[str, Any]:
    """For the head of a result. `plain_loop_s`: of five million additions in Python, the best of three.

    A machine shared with others is two and a half times slower on one day than on another: compare by it.
    """
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "plain_loop_s": round(min(_loop_s() for _ in range(3)), 2),
    }


def _loop_s() -> float:
    start, total = time.perf_counter(), 0
    for i in range(ADDITIONS):
        total += i
    return time.perf_counter() - start
