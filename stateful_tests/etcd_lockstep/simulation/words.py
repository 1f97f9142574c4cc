"""RPCs in words, for the timeline: short, as etcdctl's users say them."""

from __future__ import annotations

from typing import Any

import grpc
from grpc import aio

from fake_etcd.wire import messages as pb

_LONGEST = 40
"""Characters of a key or a value that are shown."""
_MANY = 3
"""How many keys are listed; of more, the number is."""
_RESULTS = {"EQUAL": "=", "GREATER": ">", "LESS": "<", "NOT_EQUAL": "≠"}


class Words:
    """Knows leases by the order in which they were first seen, since their ids differ from run to run."""

    def __init__(self) -> None:
        self._leases: dict[int, int] = {}

    def lease(self, id: int) -> str:
        return f"lease {self._leases.setdefault(id, len(self._leases) + 1)}"

    def request(self, path: str, request: Any) -> str:
        """What a client asks for."""
        match path.rpartition("/")[2]:
            case "Range":
                return f"{'count' if request.count_only else 'get'} {self._range(request)}"
            case "Put":
                return self._put(request)
            case "DeleteRange":
                return f"delete {self._range(request)}"
            case "Txn":
                return self._txn(request)
            case "LeaseGrant":
                return f"grant {request.TTL} s"
            case "LeaseRevoke":
                return f"revoke {self.lease(request.ID)}"
            case "LeaseKeepAlive":
                return f"keep {self.lease(request.ID)} alive"
            case "LeaseTimeToLive":
                return f"time to live of {self.lease(request.ID)}"
            case "Lock" | "Unlock" | "Campaign" as name:
                return f"{name.lower()} {self._shown(getattr(request, 'name', b'') or getattr(request, 'key', b''))}"
            case name:
                return name

    def watch_request(self, request: Any) -> str:
        if request.WhichOneof("request_union") == "create_request":
            return f"watch {self._range(request.create_request)}"
        return "cancel a watch" if request.WhichOneof("request_union") == "cancel_request" else "ask for progress"

    def answer(self, path: str, answer: Any) -> str:
        """What it was answered."""
        match path.rpartition("/")[2]:
            case "Range":
                return self._kvs(answer)
            case "DeleteRange":
                return f"{answer.deleted} deleted"
            case "Txn":
                reads = [self._kvs(one.response_range) for one in answer.responses if one.HasField("response_range")]
                return ", ".join(["succeeded" if answer.succeeded else "not succeeded", *reads])
            case "LeaseGrant":
                return self.lease(answer.ID)
            case "LeaseKeepAlive" | "LeaseTimeToLive":
                return f"TTL {answer.TTL}"
            case _:
                return "ok"

    def watch_response(self, response: Any) -> str:
        """What a watch delivers."""
        if response.created:
            return "the watch is there"
        if response.canceled:
            return "the watch is over"
        events = [
            f"DELETE {self._shown(event.kv.key)}"
            if event.type == pb.Event.DELETE
            else f"PUT {self._shown(event.kv.key)} = {self._shown(event.kv.value)}"
            for event in response.events
        ]
        return f"watch: {', '.join(events) or 'progress'}"

    def _put(self, request: Any) -> str:
        lease = f" with {self.lease(request.lease)}" if request.lease else ""
        return f"put {self._shown(request.key)} = {self._shown(request.value)}{lease}"

    def _txn(self, request: Any) -> str:
        compares = ", ".join(map(self._compare, request.compare))
        then, otherwise = (", ".join(map(self._op, ops)) for ops in (request.success, request.failure))
        parts = [f"if {compares}" if compares else "", f"then {then}" if then else ""]
        parts.append(f"else {otherwise}" if otherwise else "")
        return " ".join(["txn", *filter(None, parts)])

    def _op(self, request: Any) -> str:
        match request.WhichOneof("request"):
            case "request_put":
                return self._put(request.request_put)
            case "request_range":
                return f"get {self._range(request.request_range)}"
            case "request_delete_range":
                return f"delete {self._range(request.request_delete_range)}"
            case _:
                return self._txn(request.request_txn)

    def _range(self, request: Any) -> str:
        if not request.range_end:
            return self._shown(request.key)
        stem = request.key.rstrip(b"\xff")
        if stem and request.range_end == stem[:-1] + bytes([stem[-1] + 1]):
            return f"{self._shown(request.key)}*"
        return f"[{self._shown(request.key)}, {self._shown(request.range_end)})"

    def _compare(self, compare: Any) -> str:
        target = pb.Compare.CompareTarget.Name(compare.target).lower()
        operand: Any = getattr(compare, compare.WhichOneof("target_union") or "version")
        value = self._shown(operand) if isinstance(operand, bytes) else operand
        return f"{target}({self._shown(compare.key)}) {_RESULTS[pb.Compare.CompareResult.Name(compare.result)]} {value}"

    def _kvs(self, answer: Any) -> str:
        if not answer.kvs:
            return f"{answer.count}" if answer.count else "nothing"
        if len(answer.kvs) > _MANY:
            return f"{len(answer.kvs)} keys"
        return ", ".join(map(self._kv, answer.kvs))

    def _kv(self, kv: Any) -> str:
        """Without a value, which a read of keys alone doesn't have, it is the key."""
        return f"{self._shown(kv.key)} = {self._shown(kv.value)}" if kv.value else self._shown(kv.key)

    def _shown(self, data: bytes) -> str:
        """A key or a value. The id of a lease in it, in hex, as etcd's own recipes write it, is shown by its number."""
        text = data.decode(errors="replace")
        for id, number in self._leases.items():
            text = text.replace(f"{id:x}", f"‹lease {number}›")
        return _cut(text if _is_plain(data) else repr(data)[1:])


def error_in_words(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, grpc.Call | aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _is_plain(data: bytes) -> bool:
    """Whether it can be shown without quotes."""
    text = data.decode(errors="replace")
    return text != "" and " " not in text and "\ufffd" not in text and text.isprintable()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
