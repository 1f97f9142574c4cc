"""What the tables of each service are made of.

Messages are built with all fields by keyword: protobuf leaves zeros off the wire by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import Message

from etcd_model.operations import Operation
from etcd_model.results import Answer

Encoders: TypeAlias = "dict[type[Operation], tuple[str, Callable[[Any], Message]]]"
"""By operation: the path of its method, and what makes the request of it."""

Decoders: TypeAlias = "dict[type[Operation], Callable[[Any], Answer]]"
"""By operation: what makes a result of the response to it."""


class Malformed(Exception):
    """An answer that is no answer of etcd's."""


class NoAnswer(Malformed):
    """The server ended a stream, with the status OK, before it sent the answer."""


MALFORMED_NAMES = frozenset(kind.__name__ for kind in (Malformed, NoAnswer))
"""The names of these exceptions: whoever reads an answer raises them, and not the target."""
