"""The codec: every field of every operation goes over the wire, and every field of every answer comes back."""

from __future__ import annotations

from dataclasses import Field, fields, is_dataclass, replace
from hashlib import sha256
from typing import Any, get_args

import pytest
from google.protobuf.message import Message

from etcd_lockstep.codec import (
    Malformed,
    NoAnswer,
    decode,
    decode_created,
    decode_event,
    decode_range_stream,
    decode_snapshot,
    encode,
    encode_watch,
)
from etcd_model import State, step
from etcd_model import operations as op
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    CampaignResult,
    CompactResult,
    DeleteRangeResult,
    DowngradeResult,
    ElectionResult,
    Event,
    HashKVResult,
    KeyValue,
    LeaderResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    LockResult,
    MaintenanceResult,
    Member,
    MemberAddResult,
    MemberListResult,
    PutResult,
    RangeResult,
    Result,
    RoleGetResult,
    RoleListResult,
    SnapshotResult,
    StatusResult,
    TxnResult,
    UnlockResult,
    UserGetResult,
    UserListResult,
    WatchCreateResult,
)
from fake_etcd import Engine
from fake_etcd.wire import messages as pb
from fake_etcd.wire.methods import METHOD

FULL: tuple[op.Operation, ...] = (
    op.Range(b"k", b"z", 1, 2, op.SortOrder.DESCEND, op.SortTarget.VALUE, True, True, True, 3, 4, 5, 6),
    op.Put(b"k", b"v", 7, True, True, True),
    op.DeleteRange(b"k", b"z", True),
    op.Txn(
        (
            *(op.Compare(b"k", target, op.CompareResult.LESS, 1, b"z") for target in (0, 1, 2, 4)),
            op.Compare(b"k", op.CompareTarget.VALUE, op.CompareResult.NOT_EQUAL, b"v"),
        ),
        (op.Range(b"a", limit=1), op.Put(b"b", b"v"), op.DeleteRange(b"c", b"d"), op.Txn(success=(op.Put(b"e"),))),
        (op.Range(b"f"),),
    ),
    op.Compact(2, True),
    op.LeaseGrant(60, 7),
    op.LeaseRevoke(7),
    op.LeaseKeepAlive(7),
    op.LeaseTimeToLive(7, True),
    op.LeaseLeases(),
    op.AuthEnable(),
    op.AuthDisable(),
    op.AuthStatus(),
    op.Authenticate("u", "p"),
    op.UserAdd("u", "p", True, "hash"),
    op.UserGet("u"),
    op.UserList(),
    op.UserDelete("u"),
    op.UserChangePassword("u", "p", "hash"),
    op.UserGrantRole("u", "r"),
    op.UserRevokeRole("u", "r"),
    op.RoleAdd("r"),
    op.RoleGet("r"),
    op.RoleList(),
    op.RoleDelete("r"),
    op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"k", b"z")),
    op.RoleRevokePermission("r", b"k", b"z"),
    op.Status(),
    op.RangeStream(b"k", b"z", 1, 2, op.SortOrder.DESCEND, op.SortTarget.VALUE, True, True, True, 3, 4, 5, 6),
    op.Alarm(op.AlarmAction.DEACTIVATE, 5, op.AlarmType.CORRUPT),
    op.Defragment(),
    op.Hash(),
    op.HashKV(7),
    op.Snapshot(),
    op.MoveLeader(5),
    op.Downgrade(op.DowngradeAction.CANCEL, "3.5.0"),
    op.MemberList(True),
    op.MemberAdd(("http://a", "http://b"), True),
    op.MemberRemove(5),
    op.MemberUpdate(5, ("http://a",)),
    op.MemberPromote(5),
    op.Lock(b"l", 7, op.Unlock(b"l/8")),
    op.Unlock(b"l/7"),
    op.Campaign(b"e", 7, b"v", op.Unlock(b"e/8")),
    op.Proclaim(op.LeaderKey(b"e", b"e/7", 2, 7), b"v"),
    op.Leader(b"e"),
    op.Observe(b"e"),
    op.Resign(op.LeaderKey(b"e", b"e/7", 2, 7)),
)
"""Every field of every operation that is a call, and none at its default."""

