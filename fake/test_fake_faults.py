"""Faults by rule, in this process and over a network: what the caller gets, and what became of the request."""

from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from fake_etcd import (
    CancelWatch,
    Delay,
    Disconnect,
    Effect,
    ExpireLease,
    FakeEtcd,
    Fault,
    NoAnswer,
    NoSpace,
    Refuse,
    RunningClock,
    StallWatch,
    Stubs,
    stubs,
)
from fake_etcd.wire import messages as pb

PUT = pb.PutRequest(key=b"/locks/a", value=b"1")


@pytest.fixture(params=["in-process", "server"])
def etcd(request: pytest.FixtureRequest) -> Iterator[FakeEtcd]:
    clock = RunningClock() if request.param == "server" else None
    with FakeEtcd(clock=clock, journal=100) as fake:
        yield fake


@pytest.fixture
def client(etcd: FakeEtcd) -> Iterator[Stubs]:
    with ExitStack() as resources:
        if isinstance(etcd.clock, RunningClock):
            yield stubs(resources.enter_context(grpc.insecure_channel(etcd.address)))
        else:
            yield stubs(etcd.channel())


def refused(client: Stubs, timeout: float = 5) -> tuple[str, str | None]:
    with pytest.raises(grpc.RpcError) as caught:
        client.kv.Put(PUT, timeout=timeout)
    return caught.value.code().name, caught.value.details()


def revision(client: Stubs) -> int:
    return int(client.kv.Range(pb.RangeRequest(key=b"/")).header.revision)


def test_the_nth_call_is_refused_though_it_took_effect(etcd: FakeEtcd, client: Stubs) -> None:
    etcd.faults.add(Fault(method="Put", key_prefix=b"/locks/", nth=2, then=Refuse("leader changed", applied=True)))
    assert client.kv.Put(PUT).header.revision == 2
    assert refused(client) == ("UNAVAILABLE", "etcdserver: leader changed")
    assert client.kv.Put(PUT).header.revision == 4


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Refuse("no leader"), ("UNAVAILABLE", "etcdserver: no leader")),
        (Refuse("too many requests"), ("RESOURCE_EXHAUSTED", "etcdserver: too many requests")),
        (Refuse(code="ABORTED", message="of my own"), ("ABORTED", "of my own")),
        (Disconnect(), ("UNAVAILABLE", "Socket closed")),
    ],
)
def test_a_refusal_leaves_the_state_as_it_was(
    etcd: FakeEtcd, client: Stubs, effect: Effect, error: tuple[str, str]
) -> None:
    etcd.faults.add(Fault(method="Put", then=effect))
    assert refused(client) == error
    assert revision(client) == 1


