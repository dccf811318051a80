"""The page of a batch: how far its members are, how they ended, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from airflow_omics._words import span
from airflow_omics.plugin import html
from airflow_omics.plugin.batch_counts import reasons_of, shares_of, submitted, total_of
from airflow_omics.plugin.cohort_batches import status_badge
from airflow_omics.plugin.html import text
from airflow_omics.plugin.model import Gate, RunView
from airflow_omics.plugin.readable import items, line, mapping, when, whole
from airflow_omics.plugin.reasons import Row, table
from airflow_omics.plugin.shares import bar, legend, many
from airflow_omics.plugin.standing import is_active, named

_MEANINGS: Final = {
    "CREATING": "HealthOmics is making the batch. None of its runs has been started.",
    "PENDING": "The batch is made, and waits for its turn to start runs.",
    "SUBMITTING": "HealthOmics is starting the runs, one after the other.",
    "INPROGRESS": "A start of each run was tried, and some of the runs go on.",
    "STOPPING": "The batch is being cancelled.",
    "PROCESSED": "All runs of the batch have ended.",
    "CANCELLED": "The batch was cancelled. Runs that it had not come to were not started.",
    "FAILED": "HealthOmics could not start the batch, or not all of it. Runs that it had started go on.",
    "RUNS_DELETING": "The runs of the batch are being deleted, so its counts do not say how they had ended.",
    "RUNS_DELETED": "The runs of the batch were deleted, so its counts do not say how they had ended.",
    "RUNS_DELETE_FAILED": "Some runs of the batch were deleted, so its counts do not say how they had ended.",
    "DELETED": "HealthOmics does not know the batch any more: somebody has deleted it.",
}
_NOT_SEEN: Final = "The task has not seen its batch yet. This page shows it as soon as it has."
_NEVER_SEEN: Final = "The task has ended, and left nothing of a batch. Its log says why."
_JUDGED: Final = {"success": ", which the task tolerated", "failed": ", and the task failed"}
_MOST_MEMBERS: Final = 100
_TIMES: Final = (
    ("Created", "creationTime"),
    ("All submitted", "submittedTime"),
    ("Processed", "processedTime"),
    ("Failed", "failedTime"),
)


def render(view: RunView, root: str, now: float) -> str:
    """Return the page.

    :param root: Airflow's own path, with a slash at its end.
    :param now: seconds since the epoch.
    """
    gate = _seen(view)
    view = replace(view, gate=gate)
    outcome = mapping(view.record.get("outcome"))
    name = named(gate) or "HealthOmics batch"
    why = table(_reasons(view), "Why runs of the batch ended badly")
    parts = [
        _head(view, root, name),
        _meaning(gate),
        html.facts(_times(gate, now)),
        _members_in_numbers(gate, outcome),
        why,
        _members(view.record),
        _links(view.links),
    ]
    return html.page(name, "".join(parts), root, is_active=not gate.is_over, extra="cohort")


def _seen(view: RunView) -> Gate:
    """Return the gate with what was seen of its batch: the task's result, if it has left no snapshot."""
    if view.gate.run or not view.record.get("status"):
        return replace(view.gate, snapshot={"kind": "batch", **view.gate.snapshot})
    return replace(view.gate, snapshot={"kind": "batch", "run": view.record})


def _head(view: RunView, root: str, name: str) -> str:
    gate = view.gate
    here = (view.dag_id, view.dag_run_id)
    cohort = text(root + html.cohort_page_path(*here))
    task = text(root + html.task_path(*here, gate.task_id, gate.map_index))
    about = f"Batch {text(line(gate.run.get('id')))}".strip()
    seen = when(gate.snapshot.get("seen"))
    if is_active(gate) and seen is not None:
        about += f", as seen {html.time(seen, clock=True)}"
    place = f"{line(gate.task_id, 250)}[{gate.map_index}]" if gate.map_index >= 0 else line(gate.task_id, 250)
    state = line(gate.state).replace("_", " ") or "no state"
    return (
        '<nav class="back" aria-label="Pages around this one">'
        f'<a class="only-alone" href="{task}">The task in Airflow</a>'
        f'<a href="{cohort}">All runs of this DAG run</a></nav>'
        f"<header><h1><span>{text(name)}</span> {status_badge(gate)}</h1>"
        f'<p class="dim">{about}</p>'
        f'<p class="note only-alone">Task {text(place)}: {text(state)}. DAG {text(line(view.dag_id, 250))}, '
        f"DAG run {text(line(view.dag_run_id, 250))}</p></header>"
    )


