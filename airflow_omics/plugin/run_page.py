"""The page of one run: how far it is, when it should end, what it has used, and why it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from airflow_omics._monitoring.task_table import epoch
from airflow_omics._words import span
from airflow_omics.plugin import batch_page
from airflow_omics.plugin.facts import progress, run_facts
from airflow_omics.plugin.hours import instance_hours
from airflow_omics.plugin.html import (
    badge,
    cohort_page_path,
    folded,
    outside,
    page,
    printed,
    section,
    swatch,
    task_path,
    text,
    time,
)
from airflow_omics.plugin.model import RunView
from airflow_omics.plugin.rows import Row, rows_of, told
from airflow_omics.plugin.run_state import RunState
from airflow_omics.plugin.standing import is_about_batch
from airflow_omics.plugin.tasks_table import tasks_table
from airflow_omics.plugin.timeline import drawing
from airflow_omics.plugin.why import why

OLD: Final = 900.0
"""Seconds after which the page of a run that goes on says how old it is."""

_NO_RUN: Final[Mapping[str | None, str]] = {
    None: "Airflow has not scheduled the task yet.",
    "scheduled": "The task waits for a worker.",
    "queued": "The task waits for a worker.",
    "running": "The task is at work, and has not seen its run yet.",
    "deferred": "The task waits in the triggerer, and has left nothing of its run yet.",
    "up_for_reschedule": "The task looks again soon, and has left nothing of its run yet.",
    "up_for_retry": "The task failed before it had seen a run, and is tried again.",
    "success": "The task has ended, and has left nothing of a run.",
    "failed": "The task failed before it had seen a run.",
    "skipped": "The task was skipped.",
    "upstream_failed": "The task does not run, since one before it failed.",
    "removed": "The task is no longer part of its DAG.",
}


def render(view: RunView, root: str, now: float) -> str:
    """Return the page of a task instance's run, or of its batch.

    :param root: Airflow's own path, with a slash at its end.
    :param now: the API server's time, in seconds since the epoch.
    """
    if is_about_batch(view.gate):
        return batch_page.render(view, root, now)
    state = RunState(view, now)
    if not state.run:
        return _without_run(view, root)
    body = (
        _way_back(view, root),
        _head(state),
        *_warnings(state),
        why(state),
        run_facts(state),
        _tasks(state),
        f'<div class="columns">{instance_hours(state)}{_elsewhere(view)}</div>',
    )
    title = f"{state.title}: {state.status or 'unknown'}"
    return page(title, "".join(body), root, is_active=not view.gate.is_over)


def _without_run(view: RunView, root: str) -> str:
    state, gate = view.gate.state, view.gate
    words = _NO_RUN.get(state, f"The task is {text(state)}.")
    title = "No run has been seen yet"
    if gate.is_elsewhere:
        title = "Not kept where this page looks"
        words = (
            "This deployment keeps XComs outside of Airflow's database, and the API server does not read "
            "them. How far the run is stands in the task's log."
        )
    elif gate.is_over:
        title = "No run was seen"
        words += " Its log says more."
    head = f"<header><h1>{title}</h1>{_of_task(view)}</header>"
    body = f'{_way_back(view, root)}{head}<p class="plain">{words}</p>'
    return page(title, body, root, is_active=not gate.is_over and not gate.is_elsewhere)


def _way_back(view: RunView, root: str) -> str:
    task = task_path(view.dag_id, view.dag_run_id, view.gate.task_id, view.gate.map_index)
    cohort = cohort_page_path(view.dag_id, view.dag_run_id)
    return (
        '<nav class="back" aria-label="Pages around this one">'
        f'<a class="only-alone" href="{text(root + task)}">The task in Airflow</a>'
        f'<a href="{text(root + cohort)}">All runs of this DAG run</a></nav>'
    )


def _head(state: RunState) -> str:
    about = [f"Run {text(state.member('id') or '?')}"]
    if workflow := state.member("workflowId"):
        version = state.member("workflowVersionName")
        about.append(f"of workflow {text(workflow)}" + (f", version {text(version)}" if version else ""))
    if group := state.member("runGroupId"):
        about.append(f"in run group {text(group)}")
    if batch := state.member("batchId"):
        about.append(f"of batch {text(batch)}")
    words = " ".join(about)
    if state.is_active and state.seen is not None:
        words += f", as seen {time(state.seen, clock=True)}"
    return (
        f"<header><h1><span>{text(state.title)}</span> {badge(state.status)}</h1>"
        f'<p class="dim">{words}</p>{_of_task(state.view)}</header>'
    )


def _of_task(view: RunView) -> str:
    """Return which task the page is of; a frame is on that task's page."""
    gate = view.gate
    place = f"{gate.task_id}[{gate.map_index}]" if gate.map_index >= 0 else gate.task_id
    words = f"Task {text(place)}" + (f" ({text(gate.label)})" if gate.label else "")
    if gate.try_number > 1:
        words += f", try {gate.try_number}"
    state = text((gate.state or "no state").replace("_", " "))
    dag_run = f"DAG {text(view.dag_id)}, DAG run {text(view.dag_run_id)}"
    return f'<p class="note only-alone">{words}: {state}. {dag_run}</p>'


