"""Watch streams, as transcripts: what was done, and what a stream had delivered by then."""

from __future__ import annotations

import pytest

from etcd_model import Error, Operation, Result, Server, State, nondeterminism, quirks_of, step
from etcd_model import operations as op
from etcd_model.results import (
    AuthenticateResult,
    Event,
    KeyValue,
    StreamResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)
from etcd_model.state import emptied

EVERY = b"\x00"
NO_PUT, NO_DELETE = op.FilterType.NOPUT, op.FilterType.NODELETE
OLD, NEW = "3.5.1", "3.7.3"


def of(version: str, *operations: Operation) -> State:
    return run(State(server=Server(quirks=quirks_of(version))), *operations)[0]


def run(state: State, *operations: Operation) -> tuple[State, list[Result]]:
    results = []
    for operation in operations:
        assert nondeterminism(operation, state) is None, operation
        state, result = step(state, operation)
        results.append(result)
    return state, results


def read(state: State, stream: int = 0) -> WatchReadResult:
    result = run(state, op.WatchRead(stream))[1][0]
    assert isinstance(result, WatchReadResult)
    return result


def watched(state: State, stream: int = 0) -> list[str]:
    """What its first watcher was sent, each event in a word."""
    return words(read(state, stream).watches[0])


def words(watched_: Watched) -> list[str]:
    return [word(event) for event in watched_.events]


def word(event: Event) -> str:
    """`+key=value@revision` or `-key@revision`, and `<value` for what was there before."""
    kv, before = event.kv, "" if event.prev_kv is None else f"<{event.prev_kv.value.decode()}"
    if event.type == 1:
        return f"-{kv.key.decode()}@{kv.mod_revision}{before}"
    return f"+{kv.key.decode()}={kv.value.decode()}@{kv.mod_revision}{before}"


def created(state: State, operation: op.WatchCreate) -> WatchCreateResult:
    result = run(state, operation)[1][0]
    assert isinstance(result, WatchCreateResult)
    return result


def revisions(results: list[Result]) -> list[int]:
    return [result.revision for result in results if not isinstance(result, Error)]


# What is seen.


def test_a_watcher_sees_what_happens_to_its_key_from_then_on() -> None:
    state = of(
        NEW,
        op.Put(b"a", b"0"),
        op.WatchCreate(b"a"),
        op.Put(b"a", b"1"),
        op.Put(b"b"),
        op.DeleteRange(b"a"),
        op.DeleteRange(b"a"),
    )
    assert watched(state) == ["+a=1@3", "-a@5"]


def test_a_put_is_reported_in_full_and_of_a_deletion_the_key_and_the_revision() -> None:
    state = of(
        NEW,
        op.LeaseGrant(60, id=7),
        op.WatchCreate(b"a"),
        op.Put(b"a", b"1", lease=7),
        op.Put(b"a", b"2", lease=7),
        op.DeleteRange(b"a"),
    )
    assert read(state).watches[0].events == (
        Event(0, KeyValue(b"a", b"1", 2, 2, 1, 7)),
        Event(0, KeyValue(b"a", b"2", 2, 3, 2, 7)),
        Event(1, KeyValue(b"a", b"", 0, 4, 0)),
    )


@pytest.mark.parametrize(
    ("key", "range_end", "seen"),
    [
        (b"b", b"", "b"),
        (b"b", b"d", "bc"),
        (b"b", EVERY, "bcd~"),
        (b"", EVERY, "\0abcd~"),
        (b"", b"", "\0"),
        (b"", b"b", "\0a"),
        (b"c", b"\x00\x00", None),
    ],
)
def test_a_watcher_sees_the_keys_of_its_range(key: bytes, range_end: bytes, seen: str | None) -> None:
    puts = [op.Put(bytes([byte])) for byte in b"\0abcd~"]
    state, results = run(of(NEW), op.WatchCreate(key, range_end), *puts)
    if seen is None:
        assert results[0] == WatchCreateResult(1, -1, canceled=True, cancel_reason="mvcc: watcher range is empty")
    else:
        keys = [event.kv.key for event in read(state).watches[0].events]
        sentinel = [op.SENTINEL_KEY] if range_end == EVERY else []
        assert keys == [*(bytes([byte]) for byte in seen.encode()), *sentinel]


