"""The codec: every field of every operation goes over the wire, and every field of every answer comes back."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from google.protobuf.message import Message

from etcd_lockstep.codec import Malformed, decode, encode
from etcd_model import State, step
from etcd_model.operations import (
    OPERATIONS,
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
)
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    Result,
    TxnResult,
)
from fake_etcd import Engine
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHOD

FULL: tuple[Operation, ...] = (
    Range(b"k", b"z", 1, 2, SortOrder.DESCEND, SortTarget.VALUE, True, True, True, 3, 4, 5, 6),
    Put(b"k", b"v", 7, True, True, True),
    DeleteRange(b"k", b"z", True),
    Txn(
        (
            *(Compare(b"k", target, CompareResult.LESS, 1, b"z") for target in (0, 1, 2, 4)),
            Compare(b"k", CompareTarget.VALUE, CompareResult.NOT_EQUAL, b"v"),
        ),
        (Range(b"a", limit=1), Put(b"b", b"v"), DeleteRange(b"c", b"d"), Txn(success=(Put(b"e"),))),
        (Range(b"f"),),
    ),
    Compact(2, True),
    LeaseGrant(60, 7),
    LeaseRevoke(7),
    LeaseKeepAlive(7),
    LeaseTimeToLive(7, True),
    LeaseLeases(),
)
"""Every field of every operation, and none at its default."""

_RENAMED = {"ttl": "TTL", "id": "ID"}


def over_the_wire(operation: Operation) -> Any:
    """The request as a server reads it."""
    path, request = encode(operation)
    assert type(request) is METHOD[path].request
    return METHOD[path].request.FromString(request.SerializeToString())


def test_the_table_holds_every_operation_and_every_field() -> None:
    assert {type(operation) for operation in FULL} == set(OPERATIONS)
    for operation in FULL:
        for field in fields(operation):
            assert getattr(operation, field.name) != field.default, (operation, field.name)


@pytest.mark.parametrize("operation", [op for op in FULL if not isinstance(op, Txn)], ids=lambda op: type(op).__name__)
def test_every_field_of_an_operation_is_that_of_the_request(operation: Operation) -> None:
    request = over_the_wire(operation)
    sent = {field.name for field in request.DESCRIPTOR.fields}
    assert {_RENAMED.get(field.name, field.name) for field in fields(operation)} == sent
    for field in fields(operation):
        assert getattr(request, _RENAMED.get(field.name, field.name)) == getattr(operation, field.name)


@pytest.mark.parametrize("operation", FULL, ids=lambda op: type(op).__name__)
def test_no_field_is_left_off(operation: Operation) -> None:
    """Put back at its default, each one makes another message."""
    whole = encode(operation)[1].SerializeToString()
    for field in fields(operation):
        value = getattr(operation, field.name)
        changed: dict[str, Any] = {field.name: 0 if isinstance(value, int) else type(value)()}
        assert encode(replace(operation, **changed))[1].SerializeToString() != whole, field.name


def test_a_txn_goes_with_its_compares_its_branches_and_what_is_nested() -> None:
    request = over_the_wire(FULL[3])
    assert [(c.key, c.range_end, c.target, c.result) for c in request.compare[:4]] == [
        (b"k", b"z", target, 2) for target in (0, 1, 2, 4)
    ]
    assert [c.WhichOneof("target_union") for c in request.compare] == [
        "version",
        "create_revision",
        "mod_revision",
        "lease",
        "value",
    ]
    assert (request.compare[4].value, request.compare[4].result) == (b"v", 3)
    assert [r.WhichOneof("request") for r in request.success] == [
        "request_range",
        "request_put",
        "request_delete_range",
        "request_txn",
    ]
    assert request.success[0].request_range == over_the_wire(Range(b"a", limit=1))
    assert request.success[3].request_txn.success[0].request_put.key == b"e"
    assert [r.request_range.key for r in request.failure] == [b"f"]


def test_an_operand_of_zero_is_sent_as_one() -> None:
    request = over_the_wire(Txn((Compare(b"k", CompareTarget.MOD, CompareResult.EQUAL, 0),)))
    assert request.compare[0].WhichOneof("target_union") == "mod_revision"


@pytest.mark.parametrize("value", [-1, 5, 2**31 - 1])
def test_an_unknown_enum_number_goes_as_it_is(value: int) -> None:
    request = over_the_wire(Range(b"k", sort_order=value, sort_target=value))
    assert (request.sort_order, request.sort_target) == (value, value)


@pytest.mark.parametrize("value", [-(2**63), -1, 2**63 - 1])
def test_numbers_go_with_all_their_bits(value: int) -> None:
    assert over_the_wire(Range(b"k", limit=value, revision=value)).limit == value
    assert value == over_the_wire(LeaseGrant(value, value)).ID


# Answers.

HEADER = pb.ResponseHeader(cluster_id=1, member_id=2, revision=9, raft_term=3)
A_KV = pb.KeyValue(key=b"k", value=b"v", create_revision=2, mod_revision=3, version=4, lease=5)
KV = KeyValue(b"k", b"v", 2, 3, 4, 5)

ANSWERS: tuple[tuple[Operation, Message, Result], ...] = (
    (Range(b"k"), pb.RangeResponse(header=HEADER, kvs=[A_KV], more=True, count=6), RangeResult(9, (KV,), True, 6)),
    (Put(b"k"), pb.PutResponse(header=HEADER, prev_kv=A_KV), PutResult(9, KV)),
    (Put(b"k"), pb.PutResponse(header=HEADER), PutResult(9)),
    (
        DeleteRange(b"k"),
        pb.DeleteRangeResponse(header=HEADER, deleted=1, prev_kvs=[A_KV]),
        DeleteRangeResult(9, 1, (KV,)),
    ),
    (
        Txn(),
        pb.TxnResponse(
            header=HEADER,
            succeeded=True,
            responses=[
                pb.ResponseOp(response_range=pb.RangeResponse(header=HEADER, kvs=[A_KV], count=1)),
                pb.ResponseOp(response_put=pb.PutResponse(header=HEADER)),
                pb.ResponseOp(response_delete_range=pb.DeleteRangeResponse(header=HEADER, deleted=2)),
                pb.ResponseOp(response_txn=pb.TxnResponse(header=pb.ResponseHeader())),
            ],
        ),
        TxnResult(
            9, True, (RangeResult(9, (KV,), count=1), PutResult(9), DeleteRangeResult(9, 2), TxnResult(0, False))
        ),
    ),
    (Compact(1), pb.CompactionResponse(header=HEADER), CompactResult(9)),
    (LeaseGrant(60), pb.LeaseGrantResponse(header=HEADER, ID=7, TTL=60), LeaseGrantResult(9, 7, 60)),
    (LeaseRevoke(7), pb.LeaseRevokeResponse(header=HEADER), LeaseRevokeResult(9)),
    (LeaseKeepAlive(7), pb.LeaseKeepAliveResponse(header=HEADER, ID=7, TTL=60), LeaseKeepAliveResult(9, 7, 60)),
    (
        LeaseTimeToLive(7),
        pb.LeaseTimeToLiveResponse(header=HEADER, ID=7, TTL=59, grantedTTL=60, keys=[b"b", b"a"]),
        LeaseTimeToLiveResult(9, 7, 59, 60, (b"b", b"a")),
    ),
    (
        LeaseLeases(),
        pb.LeaseLeasesResponse(header=HEADER, leases=[pb.LeaseStatus(ID=8), pb.LeaseStatus(ID=7)]),
        LeaseLeasesResult(9, (8, 7)),
    ),
)


@pytest.mark.parametrize(("operation", "answer", "result"), ANSWERS, ids=lambda value: type(value).__name__)
def test_an_answer_is_decoded_with_all_its_fields(operation: Operation, answer: Message, result: Result) -> None:
    assert decode(operation, answer) == result


def test_an_answer_in_a_txn_that_holds_nothing_is_malformed() -> None:
    with pytest.raises(Malformed, match="holds no response"):
        decode(Txn(), pb.TxnResponse(responses=[pb.ResponseOp()]))


# There and back, through the fake's engine: what the model says is what comes back.

THERE_AND_BACK: tuple[Operation, ...] = (
    LeaseGrant(60, id=7),
    Put(b"a", b"1", lease=7),
    Put(b"a", b"2", lease=7, prev_kv=True),
    Put(b"a", prev_kv=True, ignore_value=True, ignore_lease=True),
    Put(b"b", b"3"),
    *(
        Range(b"a", b"z", sort_order=order, sort_target=target, limit=1)
        for order in (SortOrder.ASCEND, SortOrder.DESCEND)
        for target in SortTarget
    ),
    Range(b"a", b"z", keys_only=True, serializable=True),
    Range(b"a", b"z", count_only=True),
    Range(b"a", b"z", revision=3),
    Range(b"a", b"z", min_mod_revision=5),
    Range(b"a", b"z", max_mod_revision=4),
    Range(b"a", b"z", min_create_revision=3),
    Range(b"a", b"z", max_create_revision=2),
    *(
        Txn((Compare(b"a", target, result, operand, range_end),), (Range(b"a"),))
        for target, operand in ((0, 3), (1, 2), (2, 4), (3, b"2"), (4, 7))
        for result in CompareResult
        for range_end in (b"", b"z")
    ),
    Txn(success=(Put(b"c", b"4"), Txn(success=(Range(b"c"),)), DeleteRange(b"b", prev_kv=True))),
    LeaseKeepAlive(7),
    LeaseTimeToLive(7),
    LeaseTimeToLive(7, keys=True),
    LeaseLeases(),
    DeleteRange(b"a", b"z", prev_kv=True),
    Compact(5),
    Compact(6, physical=True),
    LeaseRevoke(7),
)


def test_what_the_engine_answers_is_what_the_model_answers() -> None:
    engine, state = Engine(), State()
    for operation in THERE_AND_BACK:
        path, request = encode(operation)
        state, expected = step(state, operation)
        assert decode(operation, engine.call(path, request)) == expected, operation
    assert {type(operation) for operation in THERE_AND_BACK} == set(OPERATIONS)
