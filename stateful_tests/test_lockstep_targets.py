"""Targets: what they can be asked, what comes back, and what a reset leaves of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.target import ALL, BASIC, Target, TargetDied
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.etcd3 import Etcd3Target
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.footprint import Footprint
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Result
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    AdvanceResult,
    AlarmMember,
    AlarmResult,
    AuthenticateResult,
    AuthResult,
    AuthStatusResult,
    HashKVResult,
    LeaseGrantResult,
    LeaseTimeToLiveResult,
    MaintenanceResult,
    Member,
    MemberAddResult,
    MemberListResult,
    PutResult,
    RangeResult,
    RoleListResult,
    SnapshotResult,
    StatusResult,
    UserListResult,
    WatchCreateResult,
    WatchReadResult,
)


@pytest.fixture(params=["fake", "fake-server", "etcd"])
def target(request: pytest.FixtureRequest, etcd_version: str, min_lease_ttl: int) -> Iterator[Target]:
    if request.param != "fake-server":
        yield request.getfixturevalue("real" if request.param == "etcd" else "fake")
        return
    served = FakeServerTarget(etcd_version, min_lease_ttl)
    served.reset()
    yield served
    served.close()


class Mock(Target):
    name = "mock"

    def reset(self) -> None:
        pass

    def apply(self, operation: Operation) -> Result:
        raise NotImplementedError(operation)


# What can be asked


def test_a_target_that_says_nothing_is_asked_no_more_than_keys_and_leases() -> None:
    assert Mock.capabilities == BASIC
    assert not BASIC & {"watch_create", "advance", "auth_enable", "as", "lock"}


def test_a_target_that_says_nothing_has_no_clock_of_its_own() -> None:
    assert not Mock.real_time
    assert WireTarget.real_time


def test_the_model_the_fake_and_the_wire_are_asked_everything() -> None:
    assert ModelTarget.capabilities == FakeTarget.capabilities == WireTarget.capabilities == ALL
    assert ALL > BASIC


def test_etcd3_is_asked_what_it_was_always_asked() -> None:
    assert Etcd3Target.capabilities == BASIC - {"lease_leases"}


def test_a_target_of_the_users_keeps_its_clock_and_its_count_of_auth() -> None:
    class Clocked(Mock):
        real_time = True

        def auth_revision(self) -> int:
            return 7

    own = CheckedTarget(Clocked(), "own")
    assert own.real_time
    assert own.auth_revision() == 7


def test_any_result_may_come_from_a_target_of_the_users_and_what_is_none_may_not() -> None:
    class Says(Mock):
        said: object = None

        def apply(self, operation: Operation) -> Result:  # noqa: ARG002  # it always says the same
            return self.said  # type: ignore[return-value]  # on purpose

    says = Says()
    own = CheckedTarget(says, "own")
    says.said = StatusResult(1, "3.5.16")
    assert own.apply(op.Status()) == says.said
    says.said = "no result"
    with pytest.raises(TypeError, match="str, which is no result"):
        own.apply(op.Status())
    says.said = StatusResult(1, b"3.5.16")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match=r"StatusResult\.version"):
        own.apply(op.Status())


# What comes back


def test_the_servers_own_member_has_the_id_of_all_servers(target: Target) -> None:
    members = target.apply(op.MemberList())
    assert isinstance(members, MemberListResult)
    assert members.members == (Member(op.MEMBER_ID),)
    status = target.apply(op.Status())
    assert isinstance(status, StatusResult)
    assert status.leads
    assert isinstance(target.apply(op.MoveLeader(op.MEMBER_ID)), MaintenanceResult)


def test_a_snapshot_is_read_to_its_end(target: Target) -> None:
    target.apply(op.Put(b"a", b"1"))
    snapshot = target.apply(op.Snapshot())
    assert isinstance(snapshot, SnapshotResult)
    assert snapshot.intact


def test_the_hash_over_a_history_does_not_depend_on_what_was_before_the_reset(target: Target) -> None:
    hashes = set()
    for number in range(20):
        for key in range(number):
            target.apply(op.Put(b"%d" % key))
        target.reset()
        hashed = target.apply(op.HashKV())
        assert isinstance(hashed, HashKVResult)
        hashes.add(hashed.hash)
    assert len(hashes) == 1


def test_a_defragmentation_leaves_everything(target: Target) -> None:
    target.apply(op.Put(b"a", b"1"))
    assert isinstance(target.apply(op.Defragment()), MaintenanceResult)
    found = target.apply(op.Range(b"a"))
    assert isinstance(found, RangeResult)
    assert found.count == 1


def test_time_passes_and_with_it_the_leases(target: Target, min_lease_ttl: int) -> None:
    granted = target.apply(op.LeaseGrant(min_lease_ttl))
    assert isinstance(granted, LeaseGrantResult)
    target.apply(op.Put(b"a", b"1", lease=granted.id))
    started = time.monotonic()
    assert target.apply(op.Advance(min_lease_ttl + 2)) == AdvanceResult()
    took = time.monotonic() - started
    assert (took >= min_lease_ttl + 2) == target.real_time
    left = target.apply(op.LeaseTimeToLive(granted.id))
    assert isinstance(left, LeaseTimeToLiveResult)
    assert left.ttl == -1
    found = target.apply(op.Range(b"a"))
    assert isinstance(found, RangeResult)
    assert found.kvs == ()


# Auth


def with_auth(target: Target, password: str = "secret") -> str:
    """Turn auth on, and say what root's token is. A user may read and write what begins with `u`."""
    for operation in (
        op.UserAdd("root", password),
        op.RoleAdd("root"),
        op.UserGrantRole("root", "root"),
        op.UserAdd("user", "word"),
        op.RoleAdd("role"),
        op.RoleGrantPermission("role", op.Permission(op.PermissionType.READWRITE, b"u", b"v")),
        op.UserGrantRole("user", "role"),
        op.AuthEnable(),
    ):
        answer = target.apply(operation)
        assert not isinstance(answer, Error), (operation, answer)
    return token_of(target, "root", password)


