"""What a search knows already: whether a divergence is explained by findings made before.

A target that differs from etcd goes on differing. So before a divergence counts as new, it is compared with
the findings made in that target: it is *explained* by one of them if its trace contains that finding's
pattern, and the steps that match the pattern, run on their own, show the same failure signature, and go on
showing it while what they have beside the pattern is left out one by one. Running them is what keeps two
findings apart that look alike: "the key survives its lease" has the same signature whether leases are
attached in the wrong order or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from etcd_lockstep.names import name_of
from etcd_lockstep.searching.findings import (
    Signature,
    compares_a_range,
    features,
    fingerprint,
    number_of_features,
    pattern,
)
from etcd_lockstep.searching.options import one_less
from etcd_lockstep.trace import LeaseOf, MemberOf, Symbol, TokenOf, Trace, bare, keys_of, subtrace, symbols
from etcd_model.operations import Advance, LeaseRevoke, Operation, Txn


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A lie that was found, as the search remembers it."""

    signature: Signature
    trace: Trace

    @property
    def fingerprint(self) -> str:
        """Stable from run to run: the signature, and the pattern of the shortest trace."""
        return fingerprint(self.signature, self.trace)


Shows = Callable[[Trace, Signature], bool]
"""Whether a trace, run on its own, shows a signature at its last step."""

ENOUGH_OPTIONS = 3
"""How many findings that differ only in their options are kept apart."""

_REASONS_TAKEN_OUT = 4
"""How many steps of known lies are taken out of a trace before it counts as explained."""

_OTHER_NUMBER = {"missing": "too low", "too low": "missing", "unexpected": "too high", "too high": "unexpected"}
"""Kinds of difference that a wrong number has: with zero in one of the two places, and without."""

_LEFT_OUT = 16
"""Up to how many options are left out one by one, to see whether they matter to a known lie."""

_EMBEDDINGS = 16
"""How many ways of finding a pattern in a trace are looked at before it counts as not there."""


class KnownFindings:
    """The lies found so far in a run."""

    def __init__(self, shows: Shows) -> None:
        self._shows = shows
        self._findings: dict[Signature, list[KnownFinding]] = {}

    def add(self, finding: KnownFinding) -> None:
        self._findings.setdefault(finding.signature, []).append(finding)

    def has(self, finding: KnownFinding) -> bool:
        """Whether a lie with the same fingerprint is known."""
        return any(known.fingerprint == finding.fingerprint for known in self._findings.get(finding.signature, ()))

    def explain(self, trace: Trace, found: Signature, *, thorough: bool = False) -> KnownFinding | None:
        """The lie that is the reason for a signature at the last step of a trace; None where it isn't known.

        `thorough` looks at more ways of finding a lie in the trace; a short trace is worth it.
        Where a plain read shows that the store is wrong, a known lie in the trace is not yet the reason: the step
        that does it is taken out, and if the store is still wrong, the rest is looked at in its turn.
        """
        findings = self._findings.get(found, ())
        if findings and found.stands_alone:
            return findings[0]
        first: KnownFinding | None = None
        for _ in range(_REASONS_TAKEN_OUT):
            parts = ((finding, self._part(finding, trace, thorough=thorough)) for finding in findings)
            finding, part = next((found for found in parts if found[1] is not None), (None, None))
            if part is None:
                return None
            first = first or finding
            lighter = None if features(trace[-1]) else self._without_one(trace, part, found)
            if lighter is None:
                return first
            trace = lighter
        return first

    def _without_one(self, trace: Trace, part: Sequence[int], found: Signature) -> Trace | None:
        """The trace without one of these steps that it doesn't need to show the signature."""
        for index in part[:-1]:
            lighter = subtrace(trace, [kept for kept in range(len(trace)) if kept != index])
            if self._shows(lighter, found):
                return lighter
        return None

    def is_one_of_many(self, found: Signature, trace: Trace) -> bool:
        """Whether so many lies already differ from this one in options alone that any option must be taken for a
        cause: reported one by one, they would fill pages."""
        bare = _bare(trace)
        alike = {pattern(finding.trace) for finding in self._findings.get(found, ()) if _bare(finding.trace) == bare}
        return pattern(trace) not in alike and len(alike) >= ENOUGH_OPTIONS

    def is_another_number(self, found: Signature, trace: Trace) -> bool:
        """Whether a lie with the same pattern has the same number too low, or too high, and only one of the two
        numbers is zero, which reads as an absent field: a TTL that is granted as it was asked for, be it 0 or -1."""
        alike = replace(found, kind=_OTHER_NUMBER.get(found.kind, ""))
        return any(pattern(known.trace) == pattern(trace) for known in self._findings.get(alike, ()))

    def is_another_field(self, found: Signature, trace: Trace) -> bool:
        """Whether a field of a key-value is wrong in an answer that is known to bring the wrong key-values.

        So it is where the last step has options: those make the answer another one. A simple read shows the store.
        """
        used = features(trace[-1])
        if not used or "." not in found.field or not found.field.startswith("kv"):
            return False
        return any(
            type(bare(finding.trace[-1])) is type(bare(trace[-1])) and features(finding.trace[-1]) == used
            for known, findings in self._findings.items()
            if known.target == found.target and known.field.startswith("kv")
            for finding in findings
        )

    def _part(self, finding: KnownFinding, trace: Trace, *, thorough: bool) -> tuple[int, ...] | None:
        """Steps of the trace that match a lie's pattern, and show its signature on their own."""
        embeddings = islice(_embeddings(finding.trace, trace), 10 * _EMBEDDINGS if thorough else _EMBEDDINGS)
        for matching in embeddings:
            if _leases_agree(finding.trace, trace, matching):
                kept = _with_grants(trace, matching)
                part = subtrace(trace, kept)
                places = [kept.index(index) for index in matching]
                is_seen = len(kept) == len(trace)
                if (is_seen or self._shows(part, finding.signature)) and self._leads_to(finding, part, places):
                    return kept
        return None

    def _leads_to(self, finding: KnownFinding, part: Trace, places: Sequence[int]) -> bool:
        """Whether what steps at these places have beside a lie's own can be left out one by one, and what is left shows
        the lie all the while.

        Else the part has another reason to show it: in a store that counts a revision for each put of a txn, and one
        for a txn that does nothing, two puts lead to no put by way of one put, in which nothing is wrong.
        """
        of_lie = _number_of_features(finding.trace)
        while 0 < _number_of_features(part[place] for place in places) - of_lie <= _LEFT_OUT:
            lighter = _with_less(part, places, finding.trace)
            shown = next((one for one in lighter if self._shows(one, finding.signature)), None)
            if shown is None:
                return False
            part = shown
        return True


