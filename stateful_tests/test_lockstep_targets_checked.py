"""What a target of the user's may answer, and what becomes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any, get_args

import pytest
from grpc import StatusCode

from etcd_lockstep.target import NotExpressible, Target, TargetDied
from etcd_lockstep.targets import checked
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.unimplemented import Unimplemented
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Result, Server
from etcd_model.errors import EMPTY_KEY, Code, Error
from etcd_model.operations import As, LeaseGrant, Permission, Put, Range, WatchCancel, WatchCreate, WatchRead
from etcd_model.results import (
    DeleteRangeResult,
    Event,
    KeyValue,
    LeaderResult,
    LeaseGrantResult,
    LeaseLeasesResult,
    PutResult,
    RangeResult,
    RoleGetResult,
    StreamResult,
    TxnResult,
    WatchCreateResult,
    Watched,
    WatchReadResult,
)
from fake_etcd import Engine, EtcdError, serve

KV = KeyValue(b"a", b"1", 2, 2, 1)


def passed_on(said: Any) -> Result:
    """What comes of an answer."""

    class Says(Target):
        name = "says"

        def reset(self) -> None: ...

        def apply(self, operation: Operation) -> Result:  # noqa: ARG002  # it always says the same
            answer: Result = said
            return answer

    return CheckedTarget(Says(), "says").apply(Range(b"a"))


def test_a_list_becomes_a_tuple_however_deep_it_lies() -> None:
    ranged: Any = RangeResult(2, [KV, KV], count=2)  # type: ignore[arg-type]  # on purpose
    inner: Any = TxnResult(2, True, [ranged])  # type: ignore[arg-type]  # as above
    outer: Any = TxnResult(2, True, (PutResult(2), inner))
    should = TxnResult(2, True, (PutResult(2), TxnResult(2, True, (RangeResult(2, (KV, KV), count=2),))))
    assert passed_on(outer) == should
    watched: Any = Watched(0, [Event(0, KV)], [""])  # type: ignore[arg-type]  # as above
    read: Any = WatchReadResult(2, [watched])  # type: ignore[arg-type]  # as above
    assert passed_on(read) == WatchReadResult(2, (Watched(0, (Event(0, KV),), ("",)),))


@pytest.mark.parametrize(
    "said",
    [
        PutResult(2, None),
        PutResult(2, KV),
        LeaderResult(2, None),
        RoleGetResult(1, (Permission(2, b"a"),)),
        Error(Code.NOT_FOUND, "no"),
        Error(5, "no"),  # type: ignore[arg-type]  # equal to its Code
        TxnResult(2, True, (RangeResult(2, (KV,), count=1), PutResult(2), DeleteRangeResult(2), TxnResult(2, False))),
    ],
    ids=str,
)
def test_what_etcd_may_say_is_passed_on_as_it_is(said: Result) -> None:
    assert passed_on(said) == said


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (WatchReadResult(2, (Watched(0, (Event(0, None),)),)), "Event.kv holds None, and should hold KeyValue"),  # type: ignore[arg-type]
        (RangeResult(2, ("x",)), "RangeResult.kvs holds 'x', and should hold tuple[KeyValue, ...]"),  # type: ignore[arg-type]
        (RangeResult(2, (None,)), "RangeResult.kvs holds None, and should hold tuple[KeyValue, ...]"),  # type: ignore[arg-type]
        (RangeResult(2, None), "RangeResult.kvs is None, and should be a tuple"),  # type: ignore[arg-type]
        (PutResult(2, {"key": b"a"}), "PutResult.prev_kv holds {'key': b'a'}, and should hold KeyValue | None"),  # type: ignore[arg-type]
        (PutResult(2, Event(0, KV)), "PutResult.prev_kv holds Event("),  # type: ignore[arg-type]
        (PutResult(2, KeyValue), "PutResult.prev_kv holds <class"),  # type: ignore[arg-type]
        (PutResult(None), "PutResult.revision holds None, and should hold int"),  # type: ignore[arg-type]
        (PutResult(True), "PutResult.revision holds True, and should hold int"),
        (RangeResult(2, more=1), "RangeResult.more holds 1, and should hold bool"),  # type: ignore[arg-type]
        (TxnResult(2, True, (KV,)), "TxnResult.responses holds KeyValue("),  # type: ignore[arg-type]
        (LeaseLeasesResult(2, ("7",)), "LeaseLeasesResult.leases holds '7', and should hold tuple[int, ...]"),  # type: ignore[arg-type]
        (Error("NOT_FOUND", "no"), "Error.code holds 'NOT_FOUND', and should hold Code"),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_what_is_not_of_its_type_is_reported_by_the_name_of_the_field(said: Result, complaint: str) -> None:
    with pytest.raises(TypeError) as raised:
        passed_on(said)
    assert str(raised.value).startswith(complaint)


def test_what_inherits_from_a_part_of_a_result_is_no_such_part() -> None:
    class Mine(KeyValue):
        __slots__ = ()

    with pytest.raises(TypeError, match=r"PutResult\.prev_kv"):
        passed_on(PutResult(2, Mine(b"a", b"1", 2, 2, 1)))


def test_the_types_of_all_that_there_is_in_results_are_known() -> None:
    for kind in (*get_args(Result), *checked._PARTS):
        for field in fields(kind):
            assert checked._wanted(checked._declared(field)), (kind, field.name)


class LacksIds(Engine):
    """Grants no lease with an id of the client's choice."""

    def call(self, path: str, request: Any, token: str = "", cancelled: ThreadEvent | None = None) -> Any:
        if path.endswith("/LeaseGrant") and request.ID:
            raise EtcdError(StatusCode.UNIMPLEMENTED, "no ids here")
        return super().call(path, request, token, cancelled)


