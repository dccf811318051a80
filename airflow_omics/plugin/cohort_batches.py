"""The part of a cohort page that is about the batches of one task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from airflow_omics.plugin import reasons
from airflow_omics.plugin.batch_counts import reasons_of, shares_of, submitted, total_of
from airflow_omics.plugin.cells import grid, such_as
from airflow_omics.plugin.cohort import Cohort
from airflow_omics.plugin.html import text
from airflow_omics.plugin.model import Gate
from airflow_omics.plugin.readable import line
from airflow_omics.plugin.shares import bar, legend, many
from airflow_omics.plugin.standing import Standing, shares

_MOST_SHOWN: Final = 20


def batches(number: int, gates: Sequence[Gate], cohort: Cohort) -> str:
    """Return the section of a task whose gates are about batches.

    :param number: the section's own, for the ids of its elements.
    """
    task_id = line(gates[0].task_id, 250)
    members = sum(total_of(gate.snapshot) for gate in gates)
    size = many(len(gates), "batch", "batches") + (f" of {many(members, 'run')}" if members else "")
    parts = [f'<h2 id="task-{number}"><bdi>{text(task_id)}</bdi> <span class="dim">{size}</span></h2>']
    if len(gates) > _MOST_SHOWN:
        parts += [bar(found := shares(gates)), legend(found)]
        parts.append(grid(gates, cohort, f"Batches of {task_id} by map index"))
    parts += [_one(gate, cohort) for gate in gates[:_MOST_SHOWN]]
    if (more := len(gates) - _MOST_SHOWN) > 0:
        parts.append(f'<p class="note">and {more:,} more: each has a cell above.</p>')
    caption = f"Why runs of {task_id} ended badly"
    parts.append(reasons.table(reasons.most_first(_reasons(gates, cohort)), caption))
    return f'<section aria-labelledby="task-{number}">{"".join(parts)}</section>'


def status_badge(gate: Gate) -> str:
    """Return how a batch stands as a coloured word."""
    found, status = Standing.of(gate), line(gate.run.get("status"), 40)
    css = found.css if status else "s-OTHER"
    return f'<span class="badge {css}">{text(status or found.word)}</span>'


def _one(gate: Gate, cohort: Cohort) -> str:
    members = shares_of(gate.snapshot)
    total = total_of(gate.snapshot)
    said = many(total, "run") if total else ""
    if gate.run.get("status") == "SUBMITTING":
        said = f"{submitted(gate.snapshot):,} of {many(total, 'run')} submitted"
    why = line(gate.run.get("failureReason"), 300)
    note = f'<p class="note">{text(why)}</p>' if why else ""
    return (
        f'<div class="batch"><p class="alone">{cohort.link(gate)} {status_badge(gate)} '
        f'<span class="dim">{said}</span></p>{note}{bar(members)}{legend(members)}</div>'
    )


def _reasons(gates: Sequence[Gate], cohort: Cohort) -> list[reasons.Row]:
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    of: dict[tuple[str, str], list[Gate]] = defaultdict(list)
    for gate in gates:
        for reason, owner, number in reasons_of(gate.snapshot):
            numbers[reason, owner] += number
            of[reason, owner].append(gate)
    return [reasons.Row(*key, number, such_as(of[key], cohort)) for key, number in numbers.items()]
