"""A campaign as one page that needs nothing else, no network either."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etcd_lockstep.campaigns.figures import CampaignFigures, Point, Sighted, moment
from etcd_lockstep.reporting.compared_answers import compared_answers
from etcd_lockstep.reporting.finding_text import headline, remarks
from etcd_lockstep.reporting.html import render
from etcd_lockstep.reporting.severity import Severity, severity_of
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_lockstep.searching.coverage import OK

WIDTH, HEIGHT = 640, 160
"""Of a curve, in the units of its drawing."""


@dataclass(frozen=True, slots=True)
class CauseSighted:
    """Findings of one cause, and when they were seen."""

    headline: str
    severity: Severity
    found: Sequence[Sighted]
    """The one with the shortest trace first."""

    @property
    def first(self) -> Sighted:
        """The one that was found first."""
        return min(self.found, key=lambda one: one.first)

    @property
    def last_seen(self) -> float:
        return max(one.last for one in self.found)

    @property
    def shards(self) -> int:
        """How many have seen one of them, at least."""
        return max(one.shards for one in self.found)

    @property
    def etcds(self) -> list[str]:
        return sorted({etcd for one in self.found for etcd in one.etcds})


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Agreed steps by operation and answer."""

    answers: Sequence[str]
    """Errors, the most frequent first, after those without one."""
    rows: Sequence[tuple[str, Sequence[tuple[int, int]]]]
    """By operation: of each answer the steps, and how warm they are, from 0 for none to 9."""


def campaign_page(figures: CampaignFigures) -> str:
    """The page. Raises `NoJinja2`."""
    return render(
        "campaign.html.jinja",
        figures=figures,
        causes=_causes(figures),
        heat=heat_map(figures.answers),
        curves=[
            ("steps", figures.points[-1].steps, _curve(figures.points, lambda point: point.steps)),
            ("findings", figures.points[-1].findings, _curve(figures.points, lambda point: point.findings)),
        ],
        width=WIDTH,
        height=HEIGHT,
        moment=moment,
        duration=duration,
        short=short,
        operation_in_words=operation_in_words,
        compared_answers=compared_answers,
        remarks=remarks,
    )


def _causes(figures: CampaignFigures) -> list[CauseSighted]:
    by_finding = {(one.finding.odd_one_out, one.finding.fingerprint): one for one in figures.sighted}
    return [
        CauseSighted(
            headline(cause.findings[0].finding, cause.findings[0].operations),
            severity_of(cause.signature),
            [by_finding[one.finding.odd_one_out, one.finding.fingerprint] for one in cause.findings],
        )
        for cause in figures.causes
    ]


def heat_map(counts: dict[tuple[str, str], int]) -> HeatMap:
    """By operation and answer; the warmth is that of the logarithm."""
    most = max(counts.values(), default=1)
    frequency: dict[str, int] = {}
    for (_, answer), steps in counts.items():
        frequency[answer] = frequency.get(answer, 0) + steps
    answers = sorted(frequency, key=lambda one: (one != OK, -frequency[one], one))

    def warmth(steps: int) -> int:
        return 1 + round(8 * math.log(steps) / math.log(most)) if steps and most > 1 else min(steps, 1)

    rows = [
        (operation, [(steps := counts.get((operation, answer), 0), warmth(steps)) for answer in answers])
        for operation in sorted({operation for operation, _ in counts})
    ]
    return HeatMap(answers, rows)


def _curve(points: Sequence[Point], height: Callable[[Point], float]) -> str:
    """As the points of an SVG polyline."""
    widest, highest = points[-1].searched or 1, height(points[-1]) or 1
    return " ".join(
        f"{WIDTH * point.searched / widest:.1f},{HEIGHT * (1 - height(point) / highest):.1f}" for point in points
    )


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def short(number: int) -> str:
    """`999`, `1.2k`, `34k`, `1.2M`: in at most four characters, up to a billion."""
    for unit, letter in ((1, ""), (1000, "k"), (1_000_000, "M")):
        if number < 1000 * unit - unit // 2 or letter == "M":
            break
    amount = number / unit
    return f"{amount:.1f}{letter}" if letter and amount < 9.95 else f"{amount:.0f}{letter}"
