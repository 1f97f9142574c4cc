"""A real etcd as the store of a simulation: leases live by the run's clock on it, too.

A lease is granted for a day more than was asked for, and revoked when its time on the run's clock is over. Its keys go
in one revision then, as they do when it expires. What etcd says of TTLs is put right before the client sees it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.simulation.backends import WATCH, Answered, Pending, Stream
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.authorization import token_metadata
from etcd_lockstep.targets.transport import CALL_TIMEOUT, WatchCall
from etcd_lockstep.targets.wire import Wire, empty_store
from etcd_model.errors import Error
from etcd_model.lease import MAX_TTL
from fake_etcd import VirtualClock
from fake_etcd.calls import InProcessRpcError
from fake_etcd.stubs import bind
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHOD

_EXTRA_SECONDS = 86_400
_LEASE = "/etcdserverpb.Lease/Lease"
_COMPACT = "/etcdserverpb.KV/Compact"
_WAITS = ("/v3lockpb.Lock/Lock", "/v3electionpb.Election/Campaign")
_WAIT_SECONDS = 0.1
"""For which a call that waits is given, after each write, to be answered."""
_PROGRESS_SECONDS = 0.05
"""After which progress is asked for again: etcd does not answer while a watcher is behind."""
_LATE_SECONDS = 0.02
"""For which events are given to arrive that progress overtook, as it does before etcd 3.4.25 and 3.5.8 (#15220)."""
_CATCHING_UP_SECONDS = 0.5
"""The same for a watcher from the past (etcd: server/mvcc/watchable_store.go syncWatchersLoop, every 0.1 s)."""
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(slots=True)
class _Lease:
    ttl: int
    expiry: float


class RealBackend:
    """An etcd at an address, emptied. Raises `TargetDied` where it does not answer."""

    def __init__(self, clock: VirtualClock, access: Access) -> None:
        self._clock = clock
        self._channel = open_channel(access)
        self._wire = Wire(self._channel)
        self.revision = empty_store(self._wire)
        """The latest that any answer had."""
        self.compacted = 0
        """The revision of the run's last compaction."""
        self._min_ttl = self._ask_min_ttl()
        self._leases: dict[int, _Lease] = {}

    def _ask_min_ttl(self) -> int:
        granted: Any = self._exchange(f"{_LEASE}Grant", pb.LeaseGrantRequest(TTL=1), "")
        self._exchange(f"{_LEASE}Revoke", pb.LeaseRevokeRequest(ID=granted.ID), "")
        ttl: int = granted.TTL
        return ttl

    def send(self, path: str, request: Message, token: str) -> Pending:
        if path in _WAITS:
            return _Waiting(self, bind(self._channel, METHOD[path]), request, token)
        try:
            return Answered(self._answer(path, request, token))
        except InProcessRpcError as error:
            return Answered(None, error)

    def _answer(self, path: str, request: Any, token: str) -> Any:
        now = self._clock()
        asked = request.TTL if path == f"{_LEASE}Grant" else 0
        if path == f"{_LEASE}Grant" and asked + _EXTRA_SECONDS <= MAX_TTL:
            request = pb.LeaseGrantRequest(ID=request.ID, TTL=asked + _EXTRA_SECONDS)
        answer: Any = self._exchange(path, request, token)
        if path == f"{_LEASE}Grant":
            answer.TTL = max(asked, self._min_ttl)
            self._leases[answer.ID] = _Lease(answer.TTL, now + answer.TTL)
        elif path == _COMPACT:
            self.compacted = max(self.compacted, request.revision)
        elif path == f"{_LEASE}Revoke":
            self._leases.pop(request.ID, None)
        elif path == f"{_LEASE}KeepAlive" and (lease := self._leases.get(request.ID)) is not None:
            answer.TTL, lease.expiry = lease.ttl, now + lease.ttl
        elif path == f"{_LEASE}TimeToLive" and (lease := self._leases.get(request.ID)) is not None:
            answer.TTL, answer.grantedTTL = math.ceil(lease.expiry - now) - 1, lease.ttl
        return answer

    def _exchange(self, path: str, request: Message, token: str) -> Message:
        answer: Message | Error = self._wire.exchange(path, request, token)
        if isinstance(answer, Error):
            raise InProcessRpcError(_STATUS[answer.code.value], answer.message)
        self.see(answer)
        return answer

    def see(self, answer: Any) -> None:
        """Learn the revision."""
        self.revision = max(self.revision, answer.header.revision)

    def watch(self, token: str) -> Stream:
        return _RealStream(self, WatchCall(bind(self._channel, METHOD[WATCH]), token_metadata(token)))

    def next_expiry(self) -> float | None:
        return min((lease.expiry for lease in self._leases.values()), default=None)

    def pass_time(self, seconds: float) -> list[int]:
        self._clock.advance(seconds)
        due = sorted((lease.expiry, id) for id, lease in self._leases.items() if lease.expiry <= self._clock())
        for _, id in due:
            del self._leases[id]
            self._exchange(f"{_LEASE}Revoke", pb.LeaseRevokeRequest(ID=id), "")
        return [id for _, id in due]

    def close(self) -> None:
        self._channel.close()


class _Waiting:
    """A call that may wait, such as Lock."""

    def __init__(self, backend: RealBackend, method: Any, request: Message, token: str) -> None:
        self._backend = backend
        self._future = method.future(request, metadata=token_metadata(token))
        self._looked_at = -1

    def poll(self) -> bool:
        """Nothing but a write can let it go on."""
        if not self._future.done() and self._looked_at != self._backend.revision:
            self._looked_at = self._backend.revision
            time.sleep(_WAIT_SECONDS)
        return bool(self._future.done())

    def answer(self) -> Message:
        try:
            answer: Message = self._future.result()
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call):
                raise
            raise InProcessRpcError(error.code(), error.details() or "") from None
        self._backend.see(answer)
        return answer

    def cancel(self) -> None:
        self._future.cancel()


