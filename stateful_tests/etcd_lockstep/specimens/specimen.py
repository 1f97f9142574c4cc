"""What specimens are made from: a target that is right in everything, and lies only where a subclass makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from etcd_lockstep.names import operation_name
from etcd_lockstep.target import BASIC, Target
from etcd_model import Operation, Result, Server, State, step
from etcd_model.operations import Compare, DeleteRange, Put, Range, RequestOp, Txn


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
