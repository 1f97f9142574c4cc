"""The driver of the command line: a seeded generator, whose numbers are read as sequences, until the time or the
examples are spent.

The machine for users' own tests, `etcd_lockstep.LockstepMachine`, draws from the same generators under Hypothesis.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from etcd_lockstep.searching.search import NewFinding, Search
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import VALUES_OF_A_SEQUENCE, GeneratorState
from etcd_lockstep.strategies.workloads import Swarm, Workload
from etcd_lockstep.trace import Trace
from etcd_model.operations import Operation, Txn, WatchRead

STEPS = 50


class Driver:
    """Draws sequences of a workload's operations, in turns.

    An example holds so many steps, in one sequence or in several short ones. The same seed draws the same examples,
    as long as the targets answer the same.
    """

    def __init__(
        self,
        search: Search,
        workload: Workload,
        operations: Sequence[str],
        keys: Sequence[bytes],
        *,
        txns: Sequence[Txn] = (),
        final_check: bool = False,
        seed: int,
        steps: int = STEPS,
    ) -> None:
        """`txns`: examples of those that are drawn mostly, if there are any. `final_check`: a sequence ends with a hash
        over all that the stores hold. `steps`: of an example, besides what a sequence begins and ends with."""
        self.examples = 0
        """How many were drawn."""
        self._search = search
        self._workload = workload
        self._operations = operations
        self._keys = keys
        self._txns = txns
        self._final_check = final_check
        self._steps = steps
        self._random = random.Random(seed)
        self._state = GeneratorState(keys)

    def run(self, until: Callable[[], bool], examples: int | None = None) -> None:
        """Draw examples until there were so many in all turns together, `until` says before one that it is enough,
        or the time of the search is over. What is found stands in `search.findings`. Raises `TargetGone`."""
        while (examples is None or self.examples < examples) and not self._is_time_up() and not until():
            self.examples += 1
            self._example()

    def flush(self) -> None:
        """Run what was drawn and not yet run."""
        with suppress(NewFinding):
            self._search.flush()

    def try_traces(self, traces: Iterable[Trace]) -> None:
        """Run traces as if they had been drawn, each as far as all of it is sent: what follows names steps by their
        number. Raises `TargetGone`."""
        for trace in traces:
            if self._is_time_up():
                break
            with suppress(NewFinding):
                self._search.start()
                for operation in trace:
                    if not self._search.step(operation):
                        break
        self.flush()

    def _is_time_up(self) -> bool:
        return time.monotonic() > self._search.deadline

    def _choices(self) -> ChoiceDecoder:
        return ChoiceDecoder(self._random.randbytes(BYTES))

    def _example(self) -> None:
        left = self._steps
        while left > 0 and not self._is_time_up():
            left -= max(self._sequence(left), 1)  # a target that dies of every reset lets no sequence begin

    def _sequence(self, at_most: int) -> int:
        """One sequence of at most so many steps; how many were drawn."""
        choices = self._choices()
        invalid_inputs, defaults_only = choices.pick(((True, False), (False, False), (False, True)))
        keys = choices.some(self._keys)
        self._state = state = GeneratorState(
            keys,
            values=choices.pick(VALUES_OF_A_SEQUENCE),
            operations=self._operations,
            txns=self._txns,
            invalid_inputs=invalid_inputs,
            defaults_only=defaults_only,
        )
        swarm = Swarm(choices, self._workload, self._operations)
        length = choices.pick(self._workload.lengths)
        drawn = 0
        with suppress(NewFinding):  # the search has recorded it, and the sequence is over
            self._search.start()
            for operation in self._workload.prelude(choices, state):
                self._apply(operation)
            while drawn < at_most and state.steps < length and not self._search.over and not self._is_time_up():
                drawn += 1
                self._take(swarm.draw(self._choices(), state))
            if not self._search.over and not self._is_time_up():
                self._finish()
        self._search.over = True
        return drawn

    def _take(self, operation: Operation) -> None:
        if not self._apply(operation) and not self._search.over and self._state.streams:
            self._read_streams()  # what is open may be definite once all that is on its way has come
            self._apply(operation)

    def _apply(self, operation: Operation) -> bool:
        """Whether the search took the step."""
        taken = self._search.step(operation)
        if taken:
            self._state.follow(operation)
        return taken

    def _read_streams(self) -> None:
        for stream in self._state.streams:
            self._apply(WatchRead(stream))

    def _finish(self) -> None:
        """Everything that watchers were owed, and every record that the store holds."""
        self._read_streams()
        if self._final_check:
            self._search.step(self._workload.final_check(self._state))


def fuzz(
    search: Search,
    workload: Workload,
    operations: Sequence[str],
    keys: Sequence[bytes],
    *,
    final_check: bool = False,
    seconds: float | None,
    examples: int | None,
    seed: int,
    steps: int = STEPS,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Draw sequences of a workload's operations until `seconds` have passed or `examples` have been run, whichever is
    given and comes first, or until `until` says after an example that it is enough. Raises `TargetGone`."""
    search.deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    driver = Driver(search, workload, operations, keys, final_check=final_check, seed=seed, steps=steps)
    driver.run(until, examples)
    driver.flush()
