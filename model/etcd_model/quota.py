"""The quota: which requests cost space, and what becomes of those where there is none left.

What a store weighs is not modelled. A server is over its quota from its start, or never (`Server.over_quota`).
"""

from __future__ import annotations

from itertools import chain

from etcd_model.auth.permission import caller
from etcd_model.errors import NO_SPACE, Error
from etcd_model.maintenance import raised
from etcd_model.operations import MEMBER_ID, AlarmType, LeaseGrant, Put, Txn
from etcd_model.quirks import Quirks
from etcd_model.results import AlarmMember
from etcd_model.state import State


def costs(operation: Txn, quirks: Quirks) -> bool:
    """Whether either branch of a txn holds a put, be it the one that is taken or not
    (etcd server/storage/quota.go, costTxn)."""
    return any(
        isinstance(request, Put) or (quirks.nested_puts_cost and isinstance(request, Txn) and costs(request, quirks))
        for request in chain(operation.success, operation.failure)
    )


def refused(state: State, operation: Put | Txn | LeaseGrant) -> tuple[State, Error] | None:
    """What a server that is over its quota says to a request that costs space, before anything else about it is
    looked at; None where it passes.

    The alarm is raised first, once more if it has been disarmed, and the answer waits for that. It is raised by a
    request of its own, with the token that came along, and so not if that is no good
    (etcd server/etcdserver/api/v3rpc/quota.go, quotaAlarmer.check).
    """
    quirks = state.server.quirks
    if isinstance(operation, Txn) and quirks.put_free_txns_pass and not costs(operation, quirks):
        return None
    if isinstance(caller(state, state.sender), Error):
        return state, NO_SPACE
    return raised(state, AlarmMember(MEMBER_ID, AlarmType.NOSPACE)), NO_SPACE
