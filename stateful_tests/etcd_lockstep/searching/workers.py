"""Workers: many short sequences that wait at the same time.

A sequence in which leases expire mostly waits. So sequences are drawn first, on the model alone, and then run side
by side, in workers that have targets of their own; what they show is judged when all of them are through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from queue import SimpleQueue
from typing import Any

from etcd_lockstep.comparing.lockstep import Died, Divergence, FoundInexpressible, Inconclusive, Lockstep, Skipped
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.names import name_of
from etcd_lockstep.searching.coverage import Coverage
from etcd_lockstep.searching.findings import signature
from etcd_lockstep.searching.search import NewFinding, Search, spoils
from etcd_lockstep.target import Target
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model.operations import Operation

PER_WORKER = 3
"""How many sequences a batch has for each worker: with one, all would wait for the longest."""

SHRINK_SECONDS = 30.0
"""How long one finding may be shrunk: a trace that is tried may have to wait for seconds."""

SHRINK_SECONDS_IN_ALL = 90.0
"""For all that one batch has shown: once the time of the search is over, the run lasts longer by that at most."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One set of targets."""

    model: ModelTarget
    others: list[Target]
    """Beside the model."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last step of a trace, run in a worker, showed. Where that is known, the trace went on."""

    trace: Trace
    divergences: tuple[Divergence, ...] = ()
    died: Died | None = None


class ParallelSearch(Search):
    """A search whose sequences run in batches."""

    def __init__(self, workers: Sequence[Worker], ignored: Collection[str] = (), **options: Any) -> None:
        """`ignored` and `options` are those of `Search`."""
        first = workers[0]
        super().__init__(first.model, first.others, lockstep=TimedLockstep, ignored=ignored, **options)
        self._workers: list[Lockstep] = [
            self._all,
            *(TimedLockstep(worker.model, worker.others, ignored) for worker in workers[1:]),
        ]
        self._guide = Lockstep(ModelTarget(first.model.server), ())
        self._drawn: Trace = ()
        self._batch: list[Trace] = []
        self._ran: dict[Lockstep, Trace] = {}
        """What was run in a worker last."""
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._judging_since = float("inf")

    def start(self) -> None:
        """Begin to draw a sequence; run those drawn before, if they are enough. Raises `NewFinding`."""
        self._end_of_drawing()
        if len(self._batch) == PER_WORKER * len(self._workers):
            self.flush()
        self._guide.start()
        self.over = False

    def step(self, operation: Operation) -> bool:
        """Draw one step. Whether it was taken."""
        if self.over:
            return False
        self.drawn[name_of(operation)] += 1
        try:
            self._all.refuse_inexpressible(operation, self._guide.revisions)
            self._guide.step(operation)
        except Skipped as skipped:
            self._skipped(operation, skipped)
            return False
        except Inconclusive:
            self.over = True
            return False
        except Died as died:  # of being asked whether it has words for it
            self.over = True
            self._died(died, (*self._drawn, operation))
            return True
        self._drawn = (*self._drawn, operation)
        return True

    def _end_of_drawing(self) -> None:
        if self._drawn:
            self._batch.append(self._drawn)
            self._drawn = ()

    def flush(self) -> None:
        """Run what was drawn. Raises `NewFinding`, once all that was seen is judged, for the first that is new."""
        self._end_of_drawing()
        batch, self._batch = self._batch, []
        self.over = True
        found: NewFinding | None = None
        ran = self._run_batch(batch)
        self._judging_since = time.monotonic()
        for seen in ran:
            try:
                if seen.died:
                    self._died(seen.died, seen.trace)
                self._trace = seen.trace
                for divergence in seen.divergences:
                    self._judge(seen.trace[-1], divergence)
            except NewFinding as finding:
                found = found or finding
        self._judging_since = float("inf")
        if found:
            raise found

    def _patience(self) -> float:
        now = time.monotonic()
        return min(now + SHRINK_SECONDS, min(self._judging_since, self.deadline) + SHRINK_SECONDS_IN_ALL)

    def _run_batch(self, batch: Sequence[Trace]) -> list[_Seen]:
        free = SimpleQueue[Lockstep]()
        for lockstep in self._workers:
            free.put(lockstep)

        def run(trace: Trace) -> list[_Seen]:
            lockstep = free.get()
            try:
                return list(self._run_in(lockstep, trace))
            finally:
                free.put(lockstep)

        with ThreadPoolExecutor(len(self._workers)) as pool:
            try:
                return list(chain.from_iterable(pool.map(run, batch)))
            except BaseException:
                self._stopped.set()
                raise

    def _run_in(self, lockstep: Lockstep, trace: Trace) -> Iterator[_Seen]:
        coverage = Coverage()
        if self._is_time_up():
            return
        try:
            lockstep.start()
        except Died as died:
            yield _Seen(self._ran.get(lockstep, ()), died=died)
            return
        self._ran[lockstep] = trace
        try:
            with self._counting:
                self.sequences += 1
            for number, operation in enumerate(trace, 1):
                if self._is_time_up():
                    return
                step = lockstep.step(operation)
                with self._counting:
                    self.steps += 1
                if step.divergences:
                    yield _Seen(trace[:number], step.divergences)
                    if not self._may_go_on(operation, step.divergences):
                        return
                else:
                    coverage.agreed(operation, step.observations[lockstep.targets[0].name])
        except FoundInexpressible:
            pass
        except (Inconclusive, Skipped):
            # Where something expired earlier or later than for the guide, a request may be one that is never sent.
            with self._counting:
                self.inconclusive += 1
        except Died as died:
            yield _Seen(trace[: lockstep.steps], died=died)
        finally:
            with self._counting:
                self.coverage.add(coverage)

    def _may_go_on(self, operation: Operation, divergences: Sequence[Divergence]) -> bool:
        """Whether all that differs looks like what is known, such as a field that no answer of the target has, and its
        store may be right all the same. What is known changes only between two batches."""
        seen = [
            signature(divergence.odd_one_out, operation, difference)
            for divergence in divergences
            for difference in divergence.differences
        ]
        return all(self.triage.has(one) and not spoils(operation, one) for one in seen)

    def _is_time_up(self) -> bool:
        return self._stopped.is_set() or time.monotonic() > self.deadline
