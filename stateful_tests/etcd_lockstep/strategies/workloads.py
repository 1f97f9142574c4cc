"""Workloads: where which families meet.

Most operations share one server and one state machine. What is global to a server, or takes time, has a workload of its
own, with the operations of other families along that it is about: auth needs requests that it may refuse, an alarm
needs writes, and leases that expire need keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from etcd_lockstep.names import operation_name
from etcd_lockstep.servers import USUAL, ServerSettings
from etcd_lockstep.strategies import auth, identity, kv, lease, maintenance, time, txn
from etcd_lockstep.strategies.choices import ChoiceDecoder
from etcd_lockstep.strategies.generator_state import GeneratorState
from etcd_lockstep.strategies.operation_table import DRAWS, FAMILIES, Draw
from etcd_model.operations import HashKV, Operation, Put

LENGTHS = (50, 8, 16, 32)
"""How many steps a sequence may have. Short ones come many to an example: where a target lies often, what is new
is seen before much has gone wrong."""

OFTEN = (10, 2)
"""How many times one key is put, and then another, where the first is to have a version of two digits."""

LEASES = 3
"""From this number on, grants are drawn less often."""

_NEED_A_LEASE = (lease.lease_revoke, lease.lease_keep_alive, lease.lease_time_to_live)

_FILLS: Mapping[str, Draw] = {"put": kv.put_new_key, "txn": txn.put_new_key}
"""What brings keys, near the beginning of a sequence that has no prelude."""


def _nothing(_choices: ChoiceDecoder, _state: GeneratorState) -> tuple[Operation, ...]:
    return ()


def _hash_kv(_state: GeneratorState) -> Operation:
    return HashKV()


def _as_it_is(_choices: ChoiceDecoder, _state: GeneratorState, operation: Operation) -> Operation:
    return operation


@dataclass(frozen=True, slots=True)
class Workload:
    """A state machine, and the server that it needs."""

    name: str
    families: tuple[str, ...]
    """Those that are drawn here where they are asked for."""
    weights: Mapping[str, tuple[int, ...]]
    """By operation: the weights that it may have in a sequence, of which one is drawn for each. Operations of other
    families than the workload's own are drawn along."""
    share: int
    """Of the time of a run, next to those of the other workloads that run."""
    settings: ServerSettings = USUAL
    """What its server is started with."""
    settled: bool = False
    """Whether every store must have these settings: then the workload runs where we start them all. An endpoint of a
    user's, and a target of theirs, know nothing of our settings, and would be accused of what they can't help."""
    draws: Mapping[str, Draw] = field(default_factory=dict)
    """Operations that are drawn otherwise than elsewhere."""
    lengths: tuple[int, ...] = LENGTHS
    prelude: Callable[[ChoiceDecoder, GeneratorState], tuple[Operation, ...]] = _nothing
    """What every sequence begins with."""
    wrap: Callable[[ChoiceDecoder, GeneratorState, Operation], Operation] = _as_it_is
    """What becomes of each operation that was drawn."""
    final_check: Callable[[GeneratorState], Operation] = _hash_kv
    """What reports the whole history at the end of a sequence."""
    workers: int = 1
    """How many sequences run at the same time, each on a server of its own: where they mostly wait."""

    def operations(self, families: Collection[str], capabilities: Collection[str]) -> tuple[str, ...]:
        """What is drawn: the families asked for and what comes along, as far as every target knows it. Nothing
        where no operation of those families is left."""
        asked = {name for family in families if family in self.families for name in FAMILIES[family]}
        own = {name for family in self.families for name in FAMILIES[family]}
        if not asked & set(capabilities):
            return ()
        return tuple(name for name in self.weights if name in capabilities and (name in asked or name not in own))


class Swarm:
    """How the operations of one sequence are drawn: it favours some, leaves out others, and sees to it that there are
    keys."""

    def __init__(self, choices: ChoiceDecoder, workload: Workload, operations: Collection[str]) -> None:
        self._workload = workload
        draws = {name: workload.draws.get(name, DRAWS[name]) for name in operations}
        weights = {name: choices.pick(workload.weights[name]) for name in operations}
        self._draws = [draw for name, draw in draws.items() for _ in range(weights[name])]
        if not self._draws:
            self._draws = list(draws.values())
        self._fills = [draw for name, draw in _FILLS.items() if weights.get(name)]
        self._fills_left = choices.pick((0, 2, 3, 5)) if self._fills and workload.prelude is _nothing else 0
        self._names = draws.keys()
        self._puts_left = 0
        if "put" in draws and workload.prelude is _nothing and choices.one_in(16):
            self._puts_left = sum(OFTEN)

    def draw(self, choices: ChoiceDecoder, state: GeneratorState) -> Operation:
        if self._puts_left:
            self._puts_left -= 1
            key = state.keys[self._puts_left < OFTEN[1] and len(state.keys) > 1]
            return self._workload.wrap(choices, state, Put(key, state.value(choices)))
        if state.next is not None and choices.one_in(2) and operation_name(type(state.next)) in self._names:
            return self._workload.wrap(choices, state, state.next)
        if self._fills_left and choices.pick((False, True, True)):
            self._fills_left -= 1
            return self._workload.wrap(choices, state, choices.pick(self._fills)(choices, state))
        draw = choices.pick(self._draws)
        if draw is lease.lease_grant and len(state.live) >= LEASES and not choices.one_in(4):
            draw = choices.pick(self._draws)  # leases that nobody uses any more say little
        if draw in _NEED_A_LEASE and not state.live and not state.invalid_inputs:
            draw = self._workload.draws.get("lease_grant", lease.lease_grant)
        return self._workload.wrap(choices, state, draw(choices, state))


