"""An etcd for one test: an engine, and every way in, closed together."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fake_etcd.aio_channel import AioInProcessChannel
from fake_etcd.channel import InProcessChannel
from fake_etcd.clock import VirtualClock
from fake_etcd.control import add_control
from fake_etcd.engine import Engine
from fake_etcd.faults import Faults
from fake_etcd.grpc_handover import HTTP_IS_POSSIBLE
from fake_etcd.in_use import InUse
from fake_etcd.journal import Journal
from fake_etcd.server import GrpcServer
from fake_etcd.state import SavedState
from fake_etcd.tls import Tls

_PATIENCE = 0.02
"""Seconds that closing waits for threads of calls: they end at once, unless a request iterator blocks."""


class FakeEtcd:
    """An etcd of one member, in memory; a context manager that closes it.

    ```python
    with FakeEtcd("3.6.16") as etcd:
        client = etcd.etcd3_client()
        lease = client.lease(60)
        client.put("leader", "me", lease)
        etcd.advance(60)
        assert client.get("leader") == (None, None)
    ```
    """

    def __init__(self, version: str = "3.5.16", *, clock: Callable[[], float] | None = None, **settings: Any) -> None:
        """Emulate a release of etcd. ValueError where that can't be.

        `clock` reports seconds that never go back. Without one, time goes by when `advance` says so; a `RunningClock`
        goes by itself as well. `settings` are what `Engine` takes besides: `quota_bytes=…`, `max_txn_ops=…`, and
        `journal=1000`, which keeps the last so many requests and answers.
        """
        self.version = version
        self.clock = clock or VirtualClock()
        self.engine = Engine(version, clock=self.clock, **settings)
        self._settings = settings
        self._is_closed = False
        self._branches: list[FakeEtcd] = []
        self._clients: list[Any] = []
        self._channels: list[InProcessChannel] = []
        self._aio_channels: list[AioInProcessChannel] = []
        self._servers: list[GrpcServer] = []

    @classmethod
    def from_snapshot(cls, path: str | os.PathLike[str], version: str = "3.5.16", **settings: Any) -> FakeEtcd:
        """A fake with the state of a real etcd: what `etcdctl snapshot save` wrote, or a stopped server's database.

        Keys come with their history, and leases with their whole TTL. `settings` are what `FakeEtcd` takes besides.
        BadSnapshotError where the file can't be read or is no snapshot.
        """
        etcd = cls(version, **settings)
        etcd.engine.load(os.fspath(path))
        return etcd

    # Ways in

    def channel(self) -> InProcessChannel:
        """A `grpc.Channel` without a network, for any stubs of etcd's API."""
        self._check_open()
        self._channels.append(InProcessChannel(self.engine))
        return self._channels[-1]

    def aio_channel(self) -> AioInProcessChannel:
        """A `grpc.aio.Channel` without a network, for any asyncio stubs of etcd's API."""
        self._check_open()
        self._aio_channels.append(AioInProcessChannel(self.engine))
        return self._aio_channels[-1]

    def etcd3_client(self, **options: Any) -> Any:
        """A client of the package etcd3, in this process; `options` are `user`, `password` and `timeout`.

        ImportError where etcd3 isn't there; what etcd3 raises where the user can't be authenticated.
        """
        from fake_etcd.compat.etcd3 import client_on

        client = client_on(self.channel(), **options)
        self._clients.append(client)
        return client

    def aetcd_client(self, **options: Any) -> Any:
        """A client of the package aetcd, in this process; `options` are `username`, `password` and `timeout`.

        It connects at its first call. ImportError where aetcd isn't there.
        """
        from fake_etcd.compat.aetcd import client_on

        self._check_open()
        return client_on(self.aio_channel, **options)

    def serve(
        self, address: str = "127.0.0.1:0", *, tls: Tls | None = None, http: bool = False, control: bool = False
    ) -> GrpcServer:
        """A gRPC server at `host:port`, where port 0 picks a free one; it stops when the fake is closed.

        With `http`, etcd's HTTP is there too. With `control`, so is the control service, over HTTP as well where that
        is possible. CannotListenError or BadCertificateError where that can't be.
        """
        self._check_open()
        server = GrpcServer(self.engine, address, tls=tls, http=http or (control and HTTP_IS_POSSIBLE))
        self._servers.append(server)
        if control:
            add_control(server, self)
        return server

    @property
    def address(self) -> str:
        """HOST:PORT of the first server; without one, one is started on loopback."""
        return (self._servers[0] if self._servers else self.serve()).address

    @property
    def port(self) -> int:
        """The port of that address."""
        return int(self.address.rpartition(":")[2])

    # What a real etcd can't do

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by, at once: what is due then has happened when this returns.

        TypeError where the fake was given a clock that only goes by itself.
        """
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("the clock of this fake only goes by itself: give it a VirtualClock or a RunningClock")
        self.clock.advance(seconds)

    @property
    def faults(self) -> Faults:
        """Rules about what goes wrong: `etcd.faults.add(Fault(method="Put", nth=2, then=Refuse("leader changed")))`."""
        return self.engine.faults

    @property
    def journal(self) -> Journal | None:
        """What was asked and answered, if the fake was made with `journal=…`: iterate over it, or print it."""
        return self.engine.journal

    def expire_lease(self, lease_id: int) -> None:
        """End a lease as if its time were over. KeyError where there is none of that id."""
        if not self.engine.expire(lease_id):
            raise KeyError(f"there is no lease {lease_id:x}")

    def save_state(self) -> SavedState:
        """The whole state: keys with their history, leases with the time they have left, users, alarms."""
        return self.engine.save_state()

    def restore_state(self, state: SavedState) -> None:
        """Return to a state that this fake was in, or another one of the same release. Streams and waiting calls end.

        Rules of faults, the journal and the clock stay as they are. ValueError where the release is another.
        """
        self.engine.restore_state(state)

    def branch(self) -> FakeEtcd:
        """An independent fake in the same state, with a clock of its own if this one's is moved by `advance`.

        It has no rules, and an empty journal if there is one here. It is closed with this one, if it wasn't before.
        """
        self._check_open()
        clock = self.clock.copy() if isinstance(self.clock, VirtualClock) else self.clock
        branch = FakeEtcd(self.version, clock=clock, **self._settings)
        branch.restore_state(self.save_state())
        self._branches.append(branch)
        return branch

    def in_use(self) -> list[InUse]:
        """What clients hold of it now: leases, watches, and calls that wait; `str()` of each says which it is."""
        return self.engine.in_use()

    def reset(self) -> None:
        """Make it a fresh store: no keys, leases or users. Streams end."""
        self.engine.reset()

    # The end

    def close(self) -> None:
        """End all that is open, close the clients that came from here, and stop the servers; no thread is left.

        But for one thing: a request iterator of the user's own that blocks keeps its thread.
        """
        self._is_closed = True
        for branch in self._branches:
            branch.close()
        for client in self._clients:
            client.close()
        for channel in self._channels:
            channel.close()
        for aio_channel in self._aio_channels:
            aio_channel.shut_down()
        for server in self._servers:
            server.stop()
        self.engine.reset()
        for channel in self._channels:
            channel.join(_PATIENCE)
        for ways_in in (self._branches, self._clients, self._channels, self._aio_channels, self._servers):
            ways_in.clear()

    def __enter__(self) -> FakeEtcd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("this fake is closed")
