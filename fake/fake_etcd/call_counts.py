"""How many calls a server was asked, and how they ended (etcd counts them by go-grpc-prometheus)."""

from __future__ import annotations

from collections import Counter

from grpc import StatusCode

from fake_etcd.wire.methods import METHOD


class CallCounts:
    """Of etcd's methods, by their paths. Whoever counts is one thread; others may read."""

    def __init__(self) -> None:
        self.started = Counter(dict.fromkeys(METHOD, 0))
        self.handled: Counter[tuple[str, StatusCode]] = Counter()

    def start(self, path: str) -> None:
        """A call begins. What is no method isn't counted, or garbage would fill the memory."""
        if path in METHOD:
            self.started[path] += 1

    def handle(self, path: str, code: StatusCode) -> None:
        """A call is over."""
        if path in METHOD:
            self.handled[path, code] += 1
