"""Shrinking, with judges that look at nothing but the trace: it reaches the least that they accept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etcd_lockstep.reporting.wording.operations import operation_in_words
from etcd_lockstep.searching.acceptance import Judge, ShownByKnown, Verdict
from etcd_lockstep.searching.shrinking import shrink
from etcd_lockstep.strategies.simplify import PLAIN_TTL
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace, symbols
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

ABSENT = op.Compare(b"k", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 0)

LONG: Trace = (
    op.LeaseGrant(17),
    op.Put(b"keys", b"value", lease=LeaseOf(1), prev_kv=True),
    op.Range(b"keys", b"z", limit=3, revision=RevisionAt(2, -1)),
    op.LeaseKeepAlive(LeaseOf(1)),
    op.Put(b"other", b"2"),
    op.DeleteRange(b"other", b"p", prev_kv=True),
    op.Compact(RevisionAt(5), physical=True),
    op.LeaseLeases(),
    op.LeaseRevoke(LeaseOf(1)),
    op.LeaseTimeToLive(LeaseOf(1), keys=True),
    op.Txn((ABSENT,), (op.Put(b"t", b"3"), op.Range(b"t")), (op.DeleteRange(b"t"),)),
    op.Range(b"keys", b"\x00", keys_only=True, serializable=True),
)


EVERY_OPTION = op.WatchCreate(b"k", b"z", RevisionAt(0, 7), True, (op.FilterType.NOPUT,), True, 5, True, 3)


def when(shows: Callable[[Trace], bool]) -> Judge:
    return lambda trace: Verdict.NEW if shows(trace) else Verdict.NOTHING


def holds(trace: Trace, *kinds: type[op.Operation]) -> bool:
    """Whether operations of these kinds are in the trace, in this order."""
    left = iter(trace)
    return all(any(isinstance(operation, kind) for operation in left) for kind in kinds)


def test_where_anything_will_do_a_plain_last_step_is_left() -> None:
    assert shrink(LONG, when(lambda _trace: True)) == (op.Range(b"a"),)


def test_where_nothing_else_will_do_the_trace_stays() -> None:
    assert shrink(LONG, when(lambda trace: trace == LONG)) == LONG


def test_the_steps_that_are_needed_stay_and_are_plain() -> None:
    shrunk = shrink(LONG, when(lambda trace: holds(trace, op.Put, op.DeleteRange, op.Range)))
    assert shrunk == (op.Put(b"a"), op.DeleteRange(b"a"), op.Range(b"a"))


def test_a_grant_goes_only_along_with_its_revoke() -> None:
    def balanced(trace: Trace) -> bool:
        grants, revokes = (
            sum(isinstance(operation, kind) for operation in trace) for kind in (op.LeaseGrant, op.LeaseRevoke)
        )
        return grants == revokes and isinstance(trace[-1], op.Range)

    assert shrink(LONG, when(balanced)) == (op.Range(b"a"),)


def test_what_refers_to_a_lease_still_does_when_steps_before_it_are_gone() -> None:
    def shows(trace: Trace) -> bool:
        """A put has the lease of a grant that is revoked later."""
        return any(
            isinstance(put, op.Put) and put.lease == LeaseOf(number) and op.LeaseRevoke(LeaseOf(number)) in trace
            for number, grant in enumerate(trace, 1)
            if isinstance(grant, op.LeaseGrant)
            for put in trace
        )

    before: Trace = (op.Put(b"x"), op.LeaseGrant(9), op.Put(b"k", b"v", lease=LeaseOf(2)), op.Range(b"x"))
    trace: Trace = (*before, op.LeaseRevoke(LeaseOf(2)), op.Range(b"k"))
    assert shrink(trace, when(shows)) == (
        op.LeaseGrant(PLAIN_TTL),
        op.Put(b"a", lease=LeaseOf(1)),
        op.LeaseRevoke(LeaseOf(1)),
        op.Range(b"a"),
    )


@pytest.mark.parametrize(
    ("last", "needed", "least"),
    [
        (
            op.Range(b"k", b"z", limit=2, revision=RevisionAt(0, -7), keys_only=True),
            lambda operation: isinstance(operation, op.Range) and bool(operation.limit),
            op.Range(b"a", limit=1),
        ),
        (
            op.Range(b"k", revision=RevisionAt(0, 7)),
            lambda operation: (
                isinstance(operation, op.Range)
                and isinstance(operation.revision, RevisionAt)
                and operation.revision.plus > 0
            ),
            op.Range(b"a", revision=RevisionAt(0, 1)),
        ),
        (
            op.Put(b"k", b"long value", lease=7, prev_kv=True, ignore_lease=True),
            lambda operation: isinstance(operation, op.Put) and bool(operation.value),
            op.Put(b"a", b"1"),
        ),
        (
            op.DeleteRange(b"k", b"z", prev_kv=True),
            lambda operation: isinstance(operation, op.DeleteRange) and operation.prev_kv,
            op.DeleteRange(b"a", prev_kv=True),
        ),
        (
            op.Compact(RevisionAt(0, -3), physical=True),
            lambda operation: isinstance(operation, op.Compact),
            op.Compact(RevisionAt(0)),
        ),
        (op.LeaseGrant(17, id=7), lambda operation: isinstance(operation, op.LeaseGrant), op.LeaseGrant(PLAIN_TTL)),
        (
            op.LeaseTimeToLive(7, keys=True),
            lambda operation: isinstance(operation, op.LeaseTimeToLive),
            op.LeaseTimeToLive(7),
        ),
        (
            op.Txn((ABSENT, ABSENT), (op.Put(b"k", b"v"), op.Range(b"k"), op.Put(b"j")), (op.Range(b"x"),)),
            lambda operation: (
                isinstance(operation, op.Txn) and any(isinstance(request, op.Put) for request in operation.success)
            ),
            op.Txn(success=(op.Put(b"a"),)),
        ),
        (
            op.Txn((ABSENT, ABSENT), (op.Put(b"k"),), (op.Range(b"x"),)),
            lambda operation: isinstance(operation, op.Txn) and bool(operation.compare),
            op.Txn((op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 0),)),
        ),
        (
            op.Txn(success=(op.Txn(success=(op.Txn(success=(op.Put(b"k"), op.Range(b"k"))),)),)),
            lambda operation: "Put" in str(operation) and isinstance(operation, op.Txn),
            op.Txn(success=(op.Put(b"a"),)),
        ),
        (op.Txn(failure=(op.Put(b"k", b"v"),)), lambda operation: "Put" in str(operation), op.Put(b"a")),
        (op.As("x", op.Put(b"k", b"v", prev_kv=True)), lambda operation: "Put" in str(operation), op.Put(b"a")),
        (
            op.As("x", op.Put(b"k", b"v", prev_kv=True)),
            lambda operation: isinstance(operation, op.As),
            op.As("x", op.Put(b"a")),
        ),
        (op.Advance(100), lambda operation: isinstance(operation, op.Advance), op.Advance(1)),
        (op.Advance(100), lambda operation: isinstance(operation, op.Advance) and operation.seconds > 6, op.Advance(7)),
        (EVERY_OPTION, lambda operation: isinstance(operation, op.WatchCreate), op.WatchCreate(b"a")),
        (
            EVERY_OPTION,
            lambda operation: isinstance(operation, op.WatchCreate) and bool(operation.filters),
            op.WatchCreate(b"a", filters=(op.FilterType.NOPUT,)),
        ),
        (
            EVERY_OPTION,
            lambda operation: isinstance(operation, op.WatchCreate) and bool(operation.start_revision),
            op.WatchCreate(b"a", start_revision=RevisionAt(0)),
        ),
        (op.WatchCancel(5, 3), lambda operation: isinstance(operation, op.WatchCancel), op.WatchCancel(0)),
        (
            op.WatchCreate(b"k", FROM_KEY),
            lambda operation: isinstance(operation, op.WatchCreate) and bool(operation.range_end),
            op.WatchCreate(b"a", b"b"),
        ),
        (
            op.WatchCreate(b"k", FROM_KEY),
            lambda operation: (
                isinstance(operation, op.WatchCreate) and operation.range_end in (FROM_KEY, op.SENTINEL_KEY)
            ),
            op.WatchCreate(b"a", op.SENTINEL_KEY),
        ),
        (
            op.Resign(op.LeaderKey(b"e", b"e/7", RevisionAt(0, 3), 7)),
            lambda operation: isinstance(operation, op.Resign),
            op.Resign(op.LeaderKey(b"", b"a")),
        ),
        (op.WatchProgress(3), lambda operation: isinstance(operation, op.WatchProgress), op.WatchProgress()),
        (op.WatchRead(3), lambda operation: isinstance(operation, op.WatchRead), op.WatchRead()),
        (op.WatchClose(3), lambda operation: isinstance(operation, op.WatchClose), op.WatchClose()),
        (op.UserAdd("u", "p", True), lambda operation: isinstance(operation, op.UserAdd), op.UserAdd("u", "p")),
        (
            op.RoleGrantPermission("r", op.Permission(2, b"k", b"z")),
            lambda operation: isinstance(operation, op.RoleGrantPermission),
            op.RoleGrantPermission("r", op.Permission(2, b"a")),
        ),
        (
            op.RoleRevokePermission("r", b"k", b"z"),
            lambda operation: isinstance(operation, op.RoleRevokePermission),
            op.RoleRevokePermission("r", b"a"),
        ),
        (op.Campaign(b"e", 7, b"v"), lambda operation: isinstance(operation, op.Campaign), op.Campaign(b"a")),
        (op.Proclaim(None, b"v"), lambda operation: isinstance(operation, op.Proclaim), op.Proclaim()),
        (op.Lock(b"l", 7), lambda operation: isinstance(operation, op.Lock), op.Lock(b"a")),
        (op.HashKV(RevisionAt(0, 7)), lambda operation: isinstance(operation, op.HashKV), op.HashKV()),
        (
            op.HashKV(RevisionAt(0, 7)),
            lambda operation: isinstance(operation, op.HashKV) and bool(operation.revision),
            op.HashKV(RevisionAt(0)),
        ),
        (op.Alarm(1, 1, 1), lambda operation: isinstance(operation, op.Alarm), op.Alarm(1, 0, 1)),
        (op.MemberList(True), lambda operation: isinstance(operation, op.MemberList), op.MemberList()),
        (op.MemberAdd(("x",), True), lambda operation: isinstance(operation, op.MemberAdd), op.MemberAdd(("x",))),
    ],
    ids=lambda value: operation_in_words(value) if isinstance(value, op.OPERATIONS) else "shows",
)
def test_an_operation_keeps_only_what_is_needed(
    last: op.Operation, needed: Callable[[op.Operation], bool], least: op.Operation
) -> None:
    assert shrink((last,), when(lambda trace: needed(trace[-1]))) == (least,)


def test_keys_that_must_differ_do_and_are_short() -> None:
    trace: Trace = (op.Put(b"first"), op.Put(b"second"), op.Range(b"first", b"z"))

    def shows(candidate: Trace) -> bool:
        keys = [operation.key for operation in candidate if isinstance(operation, op.Put)]
        return len(keys) == 2 and keys[0] != keys[1]

    shrunk = shrink(trace, when(shows))
    assert {operation.key for operation in shrunk if isinstance(operation, op.Put)} == {b"a", b"b"}
    assert len(shrunk) == 3


def test_the_shrunk_trace_is_never_longer_and_its_last_step_is_still_of_its_kind() -> None:
    for end in range(1, len(LONG) + 1):
        kind = type(LONG[end - 1])
        shrunk = shrink(LONG[:end], when(lambda trace, kind=kind: isinstance(trace[-1], kind)))  # type: ignore[misc]
        assert len(shrunk) == 1
        assert isinstance(shrunk[0], kind)


def test_a_judge_is_asked_for_nothing_that_refers_to_a_step_to_come() -> None:
    asked: list[Trace] = []

    def judge(trace: Trace) -> Verdict:
        asked.append(trace)
        return Verdict.NEW if holds(trace, op.Put, op.Range) else Verdict.NOTHING

    shrink(LONG, judge)
    for trace in asked:
        for index, operation in enumerate(trace):
            assert all(symbol.step <= index for symbol in symbols(operation))  # type: ignore[attr-defined]
    assert len(asked) > 10


def test_what_makes_a_token_comes_before_what_uses_it_and_so_does_a_lease_granted_with_one() -> None:
    trace: Trace = (
        op.Put(b"x"),
        op.Authenticate("u", "p"),
        op.As(TokenOf(2), op.LeaseGrant(60)),
        op.As(TokenOf(2), op.Put(b"k", lease=LeaseOf(3))),
        op.Range(b"x"),
    )

    def shows(candidate: Trace) -> bool:
        return len(candidate) == 5 and "LeaseOf" in str(candidate) and str(candidate).count("As(") == 2

    assert shrink(trace, when(shows)) == (
        op.Authenticate("u", "p"),
        op.As(TokenOf(1), op.LeaseGrant(60)),
        op.Put(b"a"),
        op.As(TokenOf(1), op.Put(b"a", lease=LeaseOf(2))),
        op.Range(b"a"),
    )


def test_streams_that_must_be_the_same_are_and_have_the_smallest_number() -> None:
    trace: Trace = (
        op.WatchCreate(b"a", stream=4),
        op.WatchCreate(b"a", stream=2),
        op.Put(b"a"),
        op.As("x", op.WatchRead(4)),
    )

    def shows(candidate: Trace) -> bool:
        """Two watchers on two streams, the first of which is read."""
        created = [operation.stream for operation in candidate if isinstance(operation, op.WatchCreate)]
        read = [
            operation.operation.stream
            for operation in candidate
            if isinstance(operation, op.As) and isinstance(operation.operation, op.WatchRead)
        ]
        return len(created) == 2 and created[0] != created[1] and read == created[:1]

    shrunk = shrink(trace, when(shows))
    assert shrunk == (op.WatchCreate(b"a", stream=1), op.WatchCreate(b"a"), op.As("x", op.WatchRead(1)))


def test_where_time_passes_no_lease_is_made_to_live_longer() -> None:
    trace: Trace = (op.LeaseGrant(2), op.Put(b"a", lease=LeaseOf(1)), op.Advance(5), op.Range(b"a"))
    asked: list[int] = []

    def shows(candidate: Trace) -> bool:
        asked.extend(operation.ttl for operation in candidate if isinstance(operation, op.LeaseGrant))
        return holds(candidate, op.LeaseGrant, op.Put, op.Advance, op.Range)

    assert shrink(trace, when(shows)) == (op.LeaseGrant(2), op.Put(b"a"), op.Advance(1), op.Range(b"a"))
    assert set(asked) == {2}


def test_two_waits_become_one_and_no_longer_than_the_shortest_lease_lives() -> None:
    trace: Trace = (op.LeaseGrant(4), op.Advance(2), op.Put(b"a"), op.Advance(2), op.Range(b"a"))

    def shows(candidate: Trace) -> bool:
        """It is waited for as long as the lease lives."""
        lives = sum(operation.ttl for operation in candidate if isinstance(operation, op.LeaseGrant))
        return 0 < lives <= sum(operation.seconds for operation in candidate if isinstance(operation, op.Advance))

    assert shrink(trace, when(shows)) == (op.LeaseGrant(2), op.Advance(2), op.Range(b"a"))


def test_what_needs_a_name_once_auth_is_on_is_done_before() -> None:
    trace: Trace = (
        op.AuthEnable(),
        op.Authenticate("root", "p"),
        op.As(TokenOf(2), op.UserRevokeRole("u", "r")),
        op.Range(b"a"),
    )

    def shows(candidate: Trace) -> bool:
        """The role is revoked, by somebody if auth is on, which it is in the end."""
        nameless = op.UserRevokeRole("u", "r")
        named = op.As(TokenOf(2), nameless) in candidate and isinstance(candidate[1], op.Authenticate)
        return op.AuthEnable() in candidate and (named or holds(candidate, op.UserRevokeRole, op.AuthEnable))

    assert shrink(trace, when(shows)) == (op.UserRevokeRole("u", "r"), op.AuthEnable(), op.Range(b"a"))


@pytest.mark.parametrize("last", [op.WatchRead(), op.Range(b"a")], ids=["watch", "read"])
def test_where_any_write_will_do_it_is_a_put(last: op.Operation) -> None:
    trace: Trace = (op.WatchCreate(b"a"), op.DeleteRange(b"a"), last)

    def shows(candidate: Trace) -> bool:
        return isinstance(candidate[0], op.WatchCreate) and isinstance(candidate[1], op.Put | op.DeleteRange)

    assert shrink(trace, when(lambda one: len(one) == 3 and shows(one))) == (trace[0], op.Put(b"a"), last)


def test_the_key_that_a_read_of_a_stream_writes_keeps_its_name() -> None:
    trace: Trace = (op.Put(op.SENTINEL_KEY), op.Range(b"long"))
    shrunk = shrink(trace, when(lambda candidate: len(candidate) == 2))
    assert shrunk == (op.Put(op.SENTINEL_KEY), op.Range(b"a"))


# What is known already.


def test_a_plainer_step_that_shows_a_known_lie_ends_it() -> None:
    trace: Trace = (op.Put(b"a", prev_kv=True), op.Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        return Verdict.NEW if candidate == trace else Verdict.KNOWN

    with pytest.raises(ShownByKnown) as ended:
        shrink(trace, judge)
    assert ended.value.trace == trace


def test_fewer_steps_that_show_a_known_lie_are_passed_over() -> None:
    trace: Trace = (op.Put(b"a"), op.Put(b"a"), op.Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        return Verdict.NEW if len(candidate) == len(trace) else Verdict.KNOWN

    assert len(shrink(trace, judge)) == len(trace)


def test_a_known_lie_that_comes_of_several_options_less_is_passed_over() -> None:
    puts = (op.Put(b"a"), op.Put(b"b"))
    compare = op.Compare(b"a", op.CompareTarget.VERSION, op.CompareResult.EQUAL, 0)

    def judge(candidate: Trace) -> Verdict:
        match candidate:
            case (op.Txn(success=()),):
                return Verdict.KNOWN
            case (op.Txn(success=(_, _)),):
                return Verdict.NEW
        return Verdict.NOTHING

    assert shrink((op.Txn((compare,), puts),), judge) == (op.Txn(success=(op.Put(b"a"), op.Put(b"a"))),)


def test_a_known_lie_that_comes_of_a_put_without_its_lease_is_passed_over_where_a_lease_is_revoked() -> None:
    trace: Trace = (op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1)), op.LeaseRevoke(LeaseOf(1)), op.Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        if len(candidate) < 4:
            return Verdict.NOTHING
        return Verdict.NEW if candidate[1] == trace[1] else Verdict.KNOWN

    assert shrink(trace, judge) == trace


def test_without_a_revoke_that_same_candidate_ends_it() -> None:
    trace: Trace = (op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(1)), op.LeaseKeepAlive(LeaseOf(1)), op.Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        if len(candidate) < 4:
            return Verdict.NOTHING
        return Verdict.NEW if candidate[1] == trace[1] else Verdict.KNOWN

    with pytest.raises(ShownByKnown):
        shrink(trace, judge)
