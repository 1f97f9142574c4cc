"""Operations as calls of the etcd3 client's public methods, on the client itself or on what stands in for it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from etcd_lockstep.target import NotExpressible, Target
from etcd_lockstep.targets.etcd3_answers import Reading
from etcd_lockstep.targets.etcd3_methods import RANGE_OPTIONS, Methods
from etcd_lockstep.trace import LeaseOf
from etcd_model import operations as op
from etcd_model.exhaustive import assert_never
from etcd_model.results import CompactResult, LeaseRevokeResult, Result, TxnResult

_SORT_ORDERS = {op.SortOrder.NONE: None, op.SortOrder.ASCEND: "ascend", op.SortOrder.DESCEND: "descend"}
_SORT_TARGETS = {target: target.name.lower() for target in op.SortTarget}
_COMPARE_TARGETS = {
    op.CompareTarget.VERSION: "version",
    op.CompareTarget.CREATE: "create",
    op.CompareTarget.MOD: "mod",
    op.CompareTarget.VALUE: "value",
}
"""There is nothing that compares a lease."""
_COMPARE_RESULTS: dict[int, Callable[[Any, Any], Any]] = {
    op.CompareResult.EQUAL: operator.eq,
    op.CompareResult.GREATER: operator.gt,
    op.CompareResult.LESS: operator.lt,
    op.CompareResult.NOT_EQUAL: operator.ne,
}
OF_LEASES: dict[type[op.Operation], str] = {
    op.LeaseTimeToLive: "remaining_ttl",
    op.LeaseKeepAlive: "refresh",
    op.LeaseRevoke: "revoke",
}
"""What of the object that `lease` returns says the same as a method of the client's; what ends the lease comes last."""

_PARTS = ("compare", "success", "failure")


_OfLease: TypeAlias = op.LeaseRevoke | op.LeaseKeepAlive | op.LeaseTimeToLive


