"""The real etcd of a run as a target."""

from __future__ import annotations

from etcd_lockstep.servers import EtcdUnavailable, RunningEtcd
from etcd_lockstep.target import TargetDied
from etcd_lockstep.targets.footprint import Footprint
from etcd_lockstep.targets.wire import WireTarget
from etcd_model import Operation, Result
from etcd_model.operations import LeaseGrant, LeaseRevoke
from etcd_model.quirks import release_of
from etcd_model.results import LeaseGrantResult


class EtcdTarget(WireTarget):
    """A running etcd. It is started again where it dies, if it is ours."""

    def __init__(self, running: RunningEtcd) -> None:
        super().__init__("etcd", running.access)
        self._running = running
        self.release = release_of(running.version)

    @property
    def owned(self) -> bool:
        """Whether it was started by us. What else there may be is somebody's."""
        return self._running.owned

    def apply(self, operation: Operation) -> Result:
        try:
            return super().apply(operation)
        except TargetDied as died:
            log = self._running.log_tail(lines=3).strip()
            raise TargetDied(f"{died}\n{log}" if log else str(died)) from died

    def revive(self) -> None:
        """Raises `TargetDied` where it can't be started, or is not ours to start."""
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
        granted = self.apply(LeaseGrant(ttl=1))
        if not isinstance(granted, LeaseGrantResult):
            raise TargetDied(f"it grants no lease: {granted}")
        self.apply(LeaseRevoke(granted.id))
        return granted.ttl
