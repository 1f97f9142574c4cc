"""Targets of the user's whose calls may never return: each call has a deadline."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from queue import Empty, Queue
from types import FrameType
from typing import ParamSpec, TypeVar

from etcd_lockstep.target import Target, TargetDied
from etcd_model import Operation, Result

P = ParamSpec("P")
T = TypeVar("T")

CALL_TIMEOUT = 10.0
"""Seconds that a target may take for one call, unless it is said otherwise."""

_LONG = 2.0
"""Seconds after which a call is worth a word to those who wait."""

_INTERVAL = 0.1
"""Seconds between two looks at the call of the main thread."""


class Overdue(BaseException):
    """A call has not returned in time. Not an Exception, so that what the user's code catches does not stop it."""


class _Watchdog:
    """Ends a call of the main thread that takes too long, by a signal whose handler raises.

    To hand each call to another thread would cost more than ten calls of a fast target do. The signal is SIGURG, which
    does nothing where nobody handles it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline = float("inf")
        self._called = 0.0
        self._what = ""
        self._started = False

    def waiting_for(self) -> str:
        """What has not returned for some seconds; empty where nothing is waited for."""
        what, seconds = self._what, time.monotonic() - self._called
        return f"waiting for {what}, {seconds:.0f} s" if what and seconds > _LONG else ""

    def call(self, seconds: float, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises `Overdue`. `what` is called, for those who ask what is waited for."""
        if not self._started:
            self._started = True
            signal.signal(signal.SIGURG, self._end_call)
            threading.Thread(target=self._watch, name="deadlines of calls", daemon=True).start()
        self._called = time.monotonic()
        self._deadline = self._called + seconds
        self._what = what
        try:
            return function(*args, **kwargs)
        finally:
            self._what = ""
            with self._lock:
                self._deadline = float("inf")

    def _end_call(self, _signal: int, _frame: FrameType | None) -> None:
        if time.monotonic() > self._deadline:
            raise Overdue

    def _watch(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        while True:
            time.sleep(_INTERVAL)
            with self._lock:
                if time.monotonic() > self._deadline:
                    signal.pthread_kill(main, signal.SIGURG)


_watchdog = _Watchdog()


waiting_for = _watchdog.waiting_for


def _call(seconds: float, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises `Overdue`. In another thread than the main one, the call is left to go on for ever."""
    if threading.current_thread() is threading.main_thread():
        return _watchdog.call(seconds, what, function, *args, **kwargs)
    outcomes: Queue[tuple[T | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            outcomes.put((function(*args, **kwargs), None))
        except BaseException as error:  # the caller's to handle
            outcomes.put((None, error))

    threading.Thread(target=run, name="a call of the user's target", daemon=True).start()
    try:
        answer, error = outcomes.get(timeout=seconds)
    except Empty:
        raise Overdue from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # there is one where there is no error


class DeadlineTarget(Target):
    """Makes a target, and passes everything on to it. A call that takes too long raises `TargetDied`; `revive` then
    makes a new target, for nobody knows what the old one holds."""

    def __init__(self, make: Callable[[], Target], call_timeout: float = CALL_TIMEOUT) -> None:
        """`call_timeout`: in seconds. Raises `TargetDied`, and what `make` does."""
        self._make = make
        self._call_timeout = call_timeout
        self._hangs = ""
        self.name = "a target"
        self._target: Target = self._call("its constructor", make)
        self.name = self._target.name
        self.capabilities = self._target.capabilities
        self.keys = self._target.keys  # type: ignore[misc]  # one instance's, not the class's
        self.txns = self._target.txns  # type: ignore[misc]  # as above
        self.shared_store = self._target.shared_store
        self.real_time = self._target.real_time

    def _call(self, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._hangs:
            raise TargetDied(self._hangs)
        try:
            return _call(self._call_timeout, f"{what} of {self.name}", function, *args, **kwargs)
        except Overdue:
            self._hangs = f"it hangs: {what} has not returned after {self._call_timeout:g} s"
            raise TargetDied(self._hangs) from None

    def reset(self) -> int | None:
        return self._call("reset()", self._target.reset)

    @property
    def not_handed_on(self) -> frozenset[str]:  # type: ignore[override]  # read only, here
        return self._target.not_handed_on

    def auth_revision(self) -> int:
        return self._call("auth_revision()", self._target.auth_revision)

    def apply(self, operation: Operation) -> Result:
        return self._call("apply()", self._target.apply, operation)

    def can_express(self, operation: Operation) -> bool:
        return self._call("can_express()", self._target.can_express, operation)

    def revive(self) -> None:
        if self._hangs:
            self._hangs = ""
            self._target = self._call("its constructor", self._make)
        else:
            self._call("revive()", self._target.revive)

    def close(self) -> None:
        try:
            self._call("close()", self._target.close)
        except TargetDied:
            return  # the run is over, and its verdict stands
