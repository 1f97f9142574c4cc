"""Faults: what is done to a server while clients use it. Who does it is called the nemesis, as in Jepsen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from threading import Event
from typing import Protocol

KILL = "kill"
"""kill -9, and a start on the same data."""
PAUSE = "pause"
"""SIGSTOP, and SIGCONT after a moment."""
FAULTS = (KILL, PAUSE)

_FIRST_AFTER = (0.1, 0.6)
"""Seconds that a server works undisturbed, at least and at most."""
_DOWN = (0.0, 0.2)
"""Seconds between its end and its next start."""
_PAUSED = (0.05, 1.5)
"""Seconds; with the longest ones, clients give their calls up, and these are carried out later."""


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


class Nemesis:
    """Does one fault in each round."""

    def __init__(self, server: Breakable, kinds: Sequence[str]) -> None:
        self._server = server
        self._kinds = kinds
        self.done: Counter[str] = Counter()
        """How many of each kind."""

    def disturb(self, source: random.Random, ended: Event) -> None:
        """Wait, and do a drawn fault, which is over when this returns. Raises `servers.EtcdUnavailable`.

        `ended`: nothing is to be waited for any longer.
        """
        kind = source.choice(self._kinds)
        ended.wait(source.uniform(*_FIRST_AFTER))
        self.done[kind] += 1
        if kind == KILL:
            self._server.kill()
            ended.wait(source.uniform(*_DOWN))
            self._server.recover()
        else:
            self._server.pause()
            try:
                ended.wait(source.uniform(*_PAUSED))
            finally:
                self._server.resume()
