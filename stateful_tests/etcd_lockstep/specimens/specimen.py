"""What specimens are made from: a target that is right in everything, and lies only where a subclass makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_lockstep.names import operation_name
from etcd_lockstep.target import BASIC, Target
from etcd_model import Operation, Result, Server, State, step
from etcd_model.operations import Compare, DeleteRange, Put, Range, RequestOp, Txn
from etcd_model.results import (
    DeleteRangeResult,
    KeyValue,
    LeaderResult,
    PutResult,
    RangeResult,
    ResponseOp,
    TxnResult,
)
from etcd_model.state import Commit, DeleteEvent, PutEvent


class Specimen(Target):
    """Answers as the model does. A subclass is one lie: it hears a request wrongly, remembers wrongly, or
    answers wrongly, and leaves everything else to this class."""

    server: Server = Server()

    def __init__(self) -> None:
        self.emulate(self.server)

    def emulate(self, server: Server) -> None:
        """Be of the version, and have the settings, of the run's own model."""
        self.server = server
        self._initial = State(server=server, compact_revision=1)
        self.state = self._initial

    def reset(self) -> int:
        self.state = self._initial
        return self.state.revision

    def apply(self, operation: Operation) -> Result:
        self.state, result = step(self.state, operation)
        return result


class HearsWrongly(Specimen):
    """Hears each read and write of keys as `hear` says, those in txns too."""

    def apply(self, operation: Operation) -> Result:
        return super().apply(map_requests(operation, self.hear))

    def hear(self, request: RequestOp) -> RequestOp:
        """What is carried out for a request, which is no txn."""
        return request


class ShowsWrongly(Specimen):
    """Shows each key-value in an answer as `show` says."""

    def apply(self, operation: Operation) -> Result:
        return map_kvs(super().apply(operation), self.show)

    def show(self, kv: KeyValue) -> KeyValue:
        """What is answered for a key-value."""
        return kv


def basic_and(*operations: type[Operation]) -> frozenset[str]:
    """The capabilities of a specimen that lies about more than keys and leases."""
    return BASIC | frozenset(map(operation_name, operations))


def map_requests(operation: Operation, f: Callable[[RequestOp], RequestOp]) -> Operation:
    """The operation with `f` of every read and write of keys in it: of itself, or of all in a txn's branches."""
    return _map_request(operation, f) if isinstance(operation, Range | Put | DeleteRange | Txn) else operation


def _map_request(request: RequestOp, f: Callable[[RequestOp], RequestOp]) -> RequestOp:
    if not isinstance(request, Txn):
        return f(request)
    return replace(
        request,
        success=tuple(_map_request(one, f) for one in request.success),
        failure=tuple(_map_request(one, f) for one in request.failure),
    )


def map_compares(txn: Txn, f: Callable[[tuple[Compare, ...]], tuple[Compare, ...]]) -> Txn:
    """The txn with `f` of its compares, and of those of the txns nested in it."""

    def nested(request: RequestOp) -> RequestOp:
        return map_compares(request, f) if isinstance(request, Txn) else request

    return Txn(f(txn.compare), tuple(map(nested, txn.success)), tuple(map(nested, txn.failure)))


def map_responses(result: Result, f: Callable[[ResponseOp], ResponseOp]) -> Result:
    """The answer with `f` of every answer to a read or a write of keys in it: of itself, or of all in a txn's."""
    return (
        _map_response(result, f)
        if isinstance(result, RangeResult | PutResult | DeleteRangeResult | TxnResult)
        else result
    )


def _map_response(response: ResponseOp, f: Callable[[ResponseOp], ResponseOp]) -> ResponseOp:
    if not isinstance(response, TxnResult):
        return f(response)
    return replace(response, responses=tuple(_map_response(one, f) for one in response.responses))


def map_kvs(result: Result, f: Callable[[KeyValue], KeyValue]) -> Result:
    """The answer with `f` of every key-value in it, but for those in the events of watchers."""

    def mapped(response: ResponseOp) -> ResponseOp:
        match response:
            case RangeResult():
                return replace(response, kvs=tuple(map(f, response.kvs)))
            case PutResult(prev_kv=KeyValue() as before):
                return replace(response, prev_kv=f(before))
            case DeleteRangeResult():
                return replace(response, prev_kvs=tuple(map(f, response.prev_kvs)))
            case _:
                return response

    if isinstance(result, LeaderResult) and result.kv is not None:
        return replace(result, kv=f(result.kv))
    return map_responses(result, mapped)


def one_by_one(before: State, after: State) -> State:
    """The state after a request with each thing that it did in a revision of its own."""
    commits = list(before.commits)
    for event in after.commits[-1].events if after.revision > before.revision else ():
        revision, keys = commits[-1].revision + 1, dict(commits[-1].keys)
        match event:
            case PutEvent(kv):
                old = keys.get(kv.key)
                kv = replace(kv, mod_revision=revision, create_revision=old.create_revision if old else revision)
                keys[kv.key], event = kv, PutEvent(kv)
            case DeleteEvent(key):
                del keys[key]
                event = DeleteEvent(key, revision)
        commits.append(Commit(revision, (event,), keys))
    return replace(after, commits=tuple(commits))


def with_empty_revision(state: State) -> State:
    """The state one revision later, in which nothing has happened."""
    return replace(state, commits=(*state.commits, Commit(state.revision + 1, (), state.keys)))
