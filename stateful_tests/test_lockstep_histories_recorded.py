"""Histories recorded from a real etcd that several threads use at once: they are linearizable."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from etcd_lockstep.histories import Account, Beginning, History, Indefinite, Linearizable, Violated, Watch, check
from etcd_lockstep.histories.files import load_history, save_history
from etcd_lockstep.histories.proving.drawn import draw_operation
from etcd_lockstep.recording import EVERYTHING, Recorder, WatchRecorder, read_account
from etcd_lockstep.servers import RunningEtcd, open_channel
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.wire import Wire, WireTarget, empty_store
from etcd_model.operations import Compact, DeleteRange, LeaseGrant, Put, Range, Txn, WatchCreate
from etcd_model.ranges import FROM_KEY
from etcd_model.results import RangeResult

CLIENTS = 6
CALLS = 150


@pytest.fixture(scope="module")
def recorded(real_etcd: RunningEtcd) -> Iterator[History]:
    """What six clients saw of one etcd, and what two watchers were sent."""
    with open_channel(real_etcd.address) as channel:
        wire = Wire(channel)
        revision = empty_store(wire)
        recorder = Recorder()
        watches = [
            WatchRecorder(channel, 100, WatchCreate(EVERYTHING, FROM_KEY, prev_kv=True)),
            WatchRecorder(channel, 101, WatchCreate(b"a", b"c", start_revision=revision + 1)),
        ]
        threads = [
            Thread(target=use, args=(recorder, client, real_etcd.address, revision)) for client in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        account = read_account(channel, revision)
        yield history_of(
            recorder, account, revision, real_etcd.version, [finished(watch, account) for watch in watches]
        )
        empty_store(wire)


def use(recorder: Recorder, client: int, address: str, revision: int) -> None:
    """One client's calls, over a channel of its own. Nothing is compacted while the account is not read."""
    source = random.Random(client)
    target = WireTarget(f"client {client}", address)
    for _ in range(CALLS):
        operation = draw_operation(source, revision)
        if isinstance(operation, Compact):
            continue
        if isinstance(operation, LeaseGrant):
            operation = replace(operation, ttl=600)
        outcome = recorder.apply(client, target, operation)
        revision = getattr(outcome, "revision", revision)
    target._channel.close()  # not `close`, which would undo what others are using


def finished(watch: WatchRecorder, account: Account) -> Watch:
    """Read on until the last event of the account that a watcher of a and b can be sent."""
    last = max((event.kv.mod_revision for event in account.events if event.kv.key < b"c"), default=0)
    watch.read(lambda response: any(event.kv.mod_revision >= last for event in response.events))
    return watch.finish()


def history_of(recorder: Recorder, account: Account, revision: int, version: str, watches: list[Watch]) -> History:
    return History(recorder.calls, tuple(watches), account, Beginning(revision, compact_revision=revision), version)


def test_what_clients_see_of_a_real_etcd_is_linearizable(recorded: History) -> None:
    assert len(recorded.calls) > CLIENTS * CALLS * 0.9
    assert check(recorded) == Linearizable()


def test_so_it_is_without_the_account(recorded: History) -> None:
    assert check(replace(recorded, account=None)) == Linearizable()


def test_so_it_is_where_some_outcomes_are_not_known(recorded: History) -> None:
    """Not those of lease calls, whose order is searched for: with many unknown, the search may be given up."""
    source = random.Random(1)
    about_keys = (Range, Put, DeleteRange, Txn)
    calls = [
        replace(call, outcome=Indefinite("forgotten"))
        if source.random() < 0.1 and isinstance(call.operation, about_keys)
        else call
        for call in recorded.calls
    ]
    assert check(replace(recorded, calls=calls)) == Linearizable()


def test_it_is_not_where_an_answer_is_replaced_by_an_older_one(recorded: History) -> None:
    reads = [
        index
        for index, call in enumerate(recorded.calls)
        if isinstance(call.operation, Range) and isinstance(call.outcome, RangeResult) and not call.operation.revision
    ]
    shown = {recorded.calls[index].operation.key for index in reads}  # type: ignore[union-attr]  # a Range
    assert b"a" in shown
    of_one = [index for index in reads if recorded.calls[index].operation == Range(b"a")]
    first, last = of_one[0], of_one[-1]
    assert recorded.calls[first].outcome != recorded.calls[last].outcome
    calls = list(recorded.calls)
    calls[last] = replace(calls[last], outcome=calls[first].outcome)
    assert isinstance(check(replace(recorded, calls=calls)), Violated)


def test_it_is_not_where_the_account_lacks_a_write(recorded: History) -> None:
    account = recorded.account
    assert account is not None
    written = [call.outcome for call in recorded.calls if isinstance(call.operation, Put)]
    revision = next(outcome.revision for outcome in written if getattr(outcome, "revision", 0))  # type: ignore[union-attr]
    events = tuple(event for event in account.events if event.kv.mod_revision != revision)
    assert isinstance(check(replace(recorded, account=replace(account, events=events))), Violated)


def test_a_recorded_history_is_the_same_from_its_file(recorded: History, tmp_path: Path) -> None:
    save_history(recorded, tmp_path / "recorded.jsonl")
    assert load_history(tmp_path / "recorded.jsonl") == recorded


def test_a_call_of_a_target_that_dies_is_indefinite() -> None:
    class Dead(WireTarget):
        def __init__(self) -> None:
            pass

        def apply(self, _operation: object) -> RangeResult:
            raise TargetDied("UNAVAILABLE: gone")

    recorder = Recorder()
    assert recorder.apply(3, Dead(), Put(b"a", b"1")) == Indefinite("UNAVAILABLE: gone")
    (call,) = recorder.calls
    assert (call.client, call.operation, call.outcome) == (3, Put(b"a", b"1"), Indefinite("UNAVAILABLE: gone"))
    assert call.returned is not None
    assert call.returned >= call.invoked
