"""The traces of lies about transactions."""

from __future__ import annotations

from etcd_lockstep.trace import UNKNOWN_LEASE, Trace
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Put, Range, Txn

PUT = Put(b"a", b"1")
A_IS_ABSENT = Compare(b"a", CompareTarget.VERSION, CompareResult.EQUAL, 0)
A_IS_THERE = Compare(b"a", CompareTarget.VERSION, CompareResult.NOT_EQUAL, 0)
B_IS_ABSENT = Compare(b"b", CompareTarget.VERSION, CompareResult.EQUAL, 0)

TXN: dict[str, Trace] = {
    "only-first-compare": (Txn((A_IS_ABSENT, A_IS_THERE)),),
    "last-compare-wins": (Txn((A_IS_THERE, A_IS_ABSENT)),),
    "operator-ignored": (Txn((A_IS_THERE,)),),
    "target-ignored": (Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, b"1"),)),),
    "missing-value-compares-as-empty": (Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.EQUAL, b""),)),),
    "values-compared-as-numbers": (
        Put(b"a", b"2"),
        Txn((Compare(b"a", CompareTarget.VALUE, CompareResult.LESS, b"10"),)),
    ),
    "zero-compare-on-absent-fails": (Txn((A_IS_ABSENT,)),),
    "range-compare-over-nothing": (Txn((Compare(b"a", CompareTarget.VERSION, CompareResult.NOT_EQUAL, 0, b"b"),)),),
    "empty-compare-fails": (Txn(),),
    "failed-compare-raises": (Txn((A_IS_THERE,)),),
    "else-dropped": (Txn((A_IS_THERE,), failure=(PUT,)),),
    "then-handles-only-put": (Txn(success=(DeleteRange(b"a"),)),),
    "txn-responses-missing": (Txn(success=(PUT,)),),
    "txn-responses-doubled": (Txn(success=(PUT,)),),
    "duplicate-key-accepted": (Txn(success=(PUT, PUT)),),
    "txn-not-rolled-back": (Txn(success=(PUT, Put(b"b", lease=UNKNOWN_LEASE))), Range(b"a")),
    "too-many-ops-accepted": (Txn(success=(Range(b"a"),) * 129),),
    "no-read-your-writes": (Txn(success=(PUT, Range(b"a"))),),
}