NO_CALLS = {op.Advance, op.As, op.WatchCreate, op.WatchCancel, op.WatchProgress, op.WatchRead, op.WatchClose}

_RENAMED = {
    "ttl": "TTL",
    "id": "ID",
    "member_id": "memberID",
    "target_id": "targetID",
    "peer_urls": "peerURLs",
    "is_learner": "isLearner",
    "hashed_password": "hashedPassword",
}


def fields_sent(operation: op.Operation) -> list[Field[Any]]:
    """Those of the request: what another client asks meanwhile is another one."""
    return [field for field in fields(operation) if field.name != "meanwhile"]


BY_THEIR_PARTS = (op.Txn, op.UserAdd, op.RoleGrantPermission, op.Proclaim, op.Resign)
"""What holds messages, or has a field that the message has elsewhere."""


def over_the_wire(operation: op.Operation, member_id: int = 0) -> Any:
    """The request as a server reads it."""
    path, request = encode(operation, member_id)
    assert type(request) is METHOD[path].request
    return METHOD[path].request.FromString(request.SerializeToString())


def test_the_table_holds_every_operation_and_every_field() -> None:
    assert {type(operation) for operation in FULL} == set(op.OPERATIONS) - NO_CALLS
    for operation in FULL:
        for field in fields(operation):
            assert getattr(operation, field.name) != field.default, (operation, field.name)


def comparable(value: Any) -> object:
    return list(value) if not isinstance(value, str | bytes | int) else value


@pytest.mark.parametrize(
    "operation",
    [operation for operation in FULL if not isinstance(operation, BY_THEIR_PARTS)],
    ids=lambda operation: type(operation).__name__,
)
def test_every_field_of_an_operation_is_that_of_the_request(operation: op.Operation) -> None:
    request = over_the_wire(operation)
    sent = {field.name for field in request.DESCRIPTOR.fields}
    assert {_RENAMED.get(field.name, field.name) for field in fields_sent(operation)} == sent
    for field in fields_sent(operation):
        reported = getattr(request, _RENAMED.get(field.name, field.name))
        assert comparable(reported) == comparable(getattr(operation, field.name))


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: type(operation).__name__)
def test_no_field_is_left_off(operation: op.Operation) -> None:
    """Put back at its default, each one makes another message."""
    whole = encode(operation)[1].SerializeToString()
    for field in fields_sent(operation):
        value = getattr(operation, field.name)
        empty = 0 if isinstance(value, int) else None if is_dataclass(value) else type(value)()
        changed: dict[str, Any] = {field.name: empty}
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
    assert request.success[0].request_range == over_the_wire(op.Range(b"a", limit=1))
    assert request.success[3].request_txn.success[0].request_put.key == b"e"
    assert [r.request_range.key for r in request.failure] == [b"f"]


def test_an_operand_of_zero_is_sent_as_one() -> None:
    request = over_the_wire(op.Txn((op.Compare(b"k", op.CompareTarget.MOD, op.CompareResult.EQUAL, 0),)))
    assert request.compare[0].WhichOneof("target_union") == "mod_revision"


@pytest.mark.parametrize("value", [-1, 5, 2**31 - 1])
def test_an_unknown_enum_number_goes_as_it_is(value: int) -> None:
    request = over_the_wire(op.Range(b"k", sort_order=value, sort_target=value))
    assert (request.sort_order, request.sort_target) == (value, value)


@pytest.mark.parametrize("value", [-(2**63), -1, 2**63 - 1])
def test_numbers_go_with_all_their_bits(value: int) -> None:
    assert over_the_wire(op.Range(b"k", limit=value, revision=value)).limit == value
    assert value == over_the_wire(op.LeaseGrant(value, value)).ID


