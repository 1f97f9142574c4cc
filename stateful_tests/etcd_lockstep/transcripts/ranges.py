"""Range: which keys it names, which revision it reads, and what becomes of its options."""

from __future__ import annotations

from etcd_lockstep.trace import RevisionAt
from etcd_lockstep.transcripts.transcript import Since, kv, says
from etcd_model.errors import COMPACTED, EMPTY_KEY, FUTURE_REVISION, INVALID_SORT_OPTION
from etcd_model.operations import (
    Compact,
    DeleteRange,
    LeaseGrant,
    Put,
    Range,
    SortOrder,
    SortTarget,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    CompactResult,
    DeleteRangeResult,
    LeaseGrantResult,
    PutResult,
    RangeResult,
)

ASCEND, DESCEND = SortOrder.ASCEND, SortOrder.DESCEND
ALL = b"\x00"
MAX = 2**63 - 1
MIN = -(2**63)

PUT_A = (Put(b"a", b"1"), PutResult(2))
PUT_B = (Put(b"b", b"2"), PutResult(3))
PUT_C = (Put(b"c", b"3"), PutResult(4))
ABC = (PUT_A, PUT_B, PUT_C)
A, B, C = kv(b"a", b"1", 2, 2, 1), kv(b"b", b"2", 3, 3, 1), kv(b"c", b"3", 4, 4, 1)

# a was written first and last, so that versions, creations, modifications and values are in four different orders.
MIXED = (
    (Put(b"a", b"9"), PutResult(2)),
    (Put(b"c", b"5"), PutResult(3)),
    (Put(b"b", b"7"), PutResult(4)),
    (Put(b"c", b"5"), PutResult(5)),
    (Put(b"c", b"8"), PutResult(6)),
    (Put(b"a", b"6"), PutResult(7)),
)
MA, MB, MC = kv(b"a", b"6", 2, 7, 2), kv(b"b", b"7", 4, 4, 1), kv(b"c", b"8", 3, 6, 3)

