"""The traces of lies about leases, the keys that go with them, and how long they live."""

from __future__ import annotations

from etcd_lockstep.trace import UNKNOWN_LEASE, LeaseOf, Trace
from etcd_model.lease import MAX_TTL
from etcd_model.operations import (
    Advance,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    Txn,
)

GRANT = LeaseGrant(60)
L1, L2, L3 = LeaseOf(1), LeaseOf(2), LeaseOf(3)
PUT, PUT_L1, PUT_B_L1 = Put(b"a", b"1"), Put(b"a", b"1", L1), Put(b"b", b"1", L1)


def _take(lease: int) -> Txn:
    absent = Compare(b"a", CompareTarget.CREATE, CompareResult.EQUAL, 0)
    return Txn((absent,), (Put(b"a", b"1", lease),))


LEASE: dict[str, Trace] = {
    "fifo-lease-mapping": (GRANT, GRANT, _take(L2), LeaseRevoke(L1)),
    "stale-lease-queue": (GRANT, LeaseRevoke(L1), GRANT, _take(L3), LeaseRevoke(L3)),
    "lease-on-put-ignored": (GRANT, PUT_L1, LeaseRevoke(L1)),
    "one-key-per-lease": (GRANT, PUT_L1, PUT_B_L1, LeaseRevoke(L1), Range(b"a")),
    "lease-ids-kept-as-doubles": (LeaseGrant(60, 2**53 + 1),),
    "unknown-revoke-accepted": (LeaseRevoke(UNKNOWN_LEASE),),
    "duplicate-lease-id-accepted": (LeaseGrant(60, 7), LeaseGrant(60, 7)),
    "lease-id-collides": (GRANT, GRANT),
    "id-is-ttl": (GRANT, GRANT),
    "lease-id-zero": (GRANT, PUT, LeaseRevoke(L1)),
    "ttl-too-large-accepted": (LeaseGrant(MAX_TTL + 1),),
    "keepalive-of-unknown-succeeds": (LeaseKeepAlive(UNKNOWN_LEASE),),
    "ttl-of-unknown-not-minus-one": (LeaseTimeToLive(UNKNOWN_LEASE),),
}

ATTACHMENT: dict[str, Trace] = {
    "re-put-keeps-old-attachment": (GRANT, PUT_L1, PUT, LeaseRevoke(L1)),
    "same-lease-re-put-detaches": (GRANT, PUT_L1, PUT_L1, LeaseRevoke(L1)),
    "new-lease-re-put-keeps-old": (GRANT, GRANT, PUT_L1, Put(b"a", b"1", L2), LeaseRevoke(L1)),
    "lease-bound-only-under-a-prefix": (GRANT, PUT_B_L1, LeaseRevoke(L1)),
    "delete-keeps-attachment": (GRANT, PUT_L1, DeleteRange(b"a"), PUT, LeaseRevoke(L1)),
    "delete-frees-siblings": (GRANT, PUT_L1, PUT_B_L1, DeleteRange(b"a"), LeaseRevoke(L1)),
    "revoke-deletes-nothing": (GRANT, PUT_L1, LeaseRevoke(L1)),
    "revoke-is-late": (GRANT, PUT_L1, LeaseRevoke(L1), Range(b"a")),
    "unknown-lease-on-put-accepted": (Put(b"a", lease=UNKNOWN_LEASE),),
    "kv-lease-not-reported": (GRANT, PUT_L1, Range(b"a")),
    "lease-keys-not-listed": (GRANT, PUT_L1, LeaseTimeToLive(L1, keys=True)),
}

TIME: dict[str, Trace] = {
    "ttl-not-clamped": (LeaseGrant(1),),
    "lease-never-expires": (LeaseGrant(2), PUT_L1, Advance(2), Range(b"a")),
    "keepalive-does-not-renew": (LeaseGrant(2), Advance(1), LeaseKeepAlive(L1), LeaseTimeToLive(L1)),
    "expiry-deletes-one-key-only": (LeaseGrant(2), PUT_L1, PUT_B_L1, Advance(2), Range(b"a")),
    "put-renews-lease": (LeaseGrant(2), Advance(1), PUT_L1, LeaseTimeToLive(L1)),
}
