"""The Lock and Election services: etcd's own client recipes, run by the server (etcd client/v3/concurrency).

They are made of requests to the server itself, which are checked as any others are, with the caller's token; what
refuses one of them refuses the call, with its text, and without its code.

The keys of a lock or an election are `<name>/<lease id in hex>`. Whose was created first owns the lock or leads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_model import kv, lease
from etcd_model import operations as op
from etcd_model.auth.sender import NOBODY
from etcd_model.errors import MISSING_LEADER_KEY, NO_LEADER, NOT_LEADER, SESSION_EXPIRED, STREAM_ENDED, Code, Error
from etcd_model.exhaustive import assert_never
from etcd_model.results import (
    CampaignResult,
    ElectionResult,
    LeaderResult,
    LeaseGrantResult,
    LockResult,
    Result,
    TxnResult,
    UnlockResult,
    Waiting,
)
from etcd_model.state import PutEvent, State
from etcd_model.txn import txn

SESSION_TTL = 60
"""Seconds: that of the lease of a session that was given none (etcd client/v3/concurrency/session.go)."""


Ask = Callable[[State, op.Operation], tuple[State, Result]]


def step(state: State, operation: op.LockOperation, ask: Ask) -> tuple[State, Result]:
    """One call. Some of what it is made of may be done when another part is refused. `ask` carries out what another
    client asks while the call waits."""
    state, result = _call(state, operation, ask)
    if isinstance(result, Error) and result != STREAM_ENDED:
        result = Error(Code.UNKNOWN, result.message)
    return state, result


def _call(state: State, operation: op.LockOperation, ask: Ask) -> tuple[State, Result]:
    match operation:
        case op.Lock():
            return _lock(state, operation, ask)
        case op.Unlock():
            return _unlock(state, operation)
        case op.Campaign():
            return _campaign(state, operation, ask)
        case op.Proclaim():
            return _proclaim(state, operation)
        case op.Leader():
            return _leader(state, operation.name)
        case op.Observe():
            return _observe(state, operation.name)
        case op.Resign():
            return _resign(state, operation)
        case _:
            assert_never(operation)


def key_of(name: bytes, lease_id: int) -> bytes:
    """The key of one who locks or campaigns (Go's %x of a negative number has a minus)."""
    return _prefix(name) + f"{lease_id:x}".encode()


def _prefix(name: bytes) -> bytes:
    return name + b"/"


def _end(name: bytes) -> bytes:
    """The end of the range of keys that begin with the prefix."""
    return name + b"0"


def _first_created(name: bytes) -> op.Range:
    return op.Range(
        _prefix(name), _end(name), limit=1, sort_order=op.SortOrder.ASCEND, sort_target=op.SortTarget.CREATE
    )


def _created_at(key: bytes, revision: int) -> tuple[op.Compare, ...]:
    return (op.Compare(key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, revision),)


def _session(state: State, lease_id: int) -> tuple[State, int | Error]:
    """The lease given, be there one of that id or not; for 0 a new one (session.go, NewSession)."""
    if lease_id:
        return state, lease_id
    state, granted = lease.grant(state, op.LeaseGrant(SESSION_TTL))
    return state, granted.id if isinstance(granted, LeaseGrantResult) else granted


def _enter(state: State, key: bytes, request: op.Txn) -> tuple[State, tuple[TxnResult, int] | Error]:
    """Write the key unless it is there. With the answer, the revision at which it was created."""
    state, answer = txn(state, request)
    if isinstance(answer, Error):
        return state, answer
    return state, (answer, state.keys[key].create_revision)


def _is_first(state: State, name: bytes, created: int) -> bool:
    """Whether no key of that name was created before. Keys of one revision are first together."""
    prefix = _prefix(name)
    return not any(key.startswith(prefix) and kv.create_revision < created for key, kv in state.keys.items())


def _refused_to_wait(state: State, name: bytes) -> Error | None:
    """What refuses the read that looks for keys created before (key.go, waitDeletes). Whoever may write a key need not
    be allowed that: it is about all keys of the name, and about the present revision of the auth store."""
    _, answer = kv.range_(state, _first_created(name))
    return answer if isinstance(answer, Error) else None


def _meanwhile(state: State, operation: op.Lock | op.Campaign, ask: Ask) -> State:
    """The state after what another client has asked."""
    if operation.meanwhile is None:
        return state
    assert isinstance(operation.meanwhile, op.MEANWHILE)
    state, _ = ask(state, operation.meanwhile)
    return state


def _lock(state: State, operation: op.Lock, ask: Ask) -> tuple[State, LockResult | Waiting | Error]:
    """Who comes again with the lease that has the lock has it (mutex.go, Lock). Who waits is in the store all the
    while: there is a revision with the key, and one without it. Whose wait ends has the lock if its key is still there,
    and its answer has the revision at which that is looked at."""
    state, lease_id = _session(state, operation.lease)
    if isinstance(lease_id, Error):
        return state, lease_id
    key, owner = key_of(operation.name, lease_id), _first_created(operation.name)
    request = op.Txn(_created_at(key, 0), (op.Put(key, lease=lease_id), owner), (op.Range(key), owner))
    state, entered = _enter(state, key, request)
    if isinstance(entered, Error):
        return state, entered
    answer, created = entered
    if _is_first(state, operation.name, created):
        return state, LockResult(answer.revision, key)
    if refused := _refused_to_wait(state, operation.name):
        return _left_queue(state, key), refused
    state = _meanwhile(state, operation, ask)
    if _is_first(state, operation.name, created):
        if state.server.quirks.lock_looks_for_its_key and key not in state.keys:
            return state, SESSION_EXPIRED
        return state, LockResult(state.revision, key)
    return _left_queue(state, key), Waiting()


def _left_queue(state: State, key: bytes) -> State:
    state, _ = kv.delete_range(_without_token(state), op.DeleteRange(key))
    return state


def _unlock(state: State, operation: op.Unlock) -> tuple[State, UnlockResult | Error]:
    state, deleted = kv.delete_range(state, op.DeleteRange(operation.key))
    return state, deleted if isinstance(deleted, Error) else UnlockResult(deleted.revision)


def _campaign(state: State, operation: op.Campaign, ask: Ask) -> tuple[State, CampaignResult | Waiting | Error]:
    """Who comes again with another value writes that, and gets the revision before (election.go, Campaign). Whose wait
    ends gets the revision at which it began, and leads without a key if that is gone."""
    state, lease_id = _session(state, operation.lease)
    if isinstance(lease_id, Error):
        return state, lease_id
    key = key_of(operation.name, lease_id)
    request = op.Txn(_created_at(key, 0), (op.Put(key, operation.value, lease=lease_id),), (op.Range(key),))
    state, entered = _enter(state, key, request)
    if isinstance(entered, Error):
        return state, entered
    answer, created = entered
    if not answer.succeeded and state.keys[key].value != operation.value:
        again = op.Txn(_created_at(key, created), (op.Put(key, operation.value, lease=lease_id),))
        state, proclaimed = txn(state, again)
        if isinstance(proclaimed, Error):
            state, _ = txn(state, op.Txn(_created_at(key, created), (op.DeleteRange(key),)))
            return state, proclaimed
    if refused := _refused_to_wait(state, operation.name):
        return state, refused  # and the key stays
    won = CampaignResult(answer.revision, op.LeaderKey(operation.name, key, created, lease_id))
    if _is_first(state, operation.name, created):
        return state, won
    state = _meanwhile(state, operation, ask)
    if _is_first(state, operation.name, created):
        return state, won
    state, _ = txn(_without_token(state), op.Txn(_created_at(key, created), (op.DeleteRange(key),)))
    return state, Waiting()


def _without_token(state: State) -> State:
    """Who gives up waiting cleans up after itself, but not in the caller's name: under auth the key stays, until
    its lease ends. Such a call is `nondeterminism`."""
    return replace(state, sender=NOBODY) if state.sender.has_token else state


def _proclaim(state: State, operation: op.Proclaim) -> tuple[State, ElectionResult | Error]:
    """The key gets the lease named, which may be another than before (v3election/election.go, Proclaim)."""
    leader = operation.leader
    if leader is None:
        return state, MISSING_LEADER_KEY
    state, lease_id = _session(state, leader.lease)
    if isinstance(lease_id, Error):
        return state, lease_id
    request = op.Txn(_created_at(leader.key, leader.rev), (op.Put(leader.key, operation.value, lease=lease_id),))
    state, answer = txn(state, request)
    if isinstance(answer, Error):
        return state, answer
    return state, ElectionResult(answer.revision) if answer.succeeded else NOT_LEADER


def _resign(state: State, operation: op.Resign) -> tuple[State, ElectionResult | Error]:
    """Who leads no more resigns all the same (v3election/election.go, Resign)."""
    leader = operation.leader
    if leader is None:
        return state, MISSING_LEADER_KEY
    state, lease_id = _session(state, leader.lease)
    if isinstance(lease_id, Error):
        return state, lease_id
    state, answer = txn(state, op.Txn(_created_at(leader.key, leader.rev), (op.DeleteRange(leader.key),)))
    return state, answer if isinstance(answer, Error) else ElectionResult(answer.revision)


def _leader(state: State, name: bytes) -> tuple[State, LeaderResult | Error]:
    state, answer = kv.range_(state, _first_created(name))
    if isinstance(answer, Error):
        return state, answer
    return state, LeaderResult(answer.revision, answer.kvs[0]) if answer.kvs else NO_LEADER


def _observe(state: State, name: bytes) -> tuple[State, LeaderResult | Error]:
    """The leader; or where there is none whoever was put in the current revision, to be gone in it again. What
    refuses the read ends the stream without an error (election.go, observe)."""
    state, answer = kv.range_(state, _first_created(name))
    if isinstance(answer, Error):
        return state, STREAM_ENDED
    if answer.kvs:
        return state, LeaderResult(answer.revision, answer.kvs[0])
    prefix = _prefix(name)
    for event in state.commits[-1].events:
        if isinstance(event, PutEvent) and event.kv.key.startswith(prefix):
            return state, LeaderResult(state.revision, event.kv)
    return state, LeaderResult(0)


def left_behind(state: State, operation: op.Lock | op.Campaign, ask: Ask) -> str | None:
    """Why a call leaves behind what nobody can name, or know to be there, if it does. Where its wait is cancelled, what
    cleans up has no token; where a candidate is refused in the midst, nothing does (mutex.go, Lock; election.go,
    Campaign)."""
    if not state.guarded:
        return None
    after, result = step(state, operation, ask)
    if isinstance(result, Waiting) and state.auth.enabled:
        return "under auth, who gives up waiting leaves its key behind"
    if isinstance(result, Error) and not operation.lease and len(after.keys) > len(state.keys):
        return "a candidate that is refused leaves a key, and no answer has the id of its lease"
    return None