@pytest.mark.parametrize(("applied", "after"), [(False, 1), (True, 2)])
def test_without_an_answer_the_deadline_passes(etcd: FakeEtcd, client: Stubs, applied: bool, after: int) -> None:
    etcd.faults.add(Fault(method="Put", then=NoAnswer(applied)))
    assert refused(client, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    assert revision(client) == after


@pytest.mark.parametrize(("applied", "after"), [(False, 1), (True, 2)])
def test_a_delayed_call_whose_deadline_passes_was_applied_or_not(
    etcd: FakeEtcd, client: Stubs, applied: bool, after: int
) -> None:
    etcd.faults.add(Fault(method="Put", then=Delay(60, applied)))
    assert refused(client, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    assert revision(client) == after


def test_a_delay_goes_by_the_clock_of_the_fake(etcd: FakeEtcd, client: Stubs) -> None:
    number = etcd.faults.add(Fault(method="Put", then=Delay(0.1)))
    before = etcd.clock()
    assert client.kv.Put(PUT, timeout=30).header.revision == 2
    assert etcd.clock() - before >= 0.1
    etcd.faults.remove(number)
    before = etcd.clock()
    client.kv.Put(PUT, timeout=30)
    assert etcd.clock() - before < 0.1 or isinstance(etcd.clock, RunningClock)


def test_a_lock_is_late_and_then_had(etcd: FakeEtcd, client: Stubs) -> None:
    lease = client.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
    etcd.faults.add(Fault(method="Lock", key_prefix=b"l", then=Delay(0.1)))
    answer = client.lock.Lock(pb.LockRequest(name=b"l", lease=lease), timeout=30)
    assert answer.key == b"l/%x" % lease


def test_a_lease_expires_before_its_second_keepalive(etcd: FakeEtcd, client: Stubs) -> None:
    lease = client.lease.LeaseGrant(pb.LeaseGrantRequest(TTL=60)).ID
    client.kv.Put(pb.PutRequest(key=b"k", lease=lease))
    etcd.faults.add(Fault(method="LeaseKeepAlive", nth=2, then=ExpireLease()))
    alive = client.lease.LeaseKeepAlive(iter([pb.LeaseKeepAliveRequest(ID=lease)] * 2))
    assert [answer.TTL for answer in alive] == [60, 0]
    assert client.kv.Range(pb.RangeRequest(key=b"k")).count == 0


def test_the_alarm_of_a_full_database_stays_until_it_is_disarmed(etcd: FakeEtcd, client: Stubs) -> None:
    etcd.faults.add(Fault(method="Put", nth=1, then=NoSpace()))
    for _ in range(2):
        assert refused(client) == ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded")
    alarm = client.maintenance.Alarm(pb.AlarmRequest(action=pb.AlarmRequest.AlarmAction.GET)).alarms[0]
    client.maintenance.Alarm(
        pb.AlarmRequest(action=pb.AlarmRequest.AlarmAction.DEACTIVATE, memberID=alarm.memberID, alarm=alarm.alarm)
    )
    assert client.kv.Put(PUT).header.revision == 2


def watch(client: Stubs) -> Iterator[pb.WatchResponse]:
    stream: Iterator[pb.WatchResponse] = client.watch.Watch(
        iter([pb.WatchRequest(create_request=pb.WatchCreateRequest(key=PUT.key))]), timeout=30
    )
    assert next(stream).created
    return stream


def test_a_stalled_watch_catches_up_when_the_rule_is_removed(etcd: FakeEtcd, client: Stubs) -> None:
    events = watch(client)
    etcd.faults.add(Fault(method="Watch", key_prefix=b"/locks/", nth=2, then=StallWatch()))
    for _ in range(3):
        client.kv.Put(PUT)
    assert [event.kv.mod_revision for event in next(events).events] == [2]
    etcd.faults.clear()
    assert [event.kv.mod_revision for event in next(events).events] == [3, 4]


def test_a_compaction_cancels_a_watch_that_is_stalled(etcd: FakeEtcd, client: Stubs) -> None:
    events = watch(client)
    number = etcd.faults.add(Fault(then=StallWatch()))
    for _ in range(3):
        client.kv.Put(PUT)
    client.kv.Compact(pb.CompactionRequest(revision=4))
    etcd.faults.remove(number)
    response = next(events)
    assert (response.canceled, response.compact_revision) == (True, 4)


def test_a_watch_is_cancelled_for_a_reason(etcd: FakeEtcd, client: Stubs) -> None:
    events = watch(client)
    etcd.faults.add(Fault(then=CancelWatch(reason="because")))
    client.kv.Put(PUT)
    response = next(events)
    assert (response.canceled, response.cancel_reason, response.compact_revision) == (True, "because", 0)


def test_a_watch_is_cancelled_by_a_compaction(etcd: FakeEtcd, client: Stubs) -> None:
    events = watch(client)
    etcd.faults.add(Fault(then=CancelWatch(compacted=True)))
    client.kv.Put(PUT)
    client.kv.Put(PUT)
    response = next(events)
    assert (response.canceled, response.compact_revision) == (True, 2)
    with pytest.raises(grpc.RpcError, match="required revision has been compacted"):
        client.kv.Range(pb.RangeRequest(key=b"k", revision=1))


def test_a_watch_can_be_refused(etcd: FakeEtcd, client: Stubs) -> None:
    etcd.faults.add(Fault(method="Watch", key_prefix=b"/locks/", then=Refuse("no leader")))
    with pytest.raises(grpc.RpcError, match="etcdserver: no leader"):
        watch(client)


def test_a_rule_finds_keys_in_the_operations_of_a_txn(etcd: FakeEtcd, client: Stubs) -> None:
    etcd.faults.add(Fault(key_prefix=b"/locks/", then=Refuse("request timed out")))
    with pytest.raises(grpc.RpcError, match="etcdserver: request timed out"):
        client.kv.Txn(pb.TxnRequest(failure=[pb.RequestOp(request_put=PUT)]))
    assert client.kv.Txn(pb.TxnRequest(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"b"))])).succeeded