def _bare(trace: Trace) -> tuple[tuple[str, bool, bool, bool], ...]:
    """The operations without their options: only whether there are any, whether a lease is among them, and whether
    ranges are compared."""
    return tuple(
        (
            name_of(operation),
            bool(features(operation) - {"no lease"}),
            any(map(_is_lease, symbols(operation))),
            compares_a_range(operation),
        )
        for operation in trace
    )


def _is_lease(symbol: Symbol) -> bool:
    return isinstance(symbol, LeaseOf)


def _embeddings(small: Trace, large: Trace) -> Iterator[tuple[int, ...]]:
    """The ways to find the steps of `small`, in order, among those of `large`, the latest first: the last step
    is the last step, and every operation uses at least the same features."""
    wanted = _wanted(small)
    earliest: list[int] = []
    for step in wanted[:-1]:
        start = earliest[-1] + 1 if earliest else 0
        index = next((i for i in range(start, len(large) - 1) if _matches(*step, large[i])), None)
        if index is None:
            return
        earliest.append(index)
    if not _matches(*wanted[-1], large[-1]):
        return

    def extend(position: int, before: int, later: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if position < 0:
            yield later
            return
        for index in range(before - 1, earliest[position] - 1, -1):
            if _matches(*wanted[position], large[index]):
                yield from extend(position - 1, index, (index, *later))

    yield from extend(len(small) - 2, len(large) - 1, (len(large) - 1,))


def _wanted(trace: Trace) -> list[tuple[type[Operation], frozenset[str]]]:
    """What steps have to match those of a trace: the operations, with their features. That a put has no lease is one
    only where a lease is revoked, or may expire."""
    exact = any(isinstance(bare(operation), LeaseRevoke | Advance) for operation in trace)
    return [
        (type(bare(operation)), frozenset(f for f in features(operation) if exact or not f.endswith("no lease")))
        for operation in trace
    ]


def _number_of_features(operations: Iterable[Operation]) -> int:
    return sum(number_of_features(bare(operation)) for operation in operations)


def _with_less(trace: Trace, places: Sequence[int], small: Trace) -> Iterator[Trace]:
    """The trace with a feature less in one of the steps at these places, all of which go on matching `small`."""
    keys = keys_of(trace)
    for wanted, place in zip(_wanted(small), places, strict=True):
        for less in one_less(trace[place], keys):
            if _matches(*wanted, less):
                yield (*trace[:place], less, *trace[place + 1 :])


def _matches(kind: type[Operation], wanted: frozenset[str], operation: Operation) -> bool:
    """An operation may also be found inside a txn, and in a request with a token."""
    inner = bare(operation)
    if type(inner) is kind:
        return wanted <= features(operation)
    return isinstance(inner, Txn) and any(
        _matches(kind, wanted, request) for request in (*inner.success, *inner.failure)
    )


def _with_grants(trace: Trace, kept: Sequence[int]) -> tuple[int, ...]:
    """The steps, and those that made the leases, the tokens and the members they name."""
    made = {symbol.step - 1 for index in kept for symbol in _made(trace[index])}
    return tuple(sorted({*kept, *made}))


def _made(operation: Operation) -> list[LeaseOf | TokenOf | MemberOf]:
    """What an operation names that a step before made."""
    return [symbol for symbol in symbols(operation) if isinstance(symbol, LeaseOf | TokenOf | MemberOf)]


def _leases_agree(small: Trace, large: Trace, kept: Sequence[int]) -> bool:
    """Whether what refers to the lease or the token of one step in `small` does so in `large`."""
    for step, index in enumerate(kept):
        there = {(type(symbol), symbol.step) for symbol in _made(large[index])}
        if any((type(wanted), kept[wanted.step - 1] + 1) not in there for wanted in _made(small[step])):
            return False
    return True
