"""A stand-in for the etcd3 client, as the tests of a program get written on: this one counts slots, each with a lease.

Its transaction gives the key that it puts to the lease that has waited longest, and any option of a prefix read counts:
the keys come without their values. It needs nothing of etcd3, nor of etcd-lockstep.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple


class Meta(NamedTuple):
    """All of the metadata that the program reads."""

    key: str


class Create:
    """`transactions.create(key) == 0`: the key is absent. What it is compared with is never looked at."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __eq__(self, _other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]  # as every class with an equality of its own


class Put(NamedTuple):
    key: str
    value: str
    lease: Lease | None = None


class Transactions:
    create = Create
    put = Put


class Lease:
    def __init__(self, client: SlotClient, lease_id: int, ttl: int) -> None:
        self._client = client
        self.id = lease_id
        self.ttl = ttl

    def revoke(self) -> None:
        key = self._client.attached.pop(self.id, "")
        self._client.data.pop(key, None)


class SlotClient:
    transactions = Transactions()

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.waiting: deque[int] = deque()
        self.attached: dict[int, str] = {}
        self.granted = 0

    def get(self, key: str) -> tuple[bytes, Meta] | tuple[None, None]:
        return (self.data[key].encode(), Meta(key)) if key in self.data else (None, None)

    def get_prefix(self, prefix: str, **options: Any) -> list[tuple[bytes, Meta]]:
        return [
            (b"" if options else value.encode(), Meta(key))
            for key, value in self.data.items()
            if key.startswith(prefix)
        ]

    def put(self, key: str, value: str, lease: Lease | None = None) -> None:
        del lease
        self.data[key] = value

    def delete(self, key: str) -> bool:
        return self.data.pop(key, None) is not None

    def lease(self, ttl: int) -> Lease:
        self.granted += 1
        self.waiting.append(self.granted)
        return Lease(self, self.granted, ttl)

    def transaction(self, compare: list[Create], success: list[Put], failure: list[Any]) -> tuple[bool, list[Any]]:
        del failure
        if any(one.key in self.data for one in compare):
            return False, []
        for put in success:
            self.data[put.key] = put.value
            if self.waiting:
                self.attached[self.waiting.popleft()] = put.key
        return True, [None for _ in success]
