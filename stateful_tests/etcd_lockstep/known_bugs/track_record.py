"""docs/track-record.md: the known bugs, and on which versions a run has shown them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etcd_lockstep.known_bugs.bug import Bug, ByRun, ByTrace, Outcome, upstream_link
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_model.exhaustive import assert_never


@dataclass(frozen=True, slots=True)
class Tried:
    """What one version did with what shows one bug."""

    bug: Bug
    version: str
    outcome: Outcome

    @property
    def as_expected(self) -> bool:
        return self.outcome.shown == self.bug.is_in(self.version)

    def verdict(self) -> str:
        """One line."""
        shown = "shown" if self.outcome.shown else "not shown"
        return f"{shown} on etcd {self.version}, {'as' if self.as_expected else 'which was not'} expected"


def page(tried: Sequence[Tried], date: str) -> str:
    """The page, in Markdown. `tried`: each bug on each version, bug by bug; `date`: the day of the run."""
    bugs = list(dict.fromkeys(one.bug for one in tried))
    versions = list(dict.fromkeys(one.version for one in tried))
    outcomes = {(one.bug.name, one.version): one for one in tried}
    lines = [
        "# Track record: known bugs of etcd",
        "",
        f"Made by `make repro BUG=all` on {date}, from runs of etcd {', '.join(versions)}.",
        "`make repro BUG=NAME` shows one bug on the newest available version that has it, step by step with what is",
        "answered and what is right, and its absence on the next version that is mended.",
        "",
        f"| bug | upstream | {' | '.join(versions)} |",
        f"|---|---|{'---|' * len(versions)}",
    ]
    for bug in bugs:
        marks = " | ".join(_mark(outcomes[bug.name, version]) for version in versions)
        links = ", ".join(map(upstream_link, bug.upstream)) or "none found"
        lines.append(f"| [{bug.name}](#{bug.name}) | {links} | {marks} |")
    lines += ["", "● shown · ○ not shown, and not there · **!** not as the table of bugs says"]
    for bug in bugs:
        lines += ["", *_section(bug)]
    return "\n".join(lines) + "\n"


def _mark(one: Tried) -> str:
    return "**!**" if not one.as_expected else "●" if one.outcome.shown else "○"


def _section(bug: Bug) -> Iterator[str]:
    yield f"## {bug.name}"
    yield ""
    yield bug.about
    yield ""
    yield f"- in: {', '.join(bug.since) + ' and later' if bug.since else 'every release since 3.4.0'}"
    yield f"- mended: {', '.join(bug.mended) or 'in no release'}"
    yield f"- cause: {bug.cause}"
    if bug.report:
        yield f"- report: [{bug.report}]({bug.report})"
    yield ""
    match bug.shown_by:
        case ByTrace(trace=trace):
            for number, operation in enumerate(trace, 1):
                yield f"{number}. `{operation_in_words(operation)}`"
        case ByRun():
            yield f"{bug.shown_by.about} For {bug.shown_by.seconds:g} s at most."
            if bug.shown_by.measured:
                yield ""
                yield bug.shown_by.measured
        case _:
            assert_never(bug.shown_by)