def test_a_txn_is_seen_in_the_order_of_its_execution_and_a_range_delete_in_that_of_the_keys() -> None:
    txn = op.Txn(success=(op.Put(b"c"), op.Put(b"a"), op.Txn(success=(op.Put(b"b"),))))
    state = of(NEW, op.WatchCreate(b"a", b"z"), txn, op.DeleteRange(b"a", b"z"))
    assert watched(state) == ["+c=@2", "+a=@2", "+b=@2", "-a@3", "-b@3", "-c@3"]


@pytest.mark.parametrize("end", [op.LeaseRevoke(7), op.Advance(60)], ids=str)
def test_the_end_of_a_lease_is_seen_as_deletions(end: Operation) -> None:
    state = of(
        NEW, op.LeaseGrant(60, id=7), op.Put(b"b", lease=7), op.Put(b"a", lease=7), op.WatchCreate(b"a", b"z"), end
    )
    assert watched(state) == ["-a@4", "-b@4"]


@pytest.mark.parametrize(
    ("filters", "seen"),
    [
        ((), ["+a=@2", "-a@3"]),
        ((NO_PUT,), ["-a@3"]),
        ((NO_DELETE,), ["+a=@2"]),
        ((NO_PUT, NO_DELETE), []),
        ((7,), ["+a=@2", "-a@3"]),
        ((7, NO_PUT), ["-a@3"]),
    ],
)
def test_filters_leave_out_and_unknown_ones_do_not(filters: tuple[int, ...], seen: list[str]) -> None:
    live = of(NEW, op.WatchCreate(b"a", filters=filters), op.Put(b"a"), op.DeleteRange(b"a"))
    late = of(NEW, op.Put(b"a"), op.DeleteRange(b"a"), op.WatchCreate(b"a", filters=filters, start_revision=1))
    assert watched(live) == watched(late) == seen


# Where it begins.


@pytest.mark.parametrize(
    ("start", "seen"),
    [
        (0, ["+a=3@5"]),
        (1, ["+a=1@2", "+a=2@3", "-a@4", "+a=3@5"]),
        (3, ["+a=2@3", "-a@4", "+a=3@5"]),
        (4, ["-a@4", "+a=3@5"]),
        (5, ["+a=3@5"]),
        (6, []),
        (99, []),
    ],
)
def test_a_watcher_begins_at_its_start_be_it_past_or_future(start: int, seen: list[str]) -> None:
    state, _ = run(
        of(NEW, op.Put(b"a", b"1"), op.Put(b"a", b"2"), op.DeleteRange(b"a")),
        op.WatchCreate(b"a", start_revision=start),
    )
    assert watched(step(state, op.Put(b"a", b"3"))[0]) == seen


def test_a_start_in_the_future_comes() -> None:
    state = of(NEW, op.WatchCreate(b"a", start_revision=4), op.Put(b"a", b"1"), op.Put(b"a", b"2"), op.Put(b"a", b"3"))
    assert watched(state) == ["+a=3@4"]


def test_the_reply_to_a_creation_reports_the_current_revision() -> None:
    state = of(NEW, op.Put(b"a"), op.Put(b"a"))
    for start in (0, 1, 3, 99):
        assert created(state, op.WatchCreate(b"a", start_revision=start)) == WatchCreateResult(3, 0)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_start_in_the_compacted_past_is_cancelled_after_it_was_created_and_the_id_stays_taken(version: str) -> None:
    state = of(version, op.Put(b"a"), op.Put(b"a"), op.Compact(3))
    state, results = run(state, op.WatchCreate(b"a", start_revision=2, watch_id=5), op.WatchCreate(b"a", watch_id=5))
    assert [(result.watch_id, result.canceled) for result in results if isinstance(result, WatchCreateResult)] == [
        (5, False),
        (-1, True),
    ]
    state, _ = run(state, op.Put(b"a"))
    assert read(state).watches == (Watched(5, cancels=("",), compact_revision=3),)
    state, _ = run(state, op.WatchRead(), op.WatchCancel(5), op.WatchCreate(b"a", watch_id=5), op.Put(b"a"))
    cancelled, again = read(state).watches
    assert cancelled == Watched(5, cancels=("", ""), compact_revision=0)
    assert words(again) == ["+a=@7"]


def test_the_compact_revision_itself_can_be_watched_from() -> None:
    state = of(NEW, op.Put(b"a", b"1"), op.Put(b"a", b"2"), op.Put(b"a", b"3"), op.Compact(3, physical=True))
    assert watched(run(state, op.WatchCreate(b"a", start_revision=3))[0]) == ["+a=2@3", "+a=3@4"]


