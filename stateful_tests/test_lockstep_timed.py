"""Lockstep where time passes: what a server's slack explains, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import pytest

from etcd_lockstep.comparing import timed
from etcd_lockstep.comparing.lockstep import UNDECIDED, Inconclusive
from etcd_lockstep.comparing.timed import LATENESS, MOST_AT_ONCE, TimedLockstep, Timeline
from etcd_lockstep.target import ALL, Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_model import Operation, Result, Server, State, step, watch
from etcd_model.lease import expire
from etcd_model.operations import (
    SENTINEL_KEY,
    Advance,
    As,
    AuthEnable,
    Authenticate,
    HashKV,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    UserAdd,
    UserGrantRole,
    WatchCreate,
    WatchRead,
)
from etcd_model.quirks import quirks_of
from etcd_model.results import AdvanceResult, LeaseKeepAliveResult, WatchReadResult


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timed, "time", clock)
    return clock


class Late(Target):
    """On a real clock; it revokes each lease so many seconds after its time, negative ones before."""

    name = "late"
    capabilities = ALL
    real_time = True

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._late = seconds

    def reset(self) -> int:
        self._state = State(Server(), compact_revision=1)
        self._due: dict[int, float] = {}
        return 1

    def apply(self, operation: Operation) -> Result:
        for lease, due in sorted(self._due.items(), key=lambda item: item[1]):
            if due + self._late <= self._clock.now and lease in self._state.leases:
                self._state = expire(self._state, lease)
        before = self._state.leases
        self._state, result = step(self._state, operation)
        for lease, held in self._state.leases.items():
            if before.get(lease) is not held:
                self._due[lease] = self._clock.now + held.ttl
        return result


def divergences(trace: Trace, *others: Target) -> list[tuple[int, str, str]]:
    """The steps at which somebody differs: who, and most of all in what."""
    lockstep = TimedLockstep(ModelTarget(Server()), others)
    lockstep.start()
    found = []
    for number, operation in enumerate(trace, 1):
        for divergence in lockstep.step(operation).divergences:
            found.append((number, divergence.odd_one_out, divergence.differences[0].field))
    return found


EXPIRY: Trace = (LeaseGrant(2), Put(b"a", b"", LeaseOf(1)), Advance(2), Range(b"a"), Advance(1), Range(b"a"))


@pytest.mark.parametrize("late", [0.0, 0.3, 0.9, 1.0])
def test_a_lease_may_end_a_little_late(clock: Clock, late: float) -> None:
    assert divergences((*EXPIRY, Advance(3), Range(b"a"), HashKV()), Late(clock, late)) == []


def test_a_lease_that_ends_before_its_time_is_a_lie(clock: Clock) -> None:
    assert divergences((*EXPIRY[:2], Advance(1), Range(b"a")), Late(clock, -1.5)) == [(4, "late", "kvs")]


def test_a_lease_that_outlives_the_slack_is_a_lie(clock: Clock) -> None:
    trace = (*EXPIRY[:2], Advance(2), Advance(2), Range(b"a"))
    assert divergences(trace, Late(clock, LATENESS)) == []
    assert divergences(trace, Late(clock, 2.5)) == [(5, "late", "kvs")]


def test_what_is_gone_does_not_come_back(clock: Clock) -> None:
    class Undead(Late):
        """Its leases end on time, and are there again a moment later."""

        def apply(self, operation: Operation) -> Result:
            before = self._state
            result = super().apply(operation)
            if isinstance(operation, Range):
                self._state, self._due = before, {}
            return result

    trace = (*EXPIRY[:4], Range(b"a"))
    assert divergences(trace, Late(clock, 0)) == []
    assert divergences(trace, Undead(clock, 0)) == [(5, "late", "kvs")]


def test_leases_that_are_due_at_once_may_end_in_any_order(clock: Clock) -> None:
    class Backwards(Late):
        def apply(self, operation: Operation) -> Result:
            if isinstance(operation, Range):
                for lease in sorted(self._due, reverse=True):
                    if self._due[lease] <= self._clock.now and lease in self._state.leases:
                        self._state = expire(self._state, lease)
            return super().apply(operation)

    trace = (
        WatchCreate(b"a", b"c"),
        LeaseGrant(2),
        LeaseGrant(2),
        Put(b"a", b"", LeaseOf(2)),
        Put(b"b", b"", LeaseOf(3)),
        Advance(2),
        Range(b"a"),
        WatchRead(),
        HashKV(),
    )
    assert divergences(trace, Late(clock, 0), FakeTarget("3.5.16", 2)) == []
    assert divergences(trace, Backwards(clock, 0)) == []


def test_leases_that_are_due_at_different_times_end_in_that_order(clock: Clock) -> None:
    class Backwards(Late):
        def apply(self, operation: Operation) -> Result:
            if isinstance(operation, Range):
                for lease in sorted(self._due, reverse=True):
                    self._state = expire(self._state, lease)
            return super().apply(operation)

    trace = (
        LeaseGrant(2),
        LeaseGrant(8),
        Put(b"a", b"", LeaseOf(1)),
        Put(b"b", b"", LeaseOf(2)),
        Advance(10),
        Range(b"a"),
        HashKV(),
    )
    assert divergences(trace, Late(clock, 0), FakeTarget("3.5.16", 2)) == []
    assert divergences(trace, Backwards(clock, 0)) == [(7, "late", "hash")]


def test_time_passes_once_for_all_on_real_clocks(clock: Clock) -> None:
    class Other(Late):
        name = "other"

    class Forgetful(Late):
        def apply(self, operation: Operation) -> Result:
            due = dict(self._due)
            result = super().apply(operation)
            if isinstance(result, LeaseKeepAliveResult):
                self._due = due
            return result

    before = clock.now
    trace = (LeaseGrant(3), Put(b"a", b"", LeaseOf(1)), Advance(2), LeaseKeepAlive(LeaseOf(1)), Advance(2), Range(b"a"))
    assert divergences(trace, Forgetful(clock, 0.4), Other(clock, 0.4)) == [(6, "late", "kvs")]
    assert clock.now == before + 4


def test_what_one_target_leaves_open_hides_no_lie_of_another(clock: Clock) -> None:
    class Deaf(FakeTarget):
        name = "deaf"

        def apply(self, operation: Operation) -> Result:
            result = super().apply(operation)
            return replace(result, watches=()) if isinstance(result, WatchReadResult) else result

    class Between(Late):
        """A lease ends while its stream is read."""

        def apply(self, operation: Operation) -> Result:
            result = super().apply(operation)
            return replace(result, stray=1) if isinstance(result, WatchReadResult) else result

    trace = (LeaseGrant(2), Put(b"b", b"", LeaseOf(1)), WatchCreate(b"a"), Advance(2), WatchRead())
    assert divergences(trace, Deaf("3.5.16", 2), Between(clock, 0)) == [(5, "deaf", "watches")]
    with pytest.raises(Inconclusive):
        divergences(trace, Between(clock, 0))
    with pytest.raises(Inconclusive):  # what the one nondeterministic, it does for the rest of the sequence
        divergences((*trace, Range(b"b")), Deaf("3.5.16", 2), Between(clock, 0))


def test_too_many_at_once_prove_nothing(clock: Clock) -> None:
    grants = tuple(LeaseGrant(2) for _ in range(MOST_AT_ONCE + 1))
    puts = tuple(Put(b"%d" % number, b"", LeaseOf(number)) for number in range(1, len(grants) + 1))
    with pytest.raises(Inconclusive):
        divergences((*grants, *puts, Advance(4), Range(b"a")), Late(clock, 0))


class Between(Late):
    """Its leases end between the two puts of the sentinel, with which watchers from the past are read."""

    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, WatchRead):
            return super().apply(operation)

        def put_sentinel(state: State) -> tuple[State, Result]:
            state, result = step(state, Put(SENTINEL_KEY))
            return reduce(expire, self._due, state), result

        self._state, read = watch.read(self._state, operation, put_sentinel)
        return read


def test_the_end_of_a_lease_amid_an_operation_proves_nothing(clock: Clock) -> None:
    trace: Trace = (
        LeaseGrant(2),
        Put(b"a", b"", LeaseOf(1)),
        Put(b"b"),
        WatchCreate(b"b", start_revision=RevisionAt(3)),
    )
    assert divergences((*trace, WatchRead(), HashKV()), Late(clock, 1.0)) == []
    with pytest.raises(Inconclusive):
        divergences((*trace, Advance(2), WatchRead(), HashKV()), Between(clock, 1.0))


def test_a_kept_lease_lives_on_and_one_that_is_not_renewed_is_a_lie(clock: Clock) -> None:
    class Forgetful(Late):
        """Says that it renews, and does not."""

        def apply(self, operation: Operation) -> Result:
            due = dict(self._due)
            result = super().apply(operation)
            if isinstance(result, LeaseKeepAliveResult):
                self._due = due
            return result

    trace = (LeaseGrant(3), Put(b"a", b"", LeaseOf(1)), Advance(2), LeaseKeepAlive(LeaseOf(1)), Advance(2), Range(b"a"))
    assert divergences(trace, Late(clock, 0.4), FakeTarget("3.5.16", 2)) == []
    assert divergences(trace, Forgetful(clock, 0.4)) == [(6, "late", "kvs")]


def test_a_lease_that_is_overdue_is_not_renewed(clock: Clock) -> None:
    trace = (LeaseGrant(2), Advance(3), LeaseKeepAlive(LeaseOf(1)))
    assert divergences(trace, Late(clock, 0.4)) == []
    assert divergences(trace, Late(clock, 1.4)) == [(3, "late", "ttl")]


def test_the_header_of_a_keepalive_may_be_from_before_the_end_that_it_waited_for(clock: Clock) -> None:
    class Hasty(Late):
        def apply(self, operation: Operation) -> Result:
            before = self._state.revision
            result = super().apply(operation)
            return replace(result, revision=before) if isinstance(result, LeaseKeepAliveResult) else result

    trace = (LeaseGrant(2), Put(b"a", b"", LeaseOf(1)), Advance(2), LeaseKeepAlive(LeaseOf(1)))
    assert divergences(trace, Hasty(clock, 0)) == []
    assert divergences((*trace, Put(b"b"), LeaseKeepAlive(LeaseOf(1))), Hasty(clock, 0)) == []
    assert divergences((*trace[:2], Put(b"b"), LeaseKeepAlive(404)), Early(clock, 0)) == [(4, "late", "revision")]


class Early(Late):
    """Its keepalives have the header of the revision before."""

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, revision=result.revision - 1) if isinstance(result, LeaseKeepAliveResult) else result


def test_the_time_to_live_counts_down(clock: Clock) -> None:
    class Stuck(Late):
        def apply(self, operation: Operation) -> Result:
            if isinstance(operation, LeaseTimeToLive):
                return step(self._state, operation)[1]
            return super().apply(operation)

    trace = (LeaseGrant(10), LeaseTimeToLive(LeaseOf(1)), Advance(3), LeaseTimeToLive(LeaseOf(1)))
    assert divergences(trace, FakeTarget("3.5.16", 2)) == []
    assert divergences(trace, Stuck(clock, 0)) == [(4, "late", "ttl")]


def test_a_fake_that_differs_is_undecided_where_no_etcd_is_there_to_judge() -> None:
    class Eternal(FakeTarget):
        def apply(self, operation: Operation) -> Result:
            return AdvanceResult() if isinstance(operation, Advance) else super().apply(operation)

    assert divergences(EXPIRY, Eternal("3.5.16", 2))[0] == (4, UNDECIDED, "kvs")


def test_an_early_revoke_is_followed(clock: Clock) -> None:
    trace = (LeaseGrant(2), Put(b"a", b"", LeaseOf(1)), LeaseRevoke(LeaseOf(1)), Advance(3), Range(b"a"), HashKV())
    assert divergences(trace, Late(clock, 0.4), FakeTarget("3.5.16", 2)) == []


def test_a_real_etcd_keeps_time(model: ModelTarget, fake: FakeTarget, real: Target, min_lease_ttl: int) -> None:
    lockstep = TimedLockstep(model, [fake, real])
    lockstep.start()
    trace = (
        WatchCreate(b"a"),
        LeaseGrant(min_lease_ttl),
        Put(b"a", b"", LeaseOf(2)),
        Advance(min_lease_ttl + 2),
        LeaseTimeToLive(LeaseOf(2)),
        Range(b"a"),
        WatchRead(),
        HashKV(),
    )
    assert [lockstep.step(operation).divergences for operation in trace] == [()] * len(trace)


class RealTime(ModelTarget):
    """A store whose leases live by real time, which nobody asks."""

    real_time = True


UNDER_AUTH = (UserAdd("root", "p"), UserGrantRole("root", "root"), AuthEnable(), Authenticate("root", "p"))


@pytest.mark.parametrize(
    ("then", "asked", "waits"),
    [
        ((), LeaseKeepAlive, True),
        (UNDER_AUTH, lambda lease: As("token-1", LeaseKeepAlive(lease)), True),
        (UNDER_AUTH, LeaseKeepAlive, False),  # nobody's, which is refused at once
    ],
)
def test_a_keep_alive_waits_for_the_end_of_its_own_lease_alone(
    then: Trace, asked: Callable[[int], Operation], waits: bool
) -> None:
    state = State(Server(quirks_of("3.6.16")))
    timeline = Timeline(RealTime(state.server), state)
    for operation in (LeaseGrant(2, 1), LeaseGrant(2, 2), *then):
        after, _ = step(state, operation)
        timeline.follow(state, after, before=0, after=0)
        state = after
    for renewed, other in ((1, 2), (2, 1)):
        left = [set(one.leases) for one in timeline.possible(state, asked(renewed), before=2.5, after=2.6)]
        assert left == ([{other}, set()] if waits else [{1, 2}, {2}, {1}, set()])
