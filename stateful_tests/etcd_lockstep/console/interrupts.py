"""Ctrl-C that is not lost."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_AGAIN = 1.0
"""Seconds after which an interrupt that had no effect is repeated."""


class Interrupts:
    """A context manager within which one Ctrl-C is enough.

    An exception that a signal raises is dropped where Python happens to be in a callback of the garbage collector
    (Hypothesis has one): of a hundred Ctrl-C, two or three do nothing. Here each is repeated until the context is
    left, and Python doesn't say what it dropped.
    """

    def __init__(self) -> None:
        self.came = False
        """Whether there was one."""
        self._timer: threading.Timer | None = None
        self._before: Any = None
        self._hook = sys.unraisablehook

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self.came = True
        self._timer = threading.Timer(_AGAIN, signal.raise_signal, (signal.SIGINT,))
        self._timer.daemon = True
        self._timer.start()
        raise KeyboardInterrupt

    def _unraisable(self, dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            self._hook(dropped)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # no other may say what a signal does
            self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            sys.unraisablehook = self._hook
        if self._timer is not None:
            self._timer.cancel()
