"""Request messages to operations: the inverse of `encode`, and held to it.

An operation is read field by field, and encoded again: what doesn't give the same message is none that an operation
can express, such as one with a field of a newer etcd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from google.protobuf.message import Message

from etcd_lockstep.codec.calls import encode, path_of
from etcd_lockstep.codec.watch import encode_watch
from etcd_model import operations as op
from fake_etcd.wire import messages as wire

_OPERATION = {path_of(kind): kind for kind in op.OPERATIONS if path_of(kind) is not None}
_NAMES = {
    "ttl": "TTL",
    "id": "ID",
    "member_id": "memberID",
    "target_id": "targetID",
    "peer_urls": "peerURLs",
    "is_learner": "isLearner",
    "perm_type": "permType",
    "hashed_password": "hashedPassword",
}
"""Fields that the messages call otherwise."""
_REQUEST_OPS: dict[str | None, type[Any]] = {
    "request_range": op.Range,
    "request_put": op.Put,
    "request_delete_range": op.DeleteRange,
    "request_txn": op.Txn,
}


class Inexpressible(ValueError):
    """A request that no operation stands for, and why."""


def decode_request(path: str, request: Any, member_id: int = 0) -> op.Operation:
    """The operation of a call. `member_id` is that of the server's own member. Raises `Inexpressible`."""
    kind = _OPERATION.get(path)
    if kind is None:
        raise Inexpressible("no operation of a trace stands for this method")
    operation: op.Operation = _read(kind, request)
    for name in ("member_id", "target_id", "id"):
        if member_id and getattr(operation, name, None) == member_id:
            operation = _read(kind, request, {name: op.MEMBER_ID})
    _check(request, lambda: encode(operation, member_id)[1])
    return operation


def decode_watch_request(request: wire.WatchRequest, stream: int) -> op.Operation:
    """The operation of a message on a stream of watchers. Raises `Inexpressible`."""
    operation: op.WatchCreate | op.WatchCancel | op.WatchProgress
    match request.WhichOneof("request_union"):
        case "create_request":
            operation = _read(op.WatchCreate, request.create_request, {"stream": stream})
        case "cancel_request":
            operation = op.WatchCancel(request.cancel_request.watch_id, stream)
        case "progress_request":
            operation = op.WatchProgress(stream)
        case _:
            raise Inexpressible("the message on the stream of watchers asks for nothing")
    _check(request, lambda: encode_watch(operation))
    return operation


def _check(request: Message, encoded: Callable[[], Message]) -> None:
    try:
        same = encoded() == request
    except ValueError:  # a compare of no known target
        same = False
    if not same:
        raise Inexpressible("it has a field, or a number, that no operation has")


def _read(kind: type[Any], message: Any, known: dict[str, Any] | None = None) -> Any:
    values = dict(known or {})
    for field in fields(kind):
        if field.name not in values:
            values[field.name] = _value(kind, field.name, message)
    return kind(**values)


def _value(kind: type[Any], name: str, message: Any) -> Any:
    if kind is op.Txn:
        return tuple(map(_compare if name == "compare" else _request_op, getattr(message, name)))
    if name == "meanwhile":  # what another client asked is another request
        return None
    if kind is op.UserAdd and name == "no_password":
        return message.options.no_password
    if name in ("perm", "leader"):
        part = op.Permission if name == "perm" else op.LeaderKey
        return _read(part, getattr(message, name)) if message.HasField(name) else None
    value = getattr(message, _NAMES.get(name, name))
    return value if isinstance(value, bool | int | str | bytes) else tuple(value)


def _compare(message: wire.Compare) -> op.Compare:
    operand = message.WhichOneof("target_union")
    if operand is None:
        raise Inexpressible("a compare names no operand")
    return op.Compare(message.key, message.target, message.result, getattr(message, operand), message.range_end)


def _request_op(message: wire.RequestOp) -> Any:
    request = message.WhichOneof("request")
    if request not in _REQUEST_OPS:
        raise Inexpressible("a branch of a txn holds no request")
    return _read(_REQUEST_OPS[request], getattr(message, str(request)))
