"""Many streams, slow readers, and fan-outs: in-process and over a server, which has one thread for all of them."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import grpc
import pytest

from fake_etcd import Engine, WatchStream, serve, stubs, watch_events
from fake_etcd.stubs import Stubs
from fake_etcd.wire import messages as pb


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def etcd(engine: Engine) -> Iterator[Stubs]:
    with serve(engine) as server, grpc.insecure_channel(server.address) as channel:
        yield stubs(channel)


def put(engine: Engine, key: bytes, value: bytes = b"") -> None:
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=value))


def create(**options: object) -> pb.WatchRequest:
    return pb.WatchRequest(create_request=pb.WatchCreateRequest(**options))  # type: ignore[arg-type]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def threads_of_the_fake() -> set[threading.Thread]:
    """Other tests may have left some that are about to end."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("fake-etcd")}


def test_streams_and_calls_that_wait_keep_nobody_waiting(etcd: Stubs) -> None:
    """The pool of threads that there was had 512."""
    threads = threads_of_the_fake()
    for id in range(1, 151):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=600))
    watches = [etcd.watch.Watch(iter([create(key=b"w")])) for _ in range(600)]
    assert all(next(watch).created for watch in watches)
    locks = [etcd.lock.Lock.future(pb.LockRequest(name=b"l", lease=id)) for id in range(1, 151)]
    queue = pb.RangeRequest(key=b"l/", range_end=b"l0", count_only=True)
    until(lambda: etcd.kv.Range(queue, timeout=10).count == 150)
    assert threads_of_the_fake() <= threads
    etcd.kv.Put(pb.PutRequest(key=b"w"), timeout=10)
    assert all(next(watch).events[0].kv.key == b"w" for watch in watches)
    for _ in range(150):
        until(lambda: any(lock.done() for lock in locks))
        [held] = [lock for lock in locks if lock.done()]
        locks.remove(held)
        etcd.lock.Unlock(pb.UnlockRequest(key=held.result().key), timeout=10)
    for watch in watches:
        watch.cancel()


def test_a_burst_of_calls_is_answered(engine: Engine, etcd: Stubs) -> None:
    """gRPC's core refuses some of what it has 1,000 of and nobody has asked it for, unless it is told not to."""
    with engine._core.lock:  # a call that takes its time
        answers = [etcd.kv.Put.future(pb.PutRequest(key=b"a"), timeout=60) for _ in range(4_000)]
    assert sorted(answer.result().header.revision for answer in answers) == list(range(2, 4_002))


def test_who_gives_up_a_lock_leaves_the_queue(engine: Engine, etcd: Stubs) -> None:
    for id in (1, 2):
        etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=600))
    etcd.lock.Lock(pb.LockRequest(name=b"l", lease=1))
    waiting = [etcd.lock.Lock.future(pb.LockRequest(name=b"l", lease=2)) for _ in range(20)]
    until(lambda: len(engine._core.hub.streams) == 20)
    for lock in waiting:
        lock.cancel()
    until(lambda: not engine._core.hub.streams)
    assert etcd.kv.Range(pb.RangeRequest(key=b"l/", range_end=b"l0")).count == 1


