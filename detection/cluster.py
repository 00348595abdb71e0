"""Windows spread over the machines of a Ray cluster; the same plan, the same bytes, whichever worker looks.

Workers read the scenes themselves (a shared folder, /vsis3/, https://) and send back bytes; one process writes. A
worker that is lost is started again and its windows are looked at again.
"""

import itertools
import os
import re
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.look import Job
from detection.workers import each, one_thread_each
from ground.errors import BadInput, TiankanError, one_line
from ground.files import short_hash
from imagery.raster import small_cache
from imagery.reader import PairReader, Spoiled
from imagery.tiling import PaddedWindow

ROOT = Path(__file__).parent.parent
SETTINGS = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""What the launcher sets, and workers are started with."""
CHUNK = 4
"""Windows sent to a worker at once: it reads one while it looks at another."""
AHEAD = 2
"""Chunks that wait at each worker, so that it is never idle."""
START_S = 120
"""Seconds that workers have to start: others may hold the cluster's cores."""
RESTARTS = 3
"""How often a worker is started again."""


class LostWorkers(TiankanError):
    """Workers of the cluster were lost more often than they are started again."""


@dataclass(frozen=True)
class Looked:
    """What a worker sends back: each window with its bands, and what could not be decoded so far, by file."""

    windows: list[tuple[PaddedWindow, NDArray[np.uint8]]]
    spoiled: Spoiled


class Looker:
    """A worker: one job at a time, its detector loaded and its files opened once."""

    def __init__(self) -> None:
        one_thread_each()
        self._key = ""
        self._open: PairReader | None = None

    def look(self, key: str, job: Job, chunk: Sequence[PaddedWindow]) -> Looked:
        """A chunk of a job's windows."""
        if self._open is None or self._key != key:
            if self._open is not None:
                self._open.__exit__(None, None, None)
            self._open, self._key = job.reader().__enter__(), key
        reader = self._open
        with small_cache():
            read = each(chunk, lambda w: reader.read(w.outer), job.look.at, lambda w, planes: (w, planes), 1)
            return Looked(list(read), reader.spoiled)

    def pid(self) -> int:
        """The worker's process."""
        return os.getpid()


class Cluster:
    """A Ray cluster and our workers in it; use as a context manager.

    `address`: `local` starts one on this machine; else what Ray calls an address (`auto`, `host:6379`, `ray://host:10001`).
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        self._address, self._asked = address, workers
        self.workers: list[Any] = []

    def __enter__(self) -> "Cluster":
        ray = _ray()
        _answers(self._address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ours = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        given: dict[str, Any] = {"runtime_env": {"env_vars": {"PYTHONPATH": path, **ours}}}
        if self._address == "local":
            given |= {"num_cpus": self._asked or os.cpu_count(), "include_dashboard": False}
        try:
            ray.init(
                address=self._address,
                log_to_driver=False,
                logging_level="ERROR",
                ignore_reinit_error=True,
                **given,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(self._address, error) from error
        try:
            self.workers = started(ray, self._asked)
        except BadInput:
            ray.shutdown()
            raise
        return self

    def __exit__(self, *fault: object) -> None:
        ray = _ray()
        for worker in self.workers:
            ray.kill(worker)
        ray.shutdown()

    def look(self, job: Job, windows: Sequence[PaddedWindow]) -> Iterator[Looked]:
        """Every window of a job, as they come back.

        Raises:
            LostWorkers: a worker died again and again. What a worker raises ends the rest.
        """
        ray = _ray()
        kept, key = ray.put(job), short_hash(os.urandom(8))
        left = deque(_chunks(windows))
        busy: dict[Any, Any] = {}
        for worker in itertools.chain.from_iterable(itertools.repeat(self.workers, AHEAD)):
            if left:
                busy[worker.look.remote(key, kept, left.popleft())] = worker
        try:
            while busy:
                (done,), _ = ray.wait(list(busy), num_returns=1)
                worker = busy.pop(done)
                if left:
                    busy[worker.look.remote(key, kept, left.popleft())] = worker
                yield ray.get(done)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, TiankanError):
                raise error.cause from error
            raise
        except (ray.exceptions.RayActorError, ray.exceptions.NodeDiedError) as error:
            raise LostWorkers(
                f"--cluster: a worker was lost {RESTARTS + 1} times ({one_line(error, 120)}); what is done is kept, "
                "run again with fewer --workers or a smaller --window"
            ) from error


def started(ray: Any, asked: int | None) -> list[Any]:
    """Workers that answer; those for which others leave no room are given up.

    Raises:
        BadInput: more are asked for than the cluster has room for, or none starts.
    """
    have = ray.cluster_resources()
    gpus = int(have.get("GPU", 0))
    kind, room = ("GPUs", gpus) if gpus else ("CPUs", int(have.get("CPU", 1)))
    count = asked or room
    if count > room:
        raise BadInput(
            f"--workers: {count} are more than the cluster's {room} {kind}; ask for {room} at most"
        )
    made = ray.remote(num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0)(Looker)
    workers = [made.options(max_restarts=RESTARTS, max_task_retries=-1).remote() for _ in range(count)]
    pids = {worker.pid.remote(): worker for worker in workers}
    ready, late = ray.wait(list(pids), num_returns=count, timeout=START_S)
    for reference in late:
        ray.kill(pids[reference])
    if not ready:
        raise BadInput(
            f"--cluster: no worker started within {START_S} s, all {room} {kind} are taken; run again later"
        )
    return [pids[reference] for reference in ready]


def _answers(address: str) -> None:
    """Ray itself would wait for minutes for a host that does not answer."""
    found = re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> BadInput:
    return BadInput(
        f"--cluster: no Ray cluster answers at {address!r} ({one_line(error, 120)}); start one with "
        "`ray start --head`, or write local"
    )


def _chunks(windows: Sequence[PaddedWindow]) -> Iterator[list[PaddedWindow]]:
    """Windows that lie side by side, a few at a time."""
    for first in range(0, len(windows), CHUNK):
        yield list(windows[first : first + CHUNK])


def _ray() -> Any:
    """Ray, which a run on one machine does not need.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise BadInput(
            "--cluster: Ray is not installed; install it with `pip install 'tiankan[ray]'`"
        ) from error
    return ray