def _meaning(gate: Gate) -> str:
    status = line(gate.run.get("status"), 40)
    if not status:
        return f'<p class="plain">{_NEVER_SEEN if gate.is_over else _NOT_SEEN}</p>'
    meaning = _MEANINGS.get(status, "This version of airflow-omics does not know the status.")
    if gate.is_over and is_active(gate):
        meaning += " The task has ended since, so this is not how the batch stands now."
    why = line(gate.run.get("failureReason"), 300)
    if why:
        return f'<div class="alert"><p>{meaning}</p><p><bdi>{text(why)}</bdi></p></div>'
    return f"<p>{meaning}</p>"


def _times(gate: Gate, now: float) -> list[tuple[str, str]]:
    times = [(name, moment) for name, key in _TIMES if (moment := when(gate.run.get(key))) is not None]
    facts = [(name, html.time(moment)) for name, moment in times]
    created = when(gate.run.get("creationTime"))
    ended = max((moment for name, moment in times if name in ("Processed", "Failed")), default=None)
    if created is not None and ended is not None:
        facts.append(("Took", span(ended - created)))
    elif created is not None and is_active(gate) and not gate.is_over:
        facts.append(("Going on for", span(now - created)))
    return facts


def _members_in_numbers(gate: Gate, outcome: Mapping[str, Any]) -> str:
    total, found = total_of(gate.snapshot, outcome), shares_of(gate.snapshot, outcome)
    if not found:
        return ""
    said = ""
    if gate.run.get("status") == "SUBMITTING":
        said = f"<p>{submitted(gate.snapshot):,} of {many(total, 'run')} submitted.</p>"
    size = many(total, "run") if total else "Runs"
    body = f"{bar(found)}{legend(found)}{said}{_tolerated(gate, outcome)}"
    return html.section("runs", size, body)


def _tolerated(gate: Gate, outcome: Mapping[str, Any]) -> str:
    """Return what the task made of the runs that did not complete, once it has judged them."""
    total = whole(outcome.get("total"))
    bad = total - whole(outcome.get("completed"))
    if not total or bad < 0:
        return ""
    if not bad:
        return "<p>Every run completed.</p>"
    judged = {"success": ", which the task tolerated", "failed": ", and the task failed"}.get(
        gate.state or "", ""
    )
    return f"<p>{bad:,} of {many(total, 'run')} did not complete{judged}.</p>"


def _reasons(view: RunView) -> list[Row]:
    """Return why members ended badly: as the task found out, or as far as a snapshot has it."""
    rows = [mapping(row) for row in items(view.record.get("failures"))]
    found = [
        Row(
            line(row.get("reason"), 64),
            line(row.get("owner"), 40),
            whole(row.get("count")),
            ", ".join(_examples(row)),
        )
        for row in rows
        if whole(row.get("count"))
    ]
    return found or [Row(*row) for row in reasons_of(view.gate.snapshot)]


def _examples(row: Mapping[str, Any]) -> Iterator[str]:
    for member in map(mapping, items(row.get("examples"))[:3]):
        setting_id, run_id = line(member.get("runSettingId"), 40), line(member.get("runId"), 20)
        run = f"run {run_id}" if run_id else ""
        said = f"{setting_id} ({run})" if setting_id and run else setting_id or run
        if said:
            yield f"<bdi>{text(said)}</bdi>"


def _members(record: Mapping[str, Any]) -> str:
    members = [mapping(member) for member in items(record.get("members"))[:_MOST_MEMBERS]]
    rows = "".join(map(_member, members))
    if not rows:
        return ""
    head = '<th scope="col">Sample</th><th scope="col">Run</th><th scope="col">Status</th>'
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return html.folded("members", many(len(members), "member"), table)


def _member(member: Mapping[str, Any]) -> str:
    setting_id, run_id = line(member.get("runSettingId")), line(member.get("runId"))
    return (
        f'<tr><th scope="row"><bdi>{text(setting_id or "?")}</bdi></th><td>{text(run_id or "none")}</td>'
        f"<td>{html.badge(line(member.get('status'), 40) or None)}</td></tr>"
    )


def _links(links: Mapping[str, str]) -> str:
    rows = "".join(f"<li>{html.outside(str(url), line(words))}</li>" for words, url in links.items())
    return html.section("elsewhere", "Elsewhere", f'<ul class="links">{rows}</ul>') if rows else ""
