"""Compares: what they hold against what, and what they make of keys that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import Transcript, says
from etcd_model.operations import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    Operation,
    Put,
    Range,
    Txn,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    DeleteRangeResult,
    LeaseGrantResult,
    PutResult,
    RangeResult,
    Result,
    TxnResult,
)

EQUAL, GREATER, LESS, NOT_EQUAL = (
    CompareResult.EQUAL,
    CompareResult.GREATER,
    CompareResult.LESS,
    CompareResult.NOT_EQUAL,
)
VERSION, CREATE, MOD, VALUE, LEASE = (
    CompareTarget.VERSION,
    CompareTarget.CREATE,
    CompareTarget.MOD,
    CompareTarget.VALUE,
    CompareTarget.LEASE,
)

AT_LEASE_7 = (
    (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
    (Put(b"o"), PutResult(2)),
    (Put(b"a", b"1", lease=7), PutResult(3)),
    (Put(b"a", b"m", lease=7), PutResult(4)),
)
"""a is at version 2, created at the revision after step 3, modified at that after step 4; its value is m."""


def verdicts(revision: int, cases: Iterable[tuple[Compare, bool]]) -> Iterator[tuple[Operation, Result]]:
    """Each compare in a txn of its own, and whether it held."""
    for compare, held in cases:
        yield Txn((compare,)), TxnResult(revision, held)


def each_way(
    key: bytes, target: int, below: int | bytes, equal: int | bytes, above: int | bytes, range_end: bytes = b""
) -> Iterator[tuple[Compare, bool]]:
    """Every result against an operand below, at and above the actual value."""
    for operand, true in ((below, (GREATER, NOT_EQUAL)), (equal, (EQUAL,)), (above, (LESS, NOT_EQUAL))):
        for result in CompareResult:
            yield Compare(key, target, result, operand, range_end), result in true


def _existing() -> Iterator[Transcript]:
    operands: dict[CompareTarget, tuple[int | bytes, int | bytes, int | bytes]] = {
        VERSION: (1, 2, 3),
        CREATE: (RevisionAt(3, -1), RevisionAt(3), RevisionAt(3, 1)),
        MOD: (RevisionAt(4, -1), RevisionAt(4), RevisionAt(4, 1)),
        VALUE: (b"l", b"m", b"ma"),
        LEASE: (6, 7, 8),
    }
    for target, (below, equal, above) in operands.items():
        yield says(
            f"a compare of the {target.name.lower()} of a key holds as one would think",
            *AT_LEASE_7,
            *verdicts(4, each_way(b"a", target, below, equal, above)),
        )


_MISSING = (
    says(
        "versions, revisions and leases of a key that is not there compare as 0",
        *verdicts(1, (case for target in (VERSION, CREATE, MOD, LEASE) for case in each_way(b"k", target, -1, 0, 1))),
    ),
    says(
        "the value of a key that is not there compares as false, whatever is asked, even whether it is different",
        *verdicts(
            1, ((Compare(b"k", VALUE, result, operand), False) for result in CompareResult for operand in (b"", b"1"))
        ),
    ),
    says(
        "the value of a key that is there may be empty, and then equals nothing but that",
        (Put(b"k"), PutResult(2)),
        *verdicts(
            2,
            (
                (Compare(b"k", VALUE, EQUAL, b""), True),
                (Compare(b"k", VALUE, NOT_EQUAL, b""), False),
                (Compare(b"k", VALUE, LESS, b"1"), True),
            ),
        ),
    ),
    says(
        "a key that was deleted compares as one that never was",
        (Put(b"k", b"1"), PutResult(2)),
        (DeleteRange(b"k"), DeleteRangeResult(3, 1)),
        *verdicts(
            3,
            (
                (Compare(b"k", VERSION, EQUAL, 0), True),
                (Compare(b"k", MOD, EQUAL, 0), True),
                (Compare(b"k", VALUE, NOT_EQUAL, b"1"), False),
            ),
        ),
    ),
    says(
        "a key without a lease has lease 0",
        (Put(b"k", b"1"), PutResult(2)),
        *verdicts(2, each_way(b"k", LEASE, -1, 0, 1)),
    ),
)

_RANGES = (
    says(
        "a compare over a range must hold for every key in it",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"b", b"1"), PutResult(3)),
        (Put(b"c", b"2"), PutResult(4)),
        *verdicts(
            4,
            (
                (Compare(b"a", VALUE, EQUAL, b"1", b"c"), True),
                (Compare(b"a", VALUE, EQUAL, b"1", b"d"), False),
                (Compare(b"a", VALUE, EQUAL, b"1", FROM_KEY), False),
                (Compare(b"a", VALUE, NOT_EQUAL, b"1", b"d"), False),
                (Compare(b"a", VERSION, EQUAL, 1, FROM_KEY), True),
                (Compare(b"a", CREATE, LESS, RevisionAt(3), b"c"), True),
                (Compare(b"a", CREATE, LESS, RevisionAt(3), b"d"), False),
                (Compare(b"c", VALUE, EQUAL, b"2", FROM_KEY), True),
            ),
        ),
    ),
    says(
        "a compare over a range with no key in it is one of a key that is not there",
        (Put(b"b", b"1"), PutResult(2)),
        *verdicts(
            2,
            (
                (Compare(b"c", VERSION, EQUAL, 0, b"z"), True),
                (Compare(b"c", VERSION, GREATER, 0, b"z"), False),
                (Compare(b"c", CREATE, LESS, 1, FROM_KEY), True),
                (Compare(b"c", VALUE, NOT_EQUAL, b"1", b"z"), False),
                # The range is inverted, so that b is not in it.
                (Compare(b"c", MOD, EQUAL, 0, b"a"), True),
                (Compare(b"b", VERSION, EQUAL, 0, b"b"), True),
                (Compare(b"b", VERSION, EQUAL, 0, b"\x00\x00"), True),
                (Compare(b"b", VALUE, EQUAL, b"1", b"a"), False),
            ),
        ),
    ),
)

_ODD = (
    says(
        "an unknown result holds, but not for a value that is not there",
        (Put(b"k", b"1"), PutResult(2)),
        *verdicts(
            2,
            (
                (Compare(b"k", VERSION, 4, 99), True),
                (Compare(b"k", VALUE, -1, b"other"), True),
                (Compare(b"none", VERSION, 4, 99), True),
                (Compare(b"none", VALUE, 4, b""), False),
            ),
        ),
    ),
    says(
        "numbers compare with their sign",
        (LeaseGrant(60, id=-5), LeaseGrantResult(1, -5, 60)),
        (Put(b"k", lease=-5), PutResult(2)),
        *verdicts(2, each_way(b"k", LEASE, -6, -5, 5)),
    ),
)

_TREES = (
    says(
        "without compares a txn succeeds, with several all must hold",
        (Txn(), TxnResult(1, True)),
        (Put(b"a", b"1"), PutResult(2)),
        (Txn((Compare(b"a", VALUE, EQUAL, b"1"), Compare(b"b", VERSION, EQUAL, 0))), TxnResult(2, True)),
        (Txn((Compare(b"a", VALUE, EQUAL, b"1"), Compare(b"b", VERSION, GREATER, 0))), TxnResult(2, False)),
        (Txn((Compare(b"a", VALUE, EQUAL, b"2"), Compare(b"b", VERSION, EQUAL, 0))), TxnResult(2, False)),
    ),
    says(
        "a nested compare is of the state before the whole txn",
        (Put(b"a", b"1"), PutResult(2)),
        (
            Txn(
                success=(
                    Put(b"a", b"2"),
                    Txn((Compare(b"a", VALUE, EQUAL, b"1"),), (Range(b"x"),)),
                    Txn((Compare(b"a", VALUE, EQUAL, b"2"),), (Range(b"x"),)),
                )
            ),
            TxnResult(3, True, (PutResult(3), TxnResult(0, True, (RangeResult(3),)), TxnResult(0, False))),
        ),
        (
            Txn(
                success=(
                    DeleteRange(b"a"),
                    Txn((Compare(b"a", VERSION, EQUAL, 2),)),
                    Txn(success=(Txn((Compare(b"a", VERSION, EQUAL, 0),)),)),
                )
            ),
            TxnResult(
                4,
                True,
                (DeleteRangeResult(4, 1), TxnResult(0, True), TxnResult(0, True, (TxnResult(0, False),))),
            ),
        ),
    ),
)

COMPARES = (*_existing(), *_MISSING, *_RANGES, *_ODD, *_TREES)
