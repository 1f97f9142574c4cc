"""The checker of concurrent histories: processor time and memory for a call, beside Porcupine where Go is.

The history is drawn: 16 clients on 1,000 keys, 1% of the calls indefinite, half of those carried out, and the store's
account. What is timed is the check, not the reading of a file.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from etcd_lockstep.bench.fake import resident_bytes
from etcd_lockstep.bench.figures import Figure, Sizes
from etcd_lockstep.histories import Account, Call, History, Indefinite, Linearizable, check
from etcd_lockstep.histories.plain import tombstone
from etcd_model.operations import Compare, CompareResult, CompareTarget, DeleteRange, Operation, Put, Range, Txn
from etcd_model.results import (
    DeleteRangeResult,
    Event,
    KeyValue,
    PutResult,
    RangeResult,
    Result,
    TxnResult,
)

CALLS = 1_000_000
CLIENTS = 16
KEYS = 1_000
INDEFINITE = 0.01
_APART = 10
"""Nanoseconds between two calls being carried out. Each of a client's lasts up to 15 times as long."""


class _Register:
    """A store that is just quick enough to draw a million calls on."""

    def __init__(self) -> None:
        self.revision = 1
        self.live: dict[bytes, KeyValue] = {}
        self.events: list[Event] = []

    def put(self, key: bytes, value: bytes) -> None:
        self.revision += 1
        old = self.live.get(key)
        kv = KeyValue(
            key, value, old.create_revision if old else self.revision, self.revision, old.version + 1 if old else 1
        )
        self.live[key] = kv
        self.events.append(Event(0, kv))

    def apply(self, operation: Operation) -> Result:
        match operation:
            case Put(key=key, value=value):
                self.put(key, value)
                return PutResult(self.revision)
            case Range(key=key):
                kv = self.live.get(key)
                return RangeResult(self.revision, (kv,) if kv else (), count=1 if kv else 0)
            case DeleteRange(key=key):
                if self.live.pop(key, None) is None:
                    return DeleteRangeResult(self.revision)
                self.revision += 1
                self.events.append(Event(1, tombstone(key, self.revision)))
                return DeleteRangeResult(self.revision, 1)
            case Txn(compare=(Compare(key=key, operand=expected),), success=(Put() as put,)):
                held = self.live.get(key)
                if held is None or held.value != expected:
                    return TxnResult(self.revision, succeeded=False)
                self.put(put.key, put.value)
                return TxnResult(self.revision, succeeded=True, responses=(PutResult(self.revision),))
        raise AssertionError(operation)


def draw_history(calls: int, *, keys: int = KEYS, seed: int = 1) -> History:
    """A linearizable history of so many calls."""
    source = random.Random(seed)
    store = _Register()
    names = [b"key/%05d" % number for number in range(keys)]
    drawn = list(_draw(source, store, names, calls))
    return History(drawn, account=Account((calls + 100) * _APART, store.revision, tuple(store.events)))


def _draw(source: random.Random, store: _Register, names: list[bytes], calls: int) -> Iterator[Call]:
    slack = _APART * CLIENTS // 2 - 1
    for number in range(calls):
        key = source.choice(names)
        value = b"%d" % number
        chance = source.random()
        operation: Operation
        if chance < 0.45:
            operation = Put(key, value)
        elif chance < 0.87:
            operation = Range(key)
        elif chance < 0.97:
            held = store.live.get(key)
            guess = held.value if held is not None and source.random() < 0.8 else b"0"
            operation = Txn((Compare(key, CompareTarget.VALUE, CompareResult.EQUAL, guess),), (Put(key, value),))
        else:
            operation = DeleteRange(key)
        at = number * _APART
        invoked, returned = at - source.randrange(slack), at + source.randrange(slack)
        client = number % CLIENTS
        if source.random() >= INDEFINITE:
            yield Call(client, operation, invoked, returned, store.apply(operation))
            continue
        if source.random() < 0.5:
            store.apply(operation)
        yield Call(client, operation, invoked, None, Indefinite("UNAVAILABLE"))


