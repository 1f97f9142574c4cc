"""One call: its path and request, and its response."""

from __future__ import annotations

from google.protobuf.message import Message

from etcd_lockstep.codec import auth, kv, lease, lock, maintenance
from etcd_lockstep.codec.coding import Decoders, Encoders
from etcd_lockstep.trace import bare
from etcd_model.operations import Operation
from etcd_model.results import Answer

_ENCODERS: Encoders = {
    **kv.ENCODERS,
    **lease.ENCODERS,
    **auth.ENCODERS,
    **maintenance.ENCODERS,
    **lock.ENCODERS,
}
_DECODERS: Decoders = {
    **kv.DECODERS,
    **lease.DECODERS,
    **auth.DECODERS,
    **maintenance.DECODERS,
    **lock.DECODERS,
}


def path_of(operation: type[Operation]) -> str | None:
    """The path of the method that an operation calls; None for what is no call of its own."""
    return _ENCODERS[operation][0] if operation in _ENCODERS else None


def encode(operation: Operation, member_id: int = 0) -> tuple[str, Message]:
    """The path of the method and the request message. `member_id` is that of the target's own member.

    Raises KeyError for what is no call of its own: those of a watch's stream, and the passing of time.
    """
    operation = bare(operation)
    path, encoder = _ENCODERS[type(operation)]
    return path, encoder(maintenance.addressed(operation, member_id) if member_id else operation)


def decode(operation: Operation, answer: Message, member_id: int = 0) -> Answer:
    """The result that a response message carries. Raises `Malformed`.

    `member_id` is that of the target's own member; without it, the one in the response's header.
    """
    kind = type(bare(operation))
    decoder = _DECODERS.get(kind)
    if decoder is not None:
        return decoder(answer)
    own = member_id or answer.header.member_id  # type: ignore[attr-defined]  # all of these have a header
    return maintenance.MEMBER_DECODERS[kind](answer, own)
