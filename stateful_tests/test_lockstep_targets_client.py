"""The servers' own member: how a client comes to know its id, with which it speaks of what is member 1 to all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message

from etcd_lockstep.target import Target
from etcd_lockstep.targets.client import Client
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.watching import Duplex
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Quirks
from etcd_model import operations as op
from etcd_model.errors import PERMISSION_DENIED, Error
from etcd_model.results import AlarmMember, AlarmResult, AuthenticateResult, Result
from fake_etcd.wire import messages as pb

OWN = 77


class Scripted(Client):
    """A client of a server which answers that which is listed, and nothing else."""

    def __init__(self, **answers: Message | Error) -> None:
        super().__init__()
        self._answers = answers
        self.sent: list[tuple[str, Message]] = []

    def exchange(self, path: str, request: Message, token: str) -> Message | Error:  # noqa: ARG002  # any may ask
        method = path.rpartition("/")[2]
        self.sent.append((method, request))
        return self._answers.get(method, PERMISSION_DENIED)

    def acquire(self, operation: op.Lock | op.Campaign, token: str) -> Result:
        raise NotImplementedError

    def receive_first(self, operation: op.Observe, token: str) -> Message | Error | None:
        raise NotImplementedError

    def receive_all(self, path: str, request: Message, token: str) -> list[Any] | Error:
        raise NotImplementedError

    def open_watch(self, token: str) -> Duplex:
        raise NotImplementedError

    def pass_time(self, seconds: int) -> None:
        raise NotImplementedError


HEADER = pb.ResponseHeader(revision=3, member_id=OWN)


def test_the_first_answer_that_reports_the_members_id_is_enough_for_all_that_follow() -> None:
    client = Scripted(
        Put=pb.PutResponse(header=pb.ResponseHeader(revision=2)),
        Compact=pb.CompactionResponse(header=HEADER),
        Alarm=pb.AlarmResponse(alarms=[pb.AlarmMember(memberID=OWN, alarm=pb.NOSPACE)]),
    )
    for operation in (op.Put(b"a"), op.Compact(1), op.MoveLeader(op.MEMBER_ID)):
        client.apply(operation)
    assert client.sent.pop() == ("MoveLeader", pb.MoveLeaderRequest(targetID=OWN))
    raised = client.apply(op.As("whoever", op.Alarm(op.AlarmAction.GET, op.MEMBER_ID)))
    assert raised == AlarmResult(0, (AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE),))
    assert client.sent.pop() == ("Alarm", pb.AlarmRequest(memberID=OWN))


def test_nothing_is_asked_to_learn_the_members_id() -> None:
    client = Scripted()
    operations: tuple[Operation, ...] = (op.Put(b"a"), op.Alarm(), op.MoveLeader(op.MEMBER_ID))
    for operation in operations:
        assert client.apply(operation) == PERMISSION_DENIED
    assert [method for method, _ in client.sent] == ["Put", "Alarm", "MoveLeader"]


@pytest.fixture(params=["fake", "fake-server", "etcd"])
def unasked(request: pytest.FixtureRequest, etcd_version: str, min_lease_ttl: int) -> Iterator[Target]:
    """A target that has been reset, and asked nothing."""
    target: Target
    match request.param:
        case "fake":
            target = FakeTarget(etcd_version, min_lease_ttl)
        case "fake-server":
            target = FakeServerTarget(etcd_version, min_lease_ttl)
        case _:
            target = WireTarget("etcd", request.getfixturevalue("etcd_address"))
    target.reset()
    yield target
    target.reset()
    target.close()


def test_whoever_may_not_ask_for_the_status_is_notified_of_the_same_member(unasked: Target, quirks: Quirks) -> None:
    for operation in (
        op.UserAdd("root", "word"),
        op.RoleAdd("root"),
        op.UserGrantRole("root", "root"),
        op.UserAdd("user", "word"),
        op.AuthEnable(),
    ):
        assert not isinstance(unasked.apply(operation), Error), operation
    user = unasked.apply(op.Authenticate("user", "word"))
    assert isinstance(user, AuthenticateResult)
    raised = unasked.apply(op.As(user.token, op.Alarm(op.AlarmAction.ACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE)))
    if quirks.leases_and_compaction_guarded:
        assert raised == PERMISSION_DENIED
        return
    assert isinstance(raised, AlarmResult), raised
    assert raised.alarms == (AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE),)
