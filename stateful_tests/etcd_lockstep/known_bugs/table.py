"""The known bugs that are shown: etcd's own, from its CHANGELOG and its issues, and those that this project found.

A bug that needs luck, such as a race, is a row with a `ByRun`.
"""

from __future__ import annotations

from etcd_lockstep.known_bugs import traces
from etcd_lockstep.known_bugs.bug import Bug, ByRun, ByTrace
from etcd_lockstep.known_bugs.runs import acknowledged_before_logged, lost_on_kill
from etcd_lockstep.searching.known_quirks import quirk_traces
from etcd_lockstep.trace import Trace
from etcd_model.quirks import SINCE, UPSTREAM


def _mended_by_quirk(name: str, quirk: str, about: str, cause: str, trace: Trace | None = None) -> Bug:
    """A bug whose mend is a row of the quirk table, shown by its own trace, or else by that of the quirk."""
    shown_by = ByTrace(quirk_traces()[quirk] if trace is None else trace, quirk)
    return Bug(name, about, UPSTREAM[quirk], (), SINCE[quirk], cause, shown_by)


_PERMISSIONS = (
    _mended_by_quirk(
        "nested-txn-needs-no-permission",
        "nested_txns_guarded",
        "A user reads and writes any key through a txn inside a txn.",
        "checkTxnReqsPermission (server/etcdserver/apply_auth.go) had no case for a RequestTxn.",
        traces.NESTED_TXN,
    ),
    _mended_by_quirk(
        "txn-put-reveals-previous-value",
        "txn_puts_guarded",
        "A user who may only write a key reads its value, by a put with prev_kv inside a txn.",
        "checkTxnReqsPermission (server/etcdserver/apply_auth.go) checked the write alone, and not what Put checks.",
        traces.TXN_PREV_KV,
    ),
    _mended_by_quirk(
        "watch-from-key-leaks",
        "watch_from_key_guarded",
        "A user who may read one key is sent the events of every key after it, by a watch from that key on.",
        "recvLoop (server/etcdserver/api/v3rpc/watch.go) made the end 0x00 an empty one, which means one key to "
        "isWatchPermitted, before it asked that.",
        traces.WATCH_FROM_KEY,
    ),
    _mended_by_quirk(
        "compaction-by-anybody",
        "leases_and_compaction_guarded",
        "Whoever reaches the server discards the history, without a user: Compact asked for no token, nor did the "
        "calls about leases.",
        "Compact (server/etcdserver/v3_server.go) and the Lease service checked no permission.",
        traces.COMPACTION_BY_ANYBODY,
    ),
    _mended_by_quirk(
        "lease-reveals-its-keys",
        "lease_keys_guarded",
        "A user who may read no key learns the names of those of a lease.",
        "LeaseTimeToLive (server/etcdserver/v3_server.go) looked at no permission.",
        traces.KEYS_OF_LEASE,
    ),
    _mended_by_quirk(
        "alarm-ends-permissions",
        "alarms_in_layers",
        "While an alarm is active, every user deletes any key, and may turn auth off.",
        "Alarm (server/etcdserver/apply.go) replaced the chain of appliers by one without the authApplierV3.",
        traces.ALARM_WITHOUT_AUTH,
    ),
    _mended_by_quirk(
        "empty-permission-range",
        "permission_range_validated",
        "A permission for a range that ends before it begins is granted, and then counts for nothing.",
        "RoleGrantPermission (server/auth/store.go) did not look at the range.",
    ),
    Bug(
        "stale-user",
        "A user who was granted the role root is refused what root may do, until the backend commits.",
        UPSTREAM["read_buffer_has_end"],
        SINCE["users_read_from_buffer"],
        SINCE["read_buffer_has_end"],
        "Range (server/mvcc/backend/tx_buffer.go) searches the buffer of uncommitted writes, finds nothing, and looks "
        "behind its end, where an older record of the user has been left.",
        ByTrace(traces.STALE_USER),
        report="upstream/stale-user.md",
    ),
    Bug(
        "stale-password",
        "After a user's password is changed, the old one logs in, and the new one does not, until the backend commits.",
        UPSTREAM["read_buffer_has_end"],
        SINCE["users_read_from_buffer"],
        SINCE["read_buffer_has_end"],
        "As stale-user: CheckPassword (server/auth/store.go) reads the user through the same buffer.",
        ByTrace(traces.STALE_PASSWORD),
        report="upstream/stale-user.md",
    ),
)

