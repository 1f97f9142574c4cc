"""A network that can fail: proxies on loopback, which hold bytes back, delay them, or end connections.

Proxies that are kept well, such as Toxiproxy, are programs of their own, to be fetched and guarded; what is needed of
one are the few lines here. They end with this process, in whichever way it ends.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from etcd_lockstep.target import TargetDied

_CHUNK = 2**16
_NO_LINGER = struct.pack("ii", 1, 0)
_WAIT_SECONDS = 60.0
"""For what is asked of the loop: it takes no time, but for a machine that is so busy that the loop does not run."""
_SENDER = re.compile(rb"\r\nx-server-from: *([0-9a-f]+)", re.IGNORECASE)
"""Each first request of a member on a connection to another says who sends it (etcd server/etcdserver/api/rafthttp)."""

Ends = Callable[[str], bool]
"""Which connections: by the member that they come from, as its id in hex; empty for a client, or an unknown one."""


def everybody(_sender: str) -> bool:
    """All connections."""
    return True


@dataclass(eq=False, slots=True)
class _Connection:
    inward: asyncio.StreamWriter
    """To the server."""
    outward: asyncio.StreamWriter
    """To whoever connected."""
    sender: str = ""

    def abort(self) -> None:
        """End it at once, with what is under way: both ends are sent a reset."""
        for writer in (self.inward, self.outward):
            if (ends := writer.get_extra_info("socket")) is not None and ends.fileno() != -1:
                ends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()


@dataclass(slots=True)
class _Hold:
    ends: Ends
    requests: bool
    answers: bool


@dataclass(eq=False, slots=True)
class Link:
    """A proxy in front of one address."""

    target: str
    address: str = ""
    """HOST:PORT, where it listens."""
    delay: float = 0.0
    """Seconds for which each piece of data waits."""
    holds: list[_Hold] = field(default_factory=list)
    connections: set[_Connection] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def is_held(self, connection: _Connection, *, inward: bool) -> bool:
        return any((hold.requests if inward else hold.answers) and hold.ends(connection.sender) for hold in self.holds)


class Network:
    """Proxies, which run in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def link(self, target: str = "") -> Link:
        """A new proxy. Its `target`, HOST:PORT, may be set later, before it is used. As all of these it raises
        `TargetDied` where the proxies don't run."""
        link: Link = self._do(self._open(target))
        return link

    @contextmanager
    def held(
        self, links: Iterable[Link], ends: Ends = everybody, *, requests: bool = True, answers: bool = True
    ) -> Iterator[None]:
        """Meanwhile what is sent does not arrive: requests, answers or both. Afterwards it does."""
        hold = _Hold(ends, requests, answers)
        held = list(links)
        self._do(self._each(held, lambda link: link.holds.append(hold)))
        try:
            yield
        finally:
            self._do(self._each(held, lambda link: link.holds.remove(hold)))

    @contextmanager
    def delayed(self, links: Iterable[Link], seconds: float) -> Iterator[None]:
        """Meanwhile all that is sent arrives later."""
        slow = list(links)
        for link in slow:
            link.delay = seconds
        try:
            yield
        finally:
            for link in slow:
                link.delay = 0.0

    def reset(self, links: Iterable[Link], ends: Ends = everybody) -> None:
        """End all connections, and lose what is under way in them."""
        self._do(self._reset(list(links), ends))

    def close(self) -> None:
        """End all proxies. A second call does nothing."""
        if self._loop.is_closed():
            return
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)
        except concurrent.futures.TimeoutError as error:  # which is an OSError without a text from Python 3.11 on
            raise TargetDied(f"the proxies of this run did not answer in {_WAIT_SECONDS:.0f} s") from error

    # In the loop

    async def _open(self, target: str) -> Link:
        link = Link(target)
        server = await asyncio.start_server(lambda *ends: self._accept(link, *ends), "127.0.0.1", 0)
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()
        link.address = f"{host}:{port}"
        return link

    async def _accept(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = link.target.rpartition(":")
        try:
            answers, inward = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(inward, writer)
        link.connections.add(connection)
        for ends in (reader, inward, True), (answers, writer, False):
            task = asyncio.ensure_future(self._pump(link, connection, *ends))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        link: Link,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inward: bool,
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                if inward and not connection.sender and (said := _SENDER.search(data)):
                    connection.sender = said[1].decode()
                if link.delay:
                    await asyncio.sleep(link.delay)
                while link.is_held(connection, inward=inward):
                    await link.changed.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one of the ends has gone, and so the other one goes as well
        finally:
            link.connections.discard(connection)
            connection.abort()

    async def _each(self, links: list[Link], change: Callable[[Link], None]) -> None:
        for link in links:
            change(link)
            link.changed.set()
            link.changed = asyncio.Event()

    async def _reset(self, links: list[Link], ends: Ends) -> None:
        for link in links:
            for connection in list(link.connections):
                if ends(connection.sender):
                    connection.abort()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
