"""A rule, as data: which calls it is about, and what happens to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from grpc import StatusCode

from fake_etcd.errors import EtcdError
from fake_etcd.wire.methods import METHODS

ERRORS: dict[str, StatusCode] = {
    "no leader": StatusCode.UNAVAILABLE,
    "leader changed": StatusCode.UNAVAILABLE,
    "request timed out": StatusCode.UNAVAILABLE,
    "request timed out, possibly due to previous leader failure": StatusCode.UNAVAILABLE,
    "request timed out, possibly due to connection lost": StatusCode.UNAVAILABLE,
    "request timed out, waiting for the applied index took too long": StatusCode.UNAVAILABLE,
    "unhealthy cluster": StatusCode.UNAVAILABLE,
    "server stopped": StatusCode.UNAVAILABLE,
    "not leader": StatusCode.FAILED_PRECONDITION,
    "too many requests": StatusCode.RESOURCE_EXHAUSTED,
    "mvcc: database space exceeded": StatusCode.RESOURCE_EXHAUSTED,
    "corrupt cluster": StatusCode.DATA_LOSS,
}
"""etcd's own errors that no single request provokes, by their text after `etcdserver: `.

etcd: api/v3rpc/rpctypes/error.go.
"""

_LOST = EtcdError(StatusCode.UNAVAILABLE, "Socket closed")
"""What gRPC says to a call whose connection is gone."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call is refused: `Refuse("leader changed")` in etcd's words, or `Refuse(code="ABORTED", message="my own")`.

    `error` is one of `ERRORS`. With `applied`, the request takes effect first, and only its answer is replaced.
    ValueError where there is no such error or code.
    """

    error: str = ""
    applied: bool = False
    code: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        if bool(self.error) == bool(self.code) or (self.error and self.message):
            raise ValueError("a refusal has an error in etcd's words, or a code and a message")
        if self.error and self.error not in ERRORS:
            raise ValueError(f"etcd has no error {self.error!r}: there are {', '.join(map(repr, ERRORS))}")
        if self.code and (self.code not in StatusCode.__members__ or self.code == "OK"):
            raise ValueError(f"gRPC has no error code {self.code!r}: they are called UNAVAILABLE, ABORTED and so on")

    def as_error(self) -> EtcdError:
        """What the caller gets."""
        if self.error:
            return EtcdError(ERRORS[self.error], f"etcdserver: {self.error}")
        return EtcdError(StatusCode[self.code], self.message)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The call fails as one does whose connection is lost: UNAVAILABLE. With `applied`, the request took effect."""

    applied: bool = False

    def as_error(self) -> EtcdError:
        """What the caller gets."""
        return EtcdError(_LOST.code, _LOST.message)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The caller gets no answer, until its deadline is over. With `applied`, the request took effect."""

    applied: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """The request reaches the server so many seconds later; with `applied`, it's the answer that is late.

    Seconds go by the fake's clock. A call that waits or has many answers is late as a whole.
    """

    seconds: float
    applied: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"a delay is 0 seconds or more, not {self.seconds}")


@dataclass(frozen=True, slots=True)
class ExpireLease:
    """The lease that the request names expires just before: of LeaseKeepAlive, Put, Lock, Campaign and so on."""


@dataclass(frozen=True, slots=True)
class NoSpace:
    """The database is full: the alarm NOSPACE is raised just before, and stays until it is disarmed."""


@dataclass(frozen=True, slots=True)
class StallWatch:
    """The stream's events are held back, from this one on, until the rule is removed: then the stream catches up.

    What was compacted meanwhile cancels its watchers, as with etcd's slow watchers.
    """


@dataclass(frozen=True, slots=True)
class CancelWatch:
    """The server cancels the watcher in place of sending it the event, and says why.

    With `compacted`, the store is compacted at its revision, and the watcher is cancelled for that.
    """

    reason: str = ""
    compacted: bool = False


OfCall = Refuse | Disconnect | NoAnswer | Delay | ExpireLease | NoSpace
OfDelivery = StallWatch | CancelWatch
Effect = OfCall | OfDelivery


def _paths() -> dict[str, str]:
    paths: dict[str, str] = {}
    for method in METHODS:
        paths.setdefault(method.name, method.path)
        paths[method.path] = method.path
    return paths


_PATHS = _paths()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: `Fault(method="Put", key_prefix=b"/locks/", nth=2, then=Refuse("leader changed", applied=True))`.

    Those effects that are a watch's, StallWatch and CancelWatch, are about events that are about to be sent to a
    watcher; all others are about requests. ValueError where a rule makes no sense.
    """

    then: Effect
    method: str = ""
    """A method's name, such as `Put`, or its path, such as `/etcdserverpb.KV/Put`; empty: any method of etcd's."""
    key_prefix: bytes = b""
    """What a key begins with that the request names; of a range, that is its first key; of a delivery, the event's."""
    nth: int = 0
    """Only the nth of the calls that match so far, counted from 1; 0: all of them."""
    times: int = 0
    """At most so many calls are struck; 0: any number."""
    probability: float = 1.0
    """Of a call that would be struck."""
    seed: int = 0
    """For the probability: the same rule strikes the same of the calls, each time that it is added."""

    def __post_init__(self) -> None:
        if self.method and self.method not in _PATHS:
            raise ValueError(f"etcd has no method {self.method!r}: they are called Put, LeaseKeepAlive and so on")
        if self.nth < 0 or self.times < 0:
            raise ValueError("nth and times are 0 or more")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {self.probability}")
        if isinstance(self.then, OfDelivery) and self.path not in ("", _PATHS["Watch"]):
            raise ValueError(f"{type(self.then).__name__} is about the method Watch, not {self.method}")

    @property
    def path(self) -> str:
        """The method's path; empty for any."""
        return _PATHS[self.method] if self.method else ""
