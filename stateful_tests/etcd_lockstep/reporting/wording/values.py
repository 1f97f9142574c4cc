"""Keys, values, numbers and what else stands in operations and answers, in words."""

from __future__ import annotations

import json

from etcd_lockstep.names import spelled
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model.operations import LeaderKey, Permission
from etcd_model.ranges import FROM_KEY

_QUOTED_WHOLE = 256
"""Bytes up to which a value is reported in full."""


def quoted(value: bytes) -> str:
    """Bytes as a quoted string: `"a\\x00"`. Of very many, the beginning and how many there are."""
    if len(value) > _QUOTED_WHOLE:
        if len(set(value)) == 1:
            return f"{quoted(value[:1])} × {len(value)}"
        return f"{quoted(value[:32])}… ({len(value)} bytes)"
    return '"' + repr(value)[2:-1].replace('"', '\\"') + '"'


def quoted_text(text: str) -> str:
    """A text of etcd's string fields, in one line."""
    return json.dumps(text)


def printable(text: str) -> str:
    """Text of somebody else's, with nothing in it that a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def keys(key: bytes, range_end: bytes) -> str:
    """`"a"`, `["a", "b")`, `from "a" on`."""
    if not range_end:
        return quoted(key)
    if range_end == FROM_KEY:
        return f"from {quoted(key)} on"
    return f"[{quoted(key)}, {quoted(range_end)})"


def lease_in_words(lease: int) -> str:
    """`lease of step 2`, `lease 7`."""
    return str(lease) if isinstance(lease, LeaseOf) else f"lease {lease}"


def number_in_words(number: int) -> str:
    """`7`, `(revision after step 2)`."""
    return f"({number})" if isinstance(number, RevisionAt) else str(number)


def leader_in_words(leader: LeaderKey) -> str:
    """`leader "e/7" of "e", rev 2, lease 7`."""
    said = f"leader {quoted(leader.key)} of {quoted(leader.name)}, rev {number_in_words(leader.rev)}"
    return f"{said}, {lease_in_words(leader.lease)}"


def permission_in_words(permission: Permission) -> str:
    """`READWRITE ["a", "b")`."""
    (kind,) = spelled(Permission, "perm_type", permission.perm_type)
    return f"{kind} {keys(permission.key, permission.range_end)}"
