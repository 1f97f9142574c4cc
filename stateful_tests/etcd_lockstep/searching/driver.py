"""The driver of the command line: rounds of Hypothesis until the time or the examples are spent.

Its state machine is made for speed: one rule, whose argument is the choices of several operations. The machine for
users' own tests, `etcd_lockstep.LockstepMachine`, draws from the same generators with a rule for each operation.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from etcd_lockstep.searching.search import NewFinding, Search
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.workloads import Swarm, Workload
from etcd_model.operations import Operation, WatchRead

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

STEPS = 50
ROUND = 200
"""Examples to a round. Hypothesis remembers all that it drew in one, so rounds are kept short."""
BURST = 4
"""Operations to a rule call. The call itself costs Hypothesis more than all else that a step costs without a server."""

_DRAW = st.binary(min_size=BURST * BYTES, max_size=BURST * BYTES)


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
    remember: bool = True,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Draw sequences of a workload's operations until `seconds` have passed or `examples` have been run, whichever is
    given and comes first, or until `until` says after a round that it is enough.

    What is found stands in `search.findings`. `remember`: Hypothesis's database is read and written, so that a finding
    made before is made first; without it, the same seed draws the same sequences.

    A round ends with each new finding: it is raised as a failure, and Hypothesis starts afresh.
    """
    deadline = time.monotonic() + seconds if seconds is not None else float("inf")
    search.deadline = deadline
    machine = lockstep_machine(
        search, workload, operations, keys, final_check=final_check, steps=steps, deadline=deadline
    )
    left = examples
    for number in itertools.count():
        before = search.examples
        options = settings(
            settings.get_profile("default"),  # whatever the environment: where CI is set, Hypothesis has no database
            max_examples=min(ROUND, left or ROUND),
            stateful_step_count=-(-steps // BURST),
            phases=[Phase.reuse, Phase.generate] if remember and number == 0 else [Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        if not remember:
            options = settings(options, database=None)
        search.new_round()
        try:
            run_state_machine_as_test(with_seed(seed + number)(machine), settings=options)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10
        except (TimeUp, NewFinding, Flaky):
            pass  # Flaky: a target answered otherwise the second time. The search has recorded what it saw.
        except HarnessError as failed:
            raise failed.error from None
        except BaseExceptionGroup as group:
            if group.split(NewFinding)[1] is not None:
                raise
        if left is not None:
            left -= search.examples - before
        if time.monotonic() > deadline or (left is not None and left <= 0) or until():
            with suppress(NewFinding):
                search.flush()
            return


class HarnessError(BaseException):
    """The search itself failed. Not an Exception, or Hypothesis would look for the simplest way to make it fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class TimeUp(BaseException):
    """The time of a run is over. Not an Exception, so that Hypothesis does not take it for a finding."""


@contextmanager
def _harness_errors() -> Iterator[None]:
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
            with _harness_errors():
                for start in range(0, min(BURST, self.left) * BYTES, BYTES):
                    self.left -= 1
                    self.take(ChoiceDecoder(drawn[start : start + BYTES]))

        def teardown(self) -> None:
            if not search.over and time.monotonic() <= deadline:
                with _harness_errors():
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

    LockstepMachine.__name__ = f"LockstepMachine_{workload.name}"  # Hypothesis says by it whose examples it remembers
    return LockstepMachine
