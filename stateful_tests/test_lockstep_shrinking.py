"""Shrinking, with judges that look at nothing but the trace: it reaches the least that they accept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etcd_lockstep.searching.shrinking import OPERATIONS_IN_ORDER, Judge, ShownByKnown, Verdict, shrink
from etcd_lockstep.searching.simplify import PLAIN_TTL
from etcd_lockstep.trace import LeaseOf, RevisionAt, TokenOf, Trace, symbols
from etcd_model.operations import (
    OPERATIONS,
    SENTINEL_KEY,
    Advance,
    Alarm,
    As,
    AuthEnable,
    Authenticate,
    Campaign,
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    FilterType,
    HashKV,
    LeaderKey,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Lock,
    MemberAdd,
    MemberList,
    Operation,
    Permission,
    Proclaim,
    Put,
    Range,
    Resign,
    RoleGrantPermission,
    RoleRevokePermission,
    Txn,
    UserAdd,
    UserRevokeRole,
    WatchCancel,
    WatchClose,
    WatchCreate,
    WatchProgress,
    WatchRead,
)
from etcd_model.ranges import FROM_KEY

ABSENT = Compare(b"k", CompareTarget.VERSION, CompareResult.EQUAL, 0)

LONG: Trace = (
    LeaseGrant(17),
    Put(b"keys", b"value", lease=LeaseOf(1), prev_kv=True),
    Range(b"keys", b"z", limit=3, revision=RevisionAt(2, -1)),
    LeaseKeepAlive(LeaseOf(1)),
    Put(b"other", b"2"),
    DeleteRange(b"other", b"p", prev_kv=True),
    Compact(RevisionAt(5), physical=True),
    LeaseLeases(),
    LeaseRevoke(LeaseOf(1)),
    LeaseTimeToLive(LeaseOf(1), keys=True),
    Txn((ABSENT,), (Put(b"t", b"3"), Range(b"t")), (DeleteRange(b"t"),)),
    Range(b"keys", b"\x00", keys_only=True, serializable=True),
)


EVERY_OPTION = WatchCreate(b"k", b"z", RevisionAt(0, 7), True, (FilterType.NOPUT,), True, 5, True, 3)


def when(shows: Callable[[Trace], bool]) -> Judge:
    return lambda trace: Verdict.NEW if shows(trace) else Verdict.NOTHING


def holds(trace: Trace, *kinds: type[Operation]) -> bool:
    """Whether operations of these kinds are in the trace, in this order."""
    left = iter(trace)
    return all(any(isinstance(operation, kind) for operation in left) for kind in kinds)


def test_where_anything_will_do_a_plain_last_step_is_left() -> None:
    assert shrink(LONG, when(lambda _trace: True)) == (Range(b"a"),)


def test_where_nothing_else_will_do_the_trace_stays() -> None:
    assert shrink(LONG, when(lambda trace: trace == LONG)) == LONG


def test_the_steps_that_are_needed_stay_and_are_plain() -> None:
    shrunk = shrink(LONG, when(lambda trace: holds(trace, Put, DeleteRange, Range)))
    assert shrunk == (Put(b"a"), DeleteRange(b"a"), Range(b"a"))


def test_a_grant_goes_only_along_with_its_revoke() -> None:
    def balanced(trace: Trace) -> bool:
        grants, revokes = (sum(isinstance(op, kind) for op in trace) for kind in (LeaseGrant, LeaseRevoke))
        return grants == revokes and isinstance(trace[-1], Range)

    assert shrink(LONG, when(balanced)) == (Range(b"a"),)


def test_what_refers_to_a_lease_still_does_when_steps_before_it_are_gone() -> None:
    def shows(trace: Trace) -> bool:
        """A put has the lease of a grant that is revoked later."""
        return any(
            isinstance(put, Put) and put.lease == LeaseOf(number) and LeaseRevoke(LeaseOf(number)) in trace
            for number, grant in enumerate(trace, 1)
            if isinstance(grant, LeaseGrant)
            for put in trace
        )

    before: Trace = (Put(b"x"), LeaseGrant(9), Put(b"k", b"v", lease=LeaseOf(2)), Range(b"x"))
    trace: Trace = (*before, LeaseRevoke(LeaseOf(2)), Range(b"k"))
    assert shrink(trace, when(shows)) == (
        LeaseGrant(PLAIN_TTL),
        Put(b"a", lease=LeaseOf(1)),
        LeaseRevoke(LeaseOf(1)),
        Range(b"a"),
    )


@pytest.mark.parametrize(
    ("last", "needed", "least"),
    [
        (
            Range(b"k", b"z", limit=2, revision=RevisionAt(0, -7), keys_only=True),
            lambda op: isinstance(op, Range) and bool(op.limit),
            Range(b"a", limit=2),
        ),
        (
            Range(b"k", revision=RevisionAt(0, 7)),
            lambda op: isinstance(op, Range) and isinstance(op.revision, RevisionAt) and op.revision.plus > 0,
            Range(b"a", revision=RevisionAt(0, 1)),
        ),
        (
            Put(b"k", b"long value", lease=7, prev_kv=True, ignore_lease=True),
            lambda op: isinstance(op, Put) and bool(op.value),
            Put(b"a", b"1"),
        ),
        (
            DeleteRange(b"k", b"z", prev_kv=True),
            lambda op: isinstance(op, DeleteRange) and op.prev_kv,
            DeleteRange(b"a", prev_kv=True),
        ),
        (Compact(RevisionAt(0, -3), physical=True), lambda op: isinstance(op, Compact), Compact(RevisionAt(0))),
        (LeaseGrant(17, id=7), lambda op: isinstance(op, LeaseGrant), LeaseGrant(PLAIN_TTL)),
        (
            LeaseTimeToLive(7, keys=True),
            lambda op: isinstance(op, LeaseTimeToLive),
            LeaseTimeToLive(7),
        ),
        (
            Txn((ABSENT, ABSENT), (Put(b"k", b"v"), Range(b"k"), Put(b"j")), (Range(b"x"),)),
            lambda op: isinstance(op, Txn) and any(isinstance(request, Put) for request in op.success),
            Txn(success=(Put(b"a"),)),
        ),
        (
            Txn((ABSENT, ABSENT), (Put(b"k"),), (Range(b"x"),)),
            lambda op: isinstance(op, Txn) and bool(op.compare),
            Txn((Compare(b"a", CompareTarget.VERSION, CompareResult.EQUAL, 0),)),
        ),
        (
            Txn(success=(Txn(success=(Txn(success=(Put(b"k"), Range(b"k"))),)),)),
            lambda op: "Put" in str(op) and isinstance(op, Txn),
            Txn(success=(Put(b"a"),)),
        ),
        (Txn(failure=(Put(b"k", b"v"),)), lambda op: "Put" in str(op), Put(b"a")),
        (As("x", Put(b"k", b"v", prev_kv=True)), lambda op: "Put" in str(op), Put(b"a")),
        (As("x", Put(b"k", b"v", prev_kv=True)), lambda op: isinstance(op, As), As("x", Put(b"a"))),
        (Advance(100), lambda op: isinstance(op, Advance), Advance(1)),
        (Advance(100), lambda op: isinstance(op, Advance) and op.seconds > 6, Advance(7)),
        (EVERY_OPTION, lambda op: isinstance(op, WatchCreate), WatchCreate(b"a")),
        (
            EVERY_OPTION,
            lambda op: isinstance(op, WatchCreate) and bool(op.filters),
            WatchCreate(b"a", filters=(FilterType.NOPUT,)),
        ),
        (
            EVERY_OPTION,
            lambda op: isinstance(op, WatchCreate) and bool(op.start_revision),
            WatchCreate(b"a", start_revision=RevisionAt(0, 1)),
        ),
        (WatchCancel(5, 3), lambda op: isinstance(op, WatchCancel), WatchCancel(0)),
        (
            WatchCreate(b"k", FROM_KEY),
            lambda op: isinstance(op, WatchCreate) and bool(op.range_end),
            WatchCreate(b"a", SENTINEL_KEY),
        ),
        (
            Resign(LeaderKey(b"e", b"e/7", RevisionAt(0, 3), 7)),
            lambda op: isinstance(op, Resign),
            Resign(LeaderKey(b"e", b"e/7", RevisionAt(0), 7)),
        ),
        (WatchProgress(3), lambda op: isinstance(op, WatchProgress), WatchProgress()),
        (WatchRead(3), lambda op: isinstance(op, WatchRead), WatchRead()),
        (WatchClose(3), lambda op: isinstance(op, WatchClose), WatchClose()),
        (UserAdd("u", "p", True), lambda op: isinstance(op, UserAdd), UserAdd("u", "p")),
        (
            RoleGrantPermission("r", Permission(2, b"k", b"z")),
            lambda op: isinstance(op, RoleGrantPermission),
            RoleGrantPermission("r", Permission(2, b"a")),
        ),
        (
            RoleRevokePermission("r", b"k", b"z"),
            lambda op: isinstance(op, RoleRevokePermission),
            RoleRevokePermission("r", b"a"),
        ),
        (Campaign(b"e", 7, b"v"), lambda op: isinstance(op, Campaign), Campaign(b"e", 7)),
        (Proclaim(None, b"v"), lambda op: isinstance(op, Proclaim), Proclaim()),
        (Lock(b"l", 7), lambda op: isinstance(op, Lock), Lock(b"l", 7)),
        (HashKV(RevisionAt(0, 7)), lambda op: isinstance(op, HashKV), HashKV()),
        (
            HashKV(RevisionAt(0, 7)),
            lambda op: isinstance(op, HashKV) and bool(op.revision),
            HashKV(RevisionAt(0, 1)),
        ),
        (Alarm(1, 1, 1), lambda op: isinstance(op, Alarm), Alarm(1, 0, 1)),
        (MemberList(True), lambda op: isinstance(op, MemberList), MemberList()),
        (MemberAdd(("x",), True), lambda op: isinstance(op, MemberAdd), MemberAdd(("x",))),
    ],
    ids=str,
)
def test_an_operation_keeps_only_what_is_needed(
    last: Operation, needed: Callable[[Operation], bool], least: Operation
) -> None:
    assert shrink((last,), when(lambda trace: needed(trace[-1]))) == (least,)


def test_keys_that_must_differ_do_and_are_short() -> None:
    trace: Trace = (Put(b"first"), Put(b"second"), Range(b"first", b"z"))

    def shows(candidate: Trace) -> bool:
        keys = [operation.key for operation in candidate if isinstance(operation, Put)]
        return len(keys) == 2 and keys[0] != keys[1]

    shrunk = shrink(trace, when(shows))
    assert {operation.key for operation in shrunk if isinstance(operation, Put)} == {b"a", b"b"}
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
        return Verdict.NEW if holds(trace, Put, Range) else Verdict.NOTHING

    shrink(LONG, judge)
    for trace in asked:
        for index, operation in enumerate(trace):
            assert all(symbol.step <= index for symbol in symbols(operation))  # type: ignore[attr-defined]
    assert len(asked) > 10


def test_the_usual_order_has_a_place_for_every_operation_but_a_token() -> None:
    assert set(OPERATIONS_IN_ORDER) == set(OPERATIONS) - {As}
    assert len(set(OPERATIONS_IN_ORDER)) == len(OPERATIONS_IN_ORDER)


def test_what_makes_a_token_comes_before_what_uses_it_and_so_does_a_lease_granted_with_one() -> None:
    trace: Trace = (
        Put(b"x"),
        Authenticate("u", "p"),
        As(TokenOf(2), LeaseGrant(60)),
        As(TokenOf(2), Put(b"k", lease=LeaseOf(3))),
        Range(b"x"),
    )

    def shows(candidate: Trace) -> bool:
        return len(candidate) == 5 and "LeaseOf" in str(candidate) and str(candidate).count("As(") == 2

    assert shrink(trace, when(shows)) == (
        Authenticate("u", "p"),
        As(TokenOf(1), LeaseGrant(60)),
        Put(b"a"),
        As(TokenOf(1), Put(b"a", lease=LeaseOf(2))),
        Range(b"a"),
    )


def test_streams_that_must_be_the_same_are_and_have_the_smallest_number() -> None:
    trace: Trace = (WatchCreate(b"a", stream=4), WatchCreate(b"a", stream=2), Put(b"a"), As("x", WatchRead(4)))

    def shows(candidate: Trace) -> bool:
        """Two watchers on two streams, the first of which is read."""
        created = [op.stream for op in candidate if isinstance(op, WatchCreate)]
        read = [op.operation.stream for op in candidate if isinstance(op, As) and isinstance(op.operation, WatchRead)]
        return len(created) == 2 and created[0] != created[1] and read == created[:1]

    shrunk = shrink(trace, when(shows))
    assert shrunk == (WatchCreate(b"a", stream=1), WatchCreate(b"a"), As("x", WatchRead(1)))


def test_where_time_passes_no_lease_is_made_to_live_longer() -> None:
    trace: Trace = (LeaseGrant(2), Put(b"a", lease=LeaseOf(1)), Advance(5), Range(b"a"))
    asked: list[int] = []

    def shows(candidate: Trace) -> bool:
        asked.extend(op.ttl for op in candidate if isinstance(op, LeaseGrant))
        return holds(candidate, LeaseGrant, Put, Advance, Range)

    assert shrink(trace, when(shows)) == (LeaseGrant(2), Put(b"a"), Advance(1), Range(b"a"))
    assert set(asked) == {2}


def test_two_waits_become_one_and_no_longer_than_the_shortest_lease_lives() -> None:
    trace: Trace = (LeaseGrant(4), Advance(2), Put(b"a"), Advance(2), Range(b"a"))

    def shows(candidate: Trace) -> bool:
        """It is waited for as long as the lease lives."""
        lives = sum(op.ttl for op in candidate if isinstance(op, LeaseGrant))
        return 0 < lives <= sum(op.seconds for op in candidate if isinstance(op, Advance))

    assert shrink(trace, when(shows)) == (LeaseGrant(2), Advance(2), Range(b"a"))


def test_what_needs_a_name_once_auth_is_on_is_done_before() -> None:
    trace: Trace = (AuthEnable(), Authenticate("root", "p"), As(TokenOf(2), UserRevokeRole("u", "r")), Range(b"a"))

    def shows(candidate: Trace) -> bool:
        """The role is revoked, by somebody if auth is on, which it is in the end."""
        nameless = UserRevokeRole("u", "r")
        named = As(TokenOf(2), nameless) in candidate and isinstance(candidate[1], Authenticate)
        return AuthEnable() in candidate and (named or holds(candidate, UserRevokeRole, AuthEnable))

    assert shrink(trace, when(shows)) == (UserRevokeRole("u", "r"), AuthEnable(), Range(b"a"))


@pytest.mark.parametrize(
    ("last", "least"), [(WatchRead(), Put(b"a")), (Range(b"a"), DeleteRange(b"a"))], ids=["watch", "read"]
)
def test_to_a_watcher_an_event_is_an_event_and_so_a_put(last: Operation, least: Operation) -> None:
    trace: Trace = (WatchCreate(b"a"), DeleteRange(b"a"), last)

    def shows(candidate: Trace) -> bool:
        return isinstance(candidate[0], WatchCreate) and isinstance(candidate[1], Put | DeleteRange)

    assert shrink(trace, when(lambda candidate: len(candidate) == 3 and shows(candidate))) == (trace[0], least, last)


def test_the_key_that_a_read_of_a_stream_writes_keeps_its_name() -> None:
    trace: Trace = (Put(SENTINEL_KEY), Range(b"long"))
    shrunk = shrink(trace, when(lambda candidate: len(candidate) == 2))
    assert shrunk == (Put(SENTINEL_KEY), Range(b"a"))


# What is known already.


def test_a_plainer_step_that_shows_a_known_lie_ends_it() -> None:
    trace: Trace = (Put(b"a", prev_kv=True), Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        return Verdict.NEW if candidate == trace else Verdict.KNOWN

    with pytest.raises(ShownByKnown) as ended:
        shrink(trace, judge)
    assert ended.value.trace == trace


def test_fewer_steps_that_show_a_known_lie_are_passed_over() -> None:
    trace: Trace = (Put(b"a"), Put(b"a"), Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        return Verdict.NEW if len(candidate) == len(trace) else Verdict.KNOWN

    assert len(shrink(trace, judge)) == len(trace)


def test_a_known_lie_that_comes_of_a_put_without_its_lease_is_passed_over_where_a_lease_is_revoked() -> None:
    trace: Trace = (LeaseGrant(60), Put(b"a", lease=LeaseOf(1)), LeaseRevoke(LeaseOf(1)), Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        if len(candidate) < 4:
            return Verdict.NOTHING
        return Verdict.NEW if candidate[1] == trace[1] else Verdict.KNOWN

    assert shrink(trace, judge) == trace


def test_without_a_revoke_that_same_candidate_ends_it() -> None:
    trace: Trace = (LeaseGrant(60), Put(b"a", lease=LeaseOf(1)), LeaseKeepAlive(LeaseOf(1)), Range(b"a"))

    def judge(candidate: Trace) -> Verdict:
        if len(candidate) < 4:
            return Verdict.NOTHING
        return Verdict.NEW if candidate[1] == trace[1] else Verdict.KNOWN

    with pytest.raises(ShownByKnown):
        shrink(trace, judge)
