"""What differs between versions of etcd: one row a quirk, with the first version that has it.

Nothing else in the model asks which version it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_VERSION = "3.5.16"


SINCE: dict[str, tuple[str, ...]] = {
    "sort_options_validated": ("3.6.0",),
    "txn_checked_in_order": ("3.6.0",),
    "txn_put_checks_lease_first": ("3.7.0",),
    "keys_only_omits_lease": ("3.7.0",),
    "range_streams": ("3.7.0",),
    "compaction_keeps_tombstones": ("3.4.34", "3.5.16", "3.6.0"),
    "watch_refusal_has_reason": ("3.4.22", "3.5.6", "3.6.0"),
    "watch_negative_start_refused": ("3.4.38", "3.5.24", "3.6.6"),
    "progress_only_if_synced": ("3.4.25", "3.5.8", "3.6.0"),
    "progress_not_deferred": ("3.4.31", "3.5.13", "3.6.0"),
    "progress_awaits_start": ("3.4.38", "3.5.22", "3.6.2"),
    "hash_of_compact_revision": ("3.4.27", "3.5.10", "3.6.0"),
    "hash_kv_reports_revision": ("3.6.0",),
    "compactions_hashed": ("3.5.5", "3.6.0"),
    "compaction_hashed_after_finished_one": ("3.5.10", "3.6.0"),
    "auth_off_ignores_tokens": ("3.4.28", "3.5.10", "3.6.0"),
    "authenticate_ignores_tokens": ("3.4.28", "3.5.0"),
    "bearer_tokens": ("3.5.32", "3.6.13"),
    "old_auth_revision_mapped": ("3.4.19", "3.5.2", "3.6.0"),
    "passwords_hashed_first": ("3.5.0",),
    "long_passwords_refused": ("3.4.28", "3.5.10", "3.6.0"),
    "permission_range_validated": ("3.4.25", "3.5.8", "3.6.0"),
    "missing_permission_refused": ("3.4.25", "3.5.0"),
    "root_role_shown": ("3.6.0",),
    "auth_status": ("3.5.0",),
    "auth_status_open": ("3.7.0",),
    "nested_txns_guarded": ("3.4.42", "3.5.28", "3.6.9"),
    "txn_puts_guarded": ("3.4.44", "3.5.30", "3.6.11"),
    "lease_keys_guarded": ("3.4.26", "3.5.9", "3.6.0"),
    "root_skips_lease_keys": ("3.4.27", "3.5.10", "3.6.0"),
    "leases_and_compaction_guarded": ("3.4.42", "3.5.28", "3.6.9"),
    "watch_from_key_guarded": ("3.5.33", "3.6.14", "3.7.1"),
    "maintenance_errors_mapped": ("3.6.0",),
    "status_guarded": ("3.4.42", "3.5.28", "3.6.0"),
    "status_open_to_users": ("3.5.32", "3.6.12"),
    "alarms_open_to_users": ("3.4.43", "3.5.29", "3.6.10"),
    "member_list_guarded": ("3.4.43", "3.5.29", "3.6.10"),
    "updated_learners_stay_learners": ("3.5.31", "3.6.12"),
    "unix_peer_urls_need_no_port": ("3.5.13", "3.6.0"),
    "alarm_has_header": ("3.5.0",),
    "alarm_none_ignored": ("3.5.0",),
    "alarms_in_layers": ("3.6.0",),
    "nested_puts_cost": ("3.5.33", "3.6.14", "3.7.1"),
    "put_free_txns_pass": ("3.4.20", "3.5.7", "3.6.0"),
    "downgrade": ("3.5.0",),
    "storage_version": ("3.6.0",),
    "downgrade_reports_minor": ("3.6.0",),
    "alarm_text_trimmed": ("3.7.0",),
    "lock_looks_for_its_key": ("3.5.0",),
    "users_read_from_buffer": ("3.5.3", "3.6.0"),
    "read_buffer_has_end": ("3.6.0",),
}
"""The first version with each quirk, in every line of releases that got it."""

UPSTREAM: dict[str, tuple[str, ...]] = {
    "sort_options_validated": ("#13555",),
    "txn_checked_in_order": ("#16372",),
    "txn_put_checks_lease_first": ("#19811",),
    "keys_only_omits_lease": ("#21791",),
    "compaction_keeps_tombstones": ("#18089", "#18274"),
    "watch_refusal_has_reason": ("#14296", "#14322"),
    "watch_negative_start_refused": ("#20693",),
    "progress_only_if_synced": ("#15220", "#15695"),
    "progress_not_deferred": ("#17566", "#17567"),
    "progress_awaits_start": ("#20281",),
    "hash_of_compact_revision": ("#14457",),
    "hash_kv_reports_revision": ("#14537",),
    "compactions_hashed": ("#14039",),
    "compaction_hashed_after_finished_one": ("#16068",),
    "range_streams": ("#21631",),
    "auth_off_ignores_tokens": ("#13577",),
    "authenticate_ignores_tokens": ("#16826",),
    "bearer_tokens": ("#21910",),
    "passwords_hashed_first": ("#11943",),
    "permission_range_validated": ("#15294",),
    "missing_permission_refused": ("#13086",),
    "root_role_shown": ("#13006",),
    "auth_status": ("#11536",),
    "auth_status_open": ("#20802",),
    "nested_txns_guarded": ("GHSA-rfx7-8w68-q57q",),
    "txn_puts_guarded": ("#21682", "#21687"),
    "lease_keys_guarded": ("#15656",),
    "root_skips_lease_keys": ("#16005",),
    "leases_and_compaction_guarded": ("GHSA-q8m4-xhhv-38mg",),
    "watch_from_key_guarded": ("GHSA-xg4h-6gfc-h4m8",),
    "maintenance_errors_mapped": ("#15759",),
    "status_guarded": ("#14663", "GHSA-q8m4-xhhv-38mg"),
    "status_open_to_users": ("#21811", "#21815"),
    "alarms_open_to_users": ("#21549",),
    "member_list_guarded": ("#21549",),
    "updated_learners_stay_learners": ("#21736", "#21737"),
    "unix_peer_urls_need_no_port": ("#15940",),
    "alarm_has_header": ("#11600",),
    "alarm_none_ignored": ("#13084",),
    "alarms_in_layers": ("#13878", "#22386"),
    "nested_puts_cost": ("#22134",),
    "put_free_txns_pass": ("#13435",),
    "downgrade": ("#11715",),
    "storage_version": ("#13773",),
    "users_read_from_buffer": ("#13908",),
    "read_buffer_has_end": ("#12587",),
}
"""Issues and pull requests of etcd-io/etcd, and its security advisories, for the quirks of which one was found: in
etcd's CHANGELOG, or as the merge of the commit that made the change."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """Which behaviours a version has."""

    version: str
    """The version itself, for what reports it: nobody asks it anything else."""
    sort_options_validated: bool
    """An unknown sort order or target is refused (etcd server/etcdserver/api/v3rpc/key.go, checkRangeRequest)."""
    txn_checked_in_order: bool
    """A txn's puts and ranges are checked in the order of its operations; before, all puts came first
    (etcd server/etcdserver/txn/txn.go, checkTxn)."""
    txn_put_checks_lease_first: bool
    """A put in a txn looks for its lease before it looks for its key, as a put of its own does in every version.
    Measured on 3.7.3."""
    keys_only_omits_lease: bool
    """The keys of a keys_only read carry no lease, unless they are sorted by value. Measured on 3.7.3."""
    compaction_keeps_tombstones: bool
    """A tombstone at the revision of a compaction survives it; a put of the same key in the same revision does not,
    and the server dies when the key is read (etcd server/storage/mvcc/key_index.go, doCompact).
    Measured on 3.5.16, 3.5.30, 3.6.16 and 3.7.3."""
    watch_refusal_has_reason: bool
    """A watch refused for lack of permission gets the very reason, with watch id -1. Before, the reason was always
    PermissionDenied and the id the one asked for; and the responses of a watcher that has the id of a refusal
    were held back from then on, until the id was given anew
    (etcd server/etcdserver/api/v3rpc/watch.go, recvLoop and sendLoop)."""
    watch_negative_start_refused: bool
    """A watch with a negative start is refused. Before, it was cancelled like one from the compacted past; only -1 in a
    store that was never compacted was not, and sent nothing of the past (same file, recvLoop)."""
    progress_only_if_synced: bool
    """A progress request is answered if the stream has watchers and all of them are synced; before, always
    (etcd server/storage/mvcc/watchable_store.go, progressIfSync)."""
    progress_not_deferred: bool
    """One that can't be answered yet is forgotten; before, it was answered after some later event
    (etcd server/etcdserver/api/v3rpc/watch.go, deferredProgress)."""
    progress_awaits_start: bool
    """A watcher that starts in the future is not synced either (same file as progressIfSync)."""
    hash_of_compact_revision: bool
    """HashKV hashes the compact revision itself too (etcd server/storage/mvcc/kvstore.go, hashByRev)."""
    hash_kv_reports_revision: bool
    """The answer of HashKV has the revision that was hashed."""
    compactions_hashed: bool
    """HashKV at a revision that was compacted gives out the hash made then (`records.CompactionHash`)."""
    compaction_hashed_after_finished_one: bool
    """The hash is remembered only where the compaction before it was finished."""
    auth_off_ignores_tokens: bool
    """A token that comes while auth is off is not looked at; before, it was refused, since no token is known then
    (etcd server/auth/store.go, AuthInfoFromCtx)."""
    authenticate_ignores_tokens: bool
    """Nor is one that comes with an Authenticate (etcd server/etcdserver/v3_server.go,
    processInternalRaftRequestOnce)."""
    bearer_tokens: bool
    """A token may be preceded by `Bearer ` (etcd server/auth/store.go, AuthInfoFromCtx)."""
    old_auth_revision_mapped: bool
    """A token that was signed at an old revision of the auth store is refused with a code of its own; before, with
    UNKNOWN (etcd server/etcdserver/api/v3rpc/util.go, toGRPCErrorMap)."""
    passwords_hashed_first: bool
    """A password is hashed before the request is looked at any further, but for an empty one that is to replace
    another: that one is stored as no hash at all, and nothing matches it (etcd server/etcdserver/v3_server.go,
    UserAdd and UserChangePassword). Before, it was hashed where the request is applied (auth/store.go)."""
    long_passwords_refused: bool
    """A password of more than 72 bytes is refused, where it was cut. It is x/crypto's doing, and so depends on what
    a server was built with; this is what etcd's own go.mod asks for."""
    permission_range_validated: bool
    """A permission with an empty key, or an end that is not after it, is refused (etcd server/auth/store.go,
    RoleGrantPermission)."""
    missing_permission_refused: bool
    """So is a RoleGrantPermission without a permission, which killed the server before."""
    root_role_shown: bool
    """The role `root` shows a permission for everything (etcd server/auth/store.go, RoleGet)."""
    range_streams: bool
    """There is a RangeStream."""
    auth_status: bool
    """There is an AuthStatus."""
    auth_status_open: bool
    """And anybody may ask for it (etcd server/etcdserver/apply/auth.go, needAdminPermission). Measured on 3.7.3."""
    nested_txns_guarded: bool
    """The permissions for what a nested txn does are looked at (etcd server/etcdserver/apply/apply_auth.go,
    checkTxnReqsPermission)."""
    txn_puts_guarded: bool
    """A put in a txn needs what one of its own does: the right to read for prev_kv, and to write all keys of its lease
    (same file, checkPutAuth)."""
    lease_keys_guarded: bool
    """Who asks for the keys of a lease must be allowed to read them (etcd server/etcdserver/v3_server.go,
    checkLeaseTimeToLive)."""
    root_skips_lease_keys: bool
    """Root may write all keys of a lease, so these are not looked at: not even for a token of an old revision, which
    may else be used for nothing that is about keys (etcd server/etcdserver/apply/apply_auth.go, checkLeasePutsKeys)."""
    leases_and_compaction_guarded: bool
    """Lease calls need a user, and rights to the keys of the leases concerned; Compact and Alarm need root
    (same file, requireAuthInfo; api/v3rpc/key.go and maintenance.go)."""
    watch_from_key_guarded: bool
    """A watch of every key from one on needs the right to all these, and not only to the first
    (etcd server/etcdserver/api/v3rpc/watch.go, recvLoop)."""
    maintenance_errors_mapped: bool
    """Hash, HashKV, Defragment and Snapshot refuse with a proper code
    (etcd server/etcdserver/api/v3rpc/maintenance.go)."""
    status_guarded: bool
    """Status, MoveLeader and Downgrade need root (same file)."""
    status_open_to_users: bool
    """Status needs just some user (same file)."""
    alarms_open_to_users: bool
    """So does asking for alarms (same file)."""
    member_list_guarded: bool
    """So does MemberList (etcd server/etcdserver/server.go)."""
    updated_learners_stay_learners: bool
    """A learner whose peer URLs are updated stays one. Before, it was a voting member in the list from then on, of
    which no quorum was to be had (etcd server/etcdserver/api/membership/cluster.go, UpdateRaftAttributes)."""
    unix_peer_urls_need_no_port: bool
    """A peer URL of the scheme unix or unixs is a path. Before, it needed a port like any other, and had no path
    (etcd client/pkg/types/urls.go, NewURLs)."""
    alarm_has_header: bool
    """The answer to an Alarm has a header (etcd server/etcdserver/api/v3rpc/maintenance.go)."""
    alarm_none_ignored: bool
    """An alarm of type NONE can't be activated, and one of an unknown type kills the server until
    `alarms_in_layers` (etcd server/etcdserver/apply.go, Alarm)."""
    alarms_in_layers: bool
    """Each active alarm refuses what it refuses, and permissions are looked at as ever. Before, the alarm that was
    activated last was the only one to refuse anything, the first to be deactivated ended that, and in between nothing
    that goes through raft was compared with permissions (etcd server/etcdserver/apply/uber_applier.go,
    restoreAlarms). Measured on 3.4.23 and 3.5.30."""
    nested_puts_cost: bool
    """A nested put counts as a put where there is no space (etcd server/storage/quota.go, costTxnReq)."""
    put_free_txns_pass: bool
    """A txn that costs nothing passes a server that is over its quota; before, every txn was refused there, one that
    only reads too (same file, Available)."""
    downgrade: bool
    """There is a Downgrade."""
    storage_version: bool
    """Status reports the version of the storage's schema (etcd server/etcdserver/api/v3rpc/maintenance.go)."""
    downgrade_reports_minor: bool
    """A Downgrade is answered with `3.6` instead of `3.6.0`, and CANCEL is answered so too where there is nothing to
    cancel (etcd server/etcdserver/v3_server.go, downgradeCancel)."""
    alarm_text_trimmed: bool
    """The texts of alarms in a Status don't end with a space. Measured on 3.7.3."""
    lock_looks_for_its_key: bool
    """A Lock whose turn comes is refused where its key is gone, such as with its lease (etcd
    client/v3/concurrency/mutex.go, Lock). Before, it got the lock."""
    users_read_from_buffer: bool
    """Whether a user has the role root, and its password, are read through the buffer of what the backend has not
    committed yet (etcd server/auth/store.go, isOpPermitted and CheckPassword)."""
    read_buffer_has_end: bool
    """That buffer is searched no further than it is filled. Before, what it held earlier could be found behind its end,
    and a user who had got or lost the role root be taken for what it was before (etcd
    server/storage/backend/tx_buffer.go, Range). Measured on 3.5.16 and 3.5.30: docs/semantics.md says how."""


def parse_version(version: str) -> tuple[int, int, int]:
    """`3.5.16` as numbers, whatever pre-release suffix follows. Raises ValueError for anything else."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version of etcd: expected one like 3.5.16")
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def release_of(version: str) -> str:
    """The release that a version is, or is on the way to: `3.6.0` of `3.6.0-rc.1`. Raises ValueError."""
    return ".".join(map(str, parse_version(version)))


def quirks_of(version: str) -> Quirks:
    """The quirks of a version, given as `3.5.16`."""
    number = parse_version(version)
    return Quirks(version.removeprefix("v"), **{quirk: reached(number, since) for quirk, since in SINCE.items()})


def reached(version: tuple[int, int, int], since: tuple[str, ...]) -> bool:
    """Whether a version has a change that these were the first to have, one in each line of releases that got it. A
    line newer than all of these has it too."""
    firsts = {first[:2]: first for first in map(parse_version, since)}
    first = firsts.get(version[:2])
    return version >= first if first else version[:2] > max(firsts)
