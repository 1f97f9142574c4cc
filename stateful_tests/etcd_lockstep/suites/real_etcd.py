"""A real etcd with the ways in of `fake_etcd.FakeEtcd`, so that a test need not know which of them it runs on."""

from __future__ import annotations

import time
from typing import Any

import grpc

from etcd_lockstep.servers import RunningEtcd, open_channel
from etcd_lockstep.targets.wire import Wire, empty_store
from fake_etcd.compat.etcd3 import client_on
from fake_etcd.in_use import HeldLease
from fake_etcd.stubs import stubs
from fake_etcd.wire import messages as pb


class RealEtcd:
    """A running etcd for one test, emptied before it; closing it leaves the server running."""

    def __init__(self, running: RunningEtcd) -> None:
        """TargetDied where it can't be emptied."""
        self._running = running
        self._clients: list[Any] = []
        self._channels: list[grpc.Channel] = []
        empty_store(Wire(self.channel()))

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self._running.address

    @property
    def version(self) -> str:
        """Its release."""
        return self._running.version

    def channel(self) -> grpc.Channel:
        """A channel to it, closed with this object."""
        self._channels.append(open_channel(self._running.access))
        return self._channels[-1]

    def aio_channel(self) -> grpc.aio.Channel:
        """An asyncio channel to it, for the event loop that runs; whoever opens it closes it."""
        access = self._running.access
        if access.tls:
            return grpc.aio.secure_channel(access.address, access.credentials.certificates())
        return grpc.aio.insecure_channel(access.address)

    def etcd3_client(self, **options: Any) -> Any:
        """A client of the package etcd3; `options` are `user`, `password` and `timeout`. ImportError without it."""
        client = client_on(self.channel(), **options)
        self._clients.append(client)
        return client

    def aetcd_client(self, **options: Any) -> Any:
        """A client of the package aetcd; `options` are `username`, `password` and `timeout`. ImportError without it."""
        from fake_etcd.compat.aetcd import client_on

        return client_on(self.aio_channel, **options)

    def advance(self, seconds: float) -> None:
        """Wait: the time of a real etcd can't be moved. It revokes what has expired up to a second later."""
        time.sleep(seconds)

    def in_use(self) -> list[HeldLease]:
        """The leases; what else clients hold, a real etcd doesn't report."""
        lease = stubs(self.channel()).lease
        held = []
        for one in lease.LeaseLeases(pb.LeaseLeasesRequest()).leases:
            answer = lease.LeaseTimeToLive(pb.LeaseTimeToLiveRequest(ID=one.ID, keys=True))
            if answer.TTL != -1:  # or it has expired meanwhile
                held.append(HeldLease(one.ID, answer.grantedTTL, tuple(sorted(answer.keys))))
        return held

    def close(self) -> None:
        """Close the clients and channels that came from here."""
        for closed in (*self._clients, *self._channels):
            closed.close()
