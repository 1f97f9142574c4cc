"""docs/mutants.md: how many mutants were noticed, by what, after how long, and why the others survive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median

from etcd_lockstep.mutants.areas import Area
from etcd_lockstep.mutants.judge import RELEASES
from etcd_lockstep.mutants.mutant import Judged

REASONS = Path(__file__).parent / "reasons.json"
"""By the key of a mutant that survived, or that only tests noticed: a kind, and why nothing else notices it."""
EQUIVALENT = "equivalent"
CLOSED = "gap closed"
HARMLESS = (EQUIVALENT, "not compared")
OUT_OF_REACH = "out of reach"
KINDS = (*HARMLESS, OUT_OF_REACH, "gap", CLOSED)
"""No answer differs; only what is left out of the comparison does; no sequence of operations shows it, but a test does;
it should be noticed; a test was added that does."""


def read_reasons() -> dict[str, tuple[str, str]]:
    """By the key of a mutant: its kind, one of `KINDS`, and the reason."""
    held = json.loads(REASONS.read_text(encoding="utf-8"))
    return {key: (one["kind"], one["reason"]) for key, one in held.items()}


def page(
    judged: Sequence[tuple[Area, Judged]],
    reasons: Mapping[str, tuple[str, str]],
    tool: str,
    seed: int,
    seconds: float,
    *,
    earlier: Sequence[tuple[Area, Judged]] = (),
) -> str:
    """The page, in Markdown. `earlier`: verdicts of an earlier sample, of areas that this one leaves out."""
    areas = ",".join(dict.fromkeys(area.name for area, _ in judged))
    lines = [
        "# Mutants: small faults that the suite must notice",
        "",
        f"Made on {date.today().isoformat()} with {tool}, by `python -m etcd_lockstep.mutants --number {len(judged)}",
        f"--areas {areas} --seed {seed} --seconds {seconds:g}`: a sample of {len(judged)} mutants. A mutant",
        "is one small change to one module. One of the model or of the fake is judged by the lockstep search, model",
        f"against fake of {', '.join(RELEASES)} in turn, for at most {seconds:g} s on one core of a shared machine;",
        "what the search misses,",
        "by the transcripts and the unit tests of its package. One of the harness is judged by unit tests alone.",
        "",
        "| | mutants | search | import, hang, crash | tests | survived | of those, harmless | noticed, of the others |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *_scores(judged, reasons),
        *_scores(earlier, reasons),
        "",
        *_about(earlier),
        *_reach(judged, reasons),
        "## Time to find",
        "",
        "Of what the search found, without the start of its process.",
        "",
        *_times(judged),
        "",
        "## Survivors",
        "",
        *_survivors(judged, reasons),
        "",
        *_closed(reasons),
        "",
        *_MISSED,
        *_missed_by_the_search(judged, reasons),
        "",
        *_METHOD,
    ]
    return "\n".join(lines) + "\n"


def _about(earlier: Sequence[tuple[Area, Judged]]) -> Iterator[str]:
    if earlier:
        names = " and ".join(dict.fromkeys(area.name for area, _ in earlier))
        yield f"The figures of the {names} are those of the last sample that had any of it; its survivors stand in"
        yield "`reasons.json`."
        yield ""


def _reach(judged: Sequence[tuple[Area, Judged]], reasons: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """How many the search found of those that it could see."""
    ours = [one for area, one in judged if area.searched and one.by != "import"]
    missed = [one for one in ours if one.survived or one.by == "tests"]
    beyond = [one for one in missed if reasons.get(one.mutant.key, ("", ""))[0] in (*HARMLESS, OUT_OF_REACH)]
    there = len(ours) - len(beyond)
    if not there:
        return
    found = len(ours) - len(missed)
    yield f"The search alone: of {len(ours)} mutants of the model and the fake that can be imported, {len(beyond)}"
    yield f"change nothing that a sequence of operations shows, each for the reason below. Of the other {there}"
    yield f"it found {found}, which is {found / there:.0%}."
    yield ""


def _scores(judged: Sequence[tuple[Area, Judged]], reasons: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for name in dict.fromkeys(area.name for area, _ in judged):
        ours = [one for area, one in judged if area.name == name]
        by = Counter(one.by for one in ours)
        survived = [one for one in ours if one.survived]
        harmless = [one for one in survived if reasons.get(one.mutant.key, ("gap", ""))[0] in HARMLESS]
        real = len(ours) - len(harmless)
        noticed = f"{(len(ours) - len(survived)) / real:.0%}" if real else "–"
        others = by["import"] + by["hang"] + by["crash"]
        yield (
            f"| {name} | {len(ours)} | {by['search']} | {others} | {by['tests']} | {len(survived)} "
            f"| {len(harmless)} | {noticed} |"
        )


def _times(judged: Sequence[tuple[Area, Judged]]) -> Iterator[str]:
    seconds = sorted(one.seconds for _, one in judged if one.by == "search")
    if not seconds:
        yield "The search found none."
        return
    yield "| within | found |"
    yield "|---|---:|"
    for bound in (0.1, 0.3, 1, 3, 10, 30, 100):
        yield f"| {bound:g} s | {sum(one <= bound for one in seconds)} of {len(seconds)} |"
        if seconds[-1] <= bound:
            break
    yield ""
    yield f"Median {median(seconds):.1f} s, longest {seconds[-1]:.1f} s."


def _survivors(judged: Sequence[tuple[Area, Judged]], reasons: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    survived = [one for _, one in judged if one.survived]
    if not survived:
        yield "None."
        return
    yield "| mutant | kind | reason |"
    yield "|---|---|---|"
    for one in survived:
        kind, reason = reasons.get(one.mutant.key, ("not looked into", ""))
        yield f"| {_named(one)} | {kind} | {reason} |"


def _closed(reasons: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield "## Gaps that were closed"
    yield ""
    yield "Mutants that survived at first, and the test that was added. Where one is among the survivors above, it was"
    yield "judged before."
    yield ""
    for key, (kind, reason) in reasons.items():
        if kind == CLOSED:
            yield f"- `{key}`: {reason}"


_MISSED = (
    "## What only tests noticed",
    "",
    "The search missed these in its time; a transcript or a unit test noticed them.",
    "",
)


def _missed_by_the_search(
    judged: Sequence[tuple[Area, Judged]], reasons: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    missed = [one for area, one in judged if area.searched and one.by == "tests"]
    if not missed:
        yield "None."
        return
    yield "| mutant | noticed by | why not by the search |"
    yield "|---|---|---|"
    for one in missed:
        kind, reason = reasons.get(one.mutant.key, ("gap", ""))
        why = f"{kind}: {reason}" if reason else kind
        yield f"| {_named(one)} | `{one.what.replace('|', chr(92) + '|')}` | {why} |"


def _named(one: Judged) -> str:
    before = " ".join(" ".join(one.mutant.before).split())
    after = " ".join(" ".join(one.mutant.after).split()) or "(removed)"
    code = f"`{one.mutant.module}`, line {one.mutant.line}: `{before}` becomes `{after}`"
    return code.replace("|", "\\|")


_METHOD = (
    "## How it is done",
    "",
    "cosmic-ray draws the mutants: it is used as a library, which lists the places where an operator applies and",
    "changes one source. Its own runner, like mutmut's, runs a test command on a changed source tree; a search",
    "that reports when it found what fits neither. So a changed module is loaded in place of the real one, in a new",
    "process, and the sources stay as they are. Each verdict is added to `etcd_lockstep/mutants/recorded.jsonl` as",
    "soon as it is known, and a run that was interrupted goes on after the last one.",
    "",
    "Of what one kind of operator can do at one place, one mutant is drawn. Left out are changes of annotations and",
    "docstrings, removed decorators (they fail at import), comparisons of identities (of equal numbers these are",
    "mostly the same), the version tables, and the lists of what no real server is asked.",
    "",
    "`make mutants AGAIN=30` searches again for thirty recorded mutants that the search found within a second, and",
    "fails if one is not found within twenty. It needs no cosmic-ray.",
)
