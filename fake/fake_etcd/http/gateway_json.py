"""The JSON of the gateway (grpc-gateway: runtime/handler.go, errors.go, marshal_jsonpb.go; protobuf's mapping to JSON).

Field names are etcd's own in answers, in requests also in camelCase; bytes are in base64, 64-bit numbers are strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NoReturn

from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode

_HTTP_STATUS = {
    StatusCode.OK: 200,
    StatusCode.CANCELLED: 408,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
}
"""grpc-gateway: runtime/errors.go HTTPStatusFromCode; all others are 500."""

_EXPECTED = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
}
"""In Python's words, in Go's."""


class NotJsonError(ValueError):
    """A body is no request."""


def http_status(code: StatusCode) -> int:
    """The status of an answer with an error."""
    return _HTTP_STATUS.get(code, 500)


def requests_in(body: bytes, request: type[Message]) -> Iterator[bytes]:
    """The requests of a body, JSON after JSON, each encoded as gRPC has it; NotJsonError at one that is none."""
    text = body.decode("utf-8", "replace").lstrip()
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except json.JSONDecodeError as error:
            raise NotJsonError(_in_the_words_of_go(error, text)) from error
        except RecursionError:
            raise NotJsonError("exceeded max depth") from None
        yield _encoded(value, request)
        text = text[end:].lstrip()


def rendered(response: Message) -> dict[str, Any]:
    """An answer as JSON has it; what has its default value is left out."""
    return json_format.MessageToDict(response, preserving_proto_field_name=True)


def to_bytes(value: object) -> bytes:
    """Compact JSON. Some releases of Go's put spaces between its parts, at random."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def error_of(code: StatusCode, message: str, *, v2: bool) -> dict[str, Any]:
    """The body of an answer that is an error, as grpc-gateway's major version has it."""
    number = code.value[0]
    return {"code": number, "message": message} if v2 else {"error": message, "code": number, "message": message}


def stream_error_of(code: StatusCode, message: str, *, v2: bool) -> dict[str, Any]:
    """The last line of a stream that ends with an error."""
    if v2:
        return {"error": {"code": code.value[0], "message": message}}
    status = http_status(code)
    return {
        "error": {
            "grpc_code": code.value[0],
            "http_code": status,
            "message": message,
            "http_status": HTTPStatus(status).phrase,
        }
    }


def _encoded(value: object, request: type[Message]) -> bytes:
    if not isinstance(value, dict):
        raise NotJsonError("a request is a JSON object")
    try:
        return json_format.ParseDict(value, request(), ignore_unknown_fields=True).SerializeToString()
    except json_format.ParseError as error:
        raise NotJsonError(str(error)) from error


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"invalid character '{name[0]}' looking for beginning of value")


def _in_the_words_of_go(error: json.JSONDecodeError, text: str) -> str:
    """Go: encoding/json scanner.go."""
    if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    expected = _EXPECTED.get(error.msg, "in string literal")
    return f"invalid character '{text[error.pos]}' {expected}"
