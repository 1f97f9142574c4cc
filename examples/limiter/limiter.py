"""The limiter, bugs and all: at most so many runs of a repository at a time, each in a slot with a lease.

It is a port, call by call, of one that was in use. `/info` stands beside each slot, with the lease's id in hex, so that
a queue that was restarted finds the lease again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

TTL = 3600


@dataclass(frozen=True, slots=True)
class Repository:
    """Where runs come from. A limit of 0 is none."""

    namespace: str
    name: str
    limit: int

    @property
    def slots(self) -> str:
        """The prefix of its slots."""
        return f"/pac/leases/{self.namespace}/{self.name}/"


class Limiter:
    """Gives out slots."""

    def __init__(self, etcd: Any) -> None:
        """`etcd` is an etcd3 client."""
        self._etcd = etcd

    def acquire(self, repository: Repository, run: str, cancelled: threading.Event) -> tuple[bool, int]:
        """Whether the run may start, and the lease of its slot, kept alive until `cancelled` is set."""
        if repository.limit == 0:
            return True, 0
        lease = self._etcd.lease(TTL)
        count = self._etcd.get_prefix_response(repository.slots, keys_only=True).count
        if count >= repository.limit:
            lease.revoke()
            return False, 0
        transactions, slot = self._etcd.transactions, repository.slots + run
        succeeded, _ = self._etcd.transaction(
            compare=[transactions.create(slot) == 0], success=[transactions.put(slot, run, lease)], failure=[]
        )
        if not succeeded:
            lease.revoke()
            return False, 0
        threading.Thread(target=self._keep_alive, args=(lease, cancelled), daemon=True).start()
        return True, lease.id

    def _keep_alive(self, lease: Any, cancelled: threading.Event) -> None:
        while not cancelled.wait(TTL / 3):
            lease.refresh()

    def release(self, lease: int) -> None:
        """Give a slot back."""
        if lease != 0:
            self._etcd.revoke_lease(lease)

    def running(self, repository: Repository) -> list[str]:
        """The runs that have a slot."""
        return [value.decode() for value, _ in self._etcd.get_prefix(repository.slots)]

    def cleanup(self) -> None:
        """Forget all."""
        self._etcd.delete_prefix("/pac/leases/")
        self._etcd.delete_prefix("/pac/concurrency/")


class Queue:
    """Starts and completes runs, and remembers their leases."""

    def __init__(self, etcd: Any) -> None:
        self._etcd = etcd
        self.limiter = Limiter(etcd)
        self._leases: dict[str, int] = {}

    def start(self, repository: Repository, run: str, cancelled: threading.Event) -> bool:
        """Start a run, if there is a slot for it. `cancelled` is the context of the request to do so."""
        acquired, lease = self.limiter.acquire(repository, run, cancelled)
        if acquired:
            self._leases[run] = lease
            self._etcd.put(f"{repository.slots}{run}/info", f"{lease:x}")
            self._etcd.put(f"/pac/concurrency/pr/{run}/state", "started")
        return acquired

    def complete(self, repository: Repository, run: str) -> None:
        """End a run: its slot is free again."""
        lease = self._leases.pop(run, None)
        if lease is None:
            info, _ = self._etcd.get(f"{repository.slots}{run}/info")
            lease = int(info or b"0", 16)
        self.limiter.release(lease)
        self._etcd.put(f"/pac/concurrency/pr/{run}/state", "completed")
