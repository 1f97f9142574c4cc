"""Strategies: how operations are drawn, one module a family, and their union.

`keys`, `values`, `operations` and `traces` are for users' own `@given`.

One number an operation is drawn, by a seeded generator on the command line and by Hypothesis in `LockstepMachine`;
which operation that is, is read off the number here (`choices`). A draw costs Hypothesis several times what the whole
reading does, and what it would give in return, shrinking field by field, the suite does on traces itself
(`etcd_lockstep.searching.shrinking`).
"""

from etcd_lockstep.strategies.drawing import keys, operations, traces, values

__all__ = ["keys", "operations", "traces", "values"]
