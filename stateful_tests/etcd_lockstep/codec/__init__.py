"""Operations to wire messages, and wire messages to results. It stands once, and serves every target
that speaks etcd's wire: the fake in-process, the fake as a server, a real etcd, any endpoint."""

from etcd_lockstep.codec.calls import decode, encode, path_of
from etcd_lockstep.codec.coding import MALFORMED_NAMES, Malformed, NoAnswer
from etcd_lockstep.codec.kv import decode_range_stream
from etcd_lockstep.codec.maintenance import decode_snapshot
from etcd_lockstep.codec.requests import Inexpressible, decode_request, decode_watch_request
from etcd_lockstep.codec.watch import decode_created, decode_event, encode_watch

__all__ = [
    "MALFORMED_NAMES",
    "Inexpressible",
    "Malformed",
    "NoAnswer",
    "decode",
    "decode_created",
    "decode_event",
    "decode_range_stream",
    "decode_request",
    "decode_snapshot",
    "decode_watch_request",
    "encode",
    "encode_watch",
    "path_of",
]
