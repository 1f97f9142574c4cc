"""What differs between versions of etcd: one row a quirk, with the first version that has it.

Nothing else in the model asks which version it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

DEFAULT_VERSION = "3.5.16"


@dataclass(frozen=True, slots=True)
class Quirks:
    """Which behaviours a version has."""

    sort_options_validated: bool
    """An unknown sort order or target is refused (etcd server/etcdserver/api/v3rpc/key.go, checkRangeRequest)."""
    txn_checked_in_order: bool
    """A txn's puts and ranges are checked in the order of its operations; before, all puts came first
    (etcd server/etcdserver/txn/txn.go, checkTxn)."""


SINCE: dict[str, tuple[int, int, int]] = {
    "sort_options_validated": (3, 6, 0),
    "txn_checked_in_order": (3, 6, 0),
}
"""The first version with each quirk."""


def parse_version(version: str) -> tuple[int, int, int]:
    """`3.5.16` as numbers, whatever pre-release suffix follows. Raises ValueError for anything else."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version of etcd: expected one like 3.5.16")
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def quirks_of(version: str) -> Quirks:
    """The quirks of a version, given as `3.5.16`."""
    number = parse_version(version)
    return Quirks(**{field.name: number >= SINCE[field.name] for field in fields(Quirks)})
