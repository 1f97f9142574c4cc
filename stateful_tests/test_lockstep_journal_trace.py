"""A journal of the fake becomes a trace, which can be replayed, and says what it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etcd_lockstep import assert_trace_matches, replay, trace_of
from etcd_lockstep.codec import Inexpressible, decode_request, decode_watch_request, encode, encode_watch
from etcd_lockstep.filing.corpus import save_trace
from etcd_lockstep.filing.replaying import Outcome
from etcd_lockstep.trace import MemberOf, RevisionAt, TokenOf
from etcd_model import operations as op
from fake_etcd import FakeEtcd, Fault, Refuse, stubs
from fake_etcd.wire import messages as pb
from test_lockstep_codec import FULL


@pytest.mark.parametrize("operation", FULL, ids=lambda operation: type(operation).__name__)
def test_every_request_is_read_as_the_operation_that_it_was_made_of(operation: op.Operation) -> None:
    alone = replace(operation, meanwhile=None) if isinstance(operation, op.Lock | op.Campaign) else operation
    assert decode_request(*encode(operation)) == alone


def test_so_is_every_request_of_a_stream_of_watchers() -> None:
    create = op.WatchCreate(b"k", b"z", 2, True, (0, 1), True, 3, True, 4)
    for operation in (create, op.WatchCancel(3, 4), op.WatchProgress(4)):
        assert decode_watch_request(encode_watch(operation), 4) == operation


def test_the_own_member_is_the_one_of_traces() -> None:
    path, request = encode(op.MemberRemove(op.MEMBER_ID), 77)
    assert decode_request(path, request, 77) == op.MemberRemove(op.MEMBER_ID)


def test_a_member_is_that_of_the_step_that_added_it() -> None:
    with FakeEtcd(journal=10) as etcd:
        cluster = stubs(etcd.channel()).cluster
        learner = cluster.MemberAdd(pb.MemberAddRequest(peerURLs=["http://a:1"], isLearner=True)).member
        cluster.MemberUpdate(pb.MemberUpdateRequest(ID=learner.ID, peerURLs=["http://a:2"]))
        cluster.MemberRemove(pb.MemberRemoveRequest(ID=learner.ID))
        assert etcd.journal is not None
        session = trace_of(etcd.journal)
    assert session.trace == (
        op.MemberAdd(("http://a:1",), True),
        op.MemberUpdate(MemberOf(1), ("http://a:2",)),
        op.MemberRemove(MemberOf(1)),
    )


def test_a_request_that_no_operation_makes_is_refused() -> None:
    with pytest.raises(Inexpressible, match="names no operand"):
        decode_request("/etcdserverpb.KV/Txn", pb.TxnRequest(compare=[pb.Compare(key=b"k")]))
    with pytest.raises(Inexpressible, match="no operation of a trace stands for this method"):
        decode_request("/etcdserverpb.KV/Unheard", pb.RangeRequest())


def test_a_session_becomes_a_trace_on_which_model_and_fake_agree() -> None:
    with FakeEtcd(journal=100) as fake:
        client = stubs(fake.channel())
        lease = client.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
        revision = client.kv.Put(pb.PutRequest(key=b"a", lease=lease)).header.revision
        client.kv.Range(pb.RangeRequest(key=b"a", revision=revision))
        compare = pb.Compare(key=b"a", target="MOD", result="EQUAL", mod_revision=revision)
        client.kv.Txn(pb.TxnRequest(compare=[compare]))
        fake.advance(2)
        key = client.lock.Lock(pb.LockRequest(name=b"l", lease=lease)).key
        client.lock.Unlock(pb.UnlockRequest(key=key))
        assert fake.journal is not None
        session = trace_of(fake.journal)
    assert session.left_out == ()
    assert session.trace == (
        op.LeaseGrant(60, lease),
        op.Put(b"a", lease=lease),
        op.Range(b"a", revision=RevisionAt(2)),
        op.Txn((op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, RevisionAt(2)),)),
        op.Advance(2),
        op.Lock(b"l", lease),
        op.Unlock(key),
    )
    assert_trace_matches(session.trace)


def test_a_token_is_that_of_the_step_that_made_it() -> None:
    with FakeEtcd(journal=100) as fake:
        client = stubs(fake.channel())
        client.auth.UserAdd(pb.AuthUserAddRequest(name="root", password="p"))
        client.auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
        client.auth.AuthEnable(pb.AuthEnableRequest())
        token = client.auth.Authenticate(pb.AuthenticateRequest(name="root", password="p")).token
        client.kv.Range(pb.RangeRequest(key=b"a"), metadata=(("token", token),))
        assert fake.journal is not None
        session = trace_of(fake.journal)
    assert session.trace[-1] == op.As(TokenOf(len(session.trace) - 1), op.Range(b"a"))
    assert_trace_matches(session.trace)


def test_what_is_left_out_is_said() -> None:
    with FakeEtcd(journal=2) as fake:
        client = stubs(fake.channel())
        client.kv.Put(pb.PutRequest(key=b"a"))
        fake.faults.add(Fault(method="Range", then=Refuse("no leader")))
        with pytest.raises(Exception, match="no leader"):
            client.kv.Range(pb.RangeRequest(key=b"a"))
        client.kv.Put(pb.PutRequest(key=b"b"))
        assert fake.journal is not None
        session = trace_of(fake.journal)
    assert session.left_out == (
        "entries 1 to 1: the journal had no room for them any more",
        "entry 2, Range: a rule of faults struck it",
    )
    assert session.trace == (op.Put(b"b"),)


def test_a_recorded_session_is_replayed_on_any_target(tmp_path: Path) -> None:
    with FakeEtcd(journal=100) as fake:
        client = stubs(fake.channel())
        client.kv.Put(pb.PutRequest(key=b"a"))
        client.kv.Range(pb.RangeRequest(key=b"a", count_only=True))
        client.kv.Put(pb.PutRequest(key=b"b"))
        assert fake.journal is not None
        save_trace(trace_of(fake.journal).trace, tmp_path / "session.json")
    [agreed] = replay([tmp_path / "session.json"], etcd="none")
    assert agreed.outcome is Outcome.FIXED
    [lied] = replay([tmp_path / "session.json"], "count-only-returns-kvs", etcd="none")
    assert lied.outcome is Outcome.STILL_LIES
    assert "at step 2: range kvs unexpected" in lied.remark


def test_an_empty_session_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the trace is empty"):
        save_trace((), tmp_path / "session.json")
