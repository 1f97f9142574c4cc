"""The Cluster service: one server, and learners that nobody starts."""

from collections.abc import Mapping

from grpc import StatusCode

from fake_etcd import etcd_urls
from fake_etcd.core import CLUSTER_ID, MEMBER_ID, RAFT_TERM
from fake_etcd.errors import EtcdError, MemberBadURLs, would_crash
from fake_etcd.services.service import Handler, Service
from fake_etcd.wire import messages as pb


class Cluster(Service):
    """etcd: server/etcdserver/api/v3rpc/member.go, server/etcdserver/server.go AddMember and so on.

    A header here reports no revision.
    """

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/etcdserverpb.Cluster/MemberAdd": self.member_add,
            "/etcdserverpb.Cluster/MemberRemove": self.member_remove,
            "/etcdserverpb.Cluster/MemberUpdate": self.member_update,
            "/etcdserverpb.Cluster/MemberList": self.member_list,
            "/etcdserverpb.Cluster/MemberPromote": self.member_promote,
        }

    def member_add(self, request: pb.MemberAddRequest, token: str) -> pb.MemberAddResponse:
        """A real server would add a voting member too, whose absence would then stop it."""
        core = self.core
        urls = etcd_urls.parsed(request.peerURLs, core.quirks)
        if urls is None:
            raise MemberBadURLs()
        core.require_root(token)
        core.members.check_readiness_for_one_more(learner=request.isLearner)
        core.raft_index += 1
        core.members.check_addition(urls, learner=request.isLearner)
        if not request.isLearner:
            raise EtcdError(
                StatusCode.UNIMPLEMENTED,
                "fake-etcd: a cluster of one member can't be given another that votes: until it is started, no real"
                " etcd would answer any more. Add it as a learner",
            )
        added = core.members.add_learner(urls)
        return pb.MemberAddResponse(header=_header(), member=added, members=self._members())

    def member_remove(self, request: pb.MemberRemoveRequest, token: str) -> pb.MemberRemoveResponse:
        self.core.require_root(token)
        self.core.members.remove(request.ID)
        self.core.raft_index += 1
        return pb.MemberRemoveResponse(header=_header(), members=self._members())

    def member_update(self, request: pb.MemberUpdateRequest, token: str) -> pb.MemberUpdateResponse:
        """The URLs aren't looked at, until another member is to be found there."""
        core, urls = self.core, request.peerURLs
        core.require_root(token)
        core.raft_index += 1
        core.members.check_update(request.ID, urls)
        if request.ID != MEMBER_ID and not etcd_urls.can_be_probed(urls, core.quirks):
            raise would_crash(core.quirks.version, "another member's peer URLs are none, or have a space around them")
        core.members.update(request.ID, urls)
        return pb.MemberUpdateResponse(header=_header(), members=self._members())

    def member_list(self, _request: pb.MemberListRequest, token: str) -> pb.MemberListResponse:
        if self.core.quirks.member_list_guarded:
            self.core.auth.require_user(token)
        return pb.MemberListResponse(header=_header(), members=self._members())

    def member_promote(self, request: pb.MemberPromoteRequest, token: str) -> pb.MemberPromoteResponse:
        self.core.require_root(token)
        raise self.core.members.why_not_promoted(request.ID)

    def _members(self) -> list[pb.Member]:
        own = self.core.client_urls
        return [
            pb.Member(
                ID=member.ID,
                name=member.name,
                peerURLs=member.peerURLs,
                clientURLs=own if member.ID == MEMBER_ID else (),
                isLearner=member.isLearner,
            )
            for member in self.core.members
        ]


def _header() -> pb.ResponseHeader:
    return pb.ResponseHeader(cluster_id=CLUSTER_ID, member_id=MEMBER_ID, raft_term=RAFT_TERM)
