"""The lease family."""

from __future__ import annotations

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import NO_DOUBLE, OWN_LEASE_IDS, GeneratorState
from etcd_model.lease import MAX_TTL
from etcd_model.operations import LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive

_TTLS = (60,) * 8 + (3600, 1, 0, -1, 2, 3, MAX_TTL, MAX_TTL + 1)


def lease_grant(choices: ChoiceDecoder, state: GeneratorState) -> LeaseGrant:
    """Mostly an id of the server's choice; TTLs at the limits, beyond them, and in between."""
    ttl = choices.pick(_TTLS if state.invalid_inputs else (60, 3600))
    return LeaseGrant(ttl, choices.pick((*OWN_LEASE_IDS, NO_DOUBLE)) if choices.one_in(4) else 0)


def lease_revoke(choices: ChoiceDecoder, state: GeneratorState) -> LeaseRevoke:
    return LeaseRevoke(state.lease_with_keys(choices))


def lease_keep_alive(choices: ChoiceDecoder, state: GeneratorState) -> LeaseKeepAlive:
    return LeaseKeepAlive(state.lease(choices))


def lease_time_to_live(choices: ChoiceDecoder, state: GeneratorState) -> LeaseTimeToLive:
    return LeaseTimeToLive(state.lease_with_keys(choices), choices.pick((True, False)))


def lease_leases(_choices: ChoiceDecoder, _state: GeneratorState) -> LeaseLeases:
    return LeaseLeases()
