"""The kv family: Range, Put, DeleteRange; and RangeStream and Compact, each a family of its own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import LONG_RANGE, LONG_RANGE_END, GeneratorState
from etcd_lockstep.trace import RevisionAt
from etcd_model.operations import (
    Compact,
    DeleteRange,
    Operation,
    Put,
    Range,
    RangeStream,
    SortOrder,
    SortTarget,
    Txn,
)

_SORTS = tuple((order, target) for order in (*SortOrder, 3) for target in SortTarget)
_FLAGS = ("serializable", "keys_only", "count_only")
_FILTERS = ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")
_LIMITS = (1, 2, 1, 3, -1, 2**63 - 1)


def range_(choices: ChoiceDecoder, state: GeneratorState) -> Range:
    """Plain, or with any of a range's options, alone and together."""
    if state.defaults_only or choices.one_in(4):
        return Range(state.key_to_read(choices))
    options: dict[str, Any] = {}
    if choices.pick((True, False, True)):
        key = state.first_key(choices)
        options["range_end"] = state.range_end(choices, key)
    else:
        key = state.key_to_read(choices)
    for _ in range(choices.pick((0, 0, 1, 1, 2, 3))):
        match choices.pick(("limit", "sort", "revision", "flag", "filter", "limit", "sort")):
            case "limit":
                options["limit"] = choices.pick(_LIMITS)
            case "sort":
                options["sort_order"], options["sort_target"] = choices.pick(_SORTS)
                if choices.one_in(3):
                    options["limit"] = choices.pick((1, 2))  # as clients ask for the first or the last key
            case "revision":
                options["revision"] = state.revision(choices)
            case "flag":
                options[choices.pick(_FLAGS)] = True
            case "filter":
                options[choices.pick(_FILTERS)] = state.revision(choices)
    return Range(key, **options)


_LONG_LIMITS = (0, 0, 10, 11, 30, 31)
"""Around the ends of the chunks of a RangeStream, of which the first has ten keys, and each after it twice as many."""


def range_stream(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    """What a range may ask for, mostly without what a stream refuses: sort orders and filters. Sometimes of so many
    keys that they take several chunks, after a txn that puts these."""
    if choices.one_in(3) and (state.is_long_there or state.may_draw(Txn)):
        if not state.is_long_there:
            return Txn(success=tuple(map(Put, LONG_RANGE, _shuffled(choices))))
        sort_target = choices.pick((SortTarget.VALUE, SortTarget.VALUE, SortTarget.KEY))  # of the others, all are equal
        limit, keys_only = choices.pick(_LONG_LIMITS), choices.one_in(4)
        return RangeStream(LONG_RANGE[0], LONG_RANGE_END, limit=limit, sort_target=sort_target, keys_only=keys_only)
    asked = range_(choices, state)
    options = {field.name: getattr(asked, field.name) for field in fields(asked)}
    if not choices.one_in(4):
        for name in ("sort_order", *_FILTERS):
            del options[name]
    if state.compacted and choices.one_in(6):
        options["revision"] = RevisionAt(choices.pick(state.compacted[-2:]).step, -1)
    return RangeStream(**options)


def _shuffled(choices: ChoiceDecoder) -> list[bytes]:
    """As many values as a long range has keys, no two of them equal, in an order that is not that of the keys."""
    count, first = len(LONG_RANGE), choices.count(len(LONG_RANGE) - 1)
    return [b"%d" % (10 + (first + 7 * place) % count) for place in range(count)]


def put(choices: ChoiceDecoder, state: GeneratorState) -> Put:
    """With a lease or without, keeping the value or the lease or neither; sometimes with both, which is refused."""
    key = state.key(choices)
    if state.defaults_only:
        return Put(key, state.value(choices), 0 if choices.one_in(4) else state.lease_for(choices, key))
    ignore_value, ignore_lease = choices.pick(((False, False),) * 5 + ((True, False), (False, True), (True, True)))
    lease = state.lease_for(choices, key) if choices.pick((False, True)) else 0
    value = state.value(choices)
    if ignore_value and not (state.invalid_inputs and choices.one_in(6)):
        value = b""
    if ignore_lease and not (state.invalid_inputs and choices.one_in(6)):
        lease = 0
    return Put(key, value, lease, choices.one_in(3), ignore_value, ignore_lease)


def put_value(choices: ChoiceDecoder, state: GeneratorState) -> Put:
    """A key and a value, and no options."""
    return Put(state.key(choices), state.value(choices))


def put_new_key(choices: ChoiceDecoder, state: GeneratorState) -> Put:
    """A key that is not there, with a lease or without."""
    return Put(state.new_key(choices), state.value(choices), state.lease(choices) if choices.pick((False, True)) else 0)


def put_with_lease(choices: ChoiceDecoder, state: GeneratorState) -> Put:
    """With a lease, where there is one."""
    key = choices.pick(state.keys)
    return Put(key, state.value(choices), state.lease_for(choices, key))


def get_key(choices: ChoiceDecoder, state: GeneratorState) -> Range:
    """One key, and no options."""
    return Range(state.key_to_read(choices))


def delete_range(choices: ChoiceDecoder, state: GeneratorState) -> DeleteRange:
    """One key mostly, or any range."""
    if state.defaults_only or not choices.one_in(3):
        return DeleteRange(state.key_to_delete(choices), prev_kv=not state.defaults_only and choices.one_in(3))
    key = state.first_key(choices)
    return DeleteRange(key, state.range_end(choices, key), choices.one_in(3))


def compact(choices: ChoiceDecoder, state: GeneratorState) -> Compact:
    """At a revision that may be compacted already, current, or yet to come."""
    return Compact(state.revision_to_compact(choices), choices.pick((False, True)))
