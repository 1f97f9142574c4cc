"""One-lie specimens: each lies in its own way and in no other, and the search finds the lie."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest

from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.search import Search
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.workloads import STORE
from etcd_lockstep.target import BASIC
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import UNKNOWN_LEASE, LeaseOf, Trace
from etcd_model import Server
from etcd_model.operations import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    Txn,
)

pytestmark = pytest.mark.usefixtures("time_to_shrink")

GRANT = LeaseGrant(60)
L1, L2, L3 = LeaseOf(1), LeaseOf(2), LeaseOf(3)


def absent(key: bytes) -> Compare:
    return Compare(key, CompareTarget.CREATE, CompareResult.EQUAL, 0)


def take(key: bytes, lease: int) -> Txn:
    return Txn((absent(key),), (Put(key, b"1", lease),))


def revoke(lease: int) -> LeaseRevoke:
    return LeaseRevoke(lease)


class Case(NamedTuple):
    signatures: tuple[str, ...]
    """What the search may call it."""
    near_miss: Trace
    """A sequence as close to the lie as can be in which every answer is right."""


CASES = {
    "any-option-means-count-only": Case(
        ("range kvs missing",),
        (Put(b"a", b"1"), Range(b"a"), Range(b"b", limit=1), Range(b"a", b"b", count_only=True)),
    ),
    "count-only-returns-kvs": Case(
        ("range kvs unexpected",),
        (Put(b"a", b"1"), Range(b"a", keys_only=True), Range(b"a", limit=1), Range(b"b", count_only=True)),
    ),
    "delete-of-missing-bumps": Case(
        ("delete_range revision too high",),
        (Put(b"a", b"1"), DeleteRange(b"a"), Put(b"a", b"1"), DeleteRange(b"a", b"c", prev_kv=True), Range(b"a")),
    ),
    "only-first-compare": Case(
        ("txn succeeded unexpected",),
        (
            Put(b"b", b"1"),
            Txn((absent(b"b"), absent(b"a")), failure=(Put(b"b", b"2"),)),
            Txn((absent(b"a"), absent(b"c")), (Txn((absent(b"b"),)),)),
            Txn((absent(b"a"), absent(b""))),
            Txn((absent(b"a"),) * 129),
        ),
    ),
    "no-read-your-writes": Case(
        ("range kvs missing",),
        (Txn(success=(Range(b"a"), Put(b"a", b"1"))), Range(b"a"), Txn(success=(Put(b"b", b"1"), Range(b"a")))),
    ),
    "fifo-lease-mapping": Case(
        ("range kvs.lease different", "lease_revoke revision too high"),
        (GRANT, GRANT, Put(b"a", b"1", L2), take(b"b", L1), take(b"ab", L2), revoke(L1), Range(b"a", b"c")),
    ),
    "stale-lease-queue": Case(
        ("range kvs.lease different", "lease_revoke revision too low"),
        (GRANT, GRANT, take(b"a", L2), take(b"b", L1), revoke(L1), GRANT, take(b"b", LeaseOf(6)), Range(b"a", b"c")),
    ),
    "lease-on-put-ignored": Case(
        ("* kv.lease missing", "lease_revoke revision too low"),
        (GRANT, Put(b"a", b"1"), Put(b"a", b"1", UNKNOWN_LEASE), take(b"b", UNKNOWN_LEASE), revoke(L1), Range(b"a")),
    ),
    "one-key-per-lease": Case(
        ("range kvs unexpected",),
        (
            *(GRANT, GRANT, Put(b"a", b"1", L1), Put(b"b", b"1", L2), Put(b"a", b"2", L1)),
            *(LeaseTimeToLive(L1, keys=True), revoke(L1), Range(b"a", b"c")),
        ),
    ),
    "unknown-revoke-accepted": Case(
        ("lease_revoke error accepted (etcdserver: requested lease not found)",),
        (GRANT, take(b"a", L1), revoke(L1), Range(b"a"), LeaseKeepAlive(L1), Put(b"a", b"1", L1)),
    ),
}

one_lie = pytest.mark.parametrize("name", CASES)


def odd_ones_out(name: str, trace: Trace) -> list[set[str]]:
    """At each step of the trace: who is not with the others, of the model, the fake and the specimen."""
    lockstep = Lockstep(ModelTarget(Server()), [fake(), SPECIMENS[name]()])
    lockstep.start()
    return [{divergence.odd_one_out for divergence in lockstep.step(operation).divergences} for operation in trace]


def fake() -> FakeTarget:
    return FakeTarget("3.5.16", 2)


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_goes_by_its_name(name: str) -> None:
    assert SPECIMENS[name]().name == name


# The lie, and nothing but the lie


@one_lie
def test_the_lie_shows_at_the_last_step_of_its_shortest_sequence_and_not_before(name: str) -> None:
    *honest, lying = odd_ones_out(name, SHORTEST[name])
    assert not any(honest)
    assert lying == {name}


@one_lie
def test_a_sequence_that_only_comes_near_the_lie_is_answered_rightly(name: str) -> None:
    assert not any(odd_ones_out(name, CASES[name].near_miss))


_SHOWN_BY_MANY = {"lease-on-put-ignored": {"fifo-lease-mapping", "stale-lease-queue", "one-key-per-lease"}}
"""Where no key has a lease, every sequence shows it in which a key should go with one."""


@one_lie
def test_the_sequences_that_expose_the_others_are_answered_rightly(name: str) -> None:
    for other in CASES:
        if other != name and other not in _SHOWN_BY_MANY.get(name, ()):
            assert not any(odd_ones_out(name, SHORTEST[other])), other


@one_lie
def test_a_reset_brings_back_the_first_answers(name: str) -> None:
    lockstep = Lockstep(ModelTarget(Server()), [SPECIMENS[name]()])
    runs = []
    for _ in range(2):
        lockstep.start()
        runs.append([lockstep.step(operation) for operation in SHORTEST[name]])
    assert runs[0] == runs[1]


# The search

ROUNDS = 150
EXAMPLES = 25
"""To a round."""


class Run:
    """A seeded search among the model, the fake and one specimen."""

    def __init__(self, name: str) -> None:
        specimen = SPECIMENS[name]()
        self.search = Search(ModelTarget(Server()), [fake(), specimen], second_instances={name: SPECIMENS[name]()})
        self._operations = STORE.operations(STORE.families, specimen.capabilities)
        self.rounds = 0

    def one_round(self) -> None:
        self.rounds += 1
        fuzz(
            self.search,
            STORE,
            self._operations,
            KEYS,
            seconds=None,
            examples=EXAMPLES,
            seed=1000 * self.rounds,
        )

    def expected(self, name: str) -> list[Finding]:
        """The lies found that the specimen is made to report, in traces as short as the shortest known."""
        case = CASES[name]
        return [
            finding
            for finding in self.search.findings
            if str(finding.signature) in case.signatures and len(finding.trace) <= len(SHORTEST[name])
        ]


@cache
def run_of(name: str) -> Run:
    """A search that ends when it has found the specimen's lie, in no more steps than it takes; or gives up."""
    run = Run(name)
    while run.rounds < ROUNDS and not run.expected(name):
        run.one_round()
    return run


@one_lie
def test_the_search_finds_the_lie_in_a_trace_no_longer_than_the_shortest_known(name: str) -> None:
    run = run_of(name)
    assert run.expected(name), [finding.fingerprint for finding in run.search.findings]


@one_lie
def test_nobody_but_the_specimen_is_found_to_lie(name: str) -> None:
    assert {finding.odd_one_out for finding in run_of(name).search.findings} == {name}


A_FEW = len(BASIC)
"""A lie may show in the answers to many operations, but it is not reported more often than there are operations."""
ROUNDS_FOR_MORE = 8
"""Enough for what is reported as many lies to be reported as more than a few."""


@one_lie
def test_one_lie_is_reported_as_a_few(name: str) -> None:
    run = run_of(name)
    while run.rounds < ROUNDS_FOR_MORE:
        run.one_round()
    fingerprints = [finding.fingerprint for finding in run.search.findings]
    assert len(fingerprints) <= A_FEW, "\n".join(fingerprints)
    assert len(set(fingerprints)) == len(fingerprints)