def token_of(target: Target, name: str, password: str) -> str:
    answer = target.apply(op.Authenticate(name, password))
    assert isinstance(answer, AuthenticateResult), answer
    return answer.token


def is_open_and_empty(target: Target) -> bool:
    """Whether nobody is asked who they are, and there is nobody."""
    users, roles, found = (
        target.apply(op.UserList()),
        target.apply(op.RoleList()),
        target.apply(op.Range(b"\x00", FROM_KEY)),
    )
    assert isinstance(users, UserListResult)
    assert isinstance(roles, RoleListResult)
    assert isinstance(found, RangeResult)
    return not (users.users or roles.roles or found.kvs)


def test_an_operation_goes_with_its_token(target: Target) -> None:
    root = with_auth(target)
    user = token_of(target, "user", "word")
    denied = Error(Code.PERMISSION_DENIED, "etcdserver: permission denied")
    assert target.apply(op.Put(b"a")) == Error(Code.INVALID_ARGUMENT, "etcdserver: user name is empty")
    assert isinstance(target.apply(op.As(root, op.Put(b"a"))), PutResult)
    assert target.apply(op.As(user, op.Put(b"a"))) == denied
    assert isinstance(target.apply(op.As(user, op.Put(b"u"))), PutResult)


def test_a_stream_goes_with_the_token_that_it_was_opened_with(target: Target) -> None:
    root = with_auth(target)
    user = token_of(target, "user", "word")
    for stream, token, key, refused in (
        (0, user, b"a", True),
        (0, user, b"u", False),
        (0, root, b"a", True),
        (1, root, b"a", False),
        (1, user, b"a", False),
        (2, "", b"u", True),
        (2, root, b"u", True),
    ):
        reply = target.apply(op.As(token, op.WatchCreate(key, stream=stream)))
        assert isinstance(reply, WatchCreateResult)
        assert reply.canceled == refused, (stream, token, key)


def test_the_fence_is_put_with_the_token_of_the_read(target: Target) -> None:
    root = with_auth(target)
    user = token_of(target, "user", "word")
    target.apply(op.As(root, op.WatchCreate(b"u")))
    target.apply(op.As(root, op.Put(b"u")))
    assert target.apply(op.As(user, op.WatchRead())) == Error(Code.PERMISSION_DENIED, "etcdserver: permission denied")
    read = target.apply(op.As(root, op.WatchRead()))
    assert isinstance(read, WatchReadResult)
    assert [len(watched.events) for watched in read.watches] == [1]


def test_a_stream_that_may_not_see_the_fence_is_read_all_the_same(target: Target) -> None:
    root = with_auth(target)
    user = token_of(target, "user", "word")
    put = target.apply(op.As(root, op.Put(b"u", b"1")))
    assert isinstance(put, PutResult)
    target.apply(op.As(user, op.WatchCreate(b"u", start_revision=put.revision)))
    target.apply(op.As(root, op.Put(b"u", b"2")))
    read = target.apply(op.As(root, op.WatchRead()))
    assert isinstance(read, WatchReadResult)
    assert read.revision == put.revision + 3
    assert [[event.kv.value for event in watched.events] for watched in read.watches] == [[b"1", b"2"]]


def test_a_reset_turns_auth_off_and_forgets_users_and_roles(target: Target) -> None:
    with_auth(target)
    target.reset()
    assert is_open_and_empty(target)


def test_a_reset_finds_the_password_that_root_has_now(target: Target) -> None:
    root = with_auth(target, "first")
    target.apply(op.As(root, op.UserChangePassword("root", "second")))
    target.reset()
    assert is_open_and_empty(target)


