"""A specimen is a fake that lies on purpose, in one named way, to prove that the suite finds it."""

from collections.abc import Callable
from typing import cast

from etcd_lockstep.specimens import (
    attachment,
    auth,
    history,
    lease,
    lock,
    read,
    revision,
    slot_mock,
    time,
    txn,
    watch,
    whole_mocks,
    write,
)
from etcd_lockstep.target import Target, is_target_class

FAMILIES = (read, write, revision, txn, lease, attachment, time, watch, lock, auth, history)
"""The modules of specimens that have one lie each."""

WHOLE_MOCKS = (slot_mock, whole_mocks)
"""The modules of whole mocks, which have many."""

SPECIMENS: dict[str, Callable[[], Target]] = {
    kind.name: cast(Callable[[], Target], kind)
    for module in (*FAMILIES, *WHOLE_MOCKS)
    for kind in vars(module).values()
    if is_target_class(kind) and kind.__module__ == module.__name__ and "name" in vars(kind)
}
"""Every specimen by its name: each class of those modules that has one of its own."""

__all__ = ["FAMILIES", "SPECIMENS", "WHOLE_MOCKS"]
