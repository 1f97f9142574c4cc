"""What a target is: anything that operations can be applied to.

A target of your own is a subclass of `Target` with three methods; see docs/targets.md.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from etcd_lockstep.names import operation_name
from etcd_model.operations import OPERATIONS, Operation
from etcd_model.results import Result


class TargetDied(Exception):
    """A target can't be reached, or stopped answering: nobody knows what became of the request."""


class Target(ABC):
    """One system under test, the model and the real etcd included.

    Whatever exception `apply` raises, other than `TargetDied`, is taken for the target's answer
    to the operation: a mock that throws where etcd answers lies too.
    """

    name: str
    """What reports call it."""

    capabilities: frozenset[str] = frozenset(map(operation_name, OPERATIONS))
    """The operations that it knows (`range`, `put`, `txn`, …); it is never asked another."""

    keys: ClassVar[tuple[bytes, ...]] = ()
    """Keys to draw from instead of the usual ones, where it treats some keys differently."""

    shared_store: bool = False
    """Whether two instances have one store, as two clients of one server have. Then there is but one instance."""

    @abstractmethod
    def reset(self) -> int | None:
        """Forget every key and every lease. Called before each sequence.

        Returns the revision that the store stands at, where that is known; otherwise it is read.
        """

    @abstractmethod
    def apply(self, operation: Operation) -> Result:
        """Answer one operation; an answer that etcd gives as a gRPC error is an `etcd_model.errors.Error`."""

    def revive(self) -> None:
        """Bring the target back after it died. Raises `TargetDied` where that can't be done."""
        raise TargetDied("it can't be started again from here")

    def can_express(self, operation: Operation) -> bool:  # noqa: ARG002  # for subclasses to look at
        """Whether the target's interface has words for this very operation; if not, nobody is asked it."""
        return True

    def close(self) -> None:  # noqa: B027  # most targets hold nothing that needs closing
        """Give back what the target holds. Called once, at the end of a run."""
