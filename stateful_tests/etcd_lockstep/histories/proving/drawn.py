"""Drawn histories: a few clients use a model at the same time, and what they see is recorded.

A call is invoked, carried out and returns at three moments, in an order that is drawn. Some never return, carried out
or not.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from etcd_lockstep.histories.history import Account, Call, History, Indefinite, Watch, WatchResponse
from etcd_model import State, step
from etcd_model import operations as op
from etcd_model.lease import expire
from etcd_model.results import Event, KeyValue, LeaseTimeToLiveResult, Result
from etcd_model.state import Commit, PutEvent

KEYS = (b"a", b"b", b"c")
VALUES = (b"1", b"2", b"3")
LEASES = (7, 8)
SECOND = 1_000_000_000


def draw_operation(source: random.Random, revision: int) -> op.Operation:
    """An operation on few keys, few values and few leases, so that calls meet."""
    draw = source.choices(_DRAWS, weights=_WEIGHTS)[0]
    return draw(source, revision)


def _key(source: random.Random) -> bytes:
    return source.choices(KEYS, weights=(6, 3, 1))[0]


def _put(source: random.Random, _revision: int) -> op.Put:
    key = _key(source)
    options = source.random()
    if options < 0.06:
        return op.Put(key, lease=source.choice((0, *LEASES)), ignore_value=True)
    if options < 0.1:
        return op.Put(key, source.choice(VALUES), ignore_lease=True)
    lease = source.choice(LEASES) if source.random() < 0.25 else 0
    return op.Put(key, source.choice(VALUES), lease=lease, prev_kv=source.random() < 0.3)


def _range(source: random.Random, revision: int) -> op.Range:
    chance = source.random()
    past = max(1, revision + source.randint(-3, 1)) if source.random() < 0.15 else 0
    serializable = source.random() < 0.1
    if chance < 0.6:
        return op.Range(_key(source), revision=past, serializable=serializable)
    if chance < 0.9:
        return op.Range(b"a", b"c", revision=past, serializable=serializable)
    return op.Range(b"a", b"\0", limit=source.randint(0, 2), count_only=source.random() < 0.3)


def _delete(source: random.Random, _revision: int) -> op.DeleteRange:
    if source.random() < 0.7:
        return op.DeleteRange(_key(source), prev_kv=source.random() < 0.3)
    return op.DeleteRange(b"a", b"c")


def _txn(source: random.Random, revision: int) -> op.Txn:
    compares = tuple(_compare(source, revision) for _ in range(source.randint(0, 2)))
    return op.Txn(compares, _branch(source, revision), _branch(source, revision))


def _compare(source: random.Random, revision: int) -> op.Compare:
    key = _key(source)
    match source.randint(0, 3):
        case 0:
            return op.Compare(key, op.CompareTarget.VALUE, op.CompareResult.EQUAL, source.choice(VALUES))
        case 1:
            return op.Compare(key, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
        case 2:
            return op.Compare(key, op.CompareTarget.MOD, op.CompareResult.LESS, revision)
        case _:
            return op.Compare(key, op.CompareTarget.VERSION, op.CompareResult.GREATER, source.randint(0, 2), b"c")


def _branch(source: random.Random, revision: int) -> tuple[op.RequestOp, ...]:
    requests: list[op.RequestOp] = []
    written: set[bytes] = set()
    for _ in range(source.choices((0, 1, 2, 3), weights=(2, 5, 4, 1))[0]):
        match source.randint(0, 3):
            case 0:
                requests.append(_range(source, revision))
            case 1:
                requests.append(op.DeleteRange(_key(source)))
            case _:
                key = _key(source)
                if key not in written:
                    requests.append(op.Put(key, source.choice(VALUES)))
                    written.add(key)
    return tuple(requests)


_DRAWS: tuple[Callable[[random.Random, int], op.Operation], ...] = (
    _put,
    _range,
    _delete,
    _txn,
    lambda source, revision: op.Compact(max(0, revision + source.randint(-2, 1))),
    lambda source, _revision: op.LeaseGrant(source.choice((2, 60)), source.choice(LEASES)),
    lambda source, _revision: op.LeaseRevoke(source.choice(LEASES)),
    lambda source, _revision: op.LeaseKeepAlive(source.choice(LEASES)),
    lambda source, _revision: op.LeaseTimeToLive(source.choice(LEASES), keys=source.random() < 0.5),
    lambda _source, _revision: op.LeaseLeases(),
)
_WEIGHTS = (30, 25, 8, 15, 2, 6, 3, 1, 2, 1)


@dataclass(slots=True)
class _Pending:
    """A call under way."""

    client: int
    operation: op.Operation
    invoked: int
    result: Result | None = None
    gives_up: bool = False


@dataclass(slots=True)
class _Run:
    """A store in use."""

    state: State = field(default_factory=State)
    commits: list[Commit] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def advance(self, after: State) -> None:
        if after.revision > self.state.revision:
            self.commits.append(after.commits[-1])
        self.state = after


def draw(
    source: random.Random, *, calls: int, clients: int = 3, indefinite: float = 0.15, accounted: bool | None = None
) -> History:
    """A history of so many calls, which is linearizable. `accounted`: whether it has the store's account; drawn
    where it is None."""
    run, pending = _Run(), list[_Pending]()
    now, unit = 0, source.choice((1, 1, SECOND))
    issued = 0
    while issued < calls or pending:
        now += unit
        idle = [client for client in range(clients) if all(one.client != client for one in pending)]
        ready = [one for one in pending if one.result is None]
        done = [one for one in pending if one.result is not None or one.gives_up]
        moves = ["invoke"] * (issued < calls and bool(idle)) + ["run"] * bool(ready) + ["return"] * bool(done)
        if unit == SECOND and run.state.leases:
            moves.append("expire")
        match source.choice(moves):
            case "invoke":
                operation = draw_operation(source, run.state.revision)
                pending.append(_Pending(source.choice(idle), operation, now, gives_up=source.random() < indefinite))
                issued += 1
            case "run":
                one = source.choice(ready)
                after, one.result = step(run.state, one.operation)
                run.advance(after)
            case "return":
                one = source.choice(done)
                pending.remove(one)
                run.calls.append(_returned(source, one, now))
            case "expire":
                due = [
                    lease_id
                    for lease_id, lease in run.state.leases.items()
                    if _is_due([*run.calls, *pending], lease_id, lease.ttl, now)
                ]
                if due:
                    run.advance(expire(run.state, due[0]))
    if source.random() < 0.5:
        source.shuffle(run.calls)
    account = source.random() < 0.6 if accounted is None else accounted
    return History(
        run.calls,
        tuple(_watch(source, run, now) for _ in range(source.choices((0, 1, 2), weights=(5, 2, 1))[0])),
        _account(run, now) if account else None,
        min_lease_ttl=run.state.server.min_lease_ttl,
    )


def _is_due(calls: Sequence[Call | _Pending], lease_id: int, ttl: int, now: int) -> bool:
    """Whether a lease may expire: nobody asked for its grant or its renewal less than its TTL ago."""
    asked = [
        call.invoked
        for call in calls
        if isinstance(call.operation, op.LeaseGrant | op.LeaseKeepAlive) and call.operation.id == lease_id
    ]
    return bool(asked) and max(asked) + ttl * SECOND < now


def _returned(source: random.Random, one: _Pending, now: int) -> Call:
    result = one.result
    if one.gives_up or result is None:
        return Call(one.client, one.operation, one.invoked, source.choice((now, None)), Indefinite("UNAVAILABLE"))
    if isinstance(result, LeaseTimeToLiveResult) and result.ttl > 0:
        result = replace(result, ttl=source.randint(0, result.ttl))
    return Call(one.client, one.operation, one.invoked, now, result)


def events_of(commits: Sequence[Commit]) -> list[Event]:
    """The events of commits, as a watcher is sent them."""
    return [
        Event(0, event.kv)
        if isinstance(event, PutEvent)
        else Event(1, KeyValue(event.key, b"", 0, event.mod_revision, 0))
        for commit in commits
        for event in commit.events
    ]


def _account(run: _Run, now: int) -> Account:
    return Account(now + 1, run.state.revision, tuple(events_of(run.commits)))


def _watch(source: random.Random, run: _Run, now: int) -> Watch:
    """A watcher that was there from the beginning, and has read up to some revision."""
    key, range_end = source.choice(((b"a", b""), (b"a", b"c"), (b"\0", b"\0")))
    read = source.randint(1, run.state.revision)
    responses: list[WatchResponse] = []
    for commit in run.commits:
        events = tuple(
            event
            for event in events_of([commit])
            if (event.kv.key == key if not range_end else key <= event.kv.key and range_end in (b"\0", b"c"))
            and (range_end != b"c" or event.kv.key < b"c")
        )
        if events and commit.revision <= read:
            responses.append(WatchResponse(now + 1, commit.revision, events))
    if source.random() < 0.5:
        responses.append(WatchResponse(now + 2, read))
    return Watch(99, op.WatchCreate(key, range_end, start_revision=1), 0, 1, tuple(responses))
