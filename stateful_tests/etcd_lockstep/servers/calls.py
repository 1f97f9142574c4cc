"""The few calls that are made to an etcd before and between runs, over a plain gRPC channel."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message

from fake_etcd.wire import messages
from fake_etcd.wire.methods import METHOD

Response = TypeVar("Response", bound=Message)

ANSWER_SECONDS = 5.0
"""How long an endpoint has to answer."""
READY_SECONDS = 10.0
"""How long a server that we started has to be ready; about 0.5 s is usual."""

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # etcd doesn't limit its answers, gRPC does at 4 MiB
    ("grpc.enable_http_proxy", 0),  # etcd is no website: a proxy from the environment would get even loopback's calls
    ("grpc.initial_reconnect_backoff_ms", 50),  # a server that starts is asked until it answers
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),  # a port may have belonged to a server that is gone
)


def open_channel(address: str) -> grpc.Channel:
    """A channel without TLS, without a limit on what it receives."""
    return grpc.insecure_channel(address, options=_OPTIONS)


def call(
    channel: grpc.Channel, path: str, request: Message, response: type[Response], seconds: float = ANSWER_SECONDS
) -> Response:
    """One unary call, by its path. Raises `grpc.RpcError`, at once where nobody listens."""
    method = METHOD[path]
    answer = channel.unary_unary(
        method.path, request_serializer=method.request.SerializeToString, response_deserializer=response.FromString
    )
    return cast(Response, answer(request, timeout=seconds))


def status(channel: grpc.Channel, seconds: float = ANSWER_SECONDS) -> messages.StatusResponse:
    """Maintenance.Status: the version, and who leads. Raises `grpc.RpcError`."""
    return call(channel, "/etcdserverpb.Maintenance/Status", messages.StatusRequest(), messages.StatusResponse, seconds)


def member_names(channel: grpc.Channel, seconds: float) -> list[str]:
    """The names of the cluster's members. Raises `grpc.RpcError`."""
    path = "/etcdserverpb.Cluster/MemberList"
    members = call(channel, path, messages.MemberListRequest(), messages.MemberListResponse, seconds).members
    return [member.name for member in members]


def version_when_ready(address: str, name: str, is_alive: Callable[[], bool]) -> str | None:
    """Wait until the member called `name` leads at `address`, and return its version.

    None where it dies first, or takes more than `READY_SECONDS`. The name matters: where another process
    took the port in the meantime, and is an etcd too, its answers must not be taken for ours.
    """
    end = time.monotonic() + READY_SECONDS
    with open_channel(address) as channel:
        while time.monotonic() < end and is_alive():
            try:
                answer = status(channel, seconds=0.5)
                if answer.leader and name in member_names(channel, seconds=0.5):
                    return answer.version
            except grpc.RpcError:
                pass
            time.sleep(0.02)
    return None


def explain(error: grpc.RpcError) -> str:
    """A failed call in a few words: its code and the server's message."""
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error)
