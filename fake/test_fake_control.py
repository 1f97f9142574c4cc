"""The control service, over gRPC and over HTTP, and that it isn't there unless it was asked for."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from fake_etcd import (
    CancelWatch,
    Delay,
    Disconnect,
    ExpireLease,
    FakeEtcd,
    Fault,
    NoAnswer,
    NoSpace,
    Refuse,
    RunningClock,
    StallWatch,
    stubs,
)
from fake_etcd.control import messages as control
from fake_etcd.control.fault_messages import to_fault, to_message
from fake_etcd.wire import messages as pb

PUT = pb.PutRequest(key=b"/locks/a")
Call = Callable[..., Any]


@pytest.fixture
def etcd() -> Iterator[FakeEtcd]:
    with FakeEtcd(clock=RunningClock(), journal=100) as fake:
        fake.serve(control=True)
        yield fake


@pytest.fixture
def channel(etcd: FakeEtcd) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(etcd.address) as channel:
        yield channel


def call(channel: grpc.Channel, name: str, **fields: Any) -> Any:
    request: Message = getattr(control, f"{name}Request")(**fields)
    response: type[Message] = getattr(control, f"{name}Response")
    method: Any = channel.unary_unary(
        f"/fake_etcd.control.Control/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return method(request, timeout=30)


def post(address: str, path: str, body: str = "{}", method: str = "POST") -> tuple[int, str]:
    request = urllib.request.Request(f"http://{address}{path}", body.encode(), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_clock_is_advanced(channel: grpc.Channel) -> None:
    lease = stubs(channel).lease.LeaseGrant(pb.LeaseGrantRequest(TTL=1000)).ID
    assert call(channel, "Advance", seconds=1000).now > 1000
    assert stubs(channel).lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=lease)).TTL == -1


def test_a_state_is_saved_and_restored_until_it_is_forgotten(channel: grpc.Channel) -> None:
    number = call(channel, "SaveState").state
    stubs(channel).kv.Put(PUT)
    call(channel, "RestoreState", state=number)
    assert stubs(channel).kv.Range(pb.RangeRequest(key=PUT.key)).header.revision == 1
    call(channel, "ForgetState", state=number)
    with pytest.raises(grpc.RpcError, match="no state has the number 1"):
        call(channel, "RestoreState", state=number)


def test_a_branch_is_another_server(channel: grpc.Channel) -> None:
    stubs(channel).kv.Put(PUT)
    with grpc.insecure_channel(call(channel, "Branch").address) as branch:
        assert stubs(branch).kv.Put(PUT).header.revision == 3
        call(branch, "Advance", seconds=1)
    assert stubs(channel).kv.Range(pb.RangeRequest(key=PUT.key)).header.revision == 2


def test_a_lease_expires(channel: grpc.Channel) -> None:
    lease = stubs(channel).lease.LeaseGrant(pb.LeaseGrantRequest(TTL=1000)).ID
    call(channel, "ExpireLease", ID=lease)
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "ExpireLease", ID=lease)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_rules_come_and_go(channel: grpc.Channel) -> None:
    refuse = control.Refuse(error="leader changed", applied=True)
    fault = control.Fault(method="Put", key_prefix=b"/locks/", nth=1, refuse=refuse)
    number = call(channel, "AddFault", fault=fault).number
    with pytest.raises(grpc.RpcError, match="etcdserver: leader changed"):
        stubs(channel).kv.Put(PUT)
    (active,) = call(channel, "ListFaults").faults
    assert (active.number, active.fault.refuse, active.matched, active.struck) == (number, refuse, 1, 1)
    call(channel, "RemoveFault", number=number)
    call(channel, "ClearFaults")
    assert not call(channel, "ListFaults").faults
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "AddFault", fault=control.Fault(method="Put"))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(caught.value.details()).startswith("a rule says what happens then: refuse, disconnect")


@pytest.mark.parametrize(
    "effect",
    [
        Refuse("no leader", applied=True),
        Refuse(code="ABORTED", message="m"),
        Disconnect(applied=True),
        NoAnswer(applied=True),
        Delay(1.5, applied=True),
        ExpireLease(),
        NoSpace(),
        StallWatch(),
        CancelWatch("r", compacted=True),
    ],
    ids=repr,
)
def test_each_rule_has_its_message(effect: Any) -> None:
    fault = Fault(key_prefix=b"\xff", nth=2, times=3, probability=0.0, seed=-4, then=effect)
    assert to_fault(to_message(fault)) == fault


def test_the_journal_is_read_from_an_entry_on(channel: grpc.Channel) -> None:
    for _ in range(2):
        stubs(channel).kv.Put(PUT)
    (entry,) = call(channel, "ReadJournal", after=1).entries
    assert (entry.number, entry.path) == (2, "/etcdserverpb.KV/Put")
    assert pb.PutRequest.FromString(entry.request) == PUT
    assert pb.PutResponse.FromString(entry.answer).header.revision == 3


def test_the_same_over_http(etcd: FakeEtcd) -> None:
    assert etcd.journal is not None
    fault = {"method": "Put", "nth": 1, "noAnswer": {"applied": True}}
    assert post(etcd.address, "/control/AddFault", json.dumps({"fault": fault})) == (200, '{"number": "1"}\n')
    assert [active.fault for active in etcd.faults] == [Fault(method="Put", nth=1, then=NoAnswer(applied=True))]
    assert post(etcd.address, "/control/ClearFaults", "")[0] == 200
    assert not len(etcd.faults)


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("Nothing", "{}", 404, "the control service has no method 'Nothing': there are Advance, "),
        ("Advance", "{", 400, "Failed to load JSON"),
        ("Advance", '{"second": 1}', 400, 'no field named \\"second\\"'),
        ("Advance", '{"seconds": -1}', 400, "time doesn't go back"),
        ("RemoveFault", '{"number": 7}', 404, "no rule has the number 7"),
    ],
)
def test_what_is_wrong_over_http_is_said(etcd: FakeEtcd, path: str, body: str, status: int, why: str) -> None:
    answered, text = post(etcd.address, f"/control/{path}", body)
    assert answered == status
    assert why in text


def test_it_is_posted_to(etcd: FakeEtcd) -> None:
    assert post(etcd.address, "/control/Advance", method="PUT")[0] == 405


def test_without_being_asked_for_it_is_not_there() -> None:
    with FakeEtcd() as etcd:
        etcd.serve(http=True)
        assert post(etcd.address, "/control/Advance")[0] == 404
        with grpc.insecure_channel(etcd.address) as channel, pytest.raises(grpc.RpcError) as caught:
            call(channel, "Advance", seconds=1)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_command_has_it_with_a_flag() -> None:
    code = "import sys; from fake_etcd.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--listen-client-urls", "http://127.0.0.1:0", "--journal=9"]
    with subprocess.Popen([*command, "--control"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().rpartition("http://")[2]
            assert post(address, "/control/ReadJournal") == (200, "{}\n")
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
    without = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert without.returncode == 2
    assert without.stderr.endswith(": --journal is of use with --control, over which it is read\n")
