"""Ctrl-C, SIGTERM and SIGHUP: none is lost, and none cuts a report."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a command to end."""

_AGAIN = 1.0
"""Seconds after which an interrupt that had no effect is repeated."""


class Interrupts:
    """A context manager within which each of `SIGNALS` raises KeyboardInterrupt, and one of them is enough.

    An exception that a signal raises is dropped where Python happens to be in a callback of the garbage collector
    (Hypothesis has one): of a hundred Ctrl-C, two or three do nothing. Here each is repeated until the context is
    left or `finish` is called, and Python doesn't say what it dropped. A signal that is ignored, as nohup does with
    SIGHUP, stays so.
    """

    def __init__(self) -> None:
        self.signal = 0
        """The number of the first that came; 0 where there was none."""
        self._finishing = False
        self._repeating = False
        self._timer: threading.Timer | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._hook = sys.unraisablehook

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells have it; that of Ctrl-C where there was none."""
        return 128 + (self.signal or signal.SIGINT)

    def finish(self) -> None:
        """From now on a signal raises nothing: what follows is to be done to its end."""
        self._finishing = True
        if self._timer is not None:
            self._timer.cancel()

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        if self._finishing or (self.signal and not self._repeating):
            return  # one is enough: a second exception would meet the handling of the first
        self.signal = self.signal or number
        self._repeating = False
        self._timer = threading.Timer(_AGAIN, self._repeat)
        self._timer.daemon = True
        self._timer.start()
        raise KeyboardInterrupt

    def _repeat(self) -> None:
        self._repeating = True
        signal.raise_signal(self.signal)

    def _unraisable(self, dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            self._hook(dropped)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # no other may say what a signal does
            self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
            for one in SIGNALS:
                if signal.getsignal(one) is not signal.SIG_IGN:
                    self._before[one] = signal.signal(one, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
        if self._before:
            sys.unraisablehook = self._hook
        if self._timer is not None:
            self._timer.cancel()
