"""Which keys and which lease a request names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

_KEYS = ("key", "name")
"""The fields that hold one, as bytes; the name of a lock or an election is the beginning of its keys."""

_PARTS = ("leader", "create_request")
"""The fields with a message that names keys."""

_OPS = ("success", "failure")


def keys_of(request: Message) -> Iterator[bytes]:
    """Every key that a request names, those in a txn's operations too."""
    fields = request.DESCRIPTOR.fields_by_name
    message: Any = request
    for name in _KEYS:
        if name in fields and isinstance(key := getattr(message, name), bytes):
            yield key
    for name in _PARTS:
        if name in fields and message.HasField(name):
            yield from keys_of(getattr(message, name))
    if "compare" in fields:
        for compare in message.compare:
            yield compare.key
        for branch in _OPS:
            for op in getattr(message, branch):
                kind = op.WhichOneof("request")
                if kind is not None:
                    yield from keys_of(getattr(op, kind))


def lease_of(request: Message) -> int:
    """The id of the lease that a request names; 0 where it names none."""
    message: Any = request
    for name in ("lease", "ID"):
        field = request.DESCRIPTOR.fields_by_name.get(name)
        if field is not None and field.type == field.TYPE_INT64:
            return int(getattr(message, name))
    return 0
