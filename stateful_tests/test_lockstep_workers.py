"""Workers: sequences that are drawn first and run side by side, and what becomes of what they show."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from etcd_lockstep.console.cli import main
from etcd_lockstep.searching.search import NewFinding
from etcd_lockstep.searching.triage import NO_TIME
from etcd_lockstep.searching.workers import (
    PER_WORKER,
    SHRINK_SECONDS,
    SHRINK_SECONDS_IN_ALL,
    ParallelSearch,
    Worker,
)
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.target import ALL, Target, TargetDied
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model import Operation, Result, Server
from etcd_model.operations import Advance, LeaseGrant, Put, Range, Txn, WatchCreate
from etcd_model.results import AdvanceResult, LeaseGrantResult, PutResult, RangeResult


class Eternal(Specimen):
    """Time does not pass for its leases."""

    name = "eternal"
    capabilities = ALL

    def apply(self, operation: Operation) -> Result:
        return AdvanceResult() if isinstance(operation, Advance) else super().apply(operation)


class Mortal(Specimen):
    """Dies of its reset, once it has been used, and comes back."""

    name = "mortal"
    capabilities = ALL
    uses: ClassVar[int] = 0

    def reset(self) -> int:
        if Mortal.uses:
            Mortal.uses = 0
            raise TargetDied("worn out")
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        Mortal.uses += 1
        return super().apply(operation)

    def revive(self) -> None:
        pass


def search(number: int, *targets: Target) -> ParallelSearch:
    """Workers with the model and the fake each; the targets are in the first."""
    workers = [Worker(ModelTarget(Server()), [FakeTarget("3.5.16", 2)]) for _ in range(number)]
    workers[0].others.extend(targets)
    return ParallelSearch(workers)


def draw(search: ParallelSearch, *operations: Operation) -> None:
    """One sequence."""
    search.start()
    for operation in operations:
        assert search.step(operation)


def test_nothing_runs_until_there_is_enough_to_run() -> None:
    parallel = search(2)
    for number in range(2 * PER_WORKER):
        draw(parallel, Put(b"a"), Advance(1))
        assert (parallel.sequences, parallel.steps) == (0, 0), number
    parallel.start()
    assert (parallel.sequences, parallel.steps) == (2 * PER_WORKER, 4 * PER_WORKER)


def test_what_is_left_runs_at_the_end() -> None:
    parallel = search(3)
    draw(parallel, Put(b"a"), Advance(1), Range(b"a"))
    parallel.flush()
    assert (parallel.sequences, parallel.steps) == (1, 3)
    assert parallel.coverage.fields["advance.seconds"] == 1


def test_a_lie_is_found_shrunk_and_raised_after_its_batch() -> None:
    parallel = search(1, Eternal())
    draw(
        parallel,
        Put(b"x"),
        LeaseGrant(2),
        Put(b"a", b"1", 0),
        LeaseGrant(2, 7),
        Put(b"a", b"", 7),
        Advance(4),
        Range(b"a"),
    )
    draw(parallel, Put(b"a"))
    with pytest.raises(NewFinding):
        parallel.flush()
    assert parallel.sequences == 2
    (finding,) = parallel.findings
    assert (finding.odd_one_out, str(finding.signature)) == ("eternal", "range kvs unexpected")
    assert [type(operation) for operation in finding.trace] == [LeaseGrant, Put, Advance, Range]


class Headless(Eternal):
    """No answer of it has a revision either."""

    name = "headless"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        match result:
            case PutResult() | RangeResult() | LeaseGrantResult():
                return replace(result, revision=0)
        return result


def test_what_is_known_to_be_wrong_in_every_answer_ends_no_sequence() -> None:
    parallel = search(1, Headless())
    draw(parallel, Put(b"a"))
    with pytest.raises(NewFinding):
        parallel.flush()
    draw(parallel, LeaseGrant(2), Put(b"a", b"1", LeaseOf(1)), Put(b"b"), Advance(4), Range(b"a"))
    with pytest.raises(NewFinding):
        parallel.flush()
    assert [str(finding.signature) for finding in parallel.findings] == [
        "* header.revision missing",
        "range kvs unexpected",
    ]


class FromZero(Specimen):
    """It calls the revision of its empty store 0."""

    name = "from-zero"
    capabilities = ALL

    def reset(self) -> int:
        return super().reset() - 1

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, revision=result.revision - 1) if isinstance(result, PutResult) else result


def test_a_store_that_counts_from_0_is_not_asked_for_its_first_revision() -> None:
    parallel = search(1, FromZero())
    draw(parallel, Put(b"a"), Advance(1))
    parallel.flush()
    assert parallel.findings == []
    draw(parallel, *[Put(b"a")] * 4, Range(b"a", revision=RevisionAt(4)))
    assert not parallel.step(Range(b"a", revision=RevisionAt(0)))


def test_what_is_never_sent_is_not_drawn() -> None:
    parallel = search(1)
    parallel.start()
    assert not parallel.step(Range(b"a", sort_target=9))
    assert parallel.step(Range(b"a"))


def test_the_first_revision_is_not_asked_of_a_target_that_calls_it_0() -> None:
    """It is known from the model that the sequence is drawn on, not from one that ran in a worker before."""
    parallel = search(1, FromZero())
    draw(parallel, Put(b"a"), Put(b"a"))
    parallel.flush()
    parallel.start()
    assert all(parallel.step(Range(b"a")) for _ in range(4))
    assert not parallel.step(Range(b"a", revision=RevisionAt(4)))
    assert parallel.step(Put(b"a"))
    assert parallel.step(Range(b"a", revision=RevisionAt(5)))


def test_a_target_that_keeps_its_history_is_asked_for_no_old_revision_before_anything_ran() -> None:
    keeps = FromZero()
    keeps.keeps_history = True
    parallel = search(1, keeps)
    parallel.start()
    assert not parallel.step(Range(b"a", revision=RevisionAt(0)))
    assert not parallel.step(WatchCreate(b"a", start_revision=-1))
    assert not parallel.step(Txn(failure=(Txn(success=(Range(b"a", revision=-1),)),)))
    assert parallel.step(WatchCreate(b"a"))
    assert parallel.step(Range(b"a", revision=-1))


def test_a_target_that_dies_in_its_reset_is_notified_of_with_what_ran_before() -> None:
    Mortal.uses = 0
    parallel = search(1, Mortal())
    draw(parallel, Put(b"a"))
    draw(parallel, Range(b"b"), Advance(1))
    with pytest.raises(NewFinding):
        parallel.flush()
    (finding,) = parallel.findings
    assert (finding.odd_one_out, finding.signature.kind) == ("mortal", "died")
    assert finding.trace[-1] == Put(b"a")


def test_a_target_that_was_never_asked_anything_is_accused_of_nothing() -> None:
    Mortal.uses = 1
    parallel = search(1, Mortal())
    draw(parallel, Range(b"b"))
    parallel.flush()
    assert parallel.findings == []


def test_after_the_end_nothing_more_is_run() -> None:
    parallel = search(1)
    draw(parallel, Put(b"a"))
    parallel.deadline = 0.0
    parallel.flush()
    assert (parallel.sequences, parallel.steps) == (0, 0)


def test_a_lie_that_there_is_no_time_to_look_into_is_reported_once_and_says_so() -> None:
    class Deaf(Specimen):
        name = "deaf"
        capabilities = ALL

        def apply(self, operation: Operation) -> Result:
            result = super().apply(operation)
            return PutResult(0) if isinstance(result, PutResult) else result

    parallel = search(1, Deaf())
    draw(parallel, Range(b"b"), Put(b"a"))
    draw(parallel, Range(b"a"), Range(b"c"), Put(b"a"))
    seen = parallel._run_batch(parallel._batch or [(Range(b"b"), Put(b"a")), (Range(b"c"), Put(b"a"))])
    parallel.deadline = -1e9
    for one in seen:
        parallel._trace = one.trace
        for divergence in one.divergences:
            try:
                parallel._judge(one.trace[-1], divergence)
            except NewFinding:
                continue
    (finding,) = parallel.findings
    assert finding.note == NO_TIME


def test_each_finding_of_a_batch_has_time_of_its_own_to_be_shrunk_and_all_have_a_bound() -> None:
    parallel = search(1)
    before = time.monotonic()
    assert before + SHRINK_SECONDS <= parallel._patience() <= time.monotonic() + SHRINK_SECONDS
    parallel.deadline = before
    assert before + SHRINK_SECONDS <= parallel._patience(), "what the last batch has shown is shrunk too"
    parallel._judging_since = -SHRINK_SECONDS_IN_ALL
    assert parallel._patience() == 0.0


def test_a_few_examples_are_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--families", "time", "--examples", "1", "--steps", "8", "--seed", "1", "--json", "summary.json"]
    assert main(["fuzz", "--etcd", "none", *options]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["arenas"]["time"]["steps"] > 0