@pytest.mark.parametrize(
    ("version", "seen"), [("3.4.23", []), (OLD, []), ("3.5.16", ["-a@3"]), ("3.6.16", ["-a@3"]), (NEW, ["-a@3"])]
)
def test_a_deletion_at_the_compact_revision_is_seen_where_tombstones_are_kept(version: str, seen: list[str]) -> None:
    state = of(version, op.Put(b"a"), op.DeleteRange(b"a"), op.Compact(3, physical=True))
    assert watched(run(state, op.WatchCreate(b"a", start_revision=3, prev_kv=True))[0]) == seen
    emptied_ = emptied(Server(quirks=quirks_of(version)), b"a")
    assert [event[:2] for event in watched(run(emptied_, op.WatchCreate(b"a", start_revision=1))[0])] == [
        event[:2] for event in seen
    ]


def test_of_two_writes_of_a_key_at_the_compact_revision_the_last_is_seen() -> None:
    txn = op.Txn(
        success=(op.Txn(success=(op.Put(b"a", b"1"),)), op.Put(b"b", b"2"), op.DeleteRange(b"a", EVERY), op.Put(b"z"))
    )
    state = of(NEW, txn, op.Put(b"c"))
    watch = op.WatchCreate(b"a", b"{", start_revision=2)
    assert watched(run(state, watch)[0]) == ["+a=1@2", "+b=2@2", "-a@2", "-b@2", "+z=@2", "+c=@3"]
    assert watched(run(state, op.Compact(2, physical=True), watch)[0]) == ["-a@2", "-b@2", "+z=@2", "+c=@3"]


def test_what_was_delivered_stays_delivered_when_the_history_is_compacted() -> None:
    state = of(NEW, op.WatchCreate(b"a"), op.Put(b"a", b"1"), op.Put(b"a", b"2"), op.Compact(3), op.Put(b"a", b"3"))
    assert watched(state) == ["+a=1@2", "+a=2@3", "+a=3@4"]


# A negative start.


@pytest.mark.parametrize("version", ["3.5.30", "3.6.16", NEW])
@pytest.mark.parametrize("start", [-1, -5])
def test_a_negative_start_is_refused_before_anything_else_is_looked_at(version: str, start: int) -> None:
    reason = "etcdserver: mvcc: required revision has been compacted"
    state, results = run(
        of(version, op.Put(b"a"), op.WatchCreate(b"a", watch_id=3)),
        op.WatchCreate(b"b", b"a", start_revision=start, watch_id=3),
        op.WatchCreate(b"b"),
    )
    assert results[0] == WatchCreateResult(2, -1, canceled=True, cancel_reason=reason)
    assert results[1] == WatchCreateResult(2, 0)
    assert [watch.watch_id for watch in read(state).watches] == [3, 0]


@pytest.mark.parametrize("version", ["3.4.23", OLD, "3.5.16"])
def test_before_a_negative_start_was_one_in_the_compacted_past(version: str) -> None:
    state = of(version, op.Put(b"a"), op.WatchCreate(b"a", start_revision=-2))
    assert read(state).watches == (Watched(0, cancels=("",), compact_revision=-1),)
    state = of(version, op.Put(b"a"), op.Compact(2), op.WatchCreate(b"a", start_revision=-1))
    assert read(state).watches == (Watched(0, cancels=("",), compact_revision=2),)


def test_a_watcher_that_a_compaction_at_0_cancels_is_not_reported_so() -> None:
    state = of(OLD, op.Compact(0), op.WatchCreate(b"a", start_revision=-1), op.Put(b"a"))
    assert read(state).watches == (Watched(0),)


def test_from_minus_1_in_a_store_never_compacted_it_is_left_open_what_is_seen() -> None:
    watch = op.WatchCreate(b"a", start_revision=-1)
    assert nondeterminism(watch, of(OLD, op.Put(b"a")))
    assert nondeterminism(watch, of(OLD, op.Put(b"a"), op.Compact(1))) is None
    assert nondeterminism(watch, of(NEW, op.Put(b"a"))) is None


# What was there before.


