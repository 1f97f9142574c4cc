"""The part of a server's log that says why it died."""

_DEATHS = ("panic:", "fatal error:", '"level":"panic"', '"level":"fatal"')


def telling_lines(log: str, lines: int) -> str:
    """At most `lines` lines: from the first that speaks of a panic, or else the last ones.

    A panic's own line stands above a stack trace that may be longer than any tail.
    """
    every = log.splitlines()
    for number, line in enumerate(every):
        if any(death in line for death in _DEATHS):
            return "\n".join(every[number : number + lines])
    return "\n".join(every[-lines:])
