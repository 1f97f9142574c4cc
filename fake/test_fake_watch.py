"""Watch: what a stream is sent, as etcd sends it."""

from collections.abc import Callable

import pytest

from fake_etcd import Engine, EtcdError, StreamClosed, VirtualClock, WatchStream
from fake_etcd.wire import messages as pb

OLD, NEW = "3.4.23", "3.6.16"


def put(engine: Engine, key: bytes, value: bytes = b"", lease: int = 0) -> None:
    engine.call("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=value, lease=lease))


def delete(engine: Engine, key: bytes, range_end: bytes = b"") -> None:
    engine.call("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeRequest(key=key, range_end=range_end))


def compact(engine: Engine, revision: int) -> None:
    engine.call("/etcdserverpb.KV/Compact", pb.CompactionRequest(revision=revision))


def txn(engine: Engine, *ops: pb.PutRequest | pb.DeleteRangeRequest) -> None:
    request = pb.TxnRequest()
    for op in ops:
        if isinstance(op, pb.PutRequest):
            request.success.add(request_put=op)
        else:
            request.success.add(request_delete_range=op)
    engine.call("/etcdserverpb.KV/Txn", request)


class Watch:
    """A stream, and what it was reported since one last asked, in short."""

    def __init__(self, engine: Engine) -> None:
        self.stream: WatchStream = engine.watch()

    def create(self, key: bytes, range_end: bytes = b"", **options: object) -> list[str]:
        create = pb.WatchCreateRequest(key=key, range_end=range_end, **options)  # type: ignore[arg-type]
        self.stream.send(pb.WatchRequest(create_request=create))
        return self.reported()

    def cancel(self, id: int) -> list[str]:
        self.stream.send(pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=id)))
        return self.reported()

    def progress(self) -> list[str]:
        self.stream.send(pb.WatchRequest(progress_request=pb.WatchProgressRequest()))
        return self.reported()

    def responses(self) -> list[pb.WatchResponse]:
        found = []
        while (response := self.stream.receive(0)) is not None:
            found.append(response)
        return found

    def reported(self) -> list[str]:
        return [short(response) for response in self.responses()]


def short(response: pb.WatchResponse) -> str:
    """`h5 #0: PUT a@5 DELETE b@5`: the header's revision, the watcher, the events."""
    words = [f"h{response.header.revision} #{response.watch_id}:"]
    words += [flag for flag in ("created", "canceled", "fragment") if getattr(response, flag)]
    if response.compact_revision:
        words.append(f"compacted {response.compact_revision}")
    if response.cancel_reason:
        words.append(response.cancel_reason)
    for event in response.events:
        words.append(f"{pb.Event.EventType.Name(event.type)} {event.kv.key.decode()}@{event.kv.mod_revision}")
        if event.HasField("prev_kv"):
            words.append(f"was {event.prev_kv.value.decode()}@{event.prev_kv.mod_revision}")
    return " ".join(words)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_events_come_as_they_are_committed_one_response_a_revision(engine: Engine) -> None:
    watch = Watch(engine)
    assert watch.create(b"a", b"c") == ["h1 #0: created"]
    put(engine, b"a", b"1")
    put(engine, b"c")
    txn(engine, pb.PutRequest(key=b"b"), pb.PutRequest(key=b"z"), pb.DeleteRangeRequest(key=b"a"))
    delete(engine, b"a", b"z")
    assert watch.reported() == ["h2 #0: PUT a@2", "h4 #0: PUT b@4 DELETE a@4", "h5 #0: DELETE b@5"]
    put(engine, b"a", b"2")
    (response,) = watch.responses()
    assert response.header.member_id
    assert response.events[0].kv == pb.KeyValue(key=b"a", value=b"2", create_revision=6, mod_revision=6, version=1)


def test_a_deletion_reports_the_key_and_the_revision_alone(engine: Engine) -> None:
    put(engine, b"a", b"1")
    watch = Watch(engine)
    watch.create(b"a")
    delete(engine, b"a")
    assert watch.responses()[0].events[0].kv == pb.KeyValue(key=b"a", mod_revision=3)


@pytest.mark.parametrize(
    ("key", "range_end", "watched"),
    [
        (b"b", b"", [b"b"]),
        (b"b", b"c", [b"b"]),
        (b"b", b"\0", [b"b", b"c"]),
        (b"", b"", [b"\0"]),
        (b"", b"\0", [b"\0", b"a", b"b", b"c"]),
        (b"", b"b", [b"\0", b"a"]),
    ],
)
def test_what_is_watched(engine: Engine, key: bytes, range_end: bytes, watched: list[bytes]) -> None:
    watch = Watch(engine)
    watch.create(key, range_end)
    for written in (b"\0", b"a", b"b", b"c"):
        put(engine, written)
    assert [event.kv.key for response in watch.responses() for event in response.events] == watched