def test_the_previous_value_is_reported_where_there_was_one() -> None:
    watch = op.WatchCreate(b"a", prev_kv=True)
    state = of(
        NEW, op.Put(b"a", b"0"), watch, op.Put(b"a", b"1"), op.DeleteRange(b"a"), op.Put(b"a", b"2"), op.Put(b"a", b"3")
    )
    assert watched(state) == ["+a=1@3<0", "-a@4<1", "+a=2@5", "+a=3@6<2"]


def test_the_previous_value_is_reported_in_full() -> None:
    state = of(
        NEW,
        op.LeaseGrant(60, id=7),
        op.Put(b"a", b"0", lease=7),
        op.WatchCreate(b"a", prev_kv=True),
        op.DeleteRange(b"a"),
    )
    assert read(state).watches[0].events[0].prev_kv == KeyValue(b"a", b"0", 2, 2, 1, 7)


@pytest.mark.parametrize("start", [0, 3])
def test_the_previous_value_is_that_of_the_revision_before_for_each_event_of_a_txn(start: int) -> None:
    before = of(NEW, op.Put(b"a", b"0"))
    watch = op.WatchCreate(b"a", EVERY, prev_kv=True, start_revision=start)
    txn = op.Txn(success=(op.Put(b"a", b"1"), op.Put(b"new", b"1"), op.DeleteRange(b"a", EVERY)))
    state = run(before, *((txn, watch) if start else (watch, txn)))[0]
    assert watched(state)[:4] == ["+a=1@3<0", "+new=1@3", "-a@3<0", "-new@3"]


def test_a_put_after_a_deletion_in_one_txn_creates_the_key_and_has_nothing_before_it() -> None:
    txn = op.Txn(success=(op.DeleteRange(b"a", EVERY), op.Put(b"a", b"1")))
    state = of(NEW, op.Put(b"a", b"0"), op.WatchCreate(b"a", prev_kv=True), txn)
    assert watched(state) == ["-a@3<0", "+a=1@3"]


def test_the_previous_value_is_left_out_where_it_is_compacted() -> None:
    state = of(NEW, op.Put(b"a", b"1"), op.Put(b"a", b"2"), op.Put(b"a", b"3"), op.Compact(3, physical=True))
    state, _ = run(state, op.WatchCreate(b"a", start_revision=3, prev_kv=True))
    assert watched(state) == ["+a=2@3", "+a=3@4<2"]


# Ids, and what is refused.


def test_ids_are_picked_from_a_counter_that_never_goes_back() -> None:
    state, results = run(
        of(NEW),
        op.WatchCreate(b"a", watch_id=1),
        op.WatchCreate(b"a"),
        op.WatchCreate(b"a"),
        op.WatchCreate(b"b", b"a"),
        op.WatchCancel(0),
        op.WatchCreate(b"a"),
        op.WatchCreate(b"a", watch_id=-7),
        op.WatchCreate(b"a", stream=1),
    )
    ids = [result.watch_id for result in results if isinstance(result, WatchCreateResult)]
    assert ids == [1, 0, 2, -1, 3, -7, 0]
    assert [watch.watch_id for watch in read(state).watches] == [1, 0, 2, 3, -7]


@pytest.mark.parametrize("end", [b"b", b"a"])
def test_an_empty_range_is_refused(end: bytes) -> None:
    reply = WatchCreateResult(1, -1, canceled=True, cancel_reason="mvcc: watcher range is empty")
    state, results = run(of(NEW), op.WatchCreate(b"b", end, watch_id=7))
    assert results == [reply]
    assert read(state).watches == ()


def test_an_id_that_is_taken_is_refused_and_the_one_that_has_it_goes_on() -> None:
    state, results = run(
        of(NEW, op.WatchCreate(b"a", watch_id=5)), op.WatchCreate(b"b", watch_id=5), op.Put(b"a"), op.Put(b"b")
    )
    reason = "mvcc: duplicate watch ID provided on the WatchStream"
    assert results[0] == WatchCreateResult(1, -1, canceled=True, cancel_reason=reason)
    assert watched(state) == ["+a=@2"]


def test_a_cancelled_id_can_be_taken_again_and_makes_an_entry_of_its_own() -> None:
    state = of(
        NEW,
        op.WatchCreate(b"a", watch_id=9),
        op.WatchCancel(9),
        op.WatchCreate(b"b", watch_id=9),
        op.Put(b"a"),
        op.Put(b"b"),
    )
    first, second = read(state).watches
    assert (first.cancels, words(first)) == (("",), [])
    assert (second.cancels, words(second)) == ((), ["+b=@3"])


