"""What differs between etcd's releases: one table, and nothing else asks which version it is.

A row names a behaviour and the first release that has it, once per release line that got it (fixes are backported).
A release has the behaviour if it is at or past its own line's entry, or if its line is newer than every entry.
"""

import re
from dataclasses import dataclass

_FIRST_RELEASE: dict[str, tuple[str, ...]] = {
    "sort_options_validated": ("3.6.0",),
    "txn_checked_in_op_order": ("3.6.0",),
    "txn_put_checks_lease_first": ("3.7.0",),
    "keys_only_omits_lease": ("3.7.0",),
    "status_tells_storage": ("3.6.0",),
    "compaction_keeps_its_tombstones": ("3.4.34", "3.5.16", "3.6.0"),
}


@dataclass(frozen=True, slots=True)
class Quirks:
    """The behaviours that one release has."""

    version: str
    """The release, as `Maintenance.Status` tells it."""
    sort_options_validated: bool
    """An unknown sort_order or sort_target is refused; before, the one was ignored and the other killed the server."""
    txn_checked_in_op_order: bool
    """A txn's puts and ranges are checked in one pass; before, all puts came first and then all ranges."""
    txn_put_checks_lease_first: bool
    """A put inside a txn looks for its lease before its previous key-value, as a plain put does in every release."""
    keys_only_omits_lease: bool
    """keys_only is answered from the key index, which knows no leases, unless the results are sorted by VALUE."""
    status_tells_storage: bool
    """Status has storageVersion, dbSizeQuota and downgradeInfo."""
    compaction_keeps_its_tombstones: bool
    """A tombstone at the compacted revision survives; a put of the same key by the same txn is lost for it."""


def quirks_of(version: str) -> Quirks:
    """The quirks of a release such as `3.5.16`; a ValueError tells what is wrong with any other string."""
    release = _parse(version)
    if release[0] != 3 or release[1] < 4:
        raise ValueError(f"fake-etcd can't be etcd {version}: it knows 3.4 and later releases of etcd 3")
    return Quirks(version=version, **{name: _has(release, since) for name, since in _FIRST_RELEASE.items()})


def _has(release: tuple[int, int, int], since: tuple[str, ...]) -> bool:
    first = {entry[:2]: entry for entry in map(_parse, since)}
    entry = first.get(release[:2])
    return release >= entry if entry else release[:2] > max(first)


def _parse(version: str) -> tuple[int, int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version, re.ASCII)
    if match is None:
        raise ValueError(f"not an etcd version: {version!r} (expected three numbers, such as 3.5.16)")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch
