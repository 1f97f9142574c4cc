"""What gRPC for Go, and not etcd, says to a request that etcd never sees. Measured on 3.4.23, 3.5.30, 3.6.16, 3.7.3."""

from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc import StatusCode

from fake_etcd import gogo
from fake_etcd.errors import EtcdError, frame_too_large, unknown_method
from fake_etcd.quirks import Quirks
from fake_etcd.wire.methods import METHODS, Method

_SERVICES = frozenset(method.service for method in METHODS)


INVALID_UTF8 = "string field contains invalid UTF-8"
"""As etcd 3.7 has it. Up to 3.6 it takes such text, and then sends what other decoders than its own refuse."""


def decode(method: Method, data: bytes, quirks: Quirks, limit: int) -> Any:
    """The message that a method's request is.

    A field of another wire type in a message within another one is skipped here; etcd up to 3.6 refuses it.
    """
    if len(data) > limit:
        raise frame_too_large(len(data), limit)
    try:
        message = method.request.FromString(data)
    except DecodeError:
        reason = _reason(method, data, quirks) or INVALID_UTF8
    else:
        if quirks.decoded_by_protobuf or not len(UnknownFieldSet(message)):
            return message
        reason = _reason(method, data, quirks)
        if not reason:
            return message
    if not (method.client_streaming or method.server_streaming):
        text = f"grpc: error unmarshalling request: {reason}"
    elif quirks.stream_decode_error_has_colon:
        text = f"grpc: failed to unmarshal the received message: {reason}"
    else:
        text = f"grpc: failed to unmarshal the received message {reason}"
    raise EtcdError(StatusCode.INTERNAL, text)


def _reason(method: Method, data: bytes, quirks: Quirks) -> str:
    """Why etcd's decoder refuses data; empty where it doesn't."""
    try:
        gogo.check(method.request.DESCRIPTOR, data)
    except gogo.Refused as refused:
        return "proto: cannot parse invalid wire-format data" if quirks.decoded_by_protobuf else str(refused)
    return ""


def unknown(path: str) -> EtcdError:
    """The answer to a path that is no method's."""
    service, slash, _ = path.removeprefix("/").rpartition("/")
    if not slash:
        return EtcdError(StatusCode.UNIMPLEMENTED, f'malformed method name: "{path}"')
    if service not in _SERVICES:
        return EtcdError(StatusCode.UNIMPLEMENTED, f"unknown service {service}")
    return unknown_method(path)