def test_an_event_is_encoded_once_for_all_who_watch(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    event_of = watch_events.event_of

    def counted(*arguments: object) -> pb.Event:
        made.append(arguments)
        return event_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(watch_events, "event_of", counted)
    streams = [engine.watch() for _ in range(20)]
    for number, stream in enumerate(streams):
        stream.send(create(key=b"a", range_end=b"b" if number % 2 else b""))
        stream.send(create(key=b"a", watch_id=7))
    put(engine, b"a")
    assert len(made) == 1
    for stream in streams:
        assert [response.watch_id for response in received(stream) if response.events] in ([0, 7], [7, 0])


def received(stream: WatchStream) -> list[pb.WatchResponse]:
    found = []
    while (response := stream.receive(0)) is not None:
        found.append(response)
    return found


PUTS = 2_500


def test_a_slow_reader_costs_little_and_loses_nothing(engine: Engine) -> None:
    stream = engine.watch()
    stream.send(create(key=b"k"))
    stream.send(create(key=b"k", range_end=b"l", prev_kv=True))
    for number in range(PUTS):
        put(engine, b"k", b"%d" % number)
    assert len(stream._outbox._pending) <= 1_001
    first = stream.receive(0)
    assert first is not None
    put(engine, b"k", b"the last")
    events: dict[int, list[pb.Event]] = {0: [], 1: []}
    for response in received(stream):
        events[response.watch_id].extend(response.events)
    expected = [b"%d" % number for number in range(PUTS)] + [b"the last"]
    assert [event.kv.value for event in events[0]] == expected
    assert [event.kv.value for event in events[1]] == expected
    assert [event.prev_kv.value for event in events[1]] == [b"", *expected[:-1]]
    put(engine, b"k", b"synced")
    assert [response.header.revision for response in received(stream)] == [PUTS + 3] * 2


def test_no_watcher_waits_forever_for_another(engine: Engine) -> None:
    """A reader who is as fast as one watcher's events come still gets those of another that is behind."""
    stream = engine.watch()
    stream.send(create(key=b"k"))
    stream.send(create(key=b"other"))
    for _ in range(1_500):
        put(engine, b"k")
    events: list[pb.Event] = []
    for _ in range(1_100):
        response = stream.receive(0)
        assert response is not None
        events.extend(response.events)
        put(engine, b"other")
    events.extend(event for response in received(stream) for event in response.events)
    for key, count in ((b"k", 1_500), (b"other", 1_100)):
        revisions = [event.kv.mod_revision for event in events if event.kv.key == key]
        assert (len(revisions), revisions) == (count, sorted(revisions))
    last_of_k = max(place for place, event in enumerate(events) if event.kv.key == b"k")
    assert last_of_k < 1_600


def test_large_events_fill_a_stream_sooner(engine: Engine) -> None:
    stream = engine.watch()
    stream.send(create(key=b"k"))
    for _ in range(40):
        put(engine, b"k", b"v" * 1_000_000)
    assert len(stream._outbox._pending) <= 18
    responses = received(stream)
    assert sum(len(response.events) for response in responses) == 40
    assert all(response.ByteSize() < 4 * 1024 * 1024 for response in responses)  # what clients receive by default


def test_a_reader_who_is_behind_a_compaction_is_cancelled(engine: Engine) -> None:
    """etcd: server/storage/mvcc/watcher_group.go chooseAll."""
    stream = engine.watch()
    stream.send(create(key=b"k"))
    stream.send(create(key=b"other"))
    for _ in range(PUTS):
        put(engine, b"k")
    engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=PUTS))
    *events, last = [response for response in received(stream) if not response.created]
    assert (last.watch_id, last.canceled, last.compact_revision) == (0, True, PUTS)
    assert sum(len(response.events) for response in events) == 998  # with two creations, the most that is kept
    put(engine, b"other")
    put(engine, b"k")
    assert [response.watch_id for response in received(stream)] == [1]


def test_a_reader_who_is_behind_has_no_progress_and_can_cancel(engine: Engine) -> None:
    stream = engine.watch()
    stream.send(create(key=b"k"))
    for _ in range(PUTS):
        put(engine, b"k")
    stream.send(pb.WatchRequest(progress_request=pb.WatchProgressRequest()))
    stream.send(pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=0)))
    *events, last = [response for response in received(stream) if not response.created]
    assert {response.watch_id for response in events} == {0}
    assert last.canceled
    stream.close()
    assert not engine._core.hub.streams


def test_a_client_that_does_not_read_is_sent_all_in_the_end(engine: Engine, etcd: Stubs) -> None:
    watch = etcd.watch.Watch(iter([create(key=b"k")]))
    assert next(watch).created
    for number in range(PUTS):
        put(engine, b"k", b"%06d" % number + b"v" * 1_000)
    [stream] = engine._core.hub.streams
    assert isinstance(stream, WatchStream)
    assert sys.getsizeof(stream._outbox._pending) < 100_000
    assert len(stream._outbox._pending) <= 1_001
    values = [event.kv.value for response in _until_event(watch, PUTS) for event in response.events]
    assert values == [b"%06d" % number + b"v" * 1_000 for number in range(PUTS)]
    watch.cancel()


def _until_event(watch: Iterator[pb.WatchResponse], count: int) -> Iterator[pb.WatchResponse]:
    while count:
        response = next(watch)
        count -= len(response.events)
        yield response


