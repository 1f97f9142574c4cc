"""Runs that show a bug with luck."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from etcd_lockstep.histories import Unknown, Violated
from etcd_lockstep.known_bugs.bug import Outcome
from etcd_lockstep.servers import Binary, EtcdUnavailable, Program
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.stressing.nemesis import KILL, Planned
from etcd_lockstep.stressing.run import StressOptions, Tally, stress
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.shrinking import Reruns
from etcd_lockstep.stressing.stores import running
from etcd_lockstep.target import TargetDied
from etcd_model.operations import Put

_SEED = 1
_CLIENTS = 8
_BIG = 1_000_000
"""Bytes: the larger the values, the longer it takes from the answer to the log."""
_CALL_SECONDS = 2.0
_DELAY_MICROSECONDS = 50_000
"""Of each write to the write-ahead log."""
_ATTACH_SECONDS = 5.0
_PUTS = Fixed(
    tuple(tuple(Put(b"%d" % client, b"%d" % number) for number in range(20)) for client in range(4)),
    Planned(KILL, 0.1),
    after=24,
)


def lost_on_kill(program: Program, seconds: float, progress: Callable[[str], None]) -> Outcome:
    """Clients put large values, and the server is killed and started again on its data, once a round."""
    tally = Tally()
    options = StressOptions(seconds, _CLIENTS, _SEED, (KILL,), _BIG, _CALL_SECONDS)
    with running(Binary(program.path), faults=options.faults, call_timeout=_CALL_SECONDS, progress=progress) as store:
        judged = stress(store, options, tally)
    what = f"{tally.calls:,} calls, {tally.faults[KILL]} kills in {tally.seconds:.0f} s"
    if judged is None:
        return Outcome(False, (f"{what}: {tally.linearizable} rounds are linearizable, {tally.unknown} unknown",))
    return Outcome(True, (what, _named(judged.verdict)))


def _named(verdict: Violated | Unknown) -> str:
    return f"{verdict}: {verdict.first.what}" if isinstance(verdict, Violated) else str(verdict)


def acknowledged_before_logged(program: Program, seconds: float, progress: Callable[[str], None]) -> Outcome:
    """Clients put values, and the server, whose log is written slowly, is killed and started again on its data.

    Raises `EtcdUnavailable` where strace is missing, or may not trace.
    """
    with running(Binary(program.path), faults=(KILL,), call_timeout=_CALL_SECONDS, progress=progress) as store:
        (server,) = store.breaking.servers
        assert isinstance(server, BinaryEtcd)
        reruns, failure = Reruns(store, _CALL_SECONDS), None
        end = time.monotonic() + seconds
        while failure is None and (time.monotonic() < end or not reruns.runs):
            try:
                with _slowly_logged(server):
                    failure = reruns.run(_PUTS)
            except TargetDied:  # on a busy machine it is so slow that it gives up requests by which it is emptied
                if time.monotonic() > end:
                    raise
                server.kill()  # and with it what may still be carried out
                server.recover()
    what = f"{reruns.runs} kills of a server whose log is written slowly"
    if failure is None:
        return Outcome(False, (f"{what}: no acknowledged write was lost",))
    return Outcome(True, (what, _named(failure.verdict)))


@contextmanager
def _slowly_logged(server: BinaryEtcd) -> Iterator[None]:
    """Meanwhile each write to its write-ahead log takes a while to begin. It ends with the process."""
    strace = shutil.which("strace")
    if strace is None:
        raise EtcdUnavailable("this takes strace, which lets a server write slowly: apt-get install strace")
    assert server.directory is not None
    assert server.pid is not None
    (*_, log) = sorted((server.directory / "data" / "member" / "wal").glob("*.wal"))
    with subprocess.Popen(
        [
            *(strace, "-f", "-qq", "-o", "/dev/null", "-p", str(server.pid)),
            *("-P", str(log), "-e", "trace=write", "-e", f"inject=write:delay_enter={_DELAY_MICROSECONDS}"),
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as tracer:
        try:
            _wait_until_traced(server.pid, tracer)
            yield
        finally:
            tracer.terminate()


def _wait_until_traced(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    """Raises `EtcdUnavailable`."""
    end = time.monotonic() + _ATTACH_SECONDS
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            raise EtcdUnavailable(f"strace can't trace the server: {tracer.stderr.read().decode().strip()}")
        if time.monotonic() > end:
            raise EtcdUnavailable(f"strace did not attach to the server in {_ATTACH_SECONDS:g} s")
        time.sleep(0.01)
