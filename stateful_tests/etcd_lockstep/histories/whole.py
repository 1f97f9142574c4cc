"""The search over a whole history, for answers without revisions, and for gaps that several calls can have made.

Every call is a step of the model, on a state of its own. Where answers have no revisions, calls that share no key and
no lease can be ordered apart from each other: a history is linearizable if and only if each of its objects is (Herlihy
and Wing).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etcd_lockstep.histories.answers import kvs_in
from etcd_lockstep.histories.history import FOREVER, Account, Call, History, Indefinite
from etcd_lockstep.histories.leases import NANOSECONDS
from etcd_lockstep.histories.objects import objects
from etcd_lockstep.histories.placing import Placed, returned
from etcd_lockstep.histories.refusals import DUE_TO_THE_STORE
from etcd_lockstep.histories.store import refuse_crashing, reported
from etcd_lockstep.histories.verdicts import Unknown, Violation
from etcd_lockstep.histories.whole_naming import name
from etcd_lockstep.histories.wing_gong import BUDGET, Entry, Found, Impossible, find_order
from etcd_model import operations as op
from etcd_model import step
from etcd_model.errors import Error
from etcd_model.lease import expire
from etcd_model.results import (
    Event,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseTimeToLiveResult,
)
from etcd_model.state import Commit, Lease, Server, State


@dataclass(frozen=True, slots=True)
class Shown:
    """What the answers of a store show: fields that are 0 in every answer of a history are not looked at."""

    headers: bool
    fields: tuple[str, ...]

    @property
    def revisions(self) -> bool:
        return self.headers or "mod_revision" in self.fields or "create_revision" in self.fields


_FIELDS = ("create_revision", "mod_revision", "version", "lease")


def shown_by(calls: Sequence[Call]) -> Shown:
    """What the answers of a history show."""
    missing = set(_FIELDS)
    headers = False
    for call in calls:
        headers = headers or getattr(call.outcome, "revision", 0) > 0
        if missing:
            for kv in kvs_in(call.outcome):
                missing -= {field for field in missing if getattr(kv, field)}
    return Shown(headers, tuple(field for field in _FIELDS if field not in missing))


class _Node:
    """One state, and where each call led from it: the same states come up again and again."""

    __slots__ = ("moves", "past", "state")

    def __init__(self, state: State, past: int) -> None:
        self.state = state
        self.past = past
        """Which of all pasts it has, where calls read the past."""
        self.moves: dict[Hashable, _Node | None] = {}


class WholeSearch:
    """Wing and Gong's search over all calls of a history."""

    def __init__(self, history: History, placed: Placed, server: Server) -> None:
        self.violations: list[Violation] = []
        self.unknowns: list[Unknown] = []
        self._history = history
        self._calls = history.calls
        self._placed = placed
        self._shown = shown_by(history.calls)
        if not placed.unrevealed:
            self._shown = Shown(headers=True, fields=_FIELDS)
        self._sent = _sent(history) if self._shown.headers else {}
        self._keeps_history = any(_looks_back(call.operation) for call in history.calls)
        self._needs_numbers = self._shown.revisions or self._keeps_history
        self._needs_versions = "version" in self._shown.fields or any(map(_looks_at_numbers, history.calls))
        self._nodes: dict[Hashable, _Node] = {}
        self._pasts: dict[Hashable, int] = {}
        self._runs: dict[Callable[[_Node], _Node | None], Callable[[State], State | None]] = {}
        """What the steps of entries do, without what is remembered of them."""
        self._initial = self._node(_initial_state(history, server), 0)
        self._claimed = placed.claims.keys()
        self.unchecked = sum(history.calls[index].outcome not in DUE_TO_THE_STORE for index in placed.refused)
        """How many refusals had a reason outside of what is checked."""
        self.account: Account | None = None
        """What the order that was found makes, where answers have revisions."""

    def check(self) -> None:
        """Search each part of the history that is independent of the others."""
        everything = range(len(self._calls))
        groups = [list(everything)] if self._shown.revisions else objects(self._calls)
        for group in groups:
            self._search(group)

    def _search(self, group: Sequence[int]) -> None:
        entries = [self._entry(index) for index in group]
        entries += [*self._headers(group), *self._expiries(group)]
        match find_order(entries, self._initial, id, BUDGET):
            case Found(order=order):
                if self._shown.headers:
                    self.account = self._account(entries, order)
            case Impossible(stuck=stuck):
                calls = [entries[at].call for at in stuck if entries[at].call >= 0 and not entries[at].optional]
                self.violations.append(name(self._calls, sorted(group), calls))
            case out:
                first = min(
                    (self._calls[entries[at].call].invoked for at in out.stuck if entries[at].call >= 0), default=0
                )
                where = f"{len(group)} calls that can't be ordered apart, from time {first} on"
                why = f"the search for their order took more than {BUDGET:,} steps"
                calls = [entries[at].call for at in out.stuck if entries[at].call >= 0]
                self.unknowns.append(Unknown(where, why, tuple(calls[:10])))

    def _account(self, entries: Sequence[Entry[_Node]], order: Sequence[int]) -> Account:
        """The events of an order, step by step: a node may have been reached by others."""
        state, events = self._initial.state, list[Event]()
        for at in order:
            run = self._runs.get(entries[at].step)
            if run is None:
                continue
            after = run(state)
            assert after is not None
            if after.revision > state.revision:
                events += map(reported, after.commits[-1].events)
            state = after
        return Account(FOREVER, state.revision, tuple(events))

    def _entry(self, index: int) -> Entry[_Node]:
        call = self._calls[index]
        revision = self._placed.revisions[index]
        low, high = -1, FOREVER
        if revision >= 0 and not self._is_loose(index):
            low, high = 2 * revision, 2 * revision + 1
        elif revision >= 0 and isinstance(call.outcome, LeaseKeepAliveResult):
            low = 2 * revision
        optional = isinstance(call.outcome, Indefinite)
        return Entry(self._step(index), call.invoked, returned(call), optional=optional, low=low, high=high, call=index)

    def _headers(self, group: Sequence[int]) -> Iterator[Entry[_Node]]:
        """A header that is made before or after the fact shows a revision that the store was at by then."""
        for index in group:
            revision = self._placed.revisions[index]
            if revision >= 0 and self._is_loose(index):
                run = self._remembered(("at", revision), _stands_at(revision))
                yield Entry(run, 0, returned(self._calls[index]), call=index)
        for watch in self._history.watches if self._shown.headers else ():
            for response in watch.responses:
                if response.events:
                    revision = response.events[-1].kv.mod_revision
                    run = self._remembered(("at", revision), _stands_at(revision))
                    yield Entry(run, 0, response.received)

    def _is_loose(self, index: int) -> bool:
        return bool(self._placed.stale[index])

    def _step(self, index: int) -> Callable[[_Node], _Node | None]:
        call = self._calls[index]
        operation, outcome = call.operation, call.outcome
        if isinstance(outcome, Error) and outcome not in DUE_TO_THE_STORE:
            return lambda node: node  # it had no effect; why it was refused is not known here
        if isinstance(operation, op.LeaseGrant) and not operation.id and isinstance(outcome, LeaseGrantResult):
            operation = replace(operation, id=outcome.id)
        if isinstance(outcome, Indefinite):
            return self._remembered(index, lambda state: self._unless_claimed(state, operation))
        expected = self._observed(operation, outcome)

        def run(state: State) -> State | None:
            refuse_crashing(operation, state)
            after, result = step(state, operation)
            return after if self._observed(operation, result) == expected else None

        return self._remembered(index, run)

    def _remembered(self, move: Hashable, run: Callable[[State], State | None]) -> Callable[[_Node], _Node | None]:
        def remembered(node: _Node) -> _Node | None:
            if move not in node.moves:
                after = run(node.state)
                fits = after is not None and self._fits(node.state, after)
                node.moves[move] = self._node(after, self._past(node, after)) if after is not None and fits else None
            return node.moves[move]

        self._runs[remembered] = run
        return remembered

    def _fits(self, before: State, after: State) -> bool:
        """Whether a revision that was just made is what watchers were sent of it."""
        sent = self._sent.get(after.revision) if after.revision > before.revision else None
        return sent is None or sent <= {(event.type, event.kv) for event in map(reported, after.commits[-1].events)}

    def _past(self, node: _Node, after: State) -> int:
        """The past of a state that follows another one."""
        if not self._keeps_history or after.revision == node.state.revision:
            return node.past
        return self._pasts.setdefault((node.past, after.commits[-1].events), len(self._pasts) + 1)

    def _node(self, state: State, past: int) -> _Node:
        """The one node of all states in which all that can show later is the same."""
        if not self._keeps_history and len(state.commits) > 1:
            state = replace(state, commits=state.commits[-1:])
        key = (self._key(state), past)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node(state, past)
        return node

    def _unless_claimed(self, state: State, operation: op.Operation) -> State | None:
        """An indefinite call did not make a revision that a completed one claims."""
        refuse_crashing(operation, state)
        after, _result = step(state, operation)
        if self._shown.headers and after.revision != state.revision and after.revision in self._claimed:
            return None
        return after

    def _expiries(self, group: Sequence[int]) -> Iterator[Entry[_Node]]:
        """Each lease that was granted may expire once its TTL is over."""
        ends: list[tuple[int, int]] = []
        for index in group:
            call = self._calls[index]
            if isinstance(call.operation, op.LeaseGrant) and not isinstance(call.outcome, Error):
                granted = call.outcome if isinstance(call.outcome, LeaseGrantResult) else None
                lease_id = granted.id if granted else call.operation.id
                ttl = granted.ttl if granted else max(call.operation.ttl, 1)
                ends.append((lease_id, call.invoked + ttl * NANOSECONDS))
        ends += [(lease_id, 0) for lease_id in self._history.beginning.leases]
        for lease_id, time in ends:
            if lease_id:
                run = self._remembered(("end", lease_id), _end_of(lease_id))
                yield Entry(run, time, optional=True)

    # What of an answer is compared

    def _observed(self, operation: op.Operation, result: Any) -> Any:
        """An answer without the fields that the store does not fill in, and without what depends on clocks."""
        match result:
            case Error():
                return result
            case LeaseGrantResult(id=lease_id):
                return "granted", lease_id, self._revision(result)
            case LeaseKeepAliveResult(ttl=ttl):
                return "alive", ttl > 0
            case LeaseTimeToLiveResult(ttl=ttl, granted_ttl=granted, keys=keys):
                asked = isinstance(operation, op.LeaseTimeToLive) and operation.keys
                return "left", ttl >= 0, granted, sorted(keys) if asked else []
            case LeaseLeasesResult(leases=leases):
                return "leases", sorted(leases)
        if isinstance(operation, op.Compact):
            return "compacted"
        return self._bare(result)

    def _revision(self, result: Any) -> int:
        return result.revision if self._shown.headers else 0

    def _bare(self, result: Any) -> Any:
        if isinstance(result, KeyValue):
            return (result.key, result.value, *(getattr(result, field) for field in self._shown.fields))
        if isinstance(result, tuple):
            return tuple(map(self._bare, result))
        if not hasattr(result, "__slots__"):
            return result
        values = [getattr(result, field) for field in result.__slots__ if field != "revision"]
        return (type(result), self._revision(result), *map(self._bare, values))

    def _key(self, state: State) -> Hashable:
        """All that can show later."""
        leases = frozenset([(lease_id, lease.ttl) for lease_id, lease in state.leases.items()])
        if self._needs_numbers:
            return state.revision, frozenset(state.keys.values()), leases, state.compact_revision
        if self._needs_versions:
            return frozenset(state.keys.values()), leases
        return frozenset([(kv.key, kv.value, kv.lease) for kv in state.keys.values()]), leases


