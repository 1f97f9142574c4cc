"""The short form of `make lies` and `make lies ATTACK=1`: the lie of each specimen is found, and shrunk until nothing
more comes off.

Those of test_lockstep_specimens.py and test_lockstep_specimens_families.py are searched for there.
"""

from __future__ import annotations

from functools import cache

import pytest

from etcd_lockstep.names import operation_name
from etcd_lockstep.proving.attacking import coming_off, shown
from etcd_lockstep.proving.measuring import Found
from etcd_lockstep.proving.reducing import Reduction, reductions
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.searching.search import Search
from etcd_lockstep.searching.workers import ParallelSearch, Worker
from etcd_lockstep.specimens import SPECIMENS
from etcd_lockstep.specimens.shortest import SHORTEST
from etcd_lockstep.strategies.generator_state import KEYS
from etcd_lockstep.strategies.workloads import AUTH, STORE, TIME, Workload
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import LeaseOf, RevisionAt, Trace
from etcd_model import Server
from etcd_model import operations as op
from test_lockstep_specimens import CASES as OF_KEYS_AND_LEASES
from test_lockstep_specimens_families import CASES as OF_OTHER_FAMILIES

SEED = 3
EXAMPLES = 2_000
"""At most; half of the specimens need ten."""
SEARCHED_ELSEWHERE = OF_KEYS_AND_LEASES.keys() | OF_OTHER_FAMILIES.keys()
SEARCHED_LONGER = {"too-many-ops-accepted", "close-cancels-others", "delete-keeps-attachment"}
"""Found after a second or more: `make lies` searches for these, which is no part of the tests."""
NEW = [name for name in SHORTEST if name not in SEARCHED_ELSEWHERE | SEARCHED_LONGER]


def workload_of(specimen: Target) -> Workload:
    """Where the lie of a specimen shows."""
    if "authenticate" in specimen.capabilities:
        return AUTH
    return TIME if operation_name(op.Advance) in specimen.capabilities else STORE


@cache
def found(name: str) -> Finding | None:
    """The shortest finding of a seeded search, which ends with one in a trace no longer than that written down."""
    model, specimen = ModelTarget(Server()), SPECIMENS[name]()
    others: list[Target] = [FakeTarget("3.5.16", 2), specimen]
    seconds = {name: SPECIMENS[name]()}
    workload = workload_of(specimen)
    search = (
        ParallelSearch([Worker(model, others)], second_instances=seconds)
        if workload is TIME
        else Search(model, others, second_instances=seconds)
    )
    fuzz(
        search,
        workload,
        workload.operations(workload.families, specimen.capabilities),
        specimen.keys or KEYS,
        seconds=None,
        examples=EXAMPLES,
        seed=SEED,
        until=lambda: any(len(one.trace) <= len(SHORTEST[name]) for one in search.findings),
    )
    assert all(one.odd_one_out == name for one in search.findings)
    return min(search.findings, key=lambda one: len(one.trace), default=None)


@pytest.mark.parametrize("name", NEW)
def test_the_lie_is_found_in_a_trace_no_longer_than_that_written_down(name: str) -> None:
    finding = found(name)
    assert finding is not None
    assert len(finding.trace) <= len(SHORTEST[name])


@pytest.mark.parametrize("name", NEW)
def test_nothing_comes_off_a_shrunk_trace(name: str) -> None:
    finding = found(name)
    assert finding is not None
    assert finding.signature in shown(name, finding.trace, Server())
    assert list(coming_off(name, Found(finding, Server()), list(reductions(finding.trace)))) == []


@pytest.mark.parametrize(
    "name", ["slot-mock", "per-key-revision-mock", "ttl-is-lease-mock", "first-lease-is-zero-mock", "values-only-mock"]
)
def test_a_whole_mock_is_found_to_lie_in_many_ways(name: str) -> None:
    specimen = SPECIMENS[name]()
    search = Search(
        ModelTarget(Server()), [FakeTarget("3.5.16", 2), specimen], second_instances={name: SPECIMENS[name]()}
    )
    operations = STORE.operations(STORE.families, specimen.capabilities)
    fuzz(search, STORE, operations, specimen.keys or KEYS, seconds=None, examples=5, seed=0)
    assert len(search.findings) > 5
    assert {finding.odd_one_out for finding in search.findings} == {name}


def test_the_reducer_takes_off_what_it_can() -> None:
    guarded = op.Compare(b"a", op.CompareTarget.MOD, op.CompareResult.EQUAL, 0)
    trace = (op.LeaseGrant(60), op.Put(b"a", b"1", LeaseOf(1)), op.Range(b"a", revision=RevisionAt(2, -1)))
    once = [one.trace for one in reductions(trace) if "and a step less" not in one.what]
    assert once == [
        (op.Put(b"a", b"1", 404), op.Range(b"a", revision=RevisionAt(1, -1))),
        (op.LeaseGrant(60), op.Range(b"a", revision=RevisionAt(1, -1))),
        (op.Range(b"a", revision=RevisionAt(0, -1)),),
        (trace[0], op.Put(b"a", b"", LeaseOf(1)), trace[2]),
        (trace[0], op.Put(b"a", b"", LeaseOf(1)), trace[2]),
        (trace[0], op.Put(b"a", b"1"), trace[2]),
        (*trace[:2], op.Range(b"a")),
        (*trace[:2], op.Range(b"a", revision=RevisionAt(2))),
        (*trace[:2], op.Range(b"a", revision=RevisionAt(1))),
    ]
    put, delete = op.Put(b"a", b"1"), op.DeleteRange(b"a")
    assert {one.trace[0] for one in reductions((op.Txn((guarded,), (put,), (delete,)),))} == {
        op.Txn((), (put,), (delete,)),
        op.Txn((guarded,), (), (delete,)),
        op.Txn((guarded,), (op.Put(b"a"),), (delete,)),
        op.Txn((guarded,), (put,)),
        op.Txn((guarded,), (put,), (op.Put(b"a"),)),
    }


def kinds_of(trace: Trace) -> set[str]:
    return {one.what for one in reductions(trace)}


def test_the_reducer_makes_one_of_two_and_knows_plainer_operations_and_the_usual_order() -> None:
    two_leases = (op.LeaseGrant(60), op.LeaseGrant(60), op.Put(b"a", lease=LeaseOf(2)), op.LeaseRevoke(LeaseOf(1)))
    assert Reduction("one LeaseGrant for two", (two_leases[0], op.Put(b"a", lease=LeaseOf(1)), two_leases[3])) in list(
        reductions(two_leases)
    )
    names = (op.Put(b"long", b"value"), op.Range(b"a", b"long", limit=9))
    assert {"one key", "a plainer key", "a plainer value", "a plainer range_end", "a smaller limit"} <= kinds_of(names)
    lock = (op.Range(b"b"), op.Lock(b"a", 8, op.Unlock(b"a/8")), op.Put(b"b"), op.Put(b"a"), op.Range(b"a"))
    assert {
        "a Put for Lock",
        "a DeleteRange for Unlock within",
        "two steps in order",
        "2 steps less",
        "no meanwhile, and a step less",
    } <= kinds_of(lock)
