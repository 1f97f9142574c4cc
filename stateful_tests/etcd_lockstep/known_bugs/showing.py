"""Run what shows a bug on one version, and say what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from etcd_lockstep.comparing.lockstep import Died, Lockstep, Step
from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.known_bugs.bug import Bug, ByRun, ByTrace, Outcome
from etcd_lockstep.reporting.wording import answer_fields, operation_in_words
from etcd_lockstep.servers import EtcdUnavailable, Program, ServerSettings
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model import Quirks, Server, quirks_of
from etcd_model.exhaustive import assert_never
from etcd_model.quirks import release_of


def show(
    bug: Bug, program: Program, *, seconds: float | None = None, progress: Callable[[str], None] = lambda _line: None
) -> Outcome:
    """Run what shows a bug on a version. `seconds`: for how long, instead of as long as the table says, where it is a
    run and not a trace. Raises `EtcdUnavailable`."""
    match bug.shown_by:
        case ByTrace() as by_trace:
            return _by_trace(by_trace, program)
        case ByRun(run=run, seconds=usual):
            return run(program, usual if seconds is None else seconds, progress)
        case _:
            assert_never(bug.shown_by)


def _by_trace(shown_by: ByTrace, program: Program) -> Outcome:
    quirks = mended(quirks_of(release_of(program.version)), shown_by.quirk)
    with BinaryEtcd(program, ServerSettings(cheap_passwords=True)) as etcd:
        real = EtcdTarget(etcd)
        try:
            model = ModelTarget(Server(quirks, real.min_lease_ttl()))
            seen = list(_steps(Lockstep(model, [real], guarded=False), shown_by.trace, etcd))
        finally:
            real.close()
    return Outcome(any(wrong for wrong, _lines in seen), tuple(line for _wrong, lines in seen for line in lines))


def mended(quirks: Quirks, quirk: str) -> Quirks:
    """The same version with a quirk that it may lack."""
    changed: dict[str, Any] = {quirk: True} if quirk else {}
    return replace(quirks, **changed)


def _steps(lockstep: Lockstep, trace: Trace, etcd: BinaryEtcd) -> Iterator[tuple[bool, list[str]]]:
    """Of each step, whether its answer was wrong, and the lines that say so."""
    lockstep.start()
    for number, operation in enumerate(trace, 1):
        asked = f"{number:3}. {operation_in_words(operation)}"
        try:
            step = lockstep.step(operation)
        except Died as died:
            yield True, [asked, f"     it died: {_first_line(died.reason)}", f"     {_restarted(etcd)}"]
            return
        yield bool(step.divergences), [asked, *_answered(step)]


def _answered(step: Step) -> list[str]:
    real = _in_words(step.observations["etcd"])
    if not step.divergences:
        return [f"     {real}"]
    return [f"     it answers  {real}", f"     right is    {_in_words(step.observations['model'])}"]


def _in_words(answer: Observation) -> str:
    fields = answer_fields(answer)
    said = fields.get("answer") or "; ".join(f"{name} {value}" for name, value in fields.items())
    return ": ".join(line.strip() for line in said.splitlines()) or "done"


def _first_line(reason: str) -> str:
    """A panic, where the log of the server has one; else what its client saw."""
    lines = reason.splitlines()
    return next((line for line in lines if "panic" in line), lines[0] if lines else "")[:300]


def _restarted(etcd: BinaryEtcd) -> str:
    etcd.kill()  # what is left of the process, but not its data
    try:
        etcd.recover()
    except EtcdUnavailable:
        return "started again on its data, it dies again"
    return "started again on its data, it answers"
