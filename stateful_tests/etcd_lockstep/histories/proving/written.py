"""Histories as tests write them: short, about two keys."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_lockstep.histories.checking import check
from etcd_lockstep.histories.history import Account, Call, History, Indefinite, Outcome
from etcd_lockstep.histories.verdicts import Anomaly, Linearizable, Verdict, Violated
from etcd_model import operations as op
from etcd_model.results import Event, KeyValue, PutResult, RangeResult, TxnResult

A, B = b"a", b"b"
LOST = Indefinite("UNAVAILABLE")


def call(client: int, start: int, end: int | None, operation: op.Operation, outcome: Outcome) -> Call:
    """A call in the order of time."""
    return Call(client, operation, start, end, outcome)


def kv(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> KeyValue:
    """A key-value."""
    return KeyValue(key, value, create, mod, version, lease)


def put(key: bytes, value: bytes, create: int, mod: int, version: int, lease: int = 0) -> Event:
    """The event of a put."""
    return Event(0, kv(key, value, create, mod, version, lease))


def deletion(key: bytes, mod: int) -> Event:
    """The event of a deletion."""
    return Event(1, kv(key, b"", 0, mod, 0))


def one(revision: int, *kvs: KeyValue) -> RangeResult:
    """What a read of these key-values is answered."""
    return RangeResult(revision, kvs, count=len(kvs))


def account(until: int, *events: Event) -> Account:
    """The store's account, asked for when all is over."""
    return Account(1000, until, events)


HISTORY = (
    call(1, 0, 10, op.Put(A, b"1"), PutResult(2)),
    call(1, 20, 30, op.Put(A, b"2"), PutResult(3)),
    call(1, 40, 50, op.Put(A, b"3"), PutResult(4)),
    call(1, 60, 70, op.Put(A, b"4"), PutResult(5)),
)
"""Four puts of one key, one after the other."""

TRANSFER = op.Txn((), (op.Put(A, b"1"), op.Put(B, b"1")))
TRANSFERRED = TxnResult(2, succeeded=True, responses=(PutResult(2), PutResult(2)))


def found(verdict: Verdict) -> Anomaly:
    """The first violation. Raises AssertionError where there is none."""
    assert isinstance(verdict, Violated), verdict
    return verdict.first.anomaly


def agreed(calls: Sequence[Call], account: Account | None = None) -> None:
    """Raises AssertionError where these calls are not linearizable."""
    verdict = check(History(calls, account=account))
    assert verdict == Linearizable(), verdict