def test_auth_counts_from_where_it_stands_after_a_reset(target: Target, etcd_version: str) -> None:
    unknown = etcd_version.startswith("3.4.")  # it has no AuthStatus
    for _ in range(2):
        target.apply(op.UserAdd("someone", "word"))
        target.reset()
        base = target.auth_revision()
        assert auth_revision(target) == (None if unknown else base)
        target.apply(op.RoleAdd("role"))
        assert auth_revision(target) == (None if unknown else base + 1)


def auth_revision(target: Target) -> int | None:
    """As `AuthStatus` reports it."""
    status = target.apply(op.AuthStatus())
    return status.auth_revision if isinstance(status, AuthStatusResult) else None


def test_auth_that_nobody_can_turn_off_is_the_end_of_the_target(etcd_version: str, min_lease_ttl: int) -> None:
    target = FakeServerTarget(etcd_version, min_lease_ttl)
    try:
        target.reset()
        for operation in (op.UserAdd("root", no_password=True), op.RoleAdd("root"), op.UserGrantRole("root", "root")):
            target.apply(operation)
        assert isinstance(target.apply(op.AuthEnable()), AuthResult)
        with pytest.raises(TargetDied, match="auth can't be turned off"):
            target.reset()
    finally:
        target.close()


def test_auth_that_somebody_else_turned_on_is_not_turned_off(real: WireTarget, etcd_address: str) -> None:
    with_auth(real)
    stranger = WireTarget("etcd", etcd_address)
    with pytest.raises(TargetDied, match="the store can't be emptied"):
        stranger.reset()
    stranger.close()
    real.reset()
    assert is_open_and_empty(real)


def test_whoever_comes_after_a_closed_target_is_not_locked_out(real: WireTarget, etcd_address: str) -> None:
    before = WireTarget("etcd", etcd_address)
    with_auth(before)
    before.close()
    assert is_open_and_empty(real)


# What else a reset undoes


def test_a_reset_disarms_the_alarms(target: Target) -> None:
    target.apply(op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE))
    raised = target.apply(op.Alarm())
    assert isinstance(raised, AlarmResult)
    assert raised.alarms == (AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE),)
    target.reset()
    raised = target.apply(op.Alarm())
    assert isinstance(raised, AlarmResult)
    assert raised.alarms == ()


def test_a_reset_disarms_an_alarm_that_forbids_nearly_everything(target: Target) -> None:
    target.apply(op.Put(b"a"))
    target.apply(op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.CORRUPT))
    target.reset()
    assert is_open_and_empty(target)


def test_a_reset_removes_the_learners(real: WireTarget) -> None:
    added = real.apply(op.MemberAdd(("http://127.0.0.1:1",), is_learner=True))
    assert isinstance(added, MemberAddResult)
    assert len(added.members) == 2
    real.reset()
    assert members_of(real) == (Member(op.MEMBER_ID),)


def test_the_same_learner_can_be_added_again_at_once(real: WireTarget) -> None:
    """A real etcd makes its id of its URLs and the second."""
    for _ in range(3):
        real.reset()
        added = real.apply(op.MemberAdd(("http://127.0.0.1:2", "http://127.0.0.1:3"), is_learner=True))
        assert isinstance(added, MemberAddResult)


def test_a_reset_removes_a_learner_of_which_nobody_knows_whether_it_was_added(real: WireTarget) -> None:
    add = op.MemberAdd(("http://127.0.0.1:4",), is_learner=True)
    assert isinstance(real.apply(add), MemberAddResult)
    real._wire.footprint = Footprint()
    real._wire.footprint.note(add, None)
    real.reset()
    assert members_of(real) == (Member(op.MEMBER_ID),)


def test_a_reset_leaves_members_that_no_sequence_added(real: WireTarget) -> None:
    added = real.apply(op.MemberAdd(("http://127.0.0.1:5",), is_learner=True))
    assert isinstance(added, MemberAddResult)
    assert added.member is not None
    real._wire.footprint = Footprint()
    real._wire.footprint.note(op.MemberAdd(("http://127.0.0.1:6",), is_learner=True), None)
    real.reset()
    assert added.member in members_of(real)
    real.apply(op.MemberRemove(added.member.id))


def members_of(target: Target) -> tuple[Member, ...]:
    listed = target.apply(op.MemberList())
    assert isinstance(listed, MemberListResult)
    return listed.members


def test_resets_leave_no_threads_behind(real_etcd: RunningEtcd) -> None:
    target = EtcdTarget(real_etcd)
    try:
        target.reset()
        target.apply(op.WatchCreate(b"a"))
        target.reset()
        before = threading.active_count()
        for _ in range(200):
            target.apply(op.WatchCreate(b"a"))
            target.reset()
        assert wait_for_threads(before) <= before
    finally:
        target.close()


def wait_for_threads(number: int) -> int:
    """gRPC's own threads end a moment after their streams."""
    end = time.monotonic() + 10
    while threading.active_count() > number and time.monotonic() < end:
        time.sleep(0.01)
    return threading.active_count()
