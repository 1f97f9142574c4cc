"""The calls that find out whether an etcd is ready or empty, over a gRPC channel."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message

from etcd_lockstep.servers.access import Access, open_channel
from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

Response = TypeVar("Response", bound=Message)

ANSWER_SECONDS = 5.0
"""How long an endpoint has to answer."""
READY_SECONDS = 30.0
"""How long a server that this process started has to be ready; about 0.5 s is usual. gRPC gives a connection that
hangs up after 20 s."""
RECOVERY_SECONDS = 60.0
"""How long a server has to be ready again that finds a log of hundreds of megabytes, on a machine that is busy."""
_POLL_SECONDS = 0.5
"""How long one call waits for a server that is starting; then its process is looked at again."""
_PATIENCE_SECONDS = 2.0
"""For one call to a server that may be without a leader."""


def call(
    channel: grpc.Channel,
    path: str,
    request: Message,
    response: type[Response],
    seconds: float = ANSWER_SECONDS,
    *,
    starting: bool = False,
) -> Response:
    """Send one unary request, by the path of its method. Raises `grpc.RpcError`.

    Where no server listens, it raises at once; for a server that is `starting`, only after `seconds`.
    """
    method = METHOD[path]
    answer = channel.unary_unary(
        method.path, request_serializer=method.request.SerializeToString, response_deserializer=response.FromString
    )
    return cast(Response, answer(request, timeout=seconds, wait_for_ready=starting))


def status(
    channel: grpc.Channel, seconds: float = ANSWER_SECONDS, *, starting: bool = False
) -> messages.StatusResponse:
    """Maintenance.Status: the server's version and its leader. Raises `grpc.RpcError`, when `call` does."""
    path = "/etcdserverpb.Maintenance/Status"
    return call(channel, path, messages.StatusRequest(), messages.StatusResponse, seconds, starting=starting)


def member_names(channel: grpc.Channel, seconds: float, *, starting: bool = False) -> list[str]:
    """The names of the cluster's members. Raises `grpc.RpcError`, when `call` does."""
    path = "/etcdserverpb.Cluster/MemberList"
    request, response = messages.MemberListRequest(), messages.MemberListResponse
    return [member.name for member in call(channel, path, request, response, seconds, starting=starting).members]


def version_when_ready(
    server: Access | str, name: str, is_alive: Callable[[], bool], seconds: float = READY_SECONDS
) -> str | None:
    """Wait until the member called `name` leads there, and has settled (`_has_settled`), and return its version.

    Returns None where it dies first, or takes more than `seconds`. The name shows that it is the server that
    was just started: another process, which may be an etcd too, can have taken the port in the meantime.

    The calls wait for the connection. With grpcio below 1.80, a channel whose calls fail at once does not connect
    again between them, and never reaches a server that listens only after the first call.
    """
    end = time.monotonic() + seconds
    with open_channel(server) as channel:
        while time.monotonic() < end and is_alive():
            try:
                answer = status(channel, _POLL_SECONDS, starting=True)
                names = member_names(channel, _POLL_SECONDS, starting=True)
                if answer.leader and _has_settled(answer) and name in names:
                    return answer.version
            except grpc.RpcError:
                pass
            time.sleep(0.02)
    return None


def _has_settled(answer: messages.StatusResponse) -> bool:
    """Whether the database has the server's own release. From 3.6 on, a new one begins with that of the release before,
    until the leader has agreed on the cluster's (etcd server/etcdserver/version/monitor.go); older ones don't tell."""
    return not answer.storageVersion or _minor(answer.storageVersion) == _minor(answer.version)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def wait_until_answers(channel: grpc.Channel, seconds: float) -> None:
    """Wait until a read is answered, which needs a leader. Raises the `grpc.RpcError` of the last try.

    It waits for the connection: a channel whose last attempt to connect has failed would let calls fail at once, though
    the server is back.
    """
    end = time.monotonic() + seconds
    request, response = messages.RangeRequest(key=b"a"), messages.RangeResponse
    while True:
        try:
            call(channel, "/etcdserverpb.KV/Range", request, response, _PATIENCE_SECONDS, starting=True)
            return
        except grpc.RpcError:
            if time.monotonic() > end:
                raise


def explain(error: grpc.RpcError) -> str:
    """One line on a failed call: its code and the server's message."""
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error)


def means_unimplemented(code: int, text: str) -> bool:
    """Whether an error with this code of gRPC's says that a server has no such method or option; some say so with
    UNKNOWN."""
    if code == grpc.StatusCode.UNKNOWN.value[0]:
        return any(words in text.lower() for words in ("not supported", "unsupported", "not implemented"))
    return bool(code == grpc.StatusCode.UNIMPLEMENTED.value[0])


def is_unimplemented(error: grpc.RpcError) -> bool:
    """Whether a call failed because the server has no such method."""
    return isinstance(error, grpc.Call) and means_unimplemented(error.code().value[0], error.details() or "")