class Call(NamedTuple):
    """A method of the client's and its arguments."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


class Etcd3Calls(Target):
    """Asks a client. What an answer does not hand on is 0 or absent in the result, and noted in `not_handed_on`."""

    asks_for_responses = False
    """Whether a whole response is asked for where a method can return one; otherwise the call is the simplest that
    says the operation."""

    _of_leases: frozenset[str] = frozenset()
    """The members of a lease's object that are used: of one whose id the client has picked, instead of the client's
    own methods."""

    def _use(self, client: Any) -> None:
        """Ask this client from now on, which has the methods of the one before."""
        self._client = client
        self._transactions: Any = getattr(client, "transactions", None)
        self._leases: dict[int, Any] = {}
        """What `lease` returned, by the id, where the client picked that."""

    def _learn_methods(self) -> None:
        self._methods = Methods(self._client)
        self._of_transactions = Methods(self._transactions)

    def _key(self, key: bytes) -> Any:
        """A key as the client is given it."""
        return key

    def _value(self, value: bytes) -> Any:
        return value

    def can_express(self, operation: op.Operation) -> bool:
        """Whether there is a public method that takes all that the operation says."""
        match operation:
            case op.Txn():
                return self._call(operation) is not None or self._can_transact(operation)
            case op.LeaseTimeToLive(keys=False):  # its keys are always asked for
                return False
            case op.LeaseRevoke() | op.LeaseKeepAlive() | op.LeaseTimeToLive() if isinstance(operation.id, LeaseOf):
                return OF_LEASES[type(operation)] in self._of_leases or self._call(operation) is not None
            case _:
                return self._call(operation) is not None

    def _call(self, operation: op.Operation) -> Call | None:
        """The first call that the client has the method and the options for."""
        return next((call for call in self._calls(operation) if self._methods.takes(call.method, call.options)), None)

    def _calls(self, operation: op.Operation) -> Iterator[Call]:
        """Every call that says the operation, the most special one first."""
        match operation:
            case op.Range() if type(operation) is op.Range:
                yield from self._reads(operation)
            case op.Put(ignore_value=False, ignore_lease=False):
                options = {**self._lease_option(operation.lease), **if_set(prev_kv=operation.prev_kv)}
                yield Call("put", (self._key(operation.key), self._value(operation.value)), options)
            case op.DeleteRange(range_end=b""):
                yield from self._deletions(operation)
            case op.DeleteRange() if is_prefix(operation):
                yield Call("delete_prefix", (self._key(operation.key),), if_set(prev_kv=operation.prev_kv))
            case op.Txn() if not self.asks_for_responses:
                yield from self._short_txns(operation)
            case op.Compact():
                yield Call("compact", (operation.revision,), if_set(physical=operation.physical))
            case op.LeaseGrant():
                yield Call("lease", (operation.ttl,), if_set(lease_id=operation.id))
            case op.LeaseRevoke():
                yield Call("revoke_lease", (operation.id,), {})
            case op.LeaseKeepAlive():
                yield Call("refresh_lease", (operation.id,), {})
            case op.LeaseTimeToLive():
                yield Call("get_lease_info", (operation.id,), {})

    def _reads(self, operation: op.Range) -> Iterator[Call]:
        if operation.sort_order not in _SORT_ORDERS or operation.sort_target not in _SORT_TARGETS:
            return
        options = if_set(
            **{name: getattr(operation, name) for name in RANGE_OPTIONS},
            sort_order=_SORT_ORDERS[op.SortOrder(operation.sort_order)],
            sort_target=operation.sort_target and _SORT_TARGETS[op.SortTarget(operation.sort_target)],
        )
        key = self._key(operation.key)
        reads: list[tuple[str, tuple[Any, ...]]] = []
        if not operation.range_end:
            reads.append(("get", (key,)))
        else:
            if operation.key == operation.range_end == b"\0":
                reads.append(("get_all", ()))
            if is_prefix(operation):
                reads.append(("get_prefix", (key,)))
            reads.append(("get_range", (key, self._key(operation.range_end))))
        for name, arguments in reads:
            both = [Call(name, arguments, options), Call(f"{name}_response", arguments, options)]
            yield from reversed(both) if self.asks_for_responses else both

    def _deletions(self, operation: op.DeleteRange) -> Iterator[Call]:
        options = if_set(prev_kv=operation.prev_kv)
        both = [
            Call("delete", (self._key(operation.key),), options),
            Call("delete", (self._key(operation.key),), {**options, "return_response": True}),
        ]
        yield from reversed(both) if self.asks_for_responses or operation.prev_kv else both

    def _short_txns(self, operation: op.Txn) -> Iterator[Call]:
        """Methods that are a whole transaction each."""
        match operation:
            case op.Txn(
                compare=(op.Compare(key, target, op.CompareResult.EQUAL, operand, range_end=b""),),
                success=(op.Put(prev_kv=False, ignore_value=False, ignore_lease=False) as put,),
                failure=(),
            ) if key == put.key:
                arguments = (self._key(key), self._value(put.value))
                if target == op.CompareTarget.CREATE and operand == 0:
                    yield Call("put_if_not_exists", arguments, self._lease_option(put.lease))
                elif target == op.CompareTarget.VALUE and isinstance(operand, bytes) and not put.lease:
                    yield Call("replace", (self._key(key), self._value(operand), self._value(put.value)), {})

    def _lease_option(self, lease: int) -> dict[str, Any]:
        """The client's own object, where it has made one for the lease."""
        return {"lease": self._leases.get(lease, lease)} if lease else {}

    # Transactions

    def _can_transact(self, operation: op.Txn) -> bool:
        return (
            self._methods.takes("transaction")
            and all(map(self._can_compare, operation.compare))
            and all(map(self._can_express_in_txn, (*operation.success, *operation.failure)))
        )

    def _can_compare(self, compare: op.Compare) -> bool:
        return (
            compare.target in _COMPARE_TARGETS
            and compare.result in _COMPARE_RESULTS
            and isinstance(compare.operand, bytes) == (compare.target == op.CompareTarget.VALUE)
            and self._of_transactions.takes(
                _COMPARE_TARGETS[op.CompareTarget(compare.target)], if_set(range_end=compare.range_end)
            )
        )

    def _can_express_in_txn(self, operation: op.RequestOp) -> bool:
        if isinstance(operation, op.Range) and operation != op.Range(operation.key, operation.range_end):
            return False
        if isinstance(operation, op.Put) and (operation.ignore_value or operation.ignore_lease):
            return False
        if isinstance(operation, op.Txn):
            return self._of_transactions.takes("txn") and self._can_transact(operation)
        method, _arguments, options = self._in_txn(operation)
        return self._of_transactions.takes(method, options)

    def _in_txn(self, operation: op.Range | op.Put | op.DeleteRange) -> Call:
        match operation:
            case op.Range():
                return Call("get", (self._key(operation.key),), self._range_end(operation.range_end))
            case op.Put():
                options = {**self._lease_option(operation.lease), **if_set(prev_kv=operation.prev_kv)}
                return Call("put", (self._key(operation.key), self._value(operation.value)), options)
            case op.DeleteRange():
                options = {**self._range_end(operation.range_end), **if_set(prev_kv=operation.prev_kv)}
                return Call("delete", (self._key(operation.key),), options)
        assert_never(operation)

    def _range_end(self, range_end: bytes) -> dict[str, Any]:
        return {"range_end": self._key(range_end)} if range_end else {}

    def _transact(self, operation: op.Txn) -> Any:
        """Raises NotImplementedError where it can't be put together, as with a comparison that there isn't."""
        try:
            compare, success, failure = self._parts(operation)
        except (AttributeError, TypeError) as error:
            raise NotImplementedError(str(error)) from error
        if self._methods.takes("transaction", _PARTS):
            return self._client.transaction(compare=compare, success=success, failure=failure)
        return self._client.transaction(compare, success, failure)

    def _parts(self, txn: op.Txn) -> tuple[list[Any], list[Any], list[Any]]:
        return (
            list(map(self._compare, txn.compare)),
            list(map(self._request_op, txn.success)),
            list(map(self._request_op, txn.failure)),
        )

    def _compare(self, compare: op.Compare) -> Any:
        subject = getattr(self._transactions, _COMPARE_TARGETS[op.CompareTarget(compare.target)])
        operand = self._value(compare.operand) if isinstance(compare.operand, bytes) else compare.operand
        return _COMPARE_RESULTS[compare.result](
            subject(self._key(compare.key), **self._range_end(compare.range_end)), operand
        )

    def _request_op(self, operation: op.RequestOp) -> Any:
        if isinstance(operation, op.Txn):
            return self._transactions.txn(*self._parts(operation))
        method, arguments, options = self._in_txn(operation)
        return getattr(self._transactions, method)(*arguments, **options)

    # Asking

    def _ask(self, operation: op.Operation, reading: Reading) -> Result:
        """Whatever the client raises is let through."""
        match operation:
            case op.LeaseRevoke() | op.LeaseKeepAlive() | op.LeaseTimeToLive() if self._speaks_for_itself(operation):
                return self._ask_lease(self._leases[operation.id], operation, reading)
        call = self._call(operation)
        if call is not None:
            answer = getattr(self._client, call.method)(*call.arguments, **call.options)
        elif isinstance(operation, op.Txn):
            return reading.txn(operation, self._transact(operation))
        else:
            raise NotExpressible(f"there is no method for {operation}")
        match operation:
            case op.Range():
                return reading.range(operation, answer)
            case op.Put():
                return reading.put(answer)
            case op.DeleteRange():
                return reading.delete(operation, answer)
            case op.Txn():
                reading.not_handed_on.add("responses")
                return TxnResult(self._no_header(reading), answer)
            case op.Compact():
                return CompactResult(self._no_header(reading))
            case op.LeaseGrant():
                granted = reading.lease(answer)
                if not operation.id:
                    self._leases[granted.id] = answer
                return granted
            case op.LeaseRevoke():
                return LeaseRevokeResult(self._no_header(reading))
            case op.LeaseKeepAlive():
                return reading.keep_alive(answer)
            case op.LeaseTimeToLive():
                return reading.time_to_live(answer)
        raise NotExpressible(f"there is no method for {operation}")

    def _speaks_for_itself(self, operation: _OfLease) -> bool:
        return operation.id in self._leases and OF_LEASES[type(operation)] in self._of_leases

    def _ask_lease(self, lease: Any, operation: _OfLease, reading: Reading) -> Result:
        match operation:
            case op.LeaseRevoke():
                lease.revoke()
                return LeaseRevokeResult(self._no_header(reading))
            case op.LeaseKeepAlive():
                return reading.keep_alive(lease.refresh())
            case op.LeaseTimeToLive():
                return reading.time_to_live_of(lease, operation.id)

    def _no_header(self, reading: Reading) -> int:
        """The revision in an answer that is none."""
        reading.not_handed_on.add("revision")
        return 0


def if_set(**options: Any) -> dict[str, Any]:
    """The options that are not the default."""
    return {name: value for name, value in options.items() if value}


def is_prefix(operation: op.Range | op.DeleteRange | op.WatchCreate) -> bool:
    """Whether the range is "all that starts with the key": by etcd's rule, the end of a prefix is the prefix with
    the last byte counted up that can be, and without what follows it. A key of 0xff alone has no such byte.
    """
    stem = operation.key.rstrip(b"\xff")
    return stem != b"" and operation.range_end == stem[:-1] + bytes([stem[-1] + 1])
