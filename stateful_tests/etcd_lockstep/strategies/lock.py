"""The lock family: Lock and Election, by a few owners who are in each other's way.

A key of these services ends with the id of its owner's lease, so leases have ids of the caller's own here.
"""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import OWN_LEASE_IDS, GeneratorState
from etcd_lockstep.trace import UNKNOWN_LEASE
from etcd_model.lock import key_of
from etcd_model.operations import (
    Campaign,
    DeleteRange,
    Leader,
    LeaderKey,
    LeaseGrant,
    LeaseRevoke,
    Lock,
    Observe,
    Operation,
    Proclaim,
    Put,
    Resign,
    Txn,
    Unlock,
)
from etcd_model.ranges import FROM_KEY

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
    """Where somebody may have the lock already, sometimes a key of another in the queue, so that who asks next waits
    for two."""
    lease = _lease(choices, state)
    if lease is None:
        return _grant(choices, state)
    name, asks = _name(choices, state), not choices.one_in(3)
    is_taken = any(key.startswith(name + b"/") for key in state.owned)
    if asks or not is_taken or not state.may_draw(Put):
        return Lock(name, lease, _meanwhile(choices, state, name, lease))
    return Put(key_of(name, choices.pick([own for own in OWN_LEASE_IDS if own != lease])), state.value(choices))


def unlock(choices: ChoiceDecoder, state: GeneratorState) -> Unlock:
    if state.invalid_inputs and choices.one_in(10):
        return Unlock(state.key(choices))
    return Unlock(key_of(_name(choices, state), choices.pick(state.own_leases or OWN_LEASE_IDS)))


def campaign(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    lease = _lease(choices, state)
    if lease is None:
        return _grant(choices, state)
    name, value = _name(choices, state), state.value(choices)
    return Campaign(name, lease, value, _meanwhile(choices, state, name, lease))


def _meanwhile(choices: ChoiceDecoder, state: GeneratorState, name: bytes, lease: int) -> Operation | None:
    asked = _another_asks(choices, state, name, lease)
    return asked if asked is not None and state.may_draw(type(asked)) else None


def _another_asks(choices: ChoiceDecoder, state: GeneratorState, name: bytes, lease: int) -> Operation | None:
    """Mostly what ends the wait for another; sometimes what takes away the key of who waits too, or only that, or puts
    another key in the queue."""
    if choices.pick((False, True)):
        return None
    others = [own for own in OWN_LEASE_IDS if own != lease]
    other = choices.pick([own for own in state.own_leases if own != lease] or others)
    key, own_key = key_of(name, other), key_of(name, lease)
    match choices.count(9):
        case 0 | 1:
            return Unlock(key)
        case 2 | 3:
            return LeaseRevoke(other)
        case 4:
            return Resign(LeaderKey(name, key, state.revision(choices), other))
        case 5:
            return DeleteRange(name + b"/", name + b"0")
        case 6:
            return Txn(success=tuple(map(DeleteRange, choices.pick(((key, own_key), (own_key, key), (key,))))))
        case 7:
            return LeaseRevoke(lease)
        case 8:
            return Put(choices.pick((key, key_of(name, 9))), state.value(choices))
        case _:
            return DeleteRange(choices.pick((key, own_key)))


def proclaim(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    """Often with another lease: the key has it then."""
    if _is_too_early(choices, state):
        return campaign(choices, state)
    leader, value = _leader_key(choices, state), state.value(choices)
    others = [own for own in state.own_leases if leader is not None and own != leader.lease]
    if choices.one_in(2) and leader is not None and others:
        leader = replace(leader, lease=choices.pick(others))
    return Proclaim(leader, value)


def resign(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    return campaign(choices, state) if _is_too_early(choices, state) else Resign(_leader_key(choices, state))


def _is_too_early(choices: ChoiceDecoder, state: GeneratorState) -> bool:
    """Mostly, where nobody seems to lead: then there is little to say, or to see."""
    return not state.leading and not choices.one_in(12) and state.may_draw(Campaign)


def leader(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    return campaign(choices, state) if _is_too_early(choices, state) else Leader(_name_of_one(choices, state))


def observe(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    """Sometimes a txn comes first that puts and deletes the key of a candidate: Observe reports that put."""
    if _is_too_early(choices, state):
        return campaign(choices, state)
    name = _name_of_one(choices, state)
    if choices.one_in(3) and state.may_draw(Txn):
        return _gone_at_once(choices, state, name)
    return Observe(name)


def _gone_at_once(choices: ChoiceDecoder, state: GeneratorState, name: bytes) -> Txn:
    """A put and a deletion of its key, which no other range than one without an end may delete in the same txn."""
    put = Put(key_of(name, choices.pick(OWN_LEASE_IDS)), state.value(choices))
    return Txn(success=(put, DeleteRange(name + b"/", FROM_KEY)))


def _name_of_one(choices: ChoiceDecoder, state: GeneratorState) -> bytes:
    """Mostly of an election in which somebody seems to lead."""
    if state.leading and not choices.one_in(4):
        return choices.pick(list(state.leading.values())).name
    return _name(choices, state)


def _name(choices: ChoiceDecoder, state: GeneratorState) -> bytes:
    if state.invalid_inputs and choices.one_in(40):
        return b""
    return choices.pick(_NAMES)


def _leader_key(choices: ChoiceDecoder, state: GeneratorState) -> LeaderKey | None:
    """Mostly that of a campaign of this sequence, in the term that it won or in another."""
    if state.invalid_inputs and choices.one_in(12):
        return None
    if state.campaigns and not choices.one_in(6):
        leads = state.leading and not choices.one_in(4)
        leader = choices.pick(list(state.leading.values()) if leads else state.campaigns[-3:])
        if state.invalid_inputs and choices.one_in(10):
            return choices.pick((replace(leader, lease=UNKNOWN_LEASE), replace(leader, key=b"")))
        return replace(leader, rev=state.revision(choices)) if choices.one_in(4) else leader
    name, lease = choices.pick(_NAMES), choices.pick(OWN_LEASE_IDS)
    return LeaderKey(name, key_of(name, lease), state.revision(choices), lease)
