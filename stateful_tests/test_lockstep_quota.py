"""A server over its quota from the start: what all say of it, how a run comes to one, and what is found there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UserTarget, find
from etcd_lockstep.pytest_plugin import etcd_source
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.participants import Participants, is_over_quota
from etcd_lockstep.searching.run import Run, RunOptions
from etcd_lockstep.searching.search import Search
from etcd_lockstep.servers import Endpoint, EtcdSource, NoEtcd, RunningEtcd, ServerSettings, parse_source
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.workloads import QUOTA, WORKLOADS
from etcd_lockstep.target import ALL, Target
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import WireTarget
from etcd_lockstep.transcripts import ByVersion, Since, Transcript, replay
from etcd_lockstep.transcripts.transcript import says
from etcd_model import Error, Operation, Quirks, Result, Server, quirks_of
from etcd_model import operations as op
from etcd_model.errors import EMPTY_KEY, LEASE_NOT_FOUND, NO_SPACE, Code
from etcd_model.operations import (
    Campaign as CampaignCall,
)
from etcd_model.results import (
    AlarmMember,
    AlarmResult,
    CompactResult,
    DeleteRangeResult,
    ElectionResult,
    LeaseLeasesResult,
    PutResult,
    RangeResult,
    TxnResult,
    UnlockResult,
)

VERSIONS = ("3.4.23", "3.5.1", "3.5.16", "3.5.30", "3.6.16", "3.7.3")
FULL = QUOTA.settings

# What etcd says


def listed(*alarms: AlarmMember) -> ByVersion:
    return ByVersion(lambda quirks: AlarmResult(1 if quirks.alarm_has_header else 0, alarms))


RAISED = listed(AlarmMember(op.MEMBER_ID, op.AlarmType.NOSPACE))
NONE = listed()
DISARM = op.Alarm(op.AlarmAction.DEACTIVATE, op.MEMBER_ID, op.AlarmType.NOSPACE)
NO_SPACE_IN_TEXT = Error(Code.UNKNOWN, NO_SPACE.message)
A = op.Put(b"a", b"1")
NESTED = op.Txn(success=(op.Txn(success=(A,)),))


def free(answer: Result, refusal: Error = NO_SPACE) -> Since:
    """The answer to a txn that costs nothing."""
    return Since("put_free_txns_pass", refusal, answer)


TRANSCRIPTS = (
    says(
        "a put is refused whatever else is wrong, and the alarm stands before it is answered",
        *(
            step
            for put in (
                A,
                op.Put(b""),
                op.Put(b"a", b"1", ignore_value=True),
                op.Put(b"a", lease=404),
                op.Put(b"a", b"x" * 1_600_000),
            )
            for step in ((op.Alarm(), NONE), (put, NO_SPACE), (op.Alarm(), RAISED), (put, NO_SPACE), (DISARM, RAISED))
        ),
    ),
    says(
        "so is a txn with a put in either branch, and a lease",
        *(
            step
            for request in (
                op.Txn(success=(A,)),
                op.Txn(failure=(op.Range(b""), A, A)),
                op.LeaseGrant(10, 7),
                op.LeaseGrant(2**40),
            )
            for step in ((request, NO_SPACE), (DISARM, RAISED))
        ),
        (op.LeaseLeases(), LeaseLeasesResult(1)),
    ),
    says(
        "what costs nothing passes, and raises no alarm",
        (op.Range(b"a"), RangeResult(1)),
        (op.Range(b""), EMPTY_KEY),
        (op.DeleteRange(b"a"), DeleteRangeResult(1)),
        (op.LeaseRevoke(7), LEASE_NOT_FOUND),
        (op.Unlock(b"n/7"), UnlockResult(1)),
        (op.Alarm(), NONE),
    ),
    says(
        "it passes while the alarm stands, too",
        (A, NO_SPACE),
        (op.Range(b"a"), RangeResult(1)),
        (op.DeleteRange(b"a"), DeleteRangeResult(1)),
        (op.LeaseRevoke(7), LEASE_NOT_FOUND),
        (op.Unlock(b"n/7"), UnlockResult(1)),
        (op.Alarm(), RAISED),
    ),
    says(
        "a txn without puts is refused as well by some releases, whatever else is wrong",
        (op.Txn(), free(TxnResult(1, True))),
        (op.Txn(success=(op.DeleteRange(b"a"),)), free(TxnResult(1, True, (DeleteRangeResult(1),)))),
        (op.Txn(success=(op.Range(b""),)), free(EMPTY_KEY)),
        (op.Resign(op.LeaderKey(b"n", b"n/7", 1, 7)), free(ElectionResult(1), NO_SPACE_IN_TEXT)),
        (op.Alarm(), Since("put_free_txns_pass", RAISED, NONE)),
    ),
    says(
        "nested puts are not seen by some, and written",
        (A, NO_SPACE),
        (NESTED, Since("nested_puts_cost", TxnResult(2, True, (TxnResult(0, True, (PutResult(2),)),)), NO_SPACE)),
        (op.Range(b"a", count_only=True), Since("nested_puts_cost", RangeResult(2, count=1), RangeResult(1))),
        (
            op.Compact(2),
            Since(
                "nested_puts_cost",
                CompactResult(2),
                Error(Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision"),
            ),
        ),
        needs="put_free_txns_pass",
    ),
    says(
        "where no txn passes, these don't either", (NESTED, NO_SPACE), (op.Alarm(), RAISED), lacks="put_free_txns_pass"
    ),
    says(
        "nobody locks or campaigns, with a lease or for one",
        *(
            step
            for call in (op.Lock(b"n"), op.Lock(b"n", 7), CampaignCall(b"n"), CampaignCall(b"n", 7))
            for step in ((call, NO_SPACE_IN_TEXT), (DISARM, RAISED))
        ),
        (op.LeaseLeases(), LeaseLeasesResult(1)),
    ),
    says(
        "the alarm is raised in the name of the caller, and so not where the token is refused",
        (op.As("none.1", A), NO_SPACE),
        (op.Alarm(), Since("auth_off_ignores_tokens", NONE, RAISED)),
    ),
)


def in_full(target_name: str, version: str) -> Target:
    if target_name == "model":
        return ModelTarget(Server(quirks_of(version), over_quota=True))
    return FakeTarget(version, 2, FULL.quota_bytes)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target_name", ["model", "fake"])
@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_every_release_says(transcript: Transcript, target_name: str, version: str) -> None:
    quirks, target = quirks_of(version), in_full(target_name, version)
    if transcript.holds_for(quirks):
        replay(transcript, target, target.reset() or 1, quirks)


@pytest.fixture(scope="module")
def source(real_etcd: RunningEtcd, request: pytest.FixtureRequest) -> EtcdSource:
    source = etcd_source(request.config)
    if not real_etcd.owned or isinstance(source, Endpoint):
        pytest.skip("an endpoint has a quota of its own: it is not ours to start")
    return source


@pytest.fixture(scope="module")
def full_etcd(source: EtcdSource) -> Iterator[EtcdTarget]:
    with servers.start(source, settings=FULL) as etcd:  # type: ignore[arg-type]  # NoEtcd would have skipped
        target = EtcdTarget(etcd)
        yield target
        target.close()


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_a_real_etcd_says(transcript: Transcript, full_etcd: EtcdTarget, quirks: Quirks) -> None:
    if not transcript.holds_for(quirks):
        pytest.skip("the running etcd's release goes elsewhere")
    replay(transcript, full_etcd, full_etcd.reset(), quirks)


# What a reset leaves


def leaves_nothing(target: WireTarget) -> bool:
    """Whether a reset disarms what each of these has raised."""
    for operation in (A, op.LeaseGrant(10), op.Lock(b"n"), CampaignCall(b"n", 7)):
        target.reset()
        target.apply(operation)
        target.reset()
        answer = target.apply(op.Alarm())
        if not isinstance(answer, AlarmResult) or answer.alarms:
            return False
    return True


def test_a_reset_disarms_what_a_refusal_has_raised(etcd_version: str) -> None:
    target = FakeServerTarget(etcd_version, 2, FULL.quota_bytes)
    try:
        assert leaves_nothing(target)
    finally:
        target.close()


def test_a_reset_disarms_it_in_a_real_etcd(full_etcd: EtcdTarget) -> None:
    assert leaves_nothing(full_etcd)


# How a run comes to such servers


def test_only_a_quota_below_an_empty_store_is_one_that_is_used_up_from_the_start() -> None:
    assert is_over_quota(FULL)
    assert is_over_quota(ServerSettings(quota_bytes=24 * 1024))
    assert not is_over_quota(ServerSettings(quota_bytes=2**20))
    assert not is_over_quota(ServerSettings())


def test_all_of_a_run_are_over_the_quota() -> None:
    with Participants(NoEtcd(), ["fake-server"], settings=FULL) as participants:
        assert {target.name: target.apply(A) for target in (participants.model, *participants.others)} == {
            "model": NO_SPACE,
            "fake": NO_SPACE,
            "fake-server": NO_SPACE,
        }


def test_all_real_etcds_of_a_run_are_over_it_too(source: EtcdSource) -> None:
    with Participants(source, [source], settings=FULL) as participants:
        answers = {target.name: target.apply(A) for target in (participants.model, *participants.others)}
        assert set(answers.values()) == {NO_SPACE}
        assert len(answers) == 4
        assert [second_instance.apply(A) for second_instance in participants.second_instances.values()] == [NO_SPACE]


class Everything(Target):
    name = "everything"
    capabilities = ALL

    def reset(self) -> None:
        pass

    def apply(self, operation: Operation) -> Result:
        raise NotImplementedError(operation)


def workloads(
    source: EtcdSource, *against: str | UserTarget | EtcdSource, families: Sequence[str] = ("maintenance",)
) -> list[str]:
    plan = RunOptions(source, against, families=families, examples=1)
    return [stage.workload.name for stage in Run(plan).stages()]


def test_it_is_run_where_maintenance_is_asked_for() -> None:
    assert workloads(NoEtcd()) == workloads(NoEtcd(), "fake-server") == ["maintenance", "quota"]
    assert workloads(NoEtcd(), families=("kv", "txn")) == ["store"]


def test_a_target_of_the_users_is_not_accused_of_having_space() -> None:
    assert workloads(NoEtcd(), find(f"{__name__}:Everything")) == ["maintenance"]
    assert not RunOptions(NoEtcd(), (find("slot-mock"),)).starts_all


def test_an_endpoint_of_the_users_has_the_quota_that_it_has(real_etcd: RunningEtcd) -> None:
    endpoint = parse_source(f"endpoint:{real_etcd.address}")
    assert not RunOptions(endpoint).starts_all
    assert not RunOptions(NoEtcd(), (endpoint,)).starts_all
    assert not RunOptions(parse_source("auto"), ("etcd3",)).starts_all
    assert RunOptions(parse_source("auto"), ("fake-server", parse_source("version:3.5.30"))).starts_all


def test_no_other_arena_needs_such_a_server() -> None:
    assert [workload.name for workload in WORKLOADS if is_over_quota(workload.settings)] == ["quota"]
    assert [workload.name for workload in WORKLOADS if workload.settled] == ["quota", "certificates", "jwt"]


# What is found there


class Mutant(ModelTarget):
    """A model that is wrong in one way."""

    name = "mutant"


class RaisesNothing(Mutant):
    def apply(self, operation: Operation) -> Result:
        alarms, refusing = self.state.alarms, self.state.refusing
        result = super().apply(operation)
        if result in (NO_SPACE, NO_SPACE_IN_TEXT):
            self.state = replace(self.state, alarms=alarms, refusing=refusing)
        return result


class LooksAtKeysFirst(Mutant):
    def apply(self, operation: Operation) -> Result:
        return EMPTY_KEY if isinstance(operation, op.Put) and not operation.key else super().apply(operation)


class GrantsLeases(Mutant):
    def apply(self, operation: Operation) -> Result:
        if not isinstance(operation, op.LeaseGrant):
            return super().apply(operation)
        self.state = replace(self.state, server=replace(self.server, over_quota=False), refusing=frozenset())
        result = super().apply(operation)
        self.state = replace(self.state, server=self.server)
        return result


def flipped(quirks: Quirks, quirk: str) -> Server:
    other: dict[str, Any] = {quirk: not getattr(quirks, quirk)}
    return Server(replace(quirks, **other), over_quota=True)


RIGHT = quirks_of("3.5.16")
MUTANTS: dict[str, Mutant] = {
    "has space": Mutant(Server(RIGHT)),
    "takes no txn": Mutant(flipped(RIGHT, "put_free_txns_pass")),
    "counts nested puts": Mutant(flipped(RIGHT, "nested_puts_cost")),
    "raises no alarm": RaisesNothing(Server(RIGHT, over_quota=True)),
    "looks at keys first": LooksAtKeysFirst(Server(RIGHT, over_quota=True)),
    "grants leases": GrantsLeases(Server(RIGHT, over_quota=True)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_target_that_is_wrong_about_it_is_found_out(mutant: str) -> None:
    search = Search(ModelTarget(Server(RIGHT, over_quota=True)), [MUTANTS[mutant]])
    fuzz(
        search,
        QUOTA,
        QUOTA.operations(QUOTA.families, ALL),
        KEYS,
        final_check=True,
        seconds=None,
        examples=600,
        seed=0,
        until=lambda: bool(search.findings),
    )
    assert search.findings