_KEYS = (
    says(
        "an empty store is at revision 1 and holds nothing",
        (Range(ALL, FROM_KEY), RangeResult(1)),
        (Range(b"a"), RangeResult(1)),
    ),
    says(
        "a range without a key is refused, and one with a key answers even where there is none",
        (Range(b""), EMPTY_KEY),
        (Range(b"", b"z"), EMPTY_KEY),
        (Range(b"", FROM_KEY), EMPTY_KEY),
        (Range(b"k"), RangeResult(1)),
    ),
    says(
        "without a range end only the very key is named, not those it is a prefix of",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"aa", b"2"), PutResult(3)),
        (Range(b"a"), RangeResult(3, (A,), count=1)),
    ),
    says(
        "a range ends before its end",
        *ABC,
        (Range(b"a", b"c"), RangeResult(4, (A, B), count=2)),
        (Range(b"a", b"c\x00"), RangeResult(4, (A, B, C), count=3)),
    ),
    says(
        "a single zero byte as the end means every key from here on",
        *ABC,
        (Range(b"b", FROM_KEY), RangeResult(4, (B, C), count=2)),
        (Range(b"bb", FROM_KEY), RangeResult(4, (C,), count=1)),
        (Range(b"d", FROM_KEY), RangeResult(4)),
    ),
    says(
        "a zero byte as key and as end means every key",
        (Put(b"\x00", b"1"), PutResult(2)),
        (Put(b"\xff\xff", b"2"), PutResult(3)),
        (Range(ALL, FROM_KEY), RangeResult(3, (kv(ALL, b"1", 2, 2, 1), kv(b"\xff\xff", b"2", 3, 3, 1)), count=2)),
    ),
    says(
        "two zero bytes as the end are an end like any other",
        (Put(b"\x00", b"0"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        (Range(b"\x00", b"\x00\x00"), RangeResult(3, (kv(b"\x00", b"0", 2, 2, 1),), count=1)),
        (Range(b"a", b"\x00\x00"), RangeResult(3)),
    ),
    says(
        "a range whose end is its key, or lies below it, is empty and no error",
        *ABC,
        (Range(b"b", b"b"), RangeResult(4)),
        (Range(b"b", b"a"), RangeResult(4)),
        (Range(b"b", b"b\x00"), RangeResult(4, (B,), count=1)),
    ),
    says(
        "keys are in bytewise order, a prefix before what it begins",
        (Put(b"b", b""), PutResult(2)),
        (Put(b"a\xff", b""), PutResult(3)),
        (Put(b"aa", b""), PutResult(4)),
        (Put(b"a\x00", b""), PutResult(5)),
        (Put(b"a", b""), PutResult(6)),
        (
            Range(b"a", FROM_KEY),
            RangeResult(
                6,
                (
                    kv(b"a", b"", 6, 6, 1),
                    kv(b"a\x00", b"", 5, 5, 1),
                    kv(b"aa", b"", 4, 4, 1),
                    kv(b"a\xff", b"", 3, 3, 1),
                    kv(b"b", b"", 2, 2, 1),
                ),
                count=5,
            ),
        ),
    ),
    says(
        "a serializable range answers like any other",
        *ABC,
        (Range(b"a", b"c", serializable=True), RangeResult(4, (A, B), count=2)),
    ),
)

_LIMITS = (
    says(
        "the count goes past the limit, and more says that there is more",
        *ABC,
        (Range(b"a", b"z", limit=2), RangeResult(4, (A, B), more=True, count=3)),
        (Range(b"a", b"z", limit=1), RangeResult(4, (A,), more=True, count=3)),
    ),
    says(
        "a limit that is just met leaves no more",
        *ABC,
        (Range(b"a", b"z", limit=3), RangeResult(4, (A, B, C), count=3)),
        (Range(b"a", b"z", limit=4), RangeResult(4, (A, B, C), count=3)),
    ),
    says(
        "a limit of zero, a negative one and the largest one cut nothing",
        *ABC,
        *((Range(b"a", b"z", limit=limit), RangeResult(4, (A, B, C), count=3)) for limit in (0, -1, MIN, MAX)),
    ),
    says(
        "count_only carries no keys and no more, and takes no notice of limit, filters and sort",
        *ABC,
        (Range(b"a", b"z", count_only=True), RangeResult(4, count=3)),
        (Range(b"a", b"z", count_only=True, limit=1), RangeResult(4, count=3)),
        (Range(b"a", b"z", count_only=True, max_mod_revision=-1), RangeResult(4, count=3)),
        (Range(b"a", b"z", count_only=True, keys_only=True, sort_order=DESCEND), RangeResult(4, count=3)),
        (Range(b"x", b"z", count_only=True), RangeResult(4)),
    ),
)

_FILTERS = (
    says(
        "filters by mod_revision are inclusive and leave the count alone",
        *MIXED,
        (Range(b"a", b"z", min_mod_revision=RevisionAt(5)), RangeResult(7, (MA, MC), count=3)),
        (Range(b"a", b"z", max_mod_revision=RevisionAt(5)), RangeResult(7, (MB, MC), count=3)),
        (
            Range(b"a", b"z", min_mod_revision=RevisionAt(5), max_mod_revision=RevisionAt(5)),
            RangeResult(7, (MC,), count=3),
        ),
    ),
    says(
        "filters by create_revision are inclusive and leave the count alone",
        *MIXED,
        (Range(b"a", b"z", min_create_revision=RevisionAt(2)), RangeResult(7, (MB, MC), count=3)),
        (Range(b"a", b"z", max_create_revision=RevisionAt(2)), RangeResult(7, (MA, MC), count=3)),
        (
            Range(b"a", b"z", min_create_revision=RevisionAt(2), max_create_revision=RevisionAt(2)),
            RangeResult(7, (MC,), count=3),
        ),
    ),
    says(
        "a filter of zero is none, and a negative one is one",
        *ABC,
        (Range(b"a", b"z", max_mod_revision=0), RangeResult(4, (A, B, C), count=3)),
        (Range(b"a", b"z", max_mod_revision=-1), RangeResult(4, count=3)),
        (Range(b"a", b"z", max_create_revision=-1), RangeResult(4, count=3)),
        (Range(b"a", b"z", min_mod_revision=-1, min_create_revision=-1), RangeResult(4, (A, B, C), count=3)),
    ),
    says(
        "the limit counts what the filters let through",
        *ABC,
        (
            Range(b"a", b"z", limit=1, min_mod_revision=RevisionAt(2)),
            RangeResult(4, (B,), more=True, count=3),
        ),
        (Range(b"a", b"z", limit=1, min_mod_revision=RevisionAt(3)), RangeResult(4, (C,), count=3)),
        (Range(b"a", b"z", limit=1, max_mod_revision=-1), RangeResult(4, count=3)),
    ),
)

_SORTS = (
    *(
        says(
            f"a range sorts by {target.name.lower()} both ways",
            *MIXED,
            (Range(b"a", b"z", sort_order=ASCEND, sort_target=target), RangeResult(7, order, count=3)),
            (Range(b"a", b"z", sort_order=DESCEND, sort_target=target), RangeResult(7, order[::-1], count=3)),
        )
        for target, order in (
            (SortTarget.KEY, (MA, MB, MC)),
            (SortTarget.VERSION, (MB, MA, MC)),
            (SortTarget.CREATE, (MA, MC, MB)),
            (SortTarget.MOD, (MB, MC, MA)),
            (SortTarget.VALUE, (MA, MB, MC)),
        )
    ),
    says(
        "values sort bytewise, a prefix first",
        (Put(b"a", b"\xff"), PutResult(2)),
        (Put(b"b", b"1"), PutResult(3)),
        (Put(b"c", b""), PutResult(4)),
        (Put(b"d", b"10"), PutResult(5)),
        (
            Range(b"a", b"z", sort_order=ASCEND, sort_target=SortTarget.VALUE),
            RangeResult(
                5,
                (
                    kv(b"c", b"", 4, 4, 1),
                    kv(b"b", b"1", 3, 3, 1),
                    kv(b"d", b"10", 5, 5, 1),
                    kv(b"a", b"\xff", 2, 2, 1),
                ),
                count=4,
            ),
        ),
    ),
    says(
        "ties stay in ascending order of key, in a descending sort too",
        *ABC,
        (Range(b"a", b"z", sort_order=ASCEND, sort_target=SortTarget.VERSION), RangeResult(4, (A, B, C), count=3)),
        (Range(b"a", b"z", sort_order=DESCEND, sort_target=SortTarget.VERSION), RangeResult(4, (A, B, C), count=3)),
        (
            Range(b"a", b"z", limit=2, sort_order=DESCEND, sort_target=SortTarget.VERSION),
            RangeResult(4, (A, B), more=True, count=3),
        ),
    ),
    says(
        "a sort target other than the key sorts ascending without a sort order",
        *MIXED,
        (Range(b"a", b"z", sort_target=SortTarget.VERSION), RangeResult(7, (MB, MA, MC), count=3)),
        (Range(b"a", b"z", sort_target=SortTarget.CREATE), RangeResult(7, (MA, MC, MB), count=3)),
    ),
    says(
        "with a sort order the limit is applied to all that is sorted",
        *MIXED,
        (
            Range(b"a", b"z", limit=1, sort_order=ASCEND, sort_target=SortTarget.MOD),
            RangeResult(7, (MB,), more=True, count=3),
        ),
        (Range(b"a", b"z", limit=1, sort_order=DESCEND), RangeResult(7, (MC,), more=True, count=3)),
    ),
    says(
        "without a sort order only the first limit + 1 keys are sorted",
        (Put(b"a", b"3"), PutResult(2)),
        (Put(b"b", b"2"), PutResult(3)),
        (Put(b"c", b"1"), PutResult(4)),
        (
            Range(b"a", b"z", limit=1, sort_target=SortTarget.VALUE),
            RangeResult(4, (kv(b"b", b"2", 3, 3, 1),), more=True, count=3),
        ),
        # An order, or any filter, has everything sorted.
        (
            Range(b"a", b"z", limit=1, sort_order=ASCEND, sort_target=SortTarget.VALUE),
            RangeResult(4, (kv(b"c", b"1", 4, 4, 1),), more=True, count=3),
        ),
        (
            Range(b"a", b"z", limit=1, sort_target=SortTarget.VALUE, min_mod_revision=-1),
            RangeResult(4, (kv(b"c", b"1", 4, 4, 1),), more=True, count=3),
        ),
    ),
    says(
        "keys_only leaves out values, and still sorts by them",
        *MIXED,
        (
            Range(b"a", b"z", keys_only=True),
            RangeResult(7, (kv(b"a", b"", 2, 7, 2), kv(b"b", b"", 4, 4, 1), kv(b"c", b"", 3, 6, 3)), count=3),
        ),
        (
            Range(b"a", b"z", keys_only=True, sort_order=DESCEND, sort_target=SortTarget.VALUE),
            RangeResult(7, (kv(b"c", b"", 3, 6, 3), kv(b"b", b"", 4, 4, 1), kv(b"a", b"", 2, 7, 2)), count=3),
        ),
    ),
    says(
        "keys_only reports leases until 3.7, and there only where values are sorted by",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1, 7),), count=1)),
        (
            Range(b"a", keys_only=True),
            Since(
                "keys_only_omits_lease",
                RangeResult(2, (kv(b"a", b"", 2, 2, 1, 7),), count=1),
                RangeResult(2, (kv(b"a", b"", 2, 2, 1),), count=1),
            ),
        ),
        (
            Range(b"a", keys_only=True, sort_target=SortTarget.VALUE),
            RangeResult(2, (kv(b"a", b"", 2, 2, 1, 7),), count=1),
        ),
    ),
    says(
        "an unknown sort order is ignored, and from 3.6 on refused",
        *ABC,
        *(
            (
                Range(b"a", b"z", sort_order=order),
                Since("sort_options_validated", RangeResult(4, (A, B, C), count=3), INVALID_SORT_OPTION),
            )
            for order in (3, 99, -1)
        ),
        (
            Range(b"a", b"z", limit=1, sort_order=3),
            Since("sort_options_validated", RangeResult(4, (A,), more=True, count=3), INVALID_SORT_OPTION),
        ),
    ),
    says(
        "an unknown sort target is refused, after an empty key and before a future revision",
        (Range(b"a", sort_target=5), INVALID_SORT_OPTION),
        (Range(b"a", sort_target=-1, count_only=True), INVALID_SORT_OPTION),
        (Range(b"", sort_target=5), EMPTY_KEY),
        (Range(b"a", sort_target=5, revision=RevisionAt(0, 9)), INVALID_SORT_OPTION),
        needs="sort_options_validated",
    ),
)