def test_a_user_without_a_password_is_reported_by_an_option() -> None:
    assert over_the_wire(op.UserAdd("u", "p")) == pb.AuthUserAddRequest(name="u", password="p")
    assert over_the_wire(op.UserAdd("u", "p", True)).options.no_password


def test_a_permission_goes_with_its_type_and_its_range_and_none_is_left_off() -> None:
    granted = over_the_wire(op.RoleGrantPermission("r", op.Permission(2, b"k", b"z")))
    assert (granted.name, granted.perm) == (
        "r",
        pb.Permission(permType=pb.Permission.READWRITE, key=b"k", range_end=b"z"),
    )
    assert not over_the_wire(op.RoleGrantPermission("r")).HasField("perm")


def test_a_leader_goes_with_all_that_it_proves_itself_with_and_none_is_left_off() -> None:
    key = pb.LeaderKey(name=b"e", key=b"e/7", rev=2, lease=7)
    request = over_the_wire(op.Proclaim(op.LeaderKey(b"e", b"e/7", 2, 7), b"v"))
    assert (request.leader, request.value) == (key, b"v")
    assert over_the_wire(op.Resign(op.LeaderKey(b"e", b"e/7", 2, 7))).leader == key
    assert not over_the_wire(op.Resign()).HasField("leader")


def test_a_text_goes_with_all_its_characters() -> None:
    assert over_the_wire(op.UserAdd("ü☃", "\x00")).name == "ü☃"


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: type(operation).__name__)
def test_a_token_changes_nothing_but_the_metadata(operation: op.Operation) -> None:
    assert encode(op.As("a.1", operation)) == encode(operation)


# The member.

OWN = 2**63 + 5
"""The id that a server's member has of its own."""


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (op.MemberRemove(op.MEMBER_ID), "ID"),
        (op.MemberUpdate(op.MEMBER_ID), "ID"),
        (op.MemberPromote(op.MEMBER_ID), "ID"),
        (op.MoveLeader(op.MEMBER_ID), "targetID"),
        (op.Alarm(member_id=op.MEMBER_ID), "memberID"),
        (op.As("a.1", op.MemberRemove(op.MEMBER_ID)), "ID"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_one_member_is_asked_for_by_the_id_that_it_has(operation: op.Operation, field: str) -> None:
    assert getattr(over_the_wire(operation, OWN), field) == OWN
    assert getattr(over_the_wire(operation), field) == op.MEMBER_ID


def test_another_member_is_asked_for_as_it_is() -> None:
    for member_id, sent in ((0, 0), (7, 7), (-1, 2**64 - 1)):
        assert sent == over_the_wire(op.MemberRemove(member_id), OWN).ID
    assert over_the_wire(op.LeaseRevoke(op.MEMBER_ID), OWN).ID == op.MEMBER_ID


@pytest.mark.parametrize("given", [OWN, 0])
def test_the_member_that_answers_is_the_one_member_in_every_answer(given: int) -> None:
    """Its id is in the header, and may be reported besides: an AlarmResponse of etcd 3.4 has no header."""
    header = pb.ResponseHeader(member_id=OWN, revision=9)
    status = pb.StatusResponse(
        header=header, leader=OWN, errors=[f"memberID:{OWN} alarm:NOSPACE ", f"memberID:{OWN}9  alarm:CORRUPT "]
    )
    reported = decode(op.Status(), status, given)
    assert reported == StatusResult(
        9, "", True, errors=("memberID:1 alarm:NOSPACE ", f"memberID:{OWN}9  alarm:CORRUPT ")
    )
    assert decode(op.Status(), pb.StatusResponse(header=header, leader=7), given) == StatusResult(9, "", leads=False)
    assert decode(op.Status(), pb.StatusResponse(header=header), given) == StatusResult(9, "", leads=False)
    alarms = [pb.AlarmMember(memberID=member, alarm=pb.NOSPACE) for member in (OWN, 7)]
    assert decode(op.Alarm(), pb.AlarmResponse(header=header, alarms=alarms), given) == AlarmResult(
        9, (AlarmMember(op.MEMBER_ID, 1), AlarmMember(7, 1))
    )
    learner = pb.Member(ID=7, isLearner=True, peerURLs=["http://a:1"])
    members = [pb.Member(ID=OWN, name="own", peerURLs=["http://own:1"]), learner]
    listed = (Member(op.MEMBER_ID), Member(7, True, ("http://a:1",)))
    for operation, response in MEMBER_RESPONSES:
        assert decode(operation, response(header=header, members=members), given) == MemberListResult(9, listed)
    for added, member in ((learner, listed[1]), (None, None)):
        answer = pb.MemberAddResponse(header=header, member=added, members=members)
        assert decode(op.MemberAdd(), answer, given) == MemberAddResult(9, member, listed)


MEMBER_RESPONSES: tuple[tuple[op.Operation, Any], ...] = (
    (op.MemberList(), pb.MemberListResponse),
    (op.MemberRemove(1), pb.MemberRemoveResponse),
    (op.MemberUpdate(1), pb.MemberUpdateResponse),
    (op.MemberPromote(1), pb.MemberPromoteResponse),
)


def test_an_alarm_without_a_header_is_of_the_member_that_the_target_knows() -> None:
    answer = pb.AlarmResponse(alarms=[pb.AlarmMember(memberID=OWN, alarm=pb.NOSPACE)])
    assert decode(op.Alarm(), answer, OWN) == AlarmResult(0, (AlarmMember(op.MEMBER_ID, 1),))


# Watches.


def test_every_field_of_a_watch_is_that_of_the_request_but_for_the_stream() -> None:
    operation = op.WatchCreate(b"k", b"z", 2, True, (op.FilterType.NODELETE, 7), True, -3, True, stream=1)
    request = pb.WatchRequest.FromString(encode_watch(operation).SerializeToString()).create_request
    sent = {field.name for field in request.DESCRIPTOR.fields}
    assert {field.name for field in fields(operation)} - {"stream"} == sent
    for name in sent:
        assert comparable(getattr(request, name)) == comparable(getattr(operation, name))


def test_what_else_goes_on_a_stream() -> None:
    assert encode_watch(op.WatchCancel(-3)) == pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=-3))
    assert encode_watch(op.WatchProgress()).WhichOneof("request_union") == "progress_request"


