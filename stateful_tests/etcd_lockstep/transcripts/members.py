"""Members that are added to a cluster of one, and are never started."""

from __future__ import annotations

from etcd_lockstep.trace import MemberOf
from etcd_lockstep.transcripts.auth_fixtures import as_root, asked, realm
from etcd_lockstep.transcripts.transcript import Answer, Since, Step, says
from etcd_model import operations as op
from etcd_model.errors import (
    BAD_LEADER_TRANSFEREE,
    INVALID_AUTH_TOKEN,
    LEARNER_NOT_READY,
    MEMBER_BAD_URLS,
    MEMBER_NOT_FOUND,
    MEMBER_NOT_LEARNER,
    NOT_ENOUGH_STARTED,
    PEER_URL_EXISTS,
    PERMISSION_DENIED,
    TOO_MANY_LEARNERS,
    UNHEALTHY,
    USER_EMPTY,
    Error,
)
from etcd_model.results import MaintenanceResult, Member, MemberAddResult, MemberListResult, PutResult

OWN = Member(op.MEMBER_ID)
THE_ADDED = Member(MemberOf(len(realm()) + 4), True, ("http://127.0.0.1:71",))
STAY = "updated_learners_stay_learners"


def url(port: int) -> str:
    """Where nobody listens. Each transcript has ports of its own, so that no id is made twice in a second."""
    return f"http://127.0.0.1:{port}"


def learner(urls: tuple[str, ...]) -> op.MemberAdd:
    return op.MemberAdd(urls, is_learner=True)


def added(urls: tuple[str, ...], kept: tuple[str, ...] = (), step: int = 1) -> Step:
    """The step that adds a learner, which keeps these URLs."""
    member = Member(MemberOf(step), True, kept or urls)
    return learner(urls), MemberAddResult(0, member, (OWN, member))


def listed(*others: Member) -> MemberListResult:
    return MemberListResult(0, (OWN, *others))


def updated(*urls: str) -> Since:
    """The list of members once the learner of step 1 was given these URLs."""
    return Since(STAY, listed(Member(MemberOf(1), False, urls)), listed(Member(MemberOf(1), True, urls)))


def since_it_stays(before: Error, after: Answer) -> Since:
    return Since(STAY, before, after)


MEMBERS = (
    says(
        "a learner is added, listed and removed, and the server goes on",
        added((url(12), url(11))[::-1]),
        (op.MemberList(), listed(Member(MemberOf(1), True, (url(11), url(12))))),
        (op.MemberList(linearizable=True), listed(Member(MemberOf(1), True, (url(11), url(12))))),
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.MemberRemove(MemberOf(1)), listed()),
        *((kind(MemberOf(1)), MEMBER_NOT_FOUND) for kind in (op.MemberRemove, op.MemberUpdate, op.MemberPromote)),
        (op.MemberList(), listed()),
        (op.Put(b"a", b"2"), PutResult(3)),
    ),
    says(
        "peer URLs are kept in their order, without the space around them, with a scheme in lower case",
        added((url(22), f" HTTP{url(21)[4:]}\n", url(22)), (url(21), url(22), url(22))),
    ),
    says(
        "there may be one learner, and each URL once",
        added((url(31), url(32))),
        (learner((url(33),)), TOO_MANY_LEARNERS),
        (learner((url(33), url(32))), PEER_URL_EXISTS),
        (op.MemberAdd((url(31),)), PEER_URL_EXISTS),
        (op.MemberUpdate(op.MEMBER_ID, (url(31),)), PEER_URL_EXISTS),
        (op.MemberUpdate(404, (url(31),)), MEMBER_NOT_FOUND),
        (op.MemberRemove(MemberOf(1)), listed()),
        added((url(33), url(32)), (url(32), url(33)), step=8),
    ),
    says(
        "a learner that was never started is not promoted, and can't lead",
        added((url(41),)),
        (op.MemberPromote(MemberOf(1)), LEARNER_NOT_READY),
        (op.MoveLeader(MemberOf(1)), BAD_LEADER_TRANSFEREE),
        (op.MoveLeader(op.MEMBER_ID), MaintenanceResult(0)),
        *((op.MemberPromote(member), MEMBER_NOT_FOUND) for member in (0, 404)),
        (op.MemberPromote(op.MEMBER_ID), MEMBER_NOT_LEARNER),
        (op.MemberRemove(op.MEMBER_ID), NOT_ENOUGH_STARTED),
        *((op.MemberRemove(member), MEMBER_NOT_FOUND) for member in (0, 404)),
    ),
    says(
        "a learner's URLs are updated as they are, and it stays a learner, or counts as a voting member that is down",
        added((url(51),)),
        (op.MemberUpdate(MemberOf(1), (url(53), url(52), url(53))), updated(url(53), url(52), url(53))),
        (op.MemberList(), updated(url(53), url(52), url(53))),
        (op.MemberUpdate(MemberOf(1), (url(53),)), updated(url(53))),
        (learner((url(51),)), since_it_stays(UNHEALTHY, TOO_MANY_LEARNERS)),
        (learner((url(53),)), since_it_stays(UNHEALTHY, PEER_URL_EXISTS)),
        (op.MemberAdd((url(53),)), since_it_stays(NOT_ENOUGH_STARTED, PEER_URL_EXISTS)),
        *((op.MemberRemove(member), since_it_stays(NOT_ENOUGH_STARTED, MEMBER_NOT_FOUND)) for member in (0, 404)),
        (op.MemberPromote(MemberOf(1)), LEARNER_NOT_READY),
        (op.MemberPromote(op.MEMBER_ID), MEMBER_NOT_LEARNER),
        (op.MemberPromote(404), MEMBER_NOT_FOUND),
        (op.MemberUpdate(op.MEMBER_ID, (url(53),)), PEER_URL_EXISTS),
        (op.MoveLeader(404), BAD_LEADER_TRANSFEREE),
        (op.MoveLeader(op.MEMBER_ID), MaintenanceResult(0)),
        (op.Put(b"a", b"1"), PutResult(2)),
        (op.MemberRemove(MemberOf(1)), listed()),
        (op.MemberRemove(404), MEMBER_NOT_FOUND),
    ),
    says(
        "a socket of Unix had a port like any other, and became a path",
        added(("unix://127.0.0.1:61",)),
        *(
            (learner((where,)), Since("unix_peer_urls_need_no_port", MEMBER_BAD_URLS, TOO_MANY_LEARNERS))
            for where in ("unix://62", "unixs:///63", "unix://127.0.0.1:64/a")
        ),
        (learner(("unixs://127.0.0.1:65",)), TOO_MANY_LEARNERS),
    ),
    says(
        "members are root's to change",
        *realm(),
        *asked(learner((url(71),)), USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED, TOO_MANY_LEARNERS)[:-1],
        as_root(learner((url(71),)), MemberAddResult(0, THE_ADDED, (OWN, THE_ADDED))),
        *(
            step
            for change in (op.MemberPromote(THE_ADDED.id), op.MemberUpdate(THE_ADDED.id), op.MemberRemove(THE_ADDED.id))
            for step in asked(change, USER_EMPTY, INVALID_AUTH_TOKEN, PERMISSION_DENIED, LEARNER_NOT_READY)[:-1]
        ),
        as_root(op.MemberRemove(THE_ADDED.id), listed()),
    ),
)
