"""Small changes to a history, most of which no store could have caused: the oracle says which."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from etcd_lockstep.histories.history import BadHistory, Call, History, Indefinite, check_form
from etcd_lockstep.histories.placing import CHECKED
from etcd_lockstep.histories.proving.drawn import VALUES, draw_operation
from etcd_model import errors
from etcd_model.errors import Error
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    TxnResult,
)


def mutated(source: random.Random, history: History) -> History | None:
    """The history with one change; None where what was drawn can't be changed so."""
    try:
        changed = source.choice(_MUTATIONS)(source, history)
        check_form(changed)
    except (IndexError, BadHistory):
        return None
    return changed


def _with_call(history: History, index: int, call: Call) -> History:
    return replace(history, calls=[*history.calls[:index], call, *history.calls[index + 1 :]])


def _any_call(source: random.Random, history: History, *kinds: type) -> tuple[int, Call]:
    """Raises IndexError where no call was answered so."""
    return source.choice([(at, call) for at, call in enumerate(history.calls) if isinstance(call.outcome, kinds)])


_ANSWERED = (PutResult, RangeResult, DeleteRangeResult, TxnResult)


def _header(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, *_ANSWERED)
    result: Any = call.outcome
    revision = max(result.revision + source.choice((-2, -1, 1, 2)), 1)
    return _with_call(history, index, replace(call, outcome=replace(result, revision=revision)))


def _swapped_headers(source: random.Random, history: History) -> History:
    (one, first), (other, second) = (_any_call(source, history, *_ANSWERED) for _ in range(2))
    return _swapped(history, one, first, other, second)


def _swapped(history: History, one: int, first: Call, other: int, second: Call) -> History:
    a: Any = first.outcome
    b: Any = second.outcome
    history = _with_call(history, one, replace(first, outcome=replace(a, revision=b.revision)))
    return _with_call(history, other, replace(second, outcome=replace(b, revision=a.revision)))


def _swapped_answers(source: random.Random, history: History) -> History:
    (one, first), (other, second) = (_any_call(source, history, RangeResult) for _ in range(2))
    history = _with_call(history, one, replace(first, outcome=second.outcome))
    return _with_call(history, other, replace(second, outcome=first.outcome))


def _changed_kv(source: random.Random, kv: KeyValue) -> KeyValue:
    match source.randint(0, 3):
        case 0:
            return replace(kv, value=source.choice(VALUES))
        case 1:
            return replace(kv, mod_revision=max(1, kv.mod_revision + source.choice((-1, 1))))
        case 2:
            return replace(kv, version=kv.version + source.choice((-1, 1)))
        case _:
            return replace(kv, create_revision=max(1, kv.create_revision - 1))


def _read(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, RangeResult)
    result = call.outcome
    assert isinstance(result, RangeResult)
    if not result.kvs:
        kv = KeyValue(source.choice((b"a", b"b")), source.choice(VALUES), 2, 2, 1)
        return _with_call(history, index, replace(call, outcome=replace(result, kvs=(kv,), count=1)))
    if source.random() < 0.3:
        fewer = replace(result, kvs=result.kvs[1:], count=max(result.count - 1, 0))
        return _with_call(history, index, replace(call, outcome=fewer))
    at = source.randrange(len(result.kvs))
    kvs = (*result.kvs[:at], _changed_kv(source, result.kvs[at]), *result.kvs[at + 1 :])
    return _with_call(history, index, replace(call, outcome=replace(result, kvs=kvs)))


def _txn(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, TxnResult)
    result: Any = call.outcome
    return _with_call(history, index, replace(call, outcome=replace(result, succeeded=not result.succeeded)))


def _deleted(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, DeleteRangeResult)
    result: Any = call.outcome
    deleted = max(0, result.deleted + source.choice((-1, 1)))
    return _with_call(history, index, replace(call, outcome=replace(result, deleted=deleted)))


def _operation(source: random.Random, history: History) -> History:
    index, call = source.choice(list(enumerate(history.calls)))
    operation = draw_operation(source, 3)
    if type(operation) is not type(call.operation) and not isinstance(call.outcome, Indefinite):
        raise IndexError
    return _with_call(history, index, replace(call, operation=operation))


def _dropped_call(source: random.Random, history: History) -> History:
    index = source.randrange(len(history.calls))
    return replace(history, calls=[*history.calls[:index], *history.calls[index + 1 :]])


def _lost_outcome(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, *_ANSWERED, Error)
    return _with_call(history, index, replace(call, outcome=Indefinite("")))


def _moved(source: random.Random, history: History) -> History:
    index, call = source.choice(list(enumerate(history.calls)))
    if call.returned is None or source.random() < 0.5:
        return _with_call(history, index, replace(call, invoked=call.invoked + source.randint(-4, 4)))
    return _with_call(history, index, replace(call, returned=call.returned + source.randint(-4, 4)))


def _refusal(source: random.Random, history: History) -> History:
    index, call = source.choice(list(enumerate(history.calls)))
    refusals = (errors.LEASE_NOT_FOUND, errors.KEY_NOT_FOUND, errors.COMPACTED, errors.FUTURE_REVISION)
    if isinstance(call.outcome, Indefinite) or not isinstance(call.operation, CHECKED):
        raise IndexError
    return _with_call(history, index, replace(call, outcome=source.choice(refusals)))


def _time_to_live(source: random.Random, history: History) -> History:
    index, call = _any_call(source, history, LeaseTimeToLiveResult)
    result: Any = call.outcome
    changed = (
        replace(result, ttl=-1, granted_ttl=0, keys=()) if result.ttl >= 0 else replace(result, ttl=1, granted_ttl=60)
    )
    return _with_call(history, index, replace(call, outcome=changed))


def _account(source: random.Random, history: History) -> History:
    if history.account is None or not history.account.events:
        raise IndexError
    events = list(history.account.events)
    at = source.randrange(len(events))
    if source.random() < 0.5:
        del events[at]
    else:
        events[at] = replace(events[at], kv=_changed_kv(source, events[at].kv))
    return replace(history, account=replace(history.account, events=tuple(events)))


def _watch(source: random.Random, history: History) -> History:
    index, watch = source.choice([(at, watch) for at, watch in enumerate(history.watches) if watch.responses])
    responses = list(watch.responses)
    at = source.randrange(len(responses))
    match source.randint(0, 2):
        case 0:
            del responses[at]
        case 1:
            responses.insert(at, responses[at])
        case _:
            other = source.randrange(len(responses))
            responses[at], responses[other] = responses[other], responses[at]
    changed = replace(watch, responses=tuple(responses))
    return replace(history, watches=(*history.watches[:index], changed, *history.watches[index + 1 :]))


_MUTATIONS: Sequence[Callable[[random.Random, History], History]] = (
    _header,
    _swapped_headers,
    _swapped_answers,
    _read,
    _read,
    _txn,
    _deleted,
    _operation,
    _dropped_call,
    _lost_outcome,
    _moved,
    _refusal,
    _time_to_live,
    _account,
    _watch,
)
