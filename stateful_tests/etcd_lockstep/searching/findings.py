"""Findings: classes of divergences, each with its shortest trace.

A finding is identified by its *failure signature* (which target's answer, to which operation, in which
field, with which kind of difference) and by the *pattern* of its shortest trace: the operations, each with
the options that it uses. Both together are its fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from etcd_lockstep.comparing.comparison import Difference
from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.names import name_of, operation_name, spelled
from etcd_lockstep.strategies.simplify import nature
from etcd_lockstep.trace import AuthRevision, Symbol, Trace
from etcd_model import operations as op
from etcd_model.errors import PERMISSION_DENIED
from etcd_model.operations import Operation
from etcd_model.ranges import FROM_KEY

SEEN_ONCE = "seen once, and not again"
"""The note of a finding that its own trace did not show when it was run again."""

DIED = Difference("answer", "died")
"""What a target that died of an operation shows."""

_KV_FIELDS = frozenset({"create_revision", "mod_revision", "version", "lease", "value"})
_KVS = ("kv", "kvs")

NUMBERS = frozenset({"create_revision", "mod_revision", "version", "lease"})
"""The fields of a key-value that etcd fills in by itself."""


def is_key_value(path: str) -> bool:
    """Whether the path of a field leads to a key-value, or to several."""
    return path.rpartition(".")[2] in ("kv", "kvs", "prev_kv", "prev_kvs")


SUBJECTS = frozenset({"key", "ttl", "seconds", "stream", "name", "password", "user", "role", "target_id", "leader"})
"""What an operation is about: no option of it."""

_SPELLED = frozenset({"filters", "perm_type", "action", "alarm"})
"""Options of which each value is another one."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What is seen of a lie."""

    target: str
    operation: str
    field: str
    kind: str

    def __str__(self) -> str:
        return f"{self.operation} {self.field} {self.kind}"

    @property
    def stands_alone(self) -> bool:
        """Whether the signature alone is the lie, whatever the trace: a field that is never filled, or a request
        that should have been refused and was not. But permission is denied, or not, for many a reason."""
        if self.field == "error" and PERMISSION_DENIED.message in self.kind:
            return False
        return self.operation == "*" or self.field in ("answer", "error", "responses")


_ANSWERED_BY = {
    "kvs": "range",
    "count": "range",
    "more": "range",
    "prev_kv": "put",
    "deleted": "delete_range",
    "prev_kvs": "delete_range",
}


def signature(target: str, operation: Operation, difference: Difference) -> Signature:
    """The signature of one difference in the answer to an operation.

    A field that a target never fills is one lie, not one for each operation that carries it; and a read in a txn
    lies like a read of its own.
    """
    name, field = name_of(operation), difference.field
    container, _, last = field.rpartition(".")
    if difference.kind == "missing" and last == "revision":
        return Signature(target, "*", "header.revision", "missing")
    if difference.kind == "missing" and last in _KV_FIELDS - {"value"} and container.endswith(_KVS):
        return Signature(target, "*", f"kv.{last}", "missing")
    inner = field.removeprefix("responses.")
    return Signature(target, _ANSWERED_BY.get(inner.partition(".")[0], name), inner, difference.kind)


@lru_cache(maxsize=4096)
def features(operation: Operation) -> frozenset[str]:
    """The options that an operation uses, and for a txn what is in it."""
    return frozenset(_features(operation))


def number_of_features(operation: Operation) -> int:
    """How many options an operation uses, each as often as a txn has it."""
    return sum(1 for _ in _features(operation))


