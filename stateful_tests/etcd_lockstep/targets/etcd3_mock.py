"""A mock of the etcd3 client as a target: whatever of the client's methods it has is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any
from unittest.mock import NonCallableMock

from etcd_lockstep.names import operation_name
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.shapes import CLIENT_TXNS
from etcd_lockstep.target import Target, described
from etcd_lockstep.targets.etcd3_answers import Reading
from etcd_lockstep.targets.etcd3_calls import OF_LEASES
from etcd_lockstep.targets.etcd3_methods import Methods
from etcd_lockstep.targets.etcd3_watches import WATCHES, Etcd3Watches
from etcd_lockstep.targets.unimplemented import Unimplemented
from etcd_lockstep.trace import Symbol
from etcd_model import operations as op
from etcd_model.errors import Code, Error
from etcd_model.results import AdvanceResult, RangeResult, Result
from fake_etcd.compat.etcd3 import import_etcd3

_METHODS = {
    "range": ("get", "get_prefix", "get_range", "get_all"),
    "put": ("put",),
    "delete_range": ("delete", "delete_prefix"),
    "txn": ("transaction", "put_if_not_exists", "replace"),
    "compact": ("compact",),
    "lease_grant": ("lease",),
    "lease_revoke": ("revoke_lease",),
    "lease_keep_alive": ("refresh_lease",),
    "lease_time_to_live": ("get_lease_info",),
}
"""By operation: the methods that say it, some of them in one form only."""

_TEXT = ((True, True), (True, False), (False, False))
"""Whether keys, and whether values, are given as text: the first of these that a mock takes. Programs mostly pass text,
and etcd3 takes both."""

_A, _B, _VALUE = b"a", b"b", b"1"
_ABSENT = op.Compare(_A, op.CompareTarget.CREATE, op.CompareResult.EQUAL, 0)
_UNCHANGED = op.Compare(_A, op.CompareTarget.VALUE, op.CompareResult.EQUAL, _VALUE)
_SHORT_TXNS = (
    op.Txn((_ABSENT,), (op.Put(_A, _VALUE),)),
    op.Txn((_ABSENT,), (op.Put(_A, _VALUE, lease=1),)),
    op.Txn((_UNCHANGED,), (op.Put(_A, b"2"),)),
)
"""`put_if_not_exists`, without a lease and with one, and `replace`."""

_FIRST_OPERATIONS: tuple[op.Operation, ...] = (
    op.Put(_A, _VALUE),
    op.Range(_A),
    op.Range(_A, b"b"),
    op.Range(_A, b"c"),
    *(txn for txn in _SHORT_TXNS if not any(getattr(put, "lease", 0) for put in txn.success)),
    op.Txn((_ABSENT,), (op.Put(_A, _VALUE),), (op.Range(_A),)),
    op.DeleteRange(_A, b"b"),
    op.DeleteRange(_A),
)
"""What shows whether a mock takes text."""

_NO_METHOD = "etcd_lockstep_asks_whether_it_has_everything"


class UnfitClient(ValueError):
    """What can't stand in for an etcd3 client, with a line that says why."""


