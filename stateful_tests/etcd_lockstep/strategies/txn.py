"""The txn family: compares, both branches, nested txns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_lockstep.strategies import kv
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.shapes import client_txn
from etcd_lockstep.trace import UNKNOWN_LEASE
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, RequestOp, Txn
from etcd_model.ranges import FROM_KEY

_COMPARES = tuple((target, result) for target in CompareTarget for result in CompareResult)
_REQUESTS: tuple[Callable[[ChoiceDecoder, GeneratorState], RequestOp], ...] = (
    kv.put,
    kv.range_,
    kv.put,
    kv.delete_range,
)
MAX_TXN_OPS = 128
"""etcd's default of --max-txn-ops."""


def txn(choices: ChoiceDecoder, state: GeneratorState, depth: int = 0) -> Txn:
    """Often the shape that lock-like programs use, a put if a key is absent or unchanged; otherwise anything."""
    if state.defaults_only:
        return Txn((_guard(choices, state),) if choices.pick((False, True)) else (), (kv.put(choices, state),))
    if state.invalid_inputs and choices.one_in(150):
        return _around_the_limit(choices, state)
    if state.invalid_inputs and choices.one_in(60):
        return _refused_late(choices, state)
    if depth == 0 and (choices.one_in(3) or (state.txns and choices.pick((True, True, False)))):
        return client_txn(choices, state)
    if choices.one_in(5):
        return _several_writes(choices, state)
    if choices.pick((False, False, True)):
        guard = _guard(choices, state)
        return Txn((guard,), (kv.put(choices, state),), _branch(choices, state, depth, at_most=1))
    compares = tuple(_compare(choices, state) for _ in range(choices.pick((0, 1, 1, 2, 3))))
    return Txn(compares, _branch(choices, state, depth, at_most=3), _branch(choices, state, depth, at_most=2))


def compare_and_swap(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """What locks and Kubernetes' storage do: create a key if it is absent, or update or delete it if it is as it was
    read; else read it."""
    key = state.key_to_read(choices)
    guard = choices.pick((0, 0, state.revision(choices)))
    compare = Compare(key, CompareTarget.MOD, CompareResult.EQUAL, guard)
    change = DeleteRange(key) if guard and choices.one_in(3) else kv.put_value(choices, state)
    return Txn((compare,), (replace(change, key=key),), (Range(key),) if choices.pick((True, False)) else ())


def _guard(choices: ChoiceDecoder, state: GeneratorState) -> Compare:
    target = choices.pick((CompareTarget.CREATE, CompareTarget.VERSION, CompareTarget.MOD))
    return Compare(state.key(choices), target, CompareResult.EQUAL, 0)


def _compare(choices: ChoiceDecoder, state: GeneratorState) -> Compare:
    target, result = choices.pick(_COMPARES)
    if state.compares_values and choices.pick((True, False)):
        target = CompareTarget.VALUE
    if choices.one_in(3):
        key = state.new_key(choices)
    else:
        key = state.key_to_read(choices) if target == CompareTarget.VALUE else state.key(choices)
    operand: int | bytes
    match target:
        case CompareTarget.VALUE:
            operand = state.value_to_compare(choices, key)
        case CompareTarget.LEASE:
            operand = state.lease(choices) if choices.pick((True, False)) else 0
        case CompareTarget.VERSION:
            operand = choices.pick((0, 1, 2, -1))
        case _:
            operand = state.revision(choices) if choices.pick((True, False)) else 0
    return Compare(key, target, result, operand, state.range_end(choices, key) if choices.one_in(5) else b"")


def put_new_key(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """A put of a key that is not there, alone in a txn."""
    return Txn(success=(kv.put_new_key(choices, state),))


def _branch(choices: ChoiceDecoder, state: GeneratorState, depth: int, at_most: int) -> tuple[RequestOp, ...]:
    """Some requests; sometimes the last one is about the key of the first, mostly so that not both write it: that is
    refused, in a txn of its own too."""
    branch = [_request(choices, state, depth) for _ in range(choices.count(at_most))]
    if len(branch) > 1 and choices.one_in(3):
        first, last = branch[0], branch[-1]
        if isinstance(first, Put) and isinstance(last, Txn):
            again = (replace(kv.put_value(choices, state), key=first.key),)
            branch[-1] = replace(last, success=again) if choices.pick((True, False)) else replace(last, failure=again)
        elif not isinstance(first, Txn) and not isinstance(last, Txn):
            reads = isinstance(first, Range) or isinstance(last, Range)
            branch[-1] = replace(last, key=first.key) if reads or choices.one_in(3) else Range(first.key)
    return tuple(branch)


def _request(choices: ChoiceDecoder, state: GeneratorState, depth: int) -> RequestOp:
    if depth < 2 and choices.one_in(8):
        return txn(choices, state, depth + 1)
    return choices.pick(_REQUESTS)(choices, state)


def _several_writes(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """Two keys or three, written in one revision, in any order."""
    if choices.one_in(4):
        return _deleted_and_put(choices, state)
    left = list(state.keys)
    writes: list[RequestOp] = []
    for _ in range(min(2 + choices.count(1), len(left))):
        key = choices.pick(left)
        left.remove(key)
        writes.append(DeleteRange(key) if choices.one_in(4) else replace(kv.put_value(choices, state), key=key))
    return Txn(success=tuple(writes))


def _deleted_and_put(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """A key that is mostly there is deleted and put again, or put and deleted, in one revision: by a range without an
    end, with which no put is compared."""
    put = replace(kv.put_value(choices, state), key=state.key_to_delete(choices))
    deletion = DeleteRange(put.key, FROM_KEY)
    return Txn(success=(deletion, put) if choices.pick((True, False)) else (put, deletion))


def _around_the_limit(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """As many operations as a txn may have, or one too many."""
    requests = (Range(choices.pick(state.keys)),) * (MAX_TXN_OPS + choices.count(1))
    return Txn(success=requests) if choices.pick((True, False)) else Txn(failure=requests)


def _refused_late(choices: ChoiceDecoder, state: GeneratorState) -> Txn:
    """Refused for what comes last, when a store that does not look ahead has written the rest: nothing may be left."""
    written = (kv.put_value(choices, state), *_branch(choices, state, depth=2, at_most=1))
    refused = Put(choices.pick(state.keys), b"", UNKNOWN_LEASE)
    return Txn(success=(*written, refused))
