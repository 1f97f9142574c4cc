"""The time family: how long is waited."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import LeaseOf
from etcd_model.operations import Advance, LeaseGrant, Operation, Put

SECONDS = (1, 2, 2, 3)
"""Around the shortest TTL of a server with etcd's default timings, 2 s."""

SHORT_TTLS = (2, 2, 1, 3, 4, 60)


def prelude(choices: ChoiceDecoder, state: GeneratorState) -> tuple[Operation, ...]:
    """Two leases that will expire soon, each with a key."""
    return (
        LeaseGrant(choices.pick((2, 3, 4))),
        LeaseGrant(choices.pick((2, 3))),
        Put(choices.pick(state.keys), state.value(choices), LeaseOf(1)),
        Put(choices.pick(state.keys), state.value(choices), LeaseOf(2)),
    )


def advance(choices: ChoiceDecoder, _state: GeneratorState) -> Advance:
    return Advance(choices.pick(SECONDS))


def lease_grant(choices: ChoiceDecoder, _state: GeneratorState) -> LeaseGrant:
    """A lease that may expire within the sequence."""
    return LeaseGrant(choices.pick(SHORT_TTLS))
