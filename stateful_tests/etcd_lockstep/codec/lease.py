"""The Lease service."""

from __future__ import annotations

from etcd_lockstep.codec.coding import Decoders, Encoders
from etcd_model import results
from etcd_model.operations import LeaseGrant, LeaseKeepAlive, LeaseLeases, LeaseRevoke, LeaseTimeToLive
from fake_etcd.wire import messages as wire

_LEASE = "/etcdserverpb.Lease/"

ENCODERS: Encoders = {
    LeaseGrant: (_LEASE + "LeaseGrant", lambda op: wire.LeaseGrantRequest(TTL=op.ttl, ID=op.id)),
    LeaseRevoke: (_LEASE + "LeaseRevoke", lambda op: wire.LeaseRevokeRequest(ID=op.id)),
    LeaseKeepAlive: (_LEASE + "LeaseKeepAlive", lambda op: wire.LeaseKeepAliveRequest(ID=op.id)),
    LeaseTimeToLive: (
        _LEASE + "LeaseTimeToLive",
        lambda op: wire.LeaseTimeToLiveRequest(ID=op.id, keys=op.keys),
    ),
    LeaseLeases: (_LEASE + "LeaseLeases", lambda _op: wire.LeaseLeasesRequest()),
}

DECODERS: Decoders = {
    LeaseGrant: lambda answer: results.LeaseGrantResult(answer.header.revision, answer.ID, answer.TTL),
    LeaseRevoke: lambda answer: results.LeaseRevokeResult(answer.header.revision),
    LeaseKeepAlive: lambda answer: results.LeaseKeepAliveResult(answer.header.revision, answer.ID, answer.TTL),
    LeaseTimeToLive: lambda answer: results.LeaseTimeToLiveResult(
        answer.header.revision, answer.ID, answer.TTL, answer.grantedTTL, tuple(answer.keys)
    ),
    LeaseLeases: lambda answer: results.LeaseLeasesResult(
        answer.header.revision, tuple(lease.ID for lease in answer.leases)
    ),
}
