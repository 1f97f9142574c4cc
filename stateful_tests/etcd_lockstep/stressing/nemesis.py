"""Faults: what is done to servers and to the network while clients use them. Who does it is called the nemesis, as in
Jepsen."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from etcd_lockstep.histories import Fault
from etcd_lockstep.stressing.network import Ends, Link, Network

KILL, LEADER_KILL, PAUSE = "kill", "leader-kill", "pause"
CUT, DELAY, DROP_REQUEST, DROP_ANSWER, RESET = "cut", "delay", "drop-request", "drop-answer", "reset"
PARTITION, PEER_DELAY = "partition", "peer-delay"

OF_SERVERS = (KILL, PAUSE)
"""Of a server that the run has started: kill -9 and a start on the same data; SIGSTOP, and SIGCONT after a moment."""
OF_NETWORK = (CUT, DELAY, DROP_REQUEST, DROP_ANSWER, RESET)
"""Between clients and servers: nothing arrives; all arrives late; requests are lost, or answers, and with them the
connection; connections end."""
OF_CLUSTERS = (LEADER_KILL, PARTITION, PEER_DELAY)
"""Of a cluster: its leader is killed; a member and the others don't reach each other; members reach each other late."""
FAULTS = (*OF_SERVERS, *OF_NETWORK, *OF_CLUSTERS)

_FIRST_AFTER = (0.1, 0.6)
"""Seconds that all works undisturbed, at least and at most."""
_DOWN = (0.0, 0.2)
"""Seconds between a server's end and its next start."""
_LASTS = (0.05, 1.5)
"""Seconds; with the longest ones, clients give their calls up, and these are carried out later."""
_PARTED = (0.5, 3.0)
"""Seconds; an election takes one to two with etcd's default timings."""
_LATER = (0.01, 0.3)
"""Seconds that data is late."""


class Breakable(Protocol):
    """A server that finds its data again."""

    def kill(self) -> None:
        """End it at once."""

    def recover(self) -> None:
        """Start it again on its data, and wait until it answers. Raises `servers.EtcdUnavailable`."""

    def pause(self) -> None:
        """Stop its process."""

    def resume(self) -> None:
        """Let it go on."""


@dataclass(frozen=True, slots=True)
class Peers:
    """How the members of a cluster reach each other."""

    links: Mapping[int, Link]
    """In front of each member, by its place among the servers."""
    leader: Callable[[], Breakable | None]
    id_of: Callable[[int], str]
    """Of a member, as others know it. Raises `servers.EtcdUnavailable`."""


@dataclass(frozen=True, slots=True)
class Breaking:
    """All that faults can be done to."""

    servers: Sequence[Breakable] = ()
    network: Network | None = None
    links: Sequence[Link] = ()
    """Between clients and servers."""
    peers: Peers | None = None


class Nemesis:
    """Does one fault in each round."""

    def __init__(self, breaking: Breaking, kinds: Sequence[str]) -> None:
        self._breaking = breaking
        self._kinds = kinds
        self.done: Counter[str] = Counter()
        """How many of each kind."""
        self.faults: list[Fault] = []
        """Those that are over."""

    def disturb(self, source: random.Random, ended: Event) -> None:
        """Wait, and do a drawn fault, which is over when this returns. Raises `servers.EtcdUnavailable`.

        `ended`: nothing is to be waited for any longer.
        """
        kind = source.choice(self._kinds)
        ended.wait(source.uniform(*_FIRST_AFTER))
        self.done[kind] += 1
        what, fault = self._fault(kind, source)
        began = time.monotonic_ns()
        with fault:
            ended.wait(source.uniform(*_DURATION.get(kind, _LASTS)))
        self.faults.append(Fault(kind, began, time.monotonic_ns(), what))

    def _fault(self, kind: str, source: random.Random) -> tuple[str, AbstractContextManager[None]]:
        """What it is done to, in words, and the fault."""
        breaking = self._breaking
        if kind in (KILL, PAUSE):
            server = source.choice(breaking.servers)
            return self._member(server), _killed(server) if kind == KILL else _paused(server)
        if kind == LEADER_KILL:
            assert breaking.peers is not None
            leader = breaking.peers.leader() or source.choice(breaking.servers)
            return self._member(leader), _killed(leader)
        assert breaking.network is not None
        if kind == PARTITION:
            parted = source.randrange(len(breaking.servers))
            return self._member(breaking.servers[parted]), self._partition(parted)
        links, what = breaking.links, ""
        if kind == PEER_DELAY:
            assert breaking.peers is not None
            links = [*breaking.peers.links.values()]
        elif len(links) > 1 and source.random() < 0.5:
            links = [source.choice(links)]
            what = f"to member {breaking.links.index(links[0]) + 1}"
        return what, self._of_network(kind, breaking.network, links, source)

    def _of_network(
        self, kind: str, network: Network, links: Sequence[Link], source: random.Random
    ) -> AbstractContextManager[None]:
        if kind in (DELAY, PEER_DELAY):
            return network.delayed(links, source.uniform(*_LATER))
        if kind == RESET:
            return _reset(network, links)
        if kind == CUT:
            return network.held(links)
        return _lost(network, links, requests=kind == DROP_REQUEST, answers=kind == DROP_ANSWER)

    def _member(self, server: Breakable) -> str:
        """Which it is, where there are several."""
        members = self._breaking.servers
        return f"member {members.index(server) + 1}" if len(members) > 1 else ""

    @contextmanager
    def _partition(self, parted: int) -> Iterator[None]:
        """A member on its own: nothing from it arrives, and nothing to it. Clients reach it all the same."""
        breaking = self._breaking
        assert breaking.network is not None
        assert breaking.peers is not None
        sender, links = breaking.peers.id_of(parted), breaking.peers.links
        from_it = _from(sender)
        with ExitStack() as stack:
            stack.enter_context(breaking.network.held([links[parted]]))
            others = [link for number, link in links.items() if number != parted]
            stack.enter_context(breaking.network.held(others, from_it))
            yield


def _from(sender: str) -> Ends:
    return lambda one: one in ("", sender)


_DURATION = {KILL: _DOWN, LEADER_KILL: _PARTED, PARTITION: _PARTED, RESET: (0.0, 0.1)}
"""Seconds that a fault lasts, at least and at most."""


@contextmanager
def _killed(server: Breakable) -> Iterator[None]:
    server.kill()
    yield
    server.recover()


@contextmanager
def _paused(server: Breakable) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def _reset(network: Network, links: Sequence[Link]) -> Iterator[None]:
    network.reset(links)
    yield


@contextmanager
def _lost(network: Network, links: Sequence[Link], *, requests: bool, answers: bool) -> Iterator[None]:
    """What is lost from a connection never comes later; so the connection ends, before what was held can arrive."""
    with network.held(links, requests=requests, answers=answers):
        yield
        network.reset(links)
