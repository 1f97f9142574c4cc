"""The rules that an engine has, and which of them strikes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from threading import Lock

from google.protobuf.message import Message

from fake_etcd.faults.keys import keys_of
from fake_etcd.faults.rules import Fault, OfDelivery

_HEALTH = "/grpc.health.v1."


@dataclass(slots=True)
class ActiveFault:
    """A rule that was added, by its number, and how often it has matched and struck."""

    number: int
    fault: Fault
    matched: int = 0
    struck: int = 0


class Faults:
    """The rules of an engine: `add`, `remove`, `clear`, and iterate over them. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last = 0
        self._active: dict[int, tuple[ActiveFault, Random]] = {}
        self.any_active = False
        self.when_removed: Callable[[], None] = lambda: None
        """Called after rules were removed."""

    def add(self, fault: Fault) -> int:
        """From now on; reports the rule's number, by which it can be removed. The first rule that matches strikes."""
        with self._lock:
            self._last += 1
            self._active[self._last] = (ActiveFault(self._last, fault), Random(fault.seed))
            self.any_active = True
            return self._last

    def remove(self, number: int) -> None:
        """KeyError where no rule has that number."""
        with self._lock:
            if number not in self._active:
                raise KeyError(f"no rule has the number {number}")
            del self._active[number]
            self.any_active = bool(self._active)
        self.when_removed()

    def clear(self) -> None:
        """Remove every rule."""
        with self._lock:
            self._active.clear()
            self.any_active = False
        self.when_removed()

    def __iter__(self) -> Iterator[ActiveFault]:
        with self._lock:
            return iter([active for active, _ in self._active.values()])

    def __len__(self) -> int:
        return len(self._active)

    def of_call(self, path: str, request: Message) -> ActiveFault | None:
        """The rule that strikes a request."""
        if path.startswith(_HEALTH):
            return None
        keys: list[bytes] | None = None
        with self._lock:
            for active, random in self._active.values():
                fault = active.fault
                if isinstance(fault.then, OfDelivery) or fault.path not in ("", path):
                    continue
                if fault.key_prefix:
                    keys = list(keys_of(request)) if keys is None else keys
                    if not any(key.startswith(fault.key_prefix) for key in keys):
                        continue
                if _strikes(active, random):
                    return active
        return None

    def of_delivery(self, keys: Iterable[bytes]) -> ActiveFault | None:
        """The rule that strikes events of these keys on their way to a watcher."""
        with self._lock:
            for active, random in self._active.values():
                fault = active.fault
                if not isinstance(fault.then, OfDelivery):
                    continue
                if any(key.startswith(fault.key_prefix) for key in keys) and _strikes(active, random):
                    return active
        return None

    def is_active(self, number: int) -> bool:
        """Whether the rule is there still."""
        return number in self._active


def _strikes(active: ActiveFault, random: Random) -> bool:
    fault = active.fault
    active.matched += 1
    if fault.nth and active.matched != fault.nth:
        return False
    if fault.times and active.struck >= fault.times:
        return False
    if fault.probability < 1 and random.random() >= fault.probability:
        return False
    active.struck += 1
    return True
