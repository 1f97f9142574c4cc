"""docs/lies.md and its plot: how soon each specimen is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from statistics import median
from xml.sax.saxutils import escape

from etcd_lockstep.proving.measuring import Measured
from etcd_lockstep.specimens.shortest import SHORTEST

SHOWN_OTHERWISE = {
    "revision-starts-elsewhere": "revisions are compared as they count on from a target's first",
    "state-shared-across-instances": "no sequence shows it: a target is asked by one client at a time",
    "lost-update-under-threads": "found by `etcd-lockstep stress`, whose clients run at the same time",
    "failures-never-surface": "a cancelled call, a closed client and TLS are no operations; a wrong password is one, "
    "and has a specimen",
    "second-if-replaces-first, second-then-replaces-first": "about how a client builds a txn, of which none is sent",
}
"""Lies of mocks that a sequence of requests to one target can't show, each with the reason."""

Results = Mapping[str, Sequence[Measured]]
"""By specimen: its searches, one a seed."""


def page(results: Results, limit: float, plot: str) -> str:
    """The page, in Markdown. `limit`: the seconds that a search had. `plot`: the name of the picture."""
    return "\n".join(_lines(results, limit, plot)) + "\n"


def _lines(results: Results, limit: float, plot: str) -> Iterator[str]:
    searches = [one for several in results.values() for one in several]
    medians = [median(one.seconds for one in several) for several in results.values()]
    seeds = sorted({one.seed for one in searches})
    yield from (
        "# What the suite catches",
        "",
        "Made by `make lies`. A specimen is a fake that differs from etcd on purpose, in one named way, as mocks that",
        "projects write for their tests do; the last ones are whole mocks. Each was searched for its lie as",
        f"`etcd-lockstep fuzz --etcd none --against SPECIMEN --seed N` does, with {_seeds(seeds)}, for",
        f"{limit:g} s at most, until a trace was found no longer than the one written down for it.",
        "",
        f"- {sum(one.found for one in searches):,} of {len(searches):,} searches found the lie, "
        f"{sum(one.is_short for one in searches):,} in a trace no longer than that.",
        f"- Of {len(results)} specimens, half were found within {median(medians):.2f} s; the slowest search took "
        f"{max(one.seconds for one in searches):.1f} s.",
        "",
        f"![Steps until each specimen is found, sorted]({plot})",
        "",
        "Of several seeds, each figure is the median. Seconds are on the clock of a machine that did other work",
        "meanwhile, and include the shrinking. The length is that of the longest trace that a search ended with;",
        "beside it stands that of the trace that is written down for the lie (`etcd_lockstep/specimens/shortest/`).",
        "",
        "| specimen | found | sequences | steps | seconds | of these shrinking | length | written down |",
        "|---|---|---|---|---|---|---|---|",
    )
    for name, several in results.items():
        known = str(len(SHORTEST[name])) if name in SHORTEST else "—"
        figures = (
            f"{sum(one.found for one in several)} of {len(several)}",
            f"{median(one.sequences for one in several):,.0f}",
            f"{median(one.steps for one in several):,.0f}",
            f"{median(one.seconds for one in several):.2f}",
            f"{median(one.shrinking for one in several):.2f}",
            f"{max(one.length for one in several)}",
            known,
        )
        yield f"| {name} | {' | '.join(figures)} |"
    yield from ("", "## What no sequence shows", "")
    yield from (f"- {name}: {reason}." for name, reason in SHOWN_OTHERWISE.items())


def _seeds(seeds: Sequence[int]) -> str:
    return f"the seed {seeds[0]}" if len(seeds) == 1 else f"the seeds {', '.join(map(str, seeds))}"


_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 860, 300, 70, 34, 30
_DECADES = 6


def plot(results: Results) -> str:
    """The medians of the steps, sorted, on a logarithmic scale: an SVG by itself."""
    steps = sorted(
        ((median(one.steps for one in several), name, all(one.found for one in several)))
        for name, several in results.items()
    )
    across = (_WIDTH - _LEFT - 10) / max(len(steps), 1)
    marks = [
        f'<circle cx="{_LEFT + (at + 0.5) * across:.1f}" cy="{_height(count):.1f}" r="3" '
        f'class="{"found" if found else "missed"}"><title>{escape(name)}: {count:,.0f} steps</title></circle>'
        for at, (count, name, found) in enumerate(steps)
    ]
    lines = [
        f'<path d="M{_LEFT} {_height(10**power):.1f}H{_WIDTH - 10}"/>'
        f'<text x="{_LEFT - 8}" y="{_height(10**power) + 4:.1f}" text-anchor="end">{10**power:,}</text>'
        for power in range(_DECADES)
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            'font-family="sans-serif" font-size="12">',
            "<title>Steps until each specimen is found, sorted</title>",
            "<style>rect{fill:#fff}path{stroke:#ccc}text{fill:#333}.found{fill:#1f6feb}.missed{fill:#cf222e}</style>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}"/>',
            f'<text x="{_LEFT}" y="18">Steps until a lie is found (median of the seeds)</text>',
            *lines,
            *marks,
            f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{len(steps)} specimens, the soonest found first</text>',
            "</svg>",
            "",
        )
    )


def _height(count: float) -> float:
    share = min(log10(max(count, 1)) / (_DECADES - 1), 1.0)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
