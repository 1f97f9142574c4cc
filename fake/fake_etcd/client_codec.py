"""What a client's channel makes of messages: bytes of the client's own classes, or the wire's own as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fake_etcd.engine import Engine
from fake_etcd.wire.methods import METHOD

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class ClientCodec:
    """The codec of one method of a client's."""

    def __init__(self, path: str, serialize: Serializer | None, deserialize: Deserializer | None) -> None:
        self.path = path
        self._serialize = serialize
        self._deserialize = deserialize
        method = METHOD.get(path)
        self._request_class = method.request if method else None
        self._answers_as_is = method is not None and deserialize == method.response.FromString

    def encode(self, request: Any, engine: Engine) -> Any:
        """A client's request as the wire's own message."""
        if self._request_class is None or type(request) is self._request_class:
            return request
        return engine.decode(self.path, self.to_bytes(request))

    def decode(self, response: Any) -> Any:
        """The wire's own message as what the client wants."""
        return response if self._answers_as_is else self.from_bytes(response.SerializeToString())

    def to_bytes(self, request: Any) -> bytes:
        """A client's request as it goes over a network."""
        data: bytes = self._serialize(request) if self._serialize else request
        return data

    def from_bytes(self, data: bytes) -> Any:
        """An answer as the client wants it, from what would come over a network."""
        return self._deserialize(data) if self._deserialize else data
