"""The listener of a port that speaks gRPC and HTTP/1.1: who speaks HTTP/2 is handed over, others are answered here."""

from __future__ import annotations

import asyncio
import socket
import ssl
from threading import Thread

from fake_etcd import addresses
from fake_etcd.grpc_handover import Handover
from fake_etcd.http.connection import HttpConnection
from fake_etcd.http.first_bytes import Spoken, spoken_in_plain, spoken_in_tls
from fake_etcd.http.routes import Routes

_ACCEPTED_A_TURN = 64

_MOST_FIRST_BYTES = 16 * 1024
"""The longest TLS record."""

_FIRST_PAUSE, _LONGEST_WAIT = 0.005, 10.0
"""Seconds between two looks at a beginning that came in pieces, doubled each time, and until such a one is given up."""


class Front:
    """Accepts connections on a thread of its own, on which HTTP is answered too."""

    def __init__(
        self,
        address: str,
        tls: ssl.SSLContext | None,
        routes: Routes,
    ) -> None:
        """Listen; CannotListenError where that can't be. `routes`: who answers what is spoken in HTTP."""
        self._listening = addresses.listen(address)
        self.port: int = 0 if addresses.socket_path(address) else self._listening.getsockname()[1]
        """0 for a socket's path."""
        self.handover = Handover()
        """Where gRPC's core doesn't listen for it before this is started, nobody speaks gRPC here."""
        self.routes = routes
        self._tls = tls
        self._spoken_in = spoken_in_plain if tls is None else spoken_in_tls
        self._arriving: dict[socket.socket, asyncio.TimerHandle | None] = {}
        self._connections: set[HttpConnection] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="fake-etcd-http", daemon=True)

    def start(self) -> None:
        """Accept connections from now on."""
        self._listening.setblocking(False)
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, and end what is spoken in HTTP. When this returns, nothing is handed over any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        loop.add_reader(self._listening, self._accept)
        try:
            loop.run_forever()
        finally:
            loop.remove_reader(self._listening)
            for arrived in tuple(self._arriving):
                self._forget(arrived)
                arrived.close()
            for handshake in self._handshakes:
                handshake.cancel()
            for connection in tuple(self._connections):
                connection.close()
            loop.run_until_complete(self._closed())
            loop.close()

    async def _closed(self) -> None:
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        while self._connections:
            await asyncio.sleep(0)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            connection.setblocking(False)
            if connection.family != getattr(socket, "AF_UNIX", None):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._await(connection)

    # What has arrived, of which nobody knows yet what it speaks

    def _await(self, connection: socket.socket) -> None:
        self._arriving[connection] = None
        self._loop.add_reader(connection, self._look, connection, _FIRST_PAUSE)

    def _look(self, connection: socket.socket, pause: float) -> None:
        """Look at the first bytes, and leave them where they are."""
        self._forget(connection)
        try:
            data = connection.recv(_MOST_FIRST_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            self._await(connection)
            return
        except OSError:
            data = b""
        spoken = self._spoken_in(data) if data else None
        if spoken is Spoken.GRPC and self.handover.is_open:
            self.handover.take(self._listening, connection)
        elif spoken is Spoken.HTTP:
            handshake = self._loop.create_task(self._speak_http(connection))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)
        elif spoken is Spoken.NOT_YET_KNOWN and pause < _LONGEST_WAIT:
            # it stays readable, so that there is no other way to wait for the rest
            self._arriving[connection] = self._loop.call_later(pause, self._look, connection, pause * 2)
        else:
            connection.close()

    def _forget(self, connection: socket.socket) -> None:
        timer = self._arriving.pop(connection)
        if timer is None:
            self._loop.remove_reader(connection)
        else:
            timer.cancel()

    async def _speak_http(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: HttpConnection(self.routes, self._connections), connection, ssl=self._tls
            )
        except (OSError, asyncio.CancelledError):  # a handshake that failed, or the end
            connection.close()