def _warnings(state: RunState) -> Iterator[str]:
    gate = state.view.gate
    if state.is_unknown:
        yield _warning(
            f"This version of airflow-omics does not know the status {text(state.status or 'of the run')}."
        )
    if not state.is_active:
        return
    if gate.is_over:
        yield _warning(
            f"The task in Airflow has ended ({text(gate.state)}) while the run went on. "
            "What is here is as it was then."
        )
    elif state.seen is not None and state.now - state.seen > OLD:
        yield _warning(f"Last seen {span(state.now - state.seen)} ago. The run may be further by now.")
    stuck = epoch(gate.snapshot.get("stuck"))
    if stuck is not None:
        since = f" ({span(state.until - stuck)})" if state.until > stuck else ""
        yield _warning(f"Nothing has moved since {time(stuck)}{since}: no task has started or ended.")


def _warning(words: str) -> str:
    return f'<p class="warning">{words}</p>'


def _tasks(state: RunState) -> str:
    table = state.view.tasks
    tasks = told(table.tasks) if table else []
    rows = rows_of(state, tasks)
    # A run alone is worth a line if it says how long something took.
    drawn = drawing(state, rows) if tasks or state.is_active or state.ran is not None else ""
    body = progress(state)
    if drawn:
        body += f'<h3 class="sr-only">Timeline</h3>{drawn}{_legend(rows)}'
    if table:
        body += f'<p class="note">{table.left_out:,} more tasks are not shown.</p>' if table.left_out else ""
        body += tasks_table(tasks, table.seen)
    return section("timeline", "Tasks", body) if body else ""


def _legend(rows: list[Row]) -> str:
    """Return what the shapes mean; what the colours mean stands above the drawing."""
    items = []
    if any(row.waits for row in rows):
        items.append(("waits", "", "waits"))
    if any(row.was_followed for row in rows):
        rect = '<rect width="12" height="10" y="1" rx="3" '
        failed = f'{rect}class="s-FAILED"/>{rect}fill="url(#hatch)"/>'
        items.append(("", failed, "an attempt that another one followed"))
    if any(row.is_point for row in rows):
        point = '<path d="M6 0L12 6L6 12L0 6Z" class="cached s-COMPLETED"/>'
        items.append(("", point, "answered by the run cache"))
    if any(row.ahead is not None for row in rows):
        items.append(("ahead s-RUNNING", "", "until it should end, by earlier runs"))
    shown = "".join(f"<li>{swatch(kind, shapes)}{words}</li>" for kind, shapes, words in items)
    return f'<ul class="legend">{shown}</ul>' if shown else ""


def _elsewhere(view: RunView) -> str:
    links: dict[str, str] = {}
    for source in (view.links, view.diagnosis.get("links")):
        for words, url in source.items() if isinstance(source, Mapping) else ():
            if isinstance(url, str) and url.startswith("https://"):
                links.setdefault(url, str(words))
    items = "".join(f"<li>{outside(url, words)}</li>" for url, words in links.items())
    body = f'<ul class="links">{items}</ul>' if items else ""
    commands = view.diagnosis.get("commands")
    if isinstance(commands, list) and commands:
        shown = "\n".join(str(command) for command in commands[:50])
        body += folded("commands", "Commands that show more", printed("commands-text", "Commands", shown))
    return section("elsewhere", "Elsewhere", body) if body else ""
