"""Targets whose first revision is any number, and targets whose `reset` does not do what it must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etcd_lockstep import find_divergences
from etcd_lockstep.searching.reset_check import UnfitTarget
from etcd_lockstep.target import ALL, Target, TargetDied
from etcd_lockstep.targets.checked import CheckedTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_model import Operation, Result, Server
from etcd_model import operations as op
from etcd_model.results import KeyValue


class Shifted(Target):
    """The model, whose revisions are counted from another number."""

    capabilities = frozenset({"put", "range", "delete_range", "compact"})
    first = 0

    def __init__(self) -> None:
        self.model = ModelTarget(Server())

    def reset(self) -> Any:
        self.model.reset()
        return self.first

    def apply(self, operation: Operation) -> Result:
        by = self.first - 1
        if isinstance(operation, op.Range | op.Compact) and operation.revision > 0:
            operation = replace(operation, revision=operation.revision - by)
        if isinstance(operation, op.Range):
            for name in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
                if getattr(operation, name) > 0:
                    operation = replace(operation, **{name: getattr(operation, name) - by})
        answer: Result = shifted(self.model.apply(operation), by)
        return answer


def shifted(value: Any, by: int) -> Any:
    """An answer with all of its revisions moved."""
    if isinstance(value, tuple):
        return tuple(shifted(one, by) for one in value)
    if isinstance(value, KeyValue):
        return replace(value, create_revision=value.create_revision + by, mod_revision=value.mod_revision + by)
    changed = {
        name: shifted(getattr(value, name), by) for name in ("kvs", "prev_kv", "prev_kvs") if hasattr(value, name)
    }
    if changed or hasattr(value, "revision"):
        return replace(value, revision=value.revision + by, **{k: v for k, v in changed.items() if v is not None})
    return value


@pytest.mark.parametrize("first", [0, 1, 5])
def test_a_store_may_count_its_revisions_from_any_number(first: int) -> None:
    target = type("CountsFrom", (Shifted,), {"name": f"from-{first}", "first": first})
    assert find_divergences(target, etcd="none", examples=60, seed=1) == []


class Leaves(Target):
    """The model, of which `reset` leaves something."""

    name = "leaves"
    capabilities = ALL

    def __init__(self) -> None:
        self.model = ModelTarget(Server())
        self.model.reset()

    def reset(self) -> int | None:
        return None

    def apply(self, operation: Operation) -> Result:
        return self.model.apply(operation)


@pytest.mark.parametrize(
    ("knows", "left"),
    [
        ({"range", "put"}, r"keys \(b'a'\)"),
        ({"lease_grant", "lease_leases"}, "a lease"),
        ({"user_add", "user_list"}, r"users \(u\)"),
        ({"range", "put", "lease_grant", "lease_leases"}, r"keys \(b'a'\) and a lease"),
    ],
)
def test_what_a_reset_leaves_ends_the_run_before_it_begins(knows: set[str], left: str) -> None:
    target = type("Leaves", (Leaves,), {"capabilities": frozenset(knows)})
    with pytest.raises(UnfitTarget, match=rf"leaves: its reset\(\) leaves {left}: it has to empty the store"):
        find_divergences(target, etcd="none", examples=1)


@pytest.mark.parametrize("returned", [-1, True, "3"])
def test_a_reset_that_returns_no_revision_is_refused(returned: object) -> None:
    target = type("Wrong", (Shifted,), {"name": "wrong", "first": 1, "reset": lambda _self: returned})
    with pytest.raises(TargetDied, match=r"its reset\(\) returned .*, and should return a revision or None"):
        CheckedTarget(target(), "wrong").reset()
