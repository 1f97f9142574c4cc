"""The lease family."""

from __future__ import annotations

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import OWN_LEASE_IDS, Vocabulary
from etcd_model.lease import MAX_TTL
from etcd_model.operations import LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive

_TTLS = (60,) * 8 + (3600, 1, 0, -1, 2, 3, MAX_TTL, MAX_TTL + 1)


def lease_grant(dice: Dice, words: Vocabulary) -> LeaseGrant:
    """Mostly an id of the server's choice; TTLs at the limits, beyond them, and in between."""
    ttl = dice.pick(_TTLS if words.hostile else (60, 3600))
    return LeaseGrant(ttl, dice.pick(OWN_LEASE_IDS) if dice.one_in(4) else 0)


def lease_revoke(dice: Dice, words: Vocabulary) -> LeaseRevoke:
    return LeaseRevoke(words.lease(dice))


def lease_keep_alive(dice: Dice, words: Vocabulary) -> LeaseKeepAlive:
    return LeaseKeepAlive(words.lease(dice))


def lease_time_to_live(dice: Dice, words: Vocabulary) -> LeaseTimeToLive:
    return LeaseTimeToLive(words.lease(dice), dice.pick((True, False)))


def lease_leases(_dice: Dice, _words: Vocabulary) -> LeaseLeases:
    return LeaseLeases()
