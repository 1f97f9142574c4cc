"""The real etcd of a run as a target."""

from __future__ import annotations

from typing import get_args

from etcd_lockstep.names import name_of, operation_name
from etcd_lockstep.servers import EtcdUnavailable, RunningEtcd
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.footprint import Footprint
from etcd_lockstep.targets.probing import CALLS, implements, with_those_that_follow
from etcd_lockstep.targets.unimplemented import Unimplemented
from etcd_lockstep.targets.wire import WireTarget, empty_store
from etcd_lockstep.trace import bare
from etcd_model import Operation, Result, Server
from etcd_model.errors import TOO_MANY_OPS
from etcd_model.membership import may_be_taken
from etcd_model.operations import AuthOperation, LeaseGrant, LeaseRevoke, MemberAdd, Range, Txn
from etcd_model.quirks import quirks_of, release_of
from etcd_model.results import LeaseGrantResult

_ABOUT_USERS = frozenset({"as", *map(operation_name, get_args(AuthOperation))})


_MOST_OPS = 1 << 14
"""From how many operations in a txn on no limit is looked for."""


class EtcdTarget(WireTarget):
    """A running etcd. It is started again where it dies, if it is ours."""

    def __init__(self, running: RunningEtcd) -> None:
        super().__init__("etcd", running.access)
        self._running = running
        self.release = release_of(running.version)
        quirks = quirks_of(self.release)
        implemented = {
            "auth_status": quirks.auth_status,
            "downgrade": quirks.downgrade,
            "range_stream": quirks.range_streams,
        }
        self._missing = {name for name, is_there in implemented.items() if not is_there}
        """The operations that its release does not implement."""
        self._granted: list[int] = []
        """The leases since the last reset, of a server that can't list them."""
        self._unimplemented: Unimplemented | None = None
        """What a server that is not ours has no words for."""

    @property
    def owned(self) -> bool:
        """Whether it was started by us. What else there may be is somebody's."""
        return self._running.owned

    def learn(self) -> None:
        """Find out which operations a server knows that is not ours, by requests to it: from now on it is asked no
        others. What etcd's release itself does not implement is compared all the same.

        In the name of a user, nothing is asked that is about users. Raises `TargetDied`.
        """
        known: set[str] = set()
        left_out = _ABOUT_USERS if self._running.access.names_a_user else frozenset()
        for path, names in CALLS.items():
            if not names <= left_out and (names <= self._missing or self._implements(path)):
                known |= names
        self.capabilities = with_those_that_follow(known) - left_out
        self.keeps_history = "compact" not in self.capabilities
        self._unimplemented = Unimplemented()

    def _implements(self, path: str) -> bool:
        try:
            return implements(self._channel, path)
        except TargetDied:  # it waits, as a stream of watchers does that is asked for nothing, or it died
            if not self._running.is_alive():
                raise
            return True

    def empty(self) -> int:
        revision = empty_store(self._wire, self.capabilities, self._granted)
        self._granted.clear()
        return revision

    def can_express(self, operation: Operation) -> bool:
        """A cluster that is not ours is given no member, which might outlive the run."""
        if self._unimplemented is None:
            return True
        return self._unimplemented.may_send(operation) and not self._adds_member(bare(operation))

    def _adds_member(self, operation: Operation) -> bool:
        return isinstance(operation, MemberAdd) and may_be_taken(operation.peer_urls, quirks_of(self.release))

    def apply(self, operation: Operation) -> Result:
        """Raises `NotExpressible` where a server that is not ours has no words for it."""
        result = self._applied(operation)
        if isinstance(result, LeaseGrantResult) and "lease_leases" not in self.capabilities:
            self._granted.append(result.id)
        if self._unimplemented is not None and name_of(operation) not in self._missing:
            self._unimplemented.learn(operation, result)
        return result

    def _applied(self, operation: Operation) -> Result:
        try:
            return super().apply(operation)
        except TargetDied as died:
            log = self._running.log_tail(lines=3).strip()
            raise TargetDied(f"{died}\n{log}" if log else str(died)) from died

    def revive(self) -> None:
        """Raises `TargetDied` where it can't be started, or is not ours to start."""
        if not self.owned and self._running.is_alive():
            left = self._wire.footprint
            self._wire.close()
            self._channel.close()
            self.connect(self._running.access)  # it gave up one call only
            self._wire.footprint = left
            return
        self._wire.footprint = Footprint()  # what it left is gone with it
        self.close()
        try:
            self._running.restart()
        except EtcdUnavailable as error:
            self.connect(self._running.access)  # so that whoever asks it again learns that nobody answers
            raise TargetDied(str(error)) from error
        self.connect(self._running.access)

    def min_lease_ttl(self) -> int:
        """The shortest TTL that this server grants, in seconds, asked with a lease that is revoked again.

        It depends on the server's election timeout: 2 with the default timings.
        """
        if "lease_grant" not in self.capabilities:
            return Server().min_lease_ttl
        granted = self.apply(LeaseGrant(ttl=1))
        if not isinstance(granted, LeaseGrantResult):
            raise TargetDied(f"it grants no lease: {granted}")
        self.apply(LeaseRevoke(granted.id))
        return granted.ttl

    def max_txn_ops(self) -> int:
        """How many operations a txn may have (etcd's --max-txn-ops), found out by txns that only read."""
        usual = Server().max_txn_ops
        if "txn" not in self.capabilities or (self._takes(usual) and not self._takes(usual + 1)):
            return usual
        fits, too_many = (usual, 2 * usual) if self._takes(usual) else (0, usual)
        while too_many < _MOST_OPS and self._takes(too_many):
            fits, too_many = too_many, 2 * too_many
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            fits, too_many = (middle, too_many) if self._takes(middle) else (fits, middle)
        return fits

    def _takes(self, number: int) -> bool:
        return self._applied(Txn(success=(Range(b"a"),) * number)) != TOO_MANY_OPS
