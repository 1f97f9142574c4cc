"""What an observation leaves out or makes comparable: each with the lie that a coarser one would miss."""

from __future__ import annotations

import pytest

from etcd_lockstep.observation import Raised, View, allow_for_elapsed, observe
from etcd_lockstep.trace import LeaseOf
from etcd_model import Result
from etcd_model.errors import COMPACTED, FUTURE_REVISION
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)


def kv(create: int, mod: int, lease: int = 0) -> KeyValue:
    return KeyValue(b"a", b"1", create, mod, 1, lease)


def seen(result: Result, base: int = 1, *picked: int, named: tuple[int, ...] = ()) -> Result:
    """Observed on a target at revision `base` after its reset, whose leases of steps 1, 2, … are these."""
    view = View(base)
    for step, lease in enumerate(picked, 1):
        view.name_lease(step, lease, picked_by_server=True)
    for step, lease in enumerate(named, len(picked) + 1):
        view.name_lease(step, lease, picked_by_server=False)
    return observe(result, view)


# Revisions are counted from the reset.

ANSWERS = (
    (RangeResult(1001, (kv(1000, 1001),), count=1), RangeResult(3, (kv(2, 3),), count=1)),
    (PutResult(1001, kv(1000, 1000)), PutResult(3, kv(2, 2))),
    (PutResult(1001), PutResult(3)),
    (DeleteRangeResult(1001, 1, (kv(1000, 1000),)), DeleteRangeResult(3, 1, (kv(2, 2),))),
    (
        TxnResult(1001, True, (PutResult(1001), TxnResult(0, True, (RangeResult(1001),)))),
        TxnResult(3, True, (PutResult(3), TxnResult(0, True, (RangeResult(3),)))),
    ),
    (CompactResult(1001), CompactResult(3)),
    (LeaseGrantResult(1001, 7, 60), LeaseGrantResult(3, 7, 60)),
    (LeaseRevokeResult(1001), LeaseRevokeResult(3)),
    (LeaseKeepAliveResult(1001, 7, 60), LeaseKeepAliveResult(3, 7, 60)),
    (LeaseTimeToLiveResult(1001, 7, 59, 60), LeaseTimeToLiveResult(3, 7, 59, 60)),
    (LeaseLeasesResult(1001), LeaseLeasesResult(3)),
    (COMPACTED, COMPACTED),
)


@pytest.mark.parametrize(("told", "shared"), ANSWERS, ids=lambda answer: type(answer).__name__)
def test_answers_of_stores_that_count_from_elsewhere_are_the_same(told: Result, shared: Result) -> None:
    assert seen(told, 999) == seen(shared) == shared


@pytest.mark.parametrize(
    "told",
    [
        RangeResult(1002, (kv(1000, 1001),), count=1),
        RangeResult(1001, (kv(1001, 1001),), count=1),
        RangeResult(1001, (kv(1000, 1000),), count=1),
    ],
)
def test_a_revision_that_is_off_by_one_is_seen_wherever_it_stands(told: Result) -> None:
    assert seen(told, 999) != RangeResult(3, (kv(2, 3),), count=1)


def test_a_revision_of_zero_is_none_and_is_seen_where_there_should_be_one() -> None:
    assert seen(PutResult(0), 999) == PutResult(0)
    assert seen(PutResult(0), 999) != seen(PutResult(1000), 999)
    assert seen(TxnResult(1000, True, (TxnResult(1000, True),)), 999) != TxnResult(2, True, (TxnResult(0, True),))


def test_a_revision_from_before_the_reset_is_seen() -> None:
    assert seen(RangeResult(1000, (kv(500, 1000),), count=1), 999) != RangeResult(2, (kv(2, 2),), count=1)


def test_the_messages_of_errors_are_compared_as_they_are() -> None:
    assert seen(COMPACTED) != seen(FUTURE_REVISION)


# Lease ids.


def test_ids_that_the_server_picked_are_named_for_the_step() -> None:
    assert seen(LeaseGrantResult(1, 555, 60), 1, 555) == LeaseGrantResult(1, LeaseOf(1), 60)
    assert seen(PutResult(3, kv(2, 2, 555)), 1, 555) == PutResult(3, kv(2, 2, LeaseOf(1)))
    assert seen(LeaseKeepAliveResult(1, 555, 60), 1, 555) == LeaseKeepAliveResult(1, LeaseOf(1), 60)
    assert seen(LeaseTimeToLiveResult(1, 555, 59, 60), 1, 555) == LeaseTimeToLiveResult(1, LeaseOf(1), 59, 60)
    assert seen(LeaseLeasesResult(1, (556, 555)), 1, 555, 556) == LeaseLeasesResult(1, (LeaseOf(1), LeaseOf(2)))


def test_an_id_that_the_caller_picked_stays_itself() -> None:
    assert seen(LeaseGrantResult(1, 7, 60), 1, named=(7,)) == LeaseGrantResult(1, 7, 60)
    assert seen(LeaseGrantResult(1, 8, 60), 1, named=(8,)) != LeaseGrantResult(1, 7, 60)


def test_an_id_that_is_handed_out_twice_is_seen() -> None:
    assert seen(LeaseGrantResult(1, 555, 60), 1, 555, 555) == LeaseGrantResult(1, LeaseOf(1), 60)
    assert seen(LeaseGrantResult(1, 556, 60), 1, 555, 556) == LeaseGrantResult(1, LeaseOf(2), 60)


