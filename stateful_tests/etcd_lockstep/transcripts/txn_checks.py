"""Why a txn is refused: its structure first, then what the path that is taken needs of the store."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import Since, kv, says
from etcd_model.errors import (
    COMPACTED,
    DUPLICATE_KEY,
    EMPTY_KEY,
    FUTURE_REVISION,
    INVALID_SORT_OPTION,
    KEY_NOT_FOUND,
    LEASE_NOT_FOUND,
    LEASE_PROVIDED,
    TOO_MANY_OPS,
    VALUE_PROVIDED,
)
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    Put,
    Range,
    Txn,
)
from etcd_model.results import (
    CompactResult,
    LeaseGrantResult,
    PutResult,
    RangeResult,
    TxnResult,
)

NOWHERE = 404
MOST = 128
"""etcd's default --max-txn-ops."""

A1 = (Put(b"a", b"1"), PutResult(2))
A = kv(b"a", b"1", 2, 2, 1)
READ = Range(b"r")
NOTHING = RangeResult(1)
EXISTS = Compare(b"r", CompareTarget.VERSION, CompareResult.GREATER, 0)
"""False throughout: nobody writes r."""
ABSENT = Compare(b"r", CompareTarget.VERSION, CompareResult.EQUAL, 0)
KEYLESS = Compare(b"", CompareTarget.VERSION, CompareResult.EQUAL, 0)

_SIZES = (
    says(
        "128 operations are not too many, 129 are, in either branch",
        (Txn(success=(READ,) * MOST), TxnResult(1, True, (NOTHING,) * MOST)),
        (Txn(failure=(READ,) * MOST), TxnResult(1, True)),
        (Txn(success=(READ,) * (MOST + 1)), TOO_MANY_OPS),
        (Txn(failure=(READ,) * (MOST + 1)), TOO_MANY_OPS),
    ),
    says(
        "128 compares are not too many, 129 are",
        (Txn((ABSENT,) * MOST), TxnResult(1, True)),
        (Txn((ABSENT,) * (MOST + 1)), TOO_MANY_OPS),
    ),
    says(
        "compares and branches are counted each for itself, not together",
        (
            Txn((ABSENT,) * MOST, (READ,) * MOST, (READ,) * MOST),
            TxnResult(1, True, (NOTHING,) * MOST),
        ),
    ),
    says(
        "what is nested shares the budget with what it is nested in, and not with its siblings",
        (
            Txn(success=(Txn(success=(READ,) * 64),) * 64),
            TxnResult(1, True, (TxnResult(0, True, (NOTHING,) * 64),) * 64),
        ),
        (Txn(success=(Txn(success=(READ,) * 65),) * 64), TOO_MANY_OPS),
        (
            Txn(success=(Txn(success=(READ,) * 65),) * 63),
            TxnResult(1, True, (TxnResult(0, True, (NOTHING,) * 65),) * 63),
        ),
    ),
    says(
        "the longest list of a level is spent, be it that of the compares",
        (Txn((ABSENT,) * 127, (Txn(success=(READ,)),)), TxnResult(1, True, (TxnResult(0, True, (NOTHING,)),))),
        (Txn((ABSENT,) * 128, (Txn(success=(READ,)),)), TOO_MANY_OPS),
    ),
    says(
        "beside 127 others a nested txn may be there, if it is empty",
        (Txn(success=(Txn(),) * MOST), TxnResult(1, True, (TxnResult(0, True),) * MOST)),
        (Txn(success=(*(Txn(),) * (MOST - 1), Txn(success=(READ,)))), TOO_MANY_OPS),
    ),
)

