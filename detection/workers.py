"""Windows read, looked at and written by threads: some read ahead while others compute."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from ground.errors import TiankanError, one_line

Item = TypeVar("Item")
Read = TypeVar("Read")
Seen = TypeVar("Seen")
Put = TypeVar("Put")

READ_AHEAD = 1
"""Threads more than workers: while the others compute, they read and write."""
NO_MEMORY = "not enough memory", "can't allocate memory", "out of memory"
"""How torch says it."""


def one_thread_each() -> Any:
    """A context in which products of small matrices are one thread's work; as a call, from now on.

    Windows and tie points run side by side already: threads within a product would wait for one another (a block's
    tie points took 180 ms so, and 21 ms by one thread). It also makes sums the same on any number of cores.
    """
    return threadpool_limits(1, "blas")


class OutOfMemory(TiankanError):
    """A window did not fit into what memory there is."""


def each(
    items: Sequence[Item],
    read: Callable[[Item], Read],
    look: Callable[[Item, Read], Seen],
    put: Callable[[Item, Seen], Put],
    workers: int,
) -> Iterator[Put]:
    """`put` of `look` of `read` of every item, as they are done; at most `workers` look at once.

    Raises:
        OutOfMemory: one of them ran out of it. Whatever one raises ends the rest.
    """
    looking = threading.BoundedSemaphore(workers)

    def one(item: Item) -> Put:
        given = read(item)
        with looking:
            seen = look(item, given)
        return put(item, seen)

    pool = ThreadPoolExecutor(min(workers + READ_AHEAD, max(1, len(items))), thread_name_prefix="window")
    try:
        futures = [pool.submit(one, item) for item in items]
        for future in as_completed(futures):
            yield future.result()
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(said in str(error).lower() for said in NO_MEMORY):
            raise
        raise OutOfMemory(
            f"--window: there is not enough memory ({one_line(error, 120)}); what is done is kept, run again with "
            "--max-memory, or a smaller --window and fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
