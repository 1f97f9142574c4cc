"""A trace as a shell script of etcdctl commands, as far as etcdctl has words for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from etcd_lockstep.searching.findings import Finding
from etcd_lockstep.trace import LeaseOf, RevisionAt, Symbol, symbols
from etcd_model import operations as op
from etcd_model.ranges import FROM_KEY


class _NoWords(Exception):
    """etcdctl has no command or no flag for this."""


def etcdctl_snippet(finding: Finding) -> str | None:
    """The commands, for an empty server at the default endpoint; None where etcdctl can't express a step."""
    revisions = {
        symbol.step for operation in finding.trace for symbol in symbols(operation) if isinstance(symbol, RevisionAt)
    }
    lines = ["# etcdctl 3.5 or newer, and an empty server, which this writes to"]
    try:
        for step, operation in enumerate((None, *finding.trace)):
            if operation is not None:
                lines.append(_command(step, operation))
            if step in revisions:
                lines.append(f"revision{step}=$(etcdctl get --write-out=fields x | {_REVISION})")
    except _NoWords:
        return None
    return "\n".join(lines) + "\n"


_REVISION = """awk -F' : ' '$1 == "\\"Revision\\"" {print $2}'"""


def _command(step: int, operation: op.Operation) -> str:
    match operation:
        case op.Txn():
            return _txn(operation)
        case op.LeaseGrant(id=0):
            return f"lease{step}=$(etcdctl lease grant {operation.ttl} | awk '{{print $2}}')"
        case op.LeaseRevoke():
            return f"etcdctl lease revoke {_lease(operation.id)}"
        case op.LeaseKeepAlive():
            return f"etcdctl lease keep-alive --once {_lease(operation.id)}"
        case op.LeaseTimeToLive():
            return f"etcdctl lease timetolive {_lease(operation.id)}{' --keys' if operation.keys else ''}"
        case op.LeaseLeases():
            return "etcdctl lease list"
        case op.Compact():
            return f"etcdctl compact {_number(operation.revision)}{' --physical' if operation.physical else ''}"
        case op.Advance():
            return f"sleep {operation.seconds}"
        case op.RangeStream():
            raise _NoWords
        case op.Put() | op.Range() | op.DeleteRange():
            return f"etcdctl {' '.join(_words(operation))}"
        case _:
            raise _NoWords


_FLAGS: Mapping[str, str] = {
    "prev_kv": "--prev-kv",
    "ignore_value": "--ignore-value",
    "ignore_lease": "--ignore-lease",
    "serializable": "--consistency=s",
    "keys_only": "--keys-only",
    "count_only": "--count-only --write-out=fields",
}
_VALUES: Mapping[str, str] = {"limit": "--limit", "revision": "--rev", "lease": "--lease"}
_ORDERS = {op.SortOrder.ASCEND: "ASCEND", op.SortOrder.DESCEND: "DESCEND"}
_SORTED_BY = {
    op.SortTarget.KEY: "KEY",
    op.SortTarget.VERSION: "VERSION",
    op.SortTarget.CREATE: "CREATE",
    op.SortTarget.MOD: "MODIFY",
    op.SortTarget.VALUE: "VALUE",
}


def _words(operation: op.Put | op.Range | op.DeleteRange) -> Iterator[str]:
    yield {op.Put: "put", op.Range: "get", op.DeleteRange: "del"}[type(operation)]
    yield from _flags(operation)
    if not operation.key:
        raise _NoWords
    yield "--"
    yield _shell(operation.key)
    if isinstance(operation, op.Put):
        if not operation.ignore_value:
            yield _shell(operation.value)
    elif operation.range_end and operation.range_end != FROM_KEY:
        yield _shell(operation.range_end)


def _flags(operation: op.Put | op.Range | op.DeleteRange) -> Iterator[str]:
    for field in fields(operation):
        held = getattr(operation, field.name)
        if field.name in ("key", "value") or not held:
            continue
        if field.name in _FLAGS:
            yield _FLAGS[field.name]
        elif field.name in _VALUES:
            value = _lease(held) if field.name == "lease" else _number(held)
            yield f"{_VALUES[field.name]}={value}"
        elif field.name == "range_end":
            if held == FROM_KEY:
                yield "--from-key"
        elif field.name == "sort_order" and held in _ORDERS:
            yield f"--order={_ORDERS[held]}"
        elif field.name == "sort_target" and held in _SORTED_BY:
            yield f"--sort-by={_SORTED_BY[held]}"
        else:
            raise _NoWords


_COMPARED = {
    op.CompareTarget.VERSION: "ver",
    op.CompareTarget.CREATE: "c",
    op.CompareTarget.MOD: "m",
    op.CompareTarget.VALUE: "val",
    op.CompareTarget.LEASE: "lease",
}
_RESULTS = {op.CompareResult.EQUAL: "=", op.CompareResult.GREATER: ">", op.CompareResult.LESS: "<"}


def _txn(txn: op.Txn) -> str:
    """Its three parts on standard input, each ended by an empty line (etcdctl's documentation, TXN)."""
    lines = [*map(_compare, txn.compare), "", *map(_in_txn, txn.success), "", *map(_in_txn, txn.failure), ""]
    return "\n".join(["etcdctl txn <<END", *lines, "END"])


def _compare(compare: op.Compare) -> str:
    if compare.range_end or compare.target not in _COMPARED or compare.result not in _RESULTS:
        raise _NoWords
    operand = compare.operand
    if isinstance(operand, bytes):
        value = _plain(operand)
    else:
        value = _lease(operand) if compare.target == op.CompareTarget.LEASE else _number(operand)
    target, result = op.CompareTarget(compare.target), op.CompareResult(compare.result)
    return f'{_COMPARED[target]}("{_plain(compare.key)}") {_RESULTS[result]} "{value}"'


def _in_txn(request: op.RequestOp) -> str:
    if isinstance(request, op.Txn):
        raise _NoWords
    texts = [request.key, getattr(request, "range_end", b""), getattr(request, "value", b"")]
    for text in texts:
        if text != FROM_KEY:
            _plain(text)
    return " ".join(_words(request)).replace("'", '"').replace(" -- ", " ")


def _plain(text: bytes) -> str:
    """Inside the input of a txn, which knows no escapes of bytes."""
    if not all(32 < byte < 127 and byte not in b"\"'\\$`" for byte in text):
        raise _NoWords
    return text.decode()


def _shell(text: bytes) -> str:
    if b"\0" in text:
        raise _NoWords  # no argument of a program may hold it
    if all(32 <= byte < 127 and byte not in b"'" for byte in text):
        return f"'{text.decode()}'"
    return "$'" + "".join(chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in text) + "'"


def _lease(held: int) -> str:
    """etcdctl writes leases in hexadecimal."""
    return f"$lease{held.step}" if isinstance(held, LeaseOf) else f"{held:x}"


def _number(held: int) -> str:
    if isinstance(held, RevisionAt):
        return f"$((revision{held.step}{held.plus:+}))" if held.plus else f"$revision{held.step}"
    if isinstance(held, Symbol):
        raise _NoWords
    return str(held)
