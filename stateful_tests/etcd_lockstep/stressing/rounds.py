"""One round: clients that start together on an empty store, a fault, and the history of all that they saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Barrier, BrokenBarrierError, Event, Thread

import grpc

from etcd_lockstep.codec import Malformed
from etcd_lockstep.histories import Account, Beginning, Call, Fault, History, Indefinite, Watch, WatchResponse
from etcd_lockstep.recording import EVERYTHING, Recorder, WatchRecorder, read_account
from etcd_lockstep.servers import Access, open_channel
from etcd_lockstep.servers.calls import wait_until_answers
from etcd_lockstep.stressing.nemesis import Nemesis, Planned
from etcd_lockstep.stressing.programs import KEYS
from etcd_lockstep.stressing.recorded import script_of
from etcd_lockstep.stressing.scripts import Fixed, Script
from etcd_lockstep.stressing.stores import Store
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.watching import StreamEnded
from etcd_lockstep.targets.wire import Wire
from etcd_model.operations import Range, WatchCreate
from etcd_model.ranges import FROM_KEY

ROUND_SECONDS = 1.0
_AFTERWARDS = 0.3
"""Seconds that clients go on after a fault."""
_START_SECONDS = 2.0
"""For which clients wait for each other, so that they start together."""
_PAUSE = 0.03
"""Seconds that a client waits after a call of which it doesn't know what became: a server that is down refuses
thousands a second."""
_SETTLED_NS = 15_000_000_000
"""So long after it was invoked, a call is carried out or never will be: etcd gives a request up after 7 s (etcd
server/config/config.go, ReqTimeout, with the default timings)."""
_WATCH_SECONDS = 2.0
"""How long a watcher's next response is waited for; what it has not been sent by then is no violation."""
_RETURN_SECONDS = 30.0
"""For a server to answer after a fault."""
_WATCHER = 1000
"""The number of the client that watches."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is the same for all rounds of a run."""

    store: Store
    call_timeout: float
    """Seconds."""
    nemesis: Nemesis | None = None


class Round:
    """One round of a run."""

    def __init__(self, run: Circumstances, script: Script, unsettled: Sequence[Call] = ()) -> None:
        """`unsettled`: calls of earlier rounds that may still be carried out."""
        self._run = run
        self._script = script
        self._unsettled = unsettled
        self._revision = 1
        self._planned: Planned | None = None
        """The fault that was done."""
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
        if self._servers_fail:
            store.target.wait_until_answers(_RETURN_SECONDS)
        self._revision = revision = store.target.reset()
        access = store.access()
        accesses = store.clients() if store.clients is not None else [access]
        with open_channel(access) as channel:
            watcher = _watch(channel, revision)
            watches: list[Watch] = []
            try:
                self._let_loose(accesses)
                store.settle()
                account = _account(channel, revision, _RETURN_SECONDS if self._servers_fail else 0.0)
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

    @property
    def _servers_fail(self) -> bool:
        """Whether a channel to the store may have been broken, which lets calls fail for a while after it is back."""
        return self._run.nemesis is not None and bool(self._run.store.breaking.servers)

    def _faults_since(self, start: int) -> list[Fault]:
        """Those of this round, and of earlier ones as far back as the history has calls of these."""
        nemesis = self._run.nemesis
        done = nemesis.faults if nemesis is not None else []
        return [fault for fault in done if fault.ended is None or fault.ended >= start]

    def played(self, until: int | None = None) -> Fixed:
        """What the clients did and the nemesis, to be done again; without what began later than `until`."""
        nemesis = self._run.nemesis
        began = nemesis.faults[-1].began if nemesis is not None and self._planned is not None else None
        return script_of(self.calls, self._revision, self._planned, began, until)

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
        numbers = range(1, self._script.clients + 1)
        start = Barrier(len(numbers))
        clients = [
            Thread(target=self._guarded, args=(self._use, number, accesses[number % len(accesses)], start), daemon=True)
            for number in numbers
        ]
        disturbing = [Thread(target=self._guarded, args=(self._disturb,))] if self._run.nemesis is not None else []
        begun = time.monotonic()
        for thread in (*clients, *disturbing):
            thread.start()
        try:
            if self._script.ends:
                _join(clients)
            else:
                _join(disturbing)
                least = _AFTERWARDS if disturbing else 0.0
                self._over.wait(max(least, begun + ROUND_SECONDS - time.monotonic()))
        finally:
            self._over.set()
            _join((*clients, *disturbing))
        if self._failures:
            raise self._failures[0]

    def _disturb(self) -> None:
        nemesis = self._run.nemesis
        assert nemesis is not None
        self._planned = self._script.disturb(nemesis, lambda: len(self._recorder.calls), self._over)

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        """Keep what a thread raises for the one that started it."""
        try:
            function(*arguments)
        except BaseException as error:
            self._failures.append(error)
            self._over.set()

    def _use(self, client: int, access: Access, start: Barrier) -> None:
        """Run one program after the other until the round is over."""
        with open_channel(access) as channel:
            wire = Wire(channel)
            wire.call_timeout = self._run.call_timeout
            with suppress(TargetDied, Malformed):
                wire.apply(Range(KEYS[0]))  # so that the first calls of all find an open connection, and meet
            with suppress(BrokenBarrierError):
                start.wait(_START_SECONDS)
            for program in self._script.programs(client, self._revision):
                if self._over.is_set():
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


def _account(channel: grpc.Channel, revision: int, patience: float) -> Account | None:
    """None where the store has none to give. `patience`: seconds that it is waited for, if need be."""
    try:
        if patience:
            wait_until_answers(channel, patience)
        return read_account(channel, revision)
    except (TargetDied, StreamEnded, grpc.RpcError):
        return None
