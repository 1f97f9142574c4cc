"""Operations and answers in words: etcd's nouns, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from etcd_lockstep.names import operation_name
from etcd_lockstep.observation import Observation, Raised
from etcd_lockstep.trace import LeaseOf, RevisionAt
from etcd_model.errors import Code, Error
from etcd_model.operations import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseLeases,
    LeaseTimeToLive,
    Operation,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
)
from etcd_model.ranges import FROM_KEY
from etcd_model.results import Answer, KeyValue, ResponseOp, TxnResult

_COMPARISONS = {
    CompareResult.EQUAL: "=",
    CompareResult.GREATER: ">",
    CompareResult.LESS: "<",
    CompareResult.NOT_EQUAL: "≠",
}

NONE = "none"
"""How an absent field reads."""


def quoted(value: bytes) -> str:
    """Bytes as a quoted string: `"a\\x00"`."""
    return '"' + repr(value)[2:-1].replace('"', '\\"') + '"'


def printable(text: str) -> str:
    """Text of somebody else's, with nothing in it that a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def operation_in_words(operation: Operation) -> str:
    """The operation's name and what it asks for, in one line: `put "a" = "1", lease of step 2`."""
    name = operation_name(type(operation))
    match operation:
        case Put():
            value = "" if operation.ignore_value and not operation.value else f" = {quoted(operation.value)}"
            return _join(f"put {quoted(operation.key)}{value}", _options(operation, "key", "value"))
        case Range() | DeleteRange():
            subject = f"{name} {_keys(operation.key, operation.range_end)}"
            return _join(subject, _options(operation, "key", "range_end"))
        case Txn():
            return f"txn {_txn(operation)}"
        case Compact():
            return _join(f"compact {_number(operation.revision)}", _options(operation, "revision"))
        case LeaseGrant():
            return _join(f"lease_grant ttl {operation.ttl}", _options(operation, "ttl"))
        case LeaseTimeToLive():
            return _join(f"{name} {_lease(operation.id)}", _options(operation, "id"))
        case LeaseLeases():
            return name
        case _:
            return f"{name} {_lease(operation.id)}"


def _join(subject: str, options: Iterator[str]) -> str:
    return ", ".join((subject, *options))


def _keys(key: bytes, range_end: bytes) -> str:
    if not range_end:
        return quoted(key)
    if range_end == FROM_KEY:
        return f"from {quoted(key)} on"
    return f"[{quoted(key)}, {quoted(range_end)})"


def _options(operation: Operation, *said: str) -> Iterator[str]:
    """The fields that are set, other than those said already."""
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name in said or value == field.default:
            continue
        match field.name, value:
            case _, True:
                yield field.name
            case "sort_order", order:
                yield f"sort_order {SortOrder(order).name if order in list(SortOrder) else order}"
            case "sort_target", target:
                yield f"sort_target {SortTarget(target).name if target in list(SortTarget) else target}"
            case "lease", lease:
                yield _lease(lease) if isinstance(lease, LeaseOf) else f"lease {lease}"
            case name, number:
                yield f"{name} {_number(number)}"


def _lease(lease: int) -> str:
    return str(lease) if isinstance(lease, LeaseOf) else f"lease {lease}"


def _number(number: int) -> str:
    return f"({number})" if isinstance(number, RevisionAt) else str(number)


def _txn(operation: Txn) -> str:
    condition = " and ".join(map(_compare, operation.compare))
    parts = [f"if {condition}" if condition else ""]
    for word, branch in (("then", operation.success), ("else", operation.failure)):
        if branch:
            parts.append(f"{word} {{{'; '.join(_counted(branch))}}}")
    return " ".join(part for part in parts if part) or "with nothing in it"


def _counted(branch: tuple[Operation, ...]) -> Iterator[str]:
    """Equal neighbours once, with their number."""
    number = 0
    for index, operation in enumerate(branch):
        number += 1
        if index + 1 == len(branch) or branch[index + 1] != operation:
            yield operation_in_words(operation) + (f" × {number}" if number > 1 else "")
            number = 0


def _compare(compare: Compare) -> str:
    known = compare.target in list(CompareTarget) and compare.result in list(CompareResult)
    target = CompareTarget(compare.target).name.lower() if known else f"target {compare.target:d}"
    sign = _COMPARISONS[CompareResult(compare.result)] if known else f"result {compare.result:d}"
    operand = compare.operand
    if isinstance(operand, bytes):
        said = quoted(operand)
    elif compare.target == CompareTarget.LEASE and isinstance(operand, LeaseOf):
        said = f"({operand})"
    else:
        said = _number(operand)
    return f"{target} of {_keys(compare.key, compare.range_end)} {sign} {said}"


def kv_in_words(kv: KeyValue) -> str:
    """`"a" = "1", create 2, mod 3, version 2, lease of step 1`."""
    words = [f"{quoted(kv.key)} = {quoted(kv.value)}"]
    words += [f"create {kv.create_revision}", f"mod {kv.mod_revision}", f"version {kv.version}"]
    if kv.lease:
        words.append(_lease(kv.lease))
    return ", ".join(words)


def answer_fields(answer: Observation) -> dict[str, str]:
    """What an answer says, field by field, in words."""
    match answer:
        case Raised():
            return {"answer": f"raised {answer.exception}\n{printable(answer.message)}".strip()}
        case Error():
            code = Code(answer.code).name if answer.code in list(Code) else f"code {answer.code}"
            return {"answer": f"{code}\n{printable(answer.message)}".strip()}
        case TxnResult(responses=(_, *_)):
            numbered = {f"response {n}": _response(response) for n, response in enumerate(answer.responses, 1)}
            return {name: words for name, words in _fields(answer).items() if name != "responses"} | numbered
        case _:
            return _fields(answer)


def telling(said: Mapping[str, str]) -> dict[str, str]:
    """The fields that say something: in the others nothing was asked for, or nothing found."""
    return {
        name: words for name, words in said.items() if words not in (NONE, "0") and (name, words) != ("more", "false")
    }


def _fields(answer: Answer) -> dict[str, str]:
    return {field.name: _in_words(field.name, getattr(answer, field.name)) for field in fields(answer)}


def _in_words(name: str, value: object) -> str:
    match value:
        case None | ():
            return NONE
        case 0 if name == "revision":
            return NONE
        case KeyValue():
            return kv_in_words(value)
        case tuple():
            return "\n".join(_element(one) for one in value)
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _element(value: object) -> str:
    match value:
        case KeyValue():
            return kv_in_words(value)
        case bytes():
            return quoted(value)
        case int():
            return _lease(value)
        case _:
            return _response(value)  # type: ignore[arg-type]  # there is nothing else in an answer


def _response(response: ResponseOp) -> str:
    """One inside a txn's answer, in one line: `Range: revision 2, kvs ("a" = "", …), count 1`."""
    said = (
        f"{name} ({words})" if name in ("kvs", "prev_kv", "prev_kvs", "responses") else f"{name} {words}"
        for name, words in telling(_fields(response)).items()
    )
    return f"{type(response).__name__.removesuffix('Result')}: {', '.join(said)}".replace("\n", "; ")
