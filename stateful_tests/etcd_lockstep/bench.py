"""The bench: how fast the suite is, as ratios.

Speeds differ from machine to machine, and from minute to minute on one: so each figure is a ratio
of two speeds measured in turns, in the same run, and is told with its spread. Nothing here is a
test: an aim that is missed is shown as missed, and the exit code is 0.

- *Lockstep*: steps per second of the model and a real etcd, as the fuzz driver runs them, over the
  same requests sent to the same etcd through bare client stubs, one after the other. The requests
  are those that the run has just made, their messages built beforehand. A reset is no step, but the
  requests that it makes are among them: both sides make as many calls, and count the same steps.
- *Driver*: steps per second of the model and the fake, as the fuzz driver runs them without a
  server, over those of a state machine whose one rule does nothing. In processor time.
- *Fake*: puts per second on the fake in this process over those on a real etcd on loopback, through
  the same client stubs: on `InProcessChannel` there, on a gRPC channel here.
- *Many keys*: what a key costs the fake in memory, and its puts per second there over those with
  1,000 keys, both of random keys that exist. In a process of its own, straight on the engine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, cycle
from pathlib import Path
from statistics import median
from typing import Any

import grpc
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from rich.console import Console
from rich.table import Table

from etcd_lockstep import servers
from etcd_lockstep.codec import encode
from etcd_lockstep.commands import Exit
from etcd_lockstep.fuzzing import ROUND, STEPS, fuzz
from etcd_lockstep.machine import TimeUp
from etcd_lockstep.run import Run
from etcd_lockstep.search import Search, TargetGone
from etcd_lockstep.servers import RunningEtcd
from etcd_lockstep.servers.calls import explain
from etcd_lockstep.strategies.union import FAMILIES, operations_of
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.wire import Wire, empty_store
from etcd_model.operations import Compact, Compare, CompareTarget, LeaseGrant, Operation, Range, Txn
from etcd_model.results import LeaseGrantResult, Result
from fake_etcd import Engine, InProcessChannel
from fake_etcd.stubs import Stubs, bind, stubs
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

SECONDS = 60.0
REPETITIONS = 5
MANY_KEYS = 1_000_000
FEW_KEYS = 1_000
KEY_BYTES = 32
VALUE = b"v" * 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    seconds: float
    """For each side of a ratio, each time."""
    repetitions: int
    keys: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: what was measured, several times over, and what it should be."""

    name: str
    values: Sequence[float]
    aim: float
    unit: str
    """`×` for a ratio, which should be at least its aim; of anything else there should be at most so much."""
    detail: str

    @property
    def met(self) -> bool:
        return median(self.values) >= self.aim if self.unit == "×" else median(self.values) <= self.aim


Speed = Callable[[int], float]
"""Measures once, and returns how many a second. Is told which repetition it is."""


def ratio(name: str, one: Speed, other: Speed, aim: float, what: str, repetitions: int) -> Figure:
    """The speed of one thing over that of another, measured in turns."""
    pairs = [(one(number), other(number)) for number in range(repetitions)]
    typical = " ÷ ".join(f"{median(speeds):,.0f}" for speeds in zip(*pairs, strict=True))
    return Figure(name, [mine / theirs for mine, theirs in pairs], aim, "×", f"{typical} {what}/s")


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

    def connect(self, address: str) -> None:
        super().connect(address)
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


def lockstep_over_stubs(run: Run, sizes: Sizes) -> Figure:
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
    run: Run, others: Sequence[Target], seconds: float, seed: int, clock: Callable[[], float]
) -> tuple[int, float]:
    """Fuzz the model and some others; the steps that were made, and what that took by a clock."""
    search = Search(run.model, others)
    operations = operations_of(FAMILIES, run.capabilities)
    started = clock()
    fuzz(search, operations, run.keys, seconds=seconds, examples=None, seed=seed, remember=False)
    return max(search.steps, 1), clock() - started


