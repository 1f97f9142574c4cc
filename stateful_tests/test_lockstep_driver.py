"""The driver: what a seed draws, and what becomes of a sequence."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from etcd_lockstep.searching.driver import Driver, fuzz
from etcd_lockstep.searching.search import Search
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.strategies.workloads import STORE
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import RevisionAt, Trace
from etcd_model import Operation, Result, Server
from etcd_model.operations import DeleteRange, Put, Range, WatchRead
from etcd_model.results import DeleteRangeResult

OPERATIONS = STORE.operations(STORE.families, FakeTarget("3.5.16", 2).capabilities)


class DeletesCountNothing(Specimen):
    name = "mock"

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        return replace(result, deleted=0) if isinstance(result, DeleteRangeResult) else result


class Recording(Search):
    """A search that keeps the sequences it was given."""

    def __init__(self, *targets: Target) -> None:
        super().__init__(
            ModelTarget(Server()),
            [FakeTarget("3.5.16", 2), *targets],
            second_instances={target.name: type(target)() for target in targets},
        )
        self.ran: list[list[Operation]] = []

    def start(self) -> None:
        self.ran.append([])
        super().start()

    def step(self, operation: Operation) -> bool:
        taken = super().step(operation)
        if taken:
            self.ran[-1].append(operation)
        return taken


def sequences(seed: int, examples: int = 5, steps: int = 50) -> list[list[Operation]]:
    search = Recording()
    fuzz(search, STORE, OPERATIONS, KEYS, seconds=None, examples=examples, seed=seed, steps=steps)
    return search.ran


def test_a_seed_draws_the_same_sequences_and_another_draws_others() -> None:
    assert sequences(1) == sequences(1)
    assert sequences(1) != sequences(2)


def test_turns_draw_what_one_search_in_a_go_does() -> None:
    search = Recording()
    driver = Driver(search, STORE, OPERATIONS, KEYS, seed=1)
    for examples in (1, 4, 5):
        driver.run(lambda: False, examples)
    assert search.ran == sequences(1)


def test_nearly_every_step_is_one_that_was_not_met_before() -> None:
    steps: list[Trace] = [
        tuple(sequence[:length]) for sequence in sequences(1, examples=40) for length in range(3, len(sequence) + 1)
    ]
    assert len(set(steps)) > 0.95 * len(steps)


def test_an_example_has_no_more_steps_than_asked_for_and_the_reads_of_its_streams() -> None:
    for sequence in sequences(1, examples=20, steps=3):
        assert len([operation for operation in sequence if not isinstance(operation, WatchRead)]) <= 3


def test_a_finding_ends_its_sequence_and_the_search_goes_on() -> None:
    search = Recording(DeletesCountNothing())
    fuzz(
        search,
        STORE,
        STORE.operations(("kv",), search.targets[-1].capabilities),
        KEYS,
        seconds=None,
        examples=9,
        seed=1,
    )
    (finding,) = search.findings
    assert finding.trace == (Put(b"a"), DeleteRange(b"a"))
    assert search.steps > 9 * 40


def test_traces_that_are_tried_run_as_if_they_had_been_drawn() -> None:
    search = Recording(DeletesCountNothing())
    driver = Driver(search, STORE, OPERATIONS, KEYS, seed=1)
    driver.try_traces([(Range(b"a"),), (Put(b"b"), DeleteRange(b"b")), (Range(b"b"),)])
    assert (search.sequences, len(search.findings)) == (3, 1)


class NoDeletes(Specimen):
    name = "mock"

    def can_express(self, operation: Operation) -> bool:
        return not isinstance(operation, DeleteRange)


def test_a_trace_that_is_tried_ends_where_a_step_is_not_sent() -> None:
    search = Recording(NoDeletes())
    driver = Driver(search, STORE, OPERATIONS, KEYS, seed=1)
    driver.try_traces([(Put(b"a"), DeleteRange(b"a"), Range(b"a", revision=RevisionAt(2))), (Range(b"a"),)])
    assert (search.sequences, search.steps) == (2, 2)


@pytest.mark.parametrize("examples", [None, 5])
def test_when_the_time_is_over_nothing_more_is_drawn(examples: int | None) -> None:
    search = Recording()
    driver = Driver(search, STORE, OPERATIONS, KEYS, seed=1)
    search.deadline = time.monotonic() - 1
    driver.run(lambda: False, examples)
    driver.try_traces([(Put(b"a"),)])
    assert search.ran == []


def test_every_operation_of_the_workload_is_drawn() -> None:
    drawn = {type(operation) for sequence in sequences(1, examples=60) for operation in sequence}
    assert len(drawn) >= len(OPERATIONS)
    assert set(OPERATIONS) <= {name for family in FAMILIES.values() for name in family}
