"""Lockstep where time passes: each target is compared with a set of possible states of the model.

A lease expires at some moment between its time and a while later, and nobody can see from outside when a real
server looked. So for every target there is a set of states that its store may be in. Before each operation the set
forks: a lease that may have expired by then has, or has not. Each state then says what the answer would be, and the
target's answer leaves those standing that said so. Where none is left, that is a divergence.

On a virtual clock (the fake's) every lease has its moment, and the set is for the order in which leases that are due
at the same time expire, which etcd leaves open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, permutations

from etcd_lockstep.comparing.comparison import differences
from etcd_lockstep.comparing.handed_on import filled_in
from etcd_lockstep.comparing.lockstep import (
    REFERENCES,
    UNDECIDED,
    Answer,
    Divergence,
    Inconclusive,
    Lockstep,
    Skipped,
    Step,
    not_to_be_asked,
)
from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.target import Target
from etcd_lockstep.trace import bare
from etcd_model import State, step
from etcd_model.lease import expire
from etcd_model.operations import Advance, Campaign, LeaseKeepAlive, Lock, Operation, WatchRead
from etcd_model.results import AdvanceResult, LeaseKeepAliveResult, LeaseTimeToLiveResult, Result

LATENESS = 1.5
"""Seconds within which a real server revokes an expired lease: it looks every 0.5 s (etcd server/lease/lessor.go,
runLoop), and the revoke then goes through raft on a machine that may be busy."""

MOST_STATES = 64
"""With more possible states than these a sequence is given up: it would prove little."""

MOST_AT_ONCE = 4
"""So many leases with keys may be due at the same time; their orders are all tried."""


class Timeline:
    """One target's clock, and the states that its store may be in."""

    def __init__(self, target: Target, state: State) -> None:
        self.target = target
        self.states = [state]
        self.revisions = [state.revision]
        """After each step."""
        self._lateness = LATENESS if target.real_time else 0.0
        self._virtual = 0.0
        self._due: dict[int, tuple[float, float]] = {}
        """By lease: between which two readings of the clock it is due to expire."""

    def now(self) -> float:
        """Seconds on the clock that the target's leases live by."""
        return time.monotonic() if self.target.real_time else self._virtual

    def advance(self, seconds: int) -> None:
        """Time has passed, where the target's clock does not show it by itself."""
        self._virtual += seconds

    def possible(self, state: State, operation: Operation, before: float, after: float) -> Iterator[State]:
        """The states that `state` may have become by the time that an operation, sent at `before` and answered at
        `after`, was carried out."""
        gone, perhaps = [], []
        for lease in state.leases:
            earliest, latest = self._due[lease]
            if latest + self._lateness <= before or (latest <= before and _renews(state, operation, lease)):
                gone.append(lease)  # a lease that is overdue is not renewed: the request waits for its end
            elif earliest <= after:
                perhaps.append(lease)
        for count in range(len(perhaps) + 1):
            for also in combinations(perhaps, count):
                yield from self._expired(state, [*gone, *also])

    def _expired(self, state: State, leases: Sequence[int]) -> Iterator[State]:
        """The states after these leases have expired, in any order in which that may have been. Raises
        `Inconclusive`."""
        bound = {kv.lease for kv in state.keys.values()}
        with_keys = [lease for lease in leases if lease in bound]
        for lease in leases:
            if lease not in bound:
                state = expire(state, lease)
        if len(with_keys) > MOST_AT_ONCE:
            raise Inconclusive
        for order in permutations(with_keys):
            if any(
                self._due[later][1] + self._lateness < self._due[lease][0] for lease, later in combinations(order, 2)
            ):
                continue  # the later one was over before this one was due
            ended = state
            for lease in order:
                ended = expire(ended, lease)
            yield ended

    def is_open(self, before: float, after: float) -> bool:
        """Whether a lease may have expired in this time."""
        return any(self._may_expire(lease, before, after) for state in self.states for lease in state.leases)

    def may_write(self, before: float, after: float) -> bool:
        """Whether a lease that has keys may have expired in this time, which makes a revision."""
        return any(
            self._may_expire(kv.lease, before, after) for state in self.states for kv in state.keys.values() if kv.lease
        )

    def _may_expire(self, lease: int, before: float, after: float) -> bool:
        earliest, latest = self._due[lease]
        return earliest <= after and before < latest + self._lateness

    def follow(self, was: State, now: State, before: float, after: float) -> None:
        """Note when the leases that an operation granted or renewed are due."""
        for lease_id, lease in now.leases.items():
            if was.leases.get(lease_id) is not lease:
                self._due[lease_id] = (before + lease.ttl, after + lease.ttl)

    def remaining(self, lease: int, before: float, after: float) -> range:
        """The TTLs that a server may report a lease, in seconds. What is left is truncated, and some of the last
        second is always gone."""
        earliest, latest = self._due[lease]
        return range(max(math.ceil(earliest - after) - 1, 0), max(math.ceil(latest - before) - 1, 0) + 1)


