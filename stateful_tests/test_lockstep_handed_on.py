"""What a target's interface does not hand on is taken for right, and nothing else is."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from etcd_lockstep import Target
from etcd_lockstep.comparing.handed_on import filled_in
from etcd_lockstep.comparing.lockstep import Lockstep
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.deadline import DeadlineTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_model import Operation, Result, Server
from etcd_model import operations as op
from etcd_model.errors import LEASE_NOT_FOUND, Code, Error
from etcd_model.results import KeyValue, PutResult, RangeResult, TxnResult

A, B = KeyValue(b"a", b"1", 2, 3, 2), KeyValue(b"b", b"2", 4, 4, 1)


@pytest.mark.parametrize(
    ("observed", "expected", "paths", "filled"),
    [
        (PutResult(0), PutResult(5, A), {"revision"}, PutResult(5)),
        (PutResult(0), PutResult(5, A), {"revision", "prev_kv"}, PutResult(5, A)),
        (
            RangeResult(0, (KeyValue(b"b", b"2", 0, 4, 0), KeyValue(b"c", b"", 0, 0, 0))),
            RangeResult(5, (A, B), count=2),
            {"kvs.create_revision", "kvs.version"},
            RangeResult(0, (B, KeyValue(b"c", b"", 0, 0, 0))),
        ),
        (RangeResult(0, count=1), RangeResult(5, (A, B), count=2), {"kvs"}, RangeResult(0, (A, B), count=1)),
        (
            TxnResult(0, True, (PutResult(0), RangeResult(0), PutResult(0))),
            TxnResult(5, True, (PutResult(5), RangeResult(5, (A,)))),
            {"responses.revision"},
            TxnResult(0, True, (PutResult(5), RangeResult(5), PutResult(0))),
        ),
        (PutResult(0), LEASE_NOT_FOUND, {"revision"}, PutResult(0)),
        (Error(Code.NOT_FOUND, ""), LEASE_NOT_FOUND, {"message"}, LEASE_NOT_FOUND),
    ],
    ids=["a field", "a whole part", "by key", "all keys", "by place", "of another kind", "a message"],
)
def test_only_what_is_not_handed_on_is_filled_in(
    observed: Result, expected: Result, paths: Collection[str], filled: Result
) -> None:
    assert filled_in(observed, expected, paths) == filled


class Headless(Target):
    """Counts one version too many, and has no headers."""

    name = "headless"

    def reset(self) -> int:
        self.version = 1
        return 1

    def apply(self, operation: Operation) -> Result:
        self.not_handed_on = frozenset({"revision"})
        if isinstance(operation, op.Put):
            self.version += 1
            return PutResult(0)
        self.not_handed_on |= {"count"}
        return RangeResult(0, (KeyValue(b"a", b"", 2, 2, self.version),))


@pytest.mark.parametrize("lockstep", [Lockstep, TimedLockstep])
def test_the_rest_of_an_answer_is_compared(lockstep: type[Lockstep]) -> None:
    target = DeadlineTarget(lambda: CheckedTarget(Headless(), "headless"))
    run = lockstep(ModelTarget(Server()), [target])
    run.start()
    assert run.step(op.Put(b"a")).divergences == ()
    (divergence,) = run.step(op.Range(b"a")).divergences
    assert [(one.field, one.kind) for one in divergence.differences] == [("kvs.version", "too high")]
