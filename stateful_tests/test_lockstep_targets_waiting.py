"""Locks and elections that would wait: given up, and cleaned up after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import cast

import pytest

from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeServerTarget
from etcd_lockstep.targets.waiting import ANSWER_SECONDS, SILENCE_SECONDS, Calls, acquire, seconds_to_observe
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CampaignResult,
    ElectionResult,
    KeyValue,
    LeaderResult,
    LeaseGrantResult,
    LockResult,
    RangeResult,
    Result,
    UnlockResult,
    Waiting,
)

EVERYTHING = op.Range(b"\x00", FROM_KEY, keys_only=True)


@pytest.fixture(params=["fake", "fake-server", "etcd"])
def target(request: pytest.FixtureRequest, etcd_version: str, min_lease_ttl: int) -> Iterator[Target]:
    if request.param != "fake-server":
        yield request.getfixturevalue("real" if request.param == "etcd" else "fake")
        return
    served = FakeServerTarget(etcd_version, min_lease_ttl)
    served.reset()
    yield served
    served.close()


def lease(target: Target, lease_id: int) -> int:
    granted = target.apply(op.LeaseGrant(60, lease_id))
    assert isinstance(granted, LeaseGrantResult), granted
    return granted.id


def everything(target: Target) -> RangeResult:
    result = target.apply(EVERYTHING)
    assert isinstance(result, RangeResult), result
    return result


def keys(target: Target) -> list[bytes]:
    return [kv.key for kv in everything(target).kvs]


def test_a_free_lock_is_taken_and_taken_again_and_given_back(target: Target) -> None:
    owner = lease(target, 0xAB)
    taken = target.apply(op.Lock(b"l", owner))
    assert isinstance(taken, LockResult)
    assert taken.key == b"l/ab"
    again = target.apply(op.Lock(b"l", owner))
    assert isinstance(again, LockResult)
    assert again.revision == taken.revision
    assert isinstance(target.apply(op.Unlock(b"l/ab")), UnlockResult)
    assert keys(target) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [(op.Lock(b"n", 1), op.Lock(b"n", 2)), (op.Campaign(b"n", 1, b"x"), op.Campaign(b"n", 2, b"y"))],
)
def test_whoever_would_wait_is_given_up_and_its_key_is_gone(
    target: Target, first: op.Operation, second: op.Operation
) -> None:
    for lease_id in (1, 2):
        lease(target, lease_id)
    target.apply(first)
    before = everything(target).revision
    for attempt in (1, 2, 3):
        assert target.apply(second) == Waiting()
        assert keys(target) == [b"n/1"]
        assert everything(target).revision == before + 2 * attempt


def test_a_wait_takes_no_longer_than_it_must(target: Target) -> None:
    for lease_id in (1, 2):
        lease(target, lease_id)
    target.apply(op.Lock(b"n", 1))
    started = time.monotonic()
    for _ in range(5):
        assert target.apply(op.Lock(b"n", 2)) == Waiting()
    assert (time.monotonic() - started) / 5 < 0.3


def test_a_lock_without_a_lease_gets_one_and_waits_as_any_other(target: Target) -> None:
    lease(target, 1)
    target.apply(op.Lock(b"n", 1))
    assert target.apply(op.Lock(b"n")) == Waiting()
    assert keys(target) == [b"n/1"]
    assert isinstance(target.apply(op.Lock(b"m")), LockResult)


def test_a_key_that_was_there_before_the_wait_goes_with_it(target: Target) -> None:
    for lease_id in (1, 2):
        lease(target, lease_id)
    target.apply(op.Lock(b"n", 1))
    before = target.apply(op.Put(b"n/2"))
    assert target.apply(op.Lock(b"n", 2)) == Waiting()
    assert keys(target) == [b"n/1"]
    assert everything(target).revision == before.revision + 1  # type: ignore[union-attr]  # a PutResult


def test_a_lock_with_a_lease_that_is_not_there_is_refused(target: Target) -> None:
    refused = target.apply(op.Lock(b"n", 99))
    assert refused == Error(Code.UNKNOWN, "etcdserver: requested lease not found")
    lease(target, 1)
    target.apply(op.Lock(b"n", 1))
    assert target.apply(op.Lock(b"n", 99)) == refused


def test_a_lock_is_free_once_its_owners_lease_is_revoked(target: Target) -> None:
    for lease_id in (1, 2):
        lease(target, lease_id)
    target.apply(op.Lock(b"n", 1))
    target.apply(op.LeaseRevoke(1))
    assert isinstance(target.apply(op.Lock(b"n", 2)), LockResult)


def test_a_leader_is_observed_and_where_there_is_none_nothing_comes(target: Target) -> None:
    lease(target, 1)
    assert target.apply(op.Observe(b"e")) == LeaderResult(revision=0)
    assert target.apply(op.Leader(b"e")) == Error(Code.UNKNOWN, "election: no leader")
    won = target.apply(op.Campaign(b"e", 1, b"me"))
    assert isinstance(won, CampaignResult)
    observed, asked = target.apply(op.Observe(b"e")), target.apply(op.Leader(b"e"))
    assert isinstance(observed, LeaderResult)
    assert isinstance(asked, LeaderResult)
    assert observed.kv == asked.kv
    assert observed.kv is not None
    assert (observed.kv.key, observed.kv.value) == (b"e/1", b"me")
    assert isinstance(target.apply(op.Proclaim(won.leader, b"still me")), ElectionResult)
    assert isinstance(target.apply(op.Resign(won.leader)), ElectionResult)
    assert target.apply(op.Observe(b"e")) == LeaderResult(revision=0)


GONE_AT_ONCE = op.Txn(success=(op.Put(b"e/1", b"me"), op.DeleteRange(b"e/", FROM_KEY)))


def test_who_is_gone_in_the_revision_of_the_put_is_observed_until_the_next(target: Target) -> None:
    target.apply(GONE_AT_ONCE)
    observed = target.apply(op.Observe(b"e"))
    assert isinstance(observed, LeaderResult)
    assert observed.kv is not None
    assert (observed.kv.key, observed.kv.value) == (b"e/1", b"me")
    target.apply(op.Put(b"other"))
    assert target.apply(op.Observe(b"e")) == LeaderResult(revision=0)


class _Holding:
    """A server with these candidates, at revision 5."""

    def __init__(self, *keys: bytes) -> None:
        self._kvs = tuple(KeyValue(key, b"", 5, 5, 1) for key in keys)

    def ask(self, _operation: op.Operation, _token: str = "") -> Result:
        return RangeResult(5, self._kvs)


@pytest.mark.parametrize(
    ("keys", "last_txn", "due"),
    [
        ((b"e/1",), (0, op.Txn()), True),
        ((), (0, op.Txn()), False),
        ((), (5, GONE_AT_ONCE), True),
        ((), (5, op.Txn(failure=(op.Txn(success=(op.Put(b"e/1"),)),))), True),
        ((), (4, GONE_AT_ONCE), False),
        ((), (5, op.Txn(success=(op.Put(b"f/1"), op.Put(b"e")))), False),
    ],
)
def test_an_answer_that_is_due_is_waited_for(keys: tuple[bytes, ...], last_txn: tuple[int, op.Txn], due: bool) -> None:
    seconds = seconds_to_observe(cast("Calls", _Holding(*keys)), b"e", "", last_txn)
    assert seconds == (ANSWER_SECONDS if due else SILENCE_SECONDS)


class _Slow:
    """A server that lets nobody read, and refuses a lock after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def ask(self, operation: op.Operation, token: str = "") -> Result:  # noqa: ARG002  # whatever and whoever it is
        return TOO_LARGE

    def ask_meanwhile(self, operation: op.Operation, token: str) -> Result:
        return self.ask(operation, token)

    def begin(self, operation: op.Lock | op.Campaign, token: str) -> Future[Result]:  # noqa: ARG002  # as above
        return Future()

    def end(self, operation: op.Lock | op.Campaign, call: object, seconds: float) -> Result | None:  # noqa: ARG002  # as above
        return TOO_LARGE if seconds >= self._seconds else None


TOO_LARGE = Error(Code.RESOURCE_EXHAUSTED, "too large")


@pytest.mark.parametrize("operation", [op.Lock(b"n", 1), op.Lock(b"n"), op.Campaign(b"n", 1, b"x")])
def test_a_refusal_may_take_its_time_where_nobody_can_see_who_else_is_there(operation: op.Lock | op.Campaign) -> None:
    assert acquire(_Slow(ANSWER_SECONDS - 0.5), operation, "") == TOO_LARGE
    assert acquire(_Slow(ANSWER_SECONDS + 0.5), operation, "") == Waiting()


def test_a_lock_whose_name_is_too_long_to_be_read_is_refused_as_any_write_of_its_size(target: Target) -> None:
    lease(target, 1)
    answer = target.apply(op.Lock(b"n" * 1_400_000, 1))
    assert answer == Error(Code.UNKNOWN, "etcdserver: request is too large")