def _sent(history: History) -> dict[int, set[tuple[int, KeyValue]]]:
    """What watchers were sent, by its revision."""
    sent: dict[int, set[tuple[int, KeyValue]]] = {}
    for watch in history.watches:
        for response in watch.responses:
            for event in response.events:
                sent.setdefault(event.kv.mod_revision, set()).add((event.type, event.kv))
    return sent


def _initial_state(history: History, server: Server) -> State:
    beginning = history.beginning
    return State(
        server,
        (Commit(beginning.revision, (), {kv.key: kv for kv in beginning.kvs}),),
        compact_revision=beginning.compact_revision,
        leases={lease_id: Lease(ttl, 0) for lease_id, ttl in beginning.leases.items()},
    )


def _stands_at(revision: int) -> Callable[[State], State | None]:
    return lambda state: state if state.revision == revision else None


def _end_of(lease_id: int) -> Callable[[State], State | None]:
    return lambda state: expire(state, lease_id) if lease_id in state.leases else None


def _looks_at_numbers(call: Call) -> bool:
    """Whether a call depends on more of a key's version and revisions than whether there is the key."""
    return _reads_numbers(call.operation)


def _reads_numbers(operation: Any) -> bool:
    match operation:
        case op.Compare(target=target, operand=operand):
            return target not in (op.CompareTarget.VALUE, op.CompareTarget.LEASE) and operand != 0
        case op.Range():
            sorts = operation.sort_target in (op.SortTarget.VERSION, op.SortTarget.CREATE, op.SortTarget.MOD)
            return sorts or any(getattr(operation, name) for name in _FILTERS)
        case op.Txn():
            return any(map(_reads_numbers, (*operation.compare, *operation.success, *operation.failure)))
    return False


_FILTERS = ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")


def _looks_back(operation: Any) -> bool:
    match operation:
        case op.Compact():
            return True
        case op.Range(revision=revision):
            return revision > 0
        case op.Txn():
            return any(map(_looks_back, (*operation.success, *operation.failure)))
    return False
