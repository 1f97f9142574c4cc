"""A run's participants: started together, and closed together whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType

from etcd_lockstep import servers
from etcd_lockstep.catalogue import UnknownTarget, UserTarget
from etcd_lockstep.searching.reset_check import check_reset, find_way_to_reset
from etcd_lockstep.searching.workers import Worker
from etcd_lockstep.servers import USUAL, EtcdSource, NoEtcd, RunningEtcd, ServerSettings
from etcd_lockstep.specimens.specimen import Specimen
from etcd_lockstep.strategies.generator_state import KEYS, MOST_KEYS
from etcd_lockstep.target import Target, TargetDied
from etcd_lockstep.targets.deadline import CALL_TIMEOUT, DeadlineTarget
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.etcd3 import Etcd3Target
from etcd_lockstep.targets.fake import FakeServerTarget, FakeTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.targets.served import ServedTarget
from etcd_model.quirks import quirks_of, release_of
from etcd_model.state import Server

_EMPTY_BYTES = 24 * 1024
"""What an empty store weighs at least: with this quota or less, none of 3.4.23 to 3.7.3 takes a single put."""

NO_AUTH_REVISION = "an etcd 3.4 doesn't report the revision of its auth store"
"""Why a server of signed tokens that the client makes is of no use."""


def is_over_quota(settings: ServerSettings) -> bool:
    """Whether a server with these settings has no space from its start. That is the one quota that can be modelled:
    how soon another is used up depends on the pace of the puts."""
    return settings.quota_bytes is not None and settings.quota_bytes <= _EMPTY_BYTES


def _leave_empty(target: Target) -> None:
    """Leave nothing behind on a server that is not ours, if it still answers."""
    with suppress(TargetDied):
        target.reset()


class Participants:
    """The model, the fake, a real etcd unless there is to be none, and what is compared with them.

    Where several workers are wanted, each has its own; there is one where the targets or the etcd can't be had twice.
    A context manager. Raises what `servers.start`, `servers.refuse_unless_empty` and a target's constructor do.
    """

    def __init__(
        self,
        source: EtcdSource,
        against: Sequence[str | UserTarget | EtcdSource],
        *,
        settings: ServerSettings = USUAL,
        workers: int = 1,
        allow_destroy: bool = False,
        call_timeout: float = CALL_TIMEOUT,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.etcd: RunningEtcd | None = None
        """The real etcd of the run; of the first worker."""
        self.workers: list[Worker] = []
        self.second_instances: dict[str, Target] = {}
        """Second instances, by name, of those of the first worker's targets that can have one."""
        self._source = source
        self.settings = replace(settings, one_core=True)
        self._allow_destroy = allow_destroy
        self._call_timeout = call_timeout
        self._progress = progress
        self._stack = ExitStack()
        with self._stack as stack:
            self._start(against, workers)
            self._stack = stack.pop_all()

    def _start(self, against: Sequence[str | UserTarget | EtcdSource], workers: int) -> None:
        if any(isinstance(one, servers.Endpoint) or one == "etcd3" for one in (self._source, *against)):
            workers = 1  # there is one of it
        etcds = self._etcds(self._source, workers)
        self.etcd = etcds[0] if etcds else None
        self.version = self._source.version if isinstance(self._source, NoEtcd) else etcds[0].version
        """Of etcd: that which the model and the fake emulate."""
        self._release = release_of(self.version)
        for number in range(len(etcds) or workers):
            self._add_worker(etcds[number] if etcds else None, against)
            if self._has_store_of_user:
                break  # it is there once
            if not etcds and not any(target.real_time for target in self.others):
                break  # nothing is waited for
        self.capabilities = frozenset.intersection(*(target.capabilities for target in self.others))
        """The operations that every target knows."""
        wished = dict.fromkeys(key for target in self.others for key in target.keys)
        self.keys = tuple(wished)[:MOST_KEYS] or KEYS
        self.txns = tuple(dict.fromkeys(txn for target in self.others for txn in target.txns))
        """Examples of the txns that are to be drawn, beside those of any target."""

    @property
    def model(self) -> ModelTarget:
        """That of the first worker."""
        return self.workers[0].model

    @property
    def others(self) -> Sequence[Target]:
        """Every target beside the model; of the first worker."""
        return self.workers[0].others

    @property
    def report_auth_revisions(self) -> bool:
        """Whether every etcd among them does, which takes an AuthStatus."""
        releases = (target.release for target in self.others if target.release)
        return all(quirks_of(release).auth_status for release in (self._release, *releases))

    @property
    def has_the_only_store(self) -> bool:
        """Whether a store of these is there once, so that no other participants of the run may use theirs meanwhile."""
        return (
            self._has_store_of_user
            or (self.etcd is not None and not self.etcd.owned)
            or any(isinstance(target, EtcdTarget) and not target.owned for target in self.others)
        )

    @property
    def _has_store_of_user(self) -> bool:
        return any(
            target.shared_store and not isinstance(target, EtcdTarget | FakeServerTarget) for target in self.others
        )

    def _etcds(self, source: EtcdSource, number: int) -> list[RunningEtcd]:
        if isinstance(source, NoEtcd):
            return []
        etcds = servers.start_many(source, number, self._progress, self.settings)
        for etcd in etcds:
            self._stack.enter_context(etcd)
            if not etcd.owned:
                servers.refuse_unless_empty(etcd.access, self._allow_destroy)
        return etcds

    def _add_worker(self, etcd: RunningEtcd | None, against: Sequence[str | UserTarget | EtcdSource]) -> None:
        client_alone = isinstance(self._source, servers.Endpoint) and "etcd3" in against
        real: EtcdTarget | None = None
        if etcd is not None:
            real = self._etcd_target(etcd)
            self._stack.callback(real.close)
        over_quota, quota = is_over_quota(self.settings), self.settings.quota_bytes
        min_lease_ttl = real.min_lease_ttl() if real and not over_quota else Server().min_lease_ttl
        ops = real.max_txn_ops() if real and not real.owned else Server().max_txn_ops
        tokens = self.settings.tokens
        server = Server(quirks_of(self._release), min_lease_ttl, ops, over_quota, bool(tokens), tokens == "jwt")
        model = ModelTarget(server)
        first = not self.workers
        self.workers.append(Worker(model, []))
        self._add(FakeTarget(self._release, min_lease_ttl, quota, ops, tokens=tokens))
        if real and not client_alone:
            self._add(real)
        for wanted in against:
            if isinstance(wanted, UserTarget):
                target = self._own(wanted, model.server)
                self._add(target, second_instance=self._second(wanted, target, model.server) if first else None)
            elif wanted == "fake-server":
                self._add(
                    *(
                        FakeServerTarget(self._release, min_lease_ttl, quota, ops, tokens=tokens)
                        for _ in range(2 if first else 1)
                    )
                )
            elif isinstance(wanted, str):
                self._add(self._etcd3())
            else:
                self._add(*self._second_etcd(wanted))
        for target in filter(None, (real, *self.others)):
            if isinstance(target, EtcdTarget) and not target.owned:
                self._stack.callback(_leave_empty, target)  # before any of them is closed

    def _etcd_target(self, etcd: RunningEtcd) -> EtcdTarget:
        target = EtcdTarget(etcd)
        if not etcd.owned:
            target.learn()
        return target

    def _own(self, wanted: UserTarget, server: Server) -> Target:
        if not wanted.is_ours:
            target: Target = DeadlineTarget(wanted.make, self._call_timeout)
            check_reset(target)
            return target
        target = wanted.make()
        if isinstance(target, Specimen):
            target.emulate(server)
        if isinstance(target, ServedTarget):
            self._prepare(target)
        return target

    def _prepare(self, target: ServedTarget) -> None:
        """Raises `UnfitTarget` where a program can't be reset."""
        target.limit_calls(self._call_timeout)
        try:
            find_way_to_reset(target)
        except BaseException:
            target.close()
            raise

    def _second(self, wanted: UserTarget, target: Target, server: Server) -> Target | None:
        """A second instance, where there can be one. A program that always has the same port runs only once."""
        if isinstance(target, ServedTarget):
            self._progress(f"{target.name}: at {target.address}, reset by {target.way.value}")
            try:
                second = self._own(wanted, server)
            except TargetDied as died:
                self._progress(f"{target.name}: it can't be started twice at the same time ({died})")
                target.shared_store = True
                return None
            assert isinstance(second, ServedTarget)
            if second.address != target.address:
                return second
            self._progress(
                f"{target.name}: it can't be started twice at the same time, for its port is always the same"
            )
            second.close()
            target.shared_store = True
        return None if target.shared_store else self._own(wanted, server)

    def _add(self, target: Target, second_instance: Target | None = None) -> None:
        self._stack.callback(target.close)
        if second_instance is not None:
            self._stack.callback(second_instance.close)
            self.second_instances[target.name] = second_instance
        worker = self.workers[-1]
        if target.name in (worker.model.name, *(other.name for other in worker.others)):
            raise UnknownTarget(f"two targets of the run are called {target.name!r}: give yours another name")
        worker.others.append(target)

    def _etcd3(self) -> Target:
        """A client needs a store that nobody else writes to: a second server, or the endpoint for itself."""
        if isinstance(self._source, NoEtcd):
            raise UnknownTarget("etcd3 is a client: it needs a real etcd, so it can't go with --etcd none")
        assert self.etcd is not None
        own = (
            self.etcd
            if not self.etcd.owned
            else self._stack.enter_context(servers.start(self._source, self._progress, self.settings))
        )
        if own.access.address.startswith("unix:") or (own.access.tls and own.access.credentials.cacert is None):
            raise UnknownTarget("etcd3 connects to HOST:PORT only, and with TLS it needs --cacert")
        try:
            return Etcd3Target(own.access)
        except ImportError as error:
            raise UnknownTarget(str(error)) from error

    def _second_etcd(self, source: EtcdSource) -> list[Target]:
        """An etcd that is not the judge but the judged; in the first worker, twice where that can be."""
        targets: list[Target] = []
        for etcd in self._etcds(source, 1 if self.workers[1:] or isinstance(source, servers.Endpoint) else 2):
            target = self._etcd_target(etcd)
            target.name = f"etcd {etcd.version} ({etcd.address})" if not etcd.owned else f"etcd {etcd.version}"
            targets.append(target)
        return targets

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Participants:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
