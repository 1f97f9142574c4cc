"""A run's participants: started together, and closed together whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType

from etcd_lockstep import servers
from etcd_lockstep.catalogue import Own, UnknownTarget
from etcd_lockstep.servers import EtcdSource, NoEtcd, RunningEtcd
from etcd_lockstep.strategies.vocabulary import KEYS, MOST_KEYS
from etcd_lockstep.target import Target
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.etcd3 import Etcd3Target
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_model.quirks import DEFAULT_VERSION, parse_version, quirks_of
from etcd_model.state import Server


class Run:
    """The model, the fake, a real etcd unless there is to be none, and what is held against them.

    A context manager. Raises what `servers.start`, `servers.refuse_unless_empty` and a target's constructor do.
    """

    def __init__(
        self,
        source: EtcdSource,
        against: Sequence[str | Own],
        *,
        allow_destroy: bool = False,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.etcd: RunningEtcd | None = None
        """The real etcd of the run."""
        self.others: list[Target] = []
        """Every target beside the model."""
        self.twins: dict[str, Target] = {}
        """Second instances, by name, of those that can have one."""
        self._stack = ExitStack()
        with self._stack as stack:
            self._start(source, against, allow_destroy=allow_destroy, progress=progress)
            self._stack = stack.pop_all()

    def _start(
        self, source: EtcdSource, against: Sequence[str | Own], *, allow_destroy: bool, progress: Callable[[str], None]
    ) -> None:
        client_alone = isinstance(source, servers.Endpoint) and "etcd3" in against
        real: EtcdTarget | None = None
        if not isinstance(source, NoEtcd):
            self.etcd = self._stack.enter_context(servers.start(source, progress))
            if not self.etcd.owned:
                servers.refuse_unless_empty(self.etcd.address, allow_destroy)
            real = EtcdTarget(self.etcd)
            self._stack.callback(real.close)
        self.version = self.etcd.version if self.etcd else DEFAULT_VERSION
        """Of etcd: that which the model and the fake take after."""
        release = ".".join(map(str, parse_version(self.version)))
        min_lease_ttl = real.min_lease_ttl() if real else Server().min_lease_ttl
        self.model = ModelTarget(Server(quirks_of(release), min_lease_ttl))
        self._add(FakeTarget(release, min_lease_ttl))
        if real and not client_alone:
            self._add(real)
        for wanted in against:
            if isinstance(wanted, Own):
                target = wanted.make()
                self._add(target, twin=None if target.shared_store else wanted.make())
            elif wanted == "fake-server":
                self._add(FakeServerTarget(release, min_lease_ttl), twin=FakeServerTarget(release, min_lease_ttl))
            else:
                self._add(self._etcd3(source, progress))
        self.capabilities = frozenset.intersection(*(target.capabilities for target in self.others))
        """The operations that every target knows."""
        wished = dict.fromkeys(key for target in self.others for key in target.keys)
        self.keys = tuple(wished)[:MOST_KEYS] or KEYS

    def _add(self, target: Target, twin: Target | None = None) -> None:
        self._stack.callback(target.close)
        if twin is not None:
            self._stack.callback(twin.close)
            self.twins[target.name] = twin
        if target.name in (self.model.name, *(other.name for other in self.others)):
            raise UnknownTarget(f"two targets of the run are called {target.name!r}: give yours another name")
        self.others.append(target)

    def _etcd3(self, source: EtcdSource, progress: Callable[[str], None]) -> Target:
        """A client needs a store that nobody else writes to: a second server, or the endpoint for itself."""
        if isinstance(source, NoEtcd):
            raise UnknownTarget("etcd3 is a client: it needs a real etcd, so it can't go with --etcd none")
        assert self.etcd is not None
        own = self.etcd if not self.etcd.owned else self._stack.enter_context(servers.start(source, progress))
        try:
            return Etcd3Target(own.address)
        except ImportError as error:
            raise UnknownTarget(str(error)) from error

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
