"""HashKV. The numbers are those that real servers gave: 3.4.23, 3.5.1, 3.5.16, 3.5.30, 3.6.16 and 3.7.3."""

from __future__ import annotations

import pytest

from etcd_model import Operation, Server, State, nondeterminism, quirks_of, step
from etcd_model.errors import COMPACTED, FUTURE_REVISION, Error
from etcd_model.history_hash import hash_kv, history_hash, history_records
from etcd_model.operations import SENTINEL_KEY, Advance, Compact, DeleteRange, HashKV, LeaseGrant, LeaseRevoke, Put, Txn
from etcd_model.results import HashKVResult, KeyValue
from etcd_model.state import emptied

EVERY = b"\x00"
EMPTY = 1084519789
VERSIONS = ("3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3")


def of(version: str, *operations: Operation) -> State:
    return run(State(server=Server(quirks=quirks_of(version))), *operations)


def run(state: State, *operations: Operation) -> State:
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), (operation, result)
    return state


def hashed(state: State, revision: int = 0) -> int | Error:
    result = hash_kv(state, HashKV(revision))[1]
    return result if isinstance(result, Error) else result.hash


def reported(version: str, operations: list[Operation], revision: int) -> HashKVResult | Error:
    return hash_kv(of(version, *operations), HashKV(revision))[1]


def physically(revision: int) -> Compact:
    return Compact(revision, physical=True)


PUT: list[Operation] = [Put(b"a", b"1")]
KINDS: list[Operation] = [
    LeaseGrant(10000, id=-9),
    Put(b"a", b"1", lease=-9),
    Txn(success=(Put(b"b"), Put(b"c", b"3"), Txn(success=(Put(b"d"),)), DeleteRange(b"a"))),
    DeleteRange(EVERY, EVERY),
]
COMPACT: list[Operation] = [
    Put(b"a", b"1"),
    Txn(success=(Put(b"b"), Put(b"a", b"2"))),
    Put(b"b", b"3"),
    DeleteRange(b"a"),
    physically(4),
]
NOTHING_ALIVE: list[Operation] = [Put(b"a", b"1"), Put(b"b", b"2"), physically(3), DeleteRange(EVERY, EVERY)]
TOMBSTONE: list[Operation] = [Put(b"a", b"1"), DeleteRange(b"a"), physically(3)]
SUBS: list[Operation] = [
    Put(b"a", b"0"),
    Txn(success=(Txn(success=(Put(b"a", b"1"),)), Put(b"z", b"x"), DeleteRange(b"a", EVERY))),
    Txn(success=(Put(b"b", b"1"), Put(b"a", b"2"))),
    physically(4),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("operations", "revision", "checksum"),
    [
        pytest.param([], 0, EMPTY, id="an empty store"),
        pytest.param(PUT, 0, 2587454935, id="a put"),
        pytest.param(PUT, 1, EMPTY, id="before the put"),
        pytest.param(PUT, -1, EMPTY, id="nothing is as old as a negative revision"),
        pytest.param(KINDS, 2, 4073434723, id="a negative lease"),
        pytest.param(KINDS, 3, 1486826438, id="subs"),
        pytest.param(KINDS, 0, 351888977, id="tombstones"),
        pytest.param(COMPACT, 0, 988557716, id="what is alive survives a compaction with its sub"),
        pytest.param(COMPACT, 5, 988557716, id="and the same asked by its number"),
        pytest.param(NOTHING_ALIVE, 0, 3044120765, id="all that is stored counts when nothing is alive"),
        pytest.param(TOMBSTONE, 0, EMPTY, id="a tombstone at the compact revision does not count"),
        pytest.param([*TOMBSTONE, Put(b"b", b"2")], 0, 3337853667, id="nor does it later"),
        pytest.param(SUBS, 0, 3529325707, id="a sub that is not the first survives"),
    ],
)
def test_every_version_hashes_the_same_way(
    version: str, operations: list[Operation], revision: int, checksum: int
) -> None:
    assert hashed(of(version, *operations), revision) == checksum


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("3.4.23", HashKVResult(5, 988557716, 4)),
        ("3.5.30", HashKVResult(5, 988557716, 4)),
        ("3.6.16", HashKVResult(5, 988557716, 4, hash_revision=5)),
        ("3.7.3", HashKVResult(5, 988557716, 4, hash_revision=5)),
    ],
)
def test_the_answer_reports_the_hashed_revision_from_3_6_on(version: str, result: HashKVResult) -> None:
    assert reported(version, COMPACT, 0) == result


@pytest.mark.parametrize(("version", "result"), [("3.5.30", 0), ("3.6.16", -1)])
def test_a_negative_revision_is_reported_as_it_is(version: str, result: int) -> None:
    assert reported(version, PUT, -1) == HashKVResult(2, EMPTY, -1, hash_revision=result)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_compacted_or_still_to_come_has_no_hash(version: str) -> None:
    state = of(version, *COMPACT)
    assert (hashed(state, 3), hashed(state, 6)) == (COMPACTED, FUTURE_REVISION)


REMEMBERED: list[Operation] = [
    Put(b"a", b"1"),
    Put(b"a", b"2"),
    physically(2),
    Put(b"b", b"3"),
    physically(3),
]


@pytest.mark.parametrize(
    ("revision", "hash_", "compact_revision"),
    [(2, 2587454935, -1), (3, 1483641527, 2), (4, 3145224014, 3)],
)
def test_the_hash_made_at_a_compaction_is_given_out_ever_after(
    revision: int, hash_: int, compact_revision: int
) -> None:
    assert reported("3.5.16", REMEMBERED, revision) == HashKVResult(4, hash_, compact_revision)
    assert reported("3.7.3", REMEMBERED, revision) == HashKVResult(4, hash_, compact_revision, hash_revision=revision)


