"""An etcd binary that runs as a child of this process."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from etcd_lockstep.servers.access import Access
from etcd_lockstep.servers.calls import READY_SECONDS, RECOVERY_SECONDS, version_when_ready
from etcd_lockstep.servers.discovery import Program, environment
from etcd_lockstep.servers.guard import Guard
from etcd_lockstep.servers.identities import identities, identity_flags
from etcd_lockstep.servers.running import EtcdUnavailable, StartedEtcd, panic_or_end
from etcd_lockstep.servers.settings import (
    PORT_TAKEN,
    PORT_TRIES,
    USUAL,
    Membership,
    ServerSettings,
    etcd_flags,
    free_ports,
    setting_flags,
    setting_variables,
)

_ROOM = 2**30
"""Free bytes that memory needs to hold the data: etcd allocates 128 MiB of log ahead, and keeps six such parts."""
_LARGEST_QUOTA = 8 * 2**30
"""Bytes; etcd warns above that. A run of a day, whose history is never compacted, exceeds etcd's default of 2 GiB."""
_LOG_BYTES = 2**18
"""How many bytes of the end of the log are kept; a panic with all its stack traces fits."""

_CLEAN_UP = (
    'PATH="$PATH:/bin:/usr/bin"; directory=$1; shift; last=; for last; do :; done; '
    '[ -z "$last" ] || kill -s KILL -- "-$last"; rm -rf -- "$directory"'
)
"""With the data directory, and the pids of the server, of which the last one may still run; none if it has not been
started."""


class BinaryEtcd(StartedEtcd):
    """A child process with its data in a fresh directory, in memory where there is room. Raises `EtcdUnavailable`."""

    def __init__(
        self, program: Program, settings: ServerSettings = USUAL, membership: Membership | None = None
    ) -> None:
        """`membership`: of a cluster; without, it is the only member of its own."""
        self._program = program
        self._membership = membership
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.directory: Path | None = None
        """Where its data and its log are, while it runs."""
        self._guard: Guard | None = None
        self._command: list[str] = []
        self.member = ""
        self.origin = program.origin
        self._last_log = ""
        self._owner = os.getpid()
        atexit.register(self.stop)
        self._start()
        self.how = f"etcd {self.version}, {program.origin}"

    @property
    def access(self) -> Access:
        return Access(self.address, identities=identities() if self._settings.tokens else None)

    def restart(self) -> None:
        self._end()
        atexit.register(self.stop)
        self._start()

    def is_alive(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            self._end()  # its process id may now belong to another process
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Of its process; None where it does not run."""
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        if os.getpid() != self._owner:
            return  # a fork of this process that ends leaves the server running
        self._end()
        atexit.unregister(self.stop)

    def kill(self) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        if self._guard is not None and self._guard.input is not None:
            self._guard.input.write(b"\n")  # no process to kill any more
            self._guard.input.flush()

    def recover(self) -> None:
        if self._process is not None or self.directory is None:
            raise EtcdUnavailable(f"etcd ({self._program.path}) is not one that was killed")
        if not self._run(RECOVERY_SECONDS):
            log = self._log()
            self.stop()
            said = panic_or_end(log, 20).strip() or "no log"
            raise EtcdUnavailable(f"etcd ({self._program.path}) did not start again on its data: {said}")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group, because a named binary may be a script around etcd."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def log_tail(self, lines: int = 40) -> str:
        return panic_or_end(self._log(), lines)

    def _start(self) -> None:
        for _ in range(PORT_TRIES if self._membership is None else 1):
            if self._launch():
                return
            log, died = self._log(), not self.is_alive()
            self._end()
            if not (died and PORT_TAKEN in log):
                break
        atexit.unregister(self.stop)
        state = "died at its start" if died else f"was not ready after {READY_SECONDS:g} s"
        raise EtcdUnavailable(f"etcd ({self._program.path}) {state}: {panic_or_end(log, 20).strip() or 'no log'}")

    def _launch(self) -> bool:
        """Start one server. Returns whether it became ready."""
        root = _data_root()
        self.directory = root / f"etcd-lockstep-{uuid4().hex}"
        self._guard = Guard("/bin/sh", "-c", _CLEAN_UP, "sh", os.fspath(self.directory))
        self.directory.mkdir(mode=0o700)
        membership = self._membership
        self.member = membership.name if membership is not None else f"lockstep-{uuid4().hex[:12]}"
        client_port, peer_port = free_ports() if membership is None else (membership.client_port, membership.peer_port)
        self.address = f"127.0.0.1:{client_port}"
        tokens = self._settings.tokens
        if tokens:
            identities().write(self.directory)
        self._command = [
            os.fspath(self._program.path),
            *etcd_flags(
                name=self.member,
                data_dir=os.fspath(self.directory / "data"),
                listen="127.0.0.1",
                client_port=client_port,
                peer_port=peer_port,
                tls=bool(tokens),
                **({} if membership is None else {"peer_url": membership.peer_url, "cluster": membership.cluster}),
            ),
            *setting_flags(_with_quota(self._settings, root)),
            *(identity_flags(tokens, self.directory) if tokens else ()),
            *(() if self._settings.durable else self._program.speedups),
        ]
        return self._run()

    def _run(self, seconds: float = READY_SECONDS) -> bool:
        """Run the command. Returns whether the server became ready."""
        assert self.directory is not None
        assert self._guard is not None
        try:
            with (self.directory / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    self._guard.under(self._command),
                    stdin=self._guard.input or subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env={**setting_variables(self._settings), **environment()},
                    start_new_session=True,  # Ctrl-C must not reach the server, which the report still needs
                )
        except OSError as error:
            self.stop()
            raise EtcdUnavailable(f"{self._program.path} can't be run: {error.strerror}") from error
        version = version_when_ready(self.access, self.member, self.is_alive, seconds)
        if version is None or not self.is_alive():
            return False
        self.version = version
        return True

    def _log(self) -> str:
        if self.directory is None:
            return self._last_log
        try:
            with (self.directory / "log").open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _LOG_BYTES))
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def _end(self) -> None:
        if self._process is not None:
            # The whole group, because a named binary may be a script around etcd; SIGKILL, because no data is kept.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self.directory is not None:
            self._last_log = self._log()
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None


def _data_root() -> Path:
    """The parent of data directories: in memory where that has room, else the one for temporary files."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free >= _ROOM:
        return memory
    return Path(tempfile.gettempdir())


def _with_quota(settings: ServerSettings, root: Path) -> ServerSettings:
    """The settings with a quota of half of the room at most, unless they have one: a full disk kills the server."""
    if settings.quota_bytes is not None:
        return settings
    return replace(settings, quota_bytes=min(_LARGEST_QUOTA, shutil.disk_usage(root).free // 2))