_TOKENS = (
    _mended_by_quirk(
        "token-after-auth-is-off",
        "auth_off_ignores_tokens",
        "A client that has a token is refused everything once auth was turned off.",
        "AuthInfoFromCtx (server/auth/store.go) looked a token up while no token is known.",
    ),
    _mended_by_quirk(
        "expired-token-cannot-be-renewed",
        "authenticate_ignores_tokens",
        "A client that sends its old token along with Authenticate gets no new one.",
        "processInternalRaftRequestOnce (etcdserver/v3_server.go) checked the token of every request.",
    ),
)

_WATCHES = (
    _mended_by_quirk(
        "tombstone-compacted",
        "compaction_keeps_tombstones",
        "A watch from the compacted revision misses the delete that was made at it.",
        "keyIndex.compact (server/mvcc/key_index.go) dropped a tombstone at the revision of the compaction.",
    ),
    _mended_by_quirk(
        "refused-watch-mutes-another",
        "watch_refusal_has_reason",
        "After a watch was refused for lack of permission, the first watcher of the stream gets no more events.",
        "recvLoop (server/etcdserver/api/v3rpc/watch.go) answered the refusal with the id that was asked for, which is "
        "0 where none was, and sendLoop took the watcher with that id for closed.",
        traces.MUTED_WATCHER,
    ),
    _mended_by_quirk(
        "progress-of-unsynced-watchers",
        "progress_only_if_synced",
        "Progress is reported for a stream whose watchers have not been sent everything up to there.",
        "RequestProgress (server/mvcc/watcher.go) did not ask whether the watchers are synced.",
    ),
    Bug(
        "progress-before-start",
        "Progress is reported for a watcher whose start is still in the future.",
        UPSTREAM["progress_awaits_start"],
        SINCE["progress_only_if_synced"],
        SINCE["progress_awaits_start"],
        "progressIfSync (server/storage/mvcc/watchable_store.go) took such a watcher for synced.",
        ByTrace(quirk_traces()["progress_awaits_start"], "progress_awaits_start"),
    ),
    _mended_by_quirk(
        "watch-from-negative-revision",
        "watch_negative_start_refused",
        "A watch from revision -1 is accepted, and what it is sent depends on when the server gets to it.",
        "recvLoop (server/etcdserver/api/v3rpc/watch.go) did not look at the start.",
    ),
)

_STORE = (
    Bug(
        "key-lost-by-compaction",
        "A key that one txn deleted and put again is lost by a compaction at that txn's revision: the server dies when "
        "it is read, and starts again without it.",
        ("#22376",),
        SINCE["compaction_keeps_tombstones"],
        (),
        "keyIndex.doCompact (server/storage/mvcc/key_index.go) stops at the generation whose tombstone has the "
        "revision of the compaction, and never keeps the put of the next generation.",
        ByTrace(traces.KEY_LOST),
        report="upstream/key-lost-by-compaction.md",
    ),
    Bug(
        "txn-kills-at-every-start",
        "A txn that deletes from a key on and puts a deleted key with ignore_value kills the server, and kills it "
        "again whenever it is started: the txn is in its log.",
        ("#22395", "#22445"),
        (),
        (),
        "checkIntervals (server/etcdserver/api/v3rpc/key.go) takes a delete with the end 0x00 for an empty range and "
        "lets the txn through; when it is executed, put finds no previous key-value, over which the server panics.",
        ByTrace(traces.DEATH_AT_EVERY_START),
        report="upstream/txn-kills-at-every-start.md",
    ),
    _mended_by_quirk(
        "no-hash-of-compact-revision",
        "hash_of_compact_revision",
        "HashKV refuses the very revision that was compacted, so that a check for corruption fails just after one.",
        "hashByRev (server/mvcc/kvstore.go) compared with <= where < is meant.",
    ),
    _mended_by_quirk(
        "nested-put-costs-nothing",
        "nested_puts_cost",
        "A put inside a nested txn is accepted by a server that has no space left.",
        "costTxnReq (server/storage/quota.go) did not count the requests of nested txns.",
    ),
)

