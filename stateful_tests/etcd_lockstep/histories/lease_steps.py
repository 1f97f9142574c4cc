"""What is known of leases, and the steps of the search for an order of the calls on them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

State: TypeAlias = Mapping[int, int]
"""The granted TTL of each lease that there is."""

ANY_TTL = -1
"""Of a lease that an indefinite call granted: the server's least TTL may be more than what was asked for."""


@dataclass(slots=True)
class LeaseFacts:
    """What the sweep finds out of leases, for `leases`."""

    used: list[tuple[int, int, int]] = field(default_factory=list)
    """Lease, revision and call of each put with one that was carried out; -1 where no call is known."""
    ended: list[tuple[int, int, int, bool]] = field(default_factory=list)
    """Lease, revision, call (-1: it expired) of each end that deleted keys, and whether it is certain."""


def key_of(state: State) -> Hashable:
    return frozenset(state.items())


def begin(lease_id: int, ttl: int) -> Callable[[State], State | None]:
    return lambda state: None if lease_id in state else {**state, lease_id: ttl}


def end(lease_id: int) -> Callable[[State], State | None]:
    return lambda state: {held: ttl for held, ttl in state.items() if held != lease_id} if lease_id in state else None


def has(lease_id: int, ttl: int | None) -> Callable[[State], State | None]:
    """Whether there is such a lease, with this TTL; with None, that there is none."""
    if ttl is None:
        return lambda state: None if lease_id in state else state
    return lambda state: state if state.get(lease_id, 0) in (ttl, ANY_TTL) else None


_MARKS = -(2**64)
"""Below any id of a lease: that a call has met its lease is noted as a lease of its own."""


def mark(lease_id: int, call: int) -> Callable[[State], State | None]:
    """Note that a call has met its lease."""
    return lambda state: {**state, _MARKS - call: 0} if lease_id in state and _MARKS - call not in state else None


def marked(call: int) -> Callable[[State], State | None]:
    """Whether a call has met its lease."""
    return lambda state: state if _MARKS - call in state else None


def leases_in(state: State) -> set[int]:
    """The leases that there are."""
    return {lease_id for lease_id in state if lease_id > _MARKS}
