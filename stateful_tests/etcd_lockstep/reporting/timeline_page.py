"""A run of a simulation as a page that needs nothing else: a row for each step, a column for each client."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_lockstep.reporting.html import render


def timeline_page(title: str, why: str, clients: Sequence[str], rows: Sequence[tuple[int | None, str]]) -> str:
    """The page. Raises `NoJinja2`.

    Args:
        title: The test's name.
        why: What went wrong.
        clients: Their names: a column each.
        rows: Whose step it was, as an index of `clients`, or None for what happens to all; and the step in words.
    """
    return render("timeline.html.jinja", title=title, why=why, clients=clients, rows=rows)
