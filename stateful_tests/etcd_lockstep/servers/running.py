"""What a run holds of a real etcd, wherever it came from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[str], None]
"""Is told, in one line, what a long wait is for."""


def silent(line: str) -> None:
    """Where nobody waits."""
    del line


Self = TypeVar("Self", bound="RunningEtcd")  # Python 3.10's typing has none


class RunningEtcd(ABC):
    """An etcd that answers. A context manager that stops it at the end."""

    address: str
    """HOST:PORT, as gRPC takes it. `restart` may change it."""
    version: str
    """As the server itself says it, as in `3.5.1`."""
    how: str
    """One line for the report: which etcd this is and where it came from."""
    owned: bool
    """Whether this process started it, with no data in it. False for an endpoint: what it holds is the user's."""

    @abstractmethod
    def restart(self) -> None:
        """Start again, empty, where a request killed it (or kill it first). Raises `EtcdUnavailable`."""

    @abstractmethod
    def is_alive(self) -> bool:
        """Whether it runs still. False once it has died or been stopped."""

    @abstractmethod
    def stop(self) -> None:
        """End it and remove its data, where we started it; nothing otherwise. A second call does nothing."""

    @abstractmethod
    def log_tail(self, lines: int = 40) -> str:
        """The end of the log of the last server that ran, from the panic on where it holds one; empty where unknown.

        Read it before `restart`, which begins a new log.
        """

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
