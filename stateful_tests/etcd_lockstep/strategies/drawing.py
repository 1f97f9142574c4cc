"""Hypothesis strategies for users' own `@given`: keys, values, operations, and traces.

They draw what the state machine and the command line draw, from the same generators. Hypothesis draws each choice by
itself here, not one number an operation: that is slower, and shrinks as its users expect.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import ALIKE, KEYS, LONG_VALUES, NUMBERS, VALUES, GeneratorState
from etcd_lockstep.strategies.operation_table import DRAWS, FAMILIES
from etcd_lockstep.trace import Trace, symbols
from etcd_model.operations import Operation

T = TypeVar("T")

BASIC_FAMILIES = ("kv", "txn", "lease", "compact")
"""The KV and the Lease service."""


def keys() -> st.SearchStrategy[bytes]:
    """A few keys, so that operations meet: prefixes of each other and one byte apart, so that ranges have edges.

    >>> from hypothesis import find
    >>> find(keys(), lambda key: len(key) > 1)
    b'ab'
    """
    return st.sampled_from(KEYS)


def values() -> st.SearchStrategy[bytes]:
    """A few values, among them the empty one, a zero byte, numbers, some that are nearly the same, and long ones."""
    return st.sampled_from(list(dict.fromkeys((*VALUES, *NUMBERS, *ALIKE, *LONG_VALUES))))


def operations(
    families: Collection[str] = BASIC_FAMILIES, *, keys: Sequence[bytes] = KEYS, invalid_inputs: bool = False
) -> st.SearchStrategy[Operation]:
    """One operation of the families, complete by itself: it refers to no other operation.

    `invalid_inputs`: whether requests may be ones that etcd refuses for their form, such as one with an empty key.
    Raises ValueError for a family that doesn't exist.

    >>> from etcd_model import operations as op
    >>> from hypothesis import find
    >>> find(operations(["kv"]), lambda operation: isinstance(operation, op.Put) and operation.key == b"ab")
    Put(key=b'ab', value=b'1', lease=0, prev_kv=False, ignore_value=False, ignore_lease=False)
    """
    by_family = _by_family(families)

    @st.composite
    def operation(draw: st.DrawFn) -> Operation:
        return _drawn(_Choices(draw), by_family, GeneratorState(keys, invalid_inputs=invalid_inputs))

    return operation().filter(lambda drawn: not symbols(drawn))


def traces(
    families: Collection[str] = BASIC_FAMILIES,
    *,
    keys: Sequence[bytes] = KEYS,
    invalid_inputs: bool = False,
    min_steps: int = 0,
    max_steps: int = 20,
) -> st.SearchStrategy[Trace]:
    """Sequences of operations on a store that is empty at first, as tuples.

    What an earlier step brings is a symbol in a later one: `LeaseOf(2)` is the lease that step 2 granted,
    `RevisionAt(3)` the revision after step 3. `etcd_lockstep.assert_trace_matches` runs a trace on a target. Arguments
    and errors as for `operations`.

    >>> from hypothesis import find
    >>> find(traces(["kv", "lease"], max_steps=4), lambda trace: any(getattr(one, "lease", 0) for one in trace))
    (LeaseGrant(ttl=60, id=0), Put(key=b'a', value=b'1', lease=LeaseOf(1), prev_kv=False, ignore_value=False, \
ignore_lease=False))
    """
    by_family = _by_family(families)

    @st.composite
    def trace(draw: st.DrawFn) -> Trace:
        state = GeneratorState(keys, invalid_inputs=invalid_inputs)

        @st.composite
        def step(draw: st.DrawFn) -> tuple[Operation, int]:
            return _drawn(_Choices(draw), by_family, state), draw(st.integers(0, 31))

        def follow(step: tuple[Operation, int]) -> Operation:
            state.follow(step[0])
            return step[0]

        # Hypothesis deletes what a filter has rejected, however many choices it was: this is how steps are taken out.
        steps = step().filter(lambda step: step[1] > 0).map(follow)
        return tuple(draw(st.lists(steps, min_size=min_steps, max_size=max_steps)))

    return trace()


class _Choices(ChoiceDecoder):
    """Choices that Hypothesis draws one by one."""

    __slots__ = ("_draw",)

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(b"")
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        # One choice, be there but one option: if what an earlier step brings changed how many there are, Hypothesis
        # could not take that step out.
        return options[min(self._draw(st.integers(0, max(len(options) - 1, 1))), len(options) - 1)]

    def one_in(self, n: int) -> bool:
        return self._draw(st.integers(0, n - 1)) == n - 1

    def count(self, at_most: int) -> int:
        return self._draw(st.integers(0, at_most))


def _by_family(families: Collection[str]) -> list[tuple[str, ...]]:
    if isinstance(families, str) or not families:
        raise ValueError(f"families are a list of some of {', '.join(FAMILIES)}, not {families!r}")
    unknown = sorted(set(families) - FAMILIES.keys())
    if unknown:
        raise ValueError(f"no family is called {unknown[0]!r}: there are {', '.join(FAMILIES)}")
    return [FAMILIES[family] for family in FAMILIES if family in families]


def _drawn(choices: ChoiceDecoder, by_family: Sequence[Sequence[str]], state: GeneratorState) -> Operation:
    return DRAWS[choices.pick(choices.pick(by_family))](choices, state)