class _RealStream:
    """A stream of watchers, which is asked for progress after each write: what it was sent is all there is then."""

    def __init__(self, backend: RealBackend, call: WatchCall) -> None:
        self._backend = backend
        self._call = call
        self._arrived: deque[Any] = deque()
        self._starts: dict[int, int] = {}
        """Of the watchers that etcd has and has not given up, from which revision on they watch. Without one, etcd
        reports no progress; nor does it, from 3.5.22 and 3.6.2 on, before each has begun (#20281)."""
        self._next_start = 0
        self._compacted: set[int] = set()
        """Those that it gave up and the client has not cancelled: with one, it reports no progress from 3.5.8 on (etcd:
        server/storage/mvcc/watchable_store.go progressIfSync, which finds it in no group)."""
        self._settled_at = -1
        self._late_seconds = _LATE_SECONDS

    def send(self, request: Any) -> None:
        self._call.send(request)
        match request.WhichOneof("request_union"):
            case "create_request":
                start = self._next_start = request.create_request.start_revision
                self._receive_until(lambda response: response.created)
                if 0 < start < self._backend.compacted:
                    self._receive_until(lambda response: response.canceled)
                elif 0 < start <= self._backend.revision:
                    self._late_seconds = _CATCHING_UP_SECONDS
            case "cancel_request" if request.cancel_request.watch_id in self._compacted.union(self._starts):
                id = request.cancel_request.watch_id
                self._receive_until(lambda response: response.canceled and response.watch_id == id)
        self._settled_at = -1

    def poll(self) -> bool:
        has_begun = any(start <= self._backend.revision for start in self._starts.values())
        if not self._arrived and has_begun and self._settled_at != self._backend.revision:
            self._settle()
        return bool(self._arrived)

    def _settle(self) -> None:
        target = self._backend.revision
        if self._compacted or max(self._starts.values()) > target:
            self._late_seconds = _CATCHING_UP_SECONDS
        else:
            self._await_progress(target)
        while (late := self._call.receive(self._late_seconds)) is not None:
            self._take(late)
        self._late_seconds = _LATE_SECONDS
        self._settled_at = target

    def _await_progress(self, revision: int) -> None:
        deadline = time.monotonic() + CALL_TIMEOUT
        progress = pb.WatchRequest(progress_request=pb.WatchProgressRequest())
        self._call.send(progress)
        while True:
            response = self._call.receive(_PROGRESS_SECONDS)
            if response is None:
                if time.monotonic() > deadline:
                    raise TargetDied(f"a watch has no progress after {CALL_TIMEOUT:g} s")
                self._call.send(progress)
            elif _is_progress(response) and response.header.revision >= revision:
                return
            else:
                self._take(response)

    def _take(self, response: Any) -> None:
        """What the client is to be sent."""
        if _is_progress(response):
            return
        id = response.watch_id
        if response.canceled:
            self._starts.pop(id, None)
            (self._compacted.add if response.compact_revision else self._compacted.discard)(id)
        elif response.created:
            self._starts[id] = self._next_start
        self._arrived.append(response)

    def _receive_until(self, is_last: Any) -> None:
        while True:
            response = self._call.receive(CALL_TIMEOUT)
            if response is None:
                raise TargetDied(f"a watch is not answered for {CALL_TIMEOUT:g} s")
            self._take(response)
            if is_last(response):
                return

    def receive(self) -> Any:
        return self._arrived.popleft()

    def close(self) -> None:
        self._call.close()


def _is_progress(response: Any) -> bool:
    """Whether it was asked for: it is of no watcher."""
    return bool(response.watch_id == -1 and not response.created)
