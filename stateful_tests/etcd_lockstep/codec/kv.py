"""The KV service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from etcd_lockstep.codec.coding import Decoders, Encoders, Malformed, NoAnswer
from etcd_model import results
from etcd_model.operations import (
    Compact,
    Compare,
    CompareTarget,
    DeleteRange,
    Put,
    Range,
    RangeStream,
    RequestOp,
    Txn,
)
from fake_etcd.wire import messages as wire

_KV = "/etcdserverpb.KV/"


def _range(op: Range) -> wire.RangeRequest:
    return wire.RangeRequest(
        key=op.key,
        range_end=op.range_end,
        limit=op.limit,
        revision=op.revision,
        sort_order=op.sort_order,  # type: ignore[arg-type]  # any int goes over the wire
        sort_target=op.sort_target,  # type: ignore[arg-type]  # as above
        serializable=op.serializable,
        keys_only=op.keys_only,
        count_only=op.count_only,
        min_mod_revision=op.min_mod_revision,
        max_mod_revision=op.max_mod_revision,
        min_create_revision=op.min_create_revision,
        max_create_revision=op.max_create_revision,
    )


def _put(op: Put) -> wire.PutRequest:
    return wire.PutRequest(
        key=op.key,
        value=op.value,
        lease=op.lease,
        prev_kv=op.prev_kv,
        ignore_value=op.ignore_value,
        ignore_lease=op.ignore_lease,
    )


def _delete_range(op: DeleteRange) -> wire.DeleteRangeRequest:
    return wire.DeleteRangeRequest(key=op.key, range_end=op.range_end, prev_kv=op.prev_kv)


_OPERAND_FIELD = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}


def _compare(compare: Compare) -> wire.Compare:
    operand: dict[str, Any] = {_OPERAND_FIELD[CompareTarget(compare.target)]: compare.operand}
    return wire.Compare(
        key=compare.key,
        range_end=compare.range_end,
        target=compare.target,  # type: ignore[arg-type]  # any int goes over the wire
        result=compare.result,  # type: ignore[arg-type]  # as above
        **operand,
    )


def _request_op(op: RequestOp) -> wire.RequestOp:
    match op:
        case Range():
            return wire.RequestOp(request_range=_range(op))
        case Put():
            return wire.RequestOp(request_put=_put(op))
        case DeleteRange():
            return wire.RequestOp(request_delete_range=_delete_range(op))
        case Txn():
            return wire.RequestOp(request_txn=_txn(op))


def _txn(op: Txn) -> wire.TxnRequest:
    return wire.TxnRequest(
        compare=[_compare(compare) for compare in op.compare],
        success=[_request_op(request) for request in op.success],
        failure=[_request_op(request) for request in op.failure],
    )


ENCODERS: Encoders = {
    Range: (_KV + "Range", _range),
    RangeStream: (_KV + "RangeStream", _range),
    Put: (_KV + "Put", _put),
    DeleteRange: (_KV + "DeleteRange", _delete_range),
    Txn: (_KV + "Txn", _txn),
    Compact: (_KV + "Compact", lambda op: wire.CompactionRequest(revision=op.revision, physical=op.physical)),
}


def key_value(kv: wire.KeyValue) -> results.KeyValue:
    """A `mvccpb.KeyValue`."""
    return results.KeyValue(kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def _range_result(answer: wire.RangeResponse) -> results.RangeResult:
    return results.RangeResult(answer.header.revision, tuple(map(key_value, answer.kvs)), answer.more, answer.count)


def decode_range_stream(messages: Iterable[wire.RangeStreamResponse]) -> results.RangeResult:
    """The result that all messages of a RangeStream carry. Raises `Malformed`, `NoAnswer`.

    Only the last has a header, `more` and a count; where one ends and the next begins depends on the sizes of the
    values, and isn't kept (etcd server/etcdserver/v3_server.go, rangeStream).
    """
    chunks = [message.range_response for message in messages]
    if not chunks:
        raise NoAnswer("the server ended the stream without an answer")
    kvs = tuple(key_value(kv) for chunk in chunks for kv in chunk.kvs)
    last = chunks[-1]
    return results.RangeResult(last.header.revision, kvs, last.more, last.count)


def _put_result(answer: wire.PutResponse) -> results.PutResult:
    return results.PutResult(answer.header.revision, key_value(answer.prev_kv) if answer.HasField("prev_kv") else None)


def _delete_range_result(answer: wire.DeleteRangeResponse) -> results.DeleteRangeResult:
    return results.DeleteRangeResult(answer.header.revision, answer.deleted, tuple(map(key_value, answer.prev_kvs)))


_RESPONSE_OPS: dict[str, Callable[[Any], results.ResponseOp]] = {
    "response_range": _range_result,
    "response_put": _put_result,
    "response_delete_range": _delete_range_result,
    "response_txn": lambda answer: _txn_result(answer),
}


def _response_op(answer: wire.ResponseOp) -> results.ResponseOp:
    """Raises `Malformed` for a response that holds nothing."""
    kind = answer.WhichOneof("response")
    if kind is None:
        raise Malformed("a ResponseOp in a TxnResponse holds no response")
    return _RESPONSE_OPS[kind](getattr(answer, kind))


def _txn_result(answer: wire.TxnResponse) -> results.TxnResult:
    return results.TxnResult(
        answer.header.revision, answer.succeeded, tuple(_response_op(response) for response in answer.responses)
    )


DECODERS: Decoders = {
    Range: _range_result,
    RangeStream: lambda answer: decode_range_stream((answer,)),
    Put: _put_result,
    DeleteRange: _delete_range_result,
    Txn: _txn_result,
    Compact: lambda answer: results.CompactResult(answer.header.revision),
}
