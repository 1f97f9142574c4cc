"""What differs between etcd's releases: one table, and nothing else asks which version it is.

A row names a behaviour and the first release that has it, once per release line that got it (fixes are backported).
A release has the behaviour if it is at or past its own line's entry, or if its line is newer than every entry.
"""

import re
from dataclasses import dataclass

_FIRST_RELEASE: dict[str, tuple[str, ...]] = {
    "sort_options_validated": ("3.6.0",),
    "txn_checked_in_order": ("3.6.0",),
    "txn_put_checks_lease_first": ("3.7.0",),
    "keys_only_omits_lease": ("3.7.0",),
    "storage_version": ("3.6.0",),
    "compaction_keeps_tombstones": ("3.4.34", "3.5.16", "3.6.0"),
    "progress_only_if_synced": ("3.4.25", "3.5.8", "3.6.0"),
    "progress_awaits_start": ("3.4.38", "3.5.22", "3.6.2"),
    "watch_negative_start_refused": ("3.4.38", "3.5.24", "3.6.6"),
    "watch_refusal_has_reason": ("3.4.22", "3.5.6", "3.6.0"),
    "hash_of_compact_revision": ("3.4.27", "3.5.10", "3.6.0"),
    "hash_kv_reports_revision": ("3.6.0",),
    "compactions_hashed": ("3.5.5", "3.6.0"),
    "range_streams": ("3.7.0",),
    "auth_off_ignores_tokens": ("3.4.28", "3.5.10", "3.6.0"),
    "bearer_tokens": ("3.5.32", "3.6.13"),
    "old_auth_revision_mapped": ("3.4.19", "3.5.2", "3.6.0"),
    "jwt_claims_checked": ("3.4.25", "3.5.8", "3.6.0"),
    "jwt_times_are_numbers": ("3.4.18", "3.5.6", "3.6.0"),
    "jwt_issue_ignored": ("3.6.0",),
    "jwt_keys_must_match": ("3.6.0",),
    "jwt_knows_eddsa": ("3.6.0",),
    "passwords_hashed_first": ("3.5.0",),
    "long_passwords_refused": ("3.4.28", "3.5.10", "3.6.0"),
    "missing_permission_refused": ("3.4.25", "3.5.0"),
    "permission_range_validated": ("3.4.25", "3.5.8", "3.6.0"),
    "root_role_shown": ("3.6.0",),
    "auth_status_and_downgrade_exist": ("3.5.0",),
    "nested_txns_guarded": ("3.4.42", "3.5.28", "3.6.9"),
    "txn_puts_guarded": ("3.4.44", "3.5.30", "3.6.11"),
    "compact_needs_root": ("3.4.42", "3.5.28", "3.6.9"),
    "lease_calls_need_a_user": ("3.4.42", "3.5.28", "3.6.9"),
    "root_skips_lease_keys": ("3.4.27", "3.5.10", "3.6.0"),
    "lease_keys_guarded": ("3.4.26", "3.5.9", "3.6.0"),
    "watch_from_key_guarded": ("3.5.33", "3.6.14", "3.7.1"),
    "maintenance_errors_mapped": ("3.6.0",),
    "status_guarded": ("3.4.42", "3.5.28", "3.6.0"),
    "status_open_to_users": ("3.5.32", "3.6.12"),
    "move_leader_and_downgrade_need_root": ("3.4.42", "3.5.28", "3.6.0"),
    "alarm_needs_root": ("3.4.42", "3.5.28", "3.6.9"),
    "alarms_open_to_users": ("3.4.43", "3.5.29", "3.6.10"),
    "member_list_guarded": ("3.4.43", "3.5.29", "3.6.10"),
    "updated_learners_stay_learners": ("3.5.31", "3.6.12"),
    "unix_peer_urls_need_no_port": ("3.5.13", "3.6.0"),
    "put_free_txns_pass": ("3.4.20", "3.5.7", "3.6.0"),
    "nested_puts_cost": ("3.5.33", "3.6.14", "3.7.1"),
    "alarm_has_header": ("3.5.0",),
    "auth_status_open": ("3.7.0",),
    "authenticate_ignores_tokens": ("3.4.28", "3.5.0"),
    "lock_looks_for_its_key": ("3.5.0",),
    "downgrade_reports_minor": ("3.6.0",),
    "alarm_none_ignored": ("3.5.0",),
    "alarms_in_layers": ("3.6.0",),
    "alarm_text_trimmed": ("3.7.0",),
    "decoded_by_protobuf": ("3.7.0",),
    "stream_decode_error_has_colon": ("3.5.0",),
    "health_has_reason": ("3.5.0",),
    "health_excludes_alarms": ("3.4.16", "3.5.0"),
    "livez_exists": ("3.4.29", "3.5.11", "3.6.0"),
    "readyz_refuses_learners": ("3.5.19", "3.6.0"),
    "gateway_v2": ("3.6.0",),
    "hash_kv_has_its_own_path": ("3.5.10", "3.6.0"),
}


