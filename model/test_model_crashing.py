"""Requests that kill a real server, and their neighbours that don't."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from etcd_model import Operation, Server, State, crash_reason, quirks_of, step
from etcd_model.operations import Compact, DeleteRange, LeaseRevoke, Put, Range, Txn

BEFORE = State(server=Server(quirks=quirks_of("3.5.16")))
SINCE = State(server=Server(quirks=quirks_of("3.6.0")))
FROM_KEY = b"\x00"


def after(state: State, operations: Iterable[Operation]) -> State:
    for operation in operations:
        state, _ = step(state, operation)
    return state


# An unknown sort target.


@pytest.mark.parametrize("target", [5, -1, 2**31 - 1])
@pytest.mark.parametrize("where", ["alone", "success", "failure", "nested", "count_only"])
def test_an_unknown_sort_target_kills_until_sort_options_are_validated(target: int, where: str) -> None:
    read = Range(b"a", sort_target=target, count_only=where == "count_only")
    operation: Operation = {
        "success": Txn(success=(read,)),
        "failure": Txn(failure=(read,)),
        "nested": Txn(success=(Txn(failure=(read,)),)),
    }.get(where, read)
    assert crash_reason(operation, BEFORE) == "an unknown sort_target kills etcd before 3.6"
    assert crash_reason(operation, SINCE) is None


@pytest.mark.parametrize("target", range(5))
def test_a_known_sort_target_kills_nobody(target: int) -> None:
    assert crash_reason(Range(b"a", sort_target=target), BEFORE) is None
    assert crash_reason(Txn(success=(Range(b"a", sort_target=target),)), BEFORE) is None


def test_an_unknown_sort_order_kills_nobody() -> None:
    assert crash_reason(Range(b"a", sort_order=99), BEFORE) is None


# A from-key delete and a put that keeps something of a key it removes.

DELETE_ALL = DeleteRange(b"b", FROM_KEY)
KEEPS_VALUE, KEEPS_LEASE = Put(b"b", ignore_value=True), Put(b"c", b"1", ignore_lease=True)


@pytest.mark.parametrize("version", ["3.4.23", "3.5.16", "3.6.16", "3.7.3"])
@pytest.mark.parametrize(
    "txn",
    [
        Txn(success=(DELETE_ALL, KEEPS_VALUE)),
        Txn(failure=(DELETE_ALL, KEEPS_LEASE)),
        Txn(success=(Txn(success=(DELETE_ALL,)), KEEPS_VALUE)),
        Txn(success=(DELETE_ALL, Txn(failure=(KEEPS_LEASE,)))),
    ],
    ids=["value", "lease", "nested delete", "nested put"],
)
def test_a_from_key_delete_and_a_put_that_keeps_what_it_removes_kill_every_version(txn: Txn, version: str) -> None:
    state = State(server=Server(quirks=quirks_of(version)))
    assert "kill etcd for good" in (crash_reason(txn, state) or "")


@pytest.mark.parametrize(
    "txn",
    [
        Txn(success=(DELETE_ALL, Put(b"b", b"1"))),
        Txn(success=(DELETE_ALL, Put(b"a", ignore_value=True))),
        Txn(success=(DeleteRange(b"b", b"z"), KEEPS_VALUE)),
        Txn(success=(DeleteRange(b"b"), KEEPS_VALUE)),
        Txn(success=(KEEPS_VALUE, KEEPS_LEASE)),
        Txn(success=(DELETE_ALL, Range(b"b"))),
    ],
    ids=[
        "the put keeps nothing",
        "a key before the delete",
        "a delete with an end is found out",
        "one key",
        "no delete",
        "no put",
    ],
)
def test_a_from_key_delete_by_itself_kills_nobody(txn: Txn) -> None:
    assert crash_reason(txn, BEFORE) is None


# A compaction at the revision of a txn that deleted and put one key.

REBORN = Txn(success=(DeleteRange(b"a", FROM_KEY), Put(b"a", b"2")))


def test_a_compaction_at_the_revision_in_which_a_key_was_reborn_kills_where_tombstones_are_kept() -> None:
    state = after(BEFORE, [Put(b"a", b"1"), REBORN, Put(b"z")])
    assert "deleted a key and put it" in (crash_reason(Compact(3), state) or "")
    assert "deleted a key and put it" in (crash_reason(Compact(3, physical=True), state) or "")


@pytest.mark.parametrize("revision", [-1, 0, 2, 4, 99])
def test_a_compaction_at_another_revision_kills_nobody(revision: int) -> None:
    state = after(BEFORE, [Put(b"a", b"1"), REBORN, Put(b"z")])
    assert crash_reason(Compact(revision), state) is None


@pytest.mark.parametrize("version", ["3.4.23", "3.5.1", "3.5.15"])
def test_a_compaction_where_a_key_was_reborn_kills_no_version_that_drops_tombstones(version: str) -> None:
    state = after(State(server=Server(quirks=quirks_of(version))), [Put(b"a", b"1"), REBORN])
    assert crash_reason(Compact(3), state) is None


@pytest.mark.parametrize(
    "write",
    [
        Put(b"a", b"2"),
        DeleteRange(b"a"),
        Txn(success=(DeleteRange(b"a"), Put(b"b"))),
        LeaseRevoke(7),
    ],
    ids=["a put", "a delete", "another key", "a revoke"],
)
def test_a_compaction_at_the_revision_of_any_other_write_kills_nobody(write: Operation) -> None:
    state = after(BEFORE, [Put(b"a", b"1"), write])
    assert crash_reason(Compact(state.revision), state) is None


@pytest.mark.parametrize("operation", [Put(b"a", lease=404), DeleteRange(b"a", FROM_KEY), LeaseRevoke(0)], ids=str)
def test_no_other_operation_kills(operation: Operation) -> None:
    assert crash_reason(operation, BEFORE) is None
