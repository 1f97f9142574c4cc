"""Operations and answers as JSON: what is written is read back the same, and what can't be meant is refused."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_lockstep.codec import encode
from etcd_lockstep.comparing.observation import Observation, Raised
from etcd_lockstep.filing.notation import DEEPEST, BadNotation, answer_to_json, operation_from_json, to_json
from etcd_lockstep.names import operation_name
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.workloads import WORKLOADS, Swarm, Workload
from etcd_lockstep.trace import LeaseOf, MemberOf, RevisionAt, TokenOf, symbols
from etcd_model import Error, Operation
from etcd_model import operations as op
from etcd_model.errors import Code
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    Event,
    KeyValue,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    TxnResult,
    Waiting,
    Watched,
    WatchReadResult,
)

STEP = 9


def there_and_back(operation: Operation, step: int = STEP) -> Operation:
    return operation_from_json(json.loads(json.dumps(to_json(operation))), step)


def identical(one: Operation, other: Operation) -> bool:
    """Equal, and with the same symbols in the same places."""
    return one == other and symbols(one) == symbols(other) and repr(one) == repr(other)


# Every field of every operation

INTS = st.integers(-(2**63), 2**63 - 1)
MEMBERS = INTS | st.integers(1, STEP - 1).map(MemberOf)
LEASES = INTS | st.integers(1, STEP - 1).map(LeaseOf)
REVISIONS = INTS | st.builds(RevisionAt, st.integers(0, STEP - 1), INTS)
KEYS = (
    st.binary(max_size=6)
    | st.builds(bytes.__mul__, st.sampled_from((b"a", b"\0")), st.integers(255, 300))
    | st.text("ab\"\\'é", max_size=6).map(str.encode)
)
BOOLS = st.booleans()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
URLS = st.lists(TEXTS, max_size=2).map(tuple)


def enum(*members: int) -> st.SearchStrategy[int]:
    """As the wire has it: any int32, though mostly one that has a name."""
    return st.sampled_from(members) | st.integers(-(2**31), 2**31 - 1).filter(lambda number: number not in members)


FILTERS = st.lists(enum(*op.FilterType), max_size=3).map(tuple)
LEADERS = st.none() | st.builds(op.LeaderKey, KEYS, KEYS, REVISIONS, LEASES)
RANGE_FIELDS = (
    KEYS,
    KEYS,
    INTS,
    REVISIONS,
    enum(*op.SortOrder),
    enum(*op.SortTarget),
    BOOLS,
    BOOLS,
    BOOLS,
    REVISIONS,
    REVISIONS,
    REVISIONS,
    REVISIONS,
)
RANGES = st.builds(op.Range, *RANGE_FIELDS)
PUTS = st.builds(op.Put, KEYS, KEYS, LEASES, BOOLS, BOOLS, BOOLS)
DELETES = st.builds(op.DeleteRange, KEYS, KEYS, BOOLS)
COMPARES = st.builds(
    op.Compare, KEYS, st.just(op.CompareTarget.VALUE), enum(*op.CompareResult), KEYS, KEYS
) | st.builds(
    op.Compare,
    KEYS,
    enum(*(set(op.CompareTarget) - {op.CompareTarget.VALUE})),
    enum(*op.CompareResult),
    LEASES | REVISIONS,
    KEYS,
).filter(lambda compare: compare.target != op.CompareTarget.VALUE)


def txns(requests: st.SearchStrategy[Any]) -> st.SearchStrategy[op.Txn]:
    branches = st.lists(requests, max_size=2).map(tuple)
    return st.builds(op.Txn, st.lists(COMPARES, max_size=2).map(tuple), branches, branches)


TXNS = txns(st.recursive(RANGES | PUTS | DELETES, txns, max_leaves=3))
STRATEGIES: dict[type[Operation], st.SearchStrategy[Any]] = {
    op.Range: RANGES,
    op.RangeStream: st.builds(op.RangeStream, *RANGE_FIELDS),
    op.Put: PUTS,
    op.DeleteRange: DELETES,
    op.Txn: TXNS,
    op.Compact: st.builds(op.Compact, REVISIONS, BOOLS),
    op.LeaseGrant: st.builds(op.LeaseGrant, INTS, LEASES),
    op.LeaseRevoke: st.builds(op.LeaseRevoke, LEASES),
    op.LeaseKeepAlive: st.builds(op.LeaseKeepAlive, LEASES),
    op.LeaseTimeToLive: st.builds(op.LeaseTimeToLive, LEASES, BOOLS),
    op.LeaseLeases: st.just(op.LeaseLeases()),
    op.Advance: st.builds(op.Advance, st.integers(0, 3600)),
    op.WatchCreate: st.builds(op.WatchCreate, KEYS, KEYS, REVISIONS, BOOLS, FILTERS, BOOLS, INTS, BOOLS, INTS),
    op.WatchCancel: st.builds(op.WatchCancel, INTS, INTS),
    op.WatchProgress: st.builds(op.WatchProgress, INTS),
    op.WatchRead: st.builds(op.WatchRead, INTS),
    op.WatchClose: st.builds(op.WatchClose, INTS),
    op.Authenticate: st.builds(op.Authenticate, TEXTS, TEXTS),
    op.UserAdd: st.builds(op.UserAdd, TEXTS, TEXTS, BOOLS),
    op.UserGet: st.builds(op.UserGet, TEXTS),
    op.UserDelete: st.builds(op.UserDelete, TEXTS),
    op.UserChangePassword: st.builds(op.UserChangePassword, TEXTS, TEXTS),
    op.UserGrantRole: st.builds(op.UserGrantRole, TEXTS, TEXTS),
    op.UserRevokeRole: st.builds(op.UserRevokeRole, TEXTS, TEXTS),
    op.RoleAdd: st.builds(op.RoleAdd, TEXTS),
    op.RoleGet: st.builds(op.RoleGet, TEXTS),
    op.RoleDelete: st.builds(op.RoleDelete, TEXTS),
    op.RoleGrantPermission: st.builds(
        op.RoleGrantPermission, TEXTS, st.none() | st.builds(op.Permission, enum(*op.PermissionType), KEYS, KEYS)
    ),
    op.RoleRevokePermission: st.builds(op.RoleRevokePermission, TEXTS, KEYS, KEYS),
    op.Alarm: st.builds(op.Alarm, enum(*op.AlarmAction), INTS, enum(*op.AlarmType)),
    op.HashKV: st.builds(op.HashKV, REVISIONS),
    op.MoveLeader: st.builds(op.MoveLeader, MEMBERS),
    op.Downgrade: st.builds(op.Downgrade, enum(*op.DowngradeAction), TEXTS),
    op.MemberList: st.builds(op.MemberList, BOOLS),
    op.MemberAdd: st.builds(op.MemberAdd, URLS, BOOLS),
    op.MemberRemove: st.builds(op.MemberRemove, MEMBERS),
    op.MemberUpdate: st.builds(op.MemberUpdate, MEMBERS, URLS),
    op.MemberPromote: st.builds(op.MemberPromote, MEMBERS),
    op.Lock: st.builds(op.Lock, KEYS, LEASES),
    op.Unlock: st.builds(op.Unlock, KEYS),
    op.Campaign: st.builds(op.Campaign, KEYS, LEASES, KEYS),
    op.Proclaim: st.builds(op.Proclaim, LEADERS, KEYS),
    op.Leader: st.builds(op.Leader, KEYS),
    op.Observe: st.builds(op.Observe, KEYS),
    op.Resign: st.builds(op.Resign, LEADERS),
}
WITHOUT_FIELDS: list[Any] = [kind for kind in op.OPERATIONS if not fields(kind)]
STRATEGIES |= {kind: st.just(kind()) for kind in WITHOUT_FIELDS}
STRATEGIES[op.As] = st.builds(op.As, TEXTS | st.integers(1, STEP - 1).map(TokenOf), st.one_of(*STRATEGIES.values()))


@pytest.mark.parametrize("kind", op.OPERATIONS, ids=operation_name)
def test_every_operation_comes_back(kind: type[Operation]) -> None:
    @given(STRATEGIES[kind])
    def comes_back(operation: Operation) -> None:
        assert identical(there_and_back(operation), operation)

    comes_back()


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_every_operation_that_a_run_draws_comes_back(workload: Workload) -> None:
    @given(st.lists(st.binary(min_size=BYTES, max_size=BYTES), min_size=2, max_size=12))
    def comes_back(drawn: list[bytes]) -> None:
        state = GeneratorState()
        swarm = Swarm(ChoiceDecoder(drawn[0]), workload, tuple(workload.weights))
        for step, number in enumerate(drawn[1:], 1):
            operation = swarm.draw(ChoiceDecoder(number), state)
            assert identical(there_and_back(operation, step), operation)
            state.follow(operation)

    comes_back()


# How it is written

ALARM_WRITTEN = {"op": "alarm", "action": "ACTIVATE", "member_id": 1, "alarm": "NOSPACE"}


@pytest.mark.parametrize(
    ("operation", "written"),
    [
        (op.Put(b"a"), {"op": "put", "key": "a"}),
        (
            op.Put(b"a\x00", b'"\xff', LeaseOf(2)),
            {"op": "put", "key": {"hex": "6100"}, "value": {"hex": "22ff"}, "lease": {"lease_of": 2}},
        ),
        (
            op.Range(b"a", sort_order=op.SortOrder.DESCEND, sort_target=op.SortTarget.MOD, limit=-1),
            {"op": "range", "key": "a", "limit": -1, "sort_order": "DESCEND", "sort_target": "MOD"},
        ),
        (op.Range(b"a", sort_order=3), {"op": "range", "key": "a", "sort_order": 3}),
        (
            op.Range(b"a", revision=RevisionAt(0, -1), min_mod_revision=RevisionAt(4)),
            {
                "op": "range",
                "key": "a",
                "revision": {"revision_at": 0, "plus": -1},
                "min_mod_revision": {"revision_at": 4},
            },
        ),
        (
            op.Txn((op.Compare(b"a", op.CompareTarget.LEASE, op.CompareResult.NOT_EQUAL, LeaseOf(1)),), (op.Txn(),)),
            {
                "op": "txn",
                "compare": [{"key": "a", "target": "LEASE", "result": "NOT_EQUAL", "operand": {"lease_of": 1}}],
                "success": [{"op": "txn"}],
            },
        ),
        (op.LeaseGrant(0), {"op": "lease_grant", "ttl": 0}),
        (op.LeaseTimeToLive(7, keys=True), {"op": "lease_time_to_live", "id": 7, "keys": True}),
        (op.LeaseLeases(), {"op": "lease_leases"}),
        (op.Advance(3), {"op": "advance", "seconds": 3}),
        (
            op.As(TokenOf(3), op.Put(b"a")),
            {"op": "as", "token": {"token_of": 3}, "operation": {"op": "put", "key": "a"}},
        ),
        (
            op.As("x", op.UserList(), scheme="Bearer ", authorization=True),
            {
                "op": "as",
                "token": "x",
                "operation": {"op": "user_list"},
                "scheme": "Bearer ",
                "authorization": True,
            },
        ),
        (
            op.Lock(b"a", 7, op.LeaseRevoke(LeaseOf(1))),
            {"op": "lock", "name": "a", "lease": 7, "meanwhile": {"op": "lease_revoke", "id": {"lease_of": 1}}},
        ),
        (op.As("x", op.UserAdd("u")), {"op": "as", "token": "x", "operation": {"op": "user_add", "name": "u"}}),
        (
            op.WatchCreate(b"a", start_revision=RevisionAt(1, 1), filters=(op.FilterType.NOPUT, 7), stream=1),
            {
                "op": "watch_create",
                "key": "a",
                "start_revision": {"revision_at": 1, "plus": 1},
                "filters": ["NOPUT", 7],
                "stream": 1,
            },
        ),
        (
            op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"a", b"\x00")),
            {
                "op": "role_grant_permission",
                "name": "r",
                "perm": {"perm_type": "READWRITE", "key": "a", "range_end": {"hex": "00"}},
            },
        ),
        (
            op.Proclaim(op.LeaderKey(b"e", b"e/7", RevisionAt(2), LeaseOf(1)), b"v"),
            {
                "op": "proclaim",
                "leader": {"name": "e", "key": "e/7", "rev": {"revision_at": 2}, "lease": {"lease_of": 1}},
                "value": "v",
            },
        ),
        (op.Resign(op.LeaderKey()), {"op": "resign", "leader": {}}),
        (op.Resign(), {"op": "resign"}),
        (op.Alarm(op.AlarmAction.ACTIVATE, 1, op.AlarmType.NOSPACE), ALARM_WRITTEN),
        (op.Downgrade(op.DowngradeAction.ENABLE, "3.5"), {"op": "downgrade", "action": "ENABLE", "version": "3.5"}),
        (op.MemberAdd(("http://a",)), {"op": "member_add", "peer_urls": ["http://a"]}),
        (op.MemberRemove(MemberOf(4)), {"op": "member_remove", "id": {"member_of": 4}}),
        (op.Put(b"a", b"x" * 1_500_000), {"op": "put", "key": "a", "value": {"repeat": "x", "times": 1_500_000}}),
        (op.Put(b"a", b"\0" * 257), {"op": "put", "key": "a", "value": {"repeat": {"hex": "00"}, "times": 257}}),
        (op.Put(b"a", b"x" * 2**24), {"op": "put", "key": "a", "value": {"repeat": "x", "times": 2**24}}),
        (op.Put(b"a", b"x" * 256), {"op": "put", "key": "a", "value": "x" * 256}),
        (op.Put(b"a", b"xy" * 256), {"op": "put", "key": "a", "value": "xy" * 256}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_written(operation: Operation, written: dict[str, Any]) -> None:
    assert to_json(operation) == written
    assert identical(operation_from_json(written, STEP), operation)


def test_every_field_without_a_default_is_written() -> None:
    for kind in op.OPERATIONS:
        needed = [field.name for field in fields(kind) if field.default is MISSING]
        smallest = kind(**{name: b"" if name == "key" else 0 for name in needed})  # type: ignore[arg-type]  # by name
        assert list(to_json(smallest)) == ["op", *needed]


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        (Error(Code.NOT_FOUND, "no"), {"answer": "error", "code": "NOT_FOUND", "message": "no"}),
        (Raised("KeyError", "'a'"), {"answer": "raised", "exception": "KeyError", "message": "'a'"}),
        (
            RangeResult(2, (KeyValue(b"a", b"\x00", 2, 2, 1, LeaseOf(1)),), count=1),
            {
                "answer": "range",
                "revision": 2,
                "kvs": [
                    {
                        "key": "a",
                        "value": {"hex": "00"},
                        "create_revision": 2,
                        "mod_revision": 2,
                        "version": 1,
                        "lease": {"lease_of": 1},
                    }
                ],
                "count": 1,
            },
        ),
        (
            TxnResult(1, False, (PutResult(1),)),
            {"answer": "txn", "revision": 1, "succeeded": False, "responses": [{"revision": 1}]},
        ),
        (
            LeaseLeasesResult(1, (7, LeaseOf(2))),
            {"answer": "lease_leases", "revision": 1, "leases": [7, {"lease_of": 2}]},
        ),
        (
            LeaseTimeToLiveResult(1, 7, -1, keys=(b"a",)),
            {"answer": "lease_time_to_live", "revision": 1, "id": 7, "ttl": -1, "keys": ["a"]},
        ),
        (
            WatchReadResult(3, (Watched(0, (Event(1, KeyValue(b"a", b"", 0, 3, 0)),), ("why",), 2, False),), (3,), 1),
            {
                "answer": "watch_read",
                "revision": 3,
                "watches": [
                    {
                        "watch_id": 0,
                        "events": [
                            {
                                "type": 1,
                                "kv": {"key": "a", "value": "", "create_revision": 0, "mod_revision": 3, "version": 0},
                            }
                        ],
                        "cancels": ["why"],
                        "compact_revision": 2,
                        "atomic": False,
                    }
                ],
                "progress": [3],
                "stray": 1,
            },
        ),
        (
            RoleGetResult(1, (op.Permission(1, b"a"),)),
            {"answer": "role_get", "revision": 1, "perm": [{"perm_type": "WRITE", "key": "a"}]},
        ),
        (
            AlarmResult(1, (AlarmMember(1, 2),)),
            {"answer": "alarm", "revision": 1, "alarms": [{"member_id": 1, "alarm": "CORRUPT"}]},
        ),
        (Waiting(), {"answer": "waiting"}),
    ],
)
def test_an_answer_is_written_with_its_kind(answer: Observation, written: dict[str, Any]) -> None:
    assert answer_to_json(answer) == written
    json.dumps(written)


# What is refused


def deep(levels: int) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": "txn"}
    for _ in range(levels):
        operation = {"op": "txn", "success": [operation]}
    return operation


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (None, "an operation is an object with 'op', not null"),
        ("put", "an operation is an object with 'op', not \"put\""),
        (["put"], "an operation is an object with 'op'"),
        ({"key": "a"}, "an operation is an object with 'op'"),
        ({"op": 3}, "an operation is an object with 'op'"),
        (
            {"op": "PutRequest"},
            "no operation is called 'PutRequest': there are range, range_stream, put, delete_range,",
        ),
        ({"op": "put", "key": "a", "ttl": 3}, "a put has no 'ttl'"),
        ({"op": "put"}, "a put needs 'key'"),
        ({"op": "put", "key": 3}, "key can't be 3 at step 9"),
        ({"op": "put", "key": None}, "key can't be null at step 9"),
        ({"op": "put", "key": {"hex": "0g"}}, "key: '0g' is not hexadecimal"),
        ({"op": "put", "key": {"hex": "00", "x": 1}}, "key can't be"),
        ({"op": "put", "key": "\ud800"}, 'key can\'t be "\\ud800" at step 9'),
        ({"op": "put", "key": "a", "lease": "7"}, 'lease can\'t be "7" at step 9'),
        ({"op": "put", "key": "a", "lease": 7.0}, "lease can't be 7.0 at step 9"),
        ({"op": "put", "key": "a", "lease": True}, "lease can't be true at step 9"),
        ({"op": "put", "key": "a", "lease": 2**63}, "lease can't be 9223372036854775808 at step 9"),
        ({"op": "put", "key": "a", "prev_kv": 1}, "prev_kv can't be 1 at step 9"),
        ({"op": "put", "key": "a", "lease": {"lease_of": 9}}, 'lease can\'t be {"lease_of": 9} at step 9'),
        ({"op": "put", "key": "a", "lease": {"lease_of": 12}}, 'lease can\'t be {"lease_of": 12} at step 9'),
        ({"op": "put", "key": "a", "lease": {"lease_of": 0}}, "lease can't be"),
        ({"op": "put", "key": "a", "lease": {"lease_of": True}}, "lease can't be"),
        ({"op": "put", "key": "a", "lease": {"lease_of": 1, "plus": 1}}, "lease can't be"),
        ({"op": "put", "key": "a", "lease": {"revision_at": 1}}, "lease can't be"),
        ({"op": "lease_grant", "ttl": {"lease_of": 1}}, "ttl can't be"),
        ({"op": "range", "key": "a", "limit": {"revision_at": 1}}, "limit can't be"),
        ({"op": "compact", "revision": {"revision_at": 9}}, 'revision can\'t be {"revision_at": 9} at step 9'),
        ({"op": "compact", "revision": {"revision_at": -1}}, "revision can't be"),
        ({"op": "compact", "revision": {"revision_at": 1, "plus": "1"}}, "revision can't be"),
        ({"op": "compact", "revision": {"revision_at": 1, "plus": True}}, "revision can't be"),
        ({"op": "compact", "revision": {"revision_at": 1, "plus": 2**63}}, "revision can't be"),
        ({"op": "range", "key": "a", "sort_order": "UP"}, 'sort_order is one of NONE, ASCEND, DESCEND, not "UP"'),
        ({"op": "range", "key": "a", "sort_order": 2**31}, "sort_order can't be 2147483648"),
        ({"op": "txn", "then": []}, "a txn has no 'then'"),
        ({"op": "txn", "success": {"op": "put", "key": "a"}}, "success of a txn is a list, not {"),
        ({"op": "txn", "success": [{"op": "compact", "revision": 1}]}, "a txn can't hold a compact"),
        ({"op": "txn", "compare": ["a"]}, 'a compare is an object, not "a"'),
        ({"op": "txn", "compare": [{"key": "a"}]}, "a compare needs 'target'"),
        (
            {"op": "txn", "compare": [{"key": "a", "target": "VALUE", "result": "EQUAL", "operand": 1}]},
            "the operand of a compare is text where its target is VALUE, a number elsewhere",
        ),
        (
            {"op": "txn", "compare": [{"key": "a", "target": "MOD", "result": "EQUAL", "operand": "1"}]},
            "the operand of a compare is text where its target is VALUE, a number elsewhere",
        ),
        ({"op": "as", "operation": {"op": "put", "key": "a"}}, "an as needs 'token'"),
        ({"op": "as", "token": "x"}, "an as needs 'operation'"),
        ({"op": "as", "token": "x", "operation": "put"}, "an operation is an object with 'op', not \"put\""),
        ({"op": "as", "token": "x", "operation": {"op": "put"}}, "a put needs 'key'"),
        (
            {"op": "as", "token": "x", "operation": {"op": "as", "token": "y", "operation": {"op": "status"}}},
            "an operation is sent with one token, not with two",
        ),
        (
            {"op": "lock", "name": "a", "meanwhile": {"op": "lock", "name": "b"}},
            "while a call waits nobody is asked for a lock",
        ),
        ({"op": "txn", "success": [{"op": "as", "token": "x", "operation": {"op": "txn"}}]}, "a txn can't hold an as"),
        (
            {"op": "as", "token": {"token_of": 9}, "operation": {"op": "status"}},
            'token can\'t be {"token_of": 9} at step 9',
        ),
        ({"op": "as", "token": {"token_of": 0}, "operation": {"op": "status"}}, "token can't be"),
        ({"op": "as", "token": {"lease_of": 1}, "operation": {"op": "status"}}, "token can't be"),
        ({"op": "as", "token": 3, "operation": {"op": "status"}}, "token can't be 3 at step 9"),
        ({"op": "as", "token": "\ud800", "operation": {"op": "status"}}, "token can't be"),
        ({"op": "user_add", "name": {"token_of": 1}}, "name can't be"),
        ({"op": "lease_revoke", "id": {"member_of": 1}}, "id can't be"),
        ({"op": "member_remove", "id": {"member_of": 9}}, 'id can\'t be {"member_of": 9} at step 9'),
        ({"op": "user_add", "name": {"hex": "00"}}, "name can't be"),
        ({"op": "watch_create", "key": "a", "filters": "NOPUT"}, 'filters is a list, not "NOPUT"'),
        ({"op": "watch_create", "key": "a", "filters": ["PUT"]}, 'filters is one of NOPUT, NODELETE, not "PUT"'),
        ({"op": "watch_create", "key": "a", "filters": [True]}, "filters can't be true"),
        ({"op": "watch_create", "key": "a", "start_revision": {"lease_of": 1}}, "start_revision can't be"),
        ({"op": "watch_create", "key": "a", "watch_id": {"lease_of": 1}}, "watch_id can't be"),
        ({"op": "role_grant_permission", "name": "r", "perm": "READ"}, 'perm is an object, not "READ"'),
        ({"op": "role_grant_permission", "name": "r", "perm": None}, "perm is an object, not null"),
        ({"op": "role_grant_permission", "name": "r", "perm": {"key": "a"}}, "a permission needs 'perm_type'"),
        (
            {"op": "role_grant_permission", "name": "r", "perm": {"perm_type": "ALL", "key": "a"}},
            'perm_type is one of READ, WRITE, READWRITE, not "ALL"',
        ),
        ({"op": "resign", "leader": {"id": 7}}, "a leader key has no 'id'"),
        ({"op": "resign", "leader": {"rev": {"lease_of": 1}}}, "rev can't be"),
        ({"op": "alarm", "action": "ENABLE"}, 'action is one of GET, ACTIVATE, DEACTIVATE, not "ENABLE"'),
        ({"op": "downgrade", "action": "GET"}, 'action is one of VALIDATE, ENABLE, CANCEL, not "GET"'),
        ({"op": "member_remove", "id": {"lease_of": 1}}, "id can't be"),
        ({"op": "member_add", "peer_urls": "http://a"}, 'peer_urls is a list, not "http://a"'),
        ({"op": "member_add", "peer_urls": [3]}, "peer_urls can't be 3"),
        ({"op": "advance", "seconds": -1}, "seconds can't be -1"),
        ({"op": "advance", "seconds": 3601}, "seconds can't be 3601"),
        ({"op": "put", "key": "a", "value": {"repeat": "xy", "times": 300}}, "value is one byte, at most"),
        ({"op": "put", "key": "a", "value": {"repeat": "", "times": 300}}, "value is one byte, at most"),
        (
            {"op": "put", "key": "a", "value": {"repeat": "x", "times": 2**30}},
            "value is one byte, at most 16777216 times",
        ),
        ({"op": "put", "key": "a", "value": {"repeat": "x", "times": -1}}, "value is one byte, at most"),
        ({"op": "put", "key": "a", "value": {"repeat": "x", "times": True}}, "value can't be"),
        ({"op": "put", "key": "a", "value": {"repeat": 3, "times": 300}}, "value can't be 3"),
        ({"op": "user_add", "name": {"repeat": "x", "times": 300}}, "name can't be"),
        ({"op": "put", "key": ["x" * 200]}, f"key can't be [\"{'x' * 58}… at step 9"),
    ],
)
def test_what_is_no_operation_is_refused_with_the_reason(written: object, reason: str) -> None:
    with pytest.raises(BadNotation) as refused:
        operation_from_json(written, STEP)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_txns_in_txns_are_read_as_deep_as_they_can_be_sent() -> None:
    operation = operation_from_json(deep(DEEPEST - 1), STEP)
    decoded = encode(operation)[1]
    assert type(decoded).FromString(decoded.SerializeToString()) == decoded
    for _ in range(DEEPEST - 1):
        assert isinstance(operation, op.Txn)
        (operation,) = operation.success
    assert operation == op.Txn()

    with pytest.raises(BadNotation, match=f"txns nested too deep: at most {DEEPEST} levels"):
        operation_from_json(deep(DEEPEST), STEP)