def drive_nothing(seconds: float, seed: int) -> float:
    """Steps per second of processor time of a machine that does nothing, under the settings that `fuzz` uses."""
    steps = 0
    end = time.monotonic() + seconds

    class Nothing(RuleBasedStateMachine):
        @rule()
        def step(self) -> None:
            nonlocal steps
            steps += 1
            if time.monotonic() > end:
                raise TimeUp

    options = settings(
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
            run_state_machine_as_test(with_seed(number)(Nothing), settings=options)
    return steps / (time.process_time() - started)


def driver_over_hypothesis(run: Run, sizes: Sizes) -> Figure:
    fakes = [target for target in run.others if target.name == "fake"]

    def driver(number: int) -> float:
        steps, seconds = drive(run, fakes, sizes.seconds, number, time.process_time)
        return steps / seconds

    def hypothesis(number: int) -> float:
        return drive_nothing(sizes.seconds, number)

    return ratio("driver: model and fake ÷ empty machine", driver, hypothesis, 0.6, "steps", sizes.repetitions)


# The fake over etcd


def random_keys(number: int) -> list[bytes]:
    source = random.Random(number)
    return [source.randbytes(KEY_BYTES) for _ in range(number)]


def puts_per_second(etcd: Stubs, keys: Sequence[bytes], seconds: float) -> float:
    put = etcd.kv.Put
    waiting = cycle(keys)
    done = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        put(messages.PutRequest(key=next(waiting), value=VALUE))
        done += 1
    return done / elapsed


def fake_over_etcd(etcd: RunningEtcd, sizes: Sizes) -> Figure:
    keys = random_keys(FEW_KEYS)
    with InProcessChannel(Engine(etcd.version)) as here, servers.open_channel(etcd.address) as there:
        fake, real = stubs(here), stubs(there)
        figure = ratio(
            "fake: in this process ÷ etcd on loopback",
            lambda _number: puts_per_second(fake, keys, sizes.seconds / 4),
            lambda _number: puts_per_second(real, keys, sizes.seconds / 4),
            20,
            "puts",
            sizes.repetitions,
        )
        empty_store(Wire(there))
        return figure


# The fake with many keys


def resident_bytes() -> int:
    """What this process holds in memory; where the system doesn't tell, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def fill(keys: Sequence[bytes]) -> Engine:
    engine = Engine()
    for key in keys:
        engine.call("/etcdserverpb.KV/Put", messages.PutRequest(key=key, value=VALUE))
    return engine


def many_keys(sizes: Sizes) -> list[Figure]:
    """To be run in a process of its own, whose memory nobody has used before."""
    before = resident_bytes()
    started = time.process_time()
    full = fill(random_keys(sizes.keys))
    filled = sizes.keys / (time.process_time() - started)
    each = (resident_bytes() - before) / sizes.keys / 1000
    small = fill(random_keys(FEW_KEYS))

    def puts(engine: Engine, keys: Sequence[bytes]) -> Iterator[float]:
        """Each time it is asked, the puts per second."""
        while True:
            requests = [messages.PutRequest(key=key, value=VALUE) for key in random.sample(keys, FEW_KEYS)]
            begun = time.process_time()
            for _ in range(10):
                for request in requests:
                    engine.call("/etcdserverpb.KV/Put", request)
            yield 10 * FEW_KEYS / (time.process_time() - begun)

    at_full, at_small = puts(full, random_keys(sizes.keys)), puts(small, random_keys(FEW_KEYS))
    return [
        Figure(f"fake: memory a key, {sizes.keys:,} keys", [each], 1.5, "KB", f"filled at {filled:,.0f} puts/s"),
        ratio(
            f"fake: {sizes.keys:,} keys ÷ {FEW_KEYS:,} keys",
            lambda _number: next(at_full),
            lambda _number: next(at_small),
            0.5,
            "puts",
            sizes.repetitions,
        ),
    ]


# The table


def measure(console: Console, source: servers.WantedEtcd, sizes: Sizes) -> list[Figure]:
    with Run(source, [], progress=console.print) as run:
        assert run.etcd is not None
        console.print(run.etcd.how)
        figures = []
        with console.status("lockstep"):
            figures.append(lockstep_over_stubs(run, sizes))
        with console.status("driver"):
            figures.append(driver_over_hypothesis(run, sizes))
        with console.status("fake"):
            figures.append(fake_over_etcd(run.etcd, sizes))
    with (
        console.status("many keys"),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        return figures + process.submit(many_keys, sizes).result()


def table(figures: Sequence[Figure]) -> Table:
    made = Table("what", "min", "median", "max", "aim", "met", "medians of the two sides")
    for figure in figures:
        values = (min(figure.values), median(figure.values), max(figure.values))
        aim = f"{'≥' if figure.unit == '×' else '≤'} {figure.aim:g} {figure.unit}"
        met = "[green]yes[/]" if figure.met else "[red]no[/]"
        made.add_row(figure.name, *(f"{value:.2f}" for value in values), aim, met, figure.detail)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m etcd_lockstep.bench", description="How fast the suite is, as ratios."
    )
    parser.add_argument("--etcd", default="auto", metavar="SOURCE", help="where the real etcd comes from, as for fuzz")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="N", help=f"how long to measure, about (default {SECONDS:g})"
    )
    parser.add_argument("--quick", action="store_true", help="measure next to nothing, to see that it works")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        if not 0 < options.seconds < float("inf"):
            raise servers.BadSource(f"--seconds {options.seconds:g} is no time to measure anything in")
        source = servers.parse_source(options.etcd)
        if isinstance(source, servers.NoEtcd):
            raise servers.BadSource("the bench needs a real etcd to compare with: it can't go with --etcd none")
        sizes = Sizes(options.seconds / (6 * REPETITIONS), REPETITIONS, MANY_KEYS)
        figures = measure(console, source, Sizes(0.1, 2, 2 * FEW_KEYS) if options.quick else sizes)
    except (servers.BadSource, servers.NotEmpty) as error:
        return _refuse(str(error), Exit.REFUSED)
    except (servers.EtcdUnavailable, TargetDied, TargetGone) as error:
        return _refuse(str(error), Exit.UNREACHABLE)
    except grpc.RpcError as error:
        return _refuse(f"etcd stopped answering: {explain(error)}", Exit.UNREACHABLE)
    except KeyboardInterrupt:
        return _refuse("interrupted", Exit.INTERRUPTED)
    console.print(table(figures))
    return 0


def _refuse(reason: str, code: Exit) -> Exit:
    print(f"bench: {reason}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