def test_what_a_server_answers_with_unimplemented_is_not_asked_again() -> None:
    with serve(LacksIds("3.5.16")) as server:
        target = CheckedTarget(WireTarget("lacks-ids", server.address), "lacks-ids")
        assert target.can_express(LeaseGrant(60, 7))
        with pytest.raises(NotExpressible, match="no ids here"):
            target.apply(LeaseGrant(60, 7))
        assert not target.can_express(LeaseGrant(3600, 8))
        assert isinstance(target.apply(LeaseGrant(60)), LeaseGrantResult)
        target.close()


NOT_HERE = Error(Code.UNIMPLEMENTED, "not here")
FOUND = RangeResult(1)


def refused(known: Unimplemented, operation: Operation) -> None:
    with pytest.raises(NotExpressible, match="not here"):
        known.learn(operation, NOT_HERE)


def test_a_refusal_for_what_an_option_is_set_to_does_not_turn_the_option_off() -> None:
    known = Unimplemented()
    known.learn(Range(b"a", b"b"), FOUND)
    refused(known, Range(b"a", b"x"))
    refused(known, Range(b"long"))
    assert known.may_send(Range(b"b", b"c"))
    assert known.may_send(Range(b"a"))
    refused(known, Range(b"a", b"b", limit=1))
    assert not known.may_send(Range(b"b", b"c", limit=2))
    assert known.may_send(Range(b"b", b"c"))


def test_an_error_says_nothing_of_the_options() -> None:
    known = Unimplemented()
    known.learn(Range(b"", limit=1), EMPTY_KEY)
    refused(known, Range(b"a", limit=1))
    assert not known.may_send(Range(b"a", limit=2))


def test_refusals_of_an_option_that_was_answered_are_enough_at_some_time() -> None:
    known = Unimplemented()
    known.learn(Range(b"a", limit=1), FOUND)
    for _ in range(20):
        assert known.may_send(Range(b"a", limit=1))
        refused(known, Range(b"a", limit=2))
    assert not known.may_send(Range(b"a", limit=1))
    assert known.may_send(Range(b"a"))


def test_unimplemented_is_an_answer_of_a_target_in_python() -> None:
    refusal = Error(Code.UNIMPLEMENTED, "not yet")
    assert passed_on(refusal) == refusal


# Code of the user's that fails in ways that nobody foresaw


class Fails(Target):
    """A store that agrees, until it is asked for the value `!`."""

    name = "fails"
    capabilities = frozenset({"put", "range"})

    def __init__(self) -> None:
        self.model = ModelTarget(Server())

    def reset(self) -> int:
        return self.model.reset()

    def apply(self, operation: Operation) -> Result:
        if isinstance(operation, Range) and operation.count_only:
            self.fail()
        return self.model.apply(operation)

    def fail(self) -> None:
        raise NotImplementedError


class LeavesPython(Fails):
    def fail(self) -> None:
        raise GeneratorExit("out")


class HasNoText(Fails):
    def fail(self) -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise ValueError("no text")

        raise Silent


class ClosesTheOutput(Fails):
    def fail(self) -> None:
        sys.stdout.close()


