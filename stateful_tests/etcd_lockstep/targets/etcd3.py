"""The etcd3 client as a target: what its users can see of an etcd, through its public methods alone.

A difference between this target and the etcd behind it is the client's doing: an option that it takes
and doesn't send, an answer that it doesn't hand on, an error without its message. What a method
doesn't hand on at all (the header of a transaction, say) is 0 or absent in the result. What no
method can express is not sent; see `can_express`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import grpc

from etcd_lockstep.codec import decode
from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.target import BASIC, Target, TargetDied
from etcd_lockstep.targets.wire import Wire, empty_store
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.exhaustive import assert_never
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    KeyValue,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
    RangeResult,
    ResponseOp,
    Result,
    TxnResult,
)
from fake_etcd.compat.etcd3 import import_etcd3

_SORT_ORDERS = {op.SortOrder.NONE: None, op.SortOrder.ASCEND: "ascend", op.SortOrder.DESCEND: "descend"}
_SORT_TARGETS = {target: target.name.lower() for target in op.SortTarget}
_COMPARE_TARGETS = {
    op.CompareTarget.VERSION: "version",
    op.CompareTarget.CREATE: "create",
    op.CompareTarget.MOD: "mod",
    op.CompareTarget.VALUE: "value",
}
_COMPARE_RESULTS: dict[int, Callable[[Any, Any], Any]] = {
    op.CompareResult.EQUAL: operator.eq,
    op.CompareResult.GREATER: operator.gt,
    op.CompareResult.LESS: operator.lt,
    op.CompareResult.NOT_EQUAL: operator.ne,
}
_RANGE_OPTIONS = (
    "limit",
    "revision",
    "serializable",
    "keys_only",
    "count_only",
    "min_mod_revision",
    "max_mod_revision",
    "min_create_revision",
    "max_create_revision",
)
"""Those that etcd3's methods take as they are; the two for sorting it takes by name."""

_ANSWERED: dict[str, op.RequestOp] = {
    "response_put": op.Put(b""),
    "response_delete_range": op.DeleteRange(b""),
    "response_txn": op.Txn(),
}
"""What a response in a transaction's answer answers, as far as decoding it goes."""

_GET_ALL_OPTIONS = frozenset({"sort_order", "sort_target", "keys_only"})


