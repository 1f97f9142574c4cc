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
from etcd_lockstep.targets.transport import CALL_TIMEOUT, WatchCall, token_metadata
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
_WAITS = ("/v3lockpb.Lock/Lock", "/v3electionpb.Election/Campaign")
_WAIT_SECONDS = 0.1
"""For which a call that waits is given, after each write, to be answered."""
_PROGRESS_SECONDS = 0.05
"""After which progress is asked for again: etcd does not answer while a watcher is behind."""
_LATE_SECONDS = 0.02
"""For which events are given to arrive that progress overtook, as it does before etcd 3.4.25 and 3.5.8 (#15220)."""
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
        self._watchers = 0
        self._settled_at = -1

    def send(self, request: Any) -> None:
        self._call.send(request)
        if request.WhichOneof("request_union") == "create_request":
            self._receive_until(lambda response: response.created)
            self._watchers += 1
        self._settled_at = -1

    def poll(self) -> bool:
        if not self._arrived and self._watchers and self._settled_at != self._backend.revision:
            self._settle()
        return bool(self._arrived)

    def _settle(self) -> None:
        target = self._backend.revision
        deadline = time.monotonic() + CALL_TIMEOUT
        progress = pb.WatchRequest(progress_request=pb.WatchProgressRequest())
        self._call.send(progress)
        while True:
            response = self._call.receive(_PROGRESS_SECONDS)
            if response is None:
                if time.monotonic() > deadline:
                    raise TargetDied(f"a watch has no progress after {CALL_TIMEOUT:g} s")
                self._call.send(progress)
            elif response.watch_id == -1 and not response.created and response.header.revision >= target:
                break
            elif response.watch_id != -1 or response.created:
                self._arrived.append(response)
        while (late := self._call.receive(_LATE_SECONDS)) is not None:
            if late.watch_id != -1 or late.created:
                self._arrived.append(late)
        self._settled_at = target

    def _receive_until(self, is_last: Any) -> None:
        while True:
            response = self._call.receive(CALL_TIMEOUT)
            if response is None:
                raise TargetDied(f"a watch is not answered for {CALL_TIMEOUT:g} s")
            self._arrived.append(response)
            if is_last(response):
                return

    def receive(self) -> Any:
        return self._arrived.popleft()

    def close(self) -> None:
        self._call.close()
