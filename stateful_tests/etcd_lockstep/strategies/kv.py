"""The kv family: Range, Put, DeleteRange; and Compact, a family of its own."""

from __future__ import annotations

from typing import Any

from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import Compact, DeleteRange, Put, Range, SortOrder, SortTarget

_SORTS = tuple((order, target) for order in (*SortOrder, 3) for target in SortTarget)
_FLAGS = ("serializable", "keys_only", "count_only")
_FILTERS = ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")
_LIMITS = (1, 2, 1, 3, -1, 2**63 - 1)


def range_(dice: Dice, words: Vocabulary) -> Range:
    """Plain, or with any of a range's options, alone and together."""
    key = words.key_to_read(dice)
    if words.plain or dice.one_in(4):
        return Range(key)
    options: dict[str, Any] = {}
    if dice.pick((False, True)):
        options["range_end"] = words.range_end(dice, key)
    for _ in range(dice.pick((0, 0, 1, 1, 2, 3))):
        match dice.pick(("limit", "sort", "revision", "flag", "filter", "sort")):
            case "limit":
                options["limit"] = dice.pick(_LIMITS)
            case "sort":
                options["sort_order"], options["sort_target"] = dice.pick(_SORTS)
            case "revision":
                options["revision"] = words.revision(dice)
            case "flag":
                options[dice.pick(_FLAGS)] = True
            case "filter":
                options[dice.pick(_FILTERS)] = words.revision(dice)
    return Range(key, **options)


def put(dice: Dice, words: Vocabulary) -> Put:
    """With a lease or without, keeping the value or the lease or neither; sometimes with both, which is refused."""
    key = words.key(dice)
    if words.plain:
        return Put(key, words.value(dice), 0 if dice.one_in(4) else words.lease(dice))
    ignore_value, ignore_lease = dice.pick(((False, False),) * 5 + ((True, False), (False, True), (True, True)))
    lease = words.lease(dice) if dice.pick((False, True)) else 0
    value = words.value(dice)
    if ignore_value and not (words.hostile and dice.one_in(6)):
        value = b""
    if ignore_lease and not (words.hostile and dice.one_in(6)):
        lease = 0
    return Put(key, value, lease, dice.one_in(3), ignore_value, ignore_lease)


def delete_range(dice: Dice, words: Vocabulary) -> DeleteRange:
    """One key mostly, or any range."""
    key = words.key(dice)
    if words.plain:
        return DeleteRange(key)
    range_end = words.range_end(dice, key) if dice.one_in(3) else b""
    return DeleteRange(key, range_end, dice.one_in(3))


def compact(dice: Dice, words: Vocabulary) -> Compact:
    """At a revision that may be compacted already, current, or yet to come."""
    return Compact(words.revision(dice), dice.pick((False, True)))
