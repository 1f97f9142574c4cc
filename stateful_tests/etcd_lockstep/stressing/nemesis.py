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


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is to be done."""

    kind: str
    seconds: float
    """How long it lasts."""
    place: int | None = None
    """Which server, or which link between clients and servers, from 0: the last one, where there are fewer. None for
    all links."""
    later: float = 0.0
    """Seconds that data is late, where it is delayed."""


class Nemesis:
    """Does one fault in each round."""

    def __init__(self, breaking: Breaking, kinds: Sequence[str]) -> None:
        self._breaking = breaking
        self._kinds = kinds
        self.done: Counter[str] = Counter()
        """How many of each kind."""
        self.faults: list[Fault] = []
        """Those that are over."""

    def draw(self, source: random.Random) -> tuple[float, Planned]:
        """After how many seconds a fault is to be done, and which."""
        kind, after = source.choice(self._kinds), source.uniform(*_FIRST_AFTER)
        place, later, links = None, 0.0, self._breaking.links
        if kind in (*OF_SERVERS, LEADER_KILL, PARTITION):
            place = source.randrange(len(self._breaking.servers))
        elif kind != PEER_DELAY and len(links) > 1 and source.random() < 0.5:
            place = source.randrange(len(links))
        if kind in (DELAY, PEER_DELAY):
            later = source.uniform(*_LATER)
        return after, Planned(kind, source.uniform(*_DURATION.get(kind, _LASTS)), place, later)

    def disturb(self, source: random.Random, ended: Event) -> Planned:
        """Wait, and do a drawn fault, as `do` does."""
        after, planned = self.draw(source)
        ended.wait(after)
        self.do(planned, ended)
        return planned

    def do(self, planned: Planned, ended: Event) -> None:
        """Do a fault, which is over when this returns. Raises `servers.EtcdUnavailable`.

        `ended`: nothing is to be waited for any longer.
        """
        self.done[planned.kind] += 1
        what, fault = self._fault(planned)
        began = time.monotonic_ns()
        with fault:
            ended.wait(planned.seconds)
        self.faults.append(Fault(planned.kind, began, time.monotonic_ns(), what))

    def _fault(self, planned: Planned) -> tuple[str, AbstractContextManager[None]]:
        """What it is done to, in words, and the fault."""
        breaking, kind, place = self._breaking, planned.kind, planned.place
        if kind in (*OF_SERVERS, LEADER_KILL):
            server = breaking.servers[_nearest(place, breaking.servers)]
            if kind == LEADER_KILL and breaking.peers is not None:
                server = breaking.peers.leader() or server
            return self._member(server), _paused(server) if kind == PAUSE else _killed(server)
        assert breaking.network is not None
        if kind == PARTITION:
            parted = _nearest(place, breaking.servers)
            return self._member(breaking.servers[parted]), self._partition(parted)
        links, what = breaking.links, ""
        if kind == PEER_DELAY:
            assert breaking.peers is not None
            links = [*breaking.peers.links.values()]
        elif place is not None and len(links) > 1:
            one = _nearest(place, links)
            links, what = [links[one]], f"to member {one + 1}"
        return what, self._of_network(planned, breaking.network, links)

    def _of_network(self, planned: Planned, network: Network, links: Sequence[Link]) -> AbstractContextManager[None]:
        kind = planned.kind
        if kind in (DELAY, PEER_DELAY):
            return network.delayed(links, planned.later)
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


def _nearest(place: int | None, things: Sequence[object]) -> int:
    return min(place or 0, len(things) - 1)


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
