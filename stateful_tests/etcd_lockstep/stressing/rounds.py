"""One round: clients that start together on an empty store, a fault, and the history of all that they saw."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

import grpc

from etcd_lockstep.histories import Account, Beginning, Call, Fault, History, Indefinite, Watch, WatchResponse
from etcd_lockstep.recording import EVERYTHING, Recorder, WatchRecorder, read_account
from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.stressing.nemesis import Nemesis
from etcd_lockstep.stressing.programs import Draw
from etcd_lockstep.stressing.stores import Store
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.watching import StreamEnded
from etcd_lockstep.targets.wire import Wire
from etcd_model.operations import WatchCreate
from etcd_model.ranges import FROM_KEY

ROUND_SECONDS = 1.0
_AFTERWARDS = 0.3
"""Seconds that clients go on after a fault."""
_PAUSE = 0.03
"""Seconds that a client waits after a call of which it doesn't know what became: a server that is down refuses
thousands a second."""
_SETTLED_NS = 15_000_000_000
"""So long after it was invoked, a call is carried out or never will be: etcd gives a request up after 7 s (etcd
server/config/config.go, ReqTimeout, with the default timings)."""
_WATCH_SECONDS = 2.0
"""How long a watcher's next response is waited for; what it has not been sent by then is no violation."""
_WATCHER = 1000
"""The number of the client that watches."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is the same for all rounds of a run."""

    store: Store
    clients: int
    seed: int
    call_timeout: float
    """Seconds."""
    nemesis: Nemesis | None = None
    value_bytes: int = 0
    """The size of big values; 0 for none."""


class Round:
    """One round of a run."""

    def __init__(self, run: Circumstances, number: int, unsettled: Sequence[Call] = ()) -> None:
        """`unsettled`: calls of earlier rounds that may still be carried out."""
        self._run = run
        self._number = number
        self._unsettled = unsettled
        self._over = Event()
        self._recorder = Recorder()
        self._failures: list[BaseException] = []

    @property
    def calls(self) -> Sequence[Call]:
        """Those of this round so far."""
        return self._recorder.calls

    def play(self) -> History:
        """Empty the store, let the clients loose on it, and return what they saw.

        Raises `TargetDied` where the store can't be emptied, and `servers.EtcdUnavailable` where it doesn't come back
        after a fault.
        """
        store = self._run.store
        store.settle()
        revision = store.target.reset()
        access = store.access()
        accesses = store.clients() if store.clients is not None else [access]
        with open_channel(access) as channel:
            watcher = _watch(channel, revision)
            watches: list[Watch] = []
            try:
                self._let_loose(accesses)
                store.settle()
                account = _account(channel, revision)
                if watcher is not None and account is not None:
                    _read_up_to(watcher, account)
            finally:
                if watcher is not None:
                    watches.append(watcher.finish())
        compacted = revision if "compact" in store.target.capabilities else -1
        # What may still happen has not returned, and so the history has it without its end.
        late = [Call(call.client, call.operation, call.invoked, None, call.outcome) for call in self._unsettled]
        calls = [*late, *self._recorder.calls]
        beginning = Beginning(revision, compact_revision=compacted)
        faults = self._faults_since(min((call.invoked for call in calls), default=time.monotonic_ns()))
        return History(calls, watches, account, beginning, store.version, None, store.members, faults)

    def _faults_since(self, start: int) -> list[Fault]:
        """Those of this round, and of earlier ones as far back as the history has calls of these."""
        nemesis = self._run.nemesis
        done = nemesis.faults if nemesis is not None else []
        return [fault for fault in done if fault.ended is None or fault.ended >= start]

    def unsettled(self) -> list[Call]:
        """The calls that may be carried out in the next round."""
        least = time.monotonic_ns() - _SETTLED_NS
        return [
            call
            for call in (*self._unsettled, *self._recorder.calls)
            if isinstance(call.outcome, Indefinite) and call.invoked > least
        ]

    def _let_loose(self, accesses: Sequence[Access]) -> None:
        """`accesses`: over which the clients are spread."""
        clients = [
            Thread(target=self._guarded, args=(self._use, number, accesses[number % len(accesses)]), daemon=True)
            for number in range(1, self._run.clients + 1)
        ]
        threads = list(clients)
        nemesis = self._run.nemesis
        disturbing = None
        if nemesis is not None:
            disturbing = Thread(target=self._guarded, args=(nemesis.disturb, self._source("nemesis"), self._over))
            threads.append(disturbing)
        end = time.monotonic() + ROUND_SECONDS
        for thread in threads:
            thread.start()
        try:
            if disturbing is not None:
                disturbing.join()
                end = max(end, time.monotonic() + _AFTERWARDS)
            self._over.wait(max(0.0, end - time.monotonic()))
        finally:
            self._over.set()
            _join(threads)
        if self._failures:
            raise self._failures[0]

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        """Keep what a thread raises for the one that started it."""
        try:
            function(*arguments)
        except BaseException as error:
            self._failures.append(error)
            self._over.set()

    def _source(self, who: object) -> random.Random:
        return random.Random(f"{self._run.seed}/{self._number}/{who}")

    def _use(self, client: int, access: Access) -> None:
        """Run one program after the other until the round is over."""
        big = self._run.value_bytes + client if self._run.value_bytes else 0
        draw = Draw(self._source(client), f"{self._number}.{client}", self._run.store.target.capabilities, big)
        with open_channel(access) as channel:
            wire = Wire(channel)
            wire.call_timeout = self._run.call_timeout
            while not self._over.is_set():
                program = draw.program()
                if program is None:
                    return
                with suppress(StopIteration):
                    operation = next(program)
                    while not self._over.is_set():
                        outcome = self._recorder.apply(client, wire, operation)
                        if isinstance(outcome, Indefinite):
                            self._over.wait(_PAUSE)
                        operation = program.send(outcome)


def _join(threads: Sequence[Thread]) -> None:
    """Wait for all, whatever interrupts it: a server that is being started again has to be there to be ended."""
    interrupt: KeyboardInterrupt | None = None
    while any(thread.is_alive() for thread in threads):
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt as raised:
            interrupt = raised
    if interrupt is not None:
        raise interrupt


def _watch(channel: grpc.Channel, revision: int) -> WatchRecorder | None:
    """A watcher of all that the round writes; None where the store has none."""
    try:
        return WatchRecorder(
            channel, _WATCHER, WatchCreate(EVERYTHING, FROM_KEY, start_revision=revision + 1, prev_kv=True)
        )
    except (TargetDied, StreamEnded):
        return None


def _read_up_to(watcher: WatchRecorder, account: Account) -> None:
    """Read what a watcher was sent, up to the account's last event, or as long as its stream lasted."""
    last = account.events[-1].kv.mod_revision if account.events else 0

    def is_enough(response: WatchResponse) -> bool:
        return response.canceled or any(event.kv.mod_revision >= last for event in response.events)

    if last:
        with suppress(TargetDied, StreamEnded):
            watcher.read(is_enough, _WATCH_SECONDS)


def _account(channel: grpc.Channel, revision: int) -> Account | None:
    """None where the store has none to give."""
    try:
        return read_account(channel, revision)
    except (TargetDied, StreamEnded):
        return None
