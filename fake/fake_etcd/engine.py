"""The engine: answers one request at a time, by the path of its method."""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any, TypeVar

from google.protobuf.message import Message

from fake_etcd import interventions, restoring, wire_errors
from fake_etcd.auto_compaction import AutoCompaction, Compactor, compactor
from fake_etcd.backend import DEFAULT_QUOTA_BYTES
from fake_etcd.clock import VirtualClock
from fake_etcd.core import Core, EngineSettings
from fake_etcd.errors import Compacted, EtcdError
from fake_etcd.faults import Faults
from fake_etcd.in_use import InUse, in_use
from fake_etcd.interventions import WATCH, Delayed, Unanswered
from fake_etcd.journal import Journal
from fake_etcd.quirks import Quirks, quirks_of
from fake_etcd.services import SERVICES
from fake_etcd.services.kv import KV
from fake_etcd.services.service import Handler, StepsHandler
from fake_etcd.sizes import MAX_FRAME_BYTES, MAX_REQUEST_BYTES
from fake_etcd.state import SavedState
from fake_etcd.token_options import tokens_of
from fake_etcd.waiting import Sleeper, Steps, Task, steps_of
from fake_etcd.watch import WatchStream
from fake_etcd.wire.methods import METHOD

__all__ = ["MAX_FRAME_BYTES", "MAX_REQUEST_BYTES", "WATCH", "Engine"]

_T = TypeVar("_T")


