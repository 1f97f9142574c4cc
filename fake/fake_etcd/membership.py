"""The members of the cluster (etcd: server/etcdserver/api/membership/cluster.go, server/etcdserver/server.go).

There is one server, so whoever else is a member was never started: it has no name. As a learner it has no vote, and
the server goes on without it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from grpc import StatusCode

from fake_etcd.errors import (
    EtcdError,
    LearnerNotReady,
    MemberNotFound,
    MemberNotLearner,
    NotEnoughStarted,
    PeerURLExist,
    TooManyLearners,
    Unhealthy,
)
from fake_etcd.quirks import Quirks
from fake_etcd.wire.messages import Member


class Membership:
    """Who is a member. A check raises EtcdError."""

    def __init__(self, own: Member, max_learners: int, strict: bool, quirks: Quirks) -> None:
        """`strict`: whether a change that costs a quorum is refused (etcd's --strict-reconfig-check)."""
        self._own = own
        self._others: dict[int, Member] = {}
        self._max_learners = max_learners
        self._strict = strict
        self._quirks = quirks
        self._added = 0
        self.removed: list[int] = []
        """The ids of those that were, the last one last. None of them is ever had again."""

    def __iter__(self) -> Iterator[Member]:
        """All of them by their id, as etcd lists them; the server's own among them."""
        return iter(sorted((self._own, *self._others.values()), key=lambda member: member.ID))

    @property
    def learners(self) -> list[int]:
        """The ids of raft's learners: also of those that are none any more in the list (`update`)."""
        return list(self._others)

    def may_lead(self, id: int) -> bool:
        """Whether the lead can be handed over to it, by the list."""
        return any(id == member.ID and not member.isLearner for member in self)

    def check_readiness_for_one_more(self, *, learner: bool) -> None:
        """Before it is proposed: the voting members must be there, and one more, if it has a vote, may not be too many.

        etcd: server.go mayAddMember, cluster.go IsReadyToAddVotingMember.
        """
        if not self._strict:
            return
        voters = self._voters()
        started = _started(voters)
        alone = started == len(voters) == 1
        if not learner and not alone and started < _quorum(len(voters) + 1):
            raise NotEnoughStarted()
        if len(voters) > started:
            raise Unhealthy()

    def check_addition(self, urls: Sequence[str], *, learner: bool) -> None:
        """When it is applied. etcd: cluster.go ValidateConfigurationChange."""
        self._check_urls(urls, self)
        if learner and sum(member.isLearner for member in self) >= self._max_learners:
            raise TooManyLearners()

    def add_learner(self, urls: Sequence[str]) -> Member:
        """Add one that was checked, and return it."""
        self._added += 1
        member = Member(ID=self._new_id(urls), peerURLs=urls, isLearner=True)
        self._others[member.ID] = member
        return member

    def _new_id(self, urls: Sequence[str]) -> int:
        """etcd hashes the time in seconds with the URLs (member.go computeMemberID), so that the same URLs, twice in a
        second, are refused for their id. Here it is how many there have been."""
        hashed = hashlib.sha1("".join([*urls, str(self._added)]).encode(), usedforsecurity=False)
        return int.from_bytes(hashed.digest()[:8], "big")

    def remove(self, id: int) -> None:
        """The others must be enough without it, unless it is a learner. etcd: server.go mayRemoveMember."""
        member = self._others.get(id)
        if not self._strict and id == self._own.ID:
            raise EtcdError(StatusCode.UNIMPLEMENTED, "fake-etcd: a real etcd would remove itself, and end")
        if self._strict and (member is None or not member.isLearner):
            left = [voter for voter in self._voters() if id != voter.ID]
            if _started(left) < _quorum(len(left)):
                raise NotEnoughStarted()
        if member is None:
            raise MemberNotFound()
        del self._others[id]
        self.removed.append(id)

    def check_update(self, id: int, urls: Sequence[str]) -> None:
        """What is no URL isn't looked at."""
        if all(id != member.ID for member in self):
            raise MemberNotFound()
        self._check_urls(urls, (member for member in self if id != member.ID))

    def update(self, id: int, urls: Sequence[str]) -> None:
        """Give it other URLs, as they are. etcd: cluster.go UpdateRaftAttributes."""
        member = self._others.get(id, self._own)
        del member.peerURLs[:]
        member.peerURLs.extend(urls)
        if not self._quirks.updated_learners_stay_learners:
            member.isLearner = False

    def why_not_promoted(self, id: int) -> EtcdError:
        """Nobody can be: who was never started has nothing of the log. etcd: server.go isLearnerReady."""
        if id == self._own.ID:
            return MemberNotLearner()
        return LearnerNotReady() if id in self._others else MemberNotFound()

    def _voters(self) -> list[Member]:
        return [member for member in self if not member.isLearner]

    @staticmethod
    def _check_urls(urls: Sequence[str], members: Iterable[Member]) -> None:
        if any(url in member.peerURLs for member in members for url in urls):
            raise PeerURLExist()


def _started(members: Iterable[Member]) -> int:
    """How many have been started: a member's name is known from then on."""
    return sum(bool(member.name) for member in members)


def _quorum(members: int) -> int:
    return members // 2 + 1
