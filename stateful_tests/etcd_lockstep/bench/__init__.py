"""The bench: how fast the suite is, as ratios.

Speeds differ from machine to machine, and from minute to minute on one: so each figure is a ratio
of two speeds measured in turns, in the same run, and is reported with its spread. Nothing here is a
test: an aim that is missed is shown as missed, and the exit code is 0.

- *Lockstep*: steps per second of the model and a real etcd, as the fuzz driver runs them, over the
  same requests sent to the same etcd through bare client stubs, one after the other. The requests
  are those that the run has just made, their messages built beforehand. A reset is no step, but the
  requests that it makes are among them: both sides make as many calls, and count the same steps.
- *Driver*: steps per second of the model and the fake, as the fuzz driver runs them without a server,
  over the same operations, applied to both with nothing in between: no drawing, no comparison, no
  counting. In processor time.
- *Machine*: steps per second of `LockstepMachine`, which Hypothesis drives, over those of the driver on
  the same targets.
- *Fake*: puts per second on the fake in this process over those on a real etcd on loopback, through
  the same client stubs: on `InProcessChannel` there, on a gRPC channel here.
- *Many keys*: what a key costs the fake in memory, and its puts per second there over those with
  1,000 keys, both of random keys that exist. In a process of its own, straight on the engine.
- *Checker*: processor time and memory for each call of a history of a million, 1% of them indefinite, without the
  reading of a file. Where Go is, Porcupine checks the same calls on one core, key by key, which it can because no call
  of that history names two keys; it gets a minute.
"""

from etcd_lockstep.bench.cli import main, table
from etcd_lockstep.bench.driver import moved
from etcd_lockstep.bench.figures import Figure

__all__ = ["Figure", "main", "moved", "table"]