def check_speed(sizes: Sizes) -> list[Figure]:
    """The check of one history, once for each repetition; to be run in a process of its own."""
    calls = CALLS if sizes.keys >= CALLS else 20_000
    history = draw_history(calls)
    seconds, held = [], 0
    for _ in range(min(sizes.repetitions, 3)):
        begun = time.process_time()
        verdict = check(history)
        seconds.append(time.process_time() - begun)
        held = max(held, resident_bytes())
        assert verdict == Linearizable(), verdict
    name = f"checker: a call of {calls:,}, 1% indefinite"
    rate = calls / median(seconds)
    porcupine = beside_porcupine(history, rate)
    detail = f"{rate:,.0f} calls/s on one core"
    if isinstance(porcupine, str):
        detail += f"; {porcupine}"
    figures = [
        Figure(name, [one / calls * 1e6 for one in seconds], 10, "µs", detail),
        Figure("checker: memory a call, the history included", [held / calls / 1000], 2, "KB", f"{held / 1e6:,.0f} MB"),
    ]
    return figures if isinstance(porcupine, str) else [*figures, porcupine]


# Porcupine

PROGRAM = Path(__file__).parents[3] / "scripts" / "porcupine"
PATIENCE = 60.0
"""Seconds that Porcupine gets."""


def beside_porcupine(history: History, rate: float) -> Figure | str:
    """The speed of the checker over that of Porcupine on the same calls, without the account and the revisions; or why
    Porcupine can't be had. The aim is half of what a compiled program does where it can go key by key."""
    go = shutil.which("go")
    if go is None:
        return "no Porcupine beside it: there is no go on PATH"
    if not PROGRAM.is_dir():
        return "no Porcupine beside it: scripts/porcupine is not installed with the package"
    with tempfile.TemporaryDirectory() as folder:
        file, program = Path(folder) / "history.tsv", Path(folder) / "porcupine"
        with file.open("w", encoding="ascii") as written:
            written.writelines(map(_line, history.calls))
        built = subprocess.run(
            [go, "build", "-o", program, "."], cwd=PROGRAM, capture_output=True, text=True, check=False
        )
        if built.returncode:
            return f"no Porcupine beside it: {built.stderr.strip().splitlines()[-1]}"
        done = subprocess.run(
            [program, file, str(PATIENCE)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
    said = json.loads(done.stdout)
    theirs = len(history.calls) / said["seconds"]
    end = f"Porcupine says {said['verdict']} after {said['seconds']:.0f} s, on one core"
    detail = f"{rate:,.0f} ÷ {theirs:,.0f} calls/s; {end}"
    return Figure("checker ÷ Porcupine, on the same history", [rate / theirs], 0.5, "×", detail)


def _line(call: Call) -> str:
    """A call for `scripts/porcupine`, which says what the fields are."""
    operation, result = call.operation, call.outcome
    unknown = isinstance(result, Indefinite)
    match operation:
        case Put(key=key, value=value):
            fields = ["put", key.decode(), value.decode()]
        case Range(key=key):
            shown = result.kvs[0].value.decode() if isinstance(result, RangeResult) and result.kvs else "-"
            fields = ["get", key.decode(), "?" if unknown else shown]
        case Txn(compare=(Compare(key=key, operand=bytes(expected)),), success=(Put(value=value),)):
            succeeded = isinstance(result, TxnResult) and result.succeeded
            fields = [
                "cas",
                key.decode(),
                expected.decode(),
                value.decode(),
                "?" if unknown else str(succeeded).lower(),
            ]
        case DeleteRange(key=key):
            deleted = isinstance(result, DeleteRangeResult) and result.deleted > 0
            fields = ["del", key.decode(), "?" if unknown else str(deleted).lower()]
        case _:
            raise AssertionError(operation)
    returned = -1 if unknown else call.returned
    return "\t".join([str(call.client), str(call.invoked), str(returned), *fields]) + "\n"
