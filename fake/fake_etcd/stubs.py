"""Client stubs: every service of the table of methods, on any channel."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from fake_etcd.wire.methods import METHODS, Method


class Service:
    """One service's methods by etcd's own names: `kv.Range(request)`, `kv.Range.future(request)`."""

    def __init__(self, calls: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(calls)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"etcd has no such method: {name}")


class Stubs:
    """The services of etcd's API, in lower case, as etcd's packages go."""

    kv: Service
    watch: Service
    lease: Service
    cluster: Service
    maintenance: Service
    auth: Service
    lock: Service
    election: Service
    health: Service


def stubs(channel: grpc.Channel | grpc.aio.Channel) -> Stubs:
    """Stubs of every method on a channel: `stubs(channel).kv.Range(messages.RangeRequest(key=b"a"))`.

    On a channel of `grpc.aio`, the calls are awaited.
    """
    calls: dict[str, dict[str, Callable[..., Any]]] = {}
    for method in METHODS:
        service = method.service.rpartition(".")[2].lower()
        calls.setdefault(service, {})[method.name] = bind(channel, method)
    made = Stubs()
    for service, of_service in calls.items():
        setattr(made, service, Service(of_service))
    return made


def bind(channel: grpc.Channel | grpc.aio.Channel, method: Method) -> Callable[..., Any]:
    """One method on a channel, as generated stubs bind it."""
    kinds: dict[tuple[bool, bool], Callable[..., Callable[..., Any]]] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    serialize: Callable[[Message], bytes] = method.request.SerializeToString
    return kinds[method.client_streaming, method.server_streaming](
        method.path, request_serializer=serialize, response_deserializer=method.response.FromString
    )
