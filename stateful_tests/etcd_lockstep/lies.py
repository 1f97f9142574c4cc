"""Lies: classes of divergences, and how one tells whether a divergence is a lie that is known already.

A lie is told by its *symptom* (whose answer, to which operation, which field, what kind of
difference) and by the *pattern* of its shortest trace: the operations, each with the options that
it uses. Both together are its fingerprint.

A target that lies goes on lying. So a divergence is held against the lies already found in that
target before it counts as a new one: it is *explained* by one of them if the trace contains that
lie's pattern, and the steps that match the pattern, run on their own, show the same symptom.
Running them is what keeps two lies apart that look alike: "the key survives its lease" has the
same symptom whether leases are attached in the wrong order or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice

from etcd_lockstep.comparison import Difference
from etcd_lockstep.names import operation_name
from etcd_lockstep.trace import LeaseOf, Symbol, Trace, subtrace, symbols
from etcd_model.operations import Compare, CompareTarget, Operation, Put, Txn
from etcd_model.ranges import FROM_KEY

_KV_FIELDS = frozenset({"create_revision", "mod_revision", "version", "lease", "value"})


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is seen of a lie."""

    target: str
    operation: str
    field: str
    kind: str

    def __str__(self) -> str:
        return f"{self.operation} {self.field} {self.kind}"

    @property
    def tells_all(self) -> bool:
        """Whether the symptom alone is the lie, whatever the trace: a field that is never filled, or a request
        that should have been refused and was not."""
        return self.operation == "*" or self.field in ("answer", "error", "responses")


def symptom(target: str, operation: Operation, difference: Difference) -> Symptom:
    """The symptom of one difference in the answer to an operation.

    A field that a target never fills is one lie, not one for each operation that carries it.
    """
    name = operation_name(type(operation))
    container, _, last = difference.field.rpartition(".")
    if difference.kind == "missing" and last == "revision":
        return Symptom(target, "*", "header.revision", "missing")
    if difference.kind == "missing" and last in _KV_FIELDS - {"value"} and container:
        return Symptom(target, "*", f"kv.{last}", "missing")
    return Symptom(target, name, difference.field, difference.kind)


@lru_cache(maxsize=4096)
def features(operation: Operation) -> frozenset[str]:
    """The options that an operation uses, and for a txn what is in it."""
    return frozenset(_features(operation))


def _features(operation: Operation | Compare) -> Iterator[str]:
    if isinstance(operation, Txn):
        for compare in operation.compare:
            yield from (f"compare.{feature}" for feature in _features(compare))
        for branch in ("success", "failure"):
            for request in getattr(operation, branch):
                name = f"{branch}.{operation_name(type(request))}"
                yield name
                yield from (f"{name}.{feature}" for feature in _features(request))
        return
    if isinstance(operation, Compare):
        yield CompareTarget(operation.target).name
        if operation.range_end:
            yield "range_end"
        return
    if isinstance(operation, Put) and not operation.lease:
        yield "no lease"
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name == "range_end" and value:
            yield "range_end"
            if value == FROM_KEY:
                yield "from_key"
        elif field.name not in ("key", "value", "ttl") and value:
            yield field.name


@dataclass(frozen=True, slots=True)
class Pattern:
    """The operations of a trace, each by its name and the features it uses."""

    steps: tuple[tuple[str, frozenset[str]], ...]

    def __str__(self) -> str:
        return ", ".join(map(_told, self.steps))


def _told(step: tuple[str, frozenset[str]]) -> str:
    name, used = step
    options = " ".join(sorted(option for option in used if not option.endswith("no lease")))
    return f"{name}({options})" if options else name


def pattern(trace: Trace) -> Pattern:
    """The pattern of a trace."""
    return Pattern(tuple((operation_name(type(operation)), features(operation)) for operation in trace))


@dataclass(frozen=True, slots=True)
class KnownLie:
    """A lie that was found, as the search remembers it."""

    symptom: Symptom
    trace: Trace

    @property
    def fingerprint(self) -> str:
        """Stable from run to run: the symptom, and the pattern of the shortest trace."""
        return f"{self.symptom} after {pattern(self.trace)}"


