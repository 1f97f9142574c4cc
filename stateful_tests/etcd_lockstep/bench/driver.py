"""The fuzz driver: in lockstep with a real etcd, over bare stubs; and without a server, over Hypothesis alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import grpc
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from etcd_lockstep import servers
from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.codec import encode
from etcd_lockstep.searching.driver import BURST, ROUND, STEPS, TimeUp, fuzz
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.search import Search
from etcd_lockstep.servers import Access
from etcd_lockstep.strategies.workloads import STORE
from etcd_lockstep.target import Target
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.wire import Wire
from etcd_model.operations import Compact, Compare, CompareTarget, LeaseGrant, Operation, Range, Txn
from etcd_model.results import LeaseGrantResult, Result
from fake_etcd.stubs import bind
from fake_etcd.wire.methods import METHOD

REQUESTS = ("kv", "txn", "lease", "compact")
"""The families of which each operation is one request, so that the same can be sent over bare stubs."""

# Lockstep over bare stubs


class RecordingWire(Wire):
    """Remembers what was asked, so that it can be asked again."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__(channel)
        self.operations: list[Operation] = []

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        if isinstance(operation, LeaseGrant) and isinstance(result, LeaseGrantResult):
            operation = replace(operation, id=result.id)  # later requests name the lease that this one got
        self.operations.append(operation)
        return result


class RecordingEtcd(EtcdTarget):
    """The real etcd, through a `RecordingWire`."""

    def connect(self, server: Access | str) -> None:
        super().connect(server)
        self._wire = self.wire = RecordingWire(self._channel)


def moved(operation: Operation, by: int) -> Operation:
    """The operation, with its revisions counted from elsewhere: at a replay, the store is that much further on.
    Zero and what is less is no revision."""
    match operation:
        case Range():
            names = [field for field in operation.__slots__ if field.endswith("revision")]
            later = {name: value + by for name in names if (value := getattr(operation, name)) > 0}
            return replace(operation, **later)
        case Compact(revision=revision) if revision > 0:
            return replace(operation, revision=revision + by)
        case Txn():
            branches: list[Any] = [
                tuple(moved(request, by) for request in branch) for branch in (operation.success, operation.failure)
            ]
            return Txn(tuple(_moved_compare(compare, by) for compare in operation.compare), *branches)
        case _:
            return operation


def _moved_compare(compare: Compare, by: int) -> Compare:
    if compare.target in (CompareTarget.CREATE, CompareTarget.MOD):
        assert isinstance(compare.operand, int)
        return replace(compare, operand=compare.operand + by) if compare.operand > 0 else compare
    return compare


def send(call: Callable[..., Any], request: Message, streaming: bool) -> None:
    """One request through a bare stub; a refusal is an answer."""
    try:
        if streaming:
            stream = call(iter((request,)))
            next(stream)
            stream.cancel()
        else:
            call(request)
    except grpc.RpcError as error:
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNAVAILABLE:
            raise


def lockstep_over_stubs(run: Participants, sizes: Sizes) -> Figure:
    assert run.etcd is not None
    etcd = RecordingEtcd(run.etcd)
    channel = servers.open_channel(run.etcd.address)
    calls = {path: bind(channel, method) for path, method in METHOD.items()}
    began = 0
    steps = 0

    def lockstep(number: int) -> float:
        nonlocal began, steps
        began = etcd.reset()
        etcd.wire.operations.clear()
        steps, seconds = drive(run, [etcd], sizes.seconds, number, time.perf_counter)
        return steps / seconds

    def bare(_number: int) -> float:
        recorded = list(etcd.wire.operations)
        by = etcd.reset() - began
        requests = [
            (calls[path], request, METHOD[path].client_streaming)
            for path, request in (encode(moved(operation, by)) for operation in recorded)
        ]
        started = time.perf_counter()
        for request in requests:
            send(*request)
        return steps / (time.perf_counter() - started)

    try:
        return ratio("lockstep: model and etcd ÷ bare stubs on etcd", lockstep, bare, 0.5, "steps", sizes.repetitions)
    finally:
        etcd.reset()  # the bare stubs' keys and leases
        etcd.close()
        channel.close()


# The fuzz driver over Hypothesis alone


def drive(
    run: Participants, others: Sequence[Target], seconds: float, seed: int, clock: Callable[[], float]
) -> tuple[int, float]:
    """Fuzz the model and some others; the steps that were made, each one operation, and what that took by a clock."""
    search = Search(run.model, others)  # without second_instances: all take part in every sequence
    operations = STORE.operations(REQUESTS, run.capabilities)
    started = clock()
    fuzz(search, STORE, operations, run.keys, seconds=seconds, examples=None, seed=seed)
    return max(search.steps, 1), clock() - started


def drive_nothing(seconds: float, seed: int) -> float:
    """Rule calls per second of processor time of a machine that does nothing, with
    as many rule calls an example as `fuzz` makes operations."""
    calls = 0
    end = time.monotonic() + seconds

    class Nothing(RuleBasedStateMachine):
        @rule()
        def call(self) -> None:
            nonlocal calls
            calls += 1
            if time.monotonic() > end:
                raise TimeUp

    options = settings(
        settings.get_profile("default"),
        max_examples=ROUND,
        stateful_step_count=STEPS,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        database=None,
    )
    started = time.process_time()
    with suppress(TimeUp, Flaky):  # Flaky: what ran out of time had run to its end before
        for number in count(seed):
            run_state_machine_as_test(with_seed(number)(Nothing), settings=options)  # type: ignore[no-untyped-call, unused-ignore]  # on Python 3.10
    return calls / (time.process_time() - started)


def driver_over_hypothesis(run: Participants, sizes: Sizes) -> Figure:
    fakes = [target for target in run.others if target.name == "fake"]

    def driver(number: int) -> float:
        steps, seconds = drive(run, fakes, sizes.seconds, number, time.process_time)
        return steps / seconds

    def hypothesis(number: int) -> float:
        return drive_nothing(sizes.seconds, number)

    return ratio(
        "driver: model and fake ÷ empty machine",
        driver,
        hypothesis,
        0.6,
        "operations",
        sizes.repetitions,
        other_what="rule calls",
        note=f"an operation is 1/{BURST} of a rule call",
    )