@pytest.mark.parametrize("lease", [0, -1])
def test_an_id_that_is_not_positive_is_seen(lease: int) -> None:
    assert seen(LeaseGrantResult(1, lease, 60), 1, lease) == LeaseGrantResult(1, lease, 60)
    assert seen(LeaseGrantResult(1, lease, 60), 1, lease) != LeaseGrantResult(1, LeaseOf(1), 60)


def test_a_key_with_the_lease_of_another_step_is_seen_and_so_is_one_with_none() -> None:
    told = [seen(PutResult(3, kv(2, 2, lease)), 1, 555, 556) for lease in (555, 556, 0, 99)]
    assert told == [PutResult(3, kv(2, 2, lease)) for lease in (LeaseOf(1), LeaseOf(2), 0, 99)]
    assert len(set(told)) == 4


def test_a_key_without_a_lease_has_none_though_the_server_picked_the_id_zero() -> None:
    assert seen(PutResult(3, kv(2, 2, 0)), 1, 0) == PutResult(3, kv(2, 2, 0))


# What comes in no promised order.


def test_the_order_of_a_leases_keys_is_not_compared_and_what_they_are_is() -> None:
    def of(*keys: bytes) -> Result:
        return seen(LeaseTimeToLiveResult(1, 7, 59, 60, keys))

    assert of(b"b", b"a") == of(b"a", b"b")
    assert of(b"a") != of(b"a", b"b")
    assert of(b"a", b"a") != of(b"a")
    assert of(b"a", b"c") != of(b"a", b"b")


def test_the_order_of_leases_is_not_compared_and_which_they_are_is() -> None:
    def of(*leases: int) -> Result:
        return seen(LeaseLeasesResult(1, leases), 1, 555, 556)

    assert of(556, 7, 555) == of(7, 555, 556)
    assert of(555) != of(555, 556)
    assert of(555, 555) != of(555)
    assert of(555, 7) != of(556, 7)


def test_the_order_of_everything_else_is_compared() -> None:
    one, other = KeyValue(b"a", b"", 2, 2, 1), KeyValue(b"b", b"", 2, 2, 1)
    assert seen(RangeResult(2, (one, other), count=2)) != seen(RangeResult(2, (other, one), count=2))
    assert seen(DeleteRangeResult(2, 2, (one, other))) != seen(DeleteRangeResult(2, 2, (other, one)))


# The TTL that counts down.

EXPECTED = LeaseTimeToLiveResult(1, 7, 59, 60)


@pytest.mark.parametrize(
    ("ttl", "elapsed", "allowed"),
    [
        (59, 0.001, True),
        (60, 0.001, False),
        (58, 0.001, False),
        (58, 1.0, False),
        (58, 1.001, True),
        (59, 1.001, True),
        (57, 1.9, False),
        (57, 2.1, True),
        (60, 5.0, False),
        (0, 59.5, True),
        (-1, 70.0, False),
    ],
)
def test_a_ttl_is_the_expected_one_where_the_time_explains_it(ttl: int, elapsed: float, allowed: bool) -> None:
    told = LeaseTimeToLiveResult(1, 7, ttl, 60)
    assert (allow_for_elapsed(told, EXPECTED, elapsed) == EXPECTED) is allowed


@pytest.mark.parametrize(
    "told",
    [
        LeaseTimeToLiveResult(1, 7, 59, 61),
        LeaseTimeToLiveResult(1, 8, 59, 60),
        LeaseTimeToLiveResult(2, 7, 59, 60),
        LeaseTimeToLiveResult(1, 7, 59, 60, (b"a",)),
    ],
)
def test_time_explains_nothing_but_the_ttl(told: LeaseTimeToLiveResult) -> None:
    assert allow_for_elapsed(told, EXPECTED, 5.0) == told != EXPECTED


def test_a_ttl_of_a_lease_that_should_be_gone_is_seen() -> None:
    gone = LeaseTimeToLiveResult(1, 7, -1)
    assert allow_for_elapsed(EXPECTED, gone, 100.0) == EXPECTED != gone


def test_what_is_granted_and_kept_alive_is_told_by_no_clock() -> None:
    assert allow_for_elapsed(LeaseGrantResult(1, 7, 59), LeaseGrantResult(1, 7, 60), 5.0) == LeaseGrantResult(1, 7, 59)
    told = LeaseKeepAliveResult(1, 7, 59)
    assert allow_for_elapsed(told, LeaseKeepAliveResult(1, 7, 60), 5.0) == told
    assert allow_for_elapsed(Raised("KeyError", "x"), EXPECTED, 5.0) == Raised("KeyError", "x")


# A counter that once went wrong shows once.


def test_after_resynchronizing_a_counter_that_was_wrong_once_is_right() -> None:
    view = View(1)
    assert observe(PutResult(4), view) == PutResult(4)
    view.resynchronize(3)
    assert observe(PutResult(5), view) == PutResult(4)
    assert observe(RangeResult(5, (kv(2, 5),), count=1), view) == RangeResult(4, (kv(2, 4),), count=1)
    assert observe(PutResult(6), view) == PutResult(5)


def test_a_counter_that_goes_wrong_again_is_seen_again() -> None:
    view = View(1)
    observe(PutResult(4), view)
    view.resynchronize(3)
    assert observe(PutResult(6), view) != PutResult(4)
    view.resynchronize(4)
    assert observe(PutResult(7), view) == PutResult(5)


def test_an_error_tells_no_revision_to_resynchronize_by() -> None:
    view = View(1)
    observe(PutResult(4), view)
    observe(COMPACTED, view)
    view.resynchronize(3)
    assert observe(PutResult(5), view) == PutResult(5)