Shows = Callable[[Trace, Symptom], bool]
"""Whether a trace, run on its own, shows a symptom at its last step."""

ENOUGH_OPTIONS = 3
"""How many lies that differ only in their options are told apart."""

_EMBEDDINGS_LOOKED_AT = 64
_EMBEDDINGS_RUN = 12
"""How many ways of finding a pattern in a trace are tried before it counts as not there."""


class KnownLies:
    """The lies found so far in a run."""

    def __init__(self, shows: Shows) -> None:
        self._shows = shows
        self._lies: dict[Symptom, list[KnownLie]] = {}

    def add(self, lie: KnownLie) -> None:
        self._lies.setdefault(lie.symptom, []).append(lie)

    def explain(self, trace: Trace, found: Symptom) -> bool:
        """Whether a symptom at the last step of a trace is that of a lie already found."""
        lies = self._lies.get(found, ())
        if lies and found.tells_all:
            return True
        return any(self._shown_by_part(lie, trace) for lie in lies)

    def is_one_of_many(self, found: Symptom, trace: Trace) -> bool:
        """Whether so many lies already differ from this one in options alone that any option must be taken for a
        cause: told one by one, they would fill pages."""
        bare = _bare(trace)
        alike = {pattern(lie.trace) for lie in self._lies.get(found, ()) if _bare(lie.trace) == bare}
        return pattern(trace) not in alike and len(alike) >= ENOUGH_OPTIONS

    def _shown_by_part(self, lie: KnownLie, trace: Trace) -> bool:
        embeddings = islice(_embeddings(lie.trace, trace), _EMBEDDINGS_LOOKED_AT)
        parts = (kept for kept in embeddings if _leases_agree(lie.trace, trace, kept))
        return any(
            len(kept) == len(trace) or self._shows(subtrace(trace, kept), lie.symptom)
            for kept in islice(parts, _EMBEDDINGS_RUN)
        )


def _bare(trace: Trace) -> tuple[tuple[str, bool, bool], ...]:
    """The operations without their options: only whether there are any, and whether a lease is among them."""
    return tuple(
        (
            operation_name(type(operation)),
            bool(features(operation) - {"no lease"}),
            any(map(_is_lease, symbols(operation))),
        )
        for operation in trace
    )


def _is_lease(symbol: Symbol) -> bool:
    return isinstance(symbol, LeaseOf)


def _embeddings(small: Trace, large: Trace) -> Iterator[tuple[int, ...]]:
    """The ways to find the steps of `small`, in order, among those of `large`, the latest first: the last step
    is the last step, and every operation uses at least the same features."""
    earliest: list[int] = []
    for operation in small[:-1]:
        start = earliest[-1] + 1 if earliest else 0
        index = next((i for i in range(start, len(large) - 1) if _matches(operation, large[i])), None)
        if index is None:
            return
        earliest.append(index)
    if not _matches(small[-1], large[-1]):
        return

    def extend(position: int, before: int, later: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if position < 0:
            yield later
            return
        for index in range(before - 1, earliest[position] - 1, -1):
            if _matches(small[position], large[index]):
                yield from extend(position - 1, index, (index, *later))

    yield from extend(len(small) - 2, len(large) - 1, (len(large) - 1,))


def _matches(small: Operation, large: Operation) -> bool:
    """An operation may also be found inside a txn."""
    if type(small) is type(large):
        return features(small) <= features(large)
    return isinstance(large, Txn) and any(_matches(small, request) for request in (*large.success, *large.failure))


def _leases_agree(small: Trace, large: Trace, kept: Sequence[int]) -> bool:
    """Whether what refers to the lease of one step in `small` does so in `large`."""
    for step, index in enumerate(kept):
        wanted = [symbol.step for symbol in symbols(small[step]) if isinstance(symbol, LeaseOf)]
        there = {symbol.step for symbol in symbols(large[index]) if isinstance(symbol, LeaseOf)}
        if any(kept[granted - 1] + 1 not in there for granted in wanted):
            return False
    return True
