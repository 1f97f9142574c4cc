"""The Lock and Election services."""

from __future__ import annotations

from etcd_lockstep.codec.coding import Decoders, Encoders
from etcd_lockstep.codec.kv import key_value
from etcd_model import results
from etcd_model.operations import Campaign, Leader, LeaderKey, Lock, Observe, Proclaim, Resign, Unlock
from fake_etcd.wire import messages as wire

_LOCK = "/v3lockpb.Lock/"
_ELECTION = "/v3electionpb.Election/"


def _leader_key(leader: LeaderKey | None) -> wire.LeaderKey | None:
    if leader is None:
        return None
    return wire.LeaderKey(name=leader.name, key=leader.key, rev=leader.rev, lease=leader.lease)


ENCODERS: Encoders = {
    Lock: (_LOCK + "Lock", lambda op: wire.LockRequest(name=op.name, lease=op.lease)),
    Unlock: (_LOCK + "Unlock", lambda op: wire.UnlockRequest(key=op.key)),
    Campaign: (
        _ELECTION + "Campaign",
        lambda op: wire.CampaignRequest(name=op.name, lease=op.lease, value=op.value),
    ),
    Proclaim: (
        _ELECTION + "Proclaim",
        lambda op: wire.ProclaimRequest(leader=_leader_key(op.leader), value=op.value),
    ),
    Leader: (_ELECTION + "Leader", lambda op: wire.LeaderRequest(name=op.name)),
    Observe: (_ELECTION + "Observe", lambda op: wire.LeaderRequest(name=op.name)),
    Resign: (_ELECTION + "Resign", lambda op: wire.ResignRequest(leader=_leader_key(op.leader))),
}


def _campaign_result(answer: wire.CampaignResponse) -> results.CampaignResult:
    leader = answer.leader
    return results.CampaignResult(answer.header.revision, LeaderKey(leader.name, leader.key, leader.rev, leader.lease))


def _leader_result(answer: wire.LeaderResponse) -> results.LeaderResult:
    kv = key_value(answer.kv) if answer.HasField("kv") else None
    return results.LeaderResult(answer.header.revision, kv)


DECODERS: Decoders = {
    Lock: lambda answer: results.LockResult(answer.header.revision, answer.key),
    Unlock: lambda answer: results.UnlockResult(answer.header.revision),
    Campaign: _campaign_result,
    Proclaim: lambda answer: results.ElectionResult(answer.header.revision),
    Leader: _leader_result,
    Observe: _leader_result,
    Resign: lambda answer: results.ElectionResult(answer.header.revision),
}