_HISTORY = (
    says(
        "a read of the past shows the past, under the current revision",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"2"), PutResult(3)),
        (Put(b"b", b"3"), PutResult(4)),
        (DeleteRange(b"a"), DeleteRangeResult(5, 1)),
        (Range(b"a", b"z", revision=RevisionAt(1)), RangeResult(5, (kv(b"a", b"1", 2, 2, 1),), count=1)),
        (Range(b"a", b"z", revision=RevisionAt(2)), RangeResult(5, (kv(b"a", b"2", 2, 3, 2),), count=1)),
        (
            Range(b"a", b"z", revision=RevisionAt(3)),
            RangeResult(5, (kv(b"a", b"2", 2, 3, 2), kv(b"b", b"3", 4, 4, 1)), count=2),
        ),
        (Range(b"a", b"z", revision=RevisionAt(4)), RangeResult(5, (kv(b"b", b"3", 4, 4, 1),), count=1)),
        (Range(b"a", b"z", revision=RevisionAt(1), count_only=True), RangeResult(5, count=1)),
    ),
    says(
        "the current revision can be asked for, the next one can't",
        *ABC,
        (Range(b"a", revision=RevisionAt(3)), RangeResult(4, (A,), count=1)),
        (Range(b"a", revision=RevisionAt(3, 1)), FUTURE_REVISION),
        (Range(b"nothing", revision=RevisionAt(3, 1)), FUTURE_REVISION),
        (Range(b"a", b"z", revision=MAX, count_only=True), FUTURE_REVISION),
    ),
    says(
        "a negative revision is the current one",
        *ABC,
        (Range(b"a", revision=-1), RangeResult(4, (A,), count=1)),
        (Range(b"a", revision=MIN), RangeResult(4, (A,), count=1)),
    ),
    says(
        "below the compacted revision nothing can be read, at it everything",
        *ABC,
        (Compact(RevisionAt(2)), CompactResult(4)),
        (Range(b"a", b"z", revision=RevisionAt(1)), COMPACTED),
        (Range(b"nothing", revision=RevisionAt(1)), COMPACTED),
        (Range(b"a", b"z", revision=RevisionAt(1), count_only=True), COMPACTED),
        (Range(b"a", b"z", revision=RevisionAt(2)), RangeResult(4, (A, B), count=2)),
        (Range(b"a", b"z"), RangeResult(4, (A, B, C), count=3)),
        (Range(b"a", revision=-1), RangeResult(4, (A,), count=1)),
    ),
    says(
        "an empty key is reported before a revision that can't be read",
        *ABC,
        (Compact(RevisionAt(3)), CompactResult(4)),
        (Range(b"", revision=RevisionAt(1)), EMPTY_KEY),
        (Range(b"", revision=MAX), EMPTY_KEY),
    ),
    says(
        "a filter and a limit hold in a read of the past",
        *MIXED,
        (
            Range(b"a", b"z", revision=RevisionAt(4), limit=1, sort_order=DESCEND, sort_target=SortTarget.MOD),
            RangeResult(7, (kv(b"c", b"5", 3, 5, 2),), more=True, count=3),
        ),
        (
            Range(b"a", b"z", revision=RevisionAt(4), max_create_revision=RevisionAt(1)),
            RangeResult(7, (kv(b"a", b"9", 2, 2, 1),), count=3),
        ),
    ),
)

RANGES = (*_KEYS, *_LIMITS, *_FILTERS, *_SORTS, *_HISTORY)
