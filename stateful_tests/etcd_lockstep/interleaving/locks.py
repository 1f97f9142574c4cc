"""Locks that a target's modules hold by themselves: what they imported by name, and what they made when they were
imported. While a run goes on, these take part in its schedule, as those do that are made meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from etcd_lockstep.interleaving.tracing import OwnCode
from etcd_lockstep.simulation.patches import SimulatedLock, SimulatedRLock
from etcd_lockstep.simulation.scheduler import Scheduler

_MAKES_LOCK, _MAKES_RLOCK = threading.Lock, threading.RLock
_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())

_Place = tuple[Any, str, Any]
"""A module or a class, a name in it, and the lock, or what makes locks."""

_found: WeakKeyDictionary[OwnCode, tuple[int, list[_Place]]] = WeakKeyDictionary()


@contextmanager
def locks_replaced(code: OwnCode, scheduler: Scheduler) -> Iterator[None]:
    """Meanwhile they are simulated. To be called where `threading` is patched. Locks within other objects that were
    made before stay real."""
    places = _places(code)
    try:
        for owner, name, value in places:
            setattr(owner, name, _simulated(value, scheduler))
        yield
    finally:
        for owner, name, value in places:
            setattr(owner, name, value)


def _places(code: OwnCode) -> list[_Place]:
    """Looked for again only where modules were imported meanwhile."""
    count, places = _found.get(code, (0, []))
    if count != len(sys.modules):
        places = [
            (owner, name, value)
            for module in code.modules()
            for owner in (module, *(one for one in vars(module).values() if _is_class_of(one, module)))
            for name, value in vars(owner).items()
            if value is _MAKES_LOCK or value is _MAKES_RLOCK or isinstance(value, (_LOCK, _RLOCK))
        ]
        _found[code] = len(sys.modules), places
    return places


def _is_class_of(value: object, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _simulated(value: object, scheduler: Scheduler) -> Any:
    if value is _MAKES_LOCK:
        return threading.Lock
    if value is _MAKES_RLOCK:
        return threading.RLock
    return SimulatedRLock(scheduler) if isinstance(value, _RLOCK) else SimulatedLock(scheduler)
