"""How long requests are, as protobuf encodes them, and which are too long.

Two limits: that of a gRPC message, for every request, and that of a raft entry, for writes. The raft entry holds the
request and a header whose length is not known to the byte, so that near its limit the model can't know: `near_limit`.

Keys and values are what makes a request long: those that have but little of them are not measured at all.
"""

from __future__ import annotations

from typing import Any

from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.exhaustive import assert_never

MAX_REQUEST_BYTES = 1_572_864
"""Of a raft entry (etcd's --max-request-bytes)."""

MAX_MESSAGE_BYTES = MAX_REQUEST_BYTES + 512 * 1024
"""Of a message that the server takes (etcd server/etcdserver/api/v3rpc/grpc.go, grpcOverheadBytes)."""

ENTRY_OVERHEAD = 17
"""What a raft entry adds to a request: tags, lengths, and a request's id (etcd api/etcdserverpb/raft_internal.proto,
InternalRaftRequest)."""

MARGIN = 64
"""Bytes from the limit of a raft entry within which nothing is promised."""

LARGER_THAN_MAX = "grpc: received message larger than max"
"""How gRPC for Go begins its refusal of a message that is too long (rpc_util.go, recvMsg)."""

_LONG = 1_000_000
"""Bytes of keys and values from which on a request is measured."""


def check_message(operation: Any) -> Error | None:
    """gRPC's own refusal, before etcd sees anything of the request."""
    if _payload(operation) < _LONG:
        return None
    size = size_of(operation)
    if size <= MAX_MESSAGE_BYTES:
        return None
    return Error(Code.RESOURCE_EXHAUSTED, f"{LARGER_THAN_MAX} ({size} vs. {MAX_MESSAGE_BYTES})")


def exceeds_raft_entry(operation: Any) -> bool:
    """Whether a write is too large (etcd server/etcdserver/v3_server.go, processInternalRaftRequestOnce)."""
    return _payload(operation) >= _LONG and size_of(operation) + ENTRY_OVERHEAD > MAX_REQUEST_BYTES


def near_limit(operation: op.Operation) -> bool:
    """Whether a write is so close to the limit of a raft entry that which side of it it is on is not for the model to
    say. The length of a message is known to the byte."""
    if isinstance(operation, op.As):
        return near_limit(operation.operation)
    if _payload(operation) < _LONG:
        return False
    # What the recipes write is longer than their request: the key is named three times.
    longer = 256 + 4 * _payload(operation, values=False) if isinstance(operation, op.Campaign | op.Proclaim) else 0
    return -MARGIN <= MAX_REQUEST_BYTES - size_of(operation) - ENTRY_OVERHEAD <= MARGIN + longer


def _payload(operation: Any, *, values: bool = True) -> int:
    """The bytes of keys and values in a request; none in one that has none worth counting."""
    match operation:
        case op.Put():
            return len(operation.key) + (len(operation.value) if values else 0)
        case op.Range() | op.DeleteRange():
            return len(operation.key) + len(operation.range_end)
        case op.Txn():
            requests = (*operation.success, *operation.failure)
            total = sum([_payload(request) for request in requests])
            for compare in operation.compare:
                total += len(compare.key) + len(compare.range_end)
                if isinstance(compare.operand, bytes):
                    total += len(compare.operand)
            return total
        case op.Lock():
            return len(operation.name)
        case op.Unlock():
            return len(operation.key)
        case op.Campaign():
            return len(operation.name) + (len(operation.value) if values else 0)
        case op.Proclaim():
            leader = operation.leader
            named = len(leader.name) + len(leader.key) if leader else 0
            return named + (len(operation.value) if values else 0)
        case _:
            return 0


def size_of(operation: Any) -> int:
    """The length of a request's message."""
    match operation:
        case op.Put():
            flags = operation.prev_kv + operation.ignore_value + operation.ignore_lease
            return _bytes(operation.key) + _bytes(operation.value) + _int(operation.lease) + 2 * flags
        case op.DeleteRange():
            return _bytes(operation.key) + _bytes(operation.range_end) + 2 * operation.prev_kv
        case op.Range():
            numbers = (
                operation.limit,
                operation.revision,
                operation.sort_order,
                operation.sort_target,
                operation.min_mod_revision,
                operation.max_mod_revision,
                operation.min_create_revision,
                operation.max_create_revision,
            )
            flags = operation.serializable + operation.keys_only + operation.count_only
            return _bytes(operation.key) + _bytes(operation.range_end) + sum(map(_int, numbers)) + 2 * flags
        case op.Txn():
            requests = (*operation.success, *operation.failure)
            compares = sum(_message(_size_of_compare(compare)) for compare in operation.compare)
            return compares + sum(_message(_size_of_request_op(request)) for request in requests)
        case op.Lock():
            return _bytes(operation.name) + _int(operation.lease)
        case op.Unlock():
            return _bytes(operation.key)
        case op.Campaign():
            return _bytes(operation.name) + _int(operation.lease) + _bytes(operation.value)
        case op.Proclaim():
            leader = operation.leader
            if leader is None:
                return _bytes(operation.value)
            named = _bytes(leader.name) + _bytes(leader.key) + _int(leader.rev) + _int(leader.lease)
            return _message(named) + _bytes(operation.value)
        case _:
            return 0


def _size_of_request_op(request: op.RequestOp) -> int:
    """A message with one field, which is the request."""
    match request:
        case op.Range() | op.Put() | op.DeleteRange() | op.Txn():
            return _message(size_of(request))
        case _:
            assert_never(request)


def _size_of_compare(compare: op.Compare) -> int:
    """The operand is one of several fields, and there even if it is zero or empty; the tag of `range_end` is longer."""
    operand = _message(len(compare.operand)) if isinstance(compare.operand, bytes) else 1 + _varint(compare.operand)
    range_end = _bytes(compare.range_end) + 1 if compare.range_end else 0
    return _int(compare.result) + _int(compare.target) + _bytes(compare.key) + operand + range_end


def _message(size: int) -> int:
    """A tag, the length, and what is so long."""
    return 1 + _varint(size) + size


def _bytes(value: bytes) -> int:
    return _message(len(value)) if value else 0


def _int(value: int) -> int:
    return 1 + _varint(value) if value else 0


def _varint(value: int) -> int:
    """Seven bits a byte; a negative number has all 64 bits."""
    return 10 if value < 0 else max(1, (value.bit_length() + 6) // 7)
