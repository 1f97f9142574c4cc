"""The fake as a target: in this process, or as a server on a loopback port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from google.protobuf.message import Message

from etcd_lockstep.codec import decode, encode
from etcd_lockstep.servers import Access
from etcd_lockstep.servers.identities import auth_token, identities
from etcd_lockstep.target import ALL, Target
from etcd_lockstep.targets.authorization import token_metadata
from etcd_lockstep.targets.client import Client
from etcd_lockstep.targets.watching import Duplex, StreamEnded
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Error, Operation, Result, Server
from etcd_model.errors import STREAM_ENDED, Code
from etcd_model.operations import As, Campaign, Compact, Lock, Observe
from etcd_model.results import Waiting
from fake_etcd import Engine, EtcdError, StreamClosed, Tls, VirtualClock, WatchStream, serve
from fake_etcd.auth_tokens import NAMELESS, CertificateName
from fake_etcd.server_calls import token_of
from fake_etcd.wire import messages

MAX_TXN_OPS = Server().max_txn_ops


class FakeTarget(Target):
    """The fake's engine, called directly with wire messages. Its clock is a virtual one."""

    name = "fake"
    capabilities = ALL

    def __init__(
        self,
        version: str,
        min_lease_ttl: int,
        quota_bytes: int | None = None,
        max_txn_ops: int = MAX_TXN_OPS,
        *,
        tokens: str = "",
    ) -> None:
        """`tokens`: as in `ServerSettings`."""
        clock = VirtualClock()
        with _identity_files(tokens) as folder:
            self._engine = Engine(
                version,
                min_lease_ttl=min_lease_ttl,
                clock=clock,
                quota_bytes=quota_bytes or 0,
                max_txn_ops=max_txn_ops,
                auth_token=auth_token(tokens or "simple", folder),
            )
        self._client = (_ByCertificate if tokens else _InProcess)(self._engine, clock)

    def reset(self) -> int | None:
        """Empty and compacted, as a real etcd stands after its reset."""
        self._client.close_streams()
        self._engine.reset()
        result = self.apply(Compact(1))
        return result.revision if not isinstance(result, Error) else None

    def apply(self, operation: Operation) -> Result:
        return self._client.apply(operation)


class _InProcess(Client):
    """A client in the engine's own process. Nothing that it asks for is waited for."""

    def __init__(self, engine: Engine, clock: VirtualClock) -> None:
        super().__init__()
        self._engine = engine
        self._clock = clock
        self._impatient = Event()
        self._impatient.set()

    def sent_token(self, operation: As) -> str:
        """What the fake's servers read from the metadata of the call."""
        return token_of(token_metadata(super().sent_token(operation)))

    def exchange(self, path: str, request: Message, token: str) -> Message | Error:
        try:
            return self._engine.call(path, request, token)
        except EtcdError as error:
            return _answer(error)

    def acquire(self, operation: Lock | Campaign, token: str) -> Result:
        path, request = encode(operation)
        woken = Event()
        try:
            task = self._engine.task(path, request, token, woken.set)
            step = task.step()
            if not step.over and operation.meanwhile is not None:
                self.ask_meanwhile(operation.meanwhile, token)
            while not step.over and woken.is_set():
                woken.clear()
                step = task.step()
        except EtcdError as error:
            return _answer(error)
        if step.answer is not None:
            return decode(operation, step.answer)
        task.cancel()
        return Waiting()

    def receive_first(self, operation: Observe, token: str) -> Message | Error | None:
        path, request = encode(operation)
        try:
            return next(iter(self._engine.stream(path, request, token, self._impatient)), STREAM_ENDED)
        except EtcdError as error:
            answer = _answer(error)
            return None if answer.code is Code.CANCELLED else answer

    def receive_all(self, path: str, request: Message, token: str) -> list[Any] | Error:
        try:
            return list(self._engine.stream(path, request, token))
        except EtcdError as error:
            return _answer(error)

    def open_watch(self, token: str) -> Duplex:
        return _InProcessWatch(self._engine.watch(token))

    def pass_time(self, seconds: int) -> None:
        self._clock.advance(seconds)


class _ByCertificate(_InProcess):
    """A client with a certificate, whose common name is handed to the engine, as a server with TLS would do."""

    no_token = CertificateName(NAMELESS)

    def _as(self, operation: As, token: str) -> Result:
        return super()._as(identities().signed(operation), token)

    def sent_token(self, operation: As) -> str:
        return super().sent_token(operation) or CertificateName(operation.certificate or NAMELESS)


class _InProcessWatch:
    """A stream of the engine's: a `Duplex`."""

    def __init__(self, stream: WatchStream) -> None:
        self._stream = stream

    def send(self, request: messages.WatchRequest) -> None:
        try:
            self._stream.send(request)
        except EtcdError as error:
            raise StreamEnded(_answer(error)) from error
        except StreamClosed:
            raise StreamEnded(STREAM_ENDED) from None

    def receive(self, timeout: float) -> messages.WatchResponse | None:
        try:
            return self._stream.receive(timeout)
        except EtcdError as error:
            raise StreamEnded(_answer(error)) from error
        except StreamClosed:
            raise StreamEnded(STREAM_ENDED) from None

    def close(self) -> None:
        self._stream.close()


def _answer(error: EtcdError) -> Error:
    return Error(Code(error.code.value[0]), error.message)


@contextmanager
def _identity_files(tokens: str) -> Iterator[Path]:
    """A folder with what a server reads at its start that knows its clients by certificates; empty for another."""
    with TemporaryDirectory(prefix="etcd-lockstep-") as folder:
        if tokens:
            identities().write(Path(folder))
        yield Path(folder)


class FakeServerTarget(WireTarget):
    """The fake behind gRPC, on a loopback port of its own."""

    def __init__(
        self,
        version: str,
        min_lease_ttl: int,
        quota_bytes: int | None = None,
        max_txn_ops: int = MAX_TXN_OPS,
        *,
        tokens: str = "",
    ) -> None:
        """`tokens`: as in `ServerSettings`."""
        with _identity_files(tokens) as folder:
            engine = Engine(
                version,
                min_lease_ttl=min_lease_ttl,
                clock=time.monotonic,
                quota_bytes=quota_bytes or 0,
                max_txn_ops=max_txn_ops,
                auth_token=auth_token(tokens or "simple", folder),
            )
            tls = Tls(f"{folder}/cert.pem", f"{folder}/key.pem", f"{folder}/ca.pem", client_cert_auth=True)
            self._server = serve(engine, "127.0.0.1:0", tls=tls if tokens else None)
        super().__init__("fake-server", Access(self._server.address, identities=identities() if tokens else None))

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self._server.address

    def close(self) -> None:
        super().close()
        self._server.stop()
