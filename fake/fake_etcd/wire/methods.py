"""The table of etcd's methods, from which client stubs and server handlers are both derived.

It is read from the services that `etcd.proto` declares; only the proto package that a peer
sees in a method's path is added here.
"""

from dataclasses import dataclass

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from fake_etcd.wire import messages

_PACKAGES = {"Lock": "v3lockpb", "Election": "v3electionpb", "Health": "grpc.health.v1"}
_DEFAULT_PACKAGE = "etcdserverpb"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of etcd's API, as gRPC knows it."""

    service: str
    """The service with its proto package, as in `etcdserverpb.KV`."""
    name: str
    """The method's name, as in `Range`."""
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool

    @property
    def path(self) -> str:
        """The path of a call, as in `/etcdserverpb.KV/Range`."""
        return f"/{self.service}/{self.name}"


METHODS: tuple[Method, ...] = tuple(
    Method(
        service=f"{_PACKAGES.get(service.name, _DEFAULT_PACKAGE)}.{service.name}",
        name=method.name,
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )
    for service in messages.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)
"""Every method of etcd 3.7's client API and of its health service, in the order of `etcd.proto`."""

METHOD: dict[str, Method] = {method.path: method for method in METHODS}
"""The same by path."""
