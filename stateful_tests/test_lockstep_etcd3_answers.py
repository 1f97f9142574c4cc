"""What a mock of the etcd3 client returns or raises, read as etcd's answers."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from canned import needs_etcd3, of, returning
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    Result,
    TxnResult,
)
from fake_etcd.compat.etcd3 import import_etcd3

NUMBERS = {"create_revision", "mod_revision", "version", "lease"}


HEADER = of(revision=7)
META = of(key=b"a", create_revision=2, mod_revision=3, version=2, lease_id=9, response_header=HEADER)
KV = KeyValue(b"a", b"1", 2, 3, 2, 9)
READ, READ_ALL, PUT, DELETE = op.Range(b"a"), op.Range(b"a", b"b"), op.Put(b"a", b"1"), op.DeleteRange(b"a")


@pytest.mark.parametrize(
    ("method", "answer", "operation", "result", "not_handed_on"),
    [
        ("get", (b"1", META), READ, RangeResult(7, (KV,), count=1), set()),
        ("get", ("1", META), READ, RangeResult(7, (KV,), count=1), set()),
        ("get", (None, None), READ, RangeResult(0), {"revision"}),
        ("get", None, READ, RangeResult(0), {"revision"}),
        (
            "get",
            (b"1", of(version=2)),
            READ,
            RangeResult(0, (KeyValue(b"a", b"1", 0, 0, 2),), count=1),
            {"revision", *(f"kvs.{name}" for name in NUMBERS - {"version"})},
        ),
        (
            "get",
            b"1",
            READ,
            RangeResult(0, (KeyValue(b"a", b"1", 0, 0, 0),), count=1),
            {"revision", *(f"kvs.{name}" for name in NUMBERS)},
        ),
        ("get_prefix", [(b"1", META)], READ_ALL, RangeResult(7, (KV,)), {"count", "more"}),
        ("get_prefix", iter(()), READ_ALL, RangeResult(0), {"revision", "count", "more"}),
        ("get_prefix", [(b"1", None)], READ_ALL, RangeResult(0), {"revision", "count", "more", "kvs"}),
        ("get_prefix_response", of(kvs=[], count=0), READ_ALL, RangeResult(0), {"revision", "more"}),
        ("put", None, PUT, PutResult(0), {"revision", "prev_kv"}),
        ("put", of(header=HEADER, prev_kv=None), PUT, PutResult(7), set()),
        (
            "put",
            of(header=HEADER, prev_kv=of(key="a", value="0", version=1)),
            PUT,
            PutResult(7, KeyValue(b"a", b"0", 0, 0, 1)),
            {f"prev_kv.{name}" for name in NUMBERS - {"version"}},
        ),
        ("delete", True, DELETE, DeleteRangeResult(0, 1), {"revision", "prev_kvs"}),
        ("delete", None, DELETE, DeleteRangeResult(0), {"revision", "prev_kvs", "deleted"}),
        ("delete_prefix", 2, op.DeleteRange(b"a", b"b"), DeleteRangeResult(0, 2), {"revision", "prev_kvs"}),
        ("delete_prefix", True, op.DeleteRange(b"a", b"b"), DeleteRangeResult(0), {"revision", "prev_kvs", "deleted"}),
        ("lease", 5, op.LeaseGrant(60), LeaseGrantResult(0, 5, 0), {"revision", "ttl"}),
        ("lease", of(id=5, ttl=60), op.LeaseGrant(60), LeaseGrantResult(0, 5, 60), {"revision"}),
        ("revoke_lease", None, op.LeaseRevoke(5), LeaseRevokeResult(0), {"revision"}),
        ("refresh_lease", None, op.LeaseKeepAlive(5), LeaseKeepAliveResult(0, 0, 0), {"revision", "id", "ttl"}),
        ("refresh_lease", iter([of(ID=5, TTL=9)]), op.LeaseKeepAlive(5), LeaseKeepAliveResult(0, 5, 9), {"revision"}),
        (
            "get_lease_info",
            of(TTL=9, keys=["a"]),
            op.LeaseTimeToLive(5, keys=True),
            LeaseTimeToLiveResult(0, 0, 9, 0, (b"a",)),
            {"revision", "id", "granted_ttl"},
        ),
    ],
)
def test_an_answer_is_read_as_far_as_it_goes(
    method: str, answer: Any, operation: op.Operation, result: Result, not_handed_on: set[str]
) -> None:
    target = returning(**{method: answer})
    assert target.can_express(operation)
    assert target.apply(operation) == result
    assert target.not_handed_on == not_handed_on


ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
TXN = op.Txn((ABSENT,), (op.Put(b"a"), op.Range(b"a"), op.DeleteRange(b"b")), (op.Range(b"a"),))
OF_WRITES = {"responses.revision", "responses.prev_kv", "responses.prev_kvs"}
OF_READS = {"responses.count", "responses.more"}


@pytest.mark.parametrize(
    ("answer", "result", "not_handed_on"),
    [
        (True, TxnResult(0, True), {"responses"}),
        ((False, []), TxnResult(0, False), set()),
        (
            (True, [None, [(b"1", META)], 1]),
            TxnResult(0, True, (PutResult(0), RangeResult(7, (KV,)), DeleteRangeResult(0, 1))),
            OF_WRITES | OF_READS,
        ),
        (
            (False, [[], "one too many"]),
            TxnResult(0, False, (RangeResult(0), PutResult(0))),
            {"responses.revision", *OF_READS},
        ),
    ],
)
def test_a_transaction_answers_whether_it_succeeded_and_perhaps_what_it_did(
    answer: Any, result: Result, not_handed_on: set[str]
) -> None:
    target = returning(transaction=answer)
    assert target.can_express(TXN)
    assert target.apply(TXN) == result
    assert target.not_handed_on == {"revision", *not_handed_on}


def test_a_nested_transaction_may_have_no_answer() -> None:
    target = returning(transaction=(True, [None]))
    assert target.apply(op.Txn(success=(TXN,))) == TxnResult(0, True, (TxnResult(0, False),))
    inner = {f"responses.{name}" for name in ("revision", "succeeded", "responses")}
    assert target.not_handed_on == {"revision", *inner}


class Status(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.NOT_FOUND

    def details(self) -> str:
        return "etcdserver: requested lease not found"


@pytest.mark.parametrize(
    ("raised", "error", "not_handed_on"),
    [
        (Status(), Error(Code.NOT_FOUND, "etcdserver: requested lease not found"), set()),
        (grpc.RpcError("no lease"), Error(Code.UNKNOWN, "no lease"), {"code", "message"}),
    ],
)
def test_an_error_of_grpcs_is_etcds(raised: Exception, error: Error, not_handed_on: set[str]) -> None:
    target = returning(put=raised)
    assert target.apply(PUT) == error
    assert target.not_handed_on == not_handed_on


@needs_etcd3
def test_an_error_of_etcd3s_is_etcds() -> None:
    exceptions = import_etcd3().exceptions
    target = returning(put=exceptions.PreconditionFailedError())
    assert target.apply(PUT) == Error(Code.FAILED_PRECONDITION, "")
    assert target.not_handed_on == {"message"}
    target = returning(put=exceptions.Etcd3Exception("no lease"))  # which etcd3 raises of no server's answer
    assert target.apply(PUT) == Error(Code.UNKNOWN, "Etcd3Exception: no lease")
    assert target.not_handed_on == set()


def test_any_other_exception_is_the_mocks_answer() -> None:
    with pytest.raises(KeyError):
        returning(put=KeyError("a")).apply(PUT)