def test_ids(engine: Engine) -> None:
    watch = Watch(engine)
    assert watch.create(b"a", watch_id=1) == ["h1 #1: created"]
    assert watch.create(b"a") == ["h1 #0: created"]
    assert watch.create(b"a") == ["h1 #2: created"]
    assert watch.cancel(0) == ["h1 #0: canceled"]
    assert watch.create(b"a") == ["h1 #3: created"]  # the counter never goes back
    assert watch.create(b"b", watch_id=-1) == ["h1 #-1: created"]
    assert watch.create(b"a", watch_id=1) == [
        "h1 #-1: created canceled mvcc: duplicate watch ID provided on the WatchStream"
    ]
    put(engine, b"a")
    assert watch.reported() == [f"h2 #{id}: PUT a@2" for id in (1, 2, 3)]
    assert watch.cancel(9) == []  # nobody has it
    assert watch.cancel(-1) == ["h2 #-1: canceled"]
    assert watch.create(b"a", watch_id=-1) == ["h2 #-1: created"]


@pytest.mark.parametrize("range_end", [b"a", b"A"])
def test_a_range_that_is_empty_is_refused(engine: Engine, range_end: bytes) -> None:
    watch = Watch(engine)
    assert watch.create(b"a", range_end, watch_id=5) == ["h1 #-1: created canceled mvcc: watcher range is empty"]
    assert watch.create(b"a", watch_id=5) == ["h1 #5: created"]


def test_a_request_with_nothing_in_it_is_ignored(engine: Engine) -> None:
    watch = Watch(engine)
    watch.stream.send(pb.WatchRequest())
    assert watch.reported() == []
    assert watch.create(b"a") == ["h1 #0: created"]


def test_the_past_is_reported_at_once_with_the_current_revision(engine: Engine) -> None:
    for value in (b"1", b"2"):
        put(engine, b"a", value)
        put(engine, b"b", value)
    watch = Watch(engine)
    assert watch.create(b"a", start_revision=3) == ["h5 #0: created", "h5 #0: PUT a@4"]
    put(engine, b"a")
    assert watch.reported() == ["h6 #0: PUT a@6"]


def test_the_past_comes_a_thousand_revisions_at_a_time(engine: Engine) -> None:
    for number in range(2301):
        put(engine, b"a" if number else b"b")
    watch = Watch(engine)
    watch.create(b"x")
    create = pb.WatchCreateRequest(key=b"a", start_revision=1)
    watch.stream.send(pb.WatchRequest(create_request=create))
    created, *events = watch.responses()
    assert [len(response.events) for response in events] == [1000, 1000, 300]
    assert {response.header.revision for response in (created, *events)} == {2302}


def test_a_start_in_the_future(engine: Engine) -> None:
    watch = Watch(engine)
    assert watch.create(b"a", start_revision=4) == ["h1 #0: created"]
    for _ in range(4):
        put(engine, b"a")
    assert watch.reported() == ["h4 #0: PUT a@4", "h5 #0: PUT a@5"]


def test_a_start_that_is_compacted(engine: Engine) -> None:
    for _ in range(4):
        put(engine, b"a")
    compact(engine, 4)
    watch = Watch(engine)
    assert watch.create(b"a", start_revision=3) == ["h5 #0: created", "h0 #0: canceled compacted 4"]
    assert watch.create(b"a", start_revision=4, watch_id=1) == ["h5 #1: created", "h5 #1: PUT a@4 PUT a@5"]
    put(engine, b"a")
    assert watch.reported() == ["h6 #1: PUT a@6"]
    # it stays the stream's
    assert watch.cancel(0) == ["h6 #0: canceled"]
    assert watch.cancel(0) == []


@pytest.mark.parametrize(("version", "kept"), [("3.5.1", []), ("3.5.16", ["h4 #0: DELETE a@3"])])
def test_a_tombstone_at_the_compacted_revision(version: str, kept: list[str]) -> None:
    engine = Engine(version)
    put(engine, b"a", b"1")
    delete(engine, b"a")
    put(engine, b"b")
    compact(engine, 3)
    assert Watch(engine).create(b"a", start_revision=3, prev_kv=True) == ["h4 #0: created", *kept]


