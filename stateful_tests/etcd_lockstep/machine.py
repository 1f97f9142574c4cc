"""The state machine: Hypothesis draws the sequences, the search judges them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from etcd_lockstep.search import LieFound, Search
from etcd_lockstep.strategies.dice import BYTES, Dice
from etcd_lockstep.strategies.union import Swarm
from etcd_lockstep.strategies.vocabulary import Vocabulary

BURST = 4
"""Operations to a rule call. The call itself costs Hypothesis more than all else that a step costs without a server."""

_DRAW = st.binary(min_size=BURST * BYTES, max_size=BURST * BYTES)


LENGTHS = (50, 8, 16, 32)
"""How many steps a sequence may have. Short ones come many to an example: where a target lies often, what is new
is seen before much has gone wrong."""


class Failed(BaseException):
    """The search itself failed. Not an Exception, or Hypothesis would look for the simplest way to make it fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class TimeUp(BaseException):
    """The time of a run is over. Not an Exception, so that Hypothesis does not take it for a finding."""


def lockstep_machine(
    search: Search,
    operations: Sequence[str],
    keys: Sequence[bytes],
    *,
    steps: int,
    deadline: float = float("inf"),
) -> type[RuleBasedStateMachine]:
    """A state machine class that runs the given operations over the given keys, at most `steps` an example.

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
            self.swarm = Swarm(dice, operations)
            self.length = dice.pick(LENGTHS)
            search.start()

        @rule(drawn=_DRAW)
        def step(self, drawn: bytes) -> None:
            if time.monotonic() > deadline:
                raise TimeUp
            try:
                for start in range(0, min(BURST, self.left) * BYTES, BYTES):
                    self.left -= 1
                    self.take(Dice(drawn[start : start + BYTES]))
            except LieFound:
                raise
            except Exception as error:
                raise Failed(error) from error

        def take(self, dice: Dice) -> None:
            if search.over or self.words.steps >= self.length:
                self.start_sequence(dice)
            operation = self.swarm.draw(dice, self.words)
            if search.step(operation):
                self.words.follow(operation)

    return LockstepMachine