def test_requests_of_a_client_that_does_not_read_are_left_where_they_are() -> None:
    engine, sent = Engine(), threading.Event()
    requests: SimpleQueue[pb.WatchRequest] = SimpleQueue()

    def endless() -> Iterator[pb.WatchRequest]:
        for _ in range(60_000):
            yield create(key=b"k" * 100, watch_id=1)
        sent.set()
        yield requests.get()

    options = [("grpc.http2.bdp_probe", 0)]  # or what the network itself holds of a stream would grow to megabytes
    with serve(engine) as server, grpc.insecure_channel(server.address, options=options) as channel:
        etcd = stubs(channel)
        watch = etcd.watch.Watch(endless())
        assert next(watch).created
        until(lambda: any(_pending(stream) >= 1_000 for stream in engine._core.hub.streams))
        assert not sent.wait(0.2)
        assert all(_pending(stream) <= 1_001 for stream in engine._core.hub.streams)
        assert etcd.kv.Range(pb.RangeRequest(key=b"a"), timeout=10).count == 0
        watch.cancel()


def _pending(stream: object) -> int:
    assert isinstance(stream, WatchStream)
    return len(stream._outbox._pending)


def test_two_hundred_streams_see_every_revision_in_order(etcd: Stubs) -> None:
    watches = [etcd.watch.Watch(iter([create(key=b"k", range_end=b"l")])) for _ in range(200)]
    assert all(next(watch).created for watch in watches)
    for number in range(20):
        etcd.kv.Put(pb.PutRequest(key=b"k%d" % number), timeout=10)
    for watch in watches:
        revisions = [event.kv.mod_revision for response in _until_event(watch, 20) for event in response.events]
        assert revisions == list(range(2, 22))
        watch.cancel()


def test_observing_an_election_over_a_server(etcd: Stubs) -> None:
    etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=1, TTL=600))
    observers = [etcd.election.Observe(pb.LeaderRequest(name=b"e")) for _ in range(100)]
    leader = etcd.election.Campaign(pb.CampaignRequest(name=b"e", lease=1, value=b"1")).leader
    assert all(next(observer).kv.value == b"1" for observer in observers)
    etcd.election.Proclaim(pb.ProclaimRequest(leader=leader, value=b"2"))
    assert all(next(observer).kv.value == b"2" for observer in observers)
    for observer in observers:
        observer.cancel()


def test_an_observer_that_nobody_asks_any_more_is_forgotten(engine: Engine) -> None:
    observer = engine.stream("/v3electionpb.Election/Observe", pb.LeaderRequest(name=b"e"))
    engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=1, TTL=600))
    engine.call("/v3electionpb.Election/Campaign", pb.CampaignRequest(name=b"e", lease=1))
    assert isinstance(next(observer), pb.LeaderResponse)
    with engine._core.lock:  # the garbage may be collected while somebody has it
        del observer
    assert engine._core.hub.streams
    engine.tick()
    assert not engine._core.hub.streams


def test_stopping_a_server_ends_whatever_waits() -> None:
    engine = Engine()
    server = serve(engine)
    with grpc.insecure_channel(server.address) as channel:
        etcd = stubs(channel)
        for id in (1, 2):
            etcd.lease.LeaseGrant(pb.LeaseGrantRequest(ID=id, TTL=600))
        etcd.lock.Lock(pb.LockRequest(name=b"l", lease=1))
        lock = etcd.lock.Lock.future(pb.LockRequest(name=b"l", lease=2))
        observer = etcd.election.Observe(pb.LeaderRequest(name=b"e"))
        keep_alive = etcd.lease.LeaseKeepAlive(endlessly(pb.LeaseKeepAliveRequest(ID=1)))
        assert next(keep_alive).TTL == 600
        until(lambda: len(engine._core.hub.streams) == 2)
        server.stop(grace=30)
        for ended in (lambda: lock.result(10), lambda: list(observer), lambda: list(keep_alive)):
            with pytest.raises(grpc.RpcError) as error:
                ended()
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
            assert error.value.details() == "etcdserver: server stopped"
    assert not engine._core.hub.streams
    server.stop()  # again does no harm


def endlessly(first: pb.LeaseKeepAliveRequest) -> Iterator[pb.LeaseKeepAliveRequest]:
    yield first
    threading.Event().wait(30)
