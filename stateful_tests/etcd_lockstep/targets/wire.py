"""Targets that speak etcd's wire over gRPC: a real etcd, the fake as a server, any endpoint in any language."""

from __future__ import annotations

from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from etcd_lockstep.codec import decode, encode
from etcd_lockstep.servers import open_channel
from etcd_lockstep.target import Target, TargetDied
from etcd_model.errors import COMPACTED, Code, Error
from etcd_model.operations import Compact, DeleteRange, LeaseLeases, LeaseRevoke, Operation
from etcd_model.ranges import FROM_KEY
from etcd_model.results import CompactResult, DeleteRangeResult, LeaseLeasesResult, LeaseRevokeResult, Result
from fake_etcd.wire.methods import METHOD

CALL_TIMEOUT = 10.0
"""Seconds after which a target has stopped answering. An idle etcd answers in milliseconds."""

_INDEFINITE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
"""What the transport says when nobody knows whether the request was carried out."""


class Wire:
    """Operations over one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._calls = {
            method.path: (channel.stream_stream if method.client_streaming else channel.unary_unary)(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
            for method in METHOD.values()
            if method.client_streaming or not method.server_streaming
        }

    def apply(self, operation: Operation) -> Result:
        """Raises `TargetDied` where the answer is unknown."""
        path, request = encode(operation)
        try:
            answer = self._call(path, request)
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call):
                raise
            if error.code() in _INDEFINITE:
                raise TargetDied(f"{error.code().name}: {error.details()}") from error
            return Error(Code(error.code().value[0]), error.details() or "")
        return decode(operation, answer)

    def _call(self, path: str, request: Message) -> Message:
        call: Any = self._calls[path]
        if not METHOD[path].client_streaming:
            answer: Message = call(request, timeout=CALL_TIMEOUT)
            return answer
        stream = call(iter((request,)), timeout=CALL_TIMEOUT)
        for answer in stream:
            stream.cancel()
            return answer
        raise TargetDied(f"the stream of {path} ended without an answer")


def empty_store(wire: Wire) -> int:
    """Revoke every lease, delete every key, compact the history. Returns the revision after it.

    Raises `TargetDied` where the store refuses.
    """
    leases = _expect(wire.apply(LeaseLeases()), LeaseLeasesResult)
    for lease_id in leases.leases:
        _expect(wire.apply(LeaseRevoke(lease_id)), LeaseRevokeResult)
    emptied = _expect(wire.apply(DeleteRange(b"\x00", FROM_KEY)), DeleteRangeResult)
    compacted = wire.apply(Compact(emptied.revision))
    if compacted != COMPACTED:  # which it is where nothing was written since the last reset
        _expect(compacted, CompactResult)
    return emptied.revision


R = TypeVar("R")


def _expect(result: Result, kind: type[R]) -> R:
    if not isinstance(result, kind):
        raise TargetDied(f"the store can't be emptied: {result}")
    return result


class WireTarget(Target):
    """A target at an address. Its store is emptied at every reset."""

    shared_store = True

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.connect(address)

    def connect(self, address: str) -> None:
        """Talk to this address from now on."""
        self._channel = open_channel(address)
        self._wire = Wire(self._channel)

    def reset(self) -> int:
        return empty_store(self._wire)

    def apply(self, operation: Operation) -> Result:
        return self._wire.apply(operation)

    def close(self) -> None:
        self._channel.close()
