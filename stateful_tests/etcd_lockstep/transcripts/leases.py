"""The Lease service, as far as nothing has to be waited for."""

from __future__ import annotations

from etcd_lockstep.trace import LeaseOf
from etcd_lockstep.transcripts.transcript import kv, says
from etcd_model.errors import LEASE_EXIST, LEASE_NOT_FOUND, LEASE_TTL_TOO_LARGE
from etcd_model.operations import (
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
)
from etcd_model.results import (
    DeleteRangeResult,
    LeaseGrantResult,
    LeaseKeepAliveResult,
    LeaseLeasesResult,
    LeaseRevokeResult,
    LeaseTimeToLiveResult,
    PutResult,
    RangeResult,
)

LONGEST = 9_000_000_000
MIN = -(2**63)
GRANT = (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60))

_GRANTS = (
    says(
        "a grant without an id gets one that no other lease has, and makes no revision",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (LeaseGrant(30), LeaseGrantResult(1, LeaseOf(2), 30)),
        (LeaseLeases(), LeaseLeasesResult(1, (LeaseOf(1), LeaseOf(2)))),
        (Put(b"a", b"1", lease=LeaseOf(2)), PutResult(2)),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1, LeaseOf(2)),), count=1)),
    ),
    says(
        "a grant may name its id, a negative one and the extreme ones too",
        *((LeaseGrant(60, id=lease), LeaseGrantResult(1, lease, 60)) for lease in (7, -5, 1, 2**63 - 1, MIN)),
        (Put(b"a", b"1", lease=-5), PutResult(2)),
        (Range(b"a"), RangeResult(2, (kv(b"a", b"1", 2, 2, 1, -5),), count=1)),
        (LeaseRevoke(-5), LeaseRevokeResult(3)),
    ),
    says(
        "an id that is taken is refused, whether it was named or picked",
        GRANT,
        (LeaseGrant(30, id=7), LEASE_EXIST),
        (LeaseTimeToLive(7), LeaseTimeToLiveResult(1, 7, 59, 60)),
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(4), 60)),
        (LeaseGrant(60, id=LeaseOf(4)), LEASE_EXIST),
    ),
    says(
        "an id that was revoked can be granted again, and no key comes with it",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (LeaseRevoke(7), LeaseRevokeResult(3)),
        (LeaseGrant(30, id=7), LeaseGrantResult(3, 7, 30)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(3, 7, 29, 30)),
    ),
    says(
        "a TTL under the server's least becomes that one, zero and less too",
        *(
            (LeaseGrant(ttl, id=lease), LeaseGrantResult(1, lease, granted))
            for lease, (ttl, granted) in enumerate(((1, 2), (0, 2), (-1, 2), (MIN, 2), (2, 2), (3, 3)), 1)
        ),
    ),
    says(
        "a TTL of nine billion seconds is granted, and none above",
        (LeaseGrant(LONGEST, id=7), LeaseGrantResult(1, 7, LONGEST)),
        (LeaseGrant(LONGEST + 1, id=8), LEASE_TTL_TOO_LARGE),
        (LeaseGrant(2**63 - 1), LEASE_TTL_TOO_LARGE),
        (LeaseLeases(), LeaseLeasesResult(1, (7,))),
    ),
    says(
        "a TTL that is too large is reported before an id that is taken",
        GRANT,
        (LeaseGrant(LONGEST + 1, id=7), LEASE_TTL_TOO_LARGE),
        (LeaseGrant(LONGEST, id=7), LEASE_EXIST),
    ),
)