def _features(operation: Operation | op.Compare | op.Permission | op.Claims) -> Iterator[str]:
    match operation:
        case op.As():
            if operation.certificate:
                yield "certificate"
            if operation.claims is not None:
                yield from _features(operation.claims)
            elif operation.token or not operation.certificate:
                yield "token" if isinstance(operation.token, Symbol) else "unknown_token"
            if operation.scheme:
                yield "scheme"
            if operation.authorization:
                yield "authorization"
            yield from _features(operation.operation)
            return
        case op.Txn():
            for compare in operation.compare:
                yield from (f"compare.{feature}" for feature in _features(compare))
            for branch in ("success", "failure"):
                for request in getattr(operation, branch):
                    name = f"{branch}.{operation_name(type(request))}"
                    yield name
                    yield from (f"{name}.{feature}" for feature in _features(request))
            return
        case op.Claims():
            yield "claims"
            yield from (flaw for flaw in ("expired", "forged") if getattr(operation, flaw))
            if operation.revision != AuthRevision():
                yield "other revision"
            return
        case op.Compare():
            yield op.CompareTarget(operation.target).name
            if operation.range_end:
                yield "range_end"
            return
        case op.WatchCancel():
            return
        case op.Put(lease=0):
            yield "no lease"
        case op.RoleGrantPermission(perm=op.Permission() as perm):
            yield from _features(perm)
            return
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name == "range_end" and value:
            yield "range_end"
            if value == FROM_KEY:
                yield "from_key"
        elif field.name == "meanwhile" and value is not None:
            yield f"meanwhile.{operation_name(type(value))}"
        elif field.name == "value" and value:
            yield from nature(value)
        elif field.name in _SPELLED:
            yield from spelled(type(operation), field.name, value)
        elif field.name not in SUBJECTS and value:
            yield field.name


def compares_a_range(operation: Operation) -> bool:
    """Whether it is a txn that compares the keys of a range."""
    return "compare.range_end" in features(operation)


def comparing_keys(operation: Operation) -> Operation:
    """The same operation, with compares of the first key of each range alone."""
    match operation:
        case op.As():
            return replace(operation, operation=comparing_keys(operation.operation))
        case op.Txn() if compares_a_range(operation):
            return replace(operation, compare=tuple(replace(compare, range_end=b"") for compare in operation.compare))
    return operation


@dataclass(frozen=True, slots=True)
class Pattern:
    """The operations of a trace, each by its name and the features it uses."""

    steps: tuple[tuple[str, frozenset[str]], ...]

    def __str__(self) -> str:
        return ", ".join(map(_reported, self.steps))


def _reported(step: tuple[str, frozenset[str]]) -> str:
    name, used = step
    options = " ".join(sorted(option for option in used if not option.endswith("no lease")))
    return f"{name}({options})" if options else name


def pattern(trace: Trace) -> Pattern:
    """The pattern of a trace."""
    return Pattern(tuple((name_of(operation), features(operation)) for operation in trace))


def fingerprint(seen: Signature, trace: Trace) -> str:
    """Stable from run to run: the failure signature, and the pattern of the shortest trace."""
    return f"{seen} after {pattern(trace)}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One class of divergences, with the shortest trace that shows it at its last step. `str` of it is the report."""

    signature: Signature
    trace: Trace
    answers: Mapping[str, Observation]
    """What each target answered to the last operation; a target that died has no answer."""
    differences: tuple[Difference, ...]
    note: str = ""
    """Why the trace is not shrunk, where it isn't; for a target that died, its last words."""
    quirk: str = ""
    """The known quirk of etcd's releases that it shows, by its name in `etcd_model.Quirks`; or empty."""
    etcd: str = ""
    """The version of the real etcd that took part; empty where none did."""
    over_quota: bool = False
    """Whether it was found on a server that is over its quota from the start."""
    tokens: str = ""
    """The kind of the tokens, `simple` or `jwt`, of the server with TLS and clients' certificates that it was found on;
    empty where it was another."""

    @property
    def odd_one_out(self) -> str:
        """The name of the target that differs from the others."""
        return self.signature.target

    @property
    def is_about_an_etcd(self) -> bool:
        """Whether one etcd differs from another."""
        return bool(self.etcd) and self.odd_one_out.startswith("etcd ")

    @property
    def fingerprint(self) -> str:
        """Stable from run to run: the failure signature, and the pattern of the shortest trace."""
        return fingerprint(self.signature, self.trace)

    def __str__(self) -> str:
        from etcd_lockstep.reporting.finding_text import (
            report_text,  # which is about findings: imported first, it would need this module
        )

        return report_text(self)


class DivergenceFound(AssertionError):
    """The target, or one of the references, answers otherwise than the others. Its text is the report.

    `below`: what the report is followed by, where something is.
    """

    def __init__(self, finding: Finding, below: str = "") -> None:
        super().__init__(f"\n\n{finding}\n" + (below and f"\n{below}"))
        self.finding = finding
