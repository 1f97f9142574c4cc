"""The traces of lies about reads, writes and revisions."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_model.operations import Compact, DeleteRange, LeaseGrant, LeaseRevoke, Put, Range, SortOrder, Txn
from etcd_model.ranges import FROM_KEY

PUT, PUT_B = Put(b"a", b"1"), Put(b"b", b"1")
ALL = Range(b"a", b"c")

READ: dict[str, Trace] = {
    "any-option-means-count-only": (PUT, Range(b"a", limit=1)),
    "any-option-means-prefix": (Put(b"ab"), Range(b"a", limit=1)),
    "any-option-means-prefix-delete": (Put(b"ab"), DeleteRange(b"a", prev_kv=True)),
    "count-only-returns-kvs": (PUT, Range(b"a", count_only=True)),
    "range-end-as-prefix": (PUT_B, ALL),
    "from-key-empty": (PUT, Range(b"a", FROM_KEY)),
    "historical-read-wrong": (PUT, Range(b"a", revision=RevisionAt(0))),
    "compacted-read-is-future": (PUT, Compact(RevisionAt(1)), Range(b"a", revision=RevisionAt(0))),
    "future-read-accepted": (Range(b"a", revision=RevisionAt(0, 1)),),
    "limit-ignored": (PUT, PUT_B, Range(b"a", b"c", limit=1)),
    "limit-before-sort": (PUT, PUT_B, Range(b"a", b"c", limit=1, sort_order=SortOrder.DESCEND)),
    "range-filters-ignored": (PUT, Range(b"a", max_mod_revision=RevisionAt(0))),
    "sort-ignored": (PUT, PUT_B, Range(b"a", b"c", sort_order=SortOrder.DESCEND)),
    "keys-only-returns-values": (PUT, Range(b"a", keys_only=True)),
    "unsorted-range": (PUT_B, PUT, ALL),
    "count-truncated": (PUT, PUT_B, Range(b"a", b"c", limit=1)),
    "more-missing": (PUT, PUT_B, Range(b"a", b"c", limit=1)),
    "filters-applied-to-count": (PUT, Range(b"a", max_mod_revision=RevisionAt(0))),
    "limit-zero-means-none": (PUT, ALL),
    "hidden-suffix": (Put(b"p/info"), Range(b"p/info")),
}

WRITE: dict[str, Trace] = {
    "prefix-delete-is-exact": (PUT_B, DeleteRange(b"a", b"c")),
    "deleted-count-wrong": (PUT, DeleteRange(b"a")),
    "deleted-count-always-one": (DeleteRange(b"a"),),
    "prev-kv-absent": (PUT, Put(b"a", b"1", prev_kv=True)),
    "prev-kv-always-present": (PUT, PUT),
    "prev-kv-is-the-new-value": (PUT, Put(b"a", b"1", prev_kv=True)),
    "delete-prev-kvs-absent": (PUT, DeleteRange(b"a", prev_kv=True)),
    "ignore-value-accepts-missing": (Put(b"a", ignore_value=True),),
    "long-values-cut": (Put(b"a", b"1" * 1025), Range(b"a")),
    "values-stripped": (Put(b"a", b" "), Range(b"a")),
    "numbers-kept-as-doubles": (Put(b"a", b"01"), Range(b"a")),
    "empty-key-accepted": (Put(b""),),
}

REVISION: dict[str, Trace] = {
    "delete-of-missing-bumps": (DeleteRange(b"a"),),
    "lease-op-bumps": (LeaseGrant(60),),
    "revoke-of-no-keys-bumps": (LeaseGrant(60), LeaseRevoke(LeaseOf(1))),
    "failed-or-read-only-txn-bumps": (Txn(),),
    "same-value-not-counted": (PUT, PUT),
    "multi-key-revoke-bumps-many": (
        LeaseGrant(60),
        Put(b"a", lease=LeaseOf(1)),
        Put(b"b", lease=LeaseOf(1)),
        LeaseRevoke(LeaseOf(1)),
    ),
    "txn-revision-per-op": (Txn(success=(PUT, PUT_B)),),
    "header-missing": (Range(b"a"),),
    "header-constant": (PUT,),
    "per-key-revision": (PUT, PUT_B, Range(b"b")),
    "aba": (PUT, DeleteRange(b"a"), PUT, Range(b"a")),
    "create-lost-on-update": (PUT, PUT, Range(b"a")),
    "version-missing": (PUT, PUT, Range(b"a")),
}
