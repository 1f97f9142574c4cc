"""The fuzz driver: in lockstep with a real etcd, over bare stubs; and without a server, over a bare loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.message import Message

from etcd_lockstep import servers
from etcd_lockstep.bench.figures import Figure, Sizes, ratio
from etcd_lockstep.codec import encode
from etcd_lockstep.searching.driver import fuzz
from etcd_lockstep.searching.participants import Participants
from etcd_lockstep.searching.search import Search
from etcd_lockstep.servers import Access
from etcd_lockstep.strategies.workloads import STORE
from etcd_lockstep.target import Target
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.wire import Wire
from etcd_model import Server
from etcd_model.operations import Compact, Compare, CompareTarget, LeaseGrant, Operation, Range, Txn
from etcd_model.quirks import release_of
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


# The fuzz driver over a bare loop of the model and the fake


Asked = list[Operation | None]
"""What a target was asked. None stands for a reset."""


def _granted(operation: Operation, result: Result) -> Operation:
    """The operation; that of a grant with the id that it brought, which later requests name."""
    if isinstance(operation, LeaseGrant) and isinstance(result, LeaseGrantResult):
        return replace(operation, id=result.id)
    return operation


class RecordingModel(ModelTarget):
    """The model, with all that it was asked."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.asked: Asked = []

    def reset(self) -> int:
        self.asked.append(None)
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        self.asked.append(_granted(operation, result))
        return result


class RecordingFake(FakeTarget):
    """The fake, with all that it was asked."""

    def __init__(self, version: str, server: Server) -> None:
        self.asked: Asked = []
        super().__init__(version, server.min_lease_ttl, max_txn_ops=server.max_txn_ops)

    def reset(self) -> int | None:
        self.asked.append(None)
        return super().reset()

    def apply(self, operation: Operation) -> Result:
        result = super().apply(operation)
        self.asked.append(_granted(operation, result))
        return result


def ask_again(target: Target, asked: Asked) -> None:
    """Ask a target what was asked before, and nothing else."""
    for operation in asked:
        if operation is None:
            target.reset()
        else:
            target.apply(operation)


def driver_over_bare_loop(run: Participants, sizes: Sizes) -> Figure:
    server = run.model.server
    release = release_of(run.version)
    model, fake = RecordingModel(server), RecordingFake(release, server)
    steps = 0

    def driver(number: int) -> float:
        nonlocal steps
        model.asked.clear()
        fake.asked.clear()
        steps, seconds = drive(run, [fake], sizes.seconds, number, time.process_time, model)
        return steps / seconds

    def bare(_number: int) -> float:
        started = time.process_time()
        ask_again(ModelTarget(server), model.asked)
        ask_again(FakeTarget(release, server.min_lease_ttl, max_txn_ops=server.max_txn_ops), fake.asked)
        return steps / (time.process_time() - started)

    return ratio("driver: model and fake ÷ bare loop of the two", driver, bare, 0.5, "steps", sizes.repetitions)


def drive(
    run: Participants,
    others: Sequence[Target],
    seconds: float,
    seed: int,
    clock: Callable[[], float],
    model: ModelTarget | None = None,
) -> tuple[int, float]:
    """Fuzz the model and some others; the steps that were made, each one operation, and what that took by a clock."""
    search = Search(model or run.model, others)  # without second_instances: all take part in every sequence
    operations = STORE.operations(REQUESTS, run.capabilities)
    started = clock()
    fuzz(search, STORE, operations, run.keys, seconds=seconds, examples=None, seed=seed)
    return max(search.steps, 1), clock() - started
