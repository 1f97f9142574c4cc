"""What a specimen answers at the end of a trace, beside the model."""

from __future__ import annotations

from etcd_lockstep.comparing.lockstep import Inconclusive, Lockstep, Skipped, Step
from etcd_lockstep.comparing.timed import TimedLockstep
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.target import Target
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace, takes_time
from etcd_model import Server


def last_step(trace: Trace, target: Target, server: Server) -> Step | None:
    """The last step of a trace on a model of `server` and the target; None where it can't be run to its end."""
    if isinstance(target, Specimen):
        target.emulate(server)
    lockstep = (TimedLockstep if takes_time(trace) else Lockstep)(ModelTarget(server), [target])
    try:
        lockstep.start()
        *_, last = [lockstep.step(operation) for operation in trace]
    except (Inconclusive, Skipped):
        return None
    return last