def _renews(state: State, operation: Operation, lease: int) -> bool:
    """Whether it is a keep-alive of the lease that is not refused for its sender: that one waits for nothing."""
    asked = bare(operation)
    if not isinstance(asked, LeaseKeepAlive) or asked.id != lease:
        return False
    return isinstance(step(state, operation)[1], LeaseKeepAliveResult)


def _answers(asked: Operation, earlier: State, state: State) -> Iterator[tuple[State, State, Result]]:
    """What a state may say, which was `earlier` when the operation arrived.

    A keepalive of a lease that is overdue waits for its end; its header is from before (etcd
    server/etcdserver/api/v3rpc/lease.go, leaseKeepAlive).
    """
    after, result = step(state, asked)
    yield state, after, result
    if isinstance(result, LeaseKeepAliveResult) and result.id in earlier.leases and not result.ttl:
        for revision in range(earlier.revision, state.revision):
            yield state, after, replace(result, revision=revision)


class TimedLockstep(Lockstep):
    """A lockstep in which `Advance` is an operation like any other. The model's own answers are those of a store
    whose leases expire on time."""

    def start(self) -> None:
        super().start()
        self._lost_track = False
        self._timelines = {
            target.name: Timeline(target, self._model.state) for target in self.targets if target is not self._model
        }

    def step(self, operation: Operation) -> Step:
        """As in `Lockstep`. Raises `Inconclusive` where too much may have happened for an answer to prove anything."""
        if self._lost_track:
            raise Inconclusive
        self.refuse_inexpressible(operation)
        asked = {name: self._in_model_terms(operation, timeline) for name, timeline in self._timelines.items()}
        concrete = {model.name: self._concrete(operation, model) for model in (self._model, *self._guides)}
        self._refuse_open(concrete)
        self._refuse_all(asked)
        self._revisions.append(0)
        observations = {self._model.name: self._ask(self._model, concrete[self._model.name]).observation}
        self._follow(concrete, observations[self._model.name])
        expected: dict[str, Observation] = {}
        if isinstance(operation, Advance) and any(target.real_time for target in self.targets):
            time.sleep(operation.seconds)  # once, for all of them
        for name, timeline in self._timelines.items():
            try:
                observations[name], expected[name] = self._compare_with(timeline, operation, asked[name])
            except Inconclusive:
                self._lost_track = True  # of this one; what another has answered wrongly is reported still
        self._revisions[-1] = self._model.state.revision
        divergences = self._verdict(observations, expected)
        if self._lost_track and not divergences:
            raise Inconclusive
        for _, should in sorted(expected.items(), key=lambda item: observations[item[0]] != item[1]):
            observations[self._model.name] = should  # what the model says of a store like the last target's
        return Step(observations, divergences)

    def _in_model_terms(self, operation: Operation, timeline: Timeline) -> Operation:
        return self._concrete(operation, self._model, timeline.revisions)

    def _refuse_all(self, asked: Mapping[str, Operation]) -> None:
        for name, timeline in self._timelines.items():
            for state in timeline.states:
                reason = not_to_be_asked(asked[name], state)
                if reason:
                    raise Skipped(reason)

    def _compare_with(
        self, timeline: Timeline, operation: Operation, asked: Operation
    ) -> tuple[Observation, Observation]:
        """What the target said, and what it should have said: the same thing, if any possible state says so."""
        target = timeline.target
        before = timeline.now()
        if isinstance(operation, Advance) and target.real_time:
            answer = Answer(operation, AdvanceResult(), AdvanceResult())  # its time has passed already
        else:
            answer = self._ask(target, self._concrete(operation, target, timeline.revisions))
        if isinstance(operation, Advance):
            timeline.advance(operation.seconds)
        after = timeline.now()
        outcomes = self._outcomes(timeline, asked, before, after)
        if timeline.may_write(before, after) and any(state.revision - was.revision > 1 for was, state, _ in outcomes):
            raise Inconclusive  # the end of a lease may be between two writes of this operation: only a hash shows it
        standing: list[State] = []
        compared = [
            self._compared(timeline, asked, answer, state, result, before, after) for _was, state, result in outcomes
        ]
        # Where a target is wrong in one field of every answer, the state that it is in shows in the others.
        apart = [0 if observed == should else len(differences(should, observed)) or 1 for should, observed in compared]
        wanted, observed = compared[apart.index(min(apart))]
        for (was, state, _result), different in zip(outcomes, apart, strict=True):
            if not different:
                timeline.follow(was, state, before, after)
                if state not in standing:
                    standing.append(state)
        if not standing:
            if isinstance(bare(operation), WatchRead | Lock | Campaign) and timeline.is_open(before, after):
                raise Inconclusive  # it takes several requests, and something may have expired between two of them
            for was, state, _ in outcomes:
                timeline.follow(was, state, before, after)
        timeline.states = standing or [state for _, state, _ in outcomes]
        timeline.revisions.append(timeline.states[0].revision)
        return observed, wanted

    def _outcomes(
        self, timeline: Timeline, asked: Operation, before: float, after: float
    ) -> list[tuple[State, State, Result]]:
        """Of every possible state: itself, what it becomes, and what it says to the operation."""
        if isinstance(asked, Advance):
            return [(state, state, AdvanceResult()) for state in timeline.states]
        outcomes = [
            outcome
            for earlier in timeline.states
            for state in timeline.possible(earlier, asked, before, after)
            for outcome in _answers(asked, earlier, state)
        ]
        if len(outcomes) > MOST_STATES:
            raise Inconclusive
        return outcomes

    def _compared(
        self,
        timeline: Timeline,
        asked: Operation,
        answer: Answer,
        state: State,
        result: Result,
        before: float,
        after: float,
    ) -> tuple[Observation, Observation]:
        """What a state says, and what the target said, as they are compared."""
        should = self._observe(self._model, asked, result, state)
        observed = self._observe(timeline.target, answer.asked, answer.raw, state)
        observed = filled_in(observed, should, answer.not_handed_on)
        if isinstance(should, LeaseTimeToLiveResult) and isinstance(result, LeaseTimeToLiveResult) and result.ttl >= 0:
            left = timeline.remaining(result.id, before, after)
            reported = getattr(observed, "ttl", left[-1])
            should = replace(should, ttl=reported if reported in left else left[-1])
        return should, observed

    def _verdict(
        self, observations: Mapping[str, Observation], expected: Mapping[str, Observation]
    ) -> tuple[Divergence, ...]:
        """Who is not with any state of the model; the model, where neither the fake nor the real etcd is."""
        etcds = observations.get("etcd")
        odd = [
            name
            for name, should in expected.items()
            if observations[name] != should and (name in REFERENCES or observations[name] != etcds)
        ]
        voters = [name for name in expected if name in REFERENCES]
        if len(voters) > 1 and all(name in odd for name in voters):
            said = observations[voters[-1]]
            return (Divergence(self._model.name, tuple(differences(said, expected[voters[-1]]))),)
        found: list[Divergence] = []
        for name in odd:
            alone = UNDECIDED if voters == [name] and name == "fake" else name
            differing = differences(expected[name], observations[name])
            if name in REFERENCES:
                found.append(Divergence(alone, tuple(differing)))
            else:
                self._add(found, name, differing)
                self._views[name].resynchronize(getattr(expected[name], "revision", 0))
        return tuple(found)
