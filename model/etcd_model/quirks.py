"""What differs between versions of etcd: one row a quirk, with the first version that has it.

Nothing else in the model asks which version it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

DEFAULT_VERSION = "3.5.16"


SINCE: dict[str, tuple[str, ...]] = {
    "sort_options_validated": ("3.6.0",),
    "txn_checked_in_order": ("3.6.0",),
    "txn_put_checks_lease_first": ("3.7.0",),
    "keys_only_leaves_out_lease": ("3.7.0",),
    "compaction_keeps_tombstones": ("3.4.34", "3.5.16", "3.6.0"),
}
"""The first version with each quirk, in every line of releases that got it."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Which behaviours a version has."""

    sort_options_validated: bool
    """An unknown sort order or target is refused (etcd server/etcdserver/api/v3rpc/key.go, checkRangeRequest)."""
    txn_checked_in_order: bool
    """A txn's puts and ranges are checked in the order of its operations; before, all puts came first
    (etcd server/etcdserver/txn/txn.go, checkTxn)."""
    txn_put_checks_lease_first: bool
    """A put in a txn looks for its lease before it looks for its key, as a put of its own does in every version.
    Measured on 3.7.3."""
    keys_only_leaves_out_lease: bool
    """The keys of a keys_only read carry no lease, unless they are sorted by value. Measured on 3.7.3."""
    compaction_keeps_tombstones: bool
    """A tombstone at the revision of a compaction survives it; a put of the same key in the same revision does not,
    and the server dies when the key is read (etcd server/storage/mvcc/key_index.go, doCompact).
    Measured on 3.5.16, 3.5.30, 3.6.16 and 3.7.3."""


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
    return Quirks(**{field.name: _has(number, SINCE[field.name]) for field in fields(Quirks)})


def _has(version: tuple[int, int, int], since: tuple[str, ...]) -> bool:
    """A line of releases that got it has its own first version; a line newer than all of these has it too."""
    firsts = {first[:2]: first for first in map(parse_version, since)}
    first = firsts.get(version[:2])
    return version >= first if first else version[:2] > max(firsts)
