"""A program of the user's that serves etcd's API: started, its printed address read, and ended."""

from __future__ import annotations

import atexit
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import IO

from etcd_lockstep.servers.guard import Guard
from etcd_lockstep.servers.running import panic_or_end

ADDRESS_SECONDS = 60.0
"""How long a program has to print its address: it may have to be compiled first."""

ENVIRONMENT = {"ETCD_LOCKSTEP": "serve", "PYTHONUNBUFFERED": "1"}
"""What is added to a program's environment: that it is started to serve, and that Python must not keep back what it
prints."""

_TERM_SECONDS = 2.0
"""How long a program may take to end by itself."""
_PAUSE = 0.005
_LINE_BYTES = 2**16
_KEPT_LINES = 1000

_CLEAN_UP = 'PATH="$PATH:/bin:/usr/bin"; [ -z "$1" ] || kill -s KILL -- "-$1"'
"""With the pid of the program if it has been started."""

_ADDRESS = re.compile(
    r"""(?: (?P<scheme>https?) :// (?P<name>[\w.-]+ | \[[\da-fA-F:.%]+\])
          | (?<![\w.:/-]) (?P<host>\d+\.\d+\.\d+\.\d+ | localhost | \[[\da-fA-F:.%]*\])
        ) : (?P<port>\d{1,5}) (?!\d)""",
    re.VERBOSE | re.ASCII,
)
"""A host without a scheme is one that no time of day, and no place in a file of code, looks like."""


_KEY = "etcd-lockstep: key "
"""What a line begins with that names a key to draw from."""


class ProgramFailed(Exception):
    """A program that should serve does not. The text is one line that says why."""


def printed_address(line: str) -> str | None:
    """The HOST:PORT that a printed line holds, if it holds one. Raises `ProgramFailed` where it can't be used."""
    match = _ADDRESS.search(line)
    if match is None:
        return None
    host, port = match["name"] or match["host"], match["port"]
    if match["scheme"] == "https":
        raise ProgramFailed(f"it printed {match[0]}, and TLS is not supported: have it serve without")
    if not _is_loopback(host):
        raise ProgramFailed(f"it printed {host}:{port}, which is not loopback: have it listen on 127.0.0.1")
    if not 1 <= int(port) <= 65535:
        raise ProgramFailed(f"it printed {host}:{port}, and no port has that number")
    return f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class ServedProgram:
    """A child process in a process group of its own, which is ended however this process ends."""

    def __init__(self, command: Sequence[str], seconds: float = ADDRESS_SECONDS) -> None:
        """Starts it, and waits for its address. Raises `ProgramFailed`."""
        self._command = tuple(command)
        self._seconds = seconds
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._readers: list[Thread] = []
        self._printed: Queue[str | None] | None = None
        """Its lines, until one of them has been its address."""
        self.keys: list[bytes] = []
        """Those that it printed before its address, as keys to draw from."""
        self._errors: deque[str] = deque(maxlen=_KEPT_LINES)
        atexit.register(self.stop)
        self.address = self._start()
        """HOST:PORT, of a loopback interface. `restart` may change it."""

    def restart(self) -> None:
        """End it, if it runs, and start it again. Raises `ProgramFailed`."""
        self._end()
        atexit.register(self.stop)
        self.address = self._start()

    def stop(self) -> None:
        """End it: by SIGTERM, and where that does not end it soon, by SIGKILL. A second call does nothing."""
        if os.getpid() != self._owner:
            return  # a fork of this process that ends leaves the program running
        self._end()
        atexit.unregister(self.stop)

    def last_words(self, lines: int = 3) -> str:
        """What it wrote to its stderr: from a panic on, or else the last lines. Waits a moment for one that dies."""
        if self._has_ended(1.0):
            for reader in self._readers:
                reader.join(1.0)
        return panic_or_end("\n".join(self._errors), lines).strip()

    def _start(self) -> str:
        try:
            return self._launch()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> str:
        """Start it, and return the address that it prints."""
        program = self._command[0]
        if shutil.which(program) is None:
            is_file = os.sep in program and os.path.isfile(program)
            raise ProgramFailed(f"{program} is not executable" if is_file else f"there is no command {program}")
        self._errors.clear()
        self.keys.clear()
        self._guard = Guard("/bin/sh", "-c", _CLEAN_UP, "sh")
        try:
            self._process = subprocess.Popen(
                self._guard.under(self._command),
                stdin=self._guard.input or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,  # Ctrl-C must not reach it, which the report still needs
            )
        except OSError as error:
            raise ProgramFailed(f"{program} can't be run: {error.strerror}") from error
        self._printed = Queue()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            Thread(target=_read_lines, args=(self._process.stdout, self._note_printed), daemon=True),
            Thread(target=_read_lines, args=(self._process.stderr, self._note_error), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        address = self._await_address(self._printed)
        self._printed = None
        return address

    def _note_printed(self, line: str | None) -> None:
        if (printed := self._printed) is not None:
            printed.put(line)

    def _note_error(self, line: str | None) -> None:
        if line is not None:
            self._errors.append(line)

    def _await_address(self, lines: Queue[str | None]) -> str:
        """The first address in what is printed."""
        end = time.monotonic() + self._seconds
        address: str | None = None
        while address is None:
            line = self._next_line(lines, end)
            if line is not None and line.startswith(_KEY):
                self.keys.append(line.removeprefix(_KEY).encode())
            elif line is not None:
                address = printed_address(line)
            elif self._has_ended(1.0):
                assert self._process is not None
                code = self._process.wait()
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                raise ProgramFailed(self._with_last_words(f"it ended {how} before it printed an address"))
        return address

    def _next_line(self, lines: Queue[str | None], end: float) -> str | None:
        """Raises `ProgramFailed` at the end of its time, however much it prints until then."""
        with suppress(Empty):
            if (left := end - time.monotonic()) > 0:
                return lines.get(timeout=left)
        raise ProgramFailed(self._with_last_words(f"it printed no address within {self._seconds:g} s"))

    def _with_last_words(self, reason: str) -> str:
        words = self.last_words()
        return f"{reason}: {words}" if words else reason

    def _has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        if self._process is None:
            return True
        end = time.monotonic() + seconds
        while not _has_exited(self._process):
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        return True

    def _end(self) -> None:
        if self._process is not None:
            for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, 0.0)):
                with suppress(ProcessLookupError, PermissionError):  # the latter is macOS's for one that has ended
                    os.killpg(self._process.pid, number)  # the whole group, for `go run` and the like have a child
                self._has_ended(seconds)
            self._process.wait()
            for reader in self._readers:
                reader.join(1.0)
            self._process = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None


def _has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Where that can be seen without reaping it, its pid stays its own, and that of its group: macOS can't before
    Python 3.13."""
    if process.returncode is None and hasattr(os, "waitid"):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def _read_lines(stream: IO[bytes], put: Callable[[str | None], None]) -> None:
    """Read a pipe to its end, so that the program never waits for it. None stands for the end."""
    with stream, suppress(ValueError, OSError):
        while line := stream.readline(_LINE_BYTES):
            put(line.decode(errors="replace").rstrip("\r\n"))
    put(None)
