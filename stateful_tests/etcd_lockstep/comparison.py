"""Comparison: where two observations differ, as field paths and kinds of difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from etcd_lockstep.observation import Observation, Raised
from etcd_model.errors import Error
from etcd_model.results import KeyValue, TxnResult


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which a target is not with the others."""

    field: str
    """The field's path, without indices: `kvs.value`, `responses.prev_kv.version`. Where txns are nested, it is
    told like that of the outer one's responses."""
    kind: str
    """`missing`, `unexpected`, `too few`, `too many`, `too low`, `too high`, `different`, `out of order`,
    `refused (…)`, `accepted (…)`, `raised …`."""


def differences(expected: Observation, got: Observation) -> list[Difference]:
    """Every difference, the most telling first: whether there is an answer, what is in it, its header last."""
    if expected == got:
        return []
    match expected, got:
        case _, Raised():
            return [Difference("answer", f"raised {got.exception}")]
        case Raised(), _:
            return [Difference("answer", "answered")]
        case Error(), Error():
            return [
                Difference(f"error.{name}", "different")
                for name in ("code", "message")
                if getattr(expected, name) != getattr(got, name)
            ]
        case Error(), _:
            return [Difference("error", f"accepted ({expected.message})")]
        case _, Error():
            return [Difference("error", f"refused ({got.message})")]
        case _ if type(expected) is not type(got):
            return [Difference("answer", "of another operation")]
        case _:
            return sorted(set(_compare_fields("", expected, got)), key=_rank)


_LEAST_TELLING = ("lease", "version", "create_revision", "mod_revision", "revision")


def _rank(difference: Difference) -> tuple[int, int, str, str]:
    last = difference.field.rpartition(".")[2]
    telling = _LEAST_TELLING.index(last) + 1 if last in _LEAST_TELLING else 0
    return telling, difference.field.count("."), difference.field, difference.kind


def _compare_fields(prefix: str, expected: object, got: object) -> Iterator[Difference]:
    """Field by field; both are of one dataclass."""
    found = [
        difference
        for field in fields(expected)  # type: ignore[arg-type]  # any of our frozen dataclasses
        for difference in _compare_values(prefix + field.name, getattr(expected, field.name), getattr(got, field.name))
    ]
    if any(d.field == f"{prefix}succeeded" for d in found):
        # The other branch was taken: all else differs because of that.
        found = [d for d in found if d.field == f"{prefix}succeeded"]
    other_keys = any(d.field == f"{prefix}kvs" and d.kind in ("missing", "unexpected") for d in found)
    for difference in found:
        if not (other_keys and difference.field in (f"{prefix}count", f"{prefix}more")):  # which follow from it
            yield difference


def _compare_values(path: str, expected: object, got: object) -> Iterator[Difference]:
    match expected, got:
        case _ if expected == got:
            return
        case tuple(), tuple() if path.endswith("kvs"):
            yield from _compare_kvs(path, expected, got)
        case tuple(), tuple() if path.endswith("responses"):
            yield from _compare_responses(path, expected, got)
        case tuple(), tuple():
            if set(expected) - set(got):
                yield Difference(path, "missing")
            if set(got) - set(expected):
                yield Difference(path, "unexpected")
            if set(got) == set(expected):
                yield Difference(path, "different")
        case KeyValue(), KeyValue():
            yield from _compare_fields(f"{path}.", expected, got)
        case _:
            last = path.rpartition(".")[2]
            yield Difference(
                path, "different" if last == "value" else _kind(expected, got, sized=last not in ("id", "lease"))
            )


def _kind(expected: object, got: object, *, sized: bool) -> str:
    """An absent field of a message reads as zero. A lease's id has no size: it is a name."""
    if not got:
        return "missing"
    if not expected:
        return "unexpected"
    if sized and type(expected) is int and type(got) is int:
        return "too low" if got < expected else "too high"
    return "different"


def _compare_kvs(path: str, expected: Sequence[KeyValue], got: Sequence[KeyValue]) -> Iterator[Difference]:
    """Key by key: a list that lacks one is not a list in which all that follow differ."""
    by_key = {kv.key: kv for kv in got}
    wanted = {kv.key for kv in expected}
    if wanted - by_key.keys():
        yield Difference(path, "missing")
    if by_key.keys() - wanted or len(by_key) != len(got):
        yield Difference(path, "unexpected")
    common = [kv.key for kv in expected if kv.key in by_key]
    if common != [kv.key for kv in got if kv.key in wanted]:
        yield Difference(path, "out of order")
    for kv in expected:
        if kv.key in by_key:
            yield from _compare_fields(f"{path}.", kv, by_key[kv.key])


def _compare_responses(path: str, expected: Sequence[object], got: Sequence[object]) -> Iterator[Difference]:
    if len(expected) != len(got):
        yield Difference(path, "missing" if not got else "too few" if len(got) < len(expected) else "too many")
    for one, other in zip(expected, got, strict=False):
        if type(one) is not type(other):
            yield Difference(path, "of another operation")
        elif isinstance(one, TxnResult):
            for difference in _compare_fields(f"{path}.", one, other):
                yield Difference(difference.field.replace("responses.responses", "responses"), difference.kind)
        else:
            yield from _compare_fields(f"{path}.", one, other)
