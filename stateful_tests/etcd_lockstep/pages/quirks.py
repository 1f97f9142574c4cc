"""docs/quirks.md: every quirk, the first version that has it, the shortest trace, and what each version answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from etcd_lockstep import servers
from etcd_lockstep.comparing.lockstep import Died, Inconclusive, Lockstep, Skipped
from etcd_lockstep.comparing.observation import Observation
from etcd_lockstep.filing.notation import to_json
from etcd_lockstep.known_bugs.bug import upstream_link
from etcd_lockstep.pages.distinguishing import find
from etcd_lockstep.reporting.wording import answer_fields, operation_in_words
from etcd_lockstep.searching.known_quirks import quirk_docstrings, read_trace, shows
from etcd_lockstep.servers import Program, ServerSettings
from etcd_lockstep.servers.binary import BinaryEtcd
from etcd_lockstep.targets.etcd import EtcdTarget
from etcd_lockstep.targets.model import ModelTarget
from etcd_lockstep.trace import Trace
from etcd_model import Server, quirks_of
from etcd_model.quirks import SINCE, UPSTREAM, parse_version, release_of

NOT_SENT = "not sent"
"""Stands for the answer of a version that would die of the trace, or that leaves its outcome open."""


UNSEEN = {
    "progress_not_deferred": "it takes one of the releases 3.4.25 to 3.4.30 or 3.5.8 to 3.5.12",
    "compaction_hashed_after_finished_one": "it only says which hashes are nondeterministic",
    "old_auth_revision_mapped": "it takes a server with JSON Web Tokens",
    "root_skips_lease_keys": "it takes a server with JSON Web Tokens",
    "put_free_txns_pass": "it takes a server that is over its quota",
    "users_read_from_buffer": "it only says what is nondeterministic",
    "read_buffer_has_end": "it only says what is nondeterministic; docs/semantics.md has a sequence that showed it",
    "alarm_text_trimmed": "blanks in these texts differ between builds, and are not compared",
}
"""Quirks that no trace can show, and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One quirk as the page reports it."""

    quirk: str
    about: str
    since: tuple[str, ...]
    trace: Trace | None
    answers: Mapping[str, str]
    """By version: what a real server of it said to the last step of the trace."""
    surprises: tuple[str, ...]
    """Versions whose server did not answer as the model of that version does."""


def rows(
    folder: Path, *, search: bool = True, progress: Callable[[str], None] = lambda _line: None
) -> tuple[list[str], list[Row]]:
    """The available versions, and a row for each quirk. Distinguishing traces are kept in `folder`; those that are
    missing, or no longer show their quirk, are searched for."""
    programs = servers.available_versions(progress)
    if not programs:
        raise servers.EtcdUnavailable("no etcd binary is available: scripts/fetch-etcd brings some")
    versions = [program.version for program in programs]
    releases = {version: release_of(version) for version in versions}
    known = sorted({*releases.values(), *chain.from_iterable(SINCE.values())}, key=parse_version)
    traces = {
        quirk: None
        if quirk in UNSEEN
        else _distinguishing_trace(quirk, known, folder, search=search, progress=progress)
        for quirk in SINCE
    }
    answers: dict[str, dict[str, str]] = {quirk: {} for quirk in SINCE}
    surprises: dict[str, list[str]] = {quirk: [] for quirk in SINCE}
    for program in programs:
        progress(f"asking etcd {program.version}")
        for quirk, (answer, agreed) in _asked(program, releases[program.version], traces).items():
            answers[quirk][program.version] = answer
            if not agreed:
                surprises[quirk].append(program.version)
    about = quirk_docstrings()
    return versions, [
        Row(quirk, about[quirk], SINCE[quirk], traces[quirk], answers[quirk], tuple(surprises[quirk]))
        for quirk in SINCE
    ]


def _distinguishing_trace(
    quirk: str, versions: Sequence[str], folder: Path, *, search: bool, progress: Callable[[str], None]
) -> Trace | None:
    path = folder / f"{quirk}.json"
    if path.exists():
        trace = read_trace(path)
        if any(shows(trace, quirk, quirks_of(version)) for version in versions):
            return trace
    if not search:
        return None
    progress(f"searching for a trace that shows {quirk}")
    found = find(quirk, versions)
    if found is not None:
        folder.mkdir(parents=True, exist_ok=True)
        steps = ",\n  ".join(json.dumps(to_json(operation)) for operation in found)
        path.write_text(f"[\n  {steps}\n]\n", encoding="utf-8")
    return found


def _asked(program: Program, release: str, traces: Mapping[str, Trace | None]) -> dict[str, tuple[str, bool]]:
    """What a version answers to the last step of each trace, and whether its model says the same all along."""
    with BinaryEtcd(program, ServerSettings(cheap_passwords=True)) as etcd:
        real = EtcdTarget(etcd)
        try:
            lockstep = Lockstep(ModelTarget(Server(quirks_of(release), real.min_lease_ttl())), [real])
            return {quirk: _last(lockstep, trace) for quirk, trace in traces.items() if trace is not None}
        finally:
            real.close()


def _last(lockstep: Lockstep, trace: Trace) -> tuple[str, bool]:
    agreed, said = True, NOT_SENT
    try:
        lockstep.start()
        for operation in trace:
            step = lockstep.step(operation)
            agreed &= not step.divergences
            said = _reported(step.observations["etcd"])
    except Skipped:
        return NOT_SENT, True
    except (Inconclusive, Died) as reason:
        return str(reason), False
    return said, agreed


def _reported(observation: Observation) -> str:
    reported = "; ".join(f"{name} {said}" for name, said in answer_fields(observation).items())
    return ": ".join(line.strip() for line in reported.splitlines()) or "done"


def page(versions: Sequence[str], table: Sequence[Row]) -> str:
    """The page, in Markdown."""
    lines = [
        "# What differs between versions of etcd",
        "",
        f"Made by `make quirks` from runs of etcd {', '.join(versions)}. Each quirk is a row of the model's table",
        "(`model/etcd_model/quirks.py`); its trace was found by the search, as the shortest that distinguishes a model",
        "with the quirk from a model without it, and was then put to a real server of every version.",
        "",
        f"| quirk | first versions | {' | '.join(versions)} |",
        f"|---|---|{'---|' * len(versions)}",
    ]
    for row in table:
        marks = " | ".join(_mark(row, version) for version in versions)
        lines.append(f"| [{row.quirk}](#{row.quirk}) | {', '.join(row.since)} | {marks} |")
    lines += [
        "",
        "● has it, as measured · ○ has it not, as measured · (●) or (○) not shown by the trace on that version",
    ]
    for row in table:
        lines += ["", f"## {row.quirk}", "", row.about, "", _origin(row), ""]
        if row.trace is None:
            lines.append(f"No trace of ours shows it: {UNSEEN.get(row.quirk, 'the search found none')}.")
            continue
        lines += [f"{number}. `{operation_in_words(operation)}`" for number, operation in enumerate(row.trace, 1)]
        lines += ["", "| version | answer to the last step |", "|---|---|"]
        for answer, said_by in _grouped(row).items():
            lines.append(f"| {', '.join(said_by)} | `{answer.replace('|', chr(92) + '|')}` |")
        if row.surprises:
            lines += ["", f"**Not as the model says:** {', '.join(row.surprises)}."]
    return "\n".join(lines) + "\n"


def _origin(row: Row) -> str:
    """Since when, by which change of etcd's, and the command that shows it."""
    links = ", ".join(map(upstream_link, UPSTREAM.get(row.quirk, ())))
    changed = f" ({links})" if links else ""
    shown = f" `make repro BUG={row.quirk}` shows it." if row.trace is not None else ""
    return f"First in {', '.join(row.since)}{changed}.{shown}"


def _mark(row: Row, version: str) -> str:
    release = release_of(version)
    mark = "●" if getattr(quirks_of(release), row.quirk) else "○"
    measured = (
        row.trace is not None
        and row.answers.get(version, NOT_SENT) != NOT_SENT
        and version not in row.surprises
        and shows(row.trace, row.quirk, quirks_of(release))
    )
    return mark if measured else f"({mark})"


def _grouped(row: Row) -> dict[str, list[str]]:
    """The versions by what they answer."""
    grouped: dict[str, list[str]] = {}
    for version, answer in row.answers.items():
        grouped.setdefault(answer, []).append(version)
    return grouped
