"""Targets that speak etcd's wire over gRPC: a real etcd, the fake as a server, any endpoint in any language."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import Message

from etcd_lockstep.codec import NoAnswer, decode, encode
from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.servers.calls import explain, wait_until_answers
from etcd_lockstep.target import ALL, Target, TargetDied
from etcd_lockstep.targets.authorization import token_metadata
from etcd_lockstep.targets.client import Client
from etcd_lockstep.targets.footprint import NOTED, Footprint, expect
from etcd_lockstep.targets.transport import CALL_TIMEOUT, Incoming, WatchCall, definite
from etcd_lockstep.targets.waiting import acquire, seconds_to_observe
from etcd_lockstep.targets.watching import Duplex, StreamEnded
from etcd_model.errors import COMPACTED, LEASE_NOT_FOUND, Error
from etcd_model.operations import (
    As,
    AuthStatus,
    Campaign,
    Compact,
    DeleteRange,
    LeaseLeases,
    LeaseRevoke,
    Lock,
    MemberAdd,
    Observe,
    Operation,
    Txn,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    AuthStatusResult,
    CompactResult,
    DeleteRangeResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    Result,
    TxnResult,
)
from fake_etcd.stubs import bind
from fake_etcd.wire.methods import METHOD

_WATCH = "/etcdserverpb.Watch/Watch"
_NOT_EMPTIED = "the store can't be emptied"


class _Methods(dict[str, Callable[..., Any]]):
    """The methods of a channel by their paths, bound as they are needed."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__()
        self._channel = channel

    def __missing__(self, path: str) -> Callable[..., Any]:
        method = self[path] = bind(self._channel, METHOD[path])
        return method


class Wire(Client):
    """Operations over one channel."""

    def __init__(self, channel: grpc.Channel, settle: float = 0.0, access: Access | None = None) -> None:
        """`access`: of a server that knows its clients by certificates and signed tokens."""
        super().__init__(settle)
        self._access = access
        self._channels: dict[str, grpc.Channel] = {}
        """Those of clients with certificates, by their names."""
        self.call_timeout = CALL_TIMEOUT
        """Seconds after which a call counts as not answered."""
        self.footprint = Footprint()
        self._just_added: tuple[int, set[frozenset[str]]] = (0, set())
        """A second of the clock, and the peer URLs of the members that were added in it."""
        self._last_txn: tuple[int, Txn] = (0, Txn())
        """The last that was made, and the revision after it."""
        self._specialities[MemberAdd] = self._add_member
        self._specialities[Txn] = self._txn
        self._methods = self._usual_methods = _Methods(channel)
        self._methods_of: dict[str, _Methods] = {}
        """By the name of the client's certificate."""
        for noted in NOTED:
            self._specialities[noted] = self._noting(self._specialities.get(noted, self.ask))

    def _as(self, operation: As, _token: str) -> Result:
        """By the client whose certificate has the name that is asked for, with the token that claims what it should."""
        if self._access is None or self._access.identities is None:
            return super()._as(operation, _token)
        operation = self._access.identities.signed(operation)
        self._methods = self._methods_for(operation.certificate)
        try:
            return super()._as(operation, _token)
        finally:
            self._methods = self._usual_methods

    def _methods_for(self, certificate: str) -> _Methods:
        if not certificate or self._access is None:
            return self._usual_methods
        if certificate not in self._methods_of:
            channel = self._channels[certificate] = open_channel(self._access, certificate)
            self._methods_of[certificate] = _Methods(channel)
        return self._methods_of[certificate]

    def close(self) -> None:
        """Close the channels of clients with certificates. The usual one is whose it was."""
        for channel in self._channels.values():
            channel.close()

    def _noting(self, answer: Callable[[Any, str], Result]) -> Callable[[Any, str], Result]:
        def note(operation: Operation, token: str) -> Result:
            result: Result | None = None
            try:
                result = answer(operation, token)
            finally:
                self.footprint.note(operation, result)
            return result

        return note

    def _txn(self, operation: Any, token: str) -> Result:
        result = self.ask(operation, token)
        if isinstance(result, TxnResult):
            self._last_txn = (result.revision, operation)
        return result

    def _add_member(self, operation: Any, token: str) -> Result:
        """A member's id is made of its peer URLs and the second in which it is added (etcd
        server/etcdserver/api/membership/member.go, computeMemberID), and there is no second one of an id. So the same
        URLs wait for the next second."""
        urls = frozenset(operation.peer_urls)
        second, before = self._just_added
        if urls in before and int(time.time()) == second:
            time.sleep(max(second + 1 - time.time(), 0))
        result = self.ask(operation, token)
        if not isinstance(result, Error):
            now = int(time.time())
            self._just_added = (now, {urls, *(before if now == second else ())})
        return result

    def exchange(self, path: str, request: Message, token: str) -> Message | Error:
        call = self._methods[path]
        metadata = token_metadata(token)
        try:
            if not METHOD[path].client_streaming:
                answer: Message = call(request, timeout=self.call_timeout, metadata=metadata)
                return answer
            stream = call(iter((request,)), timeout=self.call_timeout, metadata=metadata)
            for answer in stream:
                stream.cancel()
                return answer
        except grpc.RpcError as error:
            return self._refusal(error)
        raise NoAnswer("the server ended the stream without an answer")

    def _refusal(self, error: grpc.RpcError) -> Error:
        refusal = definite(error)
        self.footprint.note_refusal(refusal)
        return refusal

    def acquire(self, operation: Lock | Campaign, token: str) -> Result:
        return acquire(self, operation, token)

    def begin(self, operation: Lock | Campaign, token: str) -> Any:
        """Send a request; the future of its answer."""
        path, request = encode(operation)
        method: Any = self._methods[path]
        return method.future(request, timeout=self.call_timeout, metadata=token_metadata(token))

    def end(self, operation: Lock | Campaign, call: Any, seconds: float) -> Result | None:
        """The answer of a call; None where it doesn't come in so many seconds."""
        try:
            return decode(operation, call.result(timeout=seconds))
        except grpc.FutureTimeoutError:
            return None
        except grpc.RpcError as error:
            return self._refusal(error)

    def receive_first(self, operation: Observe, token: str) -> Message | Error | None:
        path, request = encode(operation)
        seconds = seconds_to_observe(self, operation.name, token, self._last_txn)
        stream = Incoming(self._methods[path](request, metadata=token_metadata(token)))
        try:
            message: Message | None = stream.receive(seconds)
            return message
        except StreamEnded as ended:
            return ended.error
        finally:
            stream.close()

    def receive_all(self, path: str, request: Message, token: str) -> list[Any] | Error:
        try:
            return list(self._methods[path](request, timeout=self.call_timeout, metadata=token_metadata(token)))
        except grpc.RpcError as error:
            return definite(error)

    def open_watch(self, token: str) -> Duplex:
        return WatchCall(self._methods[_WATCH], token_metadata(token))

    def pass_time(self, seconds: int) -> None:
        time.sleep(seconds)


