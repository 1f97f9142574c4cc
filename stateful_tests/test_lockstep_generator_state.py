"""What a sequence is taken to have come to, and what is drawn for it."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from etcd_lockstep.strategies import auth, kv, lock, time, txn
from etcd_lockstep.strategies.choices import BYTES, ChoiceDecoder
from etcd_lockstep.strategies.generator_state import LONG_RANGE, LONG_VALUES, NUMBERS, VALUES, GeneratorState, Written
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

A_IS_ABSENT = op.Compare(b"a", op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
A_IS_THERE = op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, RevisionAt(1))
PUT, GRANT = op.Put(b"a", b"1"), op.LeaseGrant(60)


def after(*trace: op.Operation) -> GeneratorState:
    state = GeneratorState()
    for operation in trace:
        state.follow(operation)
    return state


@pytest.mark.parametrize(
    ("trace", "there", "deletions"),
    [
        ((PUT,), {b"a"}, []),
        ((PUT, op.DeleteRange(b"a")), set(), [2]),
        ((op.DeleteRange(b"a"),), set(), []),
        ((PUT, op.Put(b"ab"), op.Put(b"b"), op.DeleteRange(b"a", b"b")), {b"b"}, [4]),
        ((PUT, op.Put(b"b"), op.DeleteRange(b"aa", FROM_KEY)), {b"a"}, [3]),
        ((GRANT, op.Put(b"a", b"", LeaseOf(1)), op.Put(b"b"), op.LeaseRevoke(LeaseOf(1))), {b"b"}, [4]),
        ((op.Txn((A_IS_ABSENT,), (PUT,), (op.Put(b"b"),)),), {b"a"}, []),
        ((PUT, op.Txn((A_IS_ABSENT,), (PUT,), (op.Put(b"b"),))), {b"a", b"b"}, []),
        ((PUT, op.Txn((A_IS_THERE,), (op.DeleteRange(b"a"),))), set(), [2]),
        ((op.Txn((A_IS_THERE,), (op.Put(b"b"),)),), set(), []),
        ((op.Txn(success=(op.Txn(success=(PUT,)),)),), {b"a"}, []),
    ],
)
def test_what_is_there(trace: Trace, there: set[bytes], deletions: list[int]) -> None:
    state = after(*trace)
    assert set(state.there) == there
    assert state.deletions == deletions


def test_what_a_key_holds() -> None:
    state = after(GRANT, PUT, op.Put(b"a", b"2", LeaseOf(1)))
    assert state.there == {b"a": Written(b"2", created=2, modified=3, lease=LeaseOf(1))}


def test_the_keys_of_locks_are_keys_of_the_sequence() -> None:
    state = after(op.LeaseGrant(60, 7), op.Lock(b"lock", 7))
    assert state.owned == [b"lock/7"]
    assert b"lock/7" in {state.key(choices(number)) for number in range(400)}


def choices(number: int) -> ChoiceDecoder:
    return ChoiceDecoder(Random(number).randbytes(BYTES))


def test_who_was_put_and_is_gone_in_one_revision_is_observed_next() -> None:
    gone_at_once = op.Txn(success=(op.Put(b"a/7"), op.DeleteRange(b"a/", FROM_KEY)))
    assert after(gone_at_once).next == op.Observe(b"a")
    assert after(gone_at_once, op.Put(b"a/7")).next is None
    assert after(op.Txn(success=(op.Put(b"a/7"), op.DeleteRange(b"b", FROM_KEY)))).next is None
    assert after(op.Txn(success=(op.Put(b"a"), op.DeleteRange(b"a", FROM_KEY)))).next is None  # nobody's key


def test_some_of_those_who_observe_come_after_a_candidate_who_is_gone_at_once() -> None:
    campaign = op.Campaign(b"a", 7)
    state = after(op.LeaseGrant(60, 7), op.LeaseGrant(60, 8), campaign)
    random = Random(0)
    drawn = [lock.observe(ChoiceDecoder(random.randbytes(BYTES)), state) for _ in range(100)]
    follow = [after(op.LeaseGrant(60, 7), campaign, one).next for one in drawn if isinstance(one, op.Txn)]
    assert len(follow) > 20
    assert all(isinstance(one, op.Observe) for one in follow)


def test_a_long_range_is_streamed_once_it_is_there() -> None:
    random = Random(0)

    def drawn(state: GeneratorState) -> list[op.Operation]:
        return [kv.range_stream(ChoiceDecoder(random.randbytes(BYTES)), state) for _ in range(200)]

    long_ranges = [one for one in drawn(GeneratorState()) if isinstance(one, op.Txn)]
    assert len(long_ranges) > 40
    for one in long_ranges:
        puts = [put for put in one.success if isinstance(put, op.Put)]
        values = [put.value for put in puts]
        assert [put.key for put in puts] == [*LONG_RANGE]
        assert len(set(values)) == len(values) == len(one.success)
        assert values != sorted(values)
    state = after(long_ranges[0])
    assert state.there == {}  # nothing else is drawn of it
    streamed = [one for one in drawn(state) if isinstance(one, op.RangeStream) and one.key == LONG_RANGE[0]]
    assert len(streamed) > 40
    assert {one.sort_target for one in streamed} == {op.SortTarget.KEY, op.SortTarget.VALUE}
    assert not any(isinstance(one, op.Txn) for one in drawn(state))


def test_a_target_that_knows_no_txn_is_asked_for_no_long_range() -> None:
    random = Random(0)
    state = GeneratorState(operations=("range_stream", "put"))
    drawn = {type(kv.range_stream(ChoiceDecoder(random.randbytes(BYTES)), state)) for _ in range(100)}
    assert drawn == {op.RangeStream}


def test_leases_expire_under_auth_where_all_know_it() -> None:
    random = Random(0)

    def preludes(operations: tuple[str, ...] | None) -> list[tuple[op.Operation, ...]]:
        state = GeneratorState(operations=operations)
        return [time.prelude(ChoiceDecoder(random.randbytes(BYTES)), state) for _ in range(100)]

    assert 10 < sum(op.AuthEnable() in prelude for prelude in preludes(None)) < 40
    assert not any(op.AuthEnable() in prelude for prelude in preludes(("lease_grant", "put", "auth_enable")))


def test_where_auth_is_on_root_asks_mostly_and_nobody_is_said_to_let_time_pass() -> None:
    random = Random(0)

    def sent(state: GeneratorState, operation: op.Operation) -> Counter[op.Operation]:
        return Counter(time.in_a_name(ChoiceDecoder(random.randbytes(BYTES)), state, operation) for _ in range(100))

    under_auth = after(op.Authenticate("root", "p"))
    assert sent(under_auth, PUT)[op.As(TokenOf(1), PUT)] > 80
    assert sent(under_auth, PUT)[PUT] > 2
    assert sent(under_auth, op.Advance(2)) == {op.Advance(2): 100}
    assert sent(after(PUT), PUT) == {PUT: 100}


def test_most_deletions_and_ranges_are_about_what_is_there() -> None:
    state = after(op.Put(b"aa"), op.Put(b"b"))
    state.invalid_inputs = False
    deleted = [state.key_to_delete(choices(number)) in state.there for number in range(1, 401)]
    assert sum(deleted) > 300
    ends = [kv.range_(choices(number), state) for number in range(1, 401)]
    above = [one.range_end > one.key or one.range_end == FROM_KEY for one in ends if one.range_end]
    assert sum(above) > 0.8 * len(above) > 80
    assert not all(above), "an empty range is drawn too"


def test_a_revision_to_compact_is_often_beside_a_deletion() -> None:
    state = after(PUT, op.DeleteRange(b"a"), *(op.Put(b"b"),) * 10)
    drawn = [state.revision_to_compact(choices(number)) for number in range(1, 401)]
    beside = {RevisionAt(2, plus) for plus in (-1, 0, 1)}
    assert beside <= set(drawn)
    assert sum(one in beside for one in drawn) > 80


def test_a_txn_writes_several_keys_in_any_order() -> None:
    several = [txn._several_writes(choices(number), GeneratorState()) for number in range(1, 101)]
    without_end = [one for one in several if any(isinstance(w, op.DeleteRange) and w.range_end for w in one.success)]
    assert 10 < len(without_end) < 50
    keys = [
        [request.key for request in one.success if not isinstance(request, op.Txn)]
        for one in several
        if one not in without_end
    ]
    assert {len(one) for one in keys} == {2, 3}
    assert all(len(set(one)) == len(one) for one in keys), "a key that is put twice is refused"
    assert any(one != sorted(one) for one in keys)


def test_some_keys_are_put_twice_in_a_txn_or_deleted_and_put() -> None:
    random = Random(0)
    state = after(op.Put(b"a", b"1"), op.Put(b"b", b"2"))
    drawn = [txn.txn(ChoiceDecoder(random.randbytes(BYTES)), state) for _ in range(2000)]
    nested = [one for one in drawn if len(one.success) > 1 and isinstance(one.success[-1], op.Txn)]
    again = [
        one
        for one in nested
        for put in one.success[:1]
        for other in (*one.success[-1].success, *one.success[-1].failure)  # type: ignore[union-attr]
        if isinstance(put, op.Put) and isinstance(other, op.Put) and put.key == other.key
    ]
    assert len(again) > 5
    orders = [tuple(map(type, one.success)) for one in drawn if len(one.success) == 2]
    without_end = [one for one in drawn if op.DeleteRange(b"a", FROM_KEY) in one.success and len(one.success) == 2]
    assert len(without_end) > 5
    assert {(op.DeleteRange, op.Put), (op.Put, op.DeleteRange)} <= set(orders)


def test_a_value_is_mostly_one_of_a_few_and_seldom_a_long_one() -> None:
    state = GeneratorState(values=NUMBERS)
    drawn = [state.value(choices(number)) for number in range(1, 2_001)]
    assert set(drawn) == {*NUMBERS, *LONG_VALUES}
    assert 0 < sum(len(value) > 1024 for value in drawn) < 100
    assert state.value(ChoiceDecoder(b"")) == NUMBERS[0]


def test_values_that_are_nearly_the_same_are_compared_often() -> None:
    def of_values(values: tuple[bytes, ...]) -> list[op.Compare]:
        state = GeneratorState(values=values)
        state.follow(op.Put(b"a", values[-1]))
        compares = (txn._compare(choices(number), state) for number in range(1, 401))
        return [one for one in compares if one.target == op.CompareTarget.VALUE]

    assert len(of_values(NUMBERS)) > 2 * len(of_values(VALUES)) > 0
    assert sum(one.key == b"a" and one.operand == NUMBERS[-1] for one in of_values(NUMBERS)) > 40


def test_what_two_permissions_allow_together_is_asked_for() -> None:
    state = after(
        op.RoleGrantPermission("r", op.Permission(op.PermissionType.READ, b"a", b"ab")),
        op.RoleGrantPermission("s", op.Permission(op.PermissionType.READ, b"ab")),
    )
    assert state.across_permissions() == [(b"a", b"ab\0")]
    random = Random(1)
    drawn = [auth.range_(ChoiceDecoder(random.randbytes(BYTES)), state) for _ in range(50)]
    assert op.Range(b"a", b"ab\0") in drawn
