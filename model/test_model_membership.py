"""The members of the cluster: a learner, and what is refused."""

from __future__ import annotations

import pytest

from etcd_model import State, crash_reason, quirks_of, step
from etcd_model import operations as op
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    LEARNER_NOT_READY,
    MEMBER_BAD_URLS,
    MEMBER_NOT_FOUND,
    NOT_ENOUGH_STARTED,
    PEER_URL_EXISTS,
    TOO_MANY_LEARNERS,
    UNHEALTHY,
    Error,
)
from etcd_model.results import Member, MemberAddResult, MemberListResult, Result
from etcd_model.state import Server

OLD, NEW = "3.5.30", "3.7.3"
URL, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"


def of(version: str, *operations: op.Operation) -> State:
    """A store after these."""
    state = State(server=Server(quirks=quirks_of(version)))
    for operation in operations:
        state, result = step(state, operation)
        assert not isinstance(result, Error), (operation, result)
    return state


def said(state: State, operation: op.Operation) -> Result:
    return step(state, operation)[1]


def learner(*urls: str) -> op.MemberAdd:
    return op.MemberAdd(urls, is_learner=True)


FIRST = of(NEW, learner(URL)).members[0].id


@pytest.mark.parametrize("version", ["3.4.23", OLD, NEW])
def test_one_learner_is_taken_and_reported_by_every_call(version: str) -> None:
    added = Member(FIRST, True, (URL, OTHER))
    state, result = step(of(version), learner(f" {OTHER}", "HTTP" + URL[4:]))
    assert result == MemberAddResult(0, added, (Member(op.MEMBER_ID), added))
    assert said(state, op.MemberList()) == MemberListResult(0, (Member(op.MEMBER_ID), added))
    assert said(state, learner("http://127.0.0.1:3")) == TOO_MANY_LEARNERS
    assert said(state, learner("http://127.0.0.1:3", URL)) == PEER_URL_EXISTS
    assert said(state, op.MemberPromote(FIRST)) == LEARNER_NOT_READY
    assert said(state, op.MoveLeader(FIRST)) == BAD_LEADER_TRANSFEREE
    assert said(state, op.MemberUpdate(op.MEMBER_ID, (URL,))) == PEER_URL_EXISTS
    assert said(state, op.MemberRemove(FIRST)) == MemberListResult(0, (Member(op.MEMBER_ID),))


def test_no_id_is_had_twice() -> None:
    state = of(NEW, learner(URL), op.MemberRemove(FIRST), learner(URL))
    assert [member.id for member in state.members] == [FIRST + 1]
    assert said(state, op.MemberRemove(FIRST)) == MEMBER_NOT_FOUND


def test_an_updated_learner_stays_one_or_counts_as_a_voting_member_that_is_down() -> None:
    new, old = (of(version, learner(URL), op.MemberUpdate(FIRST, (OTHER,))) for version in (NEW, OLD))
    assert (new.members, old.members) == ((Member(FIRST, True, (OTHER,)),), (Member(FIRST, False, (OTHER,)),))
    for operation, of_new, of_old in (
        (learner(URL), TOO_MANY_LEARNERS, UNHEALTHY),
        (op.MemberAdd((OTHER,)), PEER_URL_EXISTS, NOT_ENOUGH_STARTED),
        (op.MemberRemove(404), MEMBER_NOT_FOUND, NOT_ENOUGH_STARTED),
    ):
        assert (said(new, operation), said(old, operation)) == (of_new, of_old)
    for state in (new, old):
        assert not isinstance(said(state, op.MemberRemove(FIRST)), Error)


@pytest.mark.parametrize(
    ("url", "old", "new"),
    [
        ("unix://127.0.0.1:1", True, True),
        ("unix://peer", False, True),
        ("unixs:///peer/1", False, True),
        ("unix://127.0.0.1:1/a", False, True),
        ("ftp://127.0.0.1:1", False, False),
        ("http://127.0.0.1:1/a", False, False),
    ],
)
def test_a_socket_of_unix_had_a_port(url: str, old: bool, new: bool) -> None:
    for version, taken in (("3.5.1", old), (NEW, new)):
        assert (said(of(version), learner(url)) != MEMBER_BAD_URLS) == taken


def test_what_etcd_would_not_survive_is_sent_to_nobody() -> None:
    state, lost = of(NEW, learner(URL)), of(OLD, learner(URL), op.MemberUpdate(FIRST, (OTHER,)))
    for operation, before in (
        (op.MemberAdd((OTHER,)), state),
        (op.MemberUpdate(FIRST), state),
        (op.MemberUpdate(FIRST, ("x",)), state),
        (op.MemberUpdate(FIRST, (f"{OTHER} ",)), state),
        (op.MemberUpdate(op.MEMBER_ID, (OTHER,)), state),
        (op.MoveLeader(FIRST), lost),
        (learner("http://[::1]:1"), of(NEW)),  # it is taken, and written otherwise than it is read, perhaps
    ):
        assert crash_reason(operation, before), operation


def test_what_is_refused_or_harmless_is_sent() -> None:
    state, lost = of(NEW, learner(URL)), of(OLD, learner(URL), op.MemberUpdate(FIRST, (OTHER,)))
    for operation, before in (
        (learner(URL), of(NEW)),
        (learner(f" {URL}"), of(NEW)),
        (op.MemberAdd((URL,)), state),
        (op.MemberAdd((URL,)), lost),
        (op.MemberUpdate(FIRST, (OTHER,)), state),
        (op.MemberUpdate(op.MEMBER_ID, (URL,)), state),
        (op.MemberRemove(FIRST), state),
        (op.MoveLeader(FIRST), state),
        (op.MoveLeader(op.MEMBER_ID), lost),
    ):
        assert crash_reason(operation, before) is None, operation
