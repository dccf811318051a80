"""What the pages are written with. Each value of a run is hostile text, escaped where it is written."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from html import escape
from typing import Any, Final
from urllib.parse import quote

PREFIX: Final = "healthomics"
"""Where the pages are, below Airflow's own path."""

REFRESH_EVERY: Final = 10
"""Seconds between two looks of a page at itself, while something goes on."""

KNOWN: Final = ("COMPLETED", "RUNNING", "STARTING", "STOPPING", "PENDING", "FAILED", "CANCELLED", "DELETED")
"""Statuses with a colour of their own, in the order in which they are shown."""


def text(value: Any) -> str:
    """Return a value as text of a page, or of an attribute in double quotes.

    Half of a surrogate pair, which JSON may hold and UTF-8 does not, becomes a question mark.
    """
    return escape(str(value).encode(errors="replace").decode())


def time(seconds: float, *, clock: bool = False) -> str:
    """Return a moment as an element that the page's script writes in Airflow's zone.

    :param clock: whether the script leaves out the date if it is today's.
    """
    try:
        moment = datetime.datetime.fromtimestamp(int(seconds), tz=datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"
    form = " data-clock" if clock else ""
    return f'<time datetime="{moment.isoformat()}"{form}>{moment:%Y-%m-%d %H:%M:%S} UTC</time>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and a value, which is HTML."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>' if rows else ""


def note(words: str) -> str:
    """Return words that explain a value, which are HTML, under it."""
    return f'<span class="note">{words}</span>'


def swatch(kind: str, shapes: str = "") -> str:
    """Return a small sign that goes before the words for it.

    :param kind: the class of its colour.
    :param shapes: SVG, of 12 by 12 pixels, in place of a filled one.
    """
    rect = f'<rect width="12" height="10" y="1" rx="3" class="{kind}"/>'
    return f'<svg class="swatch" aria-hidden="true">{shapes or rect}</svg>'


def section(name: str, title: str, body: str, kind: str = "") -> str:
    """Return a part of the page with a heading.

    :param name: its id, one of its own on the page.
    :param body: HTML.
    :param kind: classes.
    """
    classes = f' class="{kind}"' if kind else ""
    return (
        f'<section id="{name}"{classes} aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{text(title)}</h2>{body}</section>'
    )


def folded(name: str, summary: str, body: str) -> str:
    """Return what is shown once it is opened, and stays open while the page refreshes itself.

    :param name: its id, one of its own on the page.
    :param body: HTML.
    """
    return f'<details id="{name}"><summary>{text(summary)}</summary>{body}</details>'


def printed(name: str, label: str, lines: str) -> str:
    """Return text as a program printed it, in a box that scrolls.

    :param name: its id, one of its own on the page.
    :param label: what it is, for a screen reader.
    """
    return f'<pre id="{name}" tabindex="0" role="region" aria-label="{text(label)}">{text(lines)}</pre>'


def scrolling(name: str, label: str, table: str) -> str:
    """Return a table in a box that scrolls where it is too wide, and that the keyboard reaches."""
    return (
        f'<div class="scroll" id="{name}" tabindex="0" role="region" aria-label="{text(label)}">{table}</div>'
    )


def outside(url: str, words: str) -> str:
    """Return a link out of Airflow; words alone if it does not lead to a page of HTTPS."""
    if not url.startswith("https://"):
        return text(words)
    return f'<a href="{text(url)}" target="_blank" rel="noopener noreferrer">{text(words)}</a>'


def status_class(status: str | None) -> str:
    """Return the class of a status' colour; one that nobody knows has that of no status."""
    return f"s-{status}" if status in KNOWN else "s-OTHER"


def badge(status: str | None) -> str:
    """Return a status as a coloured word."""
    return f'<span class="badge {status_class(status)}">{text(status or "not seen yet")}</span>'


def path(*parts: Any) -> str:
    """Return the path of a page, each part quoted; ids of DAG runs hold slashes and plus signs."""
    return "/".join(quote(str(part), safe="", errors="replace") for part in parts)


def run_page_path(dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a run page, below Airflow's own."""
    return f"{PREFIX}/run/{path(dag_id, dag_run_id, task_id, map_index)}"


def cohort_page_path(dag_id: str, dag_run_id: str) -> str:
    """Return the path of a cohort page, below Airflow's own."""
    return f"{PREFIX}/cohort/{path(dag_id, dag_run_id)}"


def dag_run_path(dag_id: str, dag_run_id: str) -> str:
    """Return the path of Airflow's own page of a DAG run, below Airflow's own."""
    return f"dags/{path(dag_id)}/runs/{path(dag_run_id)}"


def task_path(dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of Airflow's own page of a task instance, below Airflow's own."""
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"{dag_run_path(dag_id, dag_run_id)}/tasks/{path(task_id)}{mapped}"


def page(title: str, body: str, root: str, *, is_active: bool = False, extra: str = "") -> str:
    """Return a whole page.

    :param body: HTML.
    :param root: Airflow's own path, with a slash at its end.
    :param is_active: whether it shall refresh itself.
    :param extra: the name of a style and a script that it has besides.
    """
    static = text(f"{root}{PREFIX}/static")
    files = "".join(
        f'<link rel="stylesheet" href="{static}/{name}.css"><script src="{static}/{name}.js"></script>'
        for name in ("omics", extra)
        if name
    )
    refresh = f' data-refresh="{REFRESH_EVERY}"' if is_active else ""
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"{files}</head>"
        f"<body><main{refresh}>{body}</main></body></html>\n"
    )
