"""The control service on a server's port: over gRPC, and as JSON over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from fake_etcd.control.service import Control
from fake_etcd.errors import EtcdError
from fake_etcd.http import Request, Response
from fake_etcd.http.exchange import JSON

if TYPE_CHECKING:
    from fake_etcd.fake import FakeEtcd
    from fake_etcd.server import GrpcServer

_SERVICE = "/fake_etcd.control.Control/"
_HTTP = "/control/"

_STATUS = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.NOT_FOUND: 404,
    StatusCode.FAILED_PRECONDITION: 400,
}
"""As gRPC's gateways have it (grpc-gateway: runtime/errors.go HTTPStatusFromCode)."""

_Answer = Callable[[Any], Message]


def add_control(server: GrpcServer, fake: FakeEtcd) -> None:
    """Have a server that answers for a fake answer for its control too, over HTTP if the server has that."""
    control = Control(fake)
    for name, (kind, answer) in control.methods().items():
        server.answers(_SERVICE + name, partial(_over_grpc, kind, answer))
    if server.has_http:
        server.answers_http(_HTTP, partial(_over_http, control))


def _over_grpc(kind: type[Message], answer: _Answer, data: bytes) -> bytes:
    try:
        request = kind.FromString(data)
    except DecodeError as error:
        raise EtcdError(StatusCode.INVALID_ARGUMENT, f"this is no {kind.DESCRIPTOR.name}") from error
    return answer(request).SerializeToString()


def _over_http(control: Control, request: Request) -> Response:
    name = request.path.removeprefix(_HTTP)
    methods = control.methods()
    if name not in methods:
        return Response.error(404, f"the control service has no method {name!r}: there are {', '.join(methods)}")
    if request.method != "POST":
        return Response.error(405, "Method Not Allowed", ("Allow", "POST"))
    kind, answer = methods[name]
    try:
        message = json_format.Parse(request.body or b"{}", kind())
    except json_format.ParseError as error:
        return _refusal(EtcdError(StatusCode.INVALID_ARGUMENT, str(error)))
    except UnicodeDecodeError:
        return _refusal(EtcdError(StatusCode.INVALID_ARGUMENT, "this is no UTF-8"))
    try:
        return Response(200, json_format.MessageToJson(answer(message), indent=None).encode() + b"\n", JSON)
    except EtcdError as error:
        return _refusal(error)


def _refusal(error: EtcdError) -> Response:
    text = json.dumps({"code": error.code.value[0], "message": error.message})
    return Response(_STATUS.get(error.code, 500), f"{text}\n".encode(), JSON)