def test_to_cancel_what_is_not_there_has_no_reply() -> None:
    state, results = run(of(NEW, op.WatchCreate(b"a")), op.WatchCancel(42), op.WatchCancel(0), op.WatchCancel(0))
    assert results == [StreamResult()] * 3
    assert read(state).watches == (Watched(0, cancels=("",)),)


# Progress. The table of facts: what is on the stream, and which versions answer.

PROGRESS: dict[str, tuple[list[Operation], set[str]]] = {
    "nothing": ([], {OLD, "3.4.23"}),
    "only a refused one": ([op.WatchCreate(b"b", b"a")], {OLD, "3.4.23"}),
    "only a cancelled one": ([op.WatchCreate(b"a"), op.WatchCancel(0)], {OLD, "3.4.23"}),
    "a synced one": ([op.WatchCreate(b"a")], {OLD, "3.4.23", "3.5.16", "3.5.30", "3.6.16", NEW}),
    "one that starts with the next revision": ([op.WatchCreate(b"a", start_revision=6)], {OLD, "3.4.23", "3.5.16"}),
    "a synced one and one of the future": (
        [op.WatchCreate(b"a"), op.WatchCreate(b"a", start_revision=99)],
        {OLD, "3.4.23", "3.5.16"},
    ),
    "one that a compaction cancelled": (
        [op.WatchCreate(b"a", start_revision=1), op.WatchRead(), op.WatchCreate(b"a")],
        {OLD, "3.4.23"},
    ),
    "one that a compaction cancelled, cancelled": (
        [op.WatchCreate(b"a", start_revision=1), op.WatchRead(), op.WatchCreate(b"a"), op.WatchCancel(0)],
        {OLD, "3.4.23", "3.5.16", "3.5.30", "3.6.16", NEW},
    ),
}


@pytest.mark.parametrize("version", ["3.4.23", OLD, "3.5.16", "3.5.30", "3.6.16", NEW])
@pytest.mark.parametrize("on_the_stream", PROGRESS)
def test_a_progress_request_is_answered_if_the_stream_has_made_progress(version: str, on_the_stream: str) -> None:
    operations, answering = PROGRESS[on_the_stream]
    state = of(version, op.Put(b"a"), op.Put(b"a"), op.Put(b"a"), op.Compact(4), op.Put(b"b"), *operations)
    revision = state.revision
    assert read(run(state, op.WatchProgress())[0]).progress == ((revision,) if version in answering else ())


def test_each_progress_request_has_an_answer_that_reports_the_revision_of_its_moment() -> None:
    state = of(NEW, op.WatchCreate(b"a", start_revision=3), op.WatchProgress(), op.Put(b"b"), op.WatchProgress())
    state, _ = run(state, op.Put(b"b"), op.WatchProgress(), op.WatchProgress())
    assert read(state).progress == (3, 3)


def test_versions_that_answer_a_progress_request_later_leave_open_when() -> None:
    on_the_stream = op.WatchCreate(b"a", start_revision=1)
    for version, left_open in (("3.5.7", False), ("3.5.8", True), ("3.5.12", True), ("3.5.13", False)):
        state = of(version, op.Put(b"a"), op.Compact(2), on_the_stream, op.WatchRead())
        assert bool(nondeterminism(op.WatchProgress(), state)) is left_open
        assert nondeterminism(op.WatchProgress(1), state) is None


# Reading.


def test_a_read_puts_the_fence_like_any_other_key() -> None:
    state = of(
        NEW,
        op.LeaseGrant(60, id=7),
        op.Put(op.SENTINEL_KEY, b"mine", lease=7),
        op.WatchCreate(op.SENTINEL_KEY),
        op.WatchRead(),
    )
    assert state.keys[op.SENTINEL_KEY] == KeyValue(op.SENTINEL_KEY, b"", 2, 3, 2, 0)
    result = read(state)
    assert result.revision == 4
    assert words(result.watches[0]) == ["+~sentinel=@3", "+~sentinel=@4"]


def test_a_read_puts_it_twice_once_the_stream_had_to_catch_up() -> None:
    state = of(NEW, op.Put(b"a"), op.WatchCreate(b"a", start_revision=2), op.WatchCreate(b"a", stream=1))
    state, results = run(state, op.WatchRead(), op.WatchRead(), op.WatchRead(1))
    assert revisions(results) == [4, 5, 6]
    from_7 = op.WatchCreate(b"a", start_revision=7)
    assert revisions(run(state, from_7, op.WatchRead(), from_7, op.WatchRead())[1]) == [6, 7, 7, 9]