COMPACTED = "etcdserver: mvcc: required revision has been compacted"


def test_a_negative_start() -> None:
    for version, first, second in (
        (OLD, ["h2 #0: created"], ["h2 #1: created", "h0 #1: canceled compacted -1"]),
        (NEW, [f"h2 #-1: created canceled {COMPACTED}"], [f"h2 #-1: created canceled {COMPACTED}"]),
    ):
        engine = Engine(version)
        put(engine, b"a")
        watch = Watch(engine)
        assert watch.create(b"a", start_revision=-1) == first
        assert watch.create(b"a", start_revision=-5) == second
        assert COMPACTED in str(watch.create(b"b", b"a", start_revision=-1)) or version == OLD


@pytest.mark.parametrize(
    ("filters", "reported"),
    [([], "PD"), ([0], "D"), ([1], "P"), ([0, 1], ""), ([7], "PD"), ([7, 0], "D")],
)
def test_filters(engine: Engine, filters: list[int], reported: str) -> None:
    watch = Watch(engine)
    watch.create(b"a", filters=filters)
    put(engine, b"a")
    delete(engine, b"a")
    assert reported == "".join(pb.Event.EventType.Name(r.events[0].type)[0] for r in watch.responses())


def test_prev_kv_is_the_state_one_revision_before(engine: Engine) -> None:
    watch = Watch(engine)
    watch.create(b"a", b"c", prev_kv=True)
    put(engine, b"a", b"1")
    put(engine, b"a", b"2")
    everything = pb.DeleteRangeRequest(key=b"a", range_end=b"\0")
    txn(engine, pb.PutRequest(key=b"a", value=b"3"), pb.PutRequest(key=b"b"), everything)
    put(engine, b"a", b"4")
    txn(engine, everything, pb.PutRequest(key=b"a", value=b"5"))
    assert watch.reported() == [
        "h2 #0: PUT a@2",
        "h3 #0: PUT a@3 was 1@2",
        "h4 #0: PUT a@4 was 2@3 PUT b@4 DELETE a@4 was 2@3 DELETE b@4",
        "h5 #0: PUT a@5",
        "h6 #0: DELETE a@6 was 4@5 PUT a@6",
    ]


def test_prev_kv_is_not_reported_of_what_is_compacted(engine: Engine) -> None:
    for value in (b"1", b"2", b"3"):
        put(engine, b"a", value)
    compact(engine, 3)
    reported = Watch(engine).create(b"a", start_revision=3, prev_kv=True)
    assert reported == ["h4 #0: created", "h4 #0: PUT a@3 PUT a@4 was 2@3"]


def test_fragments(engine: Engine) -> None:
    watch = Watch(engine)
    watch.create(b"k", b"l")
    watch.create(b"k", b"l", fragment=True)
    txn(engine, *(pb.PutRequest(key=b"k%d" % number, value=b"v" * 300_000) for number in range(5)))
    assert watch.reported() == [
        "h2 #0: PUT k0@2 PUT k1@2 PUT k2@2 PUT k3@2 PUT k4@2",
        "h2 #1: PUT k0@2 PUT k1@2 PUT k2@2 PUT k3@2 PUT k4@2",
    ]
    for number in range(4):
        put(engine, b"m%d" % number, b"v" * 900_000)
    assert watch.create(b"m", b"n", start_revision=1, fragment=True) == [
        "h6 #2: created",
        "h6 #2: fragment PUT m0@3 PUT m1@4",
        "h6 #2: PUT m2@5 PUT m3@6",
    ]
    assert watch.create(b"m", b"n", start_revision=1) == [
        "h6 #3: created",
        "h6 #3: PUT m0@3 PUT m1@4 PUT m2@5 PUT m3@6",
    ]


def compacted_start(watch: Watch, engine: Engine) -> list[str]:
    put(engine, b"a")
    compact(engine, 2)
    return watch.create(b"a", start_revision=1)


PROGRESS: dict[str, tuple[Callable[[Watch, Engine], object], str]] = {
    # who answers a progress request: 3.4.23, 3.5.16, 3.6.16
    "no watcher": (lambda _watch, _engine: None, "y--"),
    "a refused one": (lambda watch, _engine: watch.create(b"b", b"a"), "y--"),
    "a cancelled one": (lambda watch, _engine: [watch.create(b"a"), watch.cancel(0)], "y--"),
    "one": (lambda watch, _engine: watch.create(b"a"), "yyy"),
    "one that starts in the future": (lambda watch, _engine: watch.create(b"a", start_revision=9), "yy-"),
    "one of two in the future": (lambda watch, _: [watch.create(b"a"), watch.create(b"a", start_revision=9)], "yy-"),
    "one that compaction cancelled": (compacted_start, "y--"),
    "one that compaction and then the client cancelled": (
        lambda watch, engine: [compacted_start(watch, engine), watch.cancel(0), watch.create(b"b")],
        "yyy",
    ),
}


