"""The state machine: Hypothesis draws the sequences, the search judges them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from etcd_lockstep.searching.search import LieFound, Search
from etcd_lockstep.strategies.arenas import Arena, Swarm
from etcd_lockstep.strategies.dice import BYTES, Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import Operation, WatchRead

BURST = 4
"""Operations to a rule call. The call itself costs Hypothesis more than all else that a step costs without a server."""

_DRAW = st.binary(min_size=BURST * BYTES, max_size=BURST * BYTES)


class Failed(BaseException):
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
    except LieFound:
        raise
    except Exception as error:
        raise Failed(error) from error


def lockstep_machine(
    search: Search,
    arena: Arena,
    operations: Sequence[str],
    keys: Sequence[bytes],
    *,
    last_look: bool,
    steps: int,
    deadline: float = float("inf"),
) -> type[RuleBasedStateMachine]:
    """A state machine class that runs the given operations of an arena over the given keys, at most `steps` an example.

    `last_look`: a sequence ends with a hash over all that the stores hold.
    `deadline` is a reading of `time.monotonic`, after which the machine raises `TimeUp`.
    """

    class LockstepMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            search.examples += 1
            search.over = True
            self.left = steps

        def start_sequence(self, dice: Dice) -> None:
            hostile, plain = dice.pick(((True, False), (False, False), (False, True)))
            self.words = Vocabulary(dice.some(keys), hostile=hostile, plain=plain)
            self.swarm = Swarm(dice, arena, operations)
            self.length = dice.pick(arena.lengths)
            search.start()
            for operation in arena.prelude(dice, self.words):
                self.apply(operation)

        @rule(drawn=_DRAW)
        def step(self, drawn: bytes) -> None:
            if time.monotonic() > deadline:
                raise TimeUp
            with _failures_told():
                for start in range(0, min(BURST, self.left) * BYTES, BYTES):
                    self.left -= 1
                    self.take(Dice(drawn[start : start + BYTES]))

        def teardown(self) -> None:
            if not search.over and time.monotonic() <= deadline:
                with _failures_told():
                    self.finish_sequence()
                search.over = True

        def take(self, dice: Dice) -> None:
            if not search.over and self.words.steps >= self.length:
                self.finish_sequence()
                search.over = True
            if search.over:
                self.start_sequence(dice)
            operation = self.swarm.draw(dice, self.words)
            if not self.apply(operation) and not search.over and self.words.streams:
                self.read_streams()  # what is open may be definite once all that is on its way has come
                self.apply(operation)

        def apply(self, operation: Operation) -> bool:
            """Whether the search took the step."""
            taken = search.step(operation)
            if taken:
                self.words.follow(operation)
            return taken

        def read_streams(self) -> None:
            for stream in self.words.streams:
                self.apply(WatchRead(stream))

        def finish_sequence(self) -> None:
            """Everything that watchers were owed, and every record that the store holds."""
            self.read_streams()
            if last_look:
                search.step(arena.last_look(self.words))

    LockstepMachine.__name__ = f"LockstepMachine_{arena.name}"  # Hypothesis tells by it whose examples it remembers
    return LockstepMachine
