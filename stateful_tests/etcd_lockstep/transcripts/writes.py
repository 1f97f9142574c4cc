"""Put and DeleteRange on their own."""

from __future__ import annotations

from etcd_lockstep.transcripts.transcript import kv, says
from etcd_model.errors import EMPTY_KEY, KEY_NOT_FOUND, LEASE_NOT_FOUND, LEASE_PROVIDED, VALUE_PROVIDED
from etcd_model.operations import DeleteRange, LeaseGrant, LeaseTimeToLive, Put, Range
from etcd_model.ranges import FROM_KEY
from etcd_model.results import (
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
)

NOWHERE = 404
"""A lease that nobody grants."""

GRANT = (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60))

_PUTS = (
    says(
        "a put makes a revision, and counts the versions of its key",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"2"), PutResult(3)),
        (Put(b"b", b"3"), PutResult(4)),
        (Range(b"a"), RangeResult(4, (kv(b"a", b"2", 2, 3, 2),), count=1)),
        (Range(b"b"), RangeResult(4, (kv(b"b", b"3", 4, 4, 1),), count=1)),
    ),
    says(
        "a put of the same value makes a revision all the same",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"1"), PutResult(3)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1)),
    ),
    says(
        "a key that was deleted begins a new life",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"2"), PutResult(3)),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        (Put(b"a", b"3", prev_kv=True), PutResult(5)),
        (Range(b"a"), RangeResult(5, (kv(b"a", b"3", 5, 5, 1),), count=1)),
    ),
    says(
        "keys and values are any bytes, and a value may be empty",
        (Put(b"\x00\xff", b"\x00\xfe\n"), PutResult(2)),
        (Put(b"e"), PutResult(3)),
        (Range(b"\x00\xff"), RangeResult(3, (kv(b"\x00\xff", b"\x00\xfe\n", 2, 2, 1),), count=1)),
        (Range(b"e"), RangeResult(3, (kv(b"e", b"", 3, 3, 1),), count=1)),
    ),
    says(
        "a put without a key is refused and makes no revision",
        (Put(b"", b"1"), EMPTY_KEY),
        (Put(b"a", b"1"), PutResult(2)),
    ),
    says(
        "prev_kv is the key-value before, lease and all, and nothing for a new key",
        GRANT,
        (Put(b"a", b"1", lease=7, prev_kv=True), PutResult(2)),
        (Put(b"a", b"2", prev_kv=True), PutResult(3, kv(b"a", b"1", 2, 2, 1, 7))),
        (Put(b"a", b"3", prev_kv=True), PutResult(4, kv(b"a", b"2", 2, 3, 2))),
        (Put(b"a", b"4"), PutResult(5)),
    ),
    says(
        "ignore_value keeps the value and makes a revision",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", ignore_value=True), PutResult(3)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1)),
    ),
    says(
        "ignore_value with a value is refused",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"2", ignore_value=True), VALUE_PROVIDED),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1),), count=1)),
    ),
    says(
        "ignore_lease with a lease is refused, whether or not there is such a lease",
        GRANT,
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", b"2", lease=7, ignore_lease=True), LEASE_PROVIDED),
        (Put(b"a", b"2", lease=NOWHERE, ignore_lease=True), LEASE_PROVIDED),
        (Put(b"a", b"2", ignore_lease=True), PutResult(3)),
    ),
    says(
        "an empty key is reported before a value, a value before a lease, both before what the store holds",
        (Put(b"", b"1", lease=NOWHERE, ignore_value=True, ignore_lease=True), EMPTY_KEY),
        (Put(b"a", b"1", lease=NOWHERE, ignore_value=True, ignore_lease=True), VALUE_PROVIDED),
        (Put(b"a", b"", lease=NOWHERE, ignore_value=True, ignore_lease=True), LEASE_PROVIDED),
        (Put(b"a", b"", lease=NOWHERE, ignore_value=True), LEASE_NOT_FOUND),
        (Put(b"a", b"", ignore_value=True), KEY_NOT_FOUND),
    ),
    says(
        "ignore_value and ignore_lease need a key that is there now",
        (Put(b"a", ignore_value=True), KEY_NOT_FOUND),
        (Put(b"a", b"1", ignore_lease=True), KEY_NOT_FOUND),
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", ignore_value=True, ignore_lease=True), PutResult(3)),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        (Put(b"a", ignore_value=True), KEY_NOT_FOUND),
        (Put(b"a", b"1", ignore_lease=True), KEY_NOT_FOUND),
    ),
    says(
        "a put with a lease that is not there is refused, a negative id too",
        (Put(b"a", b"1", lease=NOWHERE), LEASE_NOT_FOUND),
        (Put(b"a", b"1", lease=-1), LEASE_NOT_FOUND),
        (Range(b"a"), RangeResult(1)),
        (Put(b"a", b"1"), PutResult(2)),
    ),
    says(
        "a put looks for its lease before its key",
        (Put(b"a", lease=NOWHERE, ignore_value=True), LEASE_NOT_FOUND),
        GRANT,
        (Put(b"a", lease=7, ignore_value=True), KEY_NOT_FOUND),
    ),
    says(
        "a put without a lease detaches the key",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(2, 7, 59, 60, (b"a",))),
        (Put(b"a", b"2"), PutResult(3)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"2", 2, 3, 2),), count=1)),
    ),
    says(
        "a put with ignore_value and no lease detaches the key too",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"a", ignore_value=True), PutResult(3)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"1", 2, 3, 2),), count=1)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60)),
    ),
    says(
        "a put with ignore_value attaches the lease that it names",
        GRANT,
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"a", lease=7, ignore_value=True), PutResult(3)),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"1", 2, 3, 2, 7),), count=1)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60, (b"a",))),
    ),
    says(
        "ignore_lease keeps the lease, and the want of one",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"b", b"1"), PutResult(3)),
        (Put(b"a", b"2", ignore_lease=True), PutResult(4)),
        (Put(b"b", b"2", ignore_lease=True), PutResult(5)),
        (Range(b"a"), RangeResult(5, (kv(b"a", b"2", 2, 4, 2, 7),), count=1)),
        (Range(b"b"), RangeResult(5, (kv(b"b", b"2", 3, 5, 2),), count=1)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(5, 7, 59, 60, (b"a",))),
    ),
    says(
        "both ignored, a put is a touch",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (
            Put(b"a", ignore_value=True, ignore_lease=True, prev_kv=True),
            PutResult(3, kv(b"a", b"1", 2, 2, 1, 7)),
        ),
        (Range(b"a"), RangeResult(3, (kv(b"a", b"1", 2, 3, 2, 7),), count=1)),
    ),
    says(
        "a put with another lease moves the key to it",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"a", b"2", lease=8), PutResult(3)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60)),
        (LeaseTimeToLive(8, keys=True), LeaseTimeToLiveResult(3, 8, 59, 60, (b"a",))),
    ),
    says(
        "a put with the same lease keeps the key attached once",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"a", b"2", lease=7), PutResult(3)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 59, 60, (b"a",))),
    ),
)

