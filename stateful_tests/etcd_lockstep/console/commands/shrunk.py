"""What `stress` does with a violation on a server: its calls are made again and made fewer, filed, and replayed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from etcd_lockstep.catalogue import UnknownTarget
from etcd_lockstep.console.exits import Exit
from etcd_lockstep.console.interrupts import Interrupts
from etcd_lockstep.console.progress import ShrinkingProgress
from etcd_lockstep.console.verdicts import verdict_lines
from etcd_lockstep.histories import Violated
from etcd_lockstep.interleaving.targets import InProcess
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_lockstep.servers import Credentials, EtcdUnavailable
from etcd_lockstep.stressing.files import Filed, failing_to_json, load_failing, save_failing
from etcd_lockstep.stressing.run import Judged
from etcd_lockstep.stressing.scripts import Fixed
from etcd_lockstep.stressing.shrinking import Failing, Reruns, Shrinking
from etcd_lockstep.stressing.stores import Store, find_stress_target, running
from etcd_lockstep.target import TargetDied

_MOST_CALLS = 12
"""So many calls of a client are shown."""
_REPLAYS = (20, 300)
"""How often a file is run, at least and at most."""
_MISSED = 0.01
"""With what chance all these runs go well on a target that fails as often as the file says."""


@dataclass(slots=True)
class Shrunk:
    """What became of a violation's calls."""

    target: str
    """As a command line names it."""
    name: str
    call_timeout: float
    reruns: Reruns
    shrinking: Shrinking
    file: Path | None = None
    failure: str = ""
    """Why it was given up."""

    @property
    def smallest(self) -> Failing | None:
        return self.shrinking.smallest


def begin(store: Store, target: str, judged: Judged, call_timeout: float) -> Shrunk:
    reruns = Reruns(store, call_timeout, judged.unsettled)
    return Shrunk(target, store.name, call_timeout, reruns, Shrinking(reruns))


def shrink(console: Console, shrunk: Shrunk, judged: Judged) -> None:
    """Make the calls fewer, as far as the time for it and the store allow."""
    try:
        with ShrinkingProgress(console, shrunk.reruns, shrunk.shrinking):
            shrunk.shrinking.go(judged.scripts)
    except (EtcdUnavailable, TargetDied) as failed:
        shrunk.failure = str(failed)


def report(console: Console, shrunk: Shrunk, corpus: Path) -> None:
    """File what is smallest, and print it. Raises `OSError`."""
    smallest = shrunk.smallest
    if shrunk.failure:
        console.print(f"its calls were not made again any more: {shrunk.failure}", style="yellow", soft_wrap=True)
    if smallest is None:
        if not shrunk.failure:
            runs = _number(shrunk.reruns.runs, "run")
            console.print(f"the same calls, made again, showed nothing in {runs}: they are not made fewer")
        return
    shrunk.file = save_failing(smallest, shrunk.target, shrunk.name, shrunk.call_timeout, corpus)
    script = smallest.script
    what = f"{_number(script.clients, 'client')}, {_number(script.calls, 'call')}"
    often = f"failed in {smallest.failed:,} of {_number(smallest.runs, 'run')}"
    console.print(f"made smaller, by {_number(shrunk.reruns.runs, 'run')}: {what}, which {often}")
    _print_lines(console, [*_failing_lines(smallest), f"filed as {shrunk.file}, for stress --replay"])


def _failing_lines(failing: Failing) -> Iterator[str]:
    yield from script_lines(failing.script)
    verdict = failing.failure.verdict
    yield f"violation: {verdict.first.anomaly.value}"
    yield from verdict_lines(failing.failure.history, Violated(verdict.violations[:1]))
    if failing.script.clients == 1 and failing.script.fault is None:
        yield "one client alone shows it, so it takes no race: `fuzz` makes such a sequence shorter"


def script_lines(script: Fixed) -> Iterator[str]:
    """For a reader: what each client calls, and the fault."""
    for number, calls in enumerate(script.traces, 1):
        said = [operation_in_words(call) for call in calls[:_MOST_CALLS]]
        if len(calls) > _MOST_CALLS:
            said.append(f"and {_number(len(calls) - _MOST_CALLS, 'more call')}")
        yield f"client {number}: {'; '.join(said)}"
    if script.fault is not None:
        yield f"after {_number(script.after, 'call')}: {script.fault.kind}, for {script.fault.seconds:.2f} s"


def shrunk_json(shrunk: Shrunk | None) -> dict[str, Any] | None:
    """As `--json` has it."""
    if shrunk is None or shrunk.smallest is None:
        return None
    content = failing_to_json(shrunk.smallest, shrunk.target, shrunk.call_timeout)
    return {"file": str(shrunk.file) if shrunk.file else None, **content}


def replay_stress(
    console: Console, file: Path, name: str | None, credentials: Credentials, *, allow_destroy: bool
) -> Exit:
    """Run a file again, on the target that it names or on another one. Raises `BadFile`, and what `running` does."""
    filed = load_failing(file)
    target = find_stress_target(name or filed.target, credentials)
    if isinstance(target, InProcess):
        raise UnknownTarget(f"{target.name} runs in this process, and the file is of calls to a server")
    faults = () if filed.script.fault is None else (filed.script.fault.kind,)
    with (
        Interrupts() as interrupts,
        running(
            target,
            faults=faults,
            allow_destroy=allow_destroy,
            call_timeout=filed.call_timeout,
            progress=console.print,
        ) as store,
    ):
        console.print(store.how, soft_wrap=True)
        reruns = Reruns(store, filed.call_timeout)
        failing: Failing | None = None
        try:
            with ShrinkingProgress(console, reruns):
                runs, failing = reruns.measured(filed.script, _runs_of(filed))
        except (EtcdUnavailable, TargetDied) as failed:
            console.print(f"{store.name} was lost after {_number(reruns.runs, 'run')}: {failed}", style="bold red")
            return Exit.UNREACHABLE
        except KeyboardInterrupt:
            interrupts.finish()
            console.print(f"interrupted after {_number(reruns.runs, 'run')}")
            return Exit(interrupts.exit_code)
    console.print(_outcome(filed, runs, failing), soft_wrap=True)
    if failing is None:
        return Exit.AGREED
    _print_lines(console, _failing_lines(failing))
    return Exit.LIES


def _runs_of(filed: Filed) -> int:
    if filed.failed == filed.runs:
        return _REPLAYS[0]
    needed = math.log(_MISSED) / math.log(1 - filed.failed / filed.runs)
    return min(max(math.ceil(needed), _REPLAYS[0]), _REPLAYS[1])


def _outcome(filed: Filed, runs: int, failing: Failing | None) -> str:
    failed = 0 if failing is None else failing.failed
    said = f"failed in {failed:,} of {_number(runs, 'run')}; when it was filed, in {filed.failed:,} of {filed.runs:,}"
    if failed or filed.failed == filed.runs:
        return said
    chance = (1 - filed.failed / filed.runs) ** runs
    return f"{said}, so that all would go well with a chance of {chance:.1%}" if chance >= 0.001 else said


def _print_lines(console: Console, lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 3), expand=False))


def _number(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
