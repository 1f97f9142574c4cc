"""A run as one page that needs nothing else, no network either: what `--html` writes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from etcd_lockstep.reporting.compared_answers import compared_answers
from etcd_lockstep.reporting.finding_text import headline
from etcd_lockstep.reporting.snippets import snippets
from etcd_lockstep.reporting.summary import RunSummary
from etcd_lockstep.reporting.text import limits, verdict
from etcd_lockstep.reporting.wording import operation_in_words
from etcd_lockstep.searching.findings import pattern


class NoJinja2(ValueError):
    """The page can't be made, since jinja2 is not installed."""


def check_jinja2() -> None:
    """Raises `NoJinja2`."""
    if find_spec("jinja2") is None:
        raise NoJinja2("--html needs jinja2: pip install 'etcd-lockstep[html]'")


def render(template: str, **values: object) -> str:
    """A page from a template of this folder. Raises `NoJinja2`."""
    check_jinja2()
    import jinja2  # an extra: only who wants a page needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def html_report(summary: RunSummary) -> str:
    """The page. Raises `NoJinja2`."""
    return render(
        "report.html.jinja",
        summary=summary,
        verdict=verdict(summary),
        limits=limits(summary),
        headline=headline,
        operation_in_words=operation_in_words,
        compared_answers=compared_answers,
        snippets=snippets,
        pattern=pattern,
    )
