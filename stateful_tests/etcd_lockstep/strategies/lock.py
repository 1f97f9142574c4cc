"""The lock family: Lock and Election, by a few owners who are in each other's way.

A key of these services ends with the id of its owner's lease, so leases have ids of the caller's own here.
"""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import OWN_LEASE_IDS, GeneratorState
from etcd_model.lock import key_of
from etcd_model.operations import (
    Campaign,
    Leader,
    LeaderKey,
    LeaseGrant,
    Lock,
    Observe,
    Operation,
    Proclaim,
    Resign,
    Unlock,
)

_NAMES = (b"a", b"lock")


def _lease(choices: ChoiceDecoder, state: GeneratorState) -> int | None:
    """An own id that is granted; sometimes one that is not, where requests may be invalid; None where there are not
    two yet: who is alone is in nobody's way."""
    if state.invalid_inputs and choices.one_in(12):
        return choices.pick(OWN_LEASE_IDS)
    return choices.pick(state.own_leases) if len(state.own_leases) > 1 else None


def _grant(choices: ChoiceDecoder, state: GeneratorState) -> LeaseGrant:
    return LeaseGrant(60, choices.pick([own for own in OWN_LEASE_IDS if own not in state.own_leases]))


def lock(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    lease = _lease(choices, state)
    return _grant(choices, state) if lease is None else Lock(_name(choices, state), lease)


def unlock(choices: ChoiceDecoder, state: GeneratorState) -> Unlock:
    if state.invalid_inputs and choices.one_in(10):
        return Unlock(state.key(choices))
    return Unlock(key_of(_name(choices, state), choices.pick(state.own_leases or OWN_LEASE_IDS)))


def campaign(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    lease = _lease(choices, state)
    return _grant(choices, state) if lease is None else Campaign(_name(choices, state), lease, state.value(choices))


def proclaim(choices: ChoiceDecoder, state: GeneratorState) -> Proclaim:
    return Proclaim(_leader_key(choices, state), state.value(choices))


def resign(choices: ChoiceDecoder, state: GeneratorState) -> Resign:
    return Resign(_leader_key(choices, state))


def leader(choices: ChoiceDecoder, state: GeneratorState) -> Leader:
    return Leader(_name(choices, state))


def observe(choices: ChoiceDecoder, state: GeneratorState) -> Observe:
    return Observe(_name(choices, state))


def _name(choices: ChoiceDecoder, state: GeneratorState) -> bytes:
    if state.invalid_inputs and choices.one_in(40):
        return b""
    return choices.pick(_NAMES)


def _leader_key(choices: ChoiceDecoder, state: GeneratorState) -> LeaderKey | None:
    """Mostly that of a campaign of this sequence, in the term that it won or in another."""
    if state.invalid_inputs and choices.one_in(12):
        return None
    if state.campaigns and not choices.one_in(6):
        leader = choices.pick(state.campaigns[-3:])
        return replace(leader, rev=state.revision(choices)) if choices.one_in(4) else leader
    name, lease = choices.pick(_NAMES), choices.pick(OWN_LEASE_IDS)
    return LeaderKey(name, key_of(name, lease), state.revision(choices), lease)
