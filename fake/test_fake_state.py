"""The state of a fake: kept, returned to, and branched."""

from pathlib import Path

import grpc
import pytest

from fake_etcd import FakeEtcd, stubs
from fake_etcd.wire import messages as pb


def put(etcd: FakeEtcd, key: bytes, lease: int = 0) -> int:
    return int(stubs(etcd.channel()).kv.Put(pb.PutRequest(key=key, lease=lease)).header.revision)


def keys(etcd: FakeEtcd, revision: int = 0) -> list[bytes]:
    request = pb.RangeRequest(key=b"\0", range_end=b"\0", revision=revision)
    return [kv.key for kv in stubs(etcd.channel()).kv.Range(request).kvs]


def test_a_state_is_returned_to_as_often_as_one_likes() -> None:
    with FakeEtcd() as etcd:
        put(etcd, b"a")
        put(etcd, b"b")
        state = etcd.save_state()
        for _ in range(2):
            put(etcd, b"c")
            assert keys(etcd) == [b"a", b"b", b"c"]
            etcd.restore_state(state)
            assert keys(etcd) == [b"a", b"b"]
            assert keys(etcd, revision=2) == [b"a"]
        assert put(etcd, b"c") == 4


def test_leases_have_the_time_that_they_had_left() -> None:
    with FakeEtcd() as etcd:
        lease = stubs(etcd.channel()).lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
        put(etcd, b"a", lease)
        etcd.advance(20)
        state = etcd.save_state()
        etcd.advance(1000)
        assert keys(etcd) == []
        etcd.restore_state(state)
        etcd.advance(39)
        assert keys(etcd) == [b"a"]
        etcd.advance(1)
        assert keys(etcd) == []


def test_users_and_their_tokens_are_part_of_the_state() -> None:
    with FakeEtcd() as etcd:
        auth = stubs(etcd.channel()).auth
        auth.UserAdd(pb.AuthUserAddRequest(name="root", password="p"))
        auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
        auth.AuthEnable(pb.AuthEnableRequest())
        token = auth.Authenticate(pb.AuthenticateRequest(name="root", password="p")).token
        state = etcd.save_state()
        etcd.reset()
        put(etcd, b"open to all")
        etcd.advance(1000)
        etcd.restore_state(state)
        with pytest.raises(grpc.RpcError, match="user name is empty"):
            put(etcd, b"a")
        assert auth.UserList(pb.AuthUserListRequest(), metadata=(("token", token),)).users == ["root"]


def test_a_branch_and_its_origin_go_their_own_ways() -> None:
    with FakeEtcd() as etcd:
        lease = stubs(etcd.channel()).lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
        put(etcd, b"a", lease)
        etcd.advance(30)
        branch = etcd.branch()
        put(branch, b"of the branch")
        put(etcd, b"of the origin")
        branch.advance(30)
        assert keys(branch) == [b"of the branch"]
        assert keys(etcd) == [b"a", b"of the origin"]


def test_a_state_is_put_into_another_fake_of_its_release_alone() -> None:
    with FakeEtcd("3.5.16") as etcd, FakeEtcd("3.5.16") as same, FakeEtcd("3.6.0") as other:
        put(etcd, b"a")
        state = etcd.save_state()
        same.restore_state(state)
        assert keys(same) == [b"a"]
        with pytest.raises(ValueError, match=r"this state is one of etcd 3\.5\.16, and this is etcd 3\.6\.0"):
            other.restore_state(state)


def test_a_watch_ends_with_the_state_that_it_watched() -> None:
    with FakeEtcd() as etcd:
        state = etcd.save_state()
        request = pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a"))
        stream = stubs(etcd.channel()).watch.Watch(iter([request]))
        assert next(stream).created
        etcd.restore_state(state)
        with pytest.raises(grpc.RpcError, match="server stopped"):
            next(stream)


def test_a_lease_expires_when_it_is_told_to() -> None:
    with FakeEtcd() as etcd:
        lease = stubs(etcd.channel()).lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
        put(etcd, b"a", lease)
        etcd.expire_lease(lease)
        assert keys(etcd) == []
        with pytest.raises(KeyError, match="there is no lease 694d"):
            etcd.expire_lease(lease)


def test_a_journal_holds_the_last_entries() -> None:
    with FakeEtcd(journal=2) as etcd:
        for key in (b"a", b"b", b"c"):
            put(etcd, key)
        assert etcd.journal is not None
        assert [(entry.number, entry.request.key) for entry in etcd.journal] == [(2, b"b"), (3, b"c")]
        assert str(etcd.journal).splitlines()[1].split() == [
            "3",
            "0.000",
            "s",
            "Put",
            "key:",
            '"c"',
            "→",
            "revision",
            "4",
        ]
        with pytest.raises(ValueError, match="room for one entry or more, not -1"):
            FakeEtcd(journal=-1)


def test_a_journal_tells_streams_of_watchers_apart() -> None:
    with FakeEtcd(journal=10) as etcd:
        streams = [
            stubs(etcd.channel()).watch.Watch(iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=key))]))
            for key in (b"a", b"b")
        ]
        for stream in streams:
            assert next(stream).created
        put(etcd, b"a")
        assert etcd.journal is not None
        of_stream = {
            entry.request.create_request.key: entry.stream for entry in etcd.journal if entry.stream and entry.request
        }
        assert sorted(of_stream.values()) == [1, 2]
        assert [entry.stream for entry in etcd.journal if entry.path.endswith("/Put")] == [0]


def test_a_json_web_token_counts_for_as_long_as_it_had_left(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"a secret")
    with FakeEtcd(auth_token=f"jwt,sign-method=HS256,priv-key={key},ttl=60s") as etcd:
        auth, kv = stubs(etcd.channel()).auth, stubs(etcd.channel()).kv
        auth.UserAdd(pb.AuthUserAddRequest(name="root", password="r"))
        auth.UserGrantRole(pb.AuthUserGrantRoleRequest(user="root", role="root"))
        auth.AuthEnable(pb.AuthEnableRequest())
        token = auth.Authenticate(pb.AuthenticateRequest(name="root", password="r")).token
        etcd.advance(20)
        state = etcd.save_state()
        etcd.advance(1000)
        etcd.restore_state(state)
        etcd.advance(39)
        kv.Put(pb.PutRequest(key=b"a"), metadata=[("token", token)])
        etcd.advance(2)
        with pytest.raises(grpc.RpcError, match="invalid auth token"):
            kv.Put(pb.PutRequest(key=b"a"), metadata=[("token", token)])
