"""docs/fidelity.md: of every field of every request, on how many steps the model, the fake and a real etcd agreed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.descriptor import FieldDescriptor

from etcd_lockstep.names import snake_case
from etcd_lockstep.pages.unmet import unmet
from etcd_lockstep.searching.coverage import OK, Coverage, fields_used
from etcd_lockstep.searching.run import Run, RunOptions
from etcd_lockstep.servers import Binary, Program
from etcd_lockstep.trace import Trace
from etcd_model.quirks import SINCE, parse_version
from fake_etcd.wire.methods import METHODS


class Counted(Protocol):
    """What `Coverage` has, as far as the page reports it."""

    @property
    def fields(self) -> Mapping[str, int]: ...

    @property
    def answers(self) -> Mapping[tuple[str, str], int]: ...

    @property
    def met(self) -> Mapping[tuple[str, str, str], int]: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One version's runs."""

    version: str
    steps: int
    findings: int
    coverage: Counted
    searched: str = ""
    """For how long, and when."""


def measure(program: Program, seconds: float, seed: int, progress: Callable[[str], None]) -> Measured:
    """Fuzz every family against one version. Raises what `Run` does."""
    run = Run(RunOptions(Binary(program.path), seconds=seconds, seed=seed), progress=progress)
    coverage = Coverage()
    for stage in run.stages():
        if stage.turns == 1:
            progress(f"etcd {program.version}, {stage.workload.name}: {stage.seconds:.0f} s")
        run.fuzz(stage)
    for search in run.searches:
        coverage.add(search.coverage)
    return Measured(program.version, sum(search.steps for search in run.searches), len(run.findings), coverage)


def newest_of_each_series(programs: Sequence[Program]) -> list[Program]:
    """The newest 3.4, 3.5, … of those available."""
    newest = {parse_version(program.version)[:2]: program for program in programs}
    return list(newest.values())


def request_fields() -> Iterator[tuple[str, str]]:
    """Every field that a request has, as `PutRequest.lease`, with the name that `Coverage` counts it under."""
    seen: set[str] = set()
    for method in METHODS:
        if not method.service.startswith("grpc."):  # the health service is not etcd's API
            yield from _of_message(method.request.DESCRIPTOR, seen)


def _of_message(message: Any, seen: set[str]) -> Iterator[tuple[str, str]]:
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield f"{message.name}.{field.name}", f"{_operation(message.name)}.{snake_case(field.name)}"
    for field in message.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _of_message(field.message_type, seen)


_CALLED = {"compaction": "compact", "user_add_options": "user_add"}
"""Messages whose operation, or part of one, has another name."""


def _operation(message: str) -> str:
    name = snake_case(message.removesuffix("Request"))
    name = re.sub(r"^auth_(?=user|role)", "", name)
    return _CALLED.get(name, name)


def page(
    measured: Sequence[Measured], distinguishing_traces: Mapping[str, Trace], made: str = "Made by `make fidelity`."
) -> str:
    """The page, in Markdown. `distinguishing_traces`: the trace that shows each quirk. `made`: how it was made."""
    versions = [one.version for one in measured]
    lines = [
        "# How much of etcd's API is exercised",
        "",
        made,
        "",
        "Of every field of every request: on how many steps with that field set the model, the fake and a real etcd of",
        "that version gave the same answer. A request in a txn counts like one of its own.",
        "A RangeStream (3.7), which takes a RangeRequest too, is not counted here.",
        "",
        *(f"- etcd {one.version}: {one.steps:,} steps{one.searched}, {_lies(one.findings)}" for one in measured),
        "",
        *_share(measured),
        "",
        f"| field | {' | '.join(versions)} | differs between versions |",
        f"|---|{'---|' * len(versions)}---|",
    ]
    differing = _differing(distinguishing_traces)
    reasons = []
    for field, counted in request_fields():
        counts = [one.coverage.fields.get(counted, 0) for one in measured]
        reported = [f"{count:,}" if count else "—" for count in counts]
        links = ", ".join(f"[{quirk}](quirks.md#{quirk})" for quirk in differing.get(counted, ()))
        lines.append(f"| {field} | {' | '.join(reported)} | {links} |")
        if not any(counts):
            reasons.append(f"- {field}: drawn too rarely for runs of this length")
    lines += ["", "## Not exercised", "", *(reasons or ["Nothing."]), "", *_states(measured)]
    lines += [*_errors_not_met(measured), *_answers(measured)]
    return "\n".join(lines) + "\n"


def _lies(number: int) -> str:
    return "no lie" if not number else f"{number} {'lie' if number == 1 else 'lies'}"


def _share(measured: Sequence[Measured]) -> Iterator[str]:
    everything = [counted for _, counted in request_fields()]
    pairs = {pair for one in measured for pair in one.coverage.answers if pair[1] != OK}
    yield "| etcd | fields exercised | pairs of operation and error |"
    yield "|---|---|---|"
    for one in measured:
        exercised = sum(1 for counted in everything if one.coverage.fields.get(counted))
        met = sum(1 for pair in one.coverage.answers if pair[1] != OK)
        yield f"| {one.version} | {exercised} of {len(everything)} | {met} of {len(pairs)} met on any version |"


def _differing(distinguishing_traces: Mapping[str, Trace]) -> dict[str, list[str]]:
    """The quirks that show in a request with a field set: by field."""
    found: dict[str, list[str]] = {}
    for quirk in SINCE:
        for used in sorted(fields_used(distinguishing_traces[quirk][-1])) if quirk in distinguishing_traces else ():
            if used.endswith((".key", ".name")) and len(fields_used(distinguishing_traces[quirk][-1])) > 1:
                continue  # every request of its kind has it
            found.setdefault(used, []).append(quirk)
    return found


def _states(measured: Sequence[Measured]) -> Iterator[str]:
    if not any(one.coverage.met for one in measured):
        return
    versions = " | ".join(one.version for one in measured)
    yield "## States"
    yield ""
    yield "How many kinds of answers (an operation, and an error or none) all agreed on in a state with this feature."
    yield ""
    yield f"| state | {versions} |"
    yield f"|---|{'---|' * len(measured)}"
    met = [Counter(feature for _, _, feature in one.coverage.met) for one in measured]
    for feature in sorted(set().union(*met)):
        yield f"| {feature} | {' | '.join(str(one[feature]) for one in met)} |"
    yield ""


def _errors_not_met(measured: Sequence[Measured]) -> Iterator[str]:
    yield "## Errors that were not met"
    yield ""
    yield "Those that a version doesn't answer, with the reason; then those that it answers an operation with, as the"
    yield "transcripts show, and that no step of its run met."
    yield ""
    yield "| etcd | error | why it was not met |"
    yield "|---|---|---|"
    for one in measured:
        for what, reason in unmet(one.version, one.coverage.answers):
            yield f"| {one.version} | {what} | {reason} |"
    yield ""


def _answers(measured: Sequence[Measured]) -> Iterable[str]:
    yield "## Answers"
    yield ""
    yield "On how many steps all agreed on an error, or on there being none."
    yield ""
    yield f"| operation | answer | {' | '.join(one.version for one in measured)} |"
    yield f"|---|---|{'---|' * len(measured)}"
    for operation, error in sorted({pair for one in measured for pair in one.coverage.answers}):
        reported = (
            f"{count:,}" if (count := one.coverage.answers.get((operation, error), 0)) else "—" for one in measured
        )
        yield f"| {operation} | {error or 'ok'} | {' | '.join(reported)} |"
