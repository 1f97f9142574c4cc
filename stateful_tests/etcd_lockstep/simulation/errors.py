"""What ends a run of a simulation, and what a client of one is thrown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from grpc import aio

from fake_etcd.calls import InProcessRpcError

if TYPE_CHECKING:
    from etcd_lockstep.simulation.timeline import Timeline


_DROPPED = "the schedule dropped the "


class Crashed(BaseException):
    """The client was crashed: thrown in each of its threads, at every further call. No `Exception`, so that the
    program doesn't handle it by accident."""


class InjectedError(InProcessRpcError):
    """An RPC whose request, answer or stream the schedule dropped, or whose deadline passed."""


class ChannelClosed(ValueError):
    """What gRPC raises of a call on a closed channel; etcd3's thread for watches dies of it."""


def dropped(what: str) -> InjectedError:
    """What gRPC raises for a client whose connection broke: nobody knows whether the request was carried out."""
    return InjectedError(grpc.StatusCode.UNAVAILABLE, f"{_DROPPED}{what}")


def deadline_exceeded() -> InjectedError:
    """gRPC's own words."""
    return InjectedError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class SimulationFailed(AssertionError):
    """A run did not go well; the text says why, and then shows the timeline."""

    def __init__(self, why: str, timeline: Timeline | None = None) -> None:
        super().__init__(why if timeline is None else f"{why}\n\n{timeline}")
        self.why = why
        self.timeline = timeline
        """What happened; None where the run has not ended yet."""


class InvariantBroken(SimulationFailed):
    """An invariant does not hold; its own exception is the cause."""


class ClientFailed(SimulationFailed):
    """A client raised an exception that no fault explains; it is the cause."""


class Deadlock(SimulationFailed):
    """Clients wait, and nothing will ever wake them."""


class NotFinished(SimulationFailed):
    """The run took more steps than it may."""


class BlockedOutside(SimulationFailed):
    """A thread of a client waits for something that the schedule does not know of, or computes for too long."""


class SwallowedCrash(SimulationFailed):
    """A thread of a client goes on after it was crashed: it catches `BaseException`, and tries again."""


def _is_injected(error: BaseException) -> bool:
    """grpc.aio has an exception of its own; etcd itself answers neither of the two."""
    if isinstance(error, aio.AioRpcError):
        late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return late or (error.details() or "").startswith(_DROPPED)
    return isinstance(error, InjectedError)


def explained_by_fault(error: BaseException) -> bool:
    """Whether an exception comes of a fault of the schedule: a program that dies of it is a program that crashed."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        if _is_injected(one):
            return True
        seen.add(id(one))
        one = one.__cause__ or one.__context__
    return False
