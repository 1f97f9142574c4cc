"""Where in a program's own code a thread or a coroutine of it waits, in words."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import fake_etcd

_OURS = tuple(f"{folder}{os.sep}" for folder in (Path(__file__).parent, Path(fake_etcd.__file__).parent))
_STANDARD = tuple({f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def place_of_thread(frame: FrameType | None) -> str:
    """As in `in Queue.get at worker.py:12 (job = jobs.get())`, of the frame at which a thread stands."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return _place(frames)


def place_of_coroutine(coroutine: Any) -> str:
    """As `place_of_thread`, of what the coroutine of a task waits in, through all coroutines that it awaits."""
    return _place([*_frames_of_coroutine(coroutine)][::-1])


def _frames_of_coroutine(awaited: Any) -> Iterator[FrameType]:
    """From the outermost on. A coroutine, a generator and an asynchronous generator have names of their own for it."""
    while awaited is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, f"{kind}_frame")), None)
        frame = getattr(awaited, f"{kind}_frame") if kind is not None else None
        if frame is None:
            return
        yield frame
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def _place(frames: list[FrameType]) -> str:
    """Of frames from the innermost on. Without a line where all are of the simulation or the standard library.

    Of installed libraries and a program that has called them, the program is named.
    """
    frames = [frame for frame in frames if not _is_ours(frame)]
    others = [n for n, frame in enumerate(frames) if not _is_standard(frame)]
    own = [n for n in others if not _is_installed(frames[n])]
    if not others:
        return f"in {_function(frames[0])}" if frames else ""
    at = (own or others)[0]
    frame = frames[at]
    name, line = Path(_file(frame)).name, frame.f_lineno
    called = f"in {_function(frames[at - 1])} " if at else ""
    source = linecache.getline(_file(frame), line).strip()
    return f"{called}at {name}:{line}" + (f" ({source})" if source else "")


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _is_ours(frame: FrameType) -> bool:
    return _file(frame).startswith(_OURS)


def _is_installed(frame: FrameType) -> bool:
    return any(name in _file(frame) for name in _INSTALLED)


def _is_standard(frame: FrameType) -> bool:
    """Below the folder of the standard library, other libraries may be installed."""
    return _file(frame).startswith((*_STANDARD, "<frozen ")) and not _is_installed(frame)


def _function(frame: FrameType) -> str:
    """As in `Queue.get`, or `wait_for` of a function that is no method."""
    name = frame.f_code.co_name
    arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    owner = frame.f_locals.get("self") if arguments[:1] == ("self",) else None
    return name if owner is None else f"{type(owner).__name__}.{name}"
