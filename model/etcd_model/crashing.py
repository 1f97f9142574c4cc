"""Requests that kill a real server. They are legal to send, so nobody but the sender can hold them back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from etcd_model import operations as op
from etcd_model.auth.sender import sender_of
from etcd_model.maintenance import changes_cluster
from etcd_model.quirks import Quirks
from etcd_model.ranges import FROM_KEY
from etcd_model.state import DeleteEvent, PutEvent, State

_SORT_TARGETS = frozenset(op.SortTarget)
_ALARM_TYPES = frozenset(op.AlarmType)


def crash_reason(operation: op.Operation, state: State) -> str | None:
    """Why a real server in this state would die of the operation, at once or later; or None.

    - An unknown sort target panics where sort options are not validated (before 3.6).
    - A from-key delete escapes the check for keys written twice; a put of the same txn that keeps the
      value or the lease of a key it has deleted panics while it is being applied, in every version and
      again at each restart, since it is in the log by then. This is judged by what the txn holds anywhere:
      too careful rather than not enough.
    - A RoleGrantPermission without a permission panics, if there is the role, where that is not refused.
    - An Alarm of an unknown action panics where its answer is made. An alarm of an unknown type panics in 3.5, and
      again at each restart; in 3.4 one of type NONE for member 0 does: the backend takes no empty key.
    - A change of the cluster is not the server's death, but the end of what it was.
    - Where a txn has deleted and then put one key, a compaction at its very revision loses the put
      (`Quirks.compaction_keeps_tombstones`).
    """
    match operation:
        case op.Range() | op.Txn():
            return _crashing_request(operation, state.server.quirks)
        case op.As():
            return crash_reason(operation.operation, replace(state, sender=sender_of(operation)))
        case op.Lock(meanwhile=op.Txn() as asked) | op.Campaign(meanwhile=op.Txn() as asked):
            return _crashing_request(asked, state.server.quirks)
        case op.RoleGrantPermission(perm=None) if operation.name in state.auth.roles:
            refused = state.server.quirks.missing_permission_refused
            return None if refused else "a RoleGrantPermission without a permission kills this version"
        case op.Alarm() if operation.action != op.AlarmAction.GET:
            return _crashing_alarm(operation, state.server.quirks)
        case op.MemberAdd() | op.MemberUpdate() | op.MoveLeader() | op.Downgrade():
            return changes_cluster(state, operation)
        case op.Compact() if state.server.quirks.compaction_keeps_tombstones:
            return _crashing_compaction(operation, state)
        case _:
            return None


def _crashing_request(operation: op.Range | op.Txn, quirks: Quirks) -> str | None:
    requests = list(_flat(operation)) if isinstance(operation, op.Txn) else [operation]
    if not quirks.sort_options_validated and any(
        isinstance(request, op.Range) and request.sort_target not in _SORT_TARGETS for request in requests
    ):
        return "an unknown sort_target kills etcd before 3.6"
    deletes = [
        request.key for request in requests if isinstance(request, op.DeleteRange) and request.range_end == FROM_KEY
    ]
    if deletes and any(
        isinstance(request, op.Put) and (request.ignore_value or request.ignore_lease) and request.key >= min(deletes)
        for request in requests
    ):
        return "a from-key delete and a put with ignore_value or ignore_lease in one txn kill etcd for good"
    return None


def _crashing_alarm(operation: op.Alarm, quirks: Quirks) -> str | None:
    if operation.action == op.AlarmAction.DEACTIVATE:
        return None
    if operation.action != op.AlarmAction.ACTIVATE:
        return "an Alarm of an unknown action kills etcd"
    if not quirks.alarm_none_ignored:
        nameless = not operation.alarm and not operation.member_id
        return "an alarm of type NONE for no member kills etcd 3.4 for good" if nameless else None
    if not quirks.alarms_in_layers and operation.alarm not in _ALARM_TYPES:
        return "an alarm of an unknown type kills etcd 3.5 for good"
    return None


def _crashing_compaction(operation: op.Compact, state: State) -> str | None:
    for commit in state.commits:
        if commit.revision == operation.revision:
            deleted: set[bytes] = set()
            for event in commit.events:
                match event:
                    case DeleteEvent(key=key):
                        deleted.add(key)
                    case PutEvent(kv=kv) if kv.key in deleted:
                        return "a compaction at the revision of a txn that deleted a key and put it kills etcd later"
    return None


def _flat(operation: op.Txn) -> Iterator[op.RequestOp]:
    for request in chain(operation.success, operation.failure):
        if isinstance(request, op.Txn):
            yield from _flat(request)
        else:
            yield request