_STRUCTURE = (
    says(
        "every operation in a txn is held to its own rules, in the branch that is not taken too",
        *(
            step
            for bad, error in (
                (Range(b""), EMPTY_KEY),
                (Put(b"", b"1"), EMPTY_KEY),
                (DeleteRange(b""), EMPTY_KEY),
                (Put(b"a", b"1", ignore_value=True), VALUE_PROVIDED),
                (Put(b"a", lease=7, ignore_lease=True), LEASE_PROVIDED),
                (Txn(success=(Put(b""),)), EMPTY_KEY),
                (Txn(failure=(Put(b""),)), EMPTY_KEY),
                (Txn((KEYLESS,)), EMPTY_KEY),
            )
            for step in ((Txn(success=(bad,)), error), (Txn(failure=(bad,)), error))
        ),
        (Txn((KEYLESS,)), EMPTY_KEY),
    ),
    says(
        "a txn that is too large is refused before what is in it is looked at",
        (Txn((KEYLESS,) * (MOST + 1)), TOO_MANY_OPS),
        (Txn(success=(Put(b""),) * (MOST + 1)), TOO_MANY_OPS),
    ),
    says(
        "compares are looked at before operations, success before failure, each in order",
        (Txn((KEYLESS,), (Put(b"a", b"1", ignore_value=True),)), EMPTY_KEY),
        (Txn(success=(Put(b"a", b"1", ignore_value=True),), failure=(Put(b""),)), VALUE_PROVIDED),
        (Txn(success=(Put(b""), Put(b"a", b"1", ignore_value=True))), EMPTY_KEY),
        (Txn(success=(Put(b"a", b"1", ignore_value=True), Put(b""))), VALUE_PROVIDED),
        (
            Txn(success=(Txn(success=(Put(b""),)), Put(b"a", b"1", ignore_value=True))),
            EMPTY_KEY,
        ),
        (
            Txn(success=(Put(b"a", b"1", ignore_value=True), Txn(success=(Put(b""),)))),
            VALUE_PROVIDED,
        ),
    ),
    says(
        "a key written twice is found after everything that is wrong with single operations",
        (Txn(success=(Put(b"a"), Put(b"a")), failure=(Put(b""),)), EMPTY_KEY),
        (Txn(success=(Put(b"a"), Put(b"a"), Put(b"b", lease=NOWHERE))), DUPLICATE_KEY),
        (Txn(success=(Put(b"a", ignore_value=True), Put(b"a"))), DUPLICATE_KEY),
        (Txn((EXISTS,), (Put(b"a"), Put(b"a"))), DUPLICATE_KEY),
        (Txn(success=(Range(b"a", revision=RevisionAt(0, 9)), Put(b"a"), Put(b"a"))), DUPLICATE_KEY),
    ),
    says(
        "an unknown sort order in a txn is ignored, and from 3.6 on refused",
        A1,
        (
            Txn(success=(Range(b"a", sort_order=7),)),
            Since("sort_options_validated", TxnResult(2, True, (RangeResult(2, (A,), count=1),)), INVALID_SORT_OPTION),
        ),
        (
            Txn(failure=(Range(b"a", sort_order=7),)),
            Since("sort_options_validated", TxnResult(2, True), INVALID_SORT_OPTION),
        ),
    ),
    says(
        "an unknown sort target in a txn is refused, taken or not",
        (Txn(success=(Range(b"a", sort_target=5),)), INVALID_SORT_OPTION),
        (Txn(failure=(Range(b"a", sort_target=5),)), INVALID_SORT_OPTION),
        (Txn(success=(Txn(success=(Range(b"a", sort_target=-1),)),)), INVALID_SORT_OPTION),
        needs="sort_options_validated",
    ),
)