class Engine:
    """An etcd of one member, in memory. Threads may share it: one lock, one request at a time."""

    def __init__(
        self,
        version: str = "3.5.16",
        *,
        min_lease_ttl: int = 2,
        max_txn_ops: int = 128,
        clock: Callable[[], float] | None = None,
        watch_progress_interval: float = 600,
        quota_bytes: int = 0,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        auth_token: str = "simple",
        auth_token_ttl: float = 300,
        client_urls: Sequence[str] = (),
        member_name: str = "default",
        peer_urls: Sequence[str] = ("http://localhost:2380",),
        max_learners: int = 1,
        strict_reconfig_check: bool = True,
        auto_compaction: AutoCompaction | None = None,
        journal: int = 0,
    ) -> None:
        """`clock` reports seconds that never go back; without one, time stands still at 0. A quota of 0 is etcd's own,
        and a negative one is none.

        TTLs and the interval are in seconds of that clock. `auth_token` is what tokens are, as etcd's flag --auth-token
        has it, such as `jwt,sign-method=RS256,priv-key=key.pem`: BadTokenOptionsError, a ValueError, where they can't
        be had; `auth_token_ttl` is of simple ones. `client_urls`, `member_name` and `peer_urls` are what
        MemberList reports; without client URLs, it is where the engine's servers listen. `max_learners` is how many
        learners MemberAdd takes; without `strict_reconfig_check`, membership changes that cost a quorum are not
        refused for that. The history is kept whole unless `auto_compaction` says otherwise. `journal` is how
        many requests the journal holds; 0: there is none.
        """
        quirks = quirks_of(version)
        time_of = clock or _still
        settings = EngineSettings(
            min_lease_ttl=min_lease_ttl,
            max_txn_ops=max_txn_ops,
            clock=time_of,
            watch_progress_interval=watch_progress_interval,
            quota_bytes=quota_bytes or DEFAULT_QUOTA_BYTES,
            max_request_bytes=max_request_bytes,
            new_tokens=tokens_of(auth_token, quirks, time_of, auth_token_ttl),
            client_urls=tuple(client_urls),
            member_name=member_name,
            peer_urls=tuple(peer_urls),
            max_learners=max_learners,
            strict_reconfig_check=strict_reconfig_check,
        )
        self._core = Core(quirks, settings, Journal(journal) if journal else None)
        self._core.faults.when_removed = self._resume_watches
        self._lock = self._core.lock
        self._auto_compaction = auto_compaction
        self._compactor = self._new_compactor()
        self._timed = self._core.timed = clock is not None
        self._services = [service(self._core) for service in SERVICES]
        self._handlers: dict[str, Handler] = {}
        self._waiting: dict[str, StepsHandler] = {}
        self._streams: dict[str, StepsHandler] = {}
        for service in self._services:
            self._handlers.update(service.handlers())
            self._waiting.update(service.waiting())
            self._streams.update(service.streams())
        if isinstance(clock, VirtualClock):
            clock.follow(self.tick)

    def reset(self) -> None:
        """Give everything back: an empty store at revision 1, no leases. Streams are closed."""
        with self._lock:
            self._core.reset()
            self._compactor = self._new_compactor()
            for service in self._services:
                service.reset()

    def load(self, path: str) -> None:
        """Make a snapshot of etcd the state, in place of all there is, as `reset` does it. BadSnapshotError."""
        self.reset()
        with self._lock:
            try:
                restoring.load(self._core, path)
            except restoring.BadSnapshotError:
                self._core.reset()
                raise

    def tick(self) -> None:
        """Do what has become due by the clock: every call does it first, and `serve` every now and then."""
        with self._lock:
            self._tick()

    def _tick(self) -> None:
        self._core.tick()
        if self._compactor is not None:
            self._compactor.tick(self._core.settings.clock(), self._core.store.revision)

    def _new_compactor(self) -> Compactor | None:
        if self._auto_compaction is None:
            return None
        return compactor(self._auto_compaction, self._core.settings.clock(), self._compact)

    def _compact(self, revision: int) -> bool:
        try:
            KV(self._core).compact_at(revision)
        except EtcdError as error:
            return error.message == Compacted().message
        return True

    def next_expiry(self) -> float | None:
        """When the next lease runs out, in seconds of the clock, unless it is renewed. None where there is no lease."""
        with self._lock:
            leases = self._core.lessor.by_expiry()
            return leases[0].expiry if leases else None

    @property
    def quirks(self) -> Quirks:
        """The behaviours of the emulated release."""
        return self._core.quirks

    def read(self, reading: Callable[[Core], _T]) -> _T:
        """What a function finds in the state, which it must leave as it is: it is called with the lock held."""
        with self._lock:
            if self._timed:
                self._tick()
            return reading(self._core)

    def in_use(self) -> list[InUse]:
        """What clients hold of it now: leases, watches, and calls that wait."""
        with self._lock:
            self._core.tick()
            return list(in_use(self._core))

    def listens(self, url: str) -> None:
        """A server of this engine listens at a URL from now on."""
        with self._lock:
            self._core.listening.append(url)

    def stops_listening(self, url: str) -> None:
        """It does no longer."""
        with self._lock:
            self._core.listening.remove(url)

    def implements(self, path: str) -> bool:
        """Whether there is an answer for a method, other than UNIMPLEMENTED."""
        return path in self._handlers or path in self._waiting or path in self._streams or path == WATCH

    def waits(self, path: str) -> bool:
        """Whether a call of this method may wait for something to happen."""
        return path in self._waiting

    def call(
        self,
        path: str,
        request: Message,
        token: str = "",
        cancelled: Event | None = None,
    ) -> Message:
        """Answer one request, or raise the EtcdError that etcd refuses it with.

        Of a bidirectional method (LeaseKeepAlive), a request is one message of the stream. The answer is the
        caller's own, and the request is not kept. A call that waits (Lock, Campaign) is given up once `cancelled`
        is set. What a rule of a fault delays raises Delayed, or Unanswered: see `patiently`.
        """
        if self._core.is_observed and path in self._handlers:
            return interventions.call(
                self._core, path, request, token, lambda: self._answer(path, request, token, cancelled)
            )
        return self._answer(path, request, token, cancelled)

    def _answer(self, path: str, request: Message, token: str, cancelled: Event | None) -> Message:
        handler = self._handlers.get(path)
        if handler is None:
            return self._wait(path, request, token, cancelled)
        with self._lock:
            if self._timed:
                self._tick()
            return handler(request, token)

    def _wait(self, path: str, request: Message, token: str, cancelled: Event | None) -> Message:
        waiting = self._waiting.get(path)
        if waiting is None:
            raise self.refusal(path)

        def run(steps: Steps) -> Message:
            *_, last = steps_of(self._core, path, steps, cancelled)
            assert last.answer is not None
            return last.answer

        return self._begin(path, request, token, waiting, run)

    def _begin(self, path: str, request: Message, token: str, handler: StepsHandler, run: Callable[[Steps], _T]) -> _T:
        steps = handler(request, token)
        if self._core.is_observed:
            return interventions.begin(self._core, path, request, token, steps, run)
        return run(steps)

    def stream(self, path: str, request: Message, token: str = "", cancelled: Event | None = None) -> Iterator[Message]:
        """The answers of a server-streaming method; what etcd refuses is raised by the iterator."""
        stream = self._streams.get(path)
        if stream is None:
            raise self.refusal(path)

        def run(steps: Steps) -> Iterator[Message]:
            taken = steps_of(self._core, path, steps, cancelled)
            return (step.answer for step in taken if step.answer is not None)

        return self._begin(path, request, token, stream, run)

    def task(self, path: str, request: Message, token: str, wake: Callable[[], None]) -> Task:
        """A call that may wait or has many answers, without a thread: see `Task`. Raises as `call` does."""
        handler = self._waiting.get(path) or self._streams.get(path)
        if handler is None:
            raise self.refusal(path)
        return self._begin(path, request, token, handler, lambda steps: Task(self._core, path, steps, wake))

    def watch(self, token: str = "", on_ready: Callable[[], None] | None = None) -> WatchStream:
        """A stream of Watch.Watch; `on_ready` is called when it has something where it had nothing."""
        return WatchStream(self._core, token, on_ready)

    # What a real etcd can't do

    @property
    def faults(self) -> Faults:
        """The rules about what goes wrong."""
        return self._core.faults

    @property
    def journal(self) -> Journal | None:
        """What was asked and answered, if that is kept."""
        return self._core.journal

    def save_state(self) -> SavedState:
        """The whole state as it is now, to return to."""
        with self._lock:
            self._tick()
            return SavedState(self._core, self._services)

    def restore_state(self, state: SavedState) -> None:
        """Return to a state that this engine, or another of its release, was in. Streams end. ValueError."""
        with self._lock:
            state.put_into(self._core, self._services)
            self._compactor = self._new_compactor()

    def expire(self, lease_id: int) -> bool:
        """End a lease as if its time were over; False where there is none of that id."""
        with self._lock:
            self._tick()
            return self._core.expire(lease_id)

    def now(self) -> float:
        """The reading of the clock, in seconds."""
        return self._core.settings.clock()

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds go by: where only `advance` moves the clock, it is moved; else they are waited."""
        clock = self._core.settings.clock
        if isinstance(clock, VirtualClock):
            clock.advance(seconds)
        else:
            time.sleep(seconds)

    def wake_in(self, seconds: float, wake: Callable[[], None]) -> Sleeper:
        """Call a function that doesn't block once, in so many seconds of the clock, or where the state is reset."""
        return Sleeper(self._core, seconds, wake)

    def patiently(self, call: Callable[[], _T], timeout: float | None = None) -> _T:
        """What a call gives; where a rule delays it, so much time goes by before, though no more than the timeout."""
        try:
            return call()
        except Delayed as delayed:
            if timeout is not None and timeout < delayed.seconds:
                self.pass_time(timeout)
                raise Unanswered from None
            self.pass_time(delayed.seconds)
            answered: _T = delayed.go_on()
            return answered
        except Unanswered:
            self.pass_time(timeout or 0)
            raise

    def _resume_watches(self) -> None:
        with self._lock:
            for stream in tuple(self._core.hub.streams):
                if isinstance(stream, WatchStream):
                    stream.resume()

    def decode(self, path: str, data: bytes) -> Any:
        """A request to a method, out of its bytes. Raises what etcd answers to what is too long, or no such message."""
        return wire_errors.decode(METHOD[path], data, self._core.quirks, self._core.settings.max_frame_bytes)

    def refusal(self, path: str) -> EtcdError:
        """What etcd answers to a method that it doesn't have."""
        return wire_errors.unknown(path)


def _still() -> float:
    return 0.0