@dataclass(frozen=True, slots=True)
class Quirks:
    """The behaviours that one release has."""

    version: str
    """The release, as `Maintenance.Status` reports it."""
    sort_options_validated: bool
    """An unknown sort_order or sort_target is refused; before, the one was ignored and the other killed the server."""
    txn_checked_in_order: bool
    """A txn's puts and ranges are checked in one pass; before, all puts came first and then all ranges."""
    txn_put_checks_lease_first: bool
    """A put inside a txn looks for its lease before its previous key-value, as a plain put does in every release."""
    keys_only_omits_lease: bool
    """keys_only is answered from the key index, which knows no leases, unless the results are sorted by VALUE."""
    storage_version: bool
    """Status has storageVersion, dbSizeQuota and downgradeInfo."""
    compaction_keeps_tombstones: bool
    """A tombstone at the compacted revision survives; a put of the same key by the same txn is lost for it."""
    progress_only_if_synced: bool
    """A progress request is answered only if the stream has watchers, and none that compaction cancelled."""
    progress_awaits_start: bool
    """Progress is notified of no watcher whose start is in the future."""
    watch_negative_start_refused: bool
    """A watch with a negative start is refused; before, -1 was like 0 until the first compaction, and any other was
    cancelled as compacted."""
    watch_refusal_has_reason: bool
    """A watch that auth refuses has id -1 and its own reason; before, it echoed the id that was asked for, which
    silenced the stream's watcher of that id, and was always called a denied permission."""
    hash_of_compact_revision: bool
    """HashKV answers at the compacted revision itself."""
    hash_kv_reports_revision: bool
    """HashKV's answer has hash_revision."""
    compactions_hashed: bool
    """HashKV of a revision that was compacted answers what was there before it was."""
    range_streams: bool
    """KV has RangeStream."""
    auth_off_ignores_tokens: bool
    """A token is not looked at while auth is off; before, it was invalid."""
    bearer_tokens: bool
    """A token may be prefixed with `Bearer `."""
    old_auth_revision_mapped: bool
    """A token of an old revision is refused with a status code of its own; before, with UNKNOWN."""
    jwt_claims_checked: bool
    """A JSON Web Token without a username or a revision is invalid; before, it killed the server."""
    jwt_times_are_numbers: bool
    """A JSON Web Token whose exp or nbf is no number is invalid; before, that was as if it weren't there."""
    jwt_issue_ignored: bool
    """A JSON Web Token may say that it is issued in the future."""
    jwt_keys_must_match: bool
    """A public key that isn't the private key's is refused at the start; before, it wasn't looked at."""
    jwt_knows_eddsa: bool
    """EdDSA is a sign-method."""
    passwords_hashed_first: bool
    """A password is hashed by the member that gets the request, before anything else; an empty new one isn't hashed
    at all, and nothing matches it any more."""
    long_passwords_refused: bool
    """A password of more than 72 bytes is refused; before, bcrypt ignored what came after them."""
    missing_permission_refused: bool
    """RoleGrantPermission without a permission is refused; before, it killed the server."""
    permission_range_validated: bool
    """RoleGrantPermission with an empty key or an end before its key is refused."""
    root_role_shown: bool
    """RoleGet of root has one permission, for everything."""
    auth_status_and_downgrade_exist: bool
    """Auth.AuthStatus and Maintenance.Downgrade are methods."""
    nested_txns_guarded: bool
    """The ops of nested txns are checked for permission too."""
    txn_puts_guarded: bool
    """A put inside a txn needs permission for its lease's keys, and to read with prev_kv, as a plain put does."""
    compact_needs_root: bool
    """Compact needs the root role."""
    lease_calls_need_a_user: bool
    """Every call of Lease needs a user; LeaseKeepAlive needs permission to write the lease's keys, LeaseLeases to read
    the keys of all leases."""
    root_skips_lease_keys: bool
    """Root writes to a lease's keys unasked, and so with a token of an old revision too."""
    lease_keys_guarded: bool
    """LeaseTimeToLive with keys needs permission to read them."""
    watch_from_key_guarded: bool
    """A watch of every key from one on needs permission for all of them; before, permission for the one was enough."""
    maintenance_errors_mapped: bool
    """Hash, HashKV, Defragment and Snapshot refuse with etcd's own status codes; before, with UNKNOWN."""
    status_guarded: bool
    """Status needs the root role."""
    status_open_to_users: bool
    """Status needs a user, and the root role no more."""
    move_leader_and_downgrade_need_root: bool
    """MoveLeader and Downgrade need the root role."""
    alarm_needs_root: bool
    """Alarm needs the root role."""
    alarms_open_to_users: bool
    """Alarm with the action GET needs a user, and the root role no more."""
    member_list_guarded: bool
    """MemberList needs a user."""
    updated_learners_stay_learners: bool
    """MemberUpdate changes a learner's URLs and nothing else; before, it was no learner any more in the list."""
    unix_peer_urls_need_no_port: bool
    """A peer URL of the scheme unix is a path; before, a host and a port."""
    put_free_txns_pass: bool
    """A txn without puts is answered when the quota is used up."""
    nested_puts_cost: bool
    """The puts of nested txns are counted against the quota."""
    alarm_has_header: bool
    """Alarm's answer has a header."""
    auth_status_open: bool
    """AuthStatus needs neither root nor a user."""
    authenticate_ignores_tokens: bool
    """Authenticate doesn't look at a token; before, one that came with the right password had to be valid."""
    lock_looks_for_its_key: bool
    """Lock looks for its key when it has waited, and fails without one; before, it had the lock all the same."""
    downgrade_reports_minor: bool
    """Downgrade's ENABLE and CANCEL are answered, CANCEL in any case; before, they took effect and timed out, and
    versions were reported as 3.5.0, not 3.5."""
    alarm_none_ignored: bool
    """Alarm's ACTIVATE of no type does nothing; before, it raised an alarm of no type."""
    alarms_in_layers: bool
    """All alarms refuse together, and permissions are checked as ever. Before, an alarm replaced the one raised before
    it, its end was the end of both, and while it lasted what goes through raft needed no permission."""
    alarm_text_trimmed: bool
    """Status reports alarms without a space at the end."""
    decoded_by_protobuf: bool
    """What is no message is refused in the words of Go's protobuf; before, in those of gogo/protobuf."""
    stream_decode_error_has_colon: bool
    """A newer gRPC for Go, whose words about what a stream can't decode have a colon."""
    health_has_reason: bool
    """/health says why a server is unhealthy."""
    health_excludes_alarms: bool
    """/health?exclude=ALARM takes no notice of an alarm."""
    livez_exists: bool
    """/livez and /readyz are answered."""
    readyz_refuses_learners: bool
    """One of the checks of /readyz is non_learner."""
    gateway_v2: bool
    """The JSON gateway is grpc-gateway's version 2, with other bodies of errors. So is that of Debian's 3.5.30."""
    hash_kv_has_its_own_path: bool
    """The JSON gateway has /v3/maintenance/hashkv; before, both had the path of Hash, which was the one to be found."""


def quirks_of(version: str) -> Quirks:
    """The quirks of a release such as `3.5.16`; a ValueError says what is wrong with any other string."""
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
