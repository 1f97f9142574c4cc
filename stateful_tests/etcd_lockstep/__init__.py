"""The harness checks that they agree: sequences of operations in lockstep on every target, and a list of the lies."""

from etcd_lockstep.target import Target, TargetDied

__all__ = ["Target", "TargetDied"]