class Etcd3Target(Target):
    """An etcd at an address, as a user of `etcd3.client(host, port)` sees it."""

    name = "etcd3"
    capabilities = BASIC - {"lease_leases"}

    def __init__(self, server: Access | str, timeout: float = 10) -> None:
        """`server`, or the HOST:PORT of one; a call without an answer is given up after `timeout` seconds."""
        access = Access(server) if isinstance(server, str) else server
        host, _, port = access.address.rpartition(":")
        self._etcd3 = import_etcd3()
        used = access.credentials
        files = {"ca_cert": used.cacert, "cert_key": used.key, "cert_cert": used.cert} if access.tls else {}
        login = {"user": used.user, "password": used.password} if used.user else {}
        options = {**{name: str(path) for name, path in files.items() if path is not None}, **login}
        self._client = self._etcd3.client(host, int(port), timeout=timeout, **options)
        self._channel = open_channel(access)
        self._wire = Wire(self._channel)

    def reset(self) -> int:
        """Empties the store over a channel of our own: what etcd3 makes of the calls is not the question here."""
        return empty_store(self._wire)

    def close(self) -> None:
        self._client.close()
        self._channel.close()

    def can_express(self, operation: op.Operation) -> bool:
        """Whether there is a public method of etcd3's that takes all that the operation says."""
        match operation:
            case op.Range():
                return _can_express_range(operation)
            case op.Put():
                return not (operation.ignore_value or operation.ignore_lease)
            case op.DeleteRange():
                return not operation.range_end or (_is_prefix(operation) and not operation.prev_kv)
            case op.Txn():
                return (
                    all(map(_can_express_compare, operation.compare))
                    and all(map(self._can_express_in_txn, operation.success))
                    and all(map(self._can_express_in_txn, operation.failure))
                )
            case op.LeaseTimeToLive():
                return operation.keys  # get_lease_info always asks for the keys
            case op.Compact() | op.LeaseGrant() | op.LeaseRevoke() | op.LeaseKeepAlive():
                return True
            case _:  # what it has no method for, and what it is not asked (see `capabilities`)
                return False

    def _can_express_in_txn(self, operation: op.RequestOp) -> bool:
        match operation:
            case op.Range():
                return operation == op.Range(operation.key, operation.range_end)
            case op.DeleteRange():
                return True
            case op.Put() | op.Txn():
                return self.can_express(operation)
        assert_never(operation)

    def apply(self, operation: op.Operation) -> Result:
        """Whatever etcd3 raises of its own (a TypeError, say) is its answer, and is let through."""
        exceptions = self._etcd3.exceptions
        try:
            return self._apply(operation)
        except (exceptions.ConnectionFailedError, exceptions.ConnectionTimeoutError) as error:
            raise TargetDied(str(error)) from error
        except exceptions.PreconditionFailedError as error:
            return Error(Code.FAILED_PRECONDITION, str(error))
        except exceptions.InternalServerError as error:
            return Error(Code.INTERNAL, str(error))
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call):
                raise
            if error.code() is grpc.StatusCode.CANCELLED:
                raise TargetDied(f"CANCELLED: {error.details()}") from error
            return Error(Code(error.code().value[0]), error.details() or "")

    def _apply(self, operation: op.Operation) -> Result:
        client = self._client
        match operation:
            case op.Range():
                return decode(operation, self._range(operation))
            case op.Put():
                answer = client.put(operation.key, operation.value, lease=operation.lease, prev_kv=operation.prev_kv)
                return decode(operation, answer)
            case op.DeleteRange():
                if operation.range_end:
                    return decode(operation, client.delete_prefix(operation.key))
                answer = client.delete(operation.key, prev_kv=operation.prev_kv, return_response=True)
                return decode(operation, answer)
            case op.Txn():
                txn = self._txn(operation)
                succeeded, responses = client.transaction(txn.compare, txn.success, txn.failure)
                return TxnResult(revision=0, succeeded=succeeded, responses=tuple(map(_response_op, responses)))
            case op.Compact():
                client.compact(operation.revision, physical=operation.physical)
                return CompactResult(revision=0)
            case op.LeaseGrant():
                lease = client.lease(operation.ttl, lease_id=operation.id or None)
                return LeaseGrantResult(revision=0, id=lease.id, ttl=lease.ttl)
            case op.LeaseRevoke():
                client.revoke_lease(operation.id)
                return LeaseRevokeResult(revision=0)
            case op.LeaseKeepAlive():
                (answer,) = client.refresh_lease(operation.id)
                return decode(operation, answer)
            case op.LeaseTimeToLive():
                return decode(operation, client.get_lease_info(operation.id))
            case _:
                raise NotImplementedError(f"etcd3 is not asked {operation}")

    def _range(self, operation: op.Range) -> Any:
        """The method that a user would take: the most special one that has all the options."""
        options: dict[str, Any] = {name: value for name in _RANGE_OPTIONS if (value := getattr(operation, name))}
        if operation.sort_order:
            options["sort_order"] = _SORT_ORDERS[op.SortOrder(operation.sort_order)]
        if operation.sort_target:
            options["sort_target"] = _SORT_TARGETS[op.SortTarget(operation.sort_target)]

        if not operation.range_end:
            return self._client.get_response(operation.key, **options)
        if operation.key == operation.range_end == b"\0" and not options.keys() - _GET_ALL_OPTIONS:
            return self._client.get_all_response(**options)
        if _is_prefix(operation):
            return self._client.get_prefix_response(operation.key, **options)
        return self._client.get_range_response(operation.key, operation.range_end, **options)

    def _txn(self, txn: op.Txn) -> Any:
        """An `etcd3.transactions.Txn`: what nests, and what `transaction` takes in three parts."""
        return self._client.transactions.txn(
            [self._compare(compare) for compare in txn.compare],
            [self._request_op(operation) for operation in txn.success],
            [self._request_op(operation) for operation in txn.failure],
        )

    def _compare(self, compare: op.Compare) -> Any:
        subject = getattr(self._client.transactions, _COMPARE_TARGETS[op.CompareTarget(compare.target)])
        return _COMPARE_RESULTS[compare.result](subject(compare.key, compare.range_end or None), compare.operand)

    def _request_op(self, operation: op.RequestOp) -> Any:
        transactions = self._client.transactions
        match operation:
            case op.Range():
                return transactions.get(operation.key, operation.range_end or None)
            case op.Put():
                return transactions.put(operation.key, operation.value, operation.lease, operation.prev_kv)
            case op.DeleteRange():
                return transactions.delete(operation.key, operation.range_end or None, operation.prev_kv)
            case op.Txn():
                return self._txn(operation)
        assert_never(operation)


def _can_express_range(operation: op.Range) -> bool:
    """A single key is read by `get`, which has one option and refuses the others."""
    if not operation.range_end:
        return operation == op.Range(operation.key, serializable=operation.serializable)
    return operation.sort_order in _SORT_ORDERS and operation.sort_target in _SORT_TARGETS


def _can_express_compare(compare: op.Compare) -> bool:
    """There is nothing that compares a lease."""
    return (
        compare.target in _COMPARE_TARGETS
        and compare.result in _COMPARE_RESULTS
        and isinstance(compare.operand, bytes) == (compare.target == op.CompareTarget.VALUE)
    )


def _is_prefix(operation: op.Range | op.DeleteRange) -> bool:
    """Whether the range is "all that starts with the key": by etcd's rule, the end of a prefix is the prefix with
    the last byte counted up that can be, and without what follows it. A key of 0xff alone has no such byte.
    """
    stem = operation.key.rstrip(b"\xff")
    return stem != b"" and operation.range_end == stem[:-1] + bytes([stem[-1] + 1])


def _response_op(response: Any) -> ResponseOp:
    """A read comes as (value, metadata) pairs, without `count` and `more`; what else there is comes as etcd sent it."""
    if isinstance(response, list):
        kvs = tuple(
            KeyValue(meta.key, value, meta.create_revision, meta.mod_revision, meta.version, meta.lease_id)
            for value, meta in response
        )
        return RangeResult(revision=response[0][1].response_header.revision if response else 0, kvs=kvs)
    kind = response.WhichOneof("response")
    result = decode(_ANSWERED[kind], getattr(response, kind))
    assert isinstance(result, PutResult | DeleteRangeResult | TxnResult)
    return result
