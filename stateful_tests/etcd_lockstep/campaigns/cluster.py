"""Dask's `distributed` as the executor of a campaign: a cluster on this machine, or one that is there already.

The only module that imports `distributed`, an extra. Shards and outcomes cross the network as text.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, get_worker

from etcd_lockstep.campaigns import work
from etcd_lockstep.campaigns.coordinator import ClusterGone, Outcome
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.shards.plain import from_plain, to_plain
from etcd_lockstep.shards.shard import Shard

_WAIT = 1.0
"""Seconds until the coordinator looks again what there is to do."""
_ASK_EVERY = 5.0
"""Seconds after which a cluster is asked again how many workers it has: they may come and go."""
_CONNECT = "15s"
_SETTINGS = {
    "distributed.comm.timeouts.connect": _CONNECT,
    "distributed.scheduler.worker-saturation": 1.0,  # a shard waits at the scheduler, not behind another at a worker
    "distributed.scheduler.work-stealing": False,
}

OnProgress = Callable[[dict[str, Any]], None]
"""Called with the `worker`, the shard's `number`, its `steps` and `findings` so far, from a thread of the engine."""


def _run_on_worker(campaign: str, number: int, shard: str) -> str:
    """What a worker is asked to do."""
    worker = get_worker()

    def on_progress(how_far: dict[str, Any]) -> None:
        worker.log_event(campaign, {"worker": str(worker.name), "number": number, **how_far})

    outcome = work.run_apart(campaign, from_plain(json.loads(shard)), on_progress)
    return work.outcome_to_text(outcome, str(worker.name))


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A folder that is there meanwhile; what a campaign that was killed has left in it is deleted, too."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class DaskCluster:
    """A context manager: within it, an `Executor`. Raises `ClusterGone` where no scheduler answers.

    After it, nothing of the campaign is left to run: what is under way is ended, also on a cluster that stays.
    """

    def __init__(
        self, scheduler: str | None, workers: int, folder: Path, on_progress: OnProgress, *, dashboard: bool = False
    ) -> None:
        """`scheduler`: the address of one that is there; without, `workers` processes are started on this machine.
        `folder`: for files of the engine; what is there is deleted. `dashboard`: serve the engine's own, which needs
        bokeh."""
        self._name = f"etcd-lockstep-{uuid4().hex}"
        self._ended: Queue[Future[str]] = Queue()
        self._numbers: dict[object, int] = {}
        self._asked = 0.0
        self._capacity = 0
        self._has_dashboard = dashboard
        with ExitStack() as stack:
            folder = stack.enter_context(_emptied(folder))
            stack.enter_context(dask.config.set({**_SETTINGS, "temporary-directory": str(folder)}))
            self._client = stack.enter_context(self._connected(stack, scheduler, workers, folder, dashboard))
            stack.callback(self._stop)
            self._client.subscribe_topic(self._name, lambda event: on_progress(event[1]))
            self._stack = stack.pop_all()

    def _connected(
        self, stack: ExitStack, scheduler: str | None, workers: int, folder: Path, dashboard: bool
    ) -> Client:
        if scheduler is not None:
            try:
                return Client(scheduler, timeout=_CONNECT, set_as_default=False)
            except (OSError, ValueError) as error:
                raise ClusterGone(f"no scheduler answers at {scheduler}: {error}") from error
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any port: its scheduler listens for HTTP even without a dashboard
            scheduler_kwargs={"dashboard": dashboard},
            worker_dashboard_address=None,
            memory_limit=None,
            preload=["etcd_lockstep.campaigns.worker_process"],
            silence_logs=logging.CRITICAL,
            local_directory=str(folder),
        )
        return Client(stack.enter_context(cluster), set_as_default=False)

    @property
    def dashboard(self) -> str:
        """The address of the engine's own dashboard; empty where it was not asked for."""
        return self._client.dashboard_link if self._has_dashboard else ""

    @property
    def capacity(self) -> int:
        if not self._capacity or time.monotonic() - self._asked > _ASK_EVERY:
            self._asked = time.monotonic()
            try:
                self._capacity = sum(self._client.nthreads().values())
            except OSError as error:
                raise ClusterGone(f"the scheduler does not answer any more: {error}") from error
        return self._capacity

    def submit(self, number: int, shard: Shard) -> None:
        key = f"shard-{number}-{uuid4().hex}"
        self._numbers[key] = number
        text = json.dumps(to_plain(shard), separators=(",", ":"))
        future = self._client.submit(_run_on_worker, self._name, number, text, key=key, pure=False)
        future.add_done_callback(self._ended.put)

    def wait(self) -> Outcome | None:
        try:
            future = self._ended.get(timeout=_WAIT)
        except Empty:
            return None
        number = self._numbers.pop(future.key)
        try:
            return work.outcome_from_text(number, future.result())
        except KilledWorker:
            return Outcome(number, "", None, Exit.FAILED, "its workers died, one after the other")
        except CancelledError as error:
            raise ClusterGone("the scheduler has ended, or has lost the campaign") from error

    def _stop(self) -> None:
        with suppress(OSError):  # a scheduler that is gone has no workers left to stop
            self._client.run(work.stop, self._name)

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()