def test_the_reply_to_a_watch_is_decoded_with_all_its_fields() -> None:
    answer = pb.WatchResponse(header=HEADER, watch_id=-1, created=True, canceled=True, cancel_reason="no")
    assert decode_created(answer) == WatchCreateResult(9, -1, True, True, "no")
    assert decode_created(pb.WatchResponse(header=HEADER, watch_id=3)) == WatchCreateResult(9, 3, created=False)


def test_an_event_is_decoded_with_all_its_fields() -> None:
    assert decode_event(pb.Event(kv=A_KV, prev_kv=A_KV)) == Event(0, KV, KV)
    deleted = pb.Event(type=pb.Event.DELETE, kv=pb.KeyValue(key=b"k", mod_revision=3))
    assert decode_event(deleted) == Event(1, KeyValue(b"k", b"", 0, 3, 0))


# Snapshots.


def snapshot(*blobs: bytes, left: tuple[int, ...] | None = None, digest: bytes | None = None) -> list[Any]:
    """The messages of a snapshot of these blobs, right but for what is given."""
    remaining = left or tuple(sum(map(len, blobs[at + 1 :])) for at in range(len(blobs)))
    messages = [pb.SnapshotResponse(remaining_bytes=n, blob=blob) for n, blob in zip(remaining, blobs, strict=True)]
    return [*messages, pb.SnapshotResponse(blob=digest or sha256(b"".join(blobs)).digest())]


