"""What every command's exit code says."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    AGREED = 0
    LIES = 1
    REFUSED = 2
    UNREACHABLE = 3
    UNKNOWN = 4
    FAILED = 5
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