_DEATHS = (
    Bug(
        "sort-target-kills",
        "A range with an unknown sort target kills the server.",
        UPSTREAM["sort_options_validated"],
        (),
        SINCE["sort_options_validated"],
        "Range (server/etcdserver/apply.go) panics over a sort target that it does not know.",
        ByTrace(traces.SORT_TARGET, "sort_options_validated"),
    ),
    Bug(
        "grant-of-no-permission-kills",
        "A RoleGrantPermission without a permission kills the server.",
        UPSTREAM["missing_permission_refused"],
        (),
        SINCE["missing_permission_refused"],
        "RoleGrantPermission (auth/store.go) uses the permission without a look.",
        ByTrace(traces.NO_PERMISSION, "missing_permission_refused"),
    ),
    Bug(
        "alarm-of-no-type-kills",
        "An Alarm that activates no type, for member 0, kills the server.",
        UPSTREAM["alarm_none_ignored"],
        (),
        SINCE["alarm_none_ignored"],
        "Activate (etcdserver/api/v3alarm/alarms.go) stores an empty key, over which the backend panics.",
        ByTrace(traces.ALARM_OF_NO_TYPE, "alarm_none_ignored"),
    ),
    Bug(
        "alarm-of-unknown-type-kills",
        "An Alarm that activates a type that there is not kills the server.",
        UPSTREAM["alarms_in_layers"][:1],
        ("3.5.0",),
        ("3.6.0",),
        "Alarm (server/etcdserver/apply.go) panics over a type that it does not know.",
        ByTrace(traces.ALARM_OF_UNKNOWN_TYPE),
    ),
    Bug(
        "unknown-alarm-action-kills",
        "An Alarm whose action there is not kills the server.",
        (),
        (),
        (),
        "applierV3backend.Alarm (server/etcdserver/apply) answers nil, and the maintenance server sets a field of it.",
        ByTrace(traces.UNKNOWN_ALARM_ACTION),
    ),
    Bug(
        "no-peer-url-kills",
        "A MemberUpdate that gives another member what is no URL kills the server, and kills it again whenever it is "
        "started.",
        ("#9173",),
        (),
        (),
        "UpdateMember (server/etcdserver/server.go) looks at no URL; when it is applied, UpdatePeer (api/rafthttp/"
        "transport.go) panics over one that it can't parse.",
        ByTrace(traces.NO_PEER_URL),
    ),
    Bug(
        "padded-peer-url-kills",
        "A MemberUpdate that gives another member a URL with a space before or after it kills the server some seconds "
        "later.",
        (),
        (),
        (),
        "UpdatePeer (server/etcdserver/api/rafthttp/transport.go) parses URLs without the space around them, and gives "
        "its prober the text with it, which panics over that in another goroutine.",
        ByTrace(traces.PADDED_PEER_URL),
    ),
)

_MEASURED_14370 = (
    "Measured on 2026-11-26: 3.5.4, which has no other bug of this kind, lost acknowledged writes in 20 of 20 kills; "
    "3.5.5 in 0 of 20. `scripts/fetch-etcd 3.5.4 3.5.5` brings both, and `make repro BUG=acknowledged-before-logged` "
    "then takes a minute or so. Without strace, 28 kills of 3.5.4 under load lost nothing: the time between the answer "
    "and the write is too short to be hit by chance."
)
_MEASURED_13766 = (
    "It takes luck. Of five runs on 3.5.1, two showed a violation, after 5 kills (26 s) and after 13; three of 9, 15 "
    "and 17 kills showed none (the 15 with values of 500,000 bytes). In the history of one, an acknowledged write is "
    "missing in the middle, and all later ones have a revision less than what was answered: an entry was skipped after "
    "the restart. A later run on each of six versions showed it on 3.5.1 alone; two more on 3.5.1, the longer one of "
    "20 kills in 193 s, showed none. 3.5.1 has acknowledged-before-logged as well; but on 3.5.4, which has that one "
    "alone, 28 kills of this kind showed nothing."
)

_CRASHES = (
    Bug(
        "acknowledged-before-logged",
        "A server without other members that is killed loses its last writes, which it had acknowledged.",
        ("#14370", "#14400"),
        (),
        ("3.4.21", "3.5.5", "3.6.0"),
        "With one member, raft hands over entries as committed that are not yet saved, and start (server/etcdserver/"
        "raft.go) passes them on to be applied and answered while it saves them.",
        ByRun(
            acknowledged_before_logged,
            60.0,
            "Four clients put values; each write to the write-ahead log is held up for 50 ms by strace, as by a slow "
            "disk; and the server is killed and started again, once a round. It takes strace, and a machine that lets "
            "it trace.",
            _MEASURED_14370,
        ),
    ),
    Bug(
        "lost-on-kill",
        "A server that is killed under load loses one of the writes that it had acknowledged, and keeps later ones.",
        ("#13766",),
        ("3.5.0",),
        ("3.5.3",),
        "The consistent index was stored before its entry was applied (server/etcdserver/server.go), so that the entry "
        "was skipped after the restart.",
        ByRun(
            lost_on_kill,
            180.0,
            "Eight clients put values of a megabyte, and the server is killed and started again, once a round.",
            _MEASURED_13766,
        ),
    ),
)


BUGS: tuple[Bug, ...] = (*_CRASHES, *_PERMISSIONS, *_TOKENS, *_WATCHES, *_STORE, *_DEATHS)