@pytest.mark.parametrize("version", ["3.4.23", "3.5.1"])
@pytest.mark.parametrize("revision", [2, 3])
def test_before_3_5_5_no_hash_is_remembered(version: str, revision: int) -> None:
    assert reported(version, REMEMBERED, revision) == COMPACTED


def test_the_hash_of_a_compaction_at_0_stands_for_the_current_one_from_then_on() -> None:
    operations: list[Operation] = [physically(0), Put(b"a")]
    assert reported("3.4.23", operations, 0) == HashKVResult(2, 1436260321, 0)
    assert reported("3.5.16", operations, 0) == HashKVResult(2, EMPTY, -1)
    assert reported("3.7.3", operations, 0) == HashKVResult(2, EMPTY, -1, hash_revision=0)


def test_ten_hashes_are_remembered() -> None:
    state = of("3.5.16", *(Put(b"a") for _ in range(11)), *(physically(revision) for revision in range(2, 12)))
    assert isinstance(hashed(state, 2), int)
    state = run(state, physically(12))
    assert hashed(state, 2) == COMPACTED
    assert isinstance(hashed(state, 3), int)


# What is nondeterministic.


def test_a_compaction_that_is_not_waited_for_leaves_its_own_hash_open() -> None:
    state = of("3.5.16", Put(b"a"), Put(b"a"), Put(b"a"), Compact(3))
    assert nondeterminism(HashKV(3), state)
    assert nondeterminism(HashKV(4), state) is nondeterminism(HashKV(0), state) is None
    assert nondeterminism(HashKV(3), run(state, physically(4))) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_compaction_that_is_not_waited_for_leaves_open_what_is_stored_when_nothing_is_alive(version: str) -> None:
    state = of(version, Put(b"a"), Put(b"a"), Compact(3), DeleteRange(b"a"))
    assert nondeterminism(HashKV(), state)
    assert nondeterminism(HashKV(), run(state, Put(b"b"))) is None


def test_a_compaction_that_is_refused_is_waited_for_too_if_it_is_physical() -> None:
    state = of("3.5.16", Put(b"a"), DeleteRange(b"a"), Compact(3))
    assert nondeterminism(HashKV(), state)
    state, result = step(state, Compact(3))
    assert result == COMPACTED
    assert nondeterminism(HashKV(), state)
    state, result = step(state, physically(3))
    assert result == COMPACTED
    assert nondeterminism(HashKV(), state) is None


def test_time_lets_a_compaction_come_to_its_end() -> None:
    state = of("3.5.16", Put(b"a"), Put(b"a"), Compact(3))
    assert nondeterminism(HashKV(3), run(state, Advance(0)))
    assert nondeterminism(HashKV(3), run(state, Advance(1))) is None


@pytest.mark.parametrize(("version", "open_"), [("3.5.5", False), ("3.5.10", True)])
def test_whether_a_compaction_that_met_another_is_remembered_is_left_open_from_3_5_10_on(
    version: str, open_: bool
) -> None:
    state = of(version, Put(b"a"), Put(b"a"), Compact(2), physically(3))
    assert bool(nondeterminism(HashKV(3), state)) is open_
    assert nondeterminism(HashKV(2), state) is None


@pytest.mark.parametrize(("version", "open_"), [("3.4.23", False), ("3.5.1", False), ("3.5.16", True)])
def test_what_was_hashed_when_a_store_was_emptied_is_not_known(version: str, open_: bool) -> None:
    state = emptied(Server(quirks=quirks_of(version)), SENTINEL_KEY)
    assert bool(nondeterminism(HashKV(1), state)) is open_
    later = run(state, *(operation for revision in range(2, 11) for operation in (Put(b"a"), physically(revision))))
    assert bool(nondeterminism(HashKV(1), later)) is open_
    assert nondeterminism(HashKV(1), run(later, Put(b"a"), physically(11))) is None


# By the numbers of another store.


def test_a_store_that_was_emptied_hashes_as_an_empty_one() -> None:
    assert hashed(emptied(Server(), SENTINEL_KEY)) == EMPTY


def test_the_numbers_of_another_store_make_its_hash() -> None:
    # The same server, and the same again after five puts and a lease of its own.
    history: list[Operation] = [LeaseGrant(60, id=7), Put(b"a", lease=7), Put(b"b"), DeleteRange(b"b"), Put(b"b")]
    state = of("3.5.16", *history)
    shifted = of("3.5.16", *(Put(b"x"),) * 5, DeleteRange(b"x"), physically(7))
    shifted = run(shifted, LeaseGrant(60, id=8), Put(b"a", lease=8), Put(b"b"), DeleteRange(b"b"), Put(b"b"))
    assert history_hash(state, 0, revision_of=lambda r: r + 6, lease_of={7: 8}.__getitem__) == hashed(shifted)
    assert hashed(state) != hashed(shifted)


def test_the_records_are_the_events_and_what_the_compaction_left() -> None:
    state = of("3.5.16", LeaseGrant(60, id=7), Put(b"a", lease=7), *SUBS[:1], LeaseRevoke(7), *SUBS[2:3], physically(4))
    state = run(state, DeleteRange(b"b"))
    assert [(record.main, record.sub, record.key, record.kv) for record in history_records(state, 0)] == [
        (4, 1, b"a", KeyValue(b"a", b"2", 2, 4, 3)),
        (5, 0, b"b", None),
    ]
