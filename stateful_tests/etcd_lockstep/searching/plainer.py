"""Makes the names, keys, values and numbers in a trace plainer, everywhere at once, where several steps must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, get_args

from etcd_lockstep.searching.acceptance import Acceptance
from etcd_lockstep.searching.renaming import (
    Content,
    contents,
    held_keys,
    lease_ids,
    on_stream,
    renamed,
    with_field,
    with_lease_id,
    with_name,
)
from etcd_lockstep.strategies.generator_state import OWN_LEASE_IDS
from etcd_lockstep.strategies.simplify import simpler_values
from etcd_lockstep.trace import Trace, bare
from etcd_model import operations as op


def plainness(key: bytes) -> tuple[int, bool, bytes]:
    """A key's or a value's: the shorter the plainer, and letters and digits more so."""
    return len(key), not (key.isascii() and key.isalnum()), key


def _simpler_names(trace: Trace, accepts: Acceptance) -> Trace:
    """The name of each lock and election made `a`, or else `b`, with all keys under it."""
    held = {operation.name for operation in map(bare, trace) if isinstance(operation, _NAMED)} - {b""}
    for old in sorted(held, key=plainness):
        for new in (b"a", b"b"):
            if plainness(new) < plainness(old):
                candidate = tuple(with_name(operation, old, new) for operation in trace)
                if accepts(candidate, faithful=False):
                    return _simpler_names(candidate, accepts)
    return trace


_NAMED = (op.Lock, op.Campaign, op.Leader, op.Observe)


def _simpler_keys(trace: Trace, accepts: Acceptance) -> Trace:
    """Every key renamed to a plainer one of the trace's own, to a part of itself or to `a`, everywhere at once."""
    keys = held_keys(trace)
    prefixes = {key[: key.rindex(b"/") + 1] for key in keys if b"/" in key}
    for old in sorted(keys, key=plainness, reverse=True):
        for new in sorted({b"a", b"b", b"aa", *prefixes, *keys, old[:-1], old[1:]} - {b""}, key=plainness):
            if plainness(new) < plainness(old):
                for candidate in renamed(trace, old, new):
                    if candidate != trace and accepts(candidate):
                        return _simpler_keys(candidate, accepts)
    return trace


def _simpler_values(trace: Trace, accepts: Acceptance) -> Trace:
    return _plainer(trace, accepts, ("value", "operand"), bytes, plainness, simpler_values, faithful=True)


def _simpler_passwords(trace: Trace, accepts: Acceptance) -> Trace:
    """`p`, or else `q`: who logs in gives the one that the user has."""
    return _plainer(trace, accepts, ("password",), str, _length, lambda _old: ("p", "q"))


def _simpler_accounts(trace: Trace, accepts: Acceptance) -> Trace:
    """Users and roles by the first of the usual names."""
    names = ("name", "user", "username", "certificate", "role")
    return _plainer(trace, accepts, names, str, _length, lambda old: {"v": "u", "s": "r"}.get(old, ""))


def _simpler_watch_ids(trace: Trace, accepts: Acceptance) -> Trace:
    return _plainer(trace, accepts, ("watch_id",), int, _usual, lambda _old: (1, 2))


def _simpler_ends(trace: Trace, accepts: Acceptance) -> Trace:
    """No end of a range, where several must agree."""
    return _plainer(trace, accepts, ("range_end",), bytes, plainness, lambda _old: (b"",), faithful=True)


def _plainer(
    trace: Trace,
    accepts: Acceptance,
    names: Collection[str],
    kind: type[Content],
    size: Callable[[Content], Any],
    plainer: Callable[[Content], Iterable[Content]],
    *,
    faithful: bool = False,
) -> Trace:
    """What fields of these names hold made plainer, everywhere at once: several steps may have to hold the same."""
    for old in sorted(contents(trace, names, kind), key=size, reverse=True):
        for new in plainer(old):
            if size(new) < size(old):
                candidate = tuple(with_field(operation, names, old, new) for operation in trace)
                if accepts(candidate, faithful=faithful):
                    return _plainer(candidate, accepts, names, kind, size, plainer, faithful=faithful)
    return trace


def _length(text: str) -> tuple[int, str]:
    return len(text), text


def _simpler_lease_ids(trace: Trace, accepts: Acceptance) -> Trace:
    """Every id that a client has picked for a lease made the first of those that are usual, everywhere at once."""
    for old in sorted(lease_ids(trace), key=_usual, reverse=True):
        for new in sorted(OWN_LEASE_IDS, key=_usual):
            if _usual(new) < _usual(old):
                candidate = tuple(with_lease_id(operation, old, new) for operation in trace)
                if accepts(candidate, faithful=False):
                    return _simpler_lease_ids(candidate, accepts)
    return trace


def _usual(lease_id: int) -> tuple[bool, int]:
    return lease_id < 0, abs(lease_id)


def _simpler_streams(trace: Trace, accepts: Acceptance) -> Trace:
    """Every watch stream given a smaller number, everywhere at once."""
    streams = {operation.stream for operation in map(bare, trace) if isinstance(operation, get_args(op.WatchOperation))}
    for old in sorted(streams, reverse=True):
        for new in range(old):
            candidate = tuple(on_stream(operation, old, new) for operation in trace)
            if accepts(candidate, faithful=False):
                return _simpler_streams(candidate, accepts)
    return trace


EVERYWHERE: tuple[Callable[[Trace, Acceptance], Trace], ...] = (
    _simpler_names,
    _simpler_keys,
    _simpler_values,
    _simpler_passwords,
    _simpler_accounts,
    _simpler_ends,
    _simpler_watch_ids,
    _simpler_lease_ids,
    _simpler_streams,
)
"""Each makes one kind of them plainer. They are applied in this order."""
