"""kine, asked what Kubernetes asks: it answers every other transaction with an error, which would end each sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from etcd_lockstep.targets.served import Served, ServedTarget
from etcd_lockstep.trace import bare
from etcd_model import Operation
from etcd_model import operations as op

_KEY, _MOD = b"k", op.CompareTarget.MOD
_EQUAL = op.CompareResult.EQUAL

TXNS = (
    op.Txn((op.Compare(_KEY, _MOD, _EQUAL, 0),), (op.Put(_KEY, b"v", 1),)),
    op.Txn((op.Compare(_KEY, _MOD, _EQUAL, 1),), (op.Put(_KEY, b"v", 1),), (op.Range(_KEY),)),
    op.Txn((op.Compare(_KEY, _MOD, _EQUAL, 1),), (op.DeleteRange(_KEY),), (op.Range(_KEY),)),
    op.Txn((), (op.Range(_KEY), op.DeleteRange(_KEY))),
)
"""How Kubernetes creates, updates and deletes a key, and how kine deletes one whatever its revision is."""


class Kine(ServedTarget):
    """The program beside this file, built before."""

    txns = TXNS
    _served = Served("kine", (str(Path(__file__).parent / "build" / "kine"),))

    def __init__(self) -> None:
        super().__init__(self._served)

    def can_express(self, operation: Operation) -> bool:
        asked = bare(operation)
        if isinstance(asked, op.Txn) and _form(asked) not in _FORMS:
            return False
        return super().can_express(operation)


def _form(txn: op.Txn) -> op.Txn | None:
    """A transaction on one key, with everything in it that differs from one to the next left out."""
    requests = [part for part in (*txn.success, *txn.failure) if not isinstance(part, op.Txn)]
    keys = {part.key for part in (*txn.compare, *requests)}
    if len(keys) != 1 or len(requests) < len(txn.success) + len(txn.failure):
        return None
    return op.Txn(
        tuple(replace(compare, key=_KEY, operand=bool(compare.operand)) for compare in txn.compare),
        tuple(map(_without_contents, txn.success)),
        tuple(map(_without_contents, txn.failure)),
    )


def _without_contents(part: op.RequestOp) -> op.RequestOp:
    match part:
        case op.Put():
            return replace(part, key=_KEY, value=b"", lease=0)
        case op.Range() | op.DeleteRange():
            return replace(part, key=_KEY)
        case _:
            return part


_FORMS = frozenset(_form(txn) for txn in TXNS)
