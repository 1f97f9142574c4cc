"""What we started must not outlive us, even where we are killed and no `finally` and no `atexit` runs.

Linux's PR_SET_PDEATHSIG would kill a child when the *thread* that started it ends, knows no macOS, and
leaves the data behind. A guard is a shell that waits for our end of a pipe to close, as it does
whichever way we end, and then becomes the command that cleans up.
"""

import os
import subprocess

_WAIT_THEN_RUN = 'read -r _; exec "$@"'


class Guard:
    """Runs a command once this process has ended, unless dismissed before.

    It is in a session of its own: what is sent to our process group, as by Ctrl-C, doesn't reach it.
    Without a POSIX shell there is no guard, and only a run that is killed leaves its server behind.
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

    def dismiss(self) -> None:
        """Everything is cleaned up already. A second call does nothing."""
        if self._process is None:
            return
        self._process.kill()  # before its pipe is closed, which would set it off
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
