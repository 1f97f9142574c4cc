"""The Hypothesis strategies for users' own tests, and running one trace on a target."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import HealthCheck, find, given, settings

from etcd_lockstep import DivergenceFound, assert_trace_matches
from etcd_lockstep.names import name_of
from etcd_lockstep.strategies import drawing, keys, operations, traces, values
from etcd_lockstep.strategies.operation_table import FAMILIES
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.trace import LeaseOf, Trace, symbols
from etcd_model import operations as op
from etcd_model.results import Result


def test_the_examples_of_the_strategies() -> None:
    assert doctest.testmod(drawing).failed == 0


@given(operations(list(FAMILIES)))
def test_an_operation_is_complete_by_itself(operation: op.Operation) -> None:
    assert isinstance(operation, op.OPERATIONS)
    assert not symbols(operation)


@given(operations(["lease"]))
def test_an_operation_is_of_the_families_asked_for(operation: op.Operation) -> None:
    assert name_of(operation) in FAMILIES["lease"]


@given(traces(["kv", "lease"], min_steps=2, max_steps=5))
def test_a_trace_is_as_long_as_asked_and_refers_to_earlier_steps(trace: Trace) -> None:
    assert 2 <= len(trace) <= 5
    for number, operation in enumerate(trace, 1):
        assert name_of(operation) in (*FAMILIES["kv"], *FAMILIES["lease"])
        assert all(symbol.step < number for symbol in symbols(operation))  # type: ignore[attr-defined]


@given(traces())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_model_and_the_fake_agree_on_any_trace(trace: Trace) -> None:
    assert_trace_matches(trace)


def test_steps_that_are_not_needed_are_shrunk_away() -> None:
    trace = find(
        traces(["kv", "lease", "txn"], max_steps=3),
        lambda trace: any(isinstance(step, op.DeleteRange) and step.range_end for step in trace),
    )
    assert [name_of(step) for step in trace] == ["delete_range"]
    leased = find(traces(["kv", "lease"], max_steps=4), lambda trace: any(getattr(step, "lease", 0) for step in trace))
    assert leased == (op.LeaseGrant(60), op.Put(b"a", b"1", lease=LeaseOf(1)))


def test_keys_and_values_are_bytes() -> None:
    assert find(keys(), lambda key: key > b"a") > b"a"
    assert find(values(), lambda value: not value) == b""


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (["kv", "mutex"], "no family is called 'mutex': there are kv, "),
        ([], r"families are a list of some of kv, .*, not \[\]"),
        ("kv", "families are a list of some of kv, .*, not 'kv'"),
    ],
)
def test_a_family_that_does_not_exist_is_refused_at_once(families: list[str], message: str) -> None:
    for strategy in (operations, traces):
        with pytest.raises(ValueError, match=message):
            strategy(families)


# A trace on a target


def test_the_first_step_that_differs_fails_a_trace() -> None:
    trace = (op.Put(b"a", b"1"), op.Range(b"a", count_only=True), op.Put(b"b"))
    with pytest.raises(DivergenceFound, match="▶ 2 range") as raised:
        assert_trace_matches(trace, "count-only-returns-kvs")
    assert raised.value.finding.trace == trace[:2]
    assert_trace_matches(trace[:1], "count-only-returns-kvs")


def test_hypothesis_shrinks_a_trace_that_fails() -> None:
    @given(traces(["kv"], max_steps=6))
    @settings(database=None, max_examples=1000, suppress_health_check=list(HealthCheck))
    def property_of_the_target(trace: Trace) -> None:
        assert_trace_matches(trace, "delete-of-missing-bumps")

    with pytest.raises(DivergenceFound) as raised:
        property_of_the_target()
    assert raised.value.finding.trace == (op.DeleteRange(b"a"),)


class Mortal(Target):
    """It dies of its first operation."""

    def reset(self) -> int | None:
        return 1

    def apply(self, operation: op.Operation) -> Result:
        raise TargetDied(f"no more after {operation}")


def test_a_target_that_dies_fails_a_trace() -> None:
    with pytest.raises(DivergenceFound, match="no more"):
        assert_trace_matches((op.Range(b"a"),), Mortal)


def test_an_operation_that_a_target_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="Mortal does not know lock"):
        assert_trace_matches((op.Lock(b"a"),), Mortal)
