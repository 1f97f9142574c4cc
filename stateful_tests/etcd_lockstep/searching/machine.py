"""The state machine: Hypothesis draws the sequences, the search judges them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from etcd_lockstep.searching.search import NewFinding, Search
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.workloads import Swarm, Workload
from etcd_model.operations import Operation, WatchRead

BURST = 4
"""Operations to a rule call. The call itself costs Hypothesis more than all else that a step costs without a server."""

_DRAW = st.binary(min_size=BURST * BYTES, max_size=BURST * BYTES)


class HarnessError(BaseException):
    """The search itself failed. Not an Exception, or Hypothesis would look for the simplest way to make it fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class TimeUp(BaseException):
    """The time of a run is over. Not an Exception, so that Hypothesis does not take it for a finding."""


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except NewFinding:
        raise
    except Exception as error:
        raise HarnessError(error) from error


def lockstep_machine(
    search: Search,
    workload: Workload,
    operations: Sequence[str],
    keys: Sequence[bytes],
    *,
    final_check: bool,
    steps: int,
    deadline: float = float("inf"),
) -> type[RuleBasedStateMachine]:
    """A state machine class that runs the given operations of a workload over the given keys, at most `steps` an
    example.

    `final_check`: a sequence ends with a hash over all that the stores hold.
    `deadline` is a reading of `time.monotonic`, after which the machine raises `TimeUp`.
    """

    class LockstepMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            search.examples += 1
            search.over = True
            self.left = steps

        def start_sequence(self, choices: ChoiceDecoder) -> None:
            invalid_inputs, defaults_only = choices.pick(((True, False), (False, False), (False, True)))
            self.state = GeneratorState(choices.some(keys), invalid_inputs=invalid_inputs, defaults_only=defaults_only)
            self.swarm = Swarm(choices, workload, operations)
            self.length = choices.pick(workload.lengths)
            search.start()
            for operation in workload.prelude(choices, self.state):
                self.apply(operation)

        @rule(drawn=_DRAW)
        def step(self, drawn: bytes) -> None:
            if time.monotonic() > deadline:
                raise TimeUp
            with _failures_told():
                for start in range(0, min(BURST, self.left) * BYTES, BYTES):
                    self.left -= 1
                    self.take(ChoiceDecoder(drawn[start : start + BYTES]))

        def teardown(self) -> None:
            if not search.over and time.monotonic() <= deadline:
                with _failures_told():
                    self.finish_sequence()
                search.over = True

        def take(self, choices: ChoiceDecoder) -> None:
            if not search.over and self.state.steps >= self.length:
                self.finish_sequence()
                search.over = True
            if search.over:
                self.start_sequence(choices)
            operation = self.swarm.draw(choices, self.state)
            if not self.apply(operation) and not search.over and self.state.streams:
                self.read_streams()  # what is open may be definite once all that is on its way has come
                self.apply(operation)

        def apply(self, operation: Operation) -> bool:
            """Whether the search took the step."""
            taken = search.step(operation)
            if taken:
                self.state.follow(operation)
            return taken

        def read_streams(self) -> None:
            for stream in self.state.streams:
                self.apply(WatchRead(stream))

        def finish_sequence(self) -> None:
            """Everything that watchers were owed, and every record that the store holds."""
            self.read_streams()
            if final_check:
                search.step(workload.final_check(self.state))

    LockstepMachine.__name__ = f"LockstepMachine_{workload.name}"  # Hypothesis tells by it whose examples it remembers
    return LockstepMachine
