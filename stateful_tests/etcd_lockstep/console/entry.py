"""The console scripts. What has to be so before anything else is imported stands here."""

from __future__ import annotations

import os
import sys

from etcd_lockstep.grpc_import import import_grpc


def main() -> int:
    """`etcd-lockstep`."""
    try:
        os.getcwd()
    except OSError as error:  # Hypothesis, when it is imported, asks for it
        print(f"etcd-lockstep: the working directory can't be used ({error.strerror}): go to another", file=sys.stderr)
        return 2
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its errors are reported in our words
    import_grpc()
    from etcd_lockstep.console.cli import main as run

    return run()


def fake_etcd() -> int:
    """`fake-etcd`."""
    import_grpc()
    from fake_etcd.cli import main as serve

    return serve()
