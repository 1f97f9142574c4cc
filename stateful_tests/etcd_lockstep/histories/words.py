"""Bytes as they stand in the sentences of violations."""

from __future__ import annotations

_LONGEST = 40


def quoted(value: bytes) -> str:
    """`"a"`, `"a\\x00"`; of a long one, the beginning."""
    shown = value if len(value) <= _LONGEST else value[:_LONGEST]
    text = repr(shown)[2:-1].replace('"', '\\"')
    return f'"{text}"' if shown is value else f'"{text}…" ({len(value)} bytes)'
