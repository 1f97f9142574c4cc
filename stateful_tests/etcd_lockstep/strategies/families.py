"""Every family of operations, and how each operation is drawn."""

from __future__ import annotations

from collections.abc import Callable

from etcd_lockstep.strategies import auth, kv, lease, lock, maintenance, time, txn, watch
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_model.operations import Operation

Draw = Callable[[ChoiceDecoder, GeneratorState], Operation]

FAMILIES: dict[str, dict[str, Draw]] = {
    "kv": {"put": kv.put, "range": kv.range_, "delete_range": kv.delete_range},
    "txn": {"txn": txn.txn},
    "lease": {
        "lease_grant": lease.lease_grant,
        "lease_revoke": lease.lease_revoke,
        "lease_keep_alive": lease.lease_keep_alive,
        "lease_time_to_live": lease.lease_time_to_live,
        "lease_leases": lease.lease_leases,
    },
    "time": {"advance": time.advance},
    "watch": {
        "watch_create": watch.watch_create,
        "watch_read": watch.watch_read,
        "watch_cancel": watch.watch_cancel,
        "watch_progress": watch.watch_progress,
        "watch_close": watch.watch_close,
    },
    "compact": {"compact": kv.compact},
    "auth": {
        "auth_enable": auth.auth_enable,
        "auth_disable": auth.auth_disable,
        "auth_status": auth.auth_status,
        "authenticate": auth.authenticate,
        "user_add": auth.user_add,
        "user_get": auth.user_get,
        "user_list": auth.user_list,
        "user_delete": auth.user_delete,
        "user_change_password": auth.user_change_password,
        "user_grant_role": auth.user_grant_role,
        "user_revoke_role": auth.user_revoke_role,
        "role_add": auth.role_add,
        "role_get": auth.role_get,
        "role_list": auth.role_list,
        "role_delete": auth.role_delete,
        "role_grant_permission": auth.role_grant_permission,
        "role_revoke_permission": auth.role_revoke_permission,
    },
    "maintenance": {
        "status": maintenance.status,
        "alarm": maintenance.alarm,
        "defragment": maintenance.defragment,
        "hash": maintenance.hash_,
        "hash_kv": maintenance.hash_kv,
        "snapshot": maintenance.snapshot,
        "move_leader": maintenance.move_leader,
        "downgrade": maintenance.downgrade,
        "member_list": maintenance.member_list,
        "member_add": maintenance.member_add,
        "member_remove": maintenance.member_remove,
        "member_update": maintenance.member_update,
        "member_promote": maintenance.member_promote,
    },
    "lock": {
        "lock": lock.lock,
        "unlock": lock.unlock,
        "campaign": lock.campaign,
        "proclaim": lock.proclaim,
        "leader": lock.leader,
        "observe": lock.observe,
        "resign": lock.resign,
    },
}

DRAWS: dict[str, Draw] = {name: draw for family in FAMILIES.values() for name, draw in family.items()}