class Etcd3Mock(Etcd3Watches):
    """A mock of `etcd3.Etcd3Client`: `Etcd3Mock(MyClient)`, where `MyClient()` is a new client with an empty store.

    Every sequence runs on a client of its own. If clients have a method `reset`, it is called on each new one; if they
    have `close`, it is called on each that is done with. Leases expire in real time, unless clients have a method
    `advance`, which is given seconds.
    """

    def __init__(self, factory: Callable[[], Any]) -> None:
        """`factory` makes a client when it is called without arguments. Raises `UnfitClient`."""
        super().__init__()
        self._factory = factory
        self._as_text = _TEXT[0]
        self._takes_lease_ids = True
        self._unimplemented = Unimplemented()
        self._client = None
        self._renew()
        self._learn_methods()
        self._of_leases = self._learn_leases()
        self.name = getattr(type(self), "name", "") or self._name()
        self.capabilities = self._known()
        if not self.capabilities:
            is_mock = isinstance(self._client, NonCallableMock)
            why = (
                "none of whose methods has a side_effect" if is_mock else "which has none of the etcd3 client's methods"
            )
            raise UnfitClient(f"{self._called} made {type(self._client).__name__}, {why}")
        self.real_time = not self._methods.takes("advance")
        self._as_text = next((one for one in _TEXT if self._takes_text(*one)), _TEXT[0])
        self.keys = type(self).keys or tuple(filter(self._can_say, KEYS))  # type: ignore[misc]  # one instance's
        self.txns = type(self).txns or tuple(filter(super().can_express, (*_SHORT_TXNS, *CLIENT_TXNS)))  # type: ignore[misc]  # as above
        self._base = self._first_revision()
        self._refuse_shared_store()
        if self._learn_watches():
            self.capabilities |= WATCHES

    def reset(self) -> int | None:
        self._renew()
        if self._methods.takes("compact"):
            with suppress(Exception):  # every other store of the run is compacted at its first revision
                self._client.compact(1 if self._base is None else self._base)
        return self._base

    def close(self) -> None:
        close = _method(self._client, "close")
        if close is not None:
            close()

    def can_express(self, operation: op.Operation) -> bool:
        """Whether the mock has a method that takes all that the operation says, and did not refuse the like before."""
        if isinstance(operation, op.Advance):
            return True
        return (
            all(map(self._can_say, _parts(operation)))  # before it is put into the mock's words
            and super().can_express(operation)
            and self._unimplemented.may_send(operation)
        )

    def apply(self, operation: op.Operation) -> Result:
        """An exception of gRPC's or of etcd3's is etcd's error. Raises `NotExpressible` where the mock raises
        NotImplementedError, or takes no such option after all."""
        reading = Reading()
        try:
            if isinstance(operation, op.Advance):
                self._client.advance(operation.seconds)
                return AdvanceResult()
            result = self._ask(operation, reading)
        except Exception as error:
            reading = Reading()
            refused = _not_implemented(error) or reading.error(error)
            if refused is None:
                raise
            result = refused
        finally:
            self.not_handed_on = frozenset(reading.not_handed_on)
        self._unimplemented.learn(operation, result)
        return result

    def _key(self, key: bytes) -> Any:
        return key.decode() if self._as_text[0] else key

    def _value(self, value: bytes) -> Any:
        return value.decode() if self._as_text[1] else value

    def _can_say(self, part: Any) -> bool:
        """Whether it is given text that is text, and a lease's id where it takes ids."""
        if isinstance(part, bytes):
            return not any(self._as_text) or _is_text(part)
        return self._takes_lease_ids or part in self._leases

    # Clients

    @property
    def _called(self) -> str:
        return f"{getattr(self._factory, '__name__', type(self._factory).__name__)}()"

    def _renew(self) -> None:
        try:
            client = self._factory()
        except Exception as error:
            raise UnfitClient(f"{self._called} raised {described(error)}") from error
        if client is None:
            raise UnfitClient(f"{self._called} returned None, and should make a client")
        if isinstance(client, Target):
            raise UnfitClient(f"{self._called} made {type(client).__name__}, which is a target already, and no client")
        if not isinstance(client, NonCallableMock) and callable(getattr(client, _NO_METHOD, None)):
            raise UnfitClient(f"{self._called} made {type(client).__name__}, which has every method that one asks for")
        reset = _method(client, "reset")
        if reset is not None:
            reset()
        if self._client is not None and self._client is not client:
            self.close()
        self._use(client)
        if _method(client, "transaction") and (
            self._transactions is None or isinstance(self._transactions, NonCallableMock)
        ):
            self._transactions = _etcd3s_transactions()

    def _name(self) -> str:
        named = self._factory if isinstance(self._client, NonCallableMock) else type(self._client)
        return getattr(named, "__name__", "etcd3-mock").strip("<>")

    # What a client can do

    def _known(self) -> frozenset[str]:
        known = {
            name
            for name, methods in _METHODS.items()
            if self._methods.any_of(*methods, *(f"{method}_response" for method in methods))
        }
        known |= {operation_name(kind) for kind, name in OF_LEASES.items() if name in self._of_leases}
        return frozenset(known | {"advance"} if "lease_grant" in known else known)

    def _learn_leases(self) -> frozenset[str]:
        """What the object that `lease` returns has. Finds out besides whether a put takes the id alone."""
        if not self._methods.takes("lease"):
            return frozenset()
        with suppress(Exception):
            lease = self._client.lease(60)
            if self._methods.takes("put", ("lease",)):
                try:
                    self._client.put(self._key(_A), self._value(_VALUE), lease=getattr(lease, "id", lease))
                except (AttributeError, TypeError):
                    self._takes_lease_ids = False
            return frozenset(name for name in OF_LEASES.values() if _has(lease, name))
        return frozenset()

    def _takes_text(self, keys: bool, values: bool) -> bool:
        self._as_text = keys, values
        self._renew()
        for operation in _FIRST_OPERATIONS:
            if super().can_express(operation):
                try:
                    self._ask(operation, Reading())
                except (AttributeError, TypeError):
                    return False
                except Exception:  # it will be found again as the answer to a step
                    continue
        return True

    def _first_revision(self) -> int | None:
        """The revision of an empty store, by those of the first two keys; None where these don't show it."""
        self._renew()
        revisions: list[int] = []
        for key in (_A, _B):
            with suppress(Exception):
                self._ask(op.Put(key, _VALUE), Reading())
                read = self._ask(op.Range(key), reading := Reading())
                if isinstance(read, RangeResult) and read.kvs and "kvs.mod_revision" not in reading.not_handed_on:
                    revisions.append(read.kvs[0].mod_revision)
        match revisions:
            case [first, second] if 0 < first == second - 1:
                return first - 1
        return None

    def _refuse_shared_store(self) -> None:
        """The client before has put a key, if it can."""
        self._renew()
        left = None
        with suppress(Exception):
            left = self._ask(op.Range(_A), Reading())
        if "put" in self.capabilities and isinstance(left, RangeResult) and left.kvs:
            raise UnfitClient(
                f"{self._called} makes clients that are not empty: each needs a store of its own, or a method reset()"
            )


