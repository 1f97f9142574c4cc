"""The limiter without its bugs. The slot itself says which lease it has, so that there is no `/info`."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc
from etcd3.exceptions import ConnectionFailedError

from limiter.limiter import TTL, Repository

_RETRY_SECONDS = 5


class Limiter:
    """Gives out slots."""

    def __init__(self, etcd: Any) -> None:
        """`etcd` is an etcd3 client."""
        self._etcd = etcd

    def acquire(self, repository: Repository, run: str) -> tuple[bool, int]:
        """Whether the run may start, and the lease of its slot, kept alive until the slot is given back.

        Every slot that is given out moves the repository's guard on. So a count is right for as long as the guard
        stands where it stood at the count (S5). A run that has its slot already gets it again (S6).
        """
        if repository.limit == 0:
            return True, 0
        transactions, slot = self._etcd.transactions, repository.slots + run
        guard = f"/pac/guards/{repository.namespace}/{repository.name}"
        lease = None
        while True:
            seen, slots = self._look(repository, guard)
            if slot in slots:
                if lease is not None:
                    lease.revoke()
                    lease = None
                if self._etcd.get_lease_info(slots[slot]).TTL >= 0:
                    self._keep(slots[slot])
                    return True, slots[slot]
                continue
            if len(slots) >= repository.limit:
                if lease is not None:
                    lease.revoke()
                return False, 0
            if lease is None:
                lease = self._etcd.lease(TTL)
            succeeded, _ = self._etcd.transaction(
                compare=[transactions.mod(guard) == seen, transactions.create(slot) == 0],
                success=[transactions.put(slot, run, lease), transactions.put(guard, run)],
                failure=[],
            )
            if succeeded:
                self._keep(lease.id)
                return True, lease.id

    def _look(self, repository: Repository, guard: str) -> tuple[int, dict[str, int]]:
        """Where the guard stands, and the lease of each slot, at one revision."""
        transactions = self._etcd.transactions
        end = repository.slots[:-1] + chr(ord(repository.slots[-1]) + 1)
        _, (guards, slots) = self._etcd.transaction(
            compare=[], success=[transactions.get(guard), transactions.get(repository.slots, end)], failure=[]
        )
        seen = guards[0][1].mod_revision if guards else 0
        return seen, {meta.key.decode(): meta.lease_id for _, meta in slots}

    def _keep(self, lease: int) -> None:
        threading.Thread(target=self._keep_alive, args=(lease,), daemon=True).start()

    def _keep_alive(self, lease: int) -> None:
        """Until the lease is gone, whatever becomes of the request that took it (S7)."""
        wait: float = 0
        while True:
            time.sleep(wait)
            try:
                (answer,) = self._etcd.refresh_lease(lease)
                if answer.TTL == 0:
                    return
                wait = TTL / 3
            except ConnectionFailedError:
                wait = _RETRY_SECONDS

    def release(self, lease: int) -> None:
        """Give a slot back. One that was given back before is no error (S4)."""
        try:
            if lease != 0:
                self._etcd.revoke_lease(lease)
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.NOT_FOUND:
                raise

    def lease_of(self, repository: Repository, run: str) -> int:
        """The lease of a run's slot; 0 where it has none."""
        _, meta = self._etcd.get(repository.slots + run)
        return meta.lease_id if meta is not None else 0

    def running(self, repository: Repository) -> list[str]:
        """The runs that have a slot."""
        return [value.decode() for value, _ in self._etcd.get_prefix(repository.slots)]

    def cleanup(self) -> None:
        """Forget all. The slots go with their leases, which nobody keeps alive then (S8)."""
        for _, meta in self._etcd.get_prefix("/pac/leases/"):
            self.release(meta.lease_id)
        self._etcd.delete_prefix("/pac/concurrency/")


class Queue:
    """Starts and completes runs. What it has to remember is in etcd."""

    def __init__(self, etcd: Any) -> None:
        self._etcd = etcd
        self.limiter = Limiter(etcd)

    def start(self, repository: Repository, run: str, cancelled: threading.Event) -> bool:
        """Start a run, if there is a slot for it. The end of the request to do so is not the end of the run."""
        del cancelled
        acquired, _ = self.limiter.acquire(repository, run)
        if acquired:
            self._etcd.put(f"/pac/concurrency/pr/{run}/state", "started")
        return acquired

    def complete(self, repository: Repository, run: str) -> None:
        """End a run: its slot is free again. Twice is as good as once."""
        self.limiter.release(self.limiter.lease_of(repository, run))
        self._etcd.put(f"/pac/concurrency/pr/{run}/state", "completed")
