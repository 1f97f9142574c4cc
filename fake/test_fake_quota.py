"""A quota that not even an empty database is within: what is refused before all else, and what passes."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from fake_etcd import Engine, EtcdError
from fake_etcd.backend import EMPTY_BYTES
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3"]

KV, LEASE, MAINTENANCE = (f"/etcdserverpb.{name}/" for name in ("KV", "Lease", "Maintenance"))
LOCK, ELECTION = "/v3lockpb.Lock/", "/v3electionpb.Election/"

NO_SPACE = "RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded"
NO_SPACE_IN_TEXT = "UNKNOWN: etcdserver: mvcc: database space exceeded"

PUT = pb.RequestOp(request_put=pb.PutRequest(key=b"k"))
RANGE = pb.RequestOp(request_range=pb.RangeRequest(key=b"k"))


def full(version: str) -> Engine:
    return Engine(version, quota_bytes=1024)


def ask(engine: Engine, path: str, request: Message, token: str = "") -> str:
    """`ok`, or the refusal."""
    try:
        engine.call(path, request, token)
    except EtcdError as error:
        return str(error)
    return "ok"


def alarms(engine: Engine) -> list[tuple[bool, str]]:
    """For each, whether it is the one member's, and its type."""
    response = engine.call(MAINTENANCE + "Alarm", pb.AlarmRequest())
    member = engine.call(MAINTENANCE + "Status", pb.StatusRequest()).header.member_id  # type: ignore[attr-defined]
    return [(one.memberID == member, pb.AlarmType.Name(one.alarm)) for one in response.alarms]  # type: ignore[attr-defined]


def nested(op: pb.RequestOp) -> pb.TxnRequest:
    return pb.TxnRequest(success=[pb.RequestOp(request_txn=pb.TxnRequest(success=[op]))])


COSTLY = [
    (KV + "Put", pb.PutRequest(key=b"k")),
    (KV + "Put", pb.PutRequest()),
    (KV + "Put", pb.PutRequest(key=b"k", lease=404)),
    (KV + "Put", pb.PutRequest(key=b"k", value=b"v" * 1_600_000)),
    (KV + "Txn", pb.TxnRequest(success=[PUT])),
    (KV + "Txn", pb.TxnRequest(failure=[PUT, PUT])),
    (LEASE + "LeaseGrant", pb.LeaseGrantRequest(TTL=10)),
    (LEASE + "LeaseGrant", pb.LeaseGrantRequest(TTL=2**40)),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("path", "request_"), COSTLY)
def test_what_costs_space_is_refused_whatever_else_is_wrong_and_the_alarm_is_up(
    version: str, path: str, request_: Message
) -> None:
    engine = full(version)
    assert alarms(engine) == []
    assert ask(engine, path, request_) == NO_SPACE
    assert alarms(engine) == [(True, "NOSPACE")]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_costs_nothing_passes_and_raises_no_alarm(version: str) -> None:
    engine = full(version)
    assert ask(engine, KV + "Range", pb.RangeRequest(key=b"k")) == "ok"
    assert ask(engine, KV + "DeleteRange", pb.DeleteRangeRequest(key=b"k")) == "ok"
    assert ask(engine, KV + "Compact", pb.CompactionRequest(revision=1)) == "ok"
    assert ask(engine, MAINTENANCE + "Defragment", pb.DefragmentRequest()) == "ok"
    assert alarms(engine) == []


@pytest.mark.parametrize(
    ("version", "free", "nested_puts"),
    [
        *(("3.4.19", NO_SPACE, NO_SPACE), ("3.4.20", "ok", "ok"), ("3.5.6", NO_SPACE, NO_SPACE), ("3.5.7", "ok", "ok")),
        *(("3.5.33", "ok", NO_SPACE), ("3.6.13", "ok", "ok"), ("3.6.14", "ok", NO_SPACE)),
        *(("3.7.0", "ok", "ok"), ("3.7.1", "ok", NO_SPACE)),
    ],
)
def test_txns_without_puts_and_nested_puts_pass_or_not_by_release(version: str, free: str, nested_puts: str) -> None:
    engine = full(version)
    assert ask(engine, KV + "Txn", pb.TxnRequest(success=[RANGE])) == ask(engine, KV + "Txn", nested(RANGE)) == free
    assert ask(engine, KV + "Txn", nested(PUT)) == nested_puts
    ask(engine, KV + "Put", pb.PutRequest(key=b"k"))
    assert ask(engine, KV + "Txn", nested(PUT)) == nested_puts  # nor does the alarm stop them


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_locks_or_campaigns_with_a_lease_or_for_one(version: str) -> None:
    for lease in (0, 7):
        engine = full(version)
        assert ask(engine, LOCK + "Lock", pb.LockRequest(name=b"n", lease=lease)) == NO_SPACE_IN_TEXT
        assert ask(engine, ELECTION + "Campaign", pb.CampaignRequest(name=b"n", lease=lease)) == NO_SPACE_IN_TEXT
        assert ask(engine, LOCK + "Unlock", pb.UnlockRequest(key=b"n/7")) == "ok"
        assert alarms(engine) == [(True, "NOSPACE")]


@pytest.mark.parametrize(("version", "raised"), [("3.5.9", []), ("3.5.10", [(True, "NOSPACE")])])
def test_the_alarm_is_raised_with_the_token_that_came_and_so_not_with_one_that_is_refused(
    version: str, raised: list[tuple[bool, str]]
) -> None:
    engine = full(version)
    assert ask(engine, KV + "Put", pb.PutRequest(key=b"k"), token="none.1") == NO_SPACE
    assert alarms(engine) == raised


def test_a_reset_ends_the_alarm_and_leaves_the_quota() -> None:
    engine = full("3.5.16")
    assert ask(engine, *COSTLY[0]) == NO_SPACE
    engine.reset()
    assert alarms(engine) == []
    assert ask(engine, *COSTLY[0]) == NO_SPACE


@pytest.mark.parametrize(("quota", "answer"), [(24 * 1024, NO_SPACE), (EMPTY_BYTES + 1024, "ok")])
def test_an_empty_database_is_larger_than_the_least_of_quotas(quota: int, answer: str) -> None:
    assert ask(Engine(quota_bytes=quota), *COSTLY[0]) == answer
