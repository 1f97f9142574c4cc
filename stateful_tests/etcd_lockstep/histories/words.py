"""Bytes and answers as they stand in the sentences of violations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from etcd_model.errors import Error
from etcd_model.results import DeleteRangeResult, KeyValue, PutResult, RangeResult, TxnResult

_LONGEST = 40
_LONGEST_ANSWER = 160
_MOST_KEYS = 4


def quoted(value: bytes) -> str:
    """`"a"`, `"a\\x00"`; of a long one, the beginning."""
    shown = value if len(value) <= _LONGEST else value[:_LONGEST]
    text = repr(shown)[2:-1].replace('"', '\\"')
    return f'"{text}"' if shown is value else f'"{text}…" ({len(value)} bytes)'


def answer_in_words(answer: Any) -> str:
    """An answer without its revision, in a few words: its call is shown in full elsewhere."""
    said = _in_words(answer, _briefly)
    return said if len(said) <= _LONGEST_ANSWER else f"{said[:_LONGEST_ANSWER]}…"


def two_answers_in_words(one: Any, other: Any) -> tuple[str, str]:
    """Two answers that differ, in as few words as tell them apart."""
    said = answer_in_words(one), answer_in_words(other)
    return said if said[0] != said[1] else (_in_words(one, _in_full), _in_words(other, _in_full))


def _in_words(answer: Any, keys: Callable[[Sequence[KeyValue]], str]) -> str:
    match answer:
        case Error(message=message):
            return f'the error "{message}"'
        case RangeResult(kvs=kvs, count=count):
            return keys(kvs) if kvs else f"no keys, count: {count}" if count else "no keys"
        case PutResult(prev_kv=previous):
            return "no prev_kv" if previous is None else f"prev_kv: {keys((previous,))}"
        case DeleteRangeResult(deleted=deleted, prev_kvs=previous):
            return f"deleted: {deleted}" + (f", prev_kvs: {keys(previous)}" if previous else "")
        case TxnResult(succeeded=succeeded, responses=responses):
            inner = "; ".join(_in_words(response, keys) for response in responses)
            return f"succeeded: {str(succeeded).lower()}" + (f" ({inner})" if inner else "")
        case _:
            said = [f"{one.name}: {getattr(answer, one.name)}" for one in fields(answer) if one.name != "revision"]
            return ", ".join(said) or "nothing but its revision"


def _briefly(kvs: Sequence[KeyValue]) -> str:
    shown = ", ".join(f"{quoted(kv.key)} = {quoted(kv.value)} (mod {kv.mod_revision})" for kv in kvs[:_MOST_KEYS])
    return shown + (", …" if len(kvs) > _MOST_KEYS else "")


def _in_full(kvs: Sequence[KeyValue]) -> str:
    return ", ".join(
        f"{quoted(kv.key)} = {quoted(kv.value)} (create {kv.create_revision}, mod {kv.mod_revision}, "
        f"version {kv.version}, lease {kv.lease})"
        for kv in kvs
    )