_TAKEN = (
    says(
        "a put in a txn needs its lease and its key, on the path that is taken",
        A1,
        (Txn(success=(Put(b"b", lease=NOWHERE),)), LEASE_NOT_FOUND),
        (Txn(success=(Put(b"b", ignore_value=True),)), KEY_NOT_FOUND),
        (Txn(success=(Put(b"b", ignore_lease=True),)), KEY_NOT_FOUND),
        (Txn(success=(Put(b"a", ignore_value=True, ignore_lease=True),)), TxnResult(3, True, (PutResult(3),))),
        (Txn((EXISTS,), failure=(Put(b"b", lease=NOWHERE),)), LEASE_NOT_FOUND),
        (Txn(success=(Txn(success=(Put(b"b", lease=NOWHERE),)),)), LEASE_NOT_FOUND),
    ),
    says(
        "what is on the other path is never missed",
        (Txn(failure=(Put(b"b", lease=NOWHERE), Put(b"c", ignore_value=True))), TxnResult(1, True)),
        (Txn((EXISTS,), (Put(b"b", lease=NOWHERE),)), TxnResult(1, False)),
        (Txn(failure=(Range(b"a", revision=RevisionAt(0, 9)),)), TxnResult(1, True)),
        (
            Txn(success=(Txn((EXISTS,), (Put(b"b", lease=NOWHERE),)),)),
            TxnResult(1, True, (TxnResult(0, False),)),
        ),
    ),
    says(
        "a txn that is refused leaves nothing behind",
        A1,
        (Txn(success=(Put(b"a", b"2"), DeleteRange(b"b"), Put(b"c", lease=NOWHERE))), LEASE_NOT_FOUND),
        (Txn(success=(Put(b"a", b"2"), Range(b"a", revision=RevisionAt(0, 9)))), FUTURE_REVISION),
        (Range(b"a", b"z"), RangeResult(2, (A,), count=1)),
    ),
    says(
        "a put in a txn looks for its key before its lease, and from 3.7 on the other way round",
        (
            Txn(success=(Put(b"a", lease=NOWHERE, ignore_value=True),)),
            Since("txn_put_checks_lease_first", KEY_NOT_FOUND, LEASE_NOT_FOUND),
        ),
        (Put(b"a", lease=NOWHERE, ignore_value=True), LEASE_NOT_FOUND),
        A1,
        (Txn(success=(Put(b"a", lease=NOWHERE, ignore_value=True),)), LEASE_NOT_FOUND),
        (LeaseGrant(60, id=7), LeaseGrantResult(2, 7, 60)),
        (Txn(success=(Put(b"b", lease=7, ignore_value=True),)), KEY_NOT_FOUND),
    ),
    says(
        "among several puts the first that fails is reported",
        (Txn(success=(Put(b"a", lease=NOWHERE), Put(b"b", ignore_value=True))), LEASE_NOT_FOUND),
        (Txn(success=(Put(b"a", ignore_value=True), Put(b"b", lease=NOWHERE))), KEY_NOT_FOUND),
        (
            Txn(success=(Txn(success=(Put(b"a", lease=NOWHERE),)), Put(b"b", ignore_value=True))),
            LEASE_NOT_FOUND,
        ),
    ),
    says(
        "the revision after the txn's own writes is still the future",
        A1,
        (Txn(success=(Put(b"a", b"2"), Range(b"a", revision=RevisionAt(1, 1)))), FUTURE_REVISION),
        (
            Txn(success=(Put(b"a", b"2"), Range(b"a", revision=RevisionAt(1)))),
            TxnResult(3, True, (PutResult(3), RangeResult(3, (A,), count=1))),
        ),
    ),
    says(
        "a read-only txn is held to revisions as any other",
        A1,
        (Put(b"a", b"2"), PutResult(3)),
        (Compact(RevisionAt(2)), CompactResult(3)),
        (Txn(success=(Range(b"a", revision=RevisionAt(2, 1)),)), FUTURE_REVISION),
        (Txn(success=(Range(b"a", revision=RevisionAt(1)),)), COMPACTED),
        (Txn(success=(Range(b"nothing", revision=RevisionAt(1), count_only=True),)), COMPACTED),
        (
            Txn(success=(Range(b"a", revision=RevisionAt(2)),)),
            TxnResult(3, True, (RangeResult(3, (kv(b"a", b"2", 2, 3, 2),), count=1),)),
        ),
        (Txn(success=(Range(b"a", revision=RevisionAt(1)), Range(b"a", revision=RevisionAt(2, 1)))), COMPACTED),
        (Txn(success=(Range(b"a", revision=RevisionAt(2, 1)), Range(b"a", revision=RevisionAt(1)))), FUTURE_REVISION),
    ),
    says(
        "a negative revision is the current one in a range of its own, and compacted inside a txn",
        A1,
        (Range(b"a", revision=-1), RangeResult(2, (A,), count=1)),
        (Txn(success=(Range(b"a", revision=-1),)), COMPACTED),
        (Txn(success=(Put(b"b"), Range(b"a", revision=-1))), COMPACTED),
        (Txn(success=(Range(b"a", revision=-(2**63)),)), COMPACTED),
        (Txn(success=(Txn(success=(Range(b"a", revision=-1),)),)), COMPACTED),
        (Txn(success=(Range(b"a", revision=0),)), TxnResult(2, True, (RangeResult(2, (A,), count=1),))),
    ),
    says(
        "a put's error is reported before that of a range that precedes it, until 3.6",
        A1,
        (
            Txn(success=(Range(b"a", revision=RevisionAt(1, 9)), Put(b"b", lease=NOWHERE))),
            Since("txn_checked_in_order", LEASE_NOT_FOUND, FUTURE_REVISION),
        ),
        (
            Txn(success=(Range(b"a", revision=RevisionAt(1, 9)), Txn(success=(Put(b"b", ignore_value=True),)))),
            Since("txn_checked_in_order", KEY_NOT_FOUND, FUTURE_REVISION),
        ),
        (
            Txn(success=(Txn(success=(Range(b"a", revision=-1),)), Put(b"b", ignore_lease=True))),
            Since("txn_checked_in_order", KEY_NOT_FOUND, COMPACTED),
        ),
        (Txn(success=(Put(b"b", lease=NOWHERE), Range(b"a", revision=RevisionAt(1, 9)))), LEASE_NOT_FOUND),
    ),
)

TXN_CHECKS = (*_SIZES, *_STRUCTURE, *_TAKEN)
