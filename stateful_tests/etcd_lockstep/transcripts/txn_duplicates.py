"""Which keys a txn may write twice. It depends on more than one would think: on nesting, order and range ends."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_lockstep.transcripts.transcript import Transcript, says
from etcd_model.errors import DUPLICATE_KEY
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, RequestOp, Txn
from etcd_model.ranges import FROM_KEY
from etcd_model.results import DeleteRangeResult, PutResult, RangeResult, ResponseOp, TxnResult

A, B = Put(b"a", b"1"), Put(b"b", b"1")
DELETE_A, DELETE_AB = DeleteRange(b"a"), DeleteRange(b"a", b"b")
FALSE = Compare(b"x", CompareTarget.VERSION, CompareResult.GREATER, 0)


def nested(*success: RequestOp, otherwise: tuple[RequestOp, ...] = ()) -> Txn:
    return Txn(success=success, failure=otherwise)


_REFUSED: dict[str, tuple[RequestOp, ...]] = {
    "two puts of one key": (A, A),
    "two puts of one key, one of them touching it": (A, Put(b"a", ignore_value=True)),
    "a put, then a delete of its key": (A, DELETE_A),
    "a delete, then a put of its key": (DELETE_A, A),
    "a put inside a range that is deleted later": (A, DELETE_AB),
    "a put inside a range that is deleted before": (DELETE_AB, A),
    "a put, and a nested put of its key": (A, nested(A)),
    "a nested put, then a put of its key": (nested(A), A),
    "a put, and a nested put of its key that will not be made": (A, Txn((FALSE,), (A,))),
    "a put, and a put of its key in a nested failure": (A, nested(otherwise=(A,))),
    "a delete, and a nested put of its key": (DELETE_A, nested(A)),
    "a nested put, then a delete of its key": (nested(A), DELETE_A),
    "a put, and a nested delete of its key": (A, nested(DELETE_A)),
    "a nested delete, then a put of its key": (nested(DELETE_A), A),
    "two nested puts of one key": (nested(A), nested(A)),
    "two nested puts of one key, one in a success and one in a failure": (nested(A), nested(otherwise=(A,))),
    "a nested delete, then a nested put of its key": (nested(DELETE_A), nested(A)),
    "a nested delete, then a put of its key in a nested failure": (nested(DELETE_A), nested(otherwise=(A,))),
    "a put, and one of its key two levels below": (A, nested(nested(A))),
    "two puts of one key in a nested txn": (nested(A, A),),
    "a put of a key in which the deleted range only begins": (DeleteRange(b"a", b"a\x00"), A),
}

_ALLOWED: dict[str, tuple[tuple[RequestOp, ...], tuple[ResponseOp, ...], int]] = {
    "puts of two keys": ((A, B), (PutResult(2), PutResult(2)), 2),
    "a put at the end of a range that is deleted": ((DELETE_AB, B), (DeleteRangeResult(1), PutResult(2)), 2),
    "two deletes of one key": ((DELETE_A, DELETE_AB), (DeleteRangeResult(1), DeleteRangeResult(1)), 1),
    "a read of a key that is put": ((A, Range(b"x"), B), (PutResult(2), RangeResult(2), PutResult(2)), 2),
    "a key put in a nested success and in its failure": (
        (nested(A, otherwise=(A,)),),
        (TxnResult(0, True, (PutResult(2),)),),
        2,
    ),
    "a key put in a nested success and deleted in its failure": (
        (nested(A, otherwise=(DELETE_A,)),),
        (TxnResult(0, True, (PutResult(2),)),),
        2,
    ),
    "a key deleted in a nested success and put in its failure": (
        (nested(DELETE_A, otherwise=(A,)),),
        (TxnResult(0, True, (DeleteRangeResult(1),)),),
        1,
    ),
    "a nested put, then a nested delete of its key": (
        (nested(A), nested(DELETE_A), B),
        (TxnResult(0, True, (PutResult(2),)), TxnResult(0, True, (DeleteRangeResult(2, 1),)), PutResult(2)),
        2,
    ),
    "a put, then a delete of all keys from its own on": (
        (A, DeleteRange(b"a", FROM_KEY)),
        (PutResult(2), DeleteRangeResult(2, 1)),
        2,
    ),
    "a delete of all keys, then a put of one": (
        (DeleteRange(b"\x00", FROM_KEY), A),
        (DeleteRangeResult(1), PutResult(2)),
        2,
    ),
    "a put inside an inverted range that is deleted": (
        (DeleteRange(b"b", b"a"), A),
        (DeleteRangeResult(1), PutResult(2)),
        2,
    ),
}


def _cases() -> Iterator[Transcript]:
    for name, requests in _REFUSED.items():
        yield says(
            f"a txn may not hold {name}",
            (Txn(success=requests), DUPLICATE_KEY),
            (Txn(failure=requests), DUPLICATE_KEY),  # taken or not
            (Range(b"a", FROM_KEY), RangeResult(1)),
        )
    for name, (requests, responses, revision) in _ALLOWED.items():
        yield says(
            f"a txn may hold {name}",
            (Txn(failure=requests), TxnResult(1, True)),
            (Txn(success=requests), TxnResult(revision, True, responses)),
            # A revision of its own for the compaction with which a reset ends.
            (Put(b"z"), PutResult(revision + 1)),
        )
    yield says(
        "a key may be put in the success and in the failure of one txn",
        (Txn(success=(A,), failure=(A, B)), TxnResult(2, True, (PutResult(2),))),
        (Txn(success=(A, A), failure=(B,)), DUPLICATE_KEY),
        (Txn(success=(B,), failure=(A, A)), DUPLICATE_KEY),
    )


TXN_DUPLICATES = tuple(_cases())