def test_a_probability_strikes_the_same_calls_for_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        with FakeEtcd() as etcd:
            etcd.faults.add(Fault(probability=0.5, seed=seed, then=Refuse("no leader")))
            kv = stubs(etcd.channel()).kv
            return [kv.Put.future(PUT).code() is grpc.StatusCode.UNAVAILABLE for _ in range(20)]

    assert struck(7) == struck(7)
    assert struck(7) != struck(8)
    assert 0 < sum(struck(7)) < 20


def test_rules_are_listed_with_how_often_they_struck() -> None:
    with FakeEtcd() as etcd:
        fault = Fault(method="Put", times=1, then=Refuse("no leader"))
        number = etcd.faults.add(fault)
        kv = stubs(etcd.channel()).kv
        assert [kv.Put.future(PUT).code().name for _ in range(3)] == ["UNAVAILABLE", "OK", "OK"]
        assert [(one.number, one.fault, one.matched, one.struck) for one in etcd.faults] == [(number, fault, 3, 1)]
        etcd.faults.remove(number)
        with pytest.raises(KeyError, match="no rule has the number 1"):
            etcd.faults.remove(number)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: Refuse("leader lost"), "etcd has no error 'leader lost'"),
        (lambda: Refuse(), "a refusal has an error in etcd's words, or a code and a message"),
        (lambda: Refuse(code="OK"), "gRPC has no error code 'OK'"),
        (lambda: Delay(-1), "a delay is 0 seconds or more, not -1"),
        (lambda: Fault(method="Puts", then=NoAnswer()), "etcd has no method 'Puts'"),
        (lambda: Fault(nth=-1, then=NoAnswer()), "nth and times are 0 or more"),
        (lambda: Fault(probability=2, then=NoAnswer()), "a probability is between 0 and 1, not 2"),
        (lambda: Fault(method="Put", then=StallWatch()), "StallWatch is about the method Watch, not Put"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: type, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        wrong()


def test_what_each_rule_did_is_in_the_journal(etcd: FakeEtcd, client: Stubs) -> None:
    refuse, silent = Refuse("leader changed", applied=True), NoAnswer()
    etcd.faults.add(Fault(method="Put", nth=1, then=refuse))
    etcd.faults.add(Fault(method="Range", then=silent))
    refused(client)
    with pytest.raises(grpc.RpcError):
        client.kv.Range(pb.RangeRequest(key=b"k"), timeout=0.2)
    client.kv.Put(PUT)
    assert etcd.journal is not None
    first, second, third = etcd.journal
    assert (first.request, first.answer.header.revision, str(first.error)) == (
        PUT,
        2,
        "UNAVAILABLE: etcdserver: leader changed",
    )
    assert first.fault is not None
    assert first.fault.then == refuse
    assert second.fault is not None
    assert (second.answer, second.silent, second.fault.then) == (None, True, silent)
    assert (third.fault, third.answer.header.revision) == (None, 3)
