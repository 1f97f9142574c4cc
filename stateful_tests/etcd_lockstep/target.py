"""What a target is: anything that operations can be applied to.

A target of your own is a subclass of `Target` with three methods; see docs/targets.md.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, TypeGuard

from etcd_lockstep.names import OPERATION_NAMED
from etcd_model.operations import Operation, Txn
from etcd_model.results import Result

BASIC = frozenset(
    {
        "range",
        "put",
        "delete_range",
        "txn",
        "compact",
        "lease_grant",
        "lease_revoke",
        "lease_keep_alive",
        "lease_time_to_live",
        "lease_leases",
    }
)
"""The operations of the KV and Lease services: what a target is asked that says nothing else."""

ALL = frozenset(OPERATION_NAMED)
"""Every operation that there is; `as` among them is any of the others, sent with a token."""


class TargetDied(Exception):
    """A target can't be reached, or stopped answering: nobody knows what became of the request."""


class NotExpressible(Exception):
    """A target has no words for an operation, and it showed only when it was asked."""


def text_of(error: BaseException) -> str:
    """What an exception of a user's code says, whatever its `__str__` does."""
    try:
        return str(error)
    except Exception as raised:
        return f"its text can't be had: {type(raised).__name__}"


def described(error: BaseException) -> str:
    """`ValueError: no such key`."""
    said = text_of(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class Target(ABC):
    """One system under test, the model and the real etcd included.

    Whatever exception `apply` raises, other than `TargetDied` and `NotExpressible`, is taken for the target's answer
    to the operation: a mock that throws where etcd answers lies too.
    """

    name: str
    """What reports call it."""

    capabilities: frozenset[str] = BASIC
    """The operations that it knows (`range`, `put`, `txn`, …); it is never asked another."""

    keys: ClassVar[tuple[bytes, ...]] = ()
    """Keys to draw from instead of the usual ones, where it treats some keys differently."""

    txns: ClassVar[tuple[Txn, ...]] = ()
    """Examples of the transactions that its clients send, where it takes few others: mostly txns of these forms are
    drawn, with keys, values, leases and revisions of the sequence."""

    shared_store: bool = False
    """Whether two instances have one store, as two clients of one server have. Then there is but one instance."""

    keeps_history: bool = False
    """Whether a reset leaves what was before it to be read at its revision, since it can't compact."""

    release: str = ""
    """The release of etcd that it is, such as `3.5.30`: it is not asked what would crash that, nor what that leaves
    undefined. Empty where it is none."""

    not_handed_on: frozenset[str] = frozenset()
    """Paths of fields (`revision`, `kvs.version`) for which there was no place in the last answer of `apply`, for its
    interface is not etcd's own: they are not compared."""

    real_time: bool = False
    """Whether an `Advance` waits: its leases live in real time. Otherwise they live by nothing but `Advance`."""

    @abstractmethod
    def reset(self) -> int | None:
        """Forget every key and every lease, and whatever else it holds. Called before each sequence.

        Returns the revision that the store stands at, where that is known; otherwise it is read.
        """

    def auth_revision(self) -> int:
        """The revision that its users and roles stand at after a reset, from which `AuthStatus` counts on."""
        return 1

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


def is_target_class(value: object) -> TypeGuard[type[Target]]:
    """Whether this is a class of targets. Asks the value's own type: on Python 3.10, `list[int]` passes for a class."""
    return issubclass(type(value), type) and issubclass(value, Target)  # type: ignore[arg-type]  # it is a class
