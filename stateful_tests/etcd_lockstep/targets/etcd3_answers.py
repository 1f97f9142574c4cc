"""What methods of the etcd3 client return, read as results, with a note of what is not in it.

A mock of the client returns less than the client does: a `put` that returns None has no header, and a metadata object
may lack attributes. A program that asks for those fails, so they hide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc

from etcd_lockstep.target import described
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    DeleteRangeResult,
    Event,
    KeyValue,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
    ResponseOp,
    TxnResult,
)

_CODES = {
    "PreconditionFailedError": Code.FAILED_PRECONDITION,
    "InternalServerError": Code.INTERNAL,
    "ConnectionFailedError": Code.UNAVAILABLE,
    "ConnectionTimeoutError": Code.DEADLINE_EXCEEDED,
    "RevisionCompactedError": Code.OUT_OF_RANGE,
}
"""The exceptions that etcd3 makes of gRPC's codes, without their messages (etcd3 0.12.0, client.py). All others of a
server's errors are gRPC's own."""


def as_bytes(text: Any) -> Any:
    """etcd3 returns bytes. Text is taken for what it is in UTF-8."""
    return text.encode() if isinstance(text, str) else text


class Reading:
    """One answer. `not_handed_on` are the paths of fields that turned out not to be in it."""

    def __init__(self) -> None:
        self.not_handed_on: set[str] = set()

    def number(self, holder: object, name: str, path: str) -> int:
        value = getattr(holder, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.not_handed_on.add(path)
        return 0

    def revision(self, answer: object, header: str = "header") -> int:
        return self.number(getattr(answer, header, None), "revision", "revision")

    # Keys and values

    def range(self, operation: op.Range, answer: Any) -> RangeResult:
        """What `get`, `get_prefix` and the like return, or the response that `get_response` does."""
        if hasattr(answer, "kvs"):
            kvs = tuple(self._kv("kvs", kv) for kv in answer.kvs)
            if not hasattr(answer, "more"):
                self.not_handed_on.add("more")
            return RangeResult(
                self.revision(answer), kvs, getattr(answer, "more", False), self.number(answer, "count", "count")
            )
        if not operation.range_end:
            return self._single(operation.key, answer)
        if operation.count_only and isinstance(answer, int):
            self.not_handed_on |= {"revision", "kvs", "more"}
            return RangeResult(0, count=answer)
        return self._pairs(answer)

    def _single(self, key: bytes, answer: object) -> RangeResult:
        value, meta = answer if isinstance(answer, tuple | list) and len(answer) == 2 else (answer, None)
        revision = self.revision(meta, "response_header")
        if value is None:
            return RangeResult(revision)
        return RangeResult(revision, (self._key_value("kvs", getattr(meta, "key", key), value, meta),), count=1)

    def _pairs(self, answer: Iterable[Any]) -> RangeResult:
        """Values, each with its metadata, which knows the key. Where it doesn't, nothing is known of them."""
        self.not_handed_on |= {"count", "more"}
        pairs = [pair if isinstance(pair, tuple | list) and len(pair) == 2 else (pair, None) for pair in answer]
        metas: list[Any] = [meta for _value, meta in pairs]
        revision = self.revision(metas[0] if metas else None, "response_header")
        if not all(hasattr(meta, "key") for meta in metas):
            self.not_handed_on.add("kvs")
            return RangeResult(revision)
        kvs = (self._key_value("kvs", meta.key, pair[0], meta) for pair, meta in zip(pairs, metas, strict=True))
        return RangeResult(revision, tuple(kvs))

    def _kv(self, path: str, kv: Any) -> KeyValue:
        return self._key_value(path, kv.key, kv.value, kv)

    def _key_value(self, path: str, key: Any, value: Any, meta: Any) -> KeyValue:
        lease = getattr(meta, "lease_id", getattr(meta, "lease", None))
        if isinstance(lease, bool) or not isinstance(lease, int):
            lease = self.number(lease, "id", f"{path}.lease")
        return KeyValue(
            as_bytes(key),
            as_bytes(value),
            self.number(meta, "create_revision", f"{path}.create_revision"),
            self.number(meta, "mod_revision", f"{path}.mod_revision"),
            self.number(meta, "version", f"{path}.version"),
            lease,
        )

    def put(self, answer: Any) -> PutResult:
        return PutResult(self.revision(answer), self._prev_kv(answer))

    def _prev_kv(self, answer: Any) -> KeyValue | None:
        if not hasattr(answer, "prev_kv"):
            self.not_handed_on.add("prev_kv")
            return None
        is_message = hasattr(answer, "HasField")  # of protobuf's: what is not there reads as an empty message
        there = answer.HasField("prev_kv") if is_message else answer.prev_kv is not None
        return self._kv("prev_kv", answer.prev_kv) if there else None

    def delete(self, key: op.DeleteRange, answer: Any) -> DeleteRangeResult:
        """A response, whether the key was there, or how many were."""
        if isinstance(answer, bool) and (not key.range_end or not answer):
            deleted = int(answer)
        elif isinstance(answer, int) and not isinstance(answer, bool):
            deleted = answer
        else:
            deleted = self.number(answer, "deleted", "deleted")
        if not hasattr(answer, "prev_kvs"):
            self.not_handed_on.add("prev_kvs")
        prev_kvs = tuple(self._kv("prev_kvs", kv) for kv in getattr(answer, "prev_kvs", ()))
        return DeleteRangeResult(self.revision(answer), deleted, prev_kvs)

    # Transactions

    def txn(self, operation: op.Txn, answer: Any) -> TxnResult:
        """Whether it succeeded and the responses, that alone, or a response with both."""
        if hasattr(answer, "succeeded"):
            succeeded, responses = answer.succeeded, answer.responses
        else:
            succeeded, responses = answer if isinstance(answer, tuple | list) else (answer, None)
        revision = self.revision(answer)
        if responses is None:
            self.not_handed_on.add("responses")
            return TxnResult(revision, succeeded)
        return TxnResult(
            revision, succeeded, self._responses(operation.success if succeeded else operation.failure, responses)
        )

    def _responses(self, branch: Sequence[op.RequestOp], answers: Iterable[Any]) -> tuple[ResponseOp, ...]:
        inner, responses = Reading(), list[ResponseOp]()
        for number, answer in enumerate(answers):
            responses.append(inner._response(branch[number], answer) if number < len(branch) else PutResult(0))
        self.not_handed_on |= {f"responses.{path}" for path in inner.not_handed_on}
        return tuple(responses)

    def _response(self, asked: op.RequestOp, answer: Any) -> ResponseOp:
        match asked:
            case op.Range():
                self.not_handed_on.add("revision")  # the metadata have that of the whole transaction
                return self.range(op.Range(b"", FROM_KEY), getattr(answer, "response_range", answer))
            case op.Put():
                return self.put(getattr(answer, "response_put", answer))
            case op.DeleteRange():
                return self.delete(asked, getattr(answer, "response_delete_range", answer))
            case op.Txn() if answer is None:
                self.not_handed_on |= {"revision", "succeeded", "responses"}
                return TxnResult(0, False)
            case op.Txn():
                return self.txn(asked, getattr(answer, "response_txn", answer))

    # Leases

    def lease(self, answer: Any) -> LeaseGrantResult:
        """A `Lease`, or its id."""
        self.not_handed_on.add("revision")
        if isinstance(answer, int):
            self.not_handed_on.add("ttl")
            return LeaseGrantResult(0, answer, 0)
        return LeaseGrantResult(0, answer.id, self.number(answer, "ttl", "ttl"))

    def keep_alive(self, answer: Any) -> LeaseKeepAliveResult:
        """A response, or several, of which the first one counts."""
        response = next(iter(answer)) if isinstance(answer, Iterable) else answer
        return LeaseKeepAliveResult(
            self.revision(response), self.number(response, "ID", "id"), self.number(response, "TTL", "ttl")
        )

    def time_to_live(self, answer: Any) -> LeaseTimeToLiveResult:
        """The response of `get_lease_info`."""
        return self._time_to_live(answer, ("TTL", "grantedTTL"), self.number(answer, "ID", "id"))

    def time_to_live_of(self, lease: Any, lease_id: int) -> LeaseTimeToLiveResult:
        """What a `Lease` says of itself."""
        return self._time_to_live(lease, ("remaining_ttl", "granted_ttl"), lease_id)

    def _time_to_live(self, holder: Any, names: tuple[str, str], lease_id: int) -> LeaseTimeToLiveResult:
        keys = getattr(holder, "keys", None)
        if keys is None or callable(keys):
            self.not_handed_on.add("keys")
            keys = ()
        ttl, granted_ttl = names
        return LeaseTimeToLiveResult(
            self.revision(holder),
            lease_id,
            self.number(holder, ttl, "ttl"),
            self.number(holder, granted_ttl, "granted_ttl"),
            tuple(map(as_bytes, keys)),
        )

    # Watches

    def event(self, event: Any) -> Event:
        """A `PutEvent` or a `DeleteEvent`, or what has a type. Of a deletion, etcd sends the key and the revision."""
        inner = Reading()
        deletes = _deletes(event)
        kv = inner._kv("kv", event)
        if deletes:
            zeros = ("create_revision", "version", "lease")
            inner.not_handed_on -= {f"kv.{name}" for name in zeros}
        self.not_handed_on |= {f"watches.events.{path}" for path in inner.not_handed_on}
        return Event(int(deletes), kv)

    # Errors

    def error(self, error: Exception) -> Error | None:
        """An exception of gRPC's or of etcd3's as etcd's error; None where it is neither."""
        modules = {kind.__module__: kind.__name__ for kind in reversed(type(error).__mro__)}
        if "etcd3.exceptions" in modules:
            code = _CODES.get(modules["etcd3.exceptions"])
            if code is None:
                return Error(Code.UNKNOWN, described(error))
            self.not_handed_on.add("message")
            return Error(code, str(error))
        if "grpc" not in modules:
            return None
        status, details = (_called(error, name) for name in ("code", "details"))
        if not isinstance(status, grpc.StatusCode):
            self.not_handed_on.add("code")
        if not isinstance(details, str):
            self.not_handed_on.add("message")
        return Error(
            Code(status.value[0]) if isinstance(status, grpc.StatusCode) else Code.UNKNOWN,
            details if isinstance(details, str) else str(error),
        )


def _deletes(event: Any) -> bool:
    """Raises TypeError where neither the event's class nor its type says what happened."""
    names = (type(event).__name__, *(getattr(event, name, "") for name in ("type", "event_type")))
    for name in map(str, names):
        if "delete" in name.lower() or name == "1":
            return True
        if "put" in name.lower() or name == "0":
            return False
    raise TypeError(f"an event is {event!r:.60}, and should be a PutEvent or a DeleteEvent")


def _called(error: Exception, name: str) -> Any:
    """What a method of a gRPC error returns, if it has one."""
    method = getattr(error, name, None)
    return method() if callable(method) else None
