"""The union of the families, and the swarm: each sequence favours some operations and leaves out others."""

from __future__ import annotations

from collections.abc import Callable, Collection

from etcd_lockstep.strategies import kv, lease, txn
from etcd_lockstep.strategies.dice import Dice
from etcd_lockstep.strategies.vocabulary import Vocabulary
from etcd_model.operations import Operation

Draw = Callable[[Dice, Vocabulary], Operation]

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
    "compact": {"compact": kv.compact},
}
"""Every family: its operations, and how each is drawn."""

_WEIGHTS = {
    "put": (6, 0, 12, 0),
    "range": (6, 6, 12, 6),
    "delete_range": (0, 2, 0, 4),
    "txn": (6, 12, 0, 3),
    "lease_grant": (3, 6, 0, 3),
    "lease_revoke": (2, 4, 0, 3),
    "lease_keep_alive": (1, 0, 0, 1),
    "lease_time_to_live": (1, 0, 0, 2),
    "lease_leases": (1, 0, 0, 0),
    "compact": (1, 0, 0, 2),
}
"""The weights that an operation may have in a sequence; one of them is drawn for each."""


def operations_of(families: Collection[str], capabilities: Collection[str]) -> tuple[str, ...]:
    """The operations to draw: those of the families that every target knows."""
    return tuple(operation for family in families for operation in FAMILIES[family] if operation in capabilities)


_NEED_A_LEASE = (lease.lease_revoke, lease.lease_keep_alive, lease.lease_time_to_live)
LEASES = 3
"""From this number on, grants are drawn less often."""

_DRAWS: dict[str, Draw] = {name: draw for family in FAMILIES.values() for name, draw in family.items()}


class Swarm:
    """How the operations of one sequence are drawn."""

    def __init__(self, dice: Dice, operations: Collection[str]) -> None:
        self._draws = [_DRAWS[name] for name in operations for _ in range(dice.pick(_WEIGHTS[name]))]
        if not self._draws:
            self._draws = [_DRAWS[name] for name in operations]

    def draw(self, dice: Dice, words: Vocabulary) -> Operation:
        draw = dice.pick(self._draws)
        if draw is lease.lease_grant and len(words.live) >= LEASES and not dice.one_in(4):
            draw = dice.pick(self._draws)  # leases that nobody uses any more say little
        if draw in _NEED_A_LEASE and not words.live and not words.hostile:
            draw = lease.lease_grant
        return draw(dice, words)
