"""The lock family: Lock and Election, by a few owners who are in each other's way.

A key of these services ends with the id of its owner's lease, so leases have ids of the caller's own here.
"""

from __future__ import annotations

from dataclasses import replace

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import OWN_LEASE_IDS, Vocabulary
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


def _lease(dice: Dice, words: Vocabulary) -> int | None:
    """An own id that is granted; sometimes one that is not, where requests may be invalid; None where there are not
    two yet: who is alone is in nobody's way."""
    if words.hostile and dice.one_in(12):
        return dice.pick(OWN_LEASE_IDS)
    return dice.pick(words.own_leases) if len(words.own_leases) > 1 else None


def _grant(dice: Dice, words: Vocabulary) -> LeaseGrant:
    return LeaseGrant(60, dice.pick([own for own in OWN_LEASE_IDS if own not in words.own_leases]))


def lock(dice: Dice, words: Vocabulary) -> Operation:
    lease = _lease(dice, words)
    return _grant(dice, words) if lease is None else Lock(_name(dice, words), lease)


def unlock(dice: Dice, words: Vocabulary) -> Unlock:
    if words.hostile and dice.one_in(10):
        return Unlock(words.key(dice))
    return Unlock(key_of(_name(dice, words), dice.pick(words.own_leases or OWN_LEASE_IDS)))


def campaign(dice: Dice, words: Vocabulary) -> Operation:
    lease = _lease(dice, words)
    return _grant(dice, words) if lease is None else Campaign(_name(dice, words), lease, words.value(dice))


def proclaim(dice: Dice, words: Vocabulary) -> Proclaim:
    return Proclaim(_leader_key(dice, words), words.value(dice))


def resign(dice: Dice, words: Vocabulary) -> Resign:
    return Resign(_leader_key(dice, words))


def leader(dice: Dice, words: Vocabulary) -> Leader:
    return Leader(_name(dice, words))


def observe(dice: Dice, words: Vocabulary) -> Observe:
    return Observe(_name(dice, words))


def _name(dice: Dice, words: Vocabulary) -> bytes:
    if words.hostile and dice.one_in(40):
        return b""
    return dice.pick(_NAMES)


def _leader_key(dice: Dice, words: Vocabulary) -> LeaderKey | None:
    """Mostly that of a campaign of this sequence, in the term that it won or in another."""
    if words.hostile and dice.one_in(12):
        return None
    if words.campaigns and not dice.one_in(6):
        leader = dice.pick(words.campaigns[-3:])
        return replace(leader, rev=words.revision(dice)) if dice.one_in(4) else leader
    name, lease = dice.pick(_NAMES), dice.pick(OWN_LEASE_IDS)
    return LeaderKey(name, key_of(name, lease), words.revision(dice), lease)
