"""A real etcd as a run sees it, wherever it came from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar

from etcd_lockstep.servers.access import Access
from etcd_lockstep.servers.settings import Membership

Progress: TypeAlias = Callable[[str], None]
"""Receives one line, which says what a long wait is for."""

_DEATHS = ("panic:", "fatal error:", '"level":"panic"', '"level":"fatal"')


def silent(line: str) -> None:
    """A `Progress` that drops every line."""
    del line


class EtcdUnavailable(Exception):
    """The real etcd that was asked for is not available. The text says why, and where it helps, how to get one."""


Self = TypeVar("Self", bound="RunningEtcd")  # Python 3.10's typing has none


class RunningEtcd(ABC):
    """An etcd that answers. A context manager that stops it at the end."""

    address: str
    """HOST:PORT, as gRPC takes it. `restart` may change it."""
    version: str
    """As the server reports it: `3.5.1`."""
    how: str
    """One line for the report: which etcd this is and where it came from."""
    owned: bool
    """Whether this process started it, with no data in it. False for an endpoint, whose data is the user's."""

    @property
    def access(self) -> Access:
        """How it is reached now."""
        return Access(self.address)

    @abstractmethod
    def restart(self) -> None:
        """Start the server again, empty, after a request killed it; kill it first if it runs.

        Raises `EtcdUnavailable`.
        """

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it is still running. False once it has died or been stopped."""

    @abstractmethod
    def stop(self) -> None:
        """End the server and remove its data, if this process started it. A second call does nothing."""

    @abstractmethod
    def log_tail(self, lines: int = 40) -> str:
        """At most `lines` lines of the last server's log: from its panic on, or else the last ones.

        Empty where the log is unknown. Read it before `restart`, which begins a new log.
        """

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class StartedEtcd(RunningEtcd):
    """One that this process started, on its own or as a member of a cluster. Where its settings are durable, it finds
    its data again after `kill`."""

    owned = True
    member: str
    """Its name in the cluster."""
    origin: str
    """Where it came from, for `how`."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL, as a crash: the data stays as it was written to the operating system."""

    @abstractmethod
    def recover(self) -> None:
        """Start it again on its data, at the same address, after `kill`. Raises `EtcdUnavailable`."""

    @abstractmethod
    def pause(self) -> None:
        """Stop it: it keeps its connections, and answers nobody until `resume`."""

    @abstractmethod
    def resume(self) -> None:
        """Let it go on. On a server that was not paused it does nothing."""


class LaunchMember(Protocol):
    """Starts one server at each call, in any thread."""

    def __call__(self, membership: Membership | None = None) -> StartedEtcd:
        """On its own, or as a member of a cluster. Raises `EtcdUnavailable`."""


def panic_or_end(log: str, lines: int) -> str:
    """At most `lines` lines of a log: from the first line that mentions a panic on, or else the last ones.

    The line of a panic stands above a stack trace, which may be longer than `lines`.
    """
    every = log.splitlines()
    for number, line in enumerate(every):
        if any(death in line for death in _DEATHS):
            return "\n".join(every[number : number + lines])
    return "\n".join(every[-lines:])
