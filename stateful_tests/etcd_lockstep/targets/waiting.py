"""Locks and elections over gRPC, whose calls wait in etcd itself: how to say that one waits, and how it is given up.

The key of a call that waits stands in the store: `<name>/<lease in hex>`. It is written before the wait and deleted
once the client is gone (etcd client/v3/concurrency/mutex.go, Lock; election.go, Campaign), so both are seen from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from etcd_model.errors import Code, Error
from etcd_model.lock import key_of
from etcd_model.operations import Campaign, Lock, Operation, Put, Range, SortOrder, SortTarget, Txn
from etcd_model.results import RangeResult, Result, Waiting

WAIT_SECONDS = 0.15
"""How long a call that waits is given to come as far as that, where nothing shows that it has."""

SETTLE_SECONDS = 0.02
"""The same, once its key is there: a call that is cancelled before it has heard that its own transaction went through
leaves the key behind (mutex.go, Lock: only what fails later is cleaned up)."""

SILENCE_SECONDS = 0.05
"""How long something is listened for that should not come."""

ANSWER_SECONDS = 2.0
"""How long a call that need not wait may take, a key to appear, and another to be gone."""

_PAUSE = 0.002


class Calls(Protocol):
    """What this needs of a wire."""

    def ask(self, operation: Operation, token: str = "") -> Result: ...

    def ask_meanwhile(self, operation: Operation, token: str) -> Result: ...

    def begin(self, operation: Lock | Campaign, token: str) -> Any:
        """Send a request; the future of its answer."""

    def end(self, operation: Lock | Campaign, call: Any, seconds: float) -> Result | None:
        """The answer of a call; None where it doesn't come in so many seconds."""


def contenders(calls: Calls, name: bytes, token: str) -> list[bytes] | None:
    """The keys under the name of a lock or an election, the owner's first; None where they can't be read."""
    found = _queue(calls, name, token)
    return [kv.key for kv in found.kvs] if found is not None else None


def _queue(calls: Calls, name: bytes, token: str) -> RangeResult | None:
    order, target = SortOrder.ASCEND, SortTarget.CREATE
    found = calls.ask(Range(name + b"/", name + b"0", sort_order=order, sort_target=target, keys_only=True), token)
    return found if isinstance(found, RangeResult) else None


def seconds_to_observe(calls: Calls, name: bytes, token: str, last_txn: tuple[int, Txn]) -> float:
    """How long who observes an election listens. An answer is due where there is a candidate, or one was put in the
    current revision and is gone again, which takes a txn: `last_txn` is the last one, with the revision after it."""
    queue = _queue(calls, name, token)
    if queue is None or queue.kvs:
        return ANSWER_SECONDS
    revision, txn = last_txn
    return ANSWER_SECONDS if queue.revision == revision and _puts_below(txn, name + b"/") else SILENCE_SECONDS


def _puts_below(txn: Txn, prefix: bytes) -> bool:
    """Whether a txn may put a key with this prefix."""
    return any(
        _puts_below(request, prefix)
        if isinstance(request, Txn)
        else isinstance(request, Put) and request.key.startswith(prefix)
        for request in (*txn.success, *txn.failure)
    )


def acquire(calls: Calls, operation: Lock | Campaign, token: str) -> Result:
    """The answer of a call that may wait; `Waiting` where it does, once its key is gone again.

    Once it waits, `meanwhile` is asked, and may end the wait.
    """
    before = contenders(calls, operation.name, token)
    own = key_of(operation.name, operation.lease) if operation.lease else None
    waits = before is None or (bool(before) and before[0] != own)
    call = calls.begin(operation, token)
    try:
        seconds = _until_it_waits(calls, operation, token, call, before, own) if waits else ANSWER_SECONDS
        answer = calls.end(operation, call, seconds)
        queue = None
        if answer is None and operation.meanwhile is not None:
            queue = contenders(calls, operation.name, token)
            calls.ask_meanwhile(operation.meanwhile, token)
            answer = calls.end(operation, call, _until_it_ends(calls, operation, token, set(before or ()) - {own}))
    finally:
        call.cancel()
    if answer is not None:
        return answer
    if before is None:
        time.sleep(WAIT_SECONDS)
        return Waiting()
    known = set(before) - {own}
    if queue is not None:  # a key that another client has put since is none of this call's
        known |= set(contenders(calls, operation.name, token) or ()) - set(queue)
    if _soon(lambda: not set(contenders(calls, operation.name, token) or ()) - known):
        return Waiting()
    return Error(Code.DEADLINE_EXCEEDED, "the call was cancelled, and its key is still there")


def _until_it_waits(
    calls: Calls, operation: Lock | Campaign, token: str, call: Any, before: list[bytes] | None, own: bytes | None
) -> float:
    """Wait until the call's key is there, and say how many seconds it may take from there to wait."""
    if before is None:
        return ANSWER_SECONDS  # what forbids the read, or is too large for it, mostly refuses the call as well
    if own in before:
        return WAIT_SECONDS
    known = set(before)
    _soon(lambda: call.done() or bool(set(contenders(calls, operation.name, token) or ()) - known))
    return SETTLE_SECONDS


def _until_it_ends(calls: Calls, operation: Lock | Campaign, token: str, ahead: set[bytes]) -> float:
    """How many seconds the answer may take: none is to come as long as one of those is there who were there before."""
    after = contenders(calls, operation.name, token)
    if after is None:
        return WAIT_SECONDS
    return SILENCE_SECONDS if ahead & set(after) else ANSWER_SECONDS


def _soon(condition: Callable[[], bool]) -> bool:
    """Wait for something, and say whether it has happened."""
    end = time.monotonic() + ANSWER_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True
