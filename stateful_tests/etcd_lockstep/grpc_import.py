"""How the processes of this project import gRPC: so that the thread that waits for a message reads it from the socket.

Since grpcio 1.80, threads of gRPC's core, its event engine, read from the sockets and hand on what they have read, at
the cost of a switch of threads for each message (docs/design.md has what that is). gRPC has no option against it but an
environment variable, which it reads while it is imported. So this is nothing for a process of somebody else's, such as
one of tests, and no process that is started from here inherits the variable.
"""

import os
from importlib.metadata import version

_VARIABLE = "GRPC_EXPERIMENTS"

_WITHOUT_EVENT_ENGINE = "-event_engine_client,-event_engine_listener"

_MEASURED = (1, 80), (1, 85)
"""The first and the last release with which this was tried: one that no longer knows the names prints an error."""


def import_grpc() -> None:
    """Import gRPC, before anybody else does. Whoever has set the variable decides."""
    release = tuple(int(number) for number in version("grpcio").split(".")[:2])
    first, last = _MEASURED
    if _VARIABLE in os.environ or not first <= release <= last:
        return
    os.environ[_VARIABLE] = _WITHOUT_EVENT_ENGINE
    try:
        import grpc  # noqa: F401  # for what it does when it is imported
    finally:
        del os.environ[_VARIABLE]
