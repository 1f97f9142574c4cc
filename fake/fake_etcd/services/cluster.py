"""The Cluster service: one member, which stays alone."""

import re
from collections.abc import Mapping, Sequence

from grpc import StatusCode

from fake_etcd.core import CLUSTER_ID, MEMBER_ID, RAFT_TERM, Core
from fake_etcd.errors import (
    EtcdError,
    MemberBadURLs,
    MemberNotFound,
    MemberNotLearner,
    NotEnoughStarted,
    PeerURLExist,
)
from fake_etcd.services.service import Handler, Service
from fake_etcd.wire import messages as pb

_CLIENT_URLS = ("http://localhost:2379",)
"""Where a real server listens if nobody says anything else; so it is said where no server is."""


class Cluster(Service):
    """etcd: server/etcdserver/api/v3rpc/member.go, server/etcdserver/server.go AddMember and so on.

    A header here reports no revision.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._peer_urls = core.settings.peer_urls

    def reset(self) -> None:
        self._peer_urls = self.core.settings.peer_urls

    def saved(self) -> tuple[str, ...]:
        return self._peer_urls

    def restore(self, saved: tuple[str, ...]) -> None:
        self._peer_urls = saved

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "/etcdserverpb.Cluster/MemberAdd": self.member_add,
            "/etcdserverpb.Cluster/MemberRemove": self.member_remove,
            "/etcdserverpb.Cluster/MemberUpdate": self.member_update,
            "/etcdserverpb.Cluster/MemberList": self.member_list,
            "/etcdserverpb.Cluster/MemberPromote": self.member_promote,
        }

    def member_add(self, request: pb.MemberAddRequest, token: str) -> pb.MemberAddResponse:
        """A real server would add the member, and a voting one's absence would then stop it."""
        if not _are_urls(request.peerURLs):
            raise MemberBadURLs()
        self.core.require_root(token)
        if set(request.peerURLs) & set(self._peer_urls):
            raise PeerURLExist()
        raise EtcdError(StatusCode.UNIMPLEMENTED, "fake-etcd: a cluster of one member can't be given another")

    def member_remove(self, request: pb.MemberRemoveRequest, token: str) -> pb.MemberRemoveResponse:
        self.core.require_root(token)
        if request.ID == MEMBER_ID:
            raise NotEnoughStarted()
        raise MemberNotFound()

    def member_update(self, request: pb.MemberUpdateRequest, token: str) -> pb.MemberUpdateResponse:
        """The URLs aren't looked at."""
        self.core.require_root(token)
        if request.ID != MEMBER_ID:
            raise MemberNotFound()
        self._peer_urls = tuple(request.peerURLs)
        return pb.MemberUpdateResponse(header=_header(), members=[self._member()])

    def member_list(self, _request: pb.MemberListRequest, token: str) -> pb.MemberListResponse:
        if self.core.quirks.member_list_guarded:
            self.core.auth.require_user(token)
        return pb.MemberListResponse(header=_header(), members=[self._member()])

    def member_promote(self, request: pb.MemberPromoteRequest, token: str) -> pb.MemberPromoteResponse:
        self.core.require_root(token)
        raise MemberNotLearner() if request.ID == MEMBER_ID else MemberNotFound()

    def _member(self) -> pb.Member:
        urls = self.core.settings.client_urls or self.core.listening or _CLIENT_URLS
        return pb.Member(ID=MEMBER_ID, name=self.core.settings.member_name, peerURLs=self._peer_urls, clientURLs=urls)


def _header() -> pb.ResponseHeader:
    return pb.ResponseHeader(cluster_id=CLUSTER_ID, member_id=MEMBER_ID, raft_term=RAFT_TERM)


def _are_urls(urls: Sequence[str]) -> bool:
    """etcd: client/pkg/types/urls.go NewURLs."""
    return bool(urls) and all(re.fullmatch(r"https?://[^/]*:[^/:]*|unixs?://.*", url.strip()) for url in urls)
