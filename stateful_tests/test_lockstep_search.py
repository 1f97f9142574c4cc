"""The search, step by step: what is raised, what is recorded, and when a sequence is over."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.search import JUDGED, NewFinding, Search
from etcd_lockstep.searching.triage import TargetGone
from etcd_lockstep.specimens.read import CountTruncated, LimitIgnored
from etcd_lockstep.specimens.revision import PerKeyRevision
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.target import ALL, Target, TargetDied
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import RevisionAt
from etcd_model import Operation, Result, Server
from etcd_model.operations import Compact, DeleteRange, LeaseGrant, Put, Range, WatchCreate
from etcd_model.ranges import FROM_KEY
from etcd_model.results import DeleteRangeResult, LeaseGrantResult, RangeResult


class Mock(Specimen):
    """Right in everything, unless a subclass says otherwise."""

    name = "mock"


class DeletesCountNothing(Mock):
    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return DeleteRangeResult(result.revision) if isinstance(result, DeleteRangeResult) else result


class TwoLies(DeletesCountNothing):
    """Reads have no count either."""

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return RangeResult(result.revision, result.kvs) if isinstance(result, RangeResult) else result


class DiesOfDeletes(Mock):
    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, DeleteRange):
            raise TargetDied("killed by a delete")
        return super().apply(operation)


class Revivable(DiesOfDeletes):
    def revive(self) -> None:
        pass


def search(kind: type[Target], *, second_instance: bool = True) -> Search:
    found = Search(
        ModelTarget(Server()),
        [FakeTarget("3.5.16", 2), kind()],
        second_instances={"mock": kind()} if second_instance else None,
    )
    found.start()
    return found


def run(searching: Search, *operations: Operation) -> None:
    searching.start()
    for operation in operations:
        searching.step(operation)


A = Put(b"a")
EMPTY_READ = Range(b"\x00", FROM_KEY, count_only=True)


def test_where_all_agree_nothing_is_found_and_every_step_is_counted() -> None:
    searching = search(Mock)
    assert all(searching.step(operation) for operation in (A, Range(b"a"), DeleteRange(b"a")))
    assert (searching.sequences, searching.steps, searching.findings) == (1, 3, [])


@pytest.mark.parametrize("second_instance", [True, False])
def test_what_is_new_is_shrunk_recorded_and_raised(second_instance: bool) -> None:
    searching = search(DeletesCountNothing, second_instance=second_instance)
    for operation in (Put(b"b", b"1"), Put(b"ab", b"2"), Range(b"", b"\x00"), Compact(RevisionAt(1))):
        assert searching.step(operation)
    with pytest.raises(NewFinding) as raised:
        searching.step(DeleteRange(b"ab", prev_kv=False))
    (finding,) = searching.findings
    assert finding.trace == (A, DeleteRange(b"a"))
    assert (finding.odd_one_out, str(finding.signature)) == ("mock", "delete_range deleted missing")
    assert raised.value.finding is finding
    assert finding.answers["mock"] == DeleteRangeResult(3)
    assert finding.answers["model"] == finding.answers["fake"] == DeleteRangeResult(3, 1)


def test_after_a_lie_is_raised_the_sequence_is_over_until_the_next_begins() -> None:
    searching = search(DeletesCountNothing)
    with pytest.raises(NewFinding):
        run(searching, A, DeleteRange(b"a"))
    assert not searching.step(A)
    searching.start()
    assert searching.step(A)


def test_a_lie_that_is_known_does_not_end_a_sequence_and_is_not_reported_twice() -> None:
    searching = search(DeletesCountNothing)
    with pytest.raises(NewFinding):
        run(searching, A, DeleteRange(b"a"))
    searching.start()
    for operation in (Put(b"b"), DeleteRange(b"b"), Put(b"b"), DeleteRange(b"b"), Range(b"b")):
        assert searching.step(operation)
    assert len(searching.findings) == 1


class GrantsAnyTtl(Mock):
    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseGrant) and isinstance(result, LeaseGrantResult) and operation.ttl < 2:
            return replace(result, ttl=operation.ttl)
        return result


def test_several_values_that_are_wrongly_accepted_are_one_finding() -> None:
    found = search(GrantsAnyTtl)
    for ttl in (0, -1, 1):
        with suppress(NewFinding):
            found.start()
            found.step(LeaseGrant(ttl))
    assert [finding.trace for finding in found.findings] == [(LeaseGrant(0),)]


def test_behind_a_lie_that_is_known_another_is_found() -> None:
    searching = search(TwoLies)
    with pytest.raises(NewFinding):
        run(searching, A, DeleteRange(b"a"))
    with pytest.raises(NewFinding):
        run(searching, A, DeleteRange(b"a"), A, Range(b"a"))
    assert [str(finding.signature) for finding in searching.findings] == [
        "delete_range deleted missing",
        "range count missing",
    ]
    assert searching.findings[1].trace == (A, Range(b"a"))


def test_whoever_wants_to_know_is_notified_of_each_lie_and_of_each_shrinking() -> None:
    reported: list[Finding] = []
    shrinking: list[str] = []
    searching = Search(
        ModelTarget(Server()),
        [FakeTarget("3.5.16", 2), DeletesCountNothing()],
        on_finding=reported.append,
        on_shrinking=shrinking.append,
    )
    with pytest.raises(NewFinding):
        run(searching, A, DeleteRange(b"a"))
    assert reported == searching.findings
    assert shrinking == ["delete_range deleted missing", ""]


def test_a_death_is_a_lie_with_its_last_words() -> None:
    searching = search(Revivable)
    with pytest.raises(NewFinding):
        run(searching, A, Range(b"a"), DeleteRange(b"a"))
    (finding,) = searching.findings
    assert (finding.trace, finding.signature.kind, finding.note) == ((DeleteRange(b"a"),), "died", "killed by a delete")
    assert finding.answers == {}


def test_a_death_for_good_is_recorded_as_it_was_seen_and_ends_the_run() -> None:
    searching = search(DiesOfDeletes)
    with pytest.raises(TargetGone, match=r"mock died \(killed by a delete\) and can't be brought back"):
        run(searching, A, Range(b"a"), DeleteRange(b"a"))
    (finding,) = searching.findings
    assert (finding.trace, finding.signature.kind) == ((A, Range(b"a"), DeleteRange(b"a")), "died")


def test_a_run_that_ends_while_a_lie_is_shrunk_has_it_as_it_was_seen() -> None:
    class Interrupted(DeletesCountNothing):
        interrupt = False

        def apply(self, operation: Operation) -> Result:
            if self.interrupt:
                raise KeyboardInterrupt
            return super().apply(operation)

    second_instance = Interrupted()
    searching = Search(
        ModelTarget(Server()), [FakeTarget("3.5.16", 2), Interrupted()], second_instances={"mock": second_instance}
    )
    second_instance.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        run(searching, A, Put(b"b"), DeleteRange(b"a"))
    (finding,) = searching.findings
    assert finding.trace == (A, Put(b"b"), DeleteRange(b"a"))
    assert finding.note == "the run ended before it was shrunk"


# Who is wrong, where a real etcd takes part


class Etcd(Specimen):
    name = "etcd"


class WrongFake(DeletesCountNothing):
    name = "fake"


class SurprisingEtcd(DeletesCountNothing):
    name = "etcd"


def seen(*others: Target) -> list[tuple[str, str]]:
    """Whom the search names, in a sequence that the real etcd takes part in and in one that it does not."""
    named: list[tuple[str, str]] = []
    for _ in range(2):
        searching = Search(ModelTarget(Server()), others, second_instances={"mock": type(others[-1])()})
        for _ in range(JUDGED - 1 if named else JUDGED):
            searching.start()
        searching.step(A)
        with pytest.raises(NewFinding):
            searching.step(DeleteRange(b"a"))
        (finding,) = searching.findings
        named.append((finding.odd_one_out, finding.note))
    return named


def test_a_fake_that_is_wrong_is_named_whether_or_not_the_real_etcd_ran_along() -> None:
    assert seen(WrongFake(), Etcd(), Mock()) == [("fake", "")] * 2


def test_a_target_that_is_with_the_real_etcd_does_not_lie() -> None:
    assert seen(FakeTarget("3.5.16", 2), SurprisingEtcd(), DeletesCountNothing()) == [("etcd", "")] * 2


class CountingEtcd(Etcd):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Operation] = []

    def apply(self, operation: Operation) -> Result:
        self.asked.append(operation)
        return super().apply(operation)


def without_etcd(searching: Search, *operations: Operation) -> None:
    """Run sequences until one begins in which the real etcd does not take part, and then this one."""
    searching.start()
    while searching._current is searching._all:
        searching.start()
    for operation in operations:
        searching.step(operation)


def test_a_sequence_that_meets_something_new_is_run_again_with_the_real_etcd() -> None:
    etcd = CountingEtcd()
    searching = Search(
        ModelTarget(Server()), [FakeTarget("3.5.16", 2), etcd, Mock()], second_instances={"mock": Mock()}
    )
    without_etcd(searching, A, DeleteRange(b"a"))
    asked, steps = len(etcd.asked), searching.steps
    searching.start()
    assert [operation for operation in etcd.asked[asked:] if not isinstance(operation, Range)] == [A, DeleteRange(b"a")]
    assert searching.steps == steps + 2


def test_what_the_real_etcd_has_met_is_not_run_again() -> None:
    etcd = CountingEtcd()
    searching = Search(
        ModelTarget(Server()), [FakeTarget("3.5.16", 2), etcd, Mock()], second_instances={"mock": Mock()}
    )
    without_etcd(searching, A, DeleteRange(b"a"))
    without_etcd(searching, A, DeleteRange(b"a"))
    asked = len(etcd.asked)
    searching.start()
    assert len(etcd.asked) == asked


def test_what_only_the_real_etcd_answers_otherwise_is_found_where_it_is_new() -> None:
    searching = Search(
        ModelTarget(Server()), [FakeTarget("3.5.16", 2), SurprisingEtcd(), Mock()], second_instances={"mock": Mock()}
    )
    without_etcd(searching, A, DeleteRange(b"a"))
    with pytest.raises(NewFinding):
        searching.start()
    (finding,) = searching.findings
    assert finding.odd_one_out == "etcd"


class WatchesEmptyRanges(Mock):
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        return super().apply(replace(operation, range_end=b"") if isinstance(operation, WatchCreate) else operation)


def test_a_watcher_that_etcd_refuses_ends_the_sequence() -> None:
    """Reading a stream puts a key, and once more where a watcher has a past to catch up with."""
    searching = search(WatchesEmptyRanges)
    refused = WatchCreate(b"b", b"a", start_revision=1)
    for _ in range(4):  # what is new ends it anyway
        searching.start()
        with suppress(NewFinding):
            searching.step(refused)
    searching.start()
    assert searching.step(refused)
    assert searching.over
    assert {finding.signature.field for finding in searching.findings} >= {"canceled"}


class LearnsItHasNoWords(Mock):
    """Takes deletes until it turns out that it has no words for some."""

    learned = False

    def can_express(self, operation: Operation) -> bool:
        return not (self.learned and isinstance(operation, DeleteRange))


def test_what_is_run_again_ends_where_a_step_is_no_longer_sent() -> None:
    """What follows names steps by their number: without that step it would name others."""
    etcd, mock = CountingEtcd(), LearnsItHasNoWords()
    searching = Search(ModelTarget(Server()), [FakeTarget("3.5.16", 2), etcd, mock], second_instances={"mock": Mock()})
    without_etcd(searching, A, DeleteRange(b"b"), Range(b"a", revision=RevisionAt(2)))
    asked = len(etcd.asked)
    mock.learned = True
    searching.start()
    assert [operation for operation in etcd.asked[asked:] if operation != EMPTY_READ] == [A]


class OnceWrongFake(Specimen):
    name = "fake"
    left = 1

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(result, DeleteRangeResult) and self.left:
            self.left -= 1
            return DeleteRangeResult(result.revision)
        return result


def test_what_the_real_etcd_does_not_see_again_is_reported_all_the_same() -> None:
    searching = Search(ModelTarget(Server()), [OnceWrongFake(), Etcd(), Mock()], second_instances={"mock": Mock()})
    searching.start()
    searching.step(A)
    with pytest.raises(NewFinding):
        searching.step(DeleteRange(b"a"))
    (finding,) = searching.findings
    assert (finding.odd_one_out, finding.note) == ("model or fake", "seen once, and not again")


class LimitIgnoredAndRevisionsPerKey(LimitIgnored, PerKeyRevision):
    name = "mock"


class CountTruncatedAndRevisionsPerKey(CountTruncated, PerKeyRevision):
    name = "mock"


@pytest.mark.parametrize(
    ("kind", "field"), [(LimitIgnoredAndRevisionsPerKey, "kvs"), (CountTruncatedAndRevisionsPerKey, "count")]
)
def test_wrong_revisions_do_not_hide_which_keys_a_range_has(kind: type[Target], field: str) -> None:
    """A plain read shows the revisions to be wrong after the same steps."""
    searching = search(kind)
    limited = Range(b"a", b"c", limit=1)
    for trace in ((A, A, Range(b"a")), (A, Put(b"b"), Range(b"b")), (A, Put(b"b"), limited)):
        with suppress(NewFinding):
            run(searching, *trace)
    assert [finding.trace[-1] for finding in searching.findings if finding.signature.field == field] == [limited]
