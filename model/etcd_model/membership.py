"""The members of the cluster: the server's own, and those that were added to it and never started.

As many as one server can have without losing its quorum: learners. Raft asks nobody about a learner, so the server
goes on as before (etcd server/etcdserver/server.go, AddMember and so on; api/membership/cluster.go,
ValidateConfigurationChange).
"""

from __future__ import annotations

import re
from dataclasses import replace

from etcd_model import operations as op
from etcd_model.errors import (
    LEARNER_NOT_READY,
    MEMBER_NOT_FOUND,
    MEMBER_NOT_LEARNER,
    NOT_ENOUGH_STARTED,
    PEER_URL_EXISTS,
    TOO_MANY_LEARNERS,
    UNHEALTHY,
    Error,
)
from etcd_model.exhaustive import assert_never
from etcd_model.quirks import Quirks
from etcd_model.results import Member, MemberAddResult, MemberListResult, Result
from etcd_model.state import State

_OWN = Member(op.MEMBER_ID)
_MOST_LEARNERS = 1
"""etcd's --max-learners."""


def step(state: State, operation: op.ClusterOperation) -> tuple[State, Result]:
    """What is asked by whom it is for, with peer URLs that are valid. The header of an answer has no revision."""
    match operation:
        case op.MemberList():
            return state, _listed(state)
        case op.MemberAdd():
            return _add(state, operation)
        case op.MemberRemove(id=member_id):
            refusal = _why_not_removed(state, member_id)
            return (state, refusal) if refusal else _with(state, *_others(state, member_id))
        case op.MemberUpdate():
            return _update(state, operation)
        case op.MemberPromote(id=member_id):
            return state, _why_not_promoted(state, member_id)
        case _:
            assert_never(operation)


def _listed(state: State) -> MemberListResult:
    return MemberListResult(members=(_OWN, *state.members))


def _with(state: State, *members: Member) -> tuple[State, MemberListResult]:
    changed = replace(state, members=members)
    return changed, _listed(changed)


def _others(state: State, member_id: int) -> list[Member]:
    return [member for member in state.members if member.id != member_id]


def _find(state: State, member_id: int) -> Member | None:
    return next((member for member in state.members if member.id == member_id), None)


def votes(state: State, member_id: int) -> bool:
    """Whether a member is a voting one, in the list at least."""
    member = _find(state, member_id)
    return member_id == op.MEMBER_ID or (member is not None and not member.is_learner)


def _voters(members: tuple[Member, ...] | list[Member]) -> int:
    """How many of those that were added count as voting members: learners that were updated
    (`Quirks.updated_learners_stay_learners`)."""
    return sum(not member.is_learner for member in members)


def _lacks_quorum(members: int) -> bool:
    """Whether the server alone is too few of so many voting members."""
    return members // 2 + 1 > 1


def _add(state: State, operation: op.MemberAdd) -> tuple[State, MemberAddResult | Error]:
    """A voting member beside the one is let in, though it takes the quorum
    (api/membership/cluster.go, IsReadyToAddVotingMember)."""
    voters = _voters(state.members)
    if voters and not operation.is_learner:
        return state, NOT_ENOUGH_STARTED
    if voters:
        return state, UNHEALTHY
    urls = tuple(sorted(map(_normal, operation.peer_urls)))
    if _taken(urls, state.members):
        return state, PEER_URL_EXISTS
    if operation.is_learner and sum(member.is_learner for member in state.members) >= _MOST_LEARNERS:
        return state, TOO_MANY_LEARNERS
    added = Member(state.next_member_id, operation.is_learner, urls)
    after, listed = _with(replace(state, next_member_id=added.id + 1), *state.members, added)
    return after, MemberAddResult(member=added, members=listed.members)


def _taken(urls: tuple[str, ...], members: tuple[Member, ...] | list[Member]) -> bool:
    return any(set(urls) & set(member.peer_urls) for member in members)


def _normal(url: str) -> str:
    """As Go's net/url prints what it has parsed: a URL of a scheme, a host and a port."""
    scheme, separator, rest = url.strip(_SPACE).partition(":")
    return f"{scheme.lower()}{separator}{rest}"