def test_a_read_reports_everything_since_the_stream_was_opened_so_it_can_be_repeated() -> None:
    state = of(NEW, op.WatchCreate(b"a"), op.Put(b"a"), op.WatchRead(), op.Put(b"a"), op.WatchRead())
    assert watched(state) == watched(run(state, op.WatchRead())[0]) == ["+a=@2", "+a=@4"]


def test_a_stream_of_nothing_is_opened_by_reading_it() -> None:
    assert run(of(NEW), op.WatchRead(4))[1] == [WatchReadResult(2)]


def test_streams_know_nothing_of_each_other_and_a_closed_one_begins_anew() -> None:
    state = of(NEW, op.WatchCreate(b"a"), op.WatchCreate(b"b", stream=1), op.Put(b"a"), op.Put(b"b"))
    assert (watched(state, 0), watched(state, 1)) == (["+a=@2"], ["+b=@3"])
    state, results = run(state, op.WatchClose(), op.WatchClose(), op.WatchCreate(b"a"), op.Put(b"a"))
    assert results[:3] == [StreamResult(), StreamResult(), WatchCreateResult(3, 0)]
    assert (watched(state, 0), watched(state, 1)) == (["+a=@4"], ["+b=@3"])


def test_with_no_stream_a_step_leaves_no_trace_of_watching() -> None:
    state = of(NEW, op.Put(b"a"), op.WatchClose())
    assert dict(state.streams) == {}
    assert step(state, op.WatchClose())[0] is state


# What is nondeterministic.


def test_while_a_stream_may_be_catching_up_most_is_left_open_until_it_is_read() -> None:
    state = of(NEW, op.Put(b"a"), op.WatchCreate(b"b"), op.WatchCreate(b"a", start_revision=1))
    left_open: list[Operation] = [
        op.WatchProgress(),
        op.WatchCancel(0),
        op.WatchCancel(1),
        op.Compact(1),
        op.Compact(99),
    ]
    for operation in left_open:
        assert nondeterminism(operation, state), operation
        assert nondeterminism(op.As("token", operation), state), operation
        assert nondeterminism(operation, run(state, op.WatchRead())[0]) is None, operation
    others: list[Operation] = [
        op.WatchProgress(1),
        op.WatchCancel(42),
        op.WatchClose(),
        op.WatchRead(),
        op.WatchCreate(b"a"),
        op.Put(b"a"),
    ]
    for operation in others:
        assert nondeterminism(operation, state) is None, operation


def test_what_a_watcher_is_owed_is_read_before_it_is_cancelled() -> None:
    state = of(NEW, op.WatchCreate(b"a"), op.WatchCreate(b"b"), op.Put(b"a"))
    assert nondeterminism(op.WatchCancel(0), state)
    assert nondeterminism(op.WatchCancel(1), state) is None
    assert nondeterminism(op.WatchCancel(0), run(state, op.WatchRead())[0]) is None


def test_previous_values_are_read_before_they_are_compacted() -> None:
    state = of(NEW, op.WatchCreate(b"a", prev_kv=True, stream=1), op.WatchCreate(b"a"))
    assert nondeterminism(op.Compact(1), state) is None
    state, _ = run(state, op.Put(b"a"))
    assert nondeterminism(op.Compact(1), run(state, op.WatchRead(0))[0])
    assert nondeterminism(op.Compact(1), run(state, op.WatchRead(1))[0]) is None


def test_what_a_compaction_on_its_way_takes_from_under_a_watcher_is_left_open() -> None:
    twice = op.Txn(success=(op.Txn(success=(op.Put(b"a"),)), op.DeleteRange(b"a", EVERY)))
    watch = op.WatchCreate(b"a", start_revision=2)
    assert nondeterminism(watch, of(NEW, twice, op.Compact(2)))
    assert nondeterminism(watch, of(NEW, twice, op.Compact(2, physical=True))) is None
    assert nondeterminism(watch, of(NEW, op.Put(b"a"), op.Compact(2))) is None
    for version, left_open in ((OLD, True), (NEW, False)):
        state = of(version, op.Put(b"a"), op.DeleteRange(b"a"), op.Compact(3))
        assert bool(nondeterminism(op.WatchCreate(b"a", start_revision=3), state)) is left_open