def test_a_snapshot_that_ends_with_its_hash_is_intact() -> None:
    assert decode_snapshot(snapshot(b"abc", b"d")) == SnapshotResult(0, intact=True)
    assert decode_snapshot(snapshot(b"x" * 32)) == SnapshotResult(0, intact=True)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        snapshot(),
        snapshot(b"abc", b"d")[:-1],
        snapshot(b"abc", b"d")[1:],
        snapshot(b"abc", b"d", digest=sha256(b"abc").digest()),
        snapshot(b"abc", b"d", digest=b"x" * 32),
        snapshot(b"abc", b"d", left=(4, 1)),
        snapshot(b"abc", b"d", left=(1, 1)),
        [*snapshot(b"abc")[:-1], pb.SnapshotResponse(remaining_bytes=1, blob=sha256(b"abc").digest())],
    ],
    ids=["nothing", "empty", "no hash", "no start", "short hash", "wrong hash", "off by one", "never done", "more"],
)
def test_a_snapshot_with_a_part_or_a_count_that_is_wrong_is_not_intact(messages: list[Any]) -> None:
    assert decode_snapshot(messages) == SnapshotResult(0, intact=False)


def test_a_snapshot_reports_the_revision_of_its_header_where_there_is_one() -> None:
    messages = snapshot(b"abc")
    messages[0].header.revision = 9
    assert decode_snapshot(messages) == SnapshotResult(9, intact=True)


# Answers.

HEADER = pb.ResponseHeader(cluster_id=1, member_id=2, revision=9, raft_term=3)
A_KV = pb.KeyValue(key=b"k", value=b"v", create_revision=2, mod_revision=3, version=4, lease=5)
KV = KeyValue(b"k", b"v", 2, 3, 4, 5)