def _method(client: Any, name: str) -> Callable[..., Any] | None:
    return getattr(client, name) if Methods(client).takes(name) else None


def _has(lease: Any, name: str) -> bool:
    """Whether there is such a member, and there is what it needs: etcd3's own `Lease` asks its client."""
    try:
        member = getattr(lease, name)
        if callable(member):
            member()
    except (AttributeError, NotImplementedError):
        return False
    except Exception:  # it will be found again as the answer to a step
        return True
    return True


def _not_implemented(error: Exception) -> Error | None:
    """Python's ways of saying that there is no such method or option."""
    is_option = isinstance(error, TypeError) and "unexpected keyword argument" in str(error)
    return Error(Code.UNIMPLEMENTED, str(error)) if is_option or isinstance(error, NotImplementedError) else None


def _is_text(part: bytes) -> bool:
    try:
        part.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parts(value: Any, name: str = "") -> Iterator[Any]:
    """The bytes in an operation, and the leases that are no symbols."""
    if isinstance(value, Symbol):
        return
    if isinstance(value, tuple):
        for one in value:
            yield from _parts(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _parts(getattr(value, field.name), field.name)
    elif isinstance(value, bytes) or (name == "lease" and isinstance(value, int) and value):
        yield value


@cache
def _etcd3s_transactions() -> Any:
    try:
        return import_etcd3().Transactions()
    except ImportError as error:
        raise UnfitClient(f"a transaction without transactions of its own takes etcd3's, and {error}") from error
