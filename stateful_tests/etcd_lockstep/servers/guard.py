"""Cleans up after a run that is killed, where no `finally` and no `atexit` handler runs.

Linux's PR_SET_PDEATHSIG is no substitute: it kills a child when the *thread* that started it ends, does not exist on
macOS, and leaves the data behind.
"""

import os
import subprocess
from collections.abc import Sequence
from typing import IO

_WAIT_THEN_RUN = 'while read -r line; do set -- "$@" "$line"; done; exec "$@"'
_TELL_THEN_RUN = ("/bin/sh", "-c", 'echo $$ >&0; exec "$@" </dev/null', "sh")


class Guard:
    """Runs a command once this process has ended, unless it is dismissed before.

    It is started first, and may learn afterwards what to clean up: each line that is written to `input` becomes an
    argument of the command. A process that has it as its own input can write its pid there before anything else
    happens to it. As long as one of the two has it open, the guard waits.

    It is a shell that reads from a pipe, whose other end closes when this process ends in any way, and then becomes
    the command. It runs in a session of its own, so a signal to this process group, as by Ctrl-C, does not reach it.
    Without a POSIX shell there is no guard, and a run that is killed leaves its server behind.
    """

    def __init__(self, *command: str) -> None:
        self._process = (
            subprocess.Popen(
                ["/bin/sh", "-c", _WAIT_THEN_RUN, "etcd-lockstep-guard", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            if os.name == "posix"
            else None
        )

    @property
    def input(self) -> IO[bytes] | None:
        """None where there is no guard."""
        return self._process.stdin if self._process is not None else None

    def under(self, command: Sequence[str]) -> list[str]:
        """What to start a command as, with `input` as its own, so that the guard knows its pid before it runs."""
        return [*_TELL_THEN_RUN, *command] if self.input is not None else list(command)

    def dismiss(self) -> None:
        """End the guard without running its command. A second call does nothing."""
        if self._process is None:
            return
        self._process.kill()  # before its pipe is closed, which would make it run the command
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