ANSWERS: tuple[tuple[op.Operation, Message, Result], ...] = (
    (op.Range(b"k"), pb.RangeResponse(header=HEADER, kvs=[A_KV], more=True, count=6), RangeResult(9, (KV,), True, 6)),
    (
        op.RangeStream(b"k"),
        pb.RangeStreamResponse(range_response=pb.RangeResponse(header=HEADER, kvs=[A_KV], more=True, count=6)),
        RangeResult(9, (KV,), True, 6),
    ),
    (op.Put(b"k"), pb.PutResponse(header=HEADER, prev_kv=A_KV), PutResult(9, KV)),
    (op.Put(b"k"), pb.PutResponse(header=HEADER), PutResult(9)),
    (
        op.DeleteRange(b"k"),
        pb.DeleteRangeResponse(header=HEADER, deleted=1, prev_kvs=[A_KV]),
        DeleteRangeResult(9, 1, (KV,)),
    ),
    (
        op.Txn(),
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
    (op.Compact(1), pb.CompactionResponse(header=HEADER), CompactResult(9)),
    (op.LeaseGrant(60), pb.LeaseGrantResponse(header=HEADER, ID=7, TTL=60), LeaseGrantResult(9, 7, 60)),
    (op.LeaseRevoke(7), pb.LeaseRevokeResponse(header=HEADER), LeaseRevokeResult(9)),
    (op.LeaseKeepAlive(7), pb.LeaseKeepAliveResponse(header=HEADER, ID=7, TTL=60), LeaseKeepAliveResult(9, 7, 60)),
    (
        op.LeaseTimeToLive(7),
        pb.LeaseTimeToLiveResponse(header=HEADER, ID=7, TTL=59, grantedTTL=60, keys=[b"b", b"a"]),
        LeaseTimeToLiveResult(9, 7, 59, 60, (b"b", b"a")),
    ),
    (
        op.LeaseLeases(),
        pb.LeaseLeasesResponse(header=HEADER, leases=[pb.LeaseStatus(ID=8), pb.LeaseStatus(ID=7)]),
        LeaseLeasesResult(9, (8, 7)),
    ),
    (op.AuthEnable(), pb.AuthEnableResponse(header=HEADER), AuthResult(9)),
    (op.AuthDisable(), pb.AuthDisableResponse(header=HEADER), AuthResult(9)),
    (op.AuthStatus(), pb.AuthStatusResponse(header=HEADER, enabled=True, authRevision=4), AuthStatusResult(9, True, 4)),
    (op.Authenticate("u", "p"), pb.AuthenticateResponse(header=HEADER, token="t.1"), AuthenticateResult(9, "t.1")),
    (op.UserAdd("u"), pb.AuthUserAddResponse(header=HEADER), AuthResult(9)),
    (op.UserGet("u"), pb.AuthUserGetResponse(header=HEADER, roles=["b", "a"]), UserGetResult(9, ("b", "a"))),
    (op.UserList(), pb.AuthUserListResponse(header=HEADER, users=["b", "a"]), UserListResult(9, ("b", "a"))),
    (op.UserDelete("u"), pb.AuthUserDeleteResponse(header=HEADER), AuthResult(9)),
    (op.UserChangePassword("u"), pb.AuthUserChangePasswordResponse(header=HEADER), AuthResult(9)),
    (op.UserGrantRole("u", "r"), pb.AuthUserGrantRoleResponse(header=HEADER), AuthResult(9)),
    (op.UserRevokeRole("u", "r"), pb.AuthUserRevokeRoleResponse(header=HEADER), AuthResult(9)),
    (op.RoleAdd("r"), pb.AuthRoleAddResponse(header=HEADER), AuthResult(9)),
    (
        op.RoleGet("r"),
        pb.AuthRoleGetResponse(header=HEADER, perm=[pb.Permission(permType="WRITE", key=b"k", range_end=b"z")]),
        RoleGetResult(9, (op.Permission(1, b"k", b"z"),)),
    ),
    (op.RoleList(), pb.AuthRoleListResponse(header=HEADER, roles=["b", "a"]), RoleListResult(9, ("b", "a"))),
    (op.RoleDelete("r"), pb.AuthRoleDeleteResponse(header=HEADER), AuthResult(9)),
    (op.RoleGrantPermission("r"), pb.AuthRoleGrantPermissionResponse(header=HEADER), AuthResult(9)),
    (op.RoleRevokePermission("r"), pb.AuthRoleRevokePermissionResponse(header=HEADER), AuthResult(9)),
    (
        op.Status(),
        pb.StatusResponse(
            header=HEADER, version="3.6.1", leader=2, isLearner=True, errors=["x"], storageVersion="3.6.0"
        ),
        StatusResult(9, "3.6.1", True, True, ("x",), "3.6.0"),
    ),
    (op.Alarm(), pb.AlarmResponse(header=HEADER), AlarmResult(9)),
    (op.Defragment(), pb.DefragmentResponse(), MaintenanceResult(0)),
    (op.Hash(), pb.HashResponse(header=HEADER, hash=5), MaintenanceResult(9)),
    (
        op.HashKV(),
        pb.HashKVResponse(header=HEADER, hash=2**32 - 1, compact_revision=-1, hash_revision=8),
        HashKVResult(9, 2**32 - 1, -1, 8),
    ),
    (op.MoveLeader(1), pb.MoveLeaderResponse(header=HEADER), MaintenanceResult(9)),
    (op.Downgrade(0), pb.DowngradeResponse(header=HEADER, version="3.5.0"), DowngradeResult(9, "3.5.0")),
    (op.Lock(b"l"), pb.LockResponse(header=HEADER, key=b"l/7"), LockResult(9, b"l/7")),
    (op.Unlock(b"l/7"), pb.UnlockResponse(header=HEADER), UnlockResult(9)),
    (
        op.Campaign(b"e"),
        pb.CampaignResponse(header=HEADER, leader=pb.LeaderKey(name=b"e", key=b"e/7", rev=2, lease=7)),
        CampaignResult(9, op.LeaderKey(b"e", b"e/7", 2, 7)),
    ),
    (op.Proclaim(), pb.ProclaimResponse(header=HEADER), ElectionResult(9)),
    (op.Leader(b"e"), pb.LeaderResponse(header=HEADER, kv=A_KV), LeaderResult(9, KV)),
    (op.Observe(b"e"), pb.LeaderResponse(header=HEADER), LeaderResult(9)),
    (op.Resign(), pb.ResignResponse(header=HEADER), ElectionResult(9)),
    (op.As("a.1", op.Put(b"k")), pb.PutResponse(header=HEADER), PutResult(9)),
)


def test_every_call_has_an_answer_here() -> None:
    answered = {type(operation) for operation, _answer, _result in ANSWERS} | set(map(type, MEMBERS))
    assert answered == set(op.OPERATIONS) - NO_CALLS | {op.As}


MEMBERS = (op.MemberList(), op.MemberAdd(), op.MemberRemove(1), op.MemberUpdate(1), op.MemberPromote(1), op.Snapshot())
"""Whose answers are notified of above."""


@pytest.mark.parametrize(("operation", "answer", "result"), ANSWERS, ids=lambda value: type(value).__name__)
def test_an_answer_is_decoded_with_all_its_fields(operation: op.Operation, answer: Message, result: Result) -> None:
    assert decode(operation, answer) == result


def test_the_chunks_of_a_range_stream_are_one_answer_of_which_the_last_has_the_header() -> None:
    first = pb.RangeStreamResponse(range_response=pb.RangeResponse(kvs=[A_KV]))
    last = pb.RangeStreamResponse(range_response=pb.RangeResponse(header=HEADER, kvs=[A_KV], count=2))
    assert decode_range_stream((first, last)) == RangeResult(9, (KV, KV), count=2)


def test_a_range_stream_without_a_chunk_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="ended the stream without an answer"):
        decode_range_stream(())