def empty_store(wire: Wire, known: frozenset[str] = ALL, granted: Iterable[int] = ()) -> int:
    """Revoke every lease, delete every key, compact the history. Returns the revision after it.

    The compaction is a physical one: until what it leaves out is gone from the backend as well, it is in the hash
    over a history without keys (etcd server/storage/mvcc/hash.go). It takes no longer.

    `known`: the operations that it knows. `granted`: leases to be revoked where it can't list them. Raises `TargetDied`
    where the store refuses.
    """
    if "lease_leases" in known:
        granted = expect(wire.apply(LeaseLeases()), LeaseLeasesResult, _NOT_EMPTIED).leases
    for lease_id in granted if "lease_revoke" in known else ():
        _allow(wire.apply(LeaseRevoke(lease_id)), LeaseRevokeResult, LEASE_NOT_FOUND)  # which it is once it has expired
    emptied = expect(wire.apply(DeleteRange(b"\x00", FROM_KEY)), DeleteRangeResult, _NOT_EMPTIED)
    if "compact" in known:  # it is refused where nothing was written since the last reset
        _allow(wire.apply(Compact(emptied.revision, physical=True)), CompactResult, COMPACTED)
    return emptied.revision


def _allow(result: Result, kind: type[Result], refusal: Error) -> None:
    """Raise `TargetDied` unless it is of that kind, or that refusal. A proxy may give it another code."""
    if not (isinstance(result, Error) and result.message == refusal.message):
        expect(result, kind, _NOT_EMPTIED)


class WireTarget(Target):
    """A target at an address. Its store is emptied at every reset."""

    capabilities = ALL
    shared_store = True
    real_time = True

    def __init__(self, name: str, server: Access | str, settle: float = 0.0) -> None:
        """`settle`: so many seconds are waited at each reading of a watch stream, for what is yet to come. A server
        that delivers the events of one stream in the order of their revisions, as etcd does, needs none."""
        self.name = name
        self._settle = settle
        self.connect(server)

    def connect(self, server: Access | str) -> None:
        """Talk to this server, or the one at this address, from now on."""
        self._channel = open_channel(server)
        self._wire = Wire(self._channel, self._settle, Access(server) if isinstance(server, str) else server)
        self._auth_revision: int | None = None

    def wait_until_answers(self, seconds: float) -> None:
        """After a fault. Raises `TargetDied` where it doesn't within so many seconds."""
        try:
            wait_until_answers(self._channel, seconds)
        except grpc.RpcError as error:
            raise TargetDied(f"it does not come back: {explain(error)}") from error

    def reset(self) -> int:
        self._wire.close_streams()
        self._undo()
        revision = self.empty()
        self._wire.begin_at(revision)
        return revision

    def empty(self) -> int:
        """Forget every key and every lease. Returns the revision after it."""
        return empty_store(self._wire)

    def _undo(self) -> None:
        """Undo what is beside keys and leases. Raises `TargetDied` where that can't be done."""
        left = self._wire.footprint
        if left.auth:
            self._auth_revision = None
        left.undo(self._wire)
        self._wire.footprint = Footprint()  # where it raises, what is left is still known

    def auth_revision(self) -> int:
        """As `AuthStatus` reports it; 0 where there is none, as in etcd 3.4."""
        if self._auth_revision is None:
            status = self._wire.ask(AuthStatus())
            self._auth_revision = status.auth_revision if isinstance(status, AuthStatusResult) else 0
        return self._auth_revision

    def apply(self, operation: Operation) -> Result:
        return self._wire.apply(operation)

    def close(self) -> None:
        """Whoever comes after may not be locked out: auth is turned off, if it was a sequence that turned it on."""
        self._wire.close_streams()
        with suppress(TargetDied):
            self._undo()
        self._wire.footprint = Footprint()  # it may be closed twice, and can't be asked again
        self._wire.close()
        self._channel.close()
