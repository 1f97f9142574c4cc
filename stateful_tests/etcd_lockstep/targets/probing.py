"""Which of etcd's methods a server implements, found out by calling each: what is sent may change what it holds."""

from __future__ import annotations

import grpc
from google.protobuf.message import Message

from etcd_lockstep.codec import path_of
from etcd_lockstep.names import OPERATION_NAMED
from etcd_lockstep.servers.calls import means_unimplemented
from etcd_lockstep.targets.transport import definite
from fake_etcd.stubs import bind
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

_WATCH = "/etcdserverpb.Watch/Watch"
_AUTHENTICATE, _LEASE_GRANT = "authenticate", "lease_grant"
_OBSERVE, _LEADER = "observe", "leader"

_SECONDS = 1.0
"""How long one call may take. One that takes longer is implemented, whatever else is wrong with it."""


_REQUESTS: dict[str, Message] = {
    "/etcdserverpb.KV/Compact": messages.CompactionRequest(revision=-1),
    _WATCH: messages.WatchRequest(create_request=messages.WatchCreateRequest(key=b"probe")),
    "/v3electionpb.Election/Campaign": messages.CampaignRequest(name=b"probe"),
}
"""Where an empty request would do harm, or be waited for. A fresh etcd compacts at revision 0, remembers the hash made
then, and returns it from then on for the current revision, which HashKV calls 0 too (etcd server/storage/mvcc/hash.go,
HashByRev). An empty request to watch is not answered, and one who campaigns where a lock is taken waits for it."""


def _calls() -> dict[str, frozenset[str]]:
    """The operations that each method is called for, by its path."""
    calls: dict[str, set[str]] = {}
    for name, operation in OPERATION_NAMED.items():
        path = _WATCH if name.startswith("watch_") else path_of(operation)
        if path is not None and name != _OBSERVE:
            calls.setdefault(path, set()).add(name)
    return {path: frozenset(names) for path, names in calls.items()}


CALLS = _calls()


def with_those_that_follow(names: set[str]) -> frozenset[str]:
    """The operations that a server can be asked which implements these.

    A token needs somebody who gives it, and without a lease nothing happens by itself. `Observe` may be silent for
    ever, so it is not called, and another method of its service speaks for it. Hashes are those of histories that are
    compacted at each reset.
    """
    follow = {_AUTHENTICATE: "as", _LEASE_GRANT: "advance", _LEADER: _OBSERVE}
    known = names | {follow[name] for name in names & follow.keys()}
    return frozenset(known if "compact" in known else known - {"hash_kv"})


def is_reachable(channel: grpc.Channel, seconds: float) -> bool:
    """Whether something that speaks gRPC without TLS answers within so many seconds."""
    try:
        grpc.channel_ready_future(channel).result(timeout=seconds)
    except grpc.FutureTimeoutError:
        return False
    return True


def implements(channel: grpc.Channel, path: str) -> bool:
    """Call a method with a request that changes little, and say whether the answer is anything but UNIMPLEMENTED.

    Raises `TargetDied` where it does not answer.
    """
    method = METHOD[path]
    call, request = bind(channel, method), _REQUESTS.get(path) or method.request()
    try:
        if not method.client_streaming and not method.server_streaming:
            call(request, timeout=_SECONDS)
            return True
        stream = call(iter((request,)) if method.client_streaming else request, timeout=_SECONDS)
        next(iter(stream), None)
        stream.cancel()
    except grpc.RpcError as error:
        refusal = definite(error)
        return not means_unimplemented(refusal.code, refusal.message)
    return True
