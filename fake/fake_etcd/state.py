"""The whole state of an engine, to be kept and returned to. What etcd's Snapshot sends is another thing: a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from fake_etcd.core import Core
from fake_etcd.services.service import Service

_PARTS = ("lessor", "store", "hashes", "auth", "alarms", "members", "downgrade_target", "backend", "raft_index")
"""All that `Core.reset` makes anew, but for the streams."""


class SavedState:
    """Keys with their history, leases with the time that they have left, users, alarms. It never changes."""

    def __init__(self, core: Core, services: Sequence[Service]) -> None:
        """As it is now; with the lock held."""
        self._version = core.quirks.version
        self._seconds = core.settings.clock()
        self._clock = core.settings.clock
        parts = ({name: getattr(core, name) for name in _PARTS}, [service.saved() for service in services])
        self._parts = deepcopy(parts, {id(core.store.on_commit): None, **_shared(core, self._clock)})

    def put_into(self, core: Core, services: Sequence[Service]) -> None:
        """Replace the state of an engine of the same release, whose streams and waiting calls end; with the lock held.

        ValueError where the release is another.
        """
        if core.quirks.version != self._version:
            raise ValueError(f"this state is one of etcd {self._version}, and this is etcd {core.quirks.version}")
        core.reset()
        parts, of_services = deepcopy(self._parts, _shared(core, self._clock))
        for name, part in parts.items():
            setattr(core, name, part)
        gone_by = core.settings.clock() - self._seconds
        core.lessor.postpone(gone_by)
        core.auth.postpone(gone_by)
        for service, saved in zip(services, of_services, strict=True):
            service.restore(saved)


def _shared(core: Core, clock: Callable[[], float]) -> dict[int, Any]:
    """What isn't copied, by its id: instead of the clock that the state was saved by, it is the engine's from here."""
    return {id(clock): core.settings.clock, id(core.quirks): core.quirks}
