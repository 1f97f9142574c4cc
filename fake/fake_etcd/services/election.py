"""The Election service."""

from collections.abc import Generator, Mapping
from contextlib import suppress

from grpc import StatusCode

from fake_etcd.concurrency import CleaningClient, Client, created_at, first_created, op_put, op_range, session_key
from fake_etcd.errors import EtcdError
from fake_etcd.leader_observer import LeaderObserver
from fake_etcd.services.service import Handler, Service, StepsHandler
from fake_etcd.waiting import Wait
from fake_etcd.wire import messages as pb


class Elections(Service):
    """etcd: server/etcdserver/api/v3election/election.go, client/v3/concurrency/election.go."""

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/v3electionpb.Election/Proclaim": self.proclaim,
            "/v3electionpb.Election/Leader": self.leader,
            "/v3electionpb.Election/Resign": self.resign,
        }

    def waiting(self) -> Mapping[str, StepsHandler]:
        return {"/v3electionpb.Election/Campaign": self.campaign}

    def streams(self) -> Mapping[str, StepsHandler]:
        return {"/v3electionpb.Election/Observe": self.observe}

    def campaign(self, request: pb.CampaignRequest, token: str) -> Generator[Wait, None, pb.CampaignResponse]:
        """Stand with a key bound to the lease, and be elected once there is no older one.

        A candidate's second value is proclaimed before it is elected; the header is the first txn's nevertheless.
        """
        client = Client(self.core, token, request)
        lease = client.session(request.lease)
        prefix = request.name + b"/"
        key = session_key(prefix, lease)
        standing = client.txn(
            pb.TxnRequest(
                compare=[created_at(key, 0)],
                success=[op_put(key, request.value, lease)],
                failure=[op_range(pb.RangeRequest(key=key))],
            )
        )
        leader = pb.LeaderKey(name=request.name, key=key, rev=standing.header.revision, lease=lease)
        if not standing.succeeded:
            mine = standing.responses[0].response_range.kvs[0]
            leader.rev = mine.create_revision
            if mine.value != request.value:
                self._proclaim_or_resign(client, leader, request.value)
        cleaning = CleaningClient(self.core)
        try:
            yield from client.wait_deletes(prefix, leader.rev - 1)
        except EtcdError as error:
            if error.code is StatusCode.CANCELLED and not cleaning.is_too_late:
                with suppress(EtcdError):
                    _resign(cleaning, leader)
            raise
        return pb.CampaignResponse(header=standing.header, leader=leader)

    def _proclaim_or_resign(self, client: Client, leader: pb.LeaderKey, value: bytes) -> None:
        try:
            _proclaim(client, leader, leader.lease, value)
        except EtcdError:
            with suppress(EtcdError):
                _resign(client, leader)
            raise

    def proclaim(self, request: pb.ProclaimRequest, token: str) -> pb.ProclaimResponse:
        """A new value, as long as the leader's key lives. A leader's lease of 0 is replaced by a new one."""
        _require_leader(request)
        client = Client(self.core, token, request)
        lease = client.session(request.leader.lease)
        return pb.ProclaimResponse(header=_proclaim(client, request.leader, lease, request.value))

    def leader(self, request: pb.LeaderRequest, token: str) -> pb.LeaderResponse:
        """The oldest key."""
        found = Client(self.core, token, request).range(first_created(request.name + b"/"))
        if not found.kvs:
            raise EtcdError(StatusCode.UNKNOWN, "election: no leader")
        return pb.LeaderResponse(header=found.header, kv=found.kvs[0])

    def resign(self, request: pb.ResignRequest, token: str) -> pb.ResignResponse:
        """Delete the leader's key if it still is its own; otherwise nothing is done, and nothing said."""
        _require_leader(request)
        client = Client(self.core, token, request)
        client.session(request.leader.lease)
        return pb.ResignResponse(header=_resign(client, request.leader))

    def observe(self, request: pb.LeaderRequest, token: str) -> Generator[Wait | pb.LeaderResponse, None, None]:
        """Every leader in turn, and every value that it proclaims."""
        return LeaderObserver(self.core, request.name + b"/", Client(self.core, token, request)).steps()


def _require_leader(request: pb.ProclaimRequest | pb.ResignRequest) -> None:
    if not request.HasField("leader"):
        raise EtcdError(StatusCode.UNKNOWN, '"leader" field must be provided')


def _proclaim(client: Client, leader: pb.LeaderKey, lease: int, value: bytes) -> pb.ResponseHeader:
    response = client.txn(
        pb.TxnRequest(compare=[created_at(leader.key, leader.rev)], success=[op_put(leader.key, value, lease)])
    )
    if not response.succeeded:
        raise EtcdError(StatusCode.UNKNOWN, "election: not leader")
    return response.header


def _resign(client: Client, leader: pb.LeaderKey) -> pb.ResponseHeader:
    delete = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=leader.key))
    return client.txn(pb.TxnRequest(compare=[created_at(leader.key, leader.rev)], success=[delete])).header