def _sometimes_large(usual: Draw, large: Draw, times: int = 40) -> Draw:
    """Once in so many times one that is about as large as a request may be."""
    return lambda choices, state: (large if choices.one_in(times) else usual)(choices, state)


def _leased(choices: ChoiceDecoder, state: GeneratorState) -> Operation:
    return kv.put_with_lease(choices, state) if choices.pick((True, False)) else DRAWS["put"](choices, state)


STORE = Workload(
    "store",
    families=("kv", "txn", "lease", "watch", "compact", "lock", "range_stream"),
    weights={
        "put": (6, 0, 12, 0),
        "range": (6, 6, 12, 6),
        "range_stream": (1, 0, 3, 0),
        "delete_range": (0, 2, 0, 4),
        "txn": (6, 12, 0, 3),
        "lease_grant": (3, 6, 0, 3),
        "lease_revoke": (2, 4, 0, 3),
        "lease_keep_alive": (1, 0, 0, 1),
        "lease_time_to_live": (1, 0, 0, 2),
        "lease_leases": (1, 0, 0, 0),
        "compact": (1, 0, 0, 2),
        "watch_create": (0, 4, 0, 2),
        "watch_read": (0, 2, 0, 1),
        "watch_cancel": (0, 1, 0, 0),
        "watch_progress": (0, 1, 0, 0),
        "watch_close": (0, 1, 0, 1),
        "lock": (0, 0, 0, 4),
        "unlock": (0, 0, 0, 2),
        "campaign": (0, 0, 0, 4),
        "proclaim": (0, 0, 0, 2),
        "leader": (0, 0, 0, 1),
        "observe": (0, 0, 0, 2),
        "resign": (0, 0, 0, 3),
    },
    share=5,
)

AUTH = Workload(
    "auth",
    families=("auth",),
    weights={
        "auth_enable": (1, 1, 0, 2),
        "auth_disable": (0, 1, 0, 0),
        "auth_status": (1, 0, 1, 0),
        "authenticate": (2, 1, 2, 1),
        "user_add": (1, 0, 2, 0),
        "user_get": (1, 0, 0, 1),
        "user_list": (1, 0, 0, 1),
        "user_delete": (0, 1, 1, 0),
        "user_change_password": (0, 1, 0, 1),
        "user_grant_role": (1, 0, 1, 2),
        "user_revoke_role": (0, 1, 0, 1),
        "role_add": (1, 0, 1, 0),
        "role_get": (1, 0, 1, 0),
        "role_list": (1, 0, 0, 0),
        "role_delete": (0, 1, 1, 0),
        "role_grant_permission": (1, 2, 0, 2),
        "role_revoke_permission": (0, 1, 0, 1),
        "put": (3, 6, 0, 4),
        "range": (3, 6, 3, 6),
        "range_stream": (1, 0, 1, 0),
        "delete_range": (1, 2, 0, 2),
        "txn": (2, 6, 0, 4),
        "lease_grant": (1, 2, 0, 1),
        "lease_revoke": (1, 1, 0, 1),
        "lease_keep_alive": (0, 1, 0, 1),
        "lease_time_to_live": (0, 1, 0, 1),
        "lease_leases": (0, 1, 0, 0),
        "compact": (0, 1, 0, 0),
        "watch_create": (0, 2, 0, 1),
        "status": (0, 1, 0, 0),
        "alarm": (0, 0, 0, 1),
        "defragment": (0, 0, 0, 0, 1),
        "hash": (0, 0, 1, 0),
        "hash_kv": (0, 0, 1, 0),
        "snapshot": (0, 0, 0, 0, 1),
        "move_leader": (0, 0, 1, 0),
        "downgrade": (0, 0, 0, 1),
        "member_list": (0, 0, 1, 0),
        "member_add": (0, 0, 0, 1),
        "member_remove": (0, 0, 1, 0),
        "member_update": (0, 0, 0, 1),
        "member_promote": (0, 0, 1, 0),
        "lock": (0, 0, 0, 1),
        "unlock": (0, 0, 1, 0),
        "campaign": (0, 0, 1, 0),
        "leader": (0, 0, 1, 0),
        "observe": (0, 0, 0, 1),
        "proclaim": (0, 0, 0, 1),
        "resign": (0, 0, 1, 0),
    },
    share=2,
    settings=ServerSettings(cheap_passwords=True),
    draws={"range": auth.range_, "watch_create": auth.watch_create, "alarm": auth.alarm},
    lengths=(60, 30, 40),
    prelude=auth.prelude,
    wrap=auth.in_a_name,
    final_check=auth.final_check,
)

