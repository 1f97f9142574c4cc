"""One-lie specimens of the families beyond keys and leases: watches, time, auth, locks, the history."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import NamedTuple

import pytest

from etcd_lockstep.comparing.comparison import BROKEN_PROMISES
from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.search import Search
from etcd_lockstep.searching.workers import ParallelSearch, Worker
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.specimens.watch import DropsOnBurst
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.workloads import AUTH, STORE, TIME, Workload
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import UNKNOWN_TOKEN, LeaseOf, RevisionAt, TokenOf, Trace
from etcd_model import Server
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY

pytestmark = pytest.mark.usefixtures("time_to_shrink")

L1, L2 = LeaseOf(1), LeaseOf(2)
PUT = op.Put(b"a", b"1")
WATCH, READ = op.WatchCreate(b"a"), op.WatchRead()
WATCH_BOTH = op.WatchCreate(b"a", b"c")
PUT_BOTH = op.Txn(success=(op.Put(b"a", b"1"), op.Put(b"b", b"1")))
ROOT, USER = op.UserAdd("root", "p"), op.UserAdd("u", "p")
ROOT_IS_ROOT = op.UserGrantRole("root", "root")
AUTH_ON = (ROOT_IS_ROOT, op.AuthEnable())
USER_MAY_A = (
    op.RoleAdd("r"),
    op.RoleGrantPermission("r", op.Permission(op.PermissionType.READWRITE, b"a")),
    op.UserGrantRole("u", "r"),
)


class Case(NamedTuple):
    signatures: tuple[str, ...]
    """What the search may call it; a `*` stands for anything."""
    near_miss: Trace
    """A sequence as close to the lie as can be in which every answer is right."""
    workload: Workload = STORE
    reported_as: int = 2
    """At most so many lies."""


LOST, TWICE, UNEXPECTED = (f"watch_read watches.events {kind}" for kind in ("lost events", "events twice", "unexp*"))
DENIED = "* error accepted (etcdserver: permission denied)"

CASES = {
    "ttl-not-clamped": Case(
        ("lease_grant ttl too low", "lease_grant ttl missing"),
        (op.LeaseGrant(2), op.LeaseGrant(60), op.LeaseTimeToLive(L1), op.LeaseKeepAlive(L1)),
    ),
    "lease-never-expires": Case(
        ("range kvs unexpected",),
        (
            *(
                op.LeaseGrant(3),
                op.Put(b"a", b"1", L1),
                op.Advance(2),
                op.LeaseKeepAlive(L1),
                op.Advance(2),
                op.Range(b"a"),
            ),
            *(op.LeaseTimeToLive(L1), op.LeaseRevoke(L1), op.Advance(2), op.Range(b"a")),
        ),
        workload=TIME,
        reported_as=12,  # by a name that is still there, every operation that has one is answered differently
    ),
    "keepalive-does-not-renew": Case(
        ("lease_time_to_live ttl *",),
        (
            *(op.LeaseGrant(3), op.Put(b"a", b"1", L1), op.LeaseKeepAlive(L1), op.Advance(2), op.LeaseTimeToLive(L1)),
            *(op.Advance(1), op.LeaseKeepAlive(L1), op.Range(b"a")),
        ),
        workload=TIME,
        reported_as=4,  # by what is left of the lease, by the next renewal, and by the key: 2 to 4 with eight seeds
    ),
    "expiry-deletes-one-key-only": Case(
        ("range kvs unexpected",),
        (
            *(
                op.LeaseGrant(2),
                op.LeaseGrant(60),
                op.Put(b"a", b"1", L1),
                op.Put(b"b", b"1", L2),
                op.Put(b"ab", b"1", L2),
            ),
            *(op.Advance(2), op.Range(b"a", b"c"), op.LeaseRevoke(L2), op.Range(b"a", b"c")),
        ),
        workload=TIME,
    ),
    "silent-txn": Case(
        (LOST,),
        (
            WATCH,
            PUT,
            op.Txn(success=(op.Put(b"b", b"1"),)),
            op.Txn(success=(op.Range(b"a"),)),
            op.DeleteRange(b"a"),
            READ,
        ),
    ),
    "silent-revoke": Case(
        (LOST,),
        (op.LeaseGrant(60), WATCH, op.Put(b"a", b"1", L1), PUT, op.LeaseRevoke(L1), op.DeleteRange(b"a"), READ),
    ),
    "silent-expiry": Case(
        (LOST,),
        (op.LeaseGrant(2), WATCH, op.Put(b"a", b"1", L1), op.LeaseRevoke(L1), op.Advance(2), PUT, READ),
        workload=TIME,
    ),
    "drops-on-burst": Case(
        (LOST,),
        (WATCH, *(PUT,) * DropsOnBurst.ROOM, READ, *(PUT,) * DropsOnBurst.ROOM, READ),
    ),
    "second-watch-replaces-first": Case(
        (LOST,),
        (
            op.WatchCreate(b"a", FROM_KEY),
            op.WatchCreate(b"ab"),
            op.WatchCreate(b"b", stream=1),
            op.Put(b"ab", b"1"),
            PUT,
            READ,
        ),
    ),
    "delete-event-carries-value": Case(
        ("watch_read watches.kv.value different",),
        (WATCH, op.Put(b"a", b""), op.DeleteRange(b"a"), PUT, op.DeleteRange(b"b"), READ),
    ),
    "delete-event-for-missing": Case(
        (UNEXPECTED,),
        (
            WATCH,
            PUT,
            op.DeleteRange(b"a"),
            op.DeleteRange(b"b"),
            op.DeleteRange(b"a", b"b"),
            op.Txn(success=(op.DeleteRange(b"a"),)),
            READ,
        ),
    ),
    "caught-up-twice": Case(
        (TWICE,),
        (WATCH, PUT, op.WatchCreate(b"a", start_revision=RevisionAt(2, 1)), PUT, READ, READ),
    ),
    "revision-backwards": Case(
        ("watch_read watches.events out of order",),
        (WATCH_BOTH, op.Put(b"b", b"1"), PUT, op.Txn(success=(PUT, op.Put(b"c", b"1"))), READ),
        reported_as=4,  # by what makes two events of one revision: two puts, a put and a delete, a revocation
    ),
    "revision-split": Case(
        ("watch_read watches.events a revision was split",),
        (WATCH_BOTH, op.Put(b"b", b"1"), PUT, op.Txn(success=(PUT, op.Put(b"c", b"1"))), READ),
        reported_as=4,  # by what makes two events of one revision: two puts, a put and a delete, a revocation
    ),
    "start-revision-ignored": Case(
        (LOST,),
        (PUT, op.WatchCreate(b"a", start_revision=RevisionAt(1, 1)), PUT, READ),
        reported_as=5,  # of a start in the past, in two ways in the compacted past, and in the future: 3 to 5
    ),
    "compacted-start-accepted": Case(
        ("watch_read watches.cancels missing",),
        (PUT, op.Compact(RevisionAt(1), physical=True), op.WatchCreate(b"a", start_revision=RevisionAt(1)), READ),
        reported_as=4,  # of a negative start, of one that was compacted, and by what else comes of the watcher
    ),
    "filters-ignored": Case(
        (UNEXPECTED,),
        (op.WatchCreate(b"a", filters=(op.FilterType.NODELETE,)), op.WatchCreate(b"a", filters=(7,)), PUT, READ),
        reported_as=5,  # each filter, both, and the sentinel of a range that has it: 2 to 5 with eight seeds
    ),
    "watch-prev-kv-missing": Case(
        ("watch_read watches.prev_kv missing",),
        (op.WatchCreate(b"a", prev_kv=True), PUT, WATCH, READ),
        reported_as=3,  # by what was there before: a put, the sentinel, both with two watchers: 1 to 4 with eight seeds
    ),
    "cancel-ignored": Case(
        ("watch_read watches.cancels missing",),
        (WATCH, op.WatchCancel(5), op.WatchCancel(0, stream=1), PUT, READ),
        reported_as=3,  # the reply is not there, and events are
    ),
    "progress-never-answered": Case(
        ("watch_read progress missing",),
        (op.WatchProgress(), WATCH, op.WatchProgress(stream=1), READ, op.WatchRead(1)),
    ),
    "permissions-not-checked-in-txns": Case(
        (f"txn{DENIED[1:]}",),
        (
            *(ROOT, USER, *AUTH_ON, op.Authenticate("u", "p"), op.As(TokenOf(5), PUT), op.As(TokenOf(5), op.Txn())),
            *(op.As(UNKNOWN_TOKEN, op.Txn(success=(PUT,))), op.Txn(success=(PUT,))),
        ),
        workload=AUTH,
        reported_as=5,  # what else is wrong with such a txn is reported instead
    ),
    "permission-range-end-ignored": Case(
        (DENIED,),
        (
            *(ROOT, USER, *USER_MAY_A, *AUTH_ON, op.Authenticate("u", "p"), op.As(TokenOf(8), op.Range(b"a"))),
            *(op.As(TokenOf(8), op.Range(b"b", b"c")), op.As(TokenOf(8), op.WatchCreate(b"a", b"b"))),
        ),
        workload=AUTH,
    ),
    "revoked-role-still-counts": Case(
        (DENIED,),
        (
            *(ROOT, USER, *USER_MAY_A, op.UserRevokeRole("u", "r"), op.UserGrantRole("u", "r"), *AUTH_ON),
            *(
                op.Authenticate("u", "p"),
                op.As(TokenOf(10), op.Range(b"a")),
                op.As(TokenOf(10), op.Range(b"b")),
                op.UserGet("u"),
            ),
        ),
        workload=AUTH,
    ),
    "token-survives-password-change": Case(
        ("* error accepted (*: invalid auth token)",),
        (
            *(ROOT, USER, *AUTH_ON, op.Authenticate("root", "p"), op.As(TokenOf(5), op.UserChangePassword("u", "q"))),
            *(op.As(TokenOf(5), PUT), op.Authenticate("u", "p"), op.Authenticate("u", "q"), op.As(TokenOf(9), PUT)),
        ),
        workload=AUTH,
        reported_as=6,  # the read, what else is let in, and what is then refused for its user: 2 to 6 with eight seeds
    ),
    "lock-does-not-wait": Case(
        ("lock waiting missing",),
        (
            *(
                op.LeaseGrant(60, 7),
                op.LeaseGrant(60, 8),
                op.Lock(b"a", 7),
                op.Lock(b"a", 7),
                op.Lock(b"b", 8),
                op.Campaign(b"a", 8),
            ),
            *(op.Unlock(b"a/7"), op.Lock(b"a", 8)),
        ),
    ),
    "resign-ignores-revision": Case(
        ("resign revision too high",),
        (
            *(
                op.LeaseGrant(60, 7),
                op.Campaign(b"a", 7, b"1"),
                op.Resign(op.LeaderKey(b"b", b"b/7", RevisionAt(1), 7)),
                op.Leader(b"a"),
            ),
            *(op.Resign(op.LeaderKey(b"a", b"a/7", RevisionAt(2), 7)), op.Leader(b"a")),
        ),
    ),
    "sub-revisions-forgotten": Case(
        ("hash_kv hash different",),
        (
            PUT_BOTH,
            op.HashKV(),
            op.Put(b"b", b"2"),
            PUT,
            op.HashKV(),
            op.Txn(success=(op.Put(b"b", b"1"), PUT)),
            op.Range(b"a", b"c"),
        ),
    ),
    "tombstones-forgotten": Case(
        ("hash_kv hash different",),
        (
            *(PUT, op.HashKV(), op.DeleteRange(b"a"), op.Range(b"a", revision=RevisionAt(1)), op.Range(b"a")),
            *(op.Put(b"b", b"1"), op.Compact(RevisionAt(6), physical=True), op.HashKV()),
        ),
        reported_as=3,  # by what leaves the tombstone: a delete, one in a txn, a revocation
    ),
}

one_lie = pytest.mark.parametrize("name", CASES)


def fake() -> FakeTarget:
    return FakeTarget("3.5.16", 2)


def odd_ones_out(name: str, trace: Trace) -> list[set[str]]:
    """At each step of the trace: who is not with the others, of the model, the fake and the specimen."""
    kind = TimedLockstep if any(isinstance(operation, op.Advance) for operation in trace) else Lockstep
    lockstep = kind(ModelTarget(Server()), [fake(), SPECIMENS[name]()])
    lockstep.start()
    return [{divergence.odd_one_out for divergence in lockstep.step(operation).divergences} for operation in trace]


# The lie, and nothing but the lie


@one_lie
def test_the_lie_shows_at_the_last_step_of_its_shortest_sequence_and_not_before(name: str) -> None:
    *honest, lying = odd_ones_out(name, SHORTEST[name])
    assert not any(honest)
    assert lying == {name}


@one_lie
def test_a_sequence_that_only_comes_near_the_lie_is_answered_rightly(name: str) -> None:
    assert not any(odd_ones_out(name, CASES[name].near_miss))


_ALSO_SHOWN_BY = {
    "lease-never-expires": {"expiry-deletes-one-key-only", "silent-expiry"},
    "silent-txn": {"revision-backwards", "revision-split"},
    "delete-event-carries-value": {"silent-revoke", "silent-expiry"},
    "caught-up-twice": {"start-revision-ignored"},
    "start-revision-ignored": {"caught-up-twice", "compacted-start-accepted"},
    "revision-backwards": {"revision-split"},
    "revision-split": {"revision-backwards"},
}
"""By specimen: the others whose sequences show its lie as well. Where nothing expires, none can that needs an expiry;
and where an event is wrong or missing, any can that brings one about."""


@one_lie
def test_the_sequences_that_expose_the_others_are_answered_rightly(name: str) -> None:
    shown = {other for other in CASES if any(odd_ones_out(name, SHORTEST[other]))}
    assert shown == {name} | _ALSO_SHOWN_BY.get(name, set())


# The search

ROUNDS = 60
EXAMPLES = 25
"""To a round."""


class Run:
    """A seeded search among the model, the fake and one specimen, in the workload where its lie shows."""

    def __init__(self, name: str) -> None:
        model, specimen, second_instances = ModelTarget(Server()), SPECIMENS[name](), {name: SPECIMENS[name]()}
        self.workload = CASES[name].workload
        self.search = (
            ParallelSearch([Worker(model, [fake(), specimen])], second_instances=second_instances)
            if self.workload is TIME
            else Search(model, [fake(), specimen], second_instances=second_instances)
        )
        self._capabilities = specimen.capabilities
        self.rounds = 0

    def one_round(self) -> None:
        self.rounds += 1
        fuzz(
            self.search,
            self.workload,
            self.workload.operations(self.workload.families, self._capabilities),
            KEYS,
            final_check="hash_kv" in self._capabilities,
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
            if any(fnmatchcase(str(finding.signature), signature) for signature in case.signatures)
            and len(finding.trace) <= len(SHORTEST[name])
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


ROUNDS_FOR_MORE = 3
"""Enough for what is reported as many lies to be reported as more than a few."""


@one_lie
def test_one_lie_is_reported_as_a_few(name: str) -> None:
    run = run_of(name)
    while run.rounds < ROUNDS_FOR_MORE:
        run.one_round()
    fingerprints = [finding.fingerprint for finding in run.search.findings]
    assert len(fingerprints) <= CASES[name].reported_as, "\n".join(fingerprints)
    assert len(set(fingerprints)) == len(fingerprints)


@pytest.mark.parametrize("name", ["lease-never-expires", "expiry-deletes-one-key-only", "silent-expiry"])
def test_a_lease_is_waited_for_once_and_no_longer_than_the_shortest_one_lives(name: str) -> None:
    for finding in run_of(name).expected(name):
        assert [operation for operation in finding.trace if isinstance(operation, op.Advance)] == [op.Advance(2)]


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("silent-txn", "reliable"),
        ("silent-revoke", "reliable"),
        ("silent-expiry", "reliable"),
        ("drops-on-burst", "reliable"),
        ("second-watch-replaces-first", "reliable"),
        ("start-revision-ignored", "reliable"),
        ("caught-up-twice", "unique"),
        ("revision-backwards", "ordered"),
        ("revision-split", "atomic"),
    ],
)
def test_a_lie_that_breaks_a_promise_to_watchers_is_reported_as_that(name: str, promise: str) -> None:
    assert {BROKEN_PROMISES.get(finding.signature.kind) for finding in run_of(name).expected(name)} == {promise}