# Who may watch.


def guarded(version: str) -> tuple[State, str]:
    """A store with auth on, and the token of a user who may do everything to `a` and to the sentinel."""
    keys = (b"a", op.SENTINEL_KEY)
    state = of(
        version,
        op.RoleAdd("root"),
        op.UserAdd("root", "r"),
        op.UserGrantRole("root", "root"),
        op.RoleAdd("some"),
        *(op.RoleGrantPermission("some", op.Permission(op.PermissionType.READWRITE, key)) for key in keys),
        op.UserAdd("u", "p"),
        op.UserGrantRole("u", "some"),
        op.AuthEnable(),
    )
    state, result = step(state, op.Authenticate("u", "p"))
    assert isinstance(result, AuthenticateResult), result
    return state, result.token


def test_a_watcher_needs_the_permission_to_read_its_range_when_it_is_created() -> None:
    state, token = guarded(NEW)
    denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    state, results = run(
        state, *(op.As(token, op.WatchCreate(key, watch_id=5)) for key in (b"b", b"a")), op.As(token, op.Put(b"a"))
    )
    assert results[:2] == [WatchCreateResult(1, -1, canceled=True, cancel_reason=denied), WatchCreateResult(1, 5)]
    result = run(state, op.As(token, op.WatchRead()))[1][0]
    assert isinstance(result, WatchReadResult)
    assert words(result.watches[0]) == ["+a=@2"]


def test_a_stream_has_the_token_that_it_was_opened_with() -> None:
    state, token = guarded(NEW)
    state, (anonymous,) = run(state, op.WatchCreate(b"a"))
    assert isinstance(anonymous, WatchCreateResult)
    assert anonymous.cancel_reason == "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"
    assert created(state, op.WatchCreate(b"a")) == anonymous
    _, (still, anew) = run(state, op.As(token, op.WatchCreate(b"a")), op.As(token, op.WatchCreate(b"a", stream=1)))
    assert (still, anew) == (anonymous, WatchCreateResult(1, 0))


def test_a_stream_whose_fence_nobody_may_see_is_not_read() -> None:
    state, token = guarded(NEW)
    assert nondeterminism(op.WatchRead(), state)
    assert isinstance(step(state, op.WatchRead())[1], Error)
    assert nondeterminism(op.As(token, op.WatchRead()), state) is None
    opened = run(state, op.WatchCreate(b"a"))[0]
    assert nondeterminism(op.As(token, op.WatchRead()), opened)


def test_before_3_5_6_a_refusal_mutes_the_watcher_that_has_its_id_until_that_is_given_anew() -> None:
    state, token = guarded(OLD)
    state, results = run(
        state,
        op.As(token, op.WatchCreate(b"a", watch_id=5)),
        op.As(token, op.WatchCreate(b"b", watch_id=5)),
        op.As(token, op.Put(b"a", b"1")),
    )
    denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    assert results[1] == WatchCreateResult(1, 5, canceled=True, cancel_reason=denied)
    state, (muted,) = run(state, op.As(token, op.WatchRead()))
    assert isinstance(muted, WatchReadResult)
    assert muted.watches == (Watched(5),)
    state, (_, _, heard) = run(
        state, op.WatchCancel(5), op.As(token, op.WatchCreate(b"a", watch_id=5)), op.As(token, op.WatchRead())
    )
    assert isinstance(heard, WatchReadResult)
    assert [(watch.cancels, words(watch)) for watch in heard.watches] == [(("",), []), ((), ["+a=1@2"])]


@pytest.mark.parametrize(("version", "seen"), [(OLD, []), ("3.4.23", ["+a=@2"]), (NEW, ["+a=@2"])])
def test_before_3_5_6_any_refusal_mutes_the_watcher_minus_1(version: str, seen: list[str]) -> None:
    state = of(version, op.WatchCreate(b"a", watch_id=-1), op.WatchCreate(b"b", b"a"), op.Put(b"a"))
    assert watched(state) == seen


def test_what_is_on_its_way_when_a_refusal_mutes_it_is_left_open() -> None:
    state = of(OLD, op.WatchCreate(b"a", watch_id=-1), op.Put(b"a"))
    assert nondeterminism(op.WatchCreate(b"b", b"a"), state)
    assert nondeterminism(op.WatchCreate(b"b", b"a"), run(state, op.WatchRead())[0]) is None