def test_an_answer_in_a_txn_that_holds_nothing_is_malformed() -> None:
    with pytest.raises(Malformed, match="holds no response"):
        decode(op.Txn(), pb.TxnResponse(responses=[pb.ResponseOp()]))


# There and back, through the fake's engine: what the model says is what comes back.

THERE_AND_BACK: tuple[op.Operation, ...] = (
    op.LeaseGrant(60, id=7),
    op.Put(b"a", b"1", lease=7),
    op.Put(b"a", b"2", lease=7, prev_kv=True),
    op.Put(b"a", prev_kv=True, ignore_value=True, ignore_lease=True),
    op.Put(b"b", b"3"),
    *(
        op.Range(b"a", b"z", sort_order=order, sort_target=target, limit=1)
        for order in (op.SortOrder.ASCEND, op.SortOrder.DESCEND)
        for target in op.SortTarget
    ),
    op.Range(b"a", b"z", keys_only=True, serializable=True),
    op.Range(b"a", b"z", count_only=True),
    op.Range(b"a", b"z", revision=3),
    op.Range(b"a", b"z", min_mod_revision=5),
    op.Range(b"a", b"z", max_mod_revision=4),
    op.Range(b"a", b"z", min_create_revision=3),
    op.Range(b"a", b"z", max_create_revision=2),
    *(
        op.Txn((op.Compare(b"a", target, result, operand, range_end),), (op.Range(b"a"),))
        for target, operand in ((0, 3), (1, 2), (2, 4), (3, b"2"), (4, 7))
        for result in op.CompareResult
        for range_end in (b"", b"z")
    ),
    op.Txn(success=(op.Put(b"c", b"4"), op.Txn(success=(op.Range(b"c"),)), op.DeleteRange(b"b", prev_kv=True))),
    op.LeaseKeepAlive(7),
    op.LeaseTimeToLive(7),
    op.LeaseTimeToLive(7, keys=True),
    op.LeaseLeases(),
    op.DeleteRange(b"a", b"z", prev_kv=True),
    op.Compact(5),
    op.Compact(6, physical=True),
    op.LeaseRevoke(7),
)


def test_what_the_engine_answers_is_what_the_model_answers() -> None:
    engine, state = Engine(), State()
    for operation in THERE_AND_BACK:
        path, request = encode(operation)
        state, expected = step(state, operation)
        assert decode(operation, engine.call(path, request)) == expected, operation
    assert {type(operation) for operation in THERE_AND_BACK} == {
        *get_args(op.KvOperation),
        *get_args(op.LeaseOperation),
    } - {op.Advance, op.RangeStream}  # no call; and one with several answers, which the transcripts are about
