"""Several servers at once, or none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from etcd_lockstep.servers.running import RunningEtcd

Launch: TypeAlias = Callable[[], RunningEtcd]
"""Starts one server a call, in any thread. Raises `EtcdUnavailable`."""


def launch_together(launch: Launch, number: int) -> list[RunningEtcd]:
    """Call `launch` so many times at once; where one fails, stop the others and raise what it raised."""
    if number == 1:
        return [launch()]
    with ThreadPoolExecutor(number, "etcd-start") as pool:
        futures = [pool.submit(launch) for _ in range(number)]
        try:
            return [future.result() for future in futures]
        except BaseException:  # Ctrl-C too: those that are about to start are waited for
            for future in futures:
                if future.exception() is None:
                    future.result().stop()
            raise
