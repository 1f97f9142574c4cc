"""A leader hands out jobs, one number after the other. Whoever has the key `/leader` is the leader."""

from __future__ import annotations

from typing import Any

TTL = 10
LEADER = "/leader"
NEXT = "/jobs/next"


class Member:
    """One that may become the leader."""

    def __init__(self, etcd: Any, name: str) -> None:
        """`etcd` is an etcd3 client."""
        self._etcd = etcd
        self._name = name

    def campaign(self) -> bool:
        """Whether this member is the leader now."""
        transactions = self._etcd.transactions
        elected, _ = self._etcd.transaction(
            compare=[transactions.create(LEADER) == 0],
            success=[transactions.put(LEADER, self._name, self._etcd.lease(TTL))],
            failure=[],
        )
        return bool(elected)

    def hand_out(self) -> int | None:
        """The next job. There is one leader, so nobody else counts meanwhile: that is the bug."""
        job = self._next()
        self._etcd.put(NEXT, str(job + 1))
        return job

    def _next(self) -> int:
        value, _ = self._etcd.get(NEXT)
        return int(value or 0)


class FencedMember(Member):
    """Writes as the leader it was elected as, or not at all."""

    def campaign(self) -> bool:
        """Whether this member is the leader now. What it was elected at is its fencing token, and it is read in the
        transaction that elects it: after that, the key may be another leader's."""
        transactions = self._etcd.transactions
        elected, responses = self._etcd.transaction(
            compare=[transactions.create(LEADER) == 0],
            success=[
                transactions.put(LEADER, self._name, self._etcd.lease(TTL)),
                transactions.get(LEADER),
            ],
            failure=[],
        )
        if elected:
            ((_, leader),) = responses[1]
            self._elected_at = leader.create_revision
        return bool(elected)

    def hand_out(self) -> int | None:
        """The next job; None where this member is not the leader any more."""
        job, transactions = self._next(), self._etcd.transactions
        is_leader, _ = self._etcd.transaction(
            compare=[transactions.create(LEADER) == self._elected_at],
            success=[transactions.put(NEXT, str(job + 1))],
            failure=[],
        )
        return job if is_leader else None
