"""Election: campaigning, proclaiming, resigning, observing."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

import pytest

from fake_etcd import Engine, EtcdError
from fake_etcd.wire import messages as pb

VERSIONS = ["3.4.23", "3.5.16", "3.6.16", "3.7.3"]

ELECTION = "/v3electionpb.Election/"


def engine_with_leases(version: str = "3.5.16") -> Engine:
    engine = Engine(version)
    for id in (1, 2, -5):
        engine.call("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantRequest(ID=id, TTL=1000))
    return engine


def campaign(engine: Engine, lease: int, value: bytes) -> pb.CampaignResponse:
    request = pb.CampaignRequest(name=b"e", lease=lease, value=value)
    return cast(pb.CampaignResponse, engine.call(ELECTION + "Campaign", request))


class Candidate(threading.Thread):
    def __init__(self, engine: Engine, lease: int, value: bytes = b"") -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._request = pb.CampaignRequest(name=b"e", lease=lease, value=value)
        self.cancelled = threading.Event()
        self.outcome = ""
        self.start()

    def run(self) -> None:
        try:
            response = self._engine.call(ELECTION + "Campaign", self._request, "", self.cancelled)
        except EtcdError as error:
            self.outcome = str(error)
        else:
            assert isinstance(response, pb.CampaignResponse)
            self.outcome = f"{response.leader.key.decode()} of {response.leader.rev} at {response.header.revision}"

    def ended(self) -> str:
        self.join(5)
        assert not self.is_alive()
        return self.outcome


def kvs(engine: Engine) -> list[tuple[bytes, bytes]]:
    response = engine.call("/etcdserverpb.KV/Range", pb.RangeRequest(key=b"e/", range_end=b"e0"))
    assert isinstance(response, pb.RangeResponse)
    return [(kv.key, kv.value) for kv in response.kvs]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("version", VERSIONS)
def test_campaign_again_proclaims_under_the_first_txns_header(version: str) -> None:
    engine = engine_with_leases(version)
    answers = [campaign(engine, 1, value) for value in (b"a", b"a", b"b")]
    assert [(answer.header.revision, answer.leader.rev) for answer in answers] == [(2, 2), (2, 2), (2, 2)]
    assert (answers[0].leader.name, answers[0].leader.key, answers[0].leader.lease) == (b"e", b"e/1", 1)
    assert kvs(engine) == [(b"e/1", b"b")]
    leader = cast(pb.LeaderResponse, engine.call(ELECTION + "Leader", pb.LeaderRequest(name=b"e")))
    assert (leader.header.revision, leader.kv.mod_revision, leader.kv.lease) == (3, 3, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_refused(version: str) -> None:
    engine = engine_with_leases(version)
    leader = campaign(engine, 1, b"a").leader
    other = pb.LeaderKey(name=b"e", key=b"e/1", rev=99, lease=1)
    expired = pb.LeaderKey(name=b"e", key=b"e/1", rev=leader.rev, lease=77)
    no_field = '"leader" field must be provided'
    refusals = [
        ("Leader", pb.LeaderRequest(name=b"nobody"), "election: no leader"),
        ("Proclaim", pb.ProclaimRequest(), no_field),
        ("Resign", pb.ResignRequest(), no_field),
        ("Proclaim", pb.ProclaimRequest(leader=other), "election: not leader"),
        ("Proclaim", pb.ProclaimRequest(leader=pb.LeaderKey(rev=1)), "etcdserver: key is not provided"),
        ("Proclaim", pb.ProclaimRequest(leader=expired), "etcdserver: requested lease not found"),
        ("Campaign", pb.CampaignRequest(name=b"f", lease=77), "etcdserver: requested lease not found"),
    ]
    for method, request, message in refusals:
        with pytest.raises(EtcdError) as refusal:
            engine.call(ELECTION + method, request)
        assert str(refusal.value) == f"UNKNOWN: {message}"
    resigned = cast(pb.ResignResponse, engine.call(ELECTION + "Resign", pb.ResignRequest(leader=other)))
    assert (resigned.header.revision, kvs(engine)) == (2, [(b"e/1", b"a")])


def test_proclaim_and_resign() -> None:
    engine = engine_with_leases()
    leader = campaign(engine, 1, b"a").leader
    reported = cast(
        pb.ProclaimResponse, engine.call(ELECTION + "Proclaim", pb.ProclaimRequest(leader=leader, value=b"b"))
    )
    assert (reported.header.revision, kvs(engine)) == (3, [(b"e/1", b"b")])
    resigned = cast(pb.ResignResponse, engine.call(ELECTION + "Resign", pb.ResignRequest(leader=leader)))
    assert (resigned.header.revision, kvs(engine)) == (4, [])


def test_a_leader_without_a_lease_is_given_one() -> None:
    engine = engine_with_leases()
    leader = campaign(engine, 1, b"a").leader
    leader.lease = 0
    engine.call(ELECTION + "Proclaim", pb.ProclaimRequest(leader=leader, value=b"b"))
    found = cast(pb.LeaderResponse, engine.call(ELECTION + "Leader", pb.LeaderRequest(name=b"e")))
    assert found.kv.lease not in (0, 1)
    left = engine.call("/etcdserverpb.Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=found.kv.lease))
    assert isinstance(left, pb.LeaseTimeToLiveResponse)
    assert left.grantedTTL == 60


@pytest.mark.parametrize("version", VERSIONS)
def test_a_candidate_waits_for_its_turn(version: str) -> None:
    engine = engine_with_leases(version)
    leader = campaign(engine, 1, b"a").leader
    candidate = Candidate(engine, 2, b"b")
    until(lambda: len(kvs(engine)) == 2)
    engine.call(ELECTION + "Resign", pb.ResignRequest(leader=leader))
    assert candidate.ended() == "e/2 of 3 at 3"  # its own put, not its election
    assert kvs(engine) == [(b"e/2", b"b")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_candidate_who_gives_up_takes_its_key_away(version: str) -> None:
    engine = engine_with_leases(version)
    campaign(engine, 1, b"a")
    candidate = Candidate(engine, 2)
    until(lambda: len(kvs(engine)) == 2)
    candidate.cancelled.set()
    assert candidate.ended() == "CANCELLED: context canceled"
    assert kvs(engine) == [(b"e/1", b"a")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_candidate_without_its_key_is_elected_all_the_same(version: str) -> None:
    engine = engine_with_leases(version)
    leader = campaign(engine, 1, b"a").leader
    candidate = Candidate(engine, 2)
    until(lambda: len(kvs(engine)) == 2)
    engine.call("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest(ID=2))
    engine.call(ELECTION + "Resign", pb.ResignRequest(leader=leader))
    assert (candidate.ended(), kvs(engine)) == ("e/2 of 3 at 3", [])


def observe(engine: Engine, cancelled: threading.Event) -> Iterator[str]:
    for response in engine.stream(ELECTION + "Observe", pb.LeaderRequest(name=b"e"), "", cancelled):
        assert isinstance(response, pb.LeaderResponse)
        yield f"{response.kv.key.decode()}={response.kv.value.decode()} at {response.header.revision}"


@pytest.mark.parametrize("version", VERSIONS)
def test_observe_sees_every_leader_and_what_it_proclaims(version: str) -> None:
    engine = engine_with_leases(version)
    cancelled = threading.Event()
    observer = observe(engine, cancelled)
    seen: list[str] = []

    def look() -> None:
        with suppress(EtcdError):  # the end, once it is cancelled
            for answer in observer:
                seen.append(answer)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    leader = campaign(engine, 1, b"a").leader
    until(lambda: seen == ["e/1=a at 2"])
    engine.call(ELECTION + "Proclaim", pb.ProclaimRequest(leader=leader, value=b"b"))
    until(lambda: len(seen) == 2)
    candidate = Candidate(engine, 2, b"c")
    until(lambda: len(kvs(engine)) == 2)
    engine.call(ELECTION + "Resign", pb.ResignRequest(leader=leader))
    candidate.ended()
    until(lambda: len(seen) == 3)
    assert seen == ["e/1=a at 2", "e/1=b at 3", "e/2=c at 5"]
    cancelled.set()
    thread.join(5)
    assert not thread.is_alive()


def test_observe_ends_at_once_for_who_may_not_look() -> None:
    engine = engine_with_leases()
    for path, request in (
        ("UserAdd", pb.AuthUserAddRequest(name="root", password="r")),
        ("UserGrantRole", pb.AuthUserGrantRoleRequest(user="root", role="root")),
        ("AuthEnable", pb.AuthEnableRequest()),
    ):
        engine.call(f"/etcdserverpb.Auth/{path}", request)
    assert list(observe(engine, threading.Event())) == []
