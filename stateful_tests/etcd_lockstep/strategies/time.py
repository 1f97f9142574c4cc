"""The time family: how long is waited."""

from __future__ import annotations

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_lockstep.trace import LeaseOf
from etcd_model.operations import Advance, LeaseGrant, Operation, Put

SECONDS = (1, 2, 2, 3)
"""Around the shortest TTL of a server with etcd's default timings, 2 s."""

SHORT_TTLS = (2, 2, 1, 3, 4, 60)


def prelude(dice: Dice, words: Vocabulary) -> tuple[Operation, ...]:
    """Two leases that will expire soon, each with a key."""
    return (
        LeaseGrant(dice.pick((2, 3, 4))),
        LeaseGrant(dice.pick((2, 3))),
        Put(dice.pick(words.keys), words.value(dice), LeaseOf(1)),
        Put(dice.pick(words.keys), words.value(dice), LeaseOf(2)),
    )


def advance(dice: Dice, _words: Vocabulary) -> Advance:
    return Advance(dice.pick(SECONDS))


def lease_grant(dice: Dice, _words: Vocabulary) -> LeaseGrant:
    """A lease that may expire within the sequence."""
    return LeaseGrant(dice.pick(SHORT_TTLS))


def leased_put(dice: Dice, words: Vocabulary) -> Put:
    """A put with a lease, where there is one."""
    return Put(dice.pick(words.keys), words.value(dice), words.lease(dice))
