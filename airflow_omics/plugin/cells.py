"""A cell for each mapped gate, and lists of links to those that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from airflow_omics.plugin import html
from airflow_omics.plugin.cohort import Cohort
from airflow_omics.plugin.html import text
from airflow_omics.plugin.model import Gate
from airflow_omics.plugin.shares import many
from airflow_omics.plugin.standing import Standing, in_full, stuck_for

MOST_LISTED: Final = 50
"""Links in one list."""


def grid(gates: Sequence[Gate], cohort: Cohort, label: str) -> str:
    """Return a cell for each gate, a link to its page that says what it is when it is pointed at or focused.

    Without the page's script each is a stop of the Tab key. With it they are one, and arrow keys move inside.
    """
    cells = "".join(
        f'<li><a class="cell {Standing.of(gate).css}{" stuck" if stuck_for(gate, cohort.now) else ""}"'
        f' href="{cohort.page_of(gate)}"><span>{text(in_full(gate, cohort.now))}</span></a></li>\n'
        for gate in gates
    )
    return f'<ol class="cells" aria-label="{text(label)}">\n{cells}</ol>'


def folded(
    identity: str, title: str, gates: Sequence[Gate], say: Callable[[Gate], str], cohort: Cohort
) -> str:
    """Return a folded list of links, each with what is said of its gate; empty if there is none.

    :param identity: the element's id, by which the page's script keeps it open.
    :param say: returns what is said of a gate.
    """
    if not gates:
        return ""
    rows = [f"<li>{cohort.link(gate)} {text(say(gate))}</li>" for gate in gates[:MOST_LISTED]]
    if (more := len(gates) - MOST_LISTED) > 0:
        rows.append(f"<li>and {more:,} more</li>")
    return html.folded(identity, title, f'<ul class="listed">{"".join(rows)}</ul>')


def such_as(gates: Sequence[Gate], cohort: Cohort, most: int = 3) -> str:
    """Return links to the first few gates, and how many there are besides."""
    links = ", ".join(cohort.link(gate) for gate in gates[:most])
    more = len(gates) - most
    return f"{links} and {many(more, 'other')}" if more > 0 else links