CERTIFICATES = replace(
    AUTH,
    name="certificates",
    share=1,
    settings=ServerSettings(cheap_passwords=True, tokens="simple"),
    settled=True,
    wrap=identity.by_certificate,
    final_check=identity.final_check,
)

JWT = replace(
    CERTIFICATES,
    name="jwt",
    settings=ServerSettings(cheap_passwords=True, tokens="jwt"),
    wrap=identity.by_signed_token,
)

MAINTENANCE = Workload(
    "maintenance",
    families=("maintenance",),
    weights={
        "status": (2, 1, 0, 1),
        "alarm": (2, 3, 0, 1),
        "defragment": (0, 0, 1, 0),
        "hash": (1, 0, 1, 0),
        "hash_kv": (3, 1, 6, 2),
        "snapshot": (0, 0, 1, 0),
        "move_leader": (1, 0, 1, 0),
        "downgrade": (1, 0, 2, 0),
        "member_list": (1, 0, 2, 0),
        "member_add": (2, 0, 3, 0),
        "member_remove": (1, 0, 2, 0),
        "member_update": (1, 0, 2, 0),
        "member_promote": (1, 0, 1, 0),
        "put": (6, 4, 8, 6),
        "range": (1, 1, 0, 2),
        "delete_range": (2, 1, 2, 1),
        "txn": (3, 4, 2, 6),
        "lease_grant": (1, 2, 0, 1),
        "lease_revoke": (1, 0, 0, 1),
        "compact": (1, 1, 2, 1),
        "lock": (0, 0, 1, 0),
        "unlock": (0, 0, 1, 0),
        "campaign": (0, 0, 0, 1),
    },
    share=1,
    draws={
        "put": _sometimes_large(DRAWS["put"], maintenance.large_put),
        "delete_range": _sometimes_large(DRAWS["delete_range"], maintenance.large_delete),
        "range": _sometimes_large(DRAWS["range"], maintenance.large_range),
        "txn": _sometimes_large(DRAWS["txn"], maintenance.large_txn),
        "lock": _sometimes_large(DRAWS["lock"], maintenance.large_lock),
    },
)

TIME = Workload(
    "time",
    families=("time",),
    weights={
        "advance": (1, 2, 1, 2),
        "lease_grant": (2, 3, 1, 3),
        "lease_revoke": (1, 0, 1, 0),
        "lease_keep_alive": (3, 1, 0, 4),
        "lease_time_to_live": (3, 1, 2, 0),
        "lease_leases": (1, 0, 1, 0),
        "put": (6, 8, 4, 6),
        "range": (3, 4, 2, 3),
        "delete_range": (1, 0, 1, 0),
        "txn": (1, 2, 0, 2),
        "watch_create": (0, 2, 1, 0),
        "watch_read": (0, 2, 1, 0),
        **dict.fromkeys(("user_add", "user_grant_role", "auth_enable", "authenticate"), (0,)),  # the prelude has them
    },
    share=2,
    settings=ServerSettings(cheap_passwords=True),
    draws={"lease_grant": time.lease_grant, "put": _leased},
    lengths=(14, 10, 18),
    prelude=time.prelude,
    wrap=time.in_a_name,
    final_check=auth.final_check,
    workers=12,
)

QUOTA = Workload(
    "quota",
    families=("maintenance",),
    weights={
        "put": (3, 2, 1, 4),
        "txn": (6, 8, 12, 4),
        "range": (3, 4, 4, 2),
        "delete_range": (1, 2, 3, 1),
        "lease_grant": (2, 1, 0, 4),
        "lease_revoke": (1, 0, 0, 1),
        "lease_leases": (1, 0, 0, 1),
        "lock": (0, 1, 0, 1),
        "campaign": (0, 1, 0, 1),
        "proclaim": (0, 0, 1, 1),
        "resign": (0, 0, 1, 1),
        "unlock": (0, 0, 0, 1),
        "compact": (1, 1, 2, 1),
        "alarm": (4, 3, 2, 6),
        "status": (1, 2, 0, 1),
        "hash_kv": (1, 0, 2, 0),
        "defragment": (0, 1, 0, 1),
    },
    share=1,
    settings=ServerSettings(quota_bytes=1024),
    settled=True,
    draws={"txn": maintenance.nesting_txn, "alarm": maintenance.disarm, "lock": maintenance.lock},
    lengths=(20, 8, 16),
)

WORKLOADS = (STORE, AUTH, MAINTENANCE, QUOTA, CERTIFICATES, JWT, TIME)
