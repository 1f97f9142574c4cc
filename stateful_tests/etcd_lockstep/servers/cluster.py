"""A cluster of three: processes or containers on loopback, which reach each other at addresses that a caller may put in
between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import grpc

from etcd_lockstep.servers.access import Access, open_channel
from etcd_lockstep.servers.calls import call, explain, status, wait_until_answers
from etcd_lockstep.servers.running import EtcdUnavailable, LaunchMember, RunningEtcd, StartedEtcd
from etcd_lockstep.servers.settings import PORT_TAKEN, PORT_TRIES, Membership, free_ports
from fake_etcd.wire import messages

SIZE = 3
_SECONDS = 2.0
_SETTLE_SECONDS = 30.0


class EtcdCluster(RunningEtcd):
    """Three members. Raises `EtcdUnavailable`."""

    owned = True

    def __init__(self, launch: LaunchMember, between: Callable[[str], str] = str) -> None:
        """`between`: from the address of a member, HOST:PORT, the one by which the others are to reach it."""
        self._launch = launch
        self._between = between
        self.members: list[StartedEtcd] = []
        self._start()
        self.how = f"a cluster of {SIZE}: etcd {self.version}, {self.members[0].origin}"

    def leader(self) -> StartedEtcd | None:
        """The member that leads; None while nobody says so."""
        for member in self.members:
            with suppress(grpc.RpcError), open_channel(member.address) as channel:
                said = status(channel, _SECONDS)
                if said.leader and said.leader == said.header.member_id:
                    return member
        return None

    def id_of(self, member: StartedEtcd) -> str:
        """Of a member, in hex, as members call each other. Raises `EtcdUnavailable`."""
        request, response = messages.MemberListRequest(), messages.MemberListResponse
        for asked in self.members:
            with suppress(grpc.RpcError), open_channel(asked.address) as channel:
                listed = call(channel, "/etcdserverpb.Cluster/MemberList", request, response, _SECONDS).members
                for one in listed:
                    if one.name == member.member:
                        return f"{one.ID:x}"
        raise EtcdUnavailable(f"no member of the cluster knows {member.member}")

    def settle(self) -> None:
        """Wait until each member answers what needs a leader. Raises `EtcdUnavailable`."""
        for member in self.members:
            with open_channel(member.address) as channel:
                try:
                    wait_until_answers(channel, _SETTLE_SECONDS)
                except grpc.RpcError as error:
                    raise EtcdUnavailable(f"the cluster does not come back: {explain(error)}") from error

    @property
    def accesses(self) -> list[Access]:
        """How each member is reached."""
        return [member.access for member in self.members]

    def restart(self) -> None:
        self.stop()
        self._start()

    def is_alive(self) -> bool:
        return all(member.is_alive() for member in self.members)

    def stop(self) -> None:
        for member in self.members:
            member.stop()
        self.members = []

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(filter(None, (member.log_tail(lines) for member in self.members)))

    def _start(self) -> None:
        for attempt in range(1, PORT_TRIES + 1):
            try:
                self.members = self._launch_all()
                break
            except EtcdUnavailable as failed:
                if attempt == PORT_TRIES or PORT_TAKEN not in str(failed):
                    raise
        self.version, self.address = self.members[0].version, self.members[0].address

    def _launch_all(self) -> list[StartedEtcd]:
        """All at once, for none is ready alone."""
        ports = [free_ports() for _ in range(SIZE)]
        names = [f"lockstep-{uuid4().hex[:12]}" for _ in range(SIZE)]
        urls = [f"http://{self._between(f'127.0.0.1:{peer}')}" for _client, peer in ports]
        cluster = ",".join(f"{name}={url}" for name, url in zip(names, urls, strict=True))
        with ThreadPoolExecutor(SIZE, "etcd-start") as pool:
            futures = [
                pool.submit(self._launch, Membership(name, client, peer, url, cluster))
                for name, (client, peer), url in zip(names, ports, urls, strict=True)
            ]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for future in futures:
                    if future.exception() is None:
                        future.result().stop()
                raise
