"""The time family: how long is waited; and that leases expire under auth too."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.trace import LeaseOf
from etcd_model.operations import (
    Advance,
    As,
    AuthEnable,
    Authenticate,
    LeaseGrant,
    Operation,
    Put,
    UserAdd,
    UserGrantRole,
)

SECONDS = (1, 2, 2, 3)
"""Around the shortest TTL of a server with etcd's default timings, 2 s."""

SHORT_TTLS = (2, 2, 1, 3, 4, 60)


_UNDER_AUTH = (
    UserAdd("root", "p"),
    UserGrantRole("root", "root"),
    AuthEnable(),
    Authenticate("root", "p"),
)


def prelude(choices: ChoiceDecoder, state: GeneratorState) -> tuple[Operation, ...]:
    """Two leases that will expire soon, each with a key; sometimes auth is turned on then."""
    under_auth = choices.one_in(4) and all(state.may_draw(type(operation)) for operation in _UNDER_AUTH)
    return (
        LeaseGrant(choices.pick((2, 3, 4))),
        LeaseGrant(choices.pick((2, 3))),
        Put(choices.pick(state.keys), state.value(choices), LeaseOf(1)),
        Put(choices.pick(state.keys), state.value(choices), LeaseOf(2)),
        *(_UNDER_AUTH if under_auth else ()),
    )


def in_a_name(choices: ChoiceDecoder, state: GeneratorState, operation: Operation) -> Operation:
    """The operation in root's name where auth is on; sometimes in nobody's, who is refused."""
    if not state.tokens or isinstance(operation, Advance) or choices.one_in(12):
        return operation
    return As(state.tokens[-1][1], operation)


def advance(choices: ChoiceDecoder, _state: GeneratorState) -> Advance:
    return Advance(choices.pick(SECONDS))


def lease_grant(choices: ChoiceDecoder, _state: GeneratorState) -> LeaseGrant:
    """A lease that may expire within the sequence."""
    return LeaseGrant(choices.pick(SHORT_TTLS))
