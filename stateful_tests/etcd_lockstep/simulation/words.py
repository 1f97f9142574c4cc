"""RPCs in words, for the timeline: short, as etcdctl's users say them."""

from __future__ import annotations

from typing import Any

import grpc

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
                return f"{'count' if request.count_only else 'get'} {_range(request)}"
            case "Put":
                return self._put(request)
            case "DeleteRange":
                return f"delete {_range(request)}"
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
                return f"{name.lower()} {shown(getattr(request, 'name', b'') or getattr(request, 'key', b''))}"
            case name:
                return name

    def watch_request(self, request: Any) -> str:
        if request.WhichOneof("request_union") == "create_request":
            return f"watch {_range(request.create_request)}"
        return "cancel a watch" if request.WhichOneof("request_union") == "cancel_request" else "ask for progress"

    def answer(self, path: str, answer: Any) -> str:
        """What it was told."""
        match path.rpartition("/")[2]:
            case "Range":
                return _kvs(answer)
            case "DeleteRange":
                return f"{answer.deleted} deleted"
            case "Txn":
                reads = [_kvs(one.response_range) for one in answer.responses if one.HasField("response_range")]
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
            f"DELETE {shown(event.kv.key)}"
            if event.type == pb.Event.DELETE
            else f"PUT {shown(event.kv.key)} = {shown(event.kv.value)}"
            for event in response.events
        ]
        return f"watch: {', '.join(events) or 'progress'}"

    def _put(self, request: Any) -> str:
        lease = f" with {self.lease(request.lease)}" if request.lease else ""
        return f"put {shown(request.key)} = {shown(request.value)}{lease}"

    def _txn(self, request: Any) -> str:
        compares = ", ".join(map(_compare, request.compare))
        then, otherwise = (", ".join(map(self._op, ops)) for ops in (request.success, request.failure))
        parts = [f"if {compares}" if compares else "", f"then {then}" if then else ""]
        parts.append(f"else {otherwise}" if otherwise else "")
        return " ".join(["txn", *filter(None, parts)])

    def _op(self, request: Any) -> str:
        match request.WhichOneof("request"):
            case "request_put":
                return self._put(request.request_put)
            case "request_range":
                return f"get {_range(request.request_range)}"
            case "request_delete_range":
                return f"delete {_range(request.request_delete_range)}"
            case _:
                return self._txn(request.request_txn)


def refusal(error: grpc.RpcError) -> str:
    """An error in a line."""
    if not isinstance(error, grpc.Call):
        return type(error).__name__
    return f"{error.code().name}: {error.details()}"


def shown(data: bytes) -> str:
    """A key or a value."""
    text = data.decode(errors="replace")
    if not text or " " in text or "\ufffd" in text or not text.isprintable():
        text = repr(data)[1:]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _range(request: Any) -> str:
    if not request.range_end:
        return shown(request.key)
    stem = request.key.rstrip(b"\xff")
    if stem and request.range_end == stem[:-1] + bytes([stem[-1] + 1]):
        return f"{shown(request.key)}*"
    return f"[{shown(request.key)}, {shown(request.range_end)})"


def _compare(compare: Any) -> str:
    target = pb.Compare.CompareTarget.Name(compare.target).lower()
    operand: Any = getattr(compare, compare.WhichOneof("target_union") or "version")
    value = shown(operand) if isinstance(operand, bytes) else operand
    return f"{target}({shown(compare.key)}) {_RESULTS[pb.Compare.CompareResult.Name(compare.result)]} {value}"


def _kvs(answer: Any) -> str:
    if not answer.kvs:
        return f"{answer.count}" if answer.count else "nothing"
    if len(answer.kvs) > _MANY:
        return f"{len(answer.kvs)} keys"
    return ", ".join(f"{shown(kv.key)} = {shown(kv.value)}" for kv in answer.kvs)