class CannotBeRevived(Fails):
    def fail(self) -> None:
        raise TargetDied("gone")

    def revive(self) -> None:
        raise RuntimeError("no way back")


class ChangesWhatItIsAsked(Fails):
    def apply(self, operation: Operation) -> Result:
        result = self.model.apply(operation)
        if isinstance(operation, Put):
            object.__setattr__(operation, "key", b"changed")
        return result


class HasNoCapabilities(Fails):
    capabilities = None  # type: ignore[assignment]  # which is the point


class HasNoKeys(Fails):
    keys = None  # type: ignore[assignment]  # as above


PROGRAM = "import sys; from etcd_lockstep.console.entry import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        (LeavesPython, 1, "it raises GeneratorExit on a range"),
        (HasNoText, 1, "it raises Silent on a range"),
        (ClosesTheOutput, 0, "every answer agreed"),
        (CannotBeRevived, 3, "no way back"),
        (ChangesWhatItIsAsked, 0, "every answer agreed"),
        (HasNoCapabilities, 2, "its capabilities are None, and should be a set of the names of operations"),
        (HasNoKeys, 2, "its keys are None, and should be bytes"),
    ],
)
def test_a_run_ends_with_its_report(target: type[Fails], code: int, said: str, tmp_path: Path) -> None:
    options = ["--etcd", "none", "--against", f"{Path(__file__).stem}:{target.__name__}", "--examples", "15"]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "fuzz", *options, "--seed", "1", "--corpus", "found"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert said in " ".join((ran.stdout + ran.stderr).split())
    assert "Traceback" not in ran.stderr


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"import os; os.rmdir(os.getcwd()); {PROGRAM}"
    gone.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", script, "targets"], cwd=gone, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "the working directory can't be used" in ran.stderr


class NumbersFrom1(Target):
    """Its watchers have the ids 1, 2, … across all streams, and report their keys."""

    name = "numbers-from-1"

    def __init__(self) -> None:
        self.watchers: dict[int, tuple[int, bytes]] = {}
        self.cancelled: list[int] = []

    def reset(self) -> None:
        self.watchers = {}

    def apply(self, operation: Operation) -> Result:
        match operation:
            case WatchCreate(key=key, stream=stream):
                watch_id = len(self.watchers) + 1
                self.watchers[watch_id] = (stream, key)
                return WatchCreateResult(1, watch_id)
            case WatchCancel(watch_id=watch_id) | As(operation=WatchCancel(watch_id=watch_id)):
                self.cancelled.append(watch_id)
                return StreamResult()
            case WatchRead(stream=stream):
                return WatchReadResult(
                    2,
                    tuple(
                        Watched(watch_id, (Event(0, replace(KV, key=key)),))
                        for watch_id, (of, key) in self.watchers.items()
                        if of == stream
                    ),
                )
            case _:
                return StreamResult()


def seen_by(target: Target, stream: int = 0) -> list[tuple[int, bytes]]:
    result = target.apply(WatchRead(stream))
    assert isinstance(result, WatchReadResult)
    return [(watched.watch_id, watched.events[0].kv.key) for watched in result.watches]


def test_watchers_that_a_target_numbers_from_1_are_read_under_etcds_ids_stream_by_stream() -> None:
    target = CheckedTarget(NumbersFrom1(), "numbers-from-1")
    created = [target.apply(WatchCreate(key, stream=stream)) for key, stream in ((b"a", 0), (b"b", 1), (b"c", 0))]
    assert [answer.watch_id for answer in created if isinstance(answer, WatchCreateResult)] == [1, 2, 3]  # is reported
    assert seen_by(target) == [(0, b"a"), (1, b"c")]
    assert seen_by(target, 1) == [(0, b"b")]


def test_a_target_is_asked_to_cancel_a_watcher_under_its_own_id() -> None:
    own = NumbersFrom1()
    target = CheckedTarget(own, "numbers-from-1")
    for stream in (0, 0, 1):
        target.apply(WatchCreate(b"a", stream=stream))
    for operation in (WatchCancel(1), As("token", WatchCancel(0, stream=1)), WatchCancel(7), WatchCancel(0, stream=5)):
        target.apply(operation)
    assert own.cancelled[:2] == [2, 3]
    assert own.cancelled[2] not in own.watchers  # in etcd, no watcher has that id
    assert own.cancelled[3] == 0  # of a stream without watchers
