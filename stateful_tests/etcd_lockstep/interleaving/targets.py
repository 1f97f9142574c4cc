"""Which targets run in this process, and can so be interrupted anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etcd_lockstep.catalogue import UnknownTarget, UserTarget, find
from etcd_lockstep.interleaving.tracing import OwnCode
from etcd_lockstep.specimens.racing import RACING
from etcd_lockstep.target import Target
from etcd_lockstep.targets.fake import FakeTarget
from etcd_lockstep.targets.served import PREFIX
from etcd_model.quirks import DEFAULT_VERSION, release_of
from etcd_model.state import Server

FAKE = "fake"


@dataclass(frozen=True, slots=True)
class InProcess:
    """A class of Python, of which each run makes a new object."""

    name: str
    make: Callable[[], Target]

    def own_code(self) -> OwnCode:
        """Where its threads can be interrupted."""
        return OwnCode(fake=self.name == FAKE)


def find_in_process(text: str) -> InProcess:
    """What a command line names. Raises `UnknownTarget`."""
    if text == FAKE:
        return InProcess(text, _fake)
    if text in RACING:
        return InProcess(text, RACING[text])
    found = find(text)
    if not isinstance(found, UserTarget) or text.startswith(PREFIX):
        raise UnknownTarget(f"{text} does not run in this process")
    return InProcess(text, found.make)


def _fake() -> Target:
    return FakeTarget(release_of(DEFAULT_VERSION), Server().min_lease_ttl)