_AB_C = (
    (Put(b"a", b"1"), PutResult(2)),
    (Put(b"b", b"2"), PutResult(3)),
    (Put(b"c", b"3"), PutResult(4)),
)
_A, _B, _C = kv(b"a", b"1", 2, 2, 1), kv(b"b", b"2", 3, 3, 1), kv(b"c", b"3", 4, 4, 1)

_DELETES = (
    says(
        "deleting nothing succeeds and makes no revision",
        (DeleteRange(b"a"), DeleteRangeResult(1)),
        (DeleteRange(b"a", FROM_KEY, prev_kv=True), DeleteRangeResult(1)),
        (Put(b"a", b"1"), PutResult(2)),
        (DeleteRange(b"b", FROM_KEY), DeleteRangeResult(2)),
        (DeleteRange(b"a"), DeleteRangeResult(3, 1)),
        (DeleteRange(b"a"), DeleteRangeResult(3)),
    ),
    says(
        "a delete without a key is refused",
        (Put(b"a", b"1"), PutResult(2)),
        (DeleteRange(b""), EMPTY_KEY),
        (DeleteRange(b"", FROM_KEY), EMPTY_KEY),
        (Range(b"a"), RangeResult(2, (_A,), count=1)),
    ),
    says(
        "all keys of a range go in one revision, the end excluded",
        *_AB_C,
        (DeleteRange(b"a", b"c"), DeleteRangeResult(5, 2)),
        (Range(b"\x00", FROM_KEY), RangeResult(5, (_C,), count=1)),
    ),
    says(
        "a delete from a key on leaves what lies before it",
        *_AB_C,
        (DeleteRange(b"b", FROM_KEY), DeleteRangeResult(5, 2)),
        (Range(b"\x00", FROM_KEY), RangeResult(5, (_A,), count=1)),
    ),
    says(
        "an inverted range deletes nothing",
        *_AB_C,
        (DeleteRange(b"c", b"a"), DeleteRangeResult(4)),
        (DeleteRange(b"b", b"b"), DeleteRangeResult(4)),
        (DeleteRange(b"b", b"\x00\x00"), DeleteRangeResult(4)),
        (DeleteRange(b"b", b"b\x00"), DeleteRangeResult(5, 1)),
    ),
    says(
        "without a range end only the very key goes",
        (Put(b"a", b"1"), PutResult(2)),
        (Put(b"aa", b"2"), PutResult(3)),
        (DeleteRange(b"a"), DeleteRangeResult(4, 1)),
        (Range(b"a", FROM_KEY), RangeResult(4, (kv(b"aa", b"2", 3, 3, 1),), count=1)),
    ),
    says(
        "prev_kv says what was deleted, in order of key, and only where it is asked for",
        *_AB_C,
        (DeleteRange(b"a", b"c", prev_kv=True), DeleteRangeResult(5, 2, (_A, _B))),
        (DeleteRange(b"c"), DeleteRangeResult(6, 1)),
    ),
    says(
        "a deleted key leaves its lease, and the lease stays",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"b", b"2", lease=7), PutResult(3)),
        (DeleteRange(b"a", prev_kv=True), DeleteRangeResult(4, 1, (kv(b"a", b"1", 2, 2, 1, 7),))),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(4, 7, 59, 60, (b"b",))),
        (Put(b"a", b"3"), PutResult(5)),
        (Range(b"a"), RangeResult(5, (kv(b"a", b"3", 5, 5, 1),), count=1)),
    ),
)

WRITES = (*_PUTS, *_DELETES)