_REVOKES = (
    says(
        "a lease that is not there can't be revoked, nor can lease 0, nor one twice",
        (LeaseRevoke(404), LEASE_NOT_FOUND),
        (LeaseRevoke(0), LEASE_NOT_FOUND),
        (LeaseRevoke(-1), LEASE_NOT_FOUND),
        GRANT,
        (LeaseRevoke(7), LeaseRevokeResult(1)),
        (LeaseRevoke(7), LEASE_NOT_FOUND),
    ),
    says(
        "to revoke a lease without keys makes no revision",
        (Put(b"a", b"1"), PutResult(2)),
        (LeaseGrant(60), LeaseGrantResult(2, LeaseOf(2), 60)),
        (LeaseRevoke(LeaseOf(2)), LeaseRevokeResult(2)),
        (Put(b"b"), PutResult(3)),
    ),
    says(
        "to revoke a lease deletes all its keys, in one revision",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (Put(b"b", b"1", lease=LeaseOf(1)), PutResult(2)),
        (Put(b"a", b"2", lease=LeaseOf(1)), PutResult(3)),
        (Put(b"c", b"3"), PutResult(4)),
        (LeaseRevoke(LeaseOf(1)), LeaseRevokeResult(5)),
        (Range(b"a", b"z"), RangeResult(5, (kv(b"c", b"3", 4, 4, 1),), count=1)),
        (Put(b"a", b"4"), PutResult(6)),
        (Range(b"a"), RangeResult(6, (kv(b"a", b"4", 6, 6, 1),), count=1)),
    ),
    says(
        "a put with a lease that was revoked is refused",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (LeaseRevoke(7), LeaseRevokeResult(3)),
        (Put(b"a", b"2", lease=7), LEASE_NOT_FOUND),
        (Range(b"a"), RangeResult(3)),
    ),
    says(
        "to revoke a lease leaves the keys of another one, and those that were taken from it",
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (LeaseGrant(60, id=8), LeaseGrantResult(1, 8, 60)),
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (Put(b"b", b"1", lease=7), PutResult(3)),
        (Put(b"c", b"1", lease=7), PutResult(4)),
        (Put(b"b", b"2", lease=8), PutResult(5)),
        (Put(b"c", b"2"), PutResult(6)),
        (LeaseRevoke(7), LeaseRevokeResult(7)),
        (
            Range(b"a", b"z"),
            RangeResult(7, (kv(b"b", b"2", 3, 5, 2, 8), kv(b"c", b"2", 4, 6, 2)), count=2),
        ),
        (LeaseRevoke(8), LeaseRevokeResult(8)),
        (Range(b"a", b"z"), RangeResult(8, (kv(b"c", b"2", 4, 6, 2),), count=1)),
    ),
    says(
        "a lease all of whose keys are gone makes no revision when it is revoked",
        GRANT,
        (Put(b"a", b"1", lease=7), PutResult(2)),
        (DeleteRange(b"a"), DeleteRangeResult(3, 1)),
        (Put(b"a", b"2"), PutResult(4)),
        (LeaseRevoke(7), LeaseRevokeResult(4)),
        (Range(b"a"), RangeResult(4, (kv(b"a", b"2", 4, 4, 1),), count=1)),
    ),
)

_LIVES = (
    says(
        "a fresh lease has a second less to live than was granted",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (LeaseTimeToLive(LeaseOf(1)), LeaseTimeToLiveResult(1, LeaseOf(1), 59, 60)),
        (LeaseGrant(LONGEST, id=8), LeaseGrantResult(1, 8, LONGEST)),
        (LeaseTimeToLive(8), LeaseTimeToLiveResult(1, 8, LONGEST - 1, LONGEST)),
    ),
    says(
        "a lease that is not there has -1 to live, and that is no error",
        (LeaseTimeToLive(404, keys=True), LeaseTimeToLiveResult(1, 404, -1)),
        (LeaseTimeToLive(0), LeaseTimeToLiveResult(1, 0, -1)),
        GRANT,
        (LeaseRevoke(7), LeaseRevokeResult(1)),
        (LeaseTimeToLive(7), LeaseTimeToLiveResult(1, 7, -1)),
    ),
    says(
        "the keys of a lease are reported only where they are asked for",
        GRANT,
        (Put(b"b", lease=7), PutResult(2)),
        (Put(b"a", lease=7), PutResult(3)),
        (Put(b"c"), PutResult(4)),
        (LeaseTimeToLive(7), LeaseTimeToLiveResult(4, 7, 59, 60)),
        (LeaseTimeToLive(7, keys=True), LeaseTimeToLiveResult(4, 7, 59, 60, (b"a", b"b"))),
    ),
    says(
        "keeping a lease alive answers with all of its TTL",
        (LeaseGrant(60), LeaseGrantResult(1, LeaseOf(1), 60)),
        (Put(b"a", lease=LeaseOf(1)), PutResult(2)),
        (LeaseKeepAlive(LeaseOf(1)), LeaseKeepAliveResult(2, LeaseOf(1), 60)),
        (LeaseKeepAlive(LeaseOf(1)), LeaseKeepAliveResult(2, LeaseOf(1), 60)),
        (LeaseTimeToLive(LeaseOf(1), keys=True), LeaseTimeToLiveResult(2, LeaseOf(1), 59, 60, (b"a",))),
    ),
    says(
        "keeping a lease alive that is not there answers with a TTL of 0, and that is no error",
        (LeaseKeepAlive(404), LeaseKeepAliveResult(1, 404, 0)),
        (LeaseKeepAlive(0), LeaseKeepAliveResult(1, 0, 0)),
        GRANT,
        (LeaseRevoke(7), LeaseRevokeResult(1)),
        (LeaseKeepAlive(7), LeaseKeepAliveResult(1, 7, 0)),
        (LeaseTimeToLive(7), LeaseTimeToLiveResult(1, 7, -1)),
    ),
    says(
        "leases reports every lease that is there",
        (LeaseLeases(), LeaseLeasesResult(1)),
        (LeaseGrant(60, id=7), LeaseGrantResult(1, 7, 60)),
        (LeaseGrant(30), LeaseGrantResult(1, LeaseOf(3), 30)),
        (LeaseGrant(60, id=-5), LeaseGrantResult(1, -5, 60)),
        (LeaseLeases(), LeaseLeasesResult(1, (-5, 7, LeaseOf(3)))),
        (LeaseRevoke(7), LeaseRevokeResult(1)),
        (LeaseLeases(), LeaseLeasesResult(1, (-5, LeaseOf(3)))),
    ),
)

LEASES = (*_GRANTS, *_REVOKES, *_LIVES)