@pytest.mark.parametrize("case", PROGRESS)
def test_progress_on_request(case: str) -> None:
    prepare, expected = PROGRESS[case]
    answered = ""
    for version in ("3.4.23", "3.5.16", "3.6.16"):
        engine = Engine(version)
        watch = Watch(engine)
        prepare(watch, engine)
        watch.reported()
        reported = watch.progress()
        assert reported in ([], ["h1 #-1:"], ["h2 #-1:"])
        answered += "y" if reported else "-"
    assert answered == expected


def test_progress_notify_every_interval_without_events() -> None:
    clock = VirtualClock()
    engine = Engine("3.5.16", clock=clock, watch_progress_interval=10)
    watch = Watch(engine)
    watch.create(b"a", progress_notify=True)
    watch.create(b"a")
    clock.advance(9)
    assert watch.reported() == []
    put(engine, b"b")
    clock.advance(1)
    assert watch.reported() == ["h2 #0:"]
    put(engine, b"a")
    watch.reported()
    clock.advance(10)
    assert watch.reported() == []  # it had an event
    clock.advance(35)
    assert watch.reported() == ["h3 #0:"]  # ticks that were missed are over
    clock.advance(5)
    assert watch.reported() == ["h3 #0:"]


@pytest.mark.parametrize(("version", "reported"), [("3.5.16", ["h1 #0:"]), ("3.5.30", [])])
def test_progress_notify_before_the_start(version: str, reported: list[str]) -> None:
    clock = VirtualClock()
    engine = Engine(version, clock=clock)
    watch = Watch(engine)
    watch.create(b"a", progress_notify=True, start_revision=9)
    clock.advance(600)
    assert watch.reported() == reported


def test_a_refusal_silences_the_watcher_of_its_id_in_some_releases() -> None:
    for version, silenced in (("3.5.1", True), ("3.5.16", False)):
        engine = Engine(version)
        watch = Watch(engine)
        watch.create(b"a", watch_id=-1)
        watch.create(b"a", watch_id=-1)
        put(engine, b"a")
        event = ["h2 #-1: PUT a@2"]
        assert watch.reported() == ([] if silenced else event)
        assert watch.cancel(-1) == ["h2 #-1: canceled"]
        assert watch.create(b"a", watch_id=-1) == ["h2 #-1: created", *(event if silenced else [])]


def test_a_revoked_lease_and_one_that_expires() -> None:
    clock = VirtualClock()
    engine = Engine(clock=clock)
    watch = Watch(engine)
    watch.create(b"\0", b"\0", filters=[0])
    for id in (7, 8):
        engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=10))
        put(engine, b"b%d" % id, lease=id)
        put(engine, b"a%d" % id, lease=id)
    engine.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=8))
    clock.advance(10)
    assert watch.reported() == ["h6 #0: DELETE a8@6 DELETE b8@6", "h7 #0: DELETE a7@7 DELETE b7@7"]


def test_the_end_of_a_stream(engine: Engine) -> None:
    one, other = Watch(engine), Watch(engine)
    for watch in (one, other):
        watch.create(b"a")
    one.stream.close()
    one.stream.close()
    with pytest.raises(StreamClosed):
        one.stream.send(pb.WatchRequest())
    put(engine, b"a")
    with pytest.raises(StreamClosed):
        one.stream.receive()
    assert other.reported() == ["h2 #0: PUT a@2"]
    engine.reset()
    for _ in range(2):
        with pytest.raises(StreamClosed):
            other.stream.receive()


def test_what_was_delivered_before_the_end_can_be_received(engine: Engine) -> None:
    watch = Watch(engine)
    watch.stream.send(pb.WatchRequest(create_request=pb.WatchCreateRequest(key=b"a")))
    engine.reset()
    assert watch.stream.receive() is not None
    with pytest.raises(StreamClosed):
        watch.stream.receive()


def test_a_message_that_is_too_long(engine: Engine) -> None:
    watch = Watch(engine)
    create = pb.WatchCreateRequest(key=b"k" * 2_100_000)
    with pytest.raises(EtcdError, match="RESOURCE_EXHAUSTED"):
        watch.stream.send(pb.WatchRequest(create_request=create))
