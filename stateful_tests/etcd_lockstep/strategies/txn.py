"""The txn family: compares, both branches, nested txns."""

from __future__ import annotations

from collections.abc import Callable

from etcd_lockstep.strategies import kv
from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import Compare, CompareResult, CompareTarget, Range, RequestOp, Txn

_COMPARES = tuple((target, result) for target in CompareTarget for result in CompareResult)
_REQUESTS: tuple[Callable[[Dice, Vocabulary], RequestOp], ...] = (kv.put, kv.range_, kv.put, kv.delete_range)
MAX_TXN_OPS = 128
"""etcd's default of --max-txn-ops."""


def txn(dice: Dice, words: Vocabulary, depth: int = 0) -> Txn:
    """Often the shape that lock-like programs use, a put if a key is absent or unchanged; otherwise anything."""
    if words.plain:
        return Txn((_guard(dice, words),) if dice.pick((False, True)) else (), (kv.put(dice, words),))
    if words.hostile and dice.one_in(150):
        return _around_the_limit(dice, words)
    if dice.pick((False, False, True)):
        guard = _guard(dice, words)
        return Txn((guard,), (kv.put(dice, words),), _branch(dice, words, depth, at_most=1))
    compares = tuple(_compare(dice, words) for _ in range(dice.pick((0, 1, 1, 2, 3))))
    return Txn(compares, _branch(dice, words, depth, at_most=3), _branch(dice, words, depth, at_most=2))


def _guard(dice: Dice, words: Vocabulary) -> Compare:
    target = dice.pick((CompareTarget.CREATE, CompareTarget.VERSION, CompareTarget.MOD))
    return Compare(words.key(dice), target, CompareResult.EQUAL, 0)


def _compare(dice: Dice, words: Vocabulary) -> Compare:
    key = words.key(dice)
    target, result = dice.pick(_COMPARES)
    operand: int | bytes
    match target:
        case CompareTarget.VALUE:
            operand = words.value(dice)
        case CompareTarget.LEASE:
            operand = words.lease(dice) if dice.pick((True, False)) else 0
        case CompareTarget.VERSION:
            operand = dice.pick((0, 1, 2, -1))
        case _:
            operand = words.revision(dice) if dice.pick((True, False)) else 0
    return Compare(key, target, result, operand, words.range_end(dice, key) if dice.one_in(5) else b"")


def _branch(dice: Dice, words: Vocabulary, depth: int, at_most: int) -> tuple[RequestOp, ...]:
    return tuple(_request(dice, words, depth) for _ in range(dice.count(at_most)))


def _request(dice: Dice, words: Vocabulary, depth: int) -> RequestOp:
    if depth < 2 and dice.one_in(8):
        return txn(dice, words, depth + 1)
    return dice.pick(_REQUESTS)(dice, words)


def _around_the_limit(dice: Dice, words: Vocabulary) -> Txn:
    """As many operations as a txn may have, or one too many."""
    requests = (Range(dice.pick(words.keys)),) * (MAX_TXN_OPS + dice.count(1))
    return Txn(success=requests) if dice.pick((True, False)) else Txn(failure=requests)
