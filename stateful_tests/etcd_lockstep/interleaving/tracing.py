"""Where a thread can be interrupted: before each line of the target's own code, after each return within it, and before
it takes a lock.

That is coarser than what Python may do, which switches threads between two bytecodes of one line as well. But lines are
much the same in each release of Python, and bytecodes are not; so what was found on one can be replayed on another.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import etcd_lockstep
import etcd_model
import fake_etcd
from etcd_lockstep.simulation.patches import SimulatedLock

_STDLIB = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_PACKAGES = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("purelib", "platlib")})
_NOT_TRACED = ("google", "grpc", "hypothesis", "rich", "sortedcontainers", "_pytest", "pytest", "pluggy")
"""Installed packages that no mock is written to test; all others may be the mock."""
_OURS = tuple(os.path.dirname(os.path.realpath(str(one.__file__))) + os.sep for one in (etcd_lockstep, etcd_model))
_FAKE = os.path.dirname(os.path.realpath(str(fake_etcd.__file__))) + os.sep
_TAKES_LOCK = frozenset({SimulatedLock.acquire.__code__})
SPECIMENS = os.path.join(_OURS[0], "specimens", "racing.py")


class OwnCode:
    """Which files are the target's."""

    def __init__(self, *, fake: bool = False) -> None:
        """`fake`: our own fake is what is looked at; otherwise it is one of the target's libraries."""
        self._fake = fake
        self._known: dict[str, bool] = {}

    def holds(self, file: str) -> bool:
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._look(file)
        return known

    def modules(self) -> list[ModuleType]:
        """Those that are imported, and of the target."""
        every = list(sys.modules.values())
        return [one for one in every if isinstance(file := getattr(one, "__file__", None), str) and self.holds(file)]

    def _look(self, file: str) -> bool:
        if file.startswith("<"):
            return False
        path = os.path.realpath(file)
        if path == SPECIMENS:
            return not self._fake
        if path.startswith(_FAKE):
            return self._fake
        if self._fake or path.startswith(_OURS):
            return False
        for root in _PACKAGES:
            if path.startswith(root):
                return path[len(root) :].split(os.sep)[0].removesuffix(".py") not in _NOT_TRACED
        return not path.startswith(_STDLIB)


def traced(code: OwnCode, point: Callable[[FrameType], None], body: Callable[[], None]) -> None:
    """Run `body` in this thread, and call `point` at each place where it can be interrupted, with a frame of the
    target's."""

    def at(frame: FrameType, event: str, _argument: Any) -> Any:
        if event != "exception":
            point(frame)
        return at

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        if code.holds(frame.f_code.co_filename):
            return at
        if frame.f_code in _TAKES_LOCK:
            caller = frame.f_back
            while caller is not None and not code.holds(caller.f_code.co_filename):
                caller = caller.f_back
            if caller is not None:
                point(caller)
        return None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        body()
    finally:
        sys.settrace(before)


def where(frame: FrameType) -> str:
    """`at store.py:12: self.data[key] = value`."""
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"at {Path(file).name}:{line}: {linecache.getline(file, line).strip()}"