def _why_not_removed(state: State, member_id: int) -> Error | None:
    """Those that stay must have a quorum of started ones, unless it is a learner that goes: that is looked at before
    the id (server.go, mayRemoveMember)."""
    member = _find(state, member_id)
    if member is not None and member.is_learner:
        return None
    if member_id == op.MEMBER_ID or _lacks_quorum(1 + _voters(_others(state, member_id))):
        return NOT_ENOUGH_STARTED
    return None if member else MEMBER_NOT_FOUND


def _update(state: State, operation: op.MemberUpdate) -> tuple[State, MemberListResult | Error]:
    """The URLs are taken as they are. Those of the server's own member are not here."""
    member = _find(state, operation.id)
    if member is None and operation.id != op.MEMBER_ID:
        return state, MEMBER_NOT_FOUND
    if _taken(operation.peer_urls, _others(state, operation.id)):
        return state, PEER_URL_EXISTS
    if member is None:
        return state, _listed(state)
    is_learner = member.is_learner and state.server.quirks.updated_learners_stay_learners
    updated = Member(member.id, is_learner, operation.peer_urls)
    return _with(state, *(updated if one is member else one for one in state.members))


def _why_not_promoted(state: State, member_id: int) -> Error:
    """What was never started has none of the leader's log (server.go, isLearnerReady)."""
    if member_id == op.MEMBER_ID:
        return MEMBER_NOT_LEARNER
    return LEARNER_NOT_READY if _find(state, member_id) else MEMBER_NOT_FOUND


# Peer URLs

_SPACE = " \t\n\v\f\r"
_ANY_URL = r"https?://[^/?#]*:\d*([?#].*)?"
_PLAIN_URL = r"https?://[a-z0-9.-]+:\d+"
_ANY_UNIX_URL, _PLAIN_UNIX_URL = r"unixs?:.*", r"unixs?://(?=.)([a-z0-9.-]+(:\d+)?)?(/[a-z0-9./-]*)?"
_ANY_UNIX_HOST, _PLAIN_UNIX_HOST = r"unixs?://[^/?#]*:\d*([?#].*)?", r"unixs?://[a-z0-9.-]+:\d+"


def may_be_taken(urls: tuple[str, ...], quirks: Quirks) -> bool:
    """Whether etcd could take them: each has a scheme, a host, a port, and no path. In doubt it could."""
    unix = _ANY_UNIX_URL if quirks.unix_peer_urls_need_no_port else _ANY_UNIX_HOST
    return bool(urls) and _are_like(urls, f"{_ANY_URL}|{unix}")


def _are_taken(urls: tuple[str, ...], quirks: Quirks) -> bool:
    """Whether etcd takes them for certain."""
    unix = _PLAIN_UNIX_URL if quirks.unix_peer_urls_need_no_port else _PLAIN_UNIX_HOST
    return bool(urls) and _are_like(urls, f"{_PLAIN_URL}|{unix}")


def _are_like(urls: tuple[str, ...], pattern: str) -> bool:
    return all(re.fullmatch(pattern, url.strip(_SPACE), re.IGNORECASE | re.DOTALL | re.ASCII) for url in urls)


def _is_padded(url: str) -> bool:
    """Whether there is space around it. Where a member is added that is taken away; where one is updated it stays, and
    four seconds later the prober of peers panics (github.com/xiang90/probing, AddHTTP)."""
    return url != url.strip(_SPACE)


# What is not to be done


def changes_for_good(state: State, operation: op.ClusterOperation | op.MoveLeader) -> str | None:
    """Why a call that is not refused would be the end of the cluster, or leave it another one; None if it would not."""
    quirks = state.server.quirks
    match operation:
        case op.MemberAdd(is_learner=False):
            return "a voting member that is added takes the quorum from a cluster of one"
        case op.MemberAdd(peer_urls=urls) if not _are_taken(urls, quirks):
            return "whether etcd takes such peer URLs is not known here"
        case op.MemberUpdate(id=op.MEMBER_ID):
            return "the server's own peer URLs can't be brought back"
        case op.MemberUpdate(peer_urls=urls) if not _are_taken(urls, quirks) or any(map(_is_padded, urls)):
            return "peer URLs of another member that are none, or have a space around them, kill etcd for good"
        case op.MoveLeader(target_id=target) if target != op.MEMBER_ID and votes(state, target):
            return "etcd waits for seconds, in vain, for a member that was never started to take over"
        case _:
            return None
