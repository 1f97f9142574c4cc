"""What gRPC for Go, and not etcd, says to a request that etcd never sees. Measured on 3.4.23, 3.5.30, 3.6.16, 3.7.3."""

from typing import Any

from google.protobuf.message import DecodeError
from grpc import StatusCode

from fake_etcd.errors import EtcdError, frame_too_large, unknown_method
from fake_etcd.quirks import Quirks
from fake_etcd.wire.methods import METHODS, Method

_SERVICES = frozenset(method.service for method in METHODS)


def decode(method: Method, data: bytes, quirks: Quirks, limit: int) -> Any:
    """The message that a method's request is.

    gogo/protobuf names a dozen reasons why data is none; this is the one for data that is cut off.
    """
    if len(data) > limit:
        raise frame_too_large(len(data), limit)
    try:
        return method.request.FromString(data)
    except DecodeError:
        reason = "proto: cannot parse invalid wire-format data" if quirks.decoded_by_protobuf else "unexpected EOF"
    if not (method.client_streaming or method.server_streaming):
        message = f"grpc: error unmarshalling request: {reason}"
    elif quirks.stream_decode_error_has_colon:
        message = f"grpc: failed to unmarshal the received message: {reason}"
    else:
        message = f"grpc: failed to unmarshal the received message {reason}"
    raise EtcdError(StatusCode.INTERNAL, message)


def unknown(path: str) -> EtcdError:
    """The answer to a path that is no method's."""
    service, slash, _ = path.removeprefix("/").rpartition("/")
    if not slash:
        return EtcdError(StatusCode.UNIMPLEMENTED, f'malformed method name: "{path}"')
    if service not in _SERVICES:
        return EtcdError(StatusCode.UNIMPLEMENTED, f"unknown service {service}")
    return unknown_method(path)
