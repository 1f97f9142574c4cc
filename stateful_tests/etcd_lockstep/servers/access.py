"""How a server is reached: its address, the certificates of TLS, and the user in whose name requests are sent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from etcd_lockstep.servers.identities import Identities
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # etcd doesn't limit its answers; gRPC's default is 4 MiB
    ("grpc.enable_http_proxy", 0),  # a proxy in the environment would receive calls to loopback too
    ("grpc.initial_reconnect_backoff_ms", 50),  # soon enough for a server that is starting
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take, where a server is busy
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),  # no connection of an earlier server on the same port
)

_LOGIN_SECONDS = 5.0
"""How long a server has to answer with a token."""
_TOKEN_SECONDS = 60.0
"""How long a token is used: etcd's are good for 300 s (etcd server/embed/config.go, DefaultAuthToken TTL)."""


class BadCredentials(ValueError):
    """A file that can't be read, or a user without a password: a usage error."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to reach a server that is secured. The names are those of etcdctl's options."""

    cacert: Path | None = None
    """The certificates of the authorities that the server's is checked with; None for those of the system."""
    cert: Path | None = None
    """The client's certificate."""
    key: Path | None = None
    """The key of that."""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(
        cls,
        cacert: Path | None = None,
        cert: Path | None = None,
        key: Path | None = None,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Credentials:
        """From options; what is not given is taken from etcdctl's variables (`ETCDCTL_CACERT`, `ETCDCTL_CERT`,
        `ETCDCTL_KEY`, `ETCDCTL_USER`, `ETCDCTL_PASSWORD`). `user` is NAME:PASSWORD. Raises `BadCredentials`."""
        held = os.environ if environment is None else environment
        named = [
            given if given is not None else Path(held[variable]) if held.get(variable) else None
            for given, variable in ((cacert, "ETCDCTL_CACERT"), (cert, "ETCDCTL_CERT"), (key, "ETCDCTL_KEY"))
        ]
        if (named[1] is None) != (named[2] is None):
            raise BadCredentials("--cert and --key go together: one of them is missing")
        name, colon, password = (user if user is not None else held.get("ETCDCTL_USER", "")).partition(":")
        password = password if colon else held.get("ETCDCTL_PASSWORD", "")
        if name and not password:
            raise BadCredentials(f"--user {name}: a password is missing; it is NAME:PASSWORD")
        return cls(named[0], named[1], named[2], name, password)

    def certificates(self) -> grpc.ChannelCredentials:
        """For a channel. Raises `BadCredentials`."""
        root, key, chain = map(_read, (self.cacert, self.key, self.cert))
        return grpc.ssl_channel_credentials(root, key, chain)


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise BadCredentials(f"{path}: can't be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Access:
    """One server, and how it is reached."""

    address: str
    """HOST:PORT, or `unix:` with a path, as gRPC takes it."""
    tls: bool = False
    credentials: Credentials = Credentials()
    identities: Identities | None = None
    """Of a server that we start with TLS: whose certificate a client has is chosen for each channel."""

    @property
    def names_a_user(self) -> bool:
        """Whether every request is somebody's: a server that checks the certificates of its clients takes the common
        name of one for a user (etcd server/auth/store.go, AuthInfoFromTLS)."""
        return bool(self.credentials.user) or (self.tls and self.credentials.cert is not None)


def open_channel(server: Access | str, common_name: str = "") -> grpc.Channel:
    """A channel without a limit on the size of answers; to an address alone, without TLS. `common_name`: that of the
    client's certificate, where the server has `identities`.

    Raises `BadCredentials` where a file can't be read.
    """
    access = Access(server) if isinstance(server, str) else server
    if access.identities is not None:
        return grpc.secure_channel(access.address, access.identities.credentials(common_name), options=_OPTIONS)
    if access.tls:
        channel = grpc.secure_channel(access.address, access.credentials.certificates(), options=_OPTIONS)
    else:
        channel = grpc.insecure_channel(access.address, options=_OPTIONS)
    if not access.credentials.user:
        return channel
    return grpc.intercept_channel(channel, _LoggedIn(channel, access.credentials))


class _Details(NamedTuple):
    """A call as an interceptor passes it on."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _LoggedIn(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # generic in the stubs alone
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]  # as above
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]  # as above
):
    """Sends each request with a token of the user's, which is asked for at the first one, and again every minute."""

    def __init__(self, channel: grpc.Channel, credentials: Credentials) -> None:
        method = METHOD["/etcdserverpb.Auth/Authenticate"]
        self._authenticate: Any = channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=messages.AuthenticateResponse.FromString,
        )
        self._credentials = credentials
        self._token = ""
        self._good_until = 0.0
        """A reading of `time.monotonic`."""
        self._lock = threading.Lock()

    def _log_in(self) -> str:
        """The token; empty where authentication is off, as with etcdctl. Raises `grpc.RpcError`."""
        request = messages.AuthenticateRequest(name=self._credentials.user, password=self._credentials.password)
        try:
            answer: messages.AuthenticateResponse = self._authenticate(request, timeout=_LOGIN_SECONDS)
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and "authentication is not enabled" in (error.details() or ""):
                return ""
            raise
        return answer.token

    def _with_token(self, details: Any) -> Any:
        with self._lock:
            if time.monotonic() > self._good_until:
                self._token = self._log_in()
                self._good_until = time.monotonic() + _TOKEN_SECONDS
            token = self._token
        metadata = list(details.metadata or ())
        if token and not any(name == "token" for name, _value in metadata):
            metadata.append(("token", token))
        return _Details(
            details.method,
            details.timeout,
            metadata,
            details.credentials,
            getattr(details, "wait_for_ready", None),
            getattr(details, "compression", None),
        )

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return continuation(self._with_token(details), requests)
