"""`record`: serve the fake, and write what it was asked as a corpus file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from etcd_lockstep.console.argument_types import check_output
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.filing.corpus import save_trace
from etcd_lockstep.journal_trace import RecordedSession, trace_of
from etcd_lockstep.searching.run import NothingToDo
from etcd_lockstep.servers import EtcdUnavailable
from etcd_lockstep.trace import takes_time
from fake_etcd import FakeEtcd, Journal, Tls
from fake_etcd.addresses import CannotListenError
from fake_etcd.flags import listening_at

MOST_REQUESTS = 100_000
"""Entries that are kept; a put of a hundred bytes takes 1 KiB of memory."""

_LONGEST_WAIT = 0.5
"""Seconds after which the main thread looks for signals by itself."""


def run_record(console: Console, out: Path, urls: str, version: str, most: int) -> Exit:
    """Serve until a signal, which is how a session ends: so it is no failure.

    Raises `NothingToDo` for a wrong URL, version or file, and where nothing was asked; `EtcdUnavailable` where it can't
    listen; `OSError`.
    """
    check_output("--out", out)
    with Interrupts() as interrupts:
        session = trace_of(_recorded(console, interrupts, urls, version, most))
        _report(console, out, session)
    return Exit.AGREED


def _recorded(console: Console, interrupts: Interrupts, urls: str, version: str, most: int) -> Journal:
    """The journal of a session, the server of which is gone."""
    try:
        addresses = [address for address, _tls in listening_at(",".join(map(_url, urls.split(","))), Tls("", ""))]
        fake = FakeEtcd(version, clock=time.monotonic, journal=most)
    except ValueError as error:
        raise NothingToDo(str(error).replace("--listen-client-urls", "--listen")) from error
    journal = fake.journal
    assert journal is not None
    with fake:
        with suppress(KeyboardInterrupt):  # which may come as soon as the address is known
            console.print(_ready(version, [_serve(fake, address) for address in addresses]), soft_wrap=True)
            while True:
                time.sleep(_LONGEST_WAIT)  # a signal that comes just as an endless wait begins would not end it
        interrupts.finish()
    return journal


def _serve(fake: FakeEtcd, address: str) -> str:
    try:
        return fake.serve(address, http=True).url
    except CannotListenError as error:
        raise EtcdUnavailable(str(error)) from error


def _ready(version: str, urls: Sequence[str]) -> str:
    return f"fake-etcd serves etcd {version} at {','.join(urls)}, and records until Ctrl-C or SIGTERM"


def _url(text: str) -> str:
    """HOST:PORT will do."""
    return text.strip() if "://" in text else f"http://{text.strip()}"


def _report(console: Console, out: Path, session: RecordedSession) -> None:
    for reason in session.left_out:
        console.print(f"left out: {reason}", style="yellow", soft_wrap=True)
    if not session.trace:
        raise NothingToDo(f"{out}: not written, for there is no step to replay")
    save_trace(session.trace, out)
    console.print(f"{out}: {_count(session.trace, 'step')}, {len(session.left_out):,} left out", soft_wrap=True)
    if takes_time(session.trace):
        console.print("time goes by in it, which a replay on a real server waits for")


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things):,} {word}{'' if len(things) == 1 else 's'}"
